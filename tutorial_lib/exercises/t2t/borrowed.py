"""Two ideas of convolutional networks about connections: dense, and in branches."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


def dense_block(x, weights):
    """Layers that each read all that came before and add a few features (DenseNet).

    x (B, N, D) tensor; weights: a list of matrices, one a layer: W_0 (D, g), W_1 (D + g, g), …
    ->  (B, N, D + L g) for L layers: x, then the new features of each layer in order

    Layer i gives x_{i+1} = [x_i, GELU(x_i W_i)], where [ , ] puts features side by side. (In
    DenseNet a layer is a convolution and in T2T-ViT-Dense a transformer layer; the connections are
    these.)
    """
    for W in weights:
        new = F.gelu(x @ W)  # (B, N, g)
        x = torch.cat([x, new], dim=-1)
    return x


def tokens_and_growth(rng):
    for batch, n, features, growth, layers in [
        (1, 1, 1, 1, 1),
        (1, 1, 2, 1, 2),
        (1, 2, 2, 2, 2),
        (1, 3, 3, 3, 3),
        (2, 3, 4, 2, 3),
        (2, 2, 3, 1, 0),
    ]:
        x = torch.from_numpy(rng.normal(size=(batch, n, features))).requires_grad_()
        widths = [features + i * growth for i in range(layers)]
        weights = [torch.from_numpy(rng.normal(size=(width, growth))) for width in widths]
        yield dict(x=x, weights=weights)


dense_block = Exercise(
    dense_block,
    level=2,
    minutes=10,
    cases=tokens_and_growth,
    hints=(
        "What is the shape of W_1? It says how many features layer 1 reads.",
        "After each layer the tokens are longer by g. What a layer was given is never changed.",
        "In a loop over the weights: the new features are `F.gelu(x @ W)`; `torch.cat` puts them "
        "beside x, and the result is the next layer's x.",
    ),
)


@dense_block.mistake(
    """You return the last layer's features alone. The next block, or the head, should hear from
    every layer directly. What happened to x and to the layers in between?"""
)
def only_the_newest(x, weights):
    new = x
    for W in weights:
        new = F.gelu(x @ W)
        x = torch.cat([x, new], dim=-1)
    return new


@dense_block.mistake(
    """You put the new features in front of the old ones. Then W_1's first rows meet what layer 0
    made, though they were meant for x. In which order does the docstring write [ , ]?"""
)
def newest_first(x, weights):
    for W in weights:
        x = torch.cat([F.gelu(x @ W), x], dim=-1)
    return x


@dense_block.mistake(
    """Each layer of yours reads the block's input and not what the layers before it made. These are
    branches side by side. What are the rows of W_1 below the first D for?"""
)
def layers_side_by_side(x, weights):
    new = [F.gelu(x @ W[: x.shape[-1]]) for W in weights]
    return torch.cat([x, *new], dim=-1)


@dense_block.mistake(
    """You bend the whole token after each layer, old features too. After L layers x has passed L
    bends, and the direct way back for its gradient is gone. To what does GELU belong?"""
)
def bends_the_old_too(x, weights):
    for W in weights:
        x = F.gelu(torch.cat([x, x @ W], dim=-1))
    return x


@dense_block.mistake(
    """You add instead of putting side by side: that is a residual connection, and the number of
    features never grows. For most shapes the sum does not even exist. Which does DenseNet do?"""
)
def adds_the_new(x, weights):
    for W in weights:
        x = x + F.gelu(x @ W)
    return x


@dense_block.mistake(
    """More tokens come out, and not longer ones: you put the new features below the old, which the
    next W cannot read. Which axis of (B, N, D) holds the features?"""
)
def more_tokens(x, weights):
    for W in weights:
        x = torch.cat([x, F.gelu(x @ W)], dim=1)
    return x


@dense_block.mistake(
    """The GELU is missing: without a bend all layers together are one linear map of x."""
)
def without_a_bend(x, weights):
    for W in weights:
        x = torch.cat([x, x @ W], dim=-1)
    return x


def sum_of_branches(x, reduce, middle, expand, groups):
    """A ResNeXt block in its first form: Σ_i T_i(x), a sum of small branches.

    x (B, C, H, W) tensor
    reduce (D, C, 1, 1), middle (D, D / groups, 3, 3), expand (C, D, 1, 1): kernels
    groups: a divisor of D, the number of branches
    ->  (B, C, H, W), equal to the second form, in which the middle convolution is grouped:
        `reduce`, ReLU, `middle` with padding=1 and groups=groups, ReLU, `expand`

    Branch i owns D / groups of the D channels: all of x goes through its rows of `reduce`, a ReLU,
    its rows of `middle` (padding 1), a ReLU and its columns of `expand`.

    Do it without `groups=`. That is on trust: the results are the same, so the check cannot tell.
    """
    total = torch.zeros_like(x)
    kernels = reduce.chunk(groups), middle.chunk(groups), expand.chunk(groups, dim=1)
    for a, b, c in zip(*kernels):
        z = F.conv2d(x, a).relu()  # (B, D / groups, H, W)
        z = F.conv2d(z, b, padding=1).relu()
        total = total + F.conv2d(z, c)
    return total


def maps_and_kernels(rng):
    for batch, channels, width, height, groups, size in [
        (1, 1, 1, 1, 1, 1),
        (1, 1, 2, 2, 2, 1),
        (1, 2, 2, 1, 2, 3),
        (1, 3, 4, 3, 2, 2),
        (2, 4, 4, 2, 2, 3),
        (2, 2, 6, 3, 3, 4),
        (1, 4, 4, 3, 4, 3),
    ]:
        shapes = dict(
            x=(batch, channels, height, size),
            reduce=(width, channels, 1, 1),
            middle=(width, width // groups, 3, 3),
            expand=(channels, width, 1, 1),
        )
        case = {name: torch.from_numpy(rng.normal(size=shape)) for name, shape in shapes.items()}
        yield {**case, "groups": groups}


sum_of_branches = Exercise(
    sum_of_branches,
    level=3,
    minutes=15,
    cases=maps_and_kernels,
    hints=(
        "In a grouped convolution, channel 0 … D/groups − 1 of the output see the same channels of "
        "the input and no others. So cut all three kernels into one piece for each group.",
        "`reduce` and `middle` are cut along their outputs, axis 0; `expand` along its inputs, "
        "axis 1. Two branches never meet before the last sum.",
        "`zip(reduce.chunk(groups), middle.chunk(groups), expand.chunk(groups, dim=1))`; in the "
        "loop three convolutions with a ReLU after the first two; add the results up.",
    ),
)


def _branches(x, reduce, middle, expand, groups, first=F.relu, second=F.relu):
    kernels = reduce.chunk(groups), middle.chunk(groups), expand.chunk(groups, dim=1)
    return [
        F.conv2d(second(F.conv2d(first(F.conv2d(x, a)), b, padding=1)), c)
        for a, b, c in zip(*kernels)
    ]


@sum_of_branches.mistake(
    """You average the branches. Σ has no division; more branches of the same kind give a larger
    result. Where did 1 / groups come from?"""
)
def mean_of_branches(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups)) / groups


@sum_of_branches.mistake(
    """You add x to the sum. ResNeXt does so around the block; here the sum of branches alone is
    asked for, to be compared with the grouped convolution."""
)
def adds_the_residual(x, reduce, middle, expand, groups):
    return x + sum(_branches(x, reduce, middle, expand, groups))


@sum_of_branches.mistake(
    """There is a ReLU after the sum, or after each branch's last convolution. The formula has two
    of them: which two steps do they follow?"""
)
def relu_at_the_end(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups)).relu()


@sum_of_branches.mistake(
    """The first ReLU is missing: 1 × 1 and 3 × 3 convolution of a branch are then one linear map.
    After which steps does the formula bend?"""
)
def without_the_first_relu(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups, first=lambda z: z))


@sum_of_branches.mistake(
    """The second ReLU is missing, between the 3 × 3 and the last convolution. With it gone the sum
    of branches still looks like a block, and loses a bend."""
)
def without_the_second_relu(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups, second=lambda z: z))


@sum_of_branches.mistake(
    """There is no ReLU at all: each branch is one linear map, and so is their sum. How many bends
    has a branch, and where?"""
)
def without_any_relu(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups, first=lambda z: z, second=lambda z: z))


@sum_of_branches.mistake(
    """Your maps shrink by two pixels each way, and one of a single pixel leaves nothing. What does
    a 3 × 3 window need at the border to keep their size?"""
)
def without_padding(x, reduce, middle, expand, groups):
    total = 0
    for a, b, c in zip(reduce.chunk(groups), middle.chunk(groups), expand.chunk(groups, dim=1)):
        total = total + F.conv2d(F.conv2d(F.conv2d(x, a).relu(), b).relu(), c)
    return total


@sum_of_branches.mistake(
    """Your pieces have `groups` channels each, as many as there should be branches. A branch owns
    D / groups of the D channels: does `split` ask for a size or for a number of pieces?"""
)
def splits_by_size(x, reduce, middle, expand, groups):
    total = 0
    for a, b, c in zip(reduce.split(groups), middle.split(groups), expand.split(groups, dim=1)):
        total = total + F.conv2d(F.conv2d(F.conv2d(x, a).relu(), b, padding=1).relu(), c)
    return total


@sum_of_branches.mistake(
    """You deal the channels out in turn, every groups-th to a branch. A grouped convolution takes
    neighbours: group 0 owns the first D / groups channels. How do you cut the kernels?"""
)
def deals_channels_out(x, reduce, middle, expand, groups):
    total = torch.zeros_like(x)
    for i in range(groups):
        z = F.conv2d(x, reduce[i::groups]).relu()
        z = F.conv2d(z, middle[i::groups], padding=1).relu()
        total = total + F.conv2d(z, expand[:, i::groups])
    return total


@sum_of_branches.mistake(
    """You return the first branch alone. What should happen to the results of the others?"""
)
def first_branch_only(x, reduce, middle, expand, groups):
    return _branches(x, reduce, middle, expand, groups)[0]
