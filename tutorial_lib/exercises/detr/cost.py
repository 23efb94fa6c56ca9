"""What it costs if a prediction answers for an object."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.pairs import random_boxes
from tutorial_lib.from_scratch import matching as np_matching
from tutorial_lib.from_scratch.boxes import edges, generalized_iou, pairwise_iou


def predictions_and_objects(rng):
    for N, K, C in [(2, 1, 2), (3, 2, 3), (1, 2, 1), (4, 3, 2), (2, 4, 5), (5, 3, 4)]:
        yield _drawn(rng, N, K, C)
    same_class = _drawn(rng, 4, 3, 3)
    yield same_class | {"classes": np.array([1, 1, 0])}
    sure = np.zeros((3, 3))
    sure[range(3), [2, 0, 2]] = 1.0  # a probability of 0 has no logarithm
    yield _drawn(rng, 3, 2, 2) | {"p": sure}
    single = _drawn(rng, 3, 2, 4)
    yield {k: x if k == "classes" else x.astype(np.float32) for k, x in single.items()}


def _drawn(rng, N, K, C):
    p = np.exp(rng.normal(size=(N, C + 1)))
    return dict(
        p=p / p.sum(axis=1, keepdims=True),
        boxes=random_boxes(rng, N),
        classes=rng.integers(C, size=K),
        true_boxes=random_boxes(rng, K),
    )


matching_cost = Exercise(
    np_matching.matching_cost,
    level=2,
    minutes=6,
    cases=predictions_and_objects,
    hints=(
        "Three tables of shape (N, K), one for each term. A row belongs to a prediction, a column "
        "to an object.",
        "Which columns of p belong to the classes of the K objects? A list of numbers can be an "
        "index. For the distances, let one of the two have an axis more.",
        "`p[:, classes]` is (N, K). `boxes[:, None] - true_boxes` is (N, K, 4): absolute values, "
        "then the sum over the last axis. Then 5, 2 and the signs as in the task.",
    ),
)


def _cost(p, boxes, classes, true_boxes, *, likely=None, apart=None, overlap=None, weights=(5, 2)):
    """`matching_cost` with another term."""
    likely = p[:, classes] if likely is None else likely
    apart = np.abs(boxes[:, None] - true_boxes).sum(axis=-1) if apart is None else apart
    overlap = generalized_iou(boxes, true_boxes) if overlap is None else overlap
    return -likely + weights[0] * apart - weights[1] * overlap


@matching_cost.mistake(
    """Your probability has the wrong sign: a prediction that is sure of the right class costs more.
    The assignment looks for the *smallest* total: what should be small?"""
)
def probability_costs(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, likely=-p[:, classes])


@matching_cost.mistake(
    """You take the logarithm, as the loss does. The cost takes the probability itself: it is at
    most 1, as large as the other terms, and finite where p is 0."""
)
def log_probability(p, boxes, classes, true_boxes):
    with np.errstate(divide="ignore"):
        return _cost(p, boxes, classes, true_boxes, likely=np.log(p[:, classes]))


@matching_cost.mistake(
    """A large overlap costs more in yours: the sign of generalized IoU. Should a pair that lies on
    top of each other be cheap or dear?"""
)
def overlap_costs(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, weights=(5, -2))


@matching_cost.mistake(
    """You take the mean over the four numbers of a box, and so a quarter of the distance. The task
    takes their sum."""
)
def mean_distance(p, boxes, classes, true_boxes):
    return _cost(
        p, boxes, classes, true_boxes, apart=np.abs(boxes[:, None] - true_boxes).mean(axis=-1)
    )


@matching_cost.mistake(
    """This is the Euclidean distance. L1 is the sum of the absolute differences: where is a square
    or a root in yours?"""
)
def euclidean_distance(p, boxes, classes, true_boxes):
    squares = (boxes[:, None] - true_boxes) ** 2
    return _cost(p, boxes, classes, true_boxes, apart=np.sqrt(squares.sum(axis=-1)))


@matching_cost.mistake(
    """You compare corners. The distance is that of the four numbers as they are, cx, cy, w, h: in
    corners the size would count in each of them."""
)
def distance_of_corners(p, boxes, classes, true_boxes):
    a, b = edges(boxes), edges(true_boxes)
    return _cost(p, boxes, classes, true_boxes, apart=np.abs(a[:, None] - b).sum(axis=-1))


@matching_cost.mistake(
    """The weights are exchanged: 5 belongs to the distance, 2 to the overlap."""
)
def weights_exchanged(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, weights=(2, 5))


@matching_cost.mistake("""All three terms are there, but not their weights of 5 and 2.""")
def without_weights(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, weights=(1, 1))


@matching_cost.mistake(
    """You use the plain IoU. Pairs that do not meet all cost the same then, as far as it is
    concerned. Which of your two functions does the task name?"""
)
def plain_overlap(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, overlap=pairwise_iou(boxes, true_boxes)[0])


@matching_cost.mistake(
    """You use 1 − G. That adds 2 to every number and changes no matching, so it is no error of
    thought; the task, like the paper's code, leaves the 1 out."""
)
def two_more(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes) + 2


@matching_cost.mistake(
    """Yours is transposed: objects by predictions. Rows belong to predictions, (N, K)."""
)
def transposed(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes).T


@matching_cost.mistake(
    """You take the largest probability of a prediction, whatever its class. What counts is how sure
    it is of *this* object's class."""
)
def of_its_own_class(p, boxes, classes, true_boxes):
    best = np.broadcast_to(p.max(axis=1)[:, None], (len(p), len(classes)))
    return _cost(p, boxes, classes, true_boxes, likely=best)


@matching_cost.mistake(
    """You subtract what is *not* the class, 1 − p, or add it with a minus: whatever is sure of the
    right class costs more. The assignment looks for the smallest total: what should be small?"""
)
def the_rest_of_the_probability(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, likely=1 - p[:, classes])


@matching_cost.mistake("""You square the differences. L1 is the sum of their absolute values.""")
def squared_distance(p, boxes, classes, true_boxes):
    squares = ((boxes[:, None] - true_boxes) ** 2).sum(axis=-1)
    return _cost(p, boxes, classes, true_boxes, apart=squares)


@matching_cost.mistake(
    """Your distance is that of the middles. The sizes belong to it too: all four numbers."""
)
def distance_of_middles(p, boxes, classes, true_boxes):
    apart = np.abs(boxes[:, None, :2] - true_boxes[:, :2]).sum(axis=-1)
    return _cost(p, boxes, classes, true_boxes, apart=apart)


@matching_cost.mistake(
    """The boxes are right, but the probability plays no part: a shoe may answer for a bag. Which
    term is missing?"""
)
def without_probability(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes, likely=0)


@matching_cost.mistake(
    """You put p through a softmax. They are probabilities already, and the softmax makes them
    nearly equal."""
)
def softmax_twice(p, boxes, classes, true_boxes):
    again = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    return _cost(p, boxes, classes, true_boxes, likely=again[:, classes])


@matching_cost.mistake(
    """You take 1 − p for −p. That adds 1 to every number and changes no matching, so it is no error
    of thought; the task leaves the 1 out."""
)
def one_more(p, boxes, classes, true_boxes):
    return _cost(p, boxes, classes, true_boxes) + 1
