"""A bug to find."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


def point_features(points, W, b):
    """One layer of the shared MLP, as most public code writes it: a convolution of width 1.

    points (B, N, C), W (D, C), b (D,) tensors  ->  (B, N, D), a ReLU behind it

    `F.conv1d(x, kernel, b)` takes x (B, C, N) and kernel (D, C, width) and gives (B, D, N).
    """
    x = points.mT  # (B, C, N)
    x = F.conv1d(x, W[..., None], b)  # (B, D, N)
    return x.relu().mT  # (B, N, D)


def buggy_point_features(points, W, b):
    """One layer of the shared MLP, as most public code writes it: a convolution of width 1.

    points (B, N, C), W (D, C), b (D,) tensors  ->  (B, N, D), a ReLU behind it

    `F.conv1d(x, kernel, b)` takes x (B, C, N) and kernel (D, C, width) and gives (B, D, N).

    All shapes are right, and a network with it learns. And yet its answers change when the points
    of a cloud are shuffled, and unseen clouds are told apart worse than they should be.
    """
    B, N, C = points.shape
    x = points.reshape(B, C, N)
    x = F.conv1d(x, W[..., None], b)  # (B, D, N)
    return x.relu().reshape(B, N, -1)


def clouds_and_maps(rng):
    for B, N, C, D in [
        (1, 2, 3, 2),
        (2, 4, 3, 5),
        (1, 1, 3, 4),
        (2, 3, 3, 3),
        (3, 5, 1, 2),
        (2, 3, 4, 1),
    ]:
        shapes = dict(points=(B, N, C), W=(D, C), b=(D,))
        tensors = {name: torch.from_numpy(rng.normal(size=s)) for name, s in shapes.items()}
        yield {name: tensor.requires_grad_() for name, tensor in tensors.items()}


point_features = Exercise(
    point_features,
    level=2,
    minutes=10,
    cases=clouds_and_maps,
    start=buggy_point_features,
    hints=(
        "Take two points, (1, 2, 3) and (4, 5, 6). What stands in x, of which channel 0 should "
        "hold the first coordinates, 1 and 4?",
        "A reshape keeps the order of the numbers and only counts them in another way. Two axes "
        "are to change places, twice in this function.",
        "`points.mT` (or `points.transpose(1, 2)`) on the way in, and the same on the way out.",
    ),
)


def _convolved(x, W, b):
    return F.conv1d(x, W[..., None], b).relu()


@point_features.mistake(
    """The way in is right. On the way out a reshape still deals the features of one point to
    others: what does (B, D, N) hold side by side?"""
)
def out_by_reshape(points, W, b):
    B, N, _ = points.shape
    return _convolved(points.mT, W, b).reshape(B, N, -1)


@point_features.mistake(
    """The way out is right. On the way in a reshape still mixes coordinates of different points:
    what stands in channel 0 of x?"""
)
def in_by_reshape(points, W, b):
    B, N, C = points.shape
    return _convolved(points.reshape(B, C, N), W, b).mT


@point_features.mistake(
    """The features are right, and lie as (B, D, N). Which shape does the task ask for?"""
)
def left_as_channels(points, W, b):
    return _convolved(points.mT, W, b)


@point_features.mistake("""The ReLU is gone: the shuffling was not its fault.""")
def without_relu(points, W, b):
    return F.conv1d(points.mT, W[..., None], b).mT


@point_features.mistake("""The bias is gone: the shuffling was not its fault.""")
def without_bias(points, W, b):
    return F.conv1d(points.mT, W[..., None]).relu().mT


@point_features.mistake(
    """Now the answer no longer hangs on the order, because you sort the points first; but row i of
    the result belongs to another point than row i of the input."""
)
def sorted_first(points, W, b):
    order = points[..., :1].argsort(dim=1).expand_as(points)
    return _convolved(points.gather(1, order).mT, W, b).mT


@point_features.mistake(
    """The way out is right. On the way in axes are moved, (C, B, N), and then read as (B, C, N):
    that mixes the clouds. Which two axes are to change places?"""
)
def clouds_mixed(points, W, b):
    B, N, C = points.shape
    return _convolved(points.permute(2, 0, 1).reshape(B, C, N), W, b).mT
