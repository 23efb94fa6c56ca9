"""IoU, less what of the hull is empty."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.boxes import two_lists
from tutorial_lib.from_scratch import boxes as np_boxes
from tutorial_lib.from_scratch.boxes import edges as edges_of

generalized_iou = Exercise(
    np_boxes.generalized_iou,
    level=2,
    minutes=5,
    cases=two_lists,
    hints=(
        "The hull of two boxes: where does it begin on the left, where does it end? Compare with "
        "the intersection.",
        "Minimum and maximum change places, and nothing can be negative. What of the hull is in "
        "neither box?",
        "`low = np.minimum(a[..., :2], b[..., :2])` with a's edges as (N, 1, 4), `high` alike; "
        "`hull = (high - low).prod(-1)`; then the formula of the task.",
    ),
)


def _hull(a, b):
    a, b = edges_of(a)[:, None], edges_of(b)
    low, high = np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:])
    return (high - low).prod(axis=-1)


@generalized_iou.mistake(
    """You divide by the union, not by the hull. Far apart the hull is many times the union, and
    yours falls without end, where G stays above −1. Of what is C − U a share?"""
)
def share_of_the_union(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou - (_hull(a, b) - union) / union


@generalized_iou.mistake(
    """You add the empty share of the hull: boxes far apart get the most. Should it count for two
    boxes that much of their hull is empty?"""
)
def empty_share_added(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou + (_hull(a, b) - union) / _hull(a, b)


@generalized_iou.mistake(
    """You subtract what of the hull *is* covered, U / C, not what is empty: equal boxes get 0. How
    large is the part that neither box covers?"""
)
def covered_share(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou - union / _hull(a, b)


@generalized_iou.mistake(
    """Your hull is the intersection: maximum and minimum are still as in `pairwise_iou`. Where does
    a box begin that holds both?"""
)
def intersection_for_hull(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    with np.errstate(all="ignore"):
        return iou - (iou * union - union) / (iou * union)


@generalized_iou.mistake(
    """Your hull is the intersection, of which a negative length may be left: maximum and minimum
    are still as in `pairwise_iou`. Where does a box begin that holds both?"""
)
def uncut_intersection_for_hull(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    a, b = edges_of(a)[:, None], edges_of(b)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(axis=-1)
    with np.errstate(all="ignore"):
        return iou - (hull - union) / hull


@generalized_iou.mistake(
    """You take the numbers for edges when you look for the hull. They are a middle and a size:
    where is the left edge?"""
)
def hull_of_the_numbers(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    low = np.minimum(a[:, None, :2], b[:, :2])
    hull = (np.maximum(a[:, None, 2:], b[:, 2:]) - low).prod(axis=-1)
    with np.errstate(all="ignore"):
        return iou - (hull - union) / hull


@generalized_iou.mistake(
    """This is the loss, 1 − G: equal boxes get 0. The task asks for G itself, which is 1 for
    them."""
)
def the_loss(a, b):
    return 1 - np_boxes.generalized_iou(a, b)


@generalized_iou.mistake(
    """You return the plain IoU. Two boxes that do not meet get 0, however far apart they are, and
    nobody knows in which direction to move. What does the hull say?"""
)
def plain_iou(a, b):
    return np_boxes.pairwise_iou(a, b)[0]


@generalized_iou.mistake(
    """You subtract the empty *area*, C − U, not its share of the hull: in pixels yours is in the
    hundreds. By what does the formula divide it?"""
)
def empty_area(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou - (_hull(a, b) - union)


@generalized_iou.mistake(
    """You take off all of the hull that is not *shared*: C − I, where I is the intersection. What
    one of the boxes covers is not empty."""
)
def not_shared_for_empty(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou - (_hull(a, b) - iou * union) / _hull(a, b)


@generalized_iou.mistake(
    """The hull counts only for boxes that do not meet in yours. The formula has no such case: boxes
    that overlap a little leave corners of their hull empty too."""
)
def hull_only_where_apart(a, b):
    iou, _ = np_boxes.pairwise_iou(a, b)
    return np.where(iou > 0, iou, np_boxes.generalized_iou(a, b))


@generalized_iou.mistake(
    """This is distance IoU: you subtract how far apart the middles are, over the hull's diagonal,
    both squared. Generalized IoU looks at areas alone."""
)
def distance_iou(a, b):
    iou, _ = np_boxes.pairwise_iou(a, b)
    one, other = edges_of(a)[:, None], edges_of(b)
    low = np.minimum(one[..., :2], other[..., :2])
    diagonal = ((np.maximum(one[..., 2:], other[..., 2:]) - low) ** 2).sum(axis=-1)
    return iou - ((a[:, None, :2] - b[:, :2]) ** 2).sum(axis=-1) / diagonal


@generalized_iou.mistake(
    """Your hull is as wide and as high as both boxes side by side: you add their sizes. Where they
    overlap it is smaller, where they are apart it is larger. Between which edges does it lie?"""
)
def sizes_side_by_side(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    hull = (a[:, None, 2:] + b[:, 2:]).prod(axis=-1)
    return iou - (hull - union) / hull


@generalized_iou.mistake(
    """You have one hull, around *all* boxes. Each pair has one of its own: which axis do your
    minimum and maximum run over?"""
)
def one_hull_for_all(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    both = np.concatenate([edges_of(a), edges_of(b)])
    hull = (both[:, 2:].max(axis=0) - both[:, :2].min(axis=0)).prod()
    return iou - (hull - union) / hull
