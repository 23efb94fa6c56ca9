"""An idea of convolutional networks about connections: branches side by side."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


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
        (1, 1, 2, 2, 2, 1),
        (1, 2, 3, 2, 1, 2),
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
        case = {name: normal(rng, *shape, wanted=batch > 1) for name, shape in shapes.items()}
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
    """There is a ReLU after the sum. The formula has two of them: which two steps do they
    follow?"""
)
def relu_after_the_sum(x, reduce, middle, expand, groups):
    return sum(_branches(x, reduce, middle, expand, groups)).relu()


@sum_of_branches.mistake(
    """There is a third ReLU, after each branch's last convolution: no branch can take anything
    away. The formula has two: which two steps do they follow?"""
)
def relu_after_each_branch(x, reduce, middle, expand, groups):
    return sum(branch.relu() for branch in _branches(x, reduce, middle, expand, groups))


@sum_of_branches.mistake(
    """You put the branches side by side, so there are groups · C channels. Each branch gives all C
    of them: what does Σ do with the branches?"""
)
def puts_branches_side_by_side(x, reduce, middle, expand, groups):
    return torch.cat(_branches(x, reduce, middle, expand, groups), dim=1)


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


@sum_of_branches.mistake(
    """You return the last branch alone: each round of the loop replaces what the one before it
    gave. Right with one group. What does Σ do with the branches?"""
)
def last_branch_only(x, reduce, middle, expand, groups):
    return _branches(x, reduce, middle, expand, groups)[-1]
