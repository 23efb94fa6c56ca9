"""How far the heads of a trained ViT look, in PyTorch."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.vit.weights import attention_weights
from tutorial_lib.layers import rollout as torch_rollout


def weights_and_grids(rng):
    for batch, heads, grid in [
        (1, 1, (1, 2)),
        (1, 1, (2, 2)),
        (1, 2, (1, 3)),
        (1, 2, (2, 3)),
        (2, 3, (3, 2)),
        (2, 2, (2, 2)),
        (3, 1, (2, 4)),
    ]:
        n = 1 + grid[0] * grid[1]
        yield dict(weights=attention_weights(rng, batch, heads, n, n), grid=grid)
    yield dict(weights=attention_weights(rng, 1, 2, 7, 7, sharpness=5), grid=(2, 3))
    yield dict(weights=attention_weights(rng, 2, 2, 7, 7).float(), grid=(3, 2))
    nowhere = attention_weights(rng, 2, 2, 4, 4)
    nowhere[0, 1, 2] = torch.eye(4)[0]  # one patch of one head gives all to the class token
    yield dict(weights=nowhere, grid=(1, 3))
    for tokens, grid in [(2, (1, 2)), (7, (3, 3)), (8, (2, 3))]:  # of another grid
        yield dict(weights=attention_weights(rng, 1, 1, tokens, tokens), grid=grid)


attention_distance = Exercise(
    torch_rollout.attention_distance,
    level=3,
    minutes=15,
    cases=weights_and_grids,
    hints=(
        "First the distances alone: an (n, n) matrix from the rows and columns of the patches. "
        "What are row and column of patch i?",
        "Then what to leave out: the class token asks in row 0 and answers in column 0. What is "
        "left of a row no longer sums to one.",
        "`w = weights[..., 1:, 1:]`, divided by its row sums; `(w * distance).sum(-1)` is one "
        "number for each image, head and patch: average over the first and the last of these axes.",
    ),
)


def _checked(weights, grid):
    if weights.shape[-1] != 1 + grid[0] * grid[1]:
        raise ValueError("wrong number of tokens")


def _distances(weights, grid, power=2):
    """(n, n) distances between patches, on the torch dtype of the weights."""
    _checked(weights, grid)
    i = torch.arange(grid[0] * grid[1])
    place = torch.stack([i // grid[1], i % grid[1]], dim=-1).to(weights)
    return torch.linalg.vector_norm(place[:, None] - place, ord=power, dim=-1)


def _mean_distance(patches, distance):
    """Weighted by rows that sum to one: one number for each head."""
    return (patches * distance).sum(dim=-1).mean(dim=(0, 2))


def _shares(patches, eps=0.0):
    return patches / (patches.sum(dim=-1, keepdim=True) + eps)


@attention_distance.mistake(
    """What a patch gives to the class token is left out, but its row is not divided by what
    remains. A head that looks at the class token most of the time then seems to look close by. What
    must weights of a mean sum to?"""
)
def shares_not_of_one(weights, grid):
    return _mean_distance(weights[..., 1:, 1:], _distances(weights, grid))


@attention_distance.mistake(
    """You leave out the last token instead of the first. Which row and which column belong to the
    class token?"""
)
def last_token_left_out(weights, grid):
    return _mean_distance(_shares(weights[..., :-1, :-1]), _distances(weights, grid))


@attention_distance.mistake(
    """You take |i − j| of the patches' numbers. The patch below is then as far away as the row is
    long. Where in the picture is patch i?"""
)
def along_the_line(weights, grid):
    _checked(weights, grid)
    i = torch.arange(grid[0] * grid[1]).to(weights)
    return _mean_distance(_shares(weights[..., 1:, 1:]), (i[:, None] - i).abs())


@attention_distance.mistake(
    """Right for square grids: rows and columns are exchanged. How many patches does one row hold,
    grid[0] or grid[1]?"""
)
def grid_turned(weights, grid):
    return _mean_distance(_shares(weights[..., 1:, 1:]), _distances(weights, grid[::-1]))


@attention_distance.mistake(
    """You add up the steps down and to the side, as a taxi drives. The distance between two centres
    is a straight line."""
)
def taxi_distance(weights, grid):
    return _mean_distance(_shares(weights[..., 1:, 1:]), _distances(weights, grid, power=1))


@attention_distance.mistake(
    """Your distances are squared: the root is missing, and far patches count too much."""
)
def squared(weights, grid):
    return _mean_distance(_shares(weights[..., 1:, 1:]), _distances(weights, grid) ** 2)


@attention_distance.mistake(
    """One number for the whole layer. The heads of a layer differ a great deal, which is what the
    paper's figure shows: over which axes should you average?"""
)
def heads_averaged(weights, grid):
    return _mean_distance(_shares(weights[..., 1:, 1:]), _distances(weights, grid)).mean()


@attention_distance.mistake(
    """You average over the keys, where a weighted mean adds up: the weights already sum to one, so
    nothing is left to divide by."""
)
def averaged_over_keys(weights, grid):
    patches = _shares(weights[..., 1:, 1:])
    return _mean_distance(patches, _distances(weights, grid)) / patches.shape[-1]


@attention_distance.mistake(
    """You divide columns by their sums. A row holds what one patch gives to all others: which axis
    is that?"""
)
def columns_sum_to_one(weights, grid):
    patches = weights[..., 1:, 1:]
    patches = patches / patches.sum(dim=-2, keepdim=True)
    return _mean_distance(patches, _distances(weights, grid))


@attention_distance.mistake(
    """Right for weights that fit the grid. Others fail with an error about shapes, or worse: those
    of a single patch are spread over the whole grid, by broadcasting, and give a number. What does
    the task want instead?"""
)
def without_a_check(weights, grid):
    i = torch.arange(grid[0] * grid[1])
    place = torch.stack([i // grid[1], i % grid[1]], dim=-1).to(weights)
    distance = (place[:, None] - place).norm(dim=-1)
    return _mean_distance(_shares(weights[..., 1:, 1:]), distance)


@attention_distance.mistake(
    """A patch that gives everything to the class token has no distance, and you leave it out of the
    mean (`nanmean`): the head seems to look as far as its other patches do. What does the task want
    to see there?"""
)
def without_a_distance_left_out(weights, grid):
    distance = (_shares(weights[..., 1:, 1:]) * _distances(weights, grid)).sum(dim=-1)
    return distance.nanmean(dim=(0, 2))


@attention_distance.mistake(
    """A patch that gives everything to the class token counts as one that looks at itself, with
    distance 0 (`nan_to_num`, or a tiny number in the denominator). It looks nowhere: what does the
    task want to see there?"""
)
def without_a_distance_is_zero(weights, grid):
    shares = _shares(weights[..., 1:, 1:]).nan_to_num()
    return _mean_distance(shares, _distances(weights, grid))


@attention_distance.mistake(
    """A head of which one patch gives everything to the class token gets the mean 0 (`nan_to_num`,
    at the end). Zero says that it looks at itself alone. What does the task want to see there?"""
)
def head_without_a_distance_is_zero(weights, grid):
    shares = _shares(weights[..., 1:, 1:])
    return _mean_distance(shares, _distances(weights, grid)).nan_to_num()


@attention_distance.mistake(
    """Your 1e-6 in the denominator can be seen in the result, and where there is no distance it
    makes one of 0. What does the task want to see there?"""
)
def a_millionth_added(weights, grid):
    shares = _shares(weights[..., 1:, 1:], eps=1e-6)
    return _mean_distance(shares, _distances(weights, grid))


@attention_distance.mistake(
    """The class token is in your mean, with distance 0 to everyone: it asks, and what it is given
    counts as looking close by. Which rows and columns should be left out before anything is
    averaged?"""
)
def class_token_at_no_distance(weights, grid):
    distance = F.pad(_distances(weights, grid), (1, 0, 1, 0))
    return _mean_distance(weights, distance)


@attention_distance.mistake(
    """You divide the sum over all patches by the sum of all their weights. A patch that gives
    little to the class token then counts more than one that gives it much. When must each patch's
    weights sum to one?"""
)
def one_sum_for_all_patches(weights, grid):
    patches = weights[..., 1:, 1:]
    return (patches * _distances(weights, grid)).sum(dim=(0, 2, 3)) / patches.sum(dim=(0, 2, 3))


@attention_distance.mistake(
    """You sum over the patches that ask, where a mean is asked for: a finer grid then looks farther
    by itself."""
)
def summed_over_the_patches(weights, grid):
    shares = _shares(weights[..., 1:, 1:])
    return shares.shape[-1] * _mean_distance(shares, _distances(weights, grid))


@attention_distance.mistake(
    """Right for weights that fit the grid. Of more tokens you take the first without a word, and
    the patches of another grid then stand at the wrong places. What does the task want instead?"""
)
def too_many_cut_off(weights, grid):
    n = 1 + grid[0] * grid[1]
    fitting = weights[..., :n, :n]
    return _mean_distance(_shares(fitting[..., 1:, 1:]), _distances(fitting, grid))


@attention_distance.mistake(
    """Right for weights that fit the grid. Of others you take as many patches as the grid has, and
    nobody asks whether these are all, or enough: one patch is spread over the whole grid. What does
    the task want instead?"""
)
def as_many_as_the_grid_has(weights, grid):
    n = grid[0] * grid[1]
    distance = _distances(weights.new_empty(1 + n, 1 + n), grid)
    return _mean_distance(_shares(weights[..., 1 : 1 + n, 1 : 1 + n]), distance)
