"""From an image to fewer and fewer tokens: the whole module."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal
from tutorial_lib.from_scratch.soft_split import token_count


def tokens_to_token(images, splits, weights, project):
    """The Tokens-to-Token module: images to tokens, in steps.

    images  (B, C, H, W) tensor
    splits  list of (k, s, p): window, stride and padding of each soft split
    weights list of matrices, one for each split but the last
    project (k · k · channels, D), k of the last split
    ->  (B, n, D), as many tokens as the last split makes windows

    Cut; pass each token through the token layer; put the tokens back on their grid as an image
    whose channels are their features; cut again. After the last cut there is no token layer, but
    the projection to the width of the transformer. The token layer is tanh(T W) here, one W a
    step; in the real module it is a transformer layer with one head.

    `F.unfold(images, k, padding=p, stride=s)` gives (B, C · k · k, n), windows row by row.
    `token_count(height, width, k, s, p)` gives the rows and columns of the grid.
    """
    for (k, s, p), W in zip(splits, weights):
        tokens = F.unfold(images, k, padding=p, stride=s).mT  # (B, n, C · k · k)
        tokens = torch.tanh(tokens @ W)
        rows, columns = token_count(*images.shape[2:], k, s, p)
        images = tokens.mT.reshape(len(images), -1, rows, columns)
    k, s, p = splits[-1]
    return F.unfold(images, k, padding=p, stride=s).mT @ project


def images_and_weights(rng):
    for batch, channels, height, width, splits, features in [
        (1, 1, 2, 3, [(1, 1, 0)], []),
        (1, 1, 4, 4, [(2, 2, 0), (2, 1, 0)], [1]),
        (1, 1, 4, 6, [(3, 2, 1), (2, 1, 1)], [2]),
        (3, 1, 6, 4, [(3, 1, 1), (3, 2, 1)], [2]),  # the last split steps by 2
        (2, 3, 7, 9, [(3, 1, 1), (3, 2, 1), (3, 1, 0)], [3, 2]),
        (1, 2, 5, 1, [(3, 2, 1), (3, 1, 2)], [3]),  # and here pads by more than it steps
    ]:
        wanted = batch > 1
        images = normal(rng, batch, channels, height, width, wanted=wanted)
        weights, depth = [], channels
        for (k, _, _), width_after in zip(splits, features):
            weights.append(normal(rng, k * k * depth, width_after, wanted=wanted))
            depth = width_after
        project = normal(rng, splits[-1][0] ** 2 * depth, 2, wanted=wanted)
        yield dict(images=images, splits=splits, weights=weights, project=project)


tokens_to_token = Exercise(
    tokens_to_token,
    level=3,
    minutes=20,
    cases=images_and_weights,
    hints=(
        "One round takes an image and gives an image with fewer pixels and other channels. Write "
        "the round; then loop over all splits but the last.",
        "A round is four lines: unfold and `.mT`; tanh of the product with W; the grid of this "
        "split from the image's height and width; the tokens back on it, features first.",
        "`zip(splits, weights)` ends with the shorter list. In the loop, the last line is "
        "`images = tokens.mT.reshape(len(images), -1, rows, columns)`; after it, unfold "
        "with `splits[-1]`, `.mT`, and `@ project`.",
    ),
)


def _module(images, splits, weights, project, *, grid=token_count, image=None, bend=torch.tanh):
    """`tokens_to_token` with one of its steps changed."""
    image = image or (lambda tokens, rows, columns: tokens.mT.unflatten(-1, (rows, columns)))
    for (k, s, p), W in zip(splits, weights):
        tokens = bend(F.unfold(images, k, padding=p, stride=s).mT @ W)
        images = image(tokens, *grid(*images.shape[2:], k, s, p))
    k, s, p = splits[-1]
    return F.unfold(images, k, padding=p, stride=s).mT @ project


@tokens_to_token.mistake(
    """You reshape (B, n, C) to (B, C, rows, columns) in one go. The shape is right, and every
    channel is a mixture of features of a few tokens, so neighbours in the image are no neighbours
    any more. What did you find in `restructure`?"""
)
def reshapes_in_one_go(images, splits, weights, project):
    def image(tokens, rows, columns):
        return tokens.reshape(len(tokens), -1, rows, columns)

    return _module(images, splits, weights, project, image=image)


@tokens_to_token.mistake(
    """Your grid has rows and columns swapped. With square images and windows nobody notices: the
    picture is only mirrored. What comes first, the height or the width?"""
)
def swaps_the_grid(images, splits, weights, project):
    def grid(*sizes):
        return token_count(*sizes)[::-1]

    return _module(images, splits, weights, project, grid=grid)


@tokens_to_token.mistake(
    """Your image lies on its side: (B, C, columns, rows). On a square grid no shape complains, and
    the picture is mirrored. Which of the last two axes does unfold take for the rows?"""
)
def lays_the_image_on_its_side(images, splits, weights, project):
    def image(tokens, rows, columns):
        return tokens.mT.unflatten(-1, (rows, columns)).mT

    return _module(images, splits, weights, project, image=image)


@tokens_to_token.mistake(
    """You take the grid for square, with √n tokens a side. An image that is wider than high has
    another grid. What says how many rows and columns a split makes?"""
)
def takes_a_square_grid(images, splits, weights, project):
    def image(tokens, rows, columns):
        side = int(tokens.shape[1] ** 0.5)
        return tokens.mT.reshape(len(tokens), tokens.shape[-1], side, side)

    return _module(images, splits, weights, project, image=image)


@tokens_to_token.mistake(
    """A grid of √n × √n fits square images alone; on others your `-1` makes up for it with channels
    that are none. What says how many rows and columns a split makes?"""
)
def takes_a_square_grid_and_any_channels(images, splits, weights, project):
    def image(tokens, rows, columns):
        side = int(tokens.shape[1] ** 0.5)
        return tokens.mT.reshape(len(tokens), -1, side, side)

    return _module(images, splits, weights, project, image=image)


@tokens_to_token.mistake(
    """The tokens pass no token layer that bends: products of matrices alone can be replaced by one
    matrix. Which function does the task put around T W?"""
)
def without_a_bend(images, splits, weights, project):
    return _module(images, splits, weights, project, bend=lambda tokens: tokens)


@tokens_to_token.mistake("""You bend by a GELU. Which function does the task put around T W?""")
def bends_by_gelu(images, splits, weights, project):
    return _module(images, splits, weights, project, bend=F.gelu)


@tokens_to_token.mistake(
    """A token's features go pixel by pixel in yours, as in our NumPy. The rows of W and `project`
    are in the order of `F.unfold`: which of channel, row and column varies slowest there?"""
)
def pixel_by_pixel(images, splits, weights, project):
    def turned(matrix, k):
        """Its rows in another order, which is the same as the features in another order."""
        return matrix.unflatten(0, (k * k, -1)).transpose(0, 1).flatten(0, 1)

    weights = [turned(W, k) for (k, _, _), W in zip(splits, weights)]
    return tokens_to_token.reference(images, splits, weights, turned(project, splits[-1][0]))


@tokens_to_token.mistake(
    """You bend the pixels and not the tokens: tanh comes before the product with W. In the formula,
    tanh(T W), what is inside the brackets?"""
)
def bends_before_the_product(images, splits, weights, project):
    for (k, s, p), W in zip(splits, weights):
        tokens = torch.tanh(F.unfold(images, k, padding=p, stride=s).mT) @ W
        images = tokens.mT.unflatten(-1, token_count(*images.shape[2:], k, s, p))
    k, s, p = splits[-1]
    return F.unfold(images, k, padding=p, stride=s).mT @ project


@tokens_to_token.mistake(
    """The last cut has no padding, so there are too few tokens, or an image too small for its
    window. All three numbers of a split count in the last one too."""
)
def last_cut_without_padding(images, splits, weights, project):
    for (k, s, p), W in zip(splits, weights):
        tokens = torch.tanh(F.unfold(images, k, padding=p, stride=s).mT @ W)
        images = tokens.mT.unflatten(-1, token_count(*images.shape[2:], k, s, p))
    k, s, _ = splits[-1]
    return F.unfold(images, k, stride=s).mT @ project


@tokens_to_token.mistake(
    """The last cut has only its window: neither stride nor padding reach unfold, which takes 1 and
    0. All three numbers of a split count in the last one too."""
)
def last_cut_with_its_window_alone(images, splits, weights, project):
    k = splits[-1][0]
    return tokens_to_token.reference(images, [*splits[:-1], (k, 1, 0)], weights, project)


@tokens_to_token.mistake(
    """The last cut steps from pixel to pixel: without `stride=`, unfold takes 1. All three numbers
    of a split count in the last one too."""
)
def last_cut_steps_by_one(images, splits, weights, project):
    k, _, p = splits[-1]
    return tokens_to_token.reference(images, [*splits[:-1], (k, 1, p)], weights, project)


@tokens_to_token.mistake(
    """The last cut uses the numbers of the split before: after the loop, k, s and p are still those
    of its last round. Which entry of `splits` has not been read?"""
)
def numbers_of_the_split_before(images, splits, weights, project):
    last = splits[len(weights) - 1] if weights else splits[-1]
    return tokens_to_token.reference(images, [*splits[:-1], last], weights, project)


@tokens_to_token.mistake(
    """Your windows do not overlap: the stride is k. That is a hard split in several steps; the
    point of T2T is that a pixel near a border is seen from both sides."""
)
def never_overlaps(images, splits, weights, project):
    return tokens_to_token.reference(images, [(k, k, p) for k, s, p in splits], weights, project)


@tokens_to_token.mistake(
    """The last cut uses the numbers of the first split. `splits` is read from the front in the
    loop: which of its entries is for the last cut?"""
)
def numbers_of_the_first_split(images, splits, weights, project):
    return tokens_to_token.reference(images, [*splits[:-1], splits[0]], weights, project)


@tokens_to_token.mistake(
    """There is a token layer after the last cut too: you bend what leaves. The projection is the
    last step, and it is linear, as the patch embedding of ViT is."""
)
def bends_the_projection(images, splits, weights, project):
    return torch.tanh(tokens_to_token.reference(images, splits, weights, project))


@tokens_to_token.mistake(
    """The last cut is missing: you project the tokens of the round before. How many windows does
    the last entry of `splits` ask for, and what is the size of `project`?"""
)
def skips_the_last_cut(images, splits, weights, project):
    tokens = images.flatten(2).mT
    for (k, s, p), W in zip(splits, weights):
        tokens = torch.tanh(F.unfold(images, k, padding=p, stride=s).mT @ W)
        images = tokens.mT.unflatten(-1, token_count(*images.shape[2:], k, s, p))
    return tokens @ project


@tokens_to_token.mistake(
    """You cut the picture you were given again and again: the tokens of one round never become the
    image of the next. Which name should hold the result of the restructurization?"""
)
def cuts_the_first_image_again(images, splits, weights, project):
    for (k, s, p), W in zip(splits, weights):
        torch.tanh(F.unfold(images, k, padding=p, stride=s).mT @ W)
    k, s, p = splits[-1]
    return F.unfold(images, k, padding=p, stride=s).mT @ project
