"""Which boxes of a detector count as right."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from tutorial_lib.checking import Exercise


def right_boxes(overlap, threshold):
    """Which boxes of one picture and one class count as right.

    overlap (D, K): the IoU of each box with each object of its class, the surest box first
    threshold: the least IoU that is enough, above zero
    ->  bool (D,)

    Box by box: each takes the object that it overlaps most of those that are still free, if that is
    enough, and counts as right. An object is taken once.
    """
    D, K = overlap.shape
    right, free = np.zeros(D, dtype=bool), np.ones(K, dtype=bool)
    for i in range(D if K else 0):
        best = np.where(free, overlap[i], -1).argmax()
        if free[best] and overlap[i, best] >= threshold:
            right[i], free[best] = True, False
    return right


def overlaps(rng):
    """The second box is a duplicate in the first case."""
    yield dict(overlap=np.array([[0.8], [0.7]]), threshold=0.5)
    yield dict(overlap=np.array([[0.6, 0.7], [0.2, 0.9], [0.55, 0.1]]), threshold=0.5)
    yield dict(overlap=np.array([[0.9, 0.0], [0.8, 0.6], [0.3, 0.65]]), threshold=0.5)
    yield dict(overlap=np.array([[0.5, 0.4], [0.75, 0.75]]), threshold=0.5)
    yield dict(overlap=np.array([[0.74, 0.1], [0.75, 0.2]]), threshold=0.75)
    yield dict(overlap=np.zeros((3, 0)), threshold=0.5)
    yield dict(overlap=np.zeros((0, 2)), threshold=0.5)
    for D, K in [(4, 2), (5, 3), (8, 4), (3, 5)]:
        yield dict(overlap=rng.uniform(size=(D, K)), threshold=0.5)
        yield dict(overlap=rng.uniform(size=(D, K)), threshold=0.75)


right_boxes = Exercise(
    right_boxes,
    level=2,
    minutes=10,
    cases=overlaps,
    hints=(
        "Two boxes lie on one object. What are they worth together? Keep a list of the objects "
        "that are still free.",
        "For each box look only at free objects: among them it takes the one with the largest "
        "overlap. What if there is none, or not enough?",
        "`np.where(free, overlap[i], -1).argmax()` is the best free object. If its overlap is at "
        "least the threshold: `right[i] = True`, `free[best] = False`.",
    ),
)


def _judged(overlap, threshold, *, takes=True, enough=np.greater_equal, only_free=True):
    D, K = overlap.shape
    right, free = np.zeros(D, dtype=bool), np.ones(K, dtype=bool)
    for i in range(D if K else 0):
        best = (np.where(free, overlap[i], -1) if only_free else overlap[i]).argmax()
        if free[best] and enough(overlap[i, best], threshold):
            right[i] = True
            free[best] = not takes
    return right


@right_boxes.mistake(
    """Duplicates count as right: a detector that says everything twice loses nothing in yours. How
    often may an object be found?"""
)
def duplicates_count(overlap, threshold):
    return _judged(overlap, threshold, takes=False)


@right_boxes.mistake(
    """A box whose best object is taken counts as wrong at once. The task lets it take the best of
    those that are still *free*."""
)
def gives_up_when_taken(overlap, threshold):
    return _judged(overlap, threshold, only_free=False)


@right_boxes.mistake(
    """An overlap of just the threshold is not enough in yours. "At least" includes it."""
)
def more_than_the_threshold(overlap, threshold):
    return _judged(overlap, threshold, enough=np.greater)


@right_boxes.mistake(
    """You go object by object and give each the box that overlaps it most. The surest box chooses
    first, whatever comes later may overlap more: who is in the outer loop?"""
)
def object_by_object(overlap, threshold):
    D, K = overlap.shape
    right = np.zeros(D, dtype=bool)
    for k in range(K if D else 0):
        best = np.where(right, -1, overlap[:, k]).argmax()
        right[best] |= overlap[best, k] >= threshold
    return right


@right_boxes.mistake(
    """Your threshold is always 0.5. It is an argument: COCO asks for ten of them."""
)
def always_a_half(overlap, threshold):
    return _judged(overlap, 0.5)


@right_boxes.mistake(
    """Each box takes the *first* free object that is enough, not the one that it overlaps most. A
    later box may find its own taken."""
)
def first_that_is_enough(overlap, threshold):
    D, K = overlap.shape
    right, free = np.zeros(D, dtype=bool), np.ones(K, dtype=bool)
    for i in range(D):
        fits = np.flatnonzero(free & (overlap[i] >= threshold))
        if len(fits):
            right[i], free[fits[0]] = True, False
    return right


@right_boxes.mistake(
    """An object is gone once a box has asked for it, even if the overlap was not enough. When does
    a box take its object?"""
)
def takes_what_is_not_enough(overlap, threshold):
    right, free = np.zeros(len(overlap), dtype=bool), np.ones(overlap.shape[1], dtype=bool)
    for i in range(len(overlap) if len(free) else 0):
        best = np.where(free, overlap[i], -1).argmax()
        right[i] = free[best] and overlap[i, best] >= threshold
        free[best] = False
    return right


@right_boxes.mistake(
    """You begin with the last box, which is the least sure one. In which order do they stand?"""
)
def least_sure_chooses_first(overlap, threshold):
    return _judged(overlap[::-1], threshold)[::-1].copy()


@right_boxes.mistake(
    """Your loop ends with the first box that is wrong. A later one may be right: what does one
    wrong box say about the next?"""
)
def ends_at_the_first_wrong_box(overlap, threshold):
    return np.logical_and.accumulate(_judged(overlap, threshold))


@right_boxes.mistake(
    """You return which *objects* were taken, (K,). The task asks which boxes are right."""
)
def which_objects(overlap, threshold):
    free = np.ones(overlap.shape[1], dtype=bool)
    for row in overlap if len(free) else []:
        best = np.where(free, row, -1).argmax()
        free[best] &= row[best] < threshold
    return ~free


@right_boxes.mistake(
    """You find as many right boxes as possible. In the task nobody steps back for another: each box
    takes the object that it overlaps most, from the surest on."""
)
def as_many_as_possible(overlap, threshold):
    right = np.zeros(len(overlap), dtype=bool)
    boxes, objects = linear_sum_assignment(overlap >= threshold, maximize=True)
    right[boxes] = overlap[boxes, objects] >= threshold
    return right
