"""The way back through the maximum."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import point_sets as np_points


def gradients_and_features(rng):
    for B, N, D in [(1, 3, 2), (2, 1, 3), (1, 1, 2), (2, 4, 4), (3, 3, 3), (2, 5, 1)]:
        yield dict(dG=rng.normal(size=(B, D)), H=rng.normal(size=(B, N, D)))
    tied = np.array([[[0.0, 2], [0, 1], [0, 2]], [[1, -1], [3, -1], [3, -2]]])
    yield dict(dG=rng.normal(size=(2, 2)), H=tied)
    yield dict(dG=rng.normal(size=(1, 3)), H=np.zeros((1, 4, 3)))  # after a ReLU that lets none by
    H = rng.normal(size=(2, 3, 2)).astype(np.float32)
    yield dict(dG=rng.normal(size=(2, 2)).astype(np.float32), H=H)


max_pool_backward = Exercise(
    np_points.max_pool_backward,
    level=3,
    minutes=15,
    cases=gradients_and_features,
    hints=(
        "Move one number of H a little. When does G notice? What, then, is ∂G / ∂H for that "
        "number?",
        "dH is zero but for one point of each cloud in each feature: `H.argmax(axis=1)` says "
        "which. There stands dG.",
        "`winner = H.argmax(axis=1)` is (B, D); put dG there with `np.put_along_axis(dH, "
        "winner[:, None], dG[:, None], axis=1)`.",
    ),
)


@max_pool_backward.mistake(
    """Every point with the largest number gets the whole gradient, so that of a tie arrives several
    times: the sum of dH over the points is no longer dG."""
)
def whole_to_each_of_several(dG, H):
    return np.where(H == H.max(axis=1, keepdims=True), dG[:, None], 0).astype(dG.dtype)


@max_pool_backward.mistake(
    """You share the gradient among points with the same largest number. PyTorch's `amax` does so
    too, and it is no mistake in itself; but which point does the task say that G was copied
    from?"""
)
def shared_among_several(dG, H):
    same = H == H.max(axis=1, keepdims=True)
    return (same * dG[:, None] / same.sum(axis=1, keepdims=True)).astype(dG.dtype)


@max_pool_backward.mistake(
    """Of several points with the same largest number the last gets the gradient. Which one does
    `argmax` give?"""
)
def to_the_last_of_several(dG, H):
    return np_points.max_pool_backward(dG, H[:, ::-1])[:, ::-1]


@max_pool_backward.mistake(
    """Every point gets the gradient, as if G were a sum. A point that is not the largest can move a
    little, and G does not notice: what is its gradient?"""
)
def as_of_a_sum(dG, H):
    return np.broadcast_to(dG[:, None], H.shape).copy()


@max_pool_backward.mistake(
    """Every point gets a share of the gradient, as if G were a mean. A point that is not the
    largest can move a little, and G does not notice: what is its gradient?"""
)
def as_of_a_mean(dG, H):
    return (np.broadcast_to(dG[:, None], H.shape) / H.shape[1]).astype(dG.dtype)


@max_pool_backward.mistake(
    """One point of each cloud gets the gradient of all features. Each feature has a largest point
    of its own."""
)
def one_point_for_all_features(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    for b, i in enumerate(H.sum(axis=-1).argmax(axis=1)):
        dH[b, i] = dG[b]
    return dH


@max_pool_backward.mistake(
    """You look for the largest feature of each point. G is the largest point of each feature: along
    which axis was it taken?"""
)
def along_the_features(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    np.put_along_axis(dH, H.argmax(axis=2)[..., None], 1, axis=2)
    return dH * dG[:, None]


@max_pool_backward.mistake(
    """The first cloud decides for all which point wins. Every cloud has points of its own."""
)
def winners_of_the_first_cloud(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    dH[:, H[0].argmax(axis=0), np.arange(H.shape[2])] = dG
    return dH


@max_pool_backward.mistake(
    """Yours is multiplied by H. The derivative of a maximum with respect to the number that it took
    is 1, however large that number is."""
)
def times_the_value(dG, H):
    return np_points.max_pool_backward(dG, H) * H


@max_pool_backward.mistake(
    """dG has no axis for the points: (B, D) beside (B, N, D) is lined up from the right, so that
    clouds are taken for points. Where does the axis belong?"""
)
def without_the_points_axis(dG, H):
    return ((np.arange(H.shape[1])[:, None] == H.argmax(axis=1)[:, None]) * dG).astype(dG.dtype)


@max_pool_backward.mistake(
    """`dH[:, winner]` takes whole points, in all features and for every cloud. An index for the
    cloud, the point *and* the feature is needed: which function puts numbers at places along one
    axis?"""
)
def whole_points(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    dH[:, H.argmax(axis=1)] = dG
    return dH


@max_pool_backward.mistake(
    """No gradient passes where the maximum is below zero, as if a ReLU stood behind it. Does G
    notice when a negative maximum moves?"""
)
def as_behind_a_relu(dG, H):
    return np_points.max_pool_backward(dG * (H.max(axis=1) > 0), H)
