"""How good a detector is: which boxes count as right, and average precision."""

import numpy as np

from tutorial_lib.checking import Exercise


def right_boxes(overlap, threshold):
    """Which boxes of one picture and one class count as right.

    overlap (D, K): the IoU of each box with each object of its class, the surest box first
    threshold: the least IoU that is enough
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


def average_precision(scores, right, objects):
    """How good the boxes of one class are, over all pictures: from 0 to 1.

    scores (D,): how sure the detector is of each box, no two alike; right (D,) bool: whether it
    counts as right; objects: how many there are to be found, at least one  ->  a float

    Take the boxes from the surest on. After each, precision is the share of right ones among those
    taken, recall the share of objects found. The answer is the mean, over all objects, of the
    best precision at which that many were found or more: of the first, of the first two, and so on;
    0 for those that are never found.
    """
    hits = right[np.argsort(-scores)].cumsum()  # (D,)
    precision = hits / np.arange(1, len(hits) + 1)
    best = [precision[hits >= count].max(initial=0.0) for count in range(1, objects + 1)]
    return float(np.mean(best))


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


def scores_and_verdicts(rng):
    yield dict(scores=np.array([0.9, 0.8, 0.7]), right=np.array([True, False, True]), objects=2)
    yield dict(
        scores=np.array([0.2, 0.9, 0.4, 0.6]), right=np.array([True, False, True, True]), objects=4
    )
    yield dict(scores=np.array([0.3, 0.6]), right=np.array([False, False]), objects=2)
    yield dict(scores=np.array([0.3]), right=np.array([True]), objects=1)
    yield dict(scores=np.array([]), right=np.array([], dtype=bool), objects=3)
    for D, objects in [(5, 3), (8, 8), (12, 5)]:
        right = np.zeros(D, dtype=bool)
        right[rng.permutation(D)[: min(objects, D // 2)]] = True
        yield dict(scores=rng.uniform(size=D), right=right, objects=objects)


average_precision = Exercise(
    average_precision,
    level=3,
    minutes=12,
    cases=scores_and_verdicts,
    hints=(
        "Take the first case on paper: after each of the three boxes, how many are right, and what "
        "share is that?",
        "Sorted by score, the running count of right boxes (`cumsum`) gives both: divided by 1, 2, "
        "3 … it is the precision, and where it is at least m, m objects have been found.",
        "`hits = right[np.argsort(-scores)].cumsum()`; for each m from 1 to `objects` the largest "
        "of `precision[hits >= m]`, 0 if there is none; then the mean.",
    ),
)


def _curve(scores, right):
    hits = right[np.argsort(-scores)].cumsum()
    return hits, hits / np.arange(1, len(hits) + 1)


@average_precision.mistake(
    """You take the boxes as they come. Precision and recall are counted from the surest on: where
    do the scores enter?"""
)
def in_the_order_of_the_list(scores, right, objects):
    hits = right.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    found = [precision[hits >= m].max(initial=0.0) for m in range(1, objects + 1)]
    return float(np.mean(found))


@average_precision.mistake(
    """You begin with the *least* sure box: `argsort` puts the smallest first."""
)
def least_sure_first(scores, right, objects):
    return average_precision.reference(-scores, right, objects)


@average_precision.mistake(
    """Objects that are never found are left out of your mean, so a detector that shows one box and
    is right gets 1. Over how many objects does the task take the mean?"""
)
def over_the_found_only(scores, right, objects):
    hits, precision = _curve(scores, right)
    found = [precision[hits >= m].max() for m in range(1, objects + 1) if (hits >= m).any()]
    return float(np.mean(found)) if found else 0.0


@average_precision.mistake(
    """You take the precision at the moment when an object is found. The task takes the best one
    there or *later*: a curve that does not go up again."""
)
def precision_of_the_moment(scores, right, objects):
    ordered = right[np.argsort(-scores)]
    _, precision = _curve(scores, right)
    return float(precision[ordered].sum() / objects)


@average_precision.mistake(
    """This is the precision of all boxes, one number. Average precision asks after each box, from
    the surest on."""
)
def one_precision(scores, right, objects):
    return float(right.mean()) if len(right) else 0.0


@average_precision.mistake(
    """This is the recall: the share of objects that were found at all. Wrong boxes cost nothing in
    it. What does precision add?"""
)
def one_recall(scores, right, objects):
    return float(right.sum() / objects)


@average_precision.mistake(
    """You take the mean over all boxes, the wrong ones too. The task takes one over objects: the
    precision at which one, two, three of them had been found."""
)
def mean_over_boxes(scores, right, objects):
    _, precision = _curve(scores, right)
    return float(precision.mean()) if len(precision) else 0.0
