"""How good a detector is: average precision."""

import numpy as np

from tutorial_lib.checking import Exercise


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


def _mean_of_best(hits, precision, counts, n):
    return float(sum(precision[hits >= m].max(initial=0.0) for m in counts) / n)


@average_precision.mistake(
    """You count the objects from 0: "none or more" is always reached, and that all were found is
    never asked. From where to where does m go?"""
)
def counts_from_zero(scores, right, objects):
    return _mean_of_best(*_curve(scores, right), range(objects), objects)


@average_precision.mistake(
    """You ask for *more* than m objects, so the last one is never found. "That many or more" is
    `>=`."""
)
def more_than_that_many(scores, right, objects):
    return _mean_of_best(*_curve(scores, right), range(2, objects + 2), objects)


@average_precision.mistake(
    """You divide by the number of boxes. Over what does the task take the mean?"""
)
def over_the_number_of_boxes(scores, right, objects):
    n = max(len(scores), 1)
    return _mean_of_best(*_curve(scores, right), range(1, objects + 1), n)


@average_precision.mistake(
    """You take the best precision *so far*. The task looks the other way: the best at which that
    many were found or more."""
)
def best_so_far(scores, right, objects):
    _, precision = _curve(scores, right)
    best = np.maximum.accumulate(precision)
    return float(best[right[np.argsort(-scores)]].sum() / objects)


@average_precision.mistake(
    """You divide by the number of boxes *before* this one. After the first box one is taken: from
    what do you count?"""
)
def one_box_too_few(scores, right, objects):
    hits, _ = _curve(scores, right)
    precision = hits / np.arange(len(hits)).clip(1)
    return _mean_of_best(hits, precision, range(1, objects + 1), objects)


@average_precision.mistake(
    """You read the curve at eleven recalls, 0, 0.1 to 1, as one did until 2010. The task asks at
    every object."""
)
def at_eleven_recalls(scores, right, objects):
    hits, precision = _curve(scores, right)
    recalls = np.linspace(0, 1, 11)
    return float(np.mean([precision[hits / objects >= r].max(initial=0.0) for r in recalls]))


@average_precision.mistake(
    """You leave out boxes with a score of at most one half. No score is too low for the task: what
    they find counts, and they come last."""
)
def unsure_boxes_left_out(scores, right, objects):
    sure = scores > 0.5
    return average_precision.reference(scores[sure], right[sure], objects)
