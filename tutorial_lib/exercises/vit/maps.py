"""What a trained ViT looks at, in PyTorch."""

import math

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import rollout as torch_rollout


def _weights(rng, *shape, sharpness=1.0):
    scores = torch.from_numpy(sharpness * rng.normal(size=shape))
    return scores.softmax(dim=-1)


def layers_of_weights(rng):
    for depth, batch, heads, n in [
        (1, 1, 1, 1),
        (1, 1, 1, 2),
        (2, 1, 1, 2),
        (1, 1, 2, 2),
        (2, 2, 2, 3),
        (3, 1, 4, 3),
        (4, 2, 3, 5),
    ]:
        yield dict(weights=[_weights(rng, batch, heads, n, n) for _ in range(depth)])
    yield dict(weights=[_weights(rng, 1, 2, 3, 3, sharpness=20) for _ in range(2)])
    yield dict(weights=[_weights(rng, 2, 2, 3, 3).float() for _ in range(2)])


attention_rollout = Exercise(
    torch_rollout.attention_rollout,
    level=3,
    minutes=15,
    cases=layers_of_weights,
    hints=(
        "What token i is made of after one layer: half of itself, which the residual carries, and "
        "half of what the attention mixes. Write that as a matrix.",
        "If Z_1 = Â_1 Z_0 and Z_2 = Â_2 Z_1, what is Z_2 in terms of Z_0? On which side does the "
        "next layer's matrix go?",
        "Start from the identity. For each layer: mean over the heads' axis, plus the identity, "
        "divided by the sum of each row; multiply it from the left to what you have.",
    ),
)


def _layer(p, heads=torch.mean, identity=1.0, axis=-1):
    """Â of one layer, with a step of it changed."""
    pooled = heads(p, dim=1) if heads is torch.mean else heads(p)
    A = pooled + identity * torch.eye(p.shape[-1], dtype=p.dtype)
    return A if axis is None else A / A.sum(dim=axis, keepdim=True)


def _product(matrices):
    """The later matrix on the left."""
    found = matrices[0]
    for matrix in matrices[1:]:
        found = matrix @ found
    return found


@attention_rollout.mistake(
    """The identity is missing: this is a layer without its residual, in which a token forgets
    itself. After a few layers all rows are alike. How does a token pass a layer?"""
)
def without_identity(weights):
    return _product([_layer(p, identity=0.0) for p in weights])


@attention_rollout.mistake(
    """Rows of A + I sum to two, and after L layers to 2^L. What is a token's share, if all shares
    should sum to one?"""
)
def not_normalized(weights):
    return _product([_layer(p, axis=None) for p in weights])


@attention_rollout.mistake(
    """The layers are multiplied in the wrong order. The output of layer 1 is the input of layer 2:
    Z_2 = Â_2 Z_1. Which matrix stands next to Z_0? (With one layer there is no telling.)"""
)
def wrong_order(weights):
    return _product([_layer(p) for p in reversed(weights)])


@attention_rollout.mistake(
    """You take the largest weight of all heads. Some later work does; in rollout as published the
    heads are averaged."""
)
def largest_head(weights):
    return _product([_layer(p, heads=lambda p: p.amax(dim=1)) for p in weights])


@attention_rollout.mistake(
    """You divide by the sum of the columns. A row says of what one token is made: which sums should
    be one?"""
)
def columns_normalized(weights):
    return _product([_layer(p, axis=-2) for p in weights])


@attention_rollout.mistake(
    """You multiply number by number. Two layers are two steps of a path: from i to k and from k to
    j, over every k. Which product adds up over k?"""
)
def number_by_number(weights):
    return math.prod(_layer(p) for p in weights)


@attention_rollout.mistake(
    """This is the last layer alone. What its tokens are made of was mixed by the layers before."""
)
def last_layer_alone(weights):
    return _layer(weights[-1])


@attention_rollout.mistake(
    """You multiply bare attention and add the identity once at the end. Every layer has its
    residual: how many ways past the attention are there in two layers?"""
)
def identity_at_the_end(weights):
    found = _product([p.mean(dim=1) for p in weights])
    return (found + torch.eye(found.shape[-1], dtype=found.dtype)) / 2


@attention_rollout.mistake(
    """Each head of yours is followed through all layers by itself, and the mean comes at the end.
    What head 1 of a layer has mixed is read by every head of the next, for their results are joined
    in between. When must the heads meet?"""
)
def each_head_alone(weights):
    one = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    return _product([(p + one) / 2 for p in weights]).mean(dim=1)


@attention_rollout.mistake(
    """You average over the images as well. Each image has paths of its own: which axis holds the
    heads?"""
)
def images_averaged(weights):
    return torch_rollout.attention_rollout(weights).mean(dim=0)


def weights_and_grids(rng):
    for batch, heads, grid in [
        (1, 1, (1, 1)),
        (1, 1, (1, 2)),
        (1, 1, (2, 2)),
        (1, 2, (1, 3)),
        (1, 2, (2, 3)),
        (2, 3, (3, 2)),
        (2, 2, (2, 2)),
        (3, 1, (2, 4)),
    ]:
        n = 1 + grid[0] * grid[1]
        yield dict(weights=_weights(rng, batch, heads, n, n), grid=grid)
    yield dict(weights=_weights(rng, 1, 2, 7, 7, sharpness=5), grid=(2, 3))
    yield dict(weights=_weights(rng, 2, 2, 7, 7).float(), grid=(3, 2))
    for tokens, grid in [(2, (1, 2)), (7, (3, 3))]:  # of another grid; one patch would broadcast
        yield dict(weights=_weights(rng, 1, 1, tokens, tokens), grid=grid)


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


def _shares(patches):
    return patches / patches.sum(dim=-1, keepdim=True)


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
