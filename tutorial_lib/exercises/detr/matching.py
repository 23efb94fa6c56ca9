"""Who answers for whom: what a pair costs, and the cheapest way to make pairs."""

from itertools import permutations

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


def costs(rng):
    """In the first cases the greedy ways go wrong."""
    yield dict(cost=np.array([[1.0, 2.0], [1.5, 4.0]]))
    yield dict(cost=np.array([[1.0, 2.0], [1.5, 9.0], [3.0, 8.0]]))
    yield dict(cost=np.array([[5.0, 9.0, 1.0], [4.0, 2.0, 0.5], [7.0, 6.5, 3.2]]))
    for N, K in [(4, 1), (4, 2), (5, 3), (4, 4), (6, 4)]:
        yield dict(cost=rng.normal(size=(N, K)))
    for N, K in [(3, 2), (5, 4)]:
        yield dict(cost=10 * rng.normal(size=(N, K)).astype(np.float32))


cheapest_matching = Exercise(
    np_matching.cheapest_matching,
    level=2,
    minutes=7,
    cases=costs,
    hints=(
        "A matching is a list: the prediction of object 0, that of object 1, and so on, no two the "
        "same. `itertools.permutations(range(N), K)` gives all such lists.",
        "What does one of them cost? One number from each column of `cost`. Keep the list with the "
        "smallest sum, and turn it around at the end: the task asks which object a *prediction* "
        "has.",
        "`cost[list(chosen), range(K)].sum()` is the price of one list; `min(..., key=...)` finds "
        "the cheapest. Then `np.full(N, -1)`, and put k at the place of the prediction of object "
        "k.",
    ),
)


def _assigned(chosen, N):
    """From the prediction of each object to the object of each prediction."""
    assigned = np.full(N, -1)
    for k, i in enumerate(chosen):
        assigned[i] = k
    return assigned


@cheapest_matching.mistake(
    """Each object takes the prediction that is cheapest for it, so two objects may want the same
    one, and the first is left with none. What does "of its own" forbid?"""
)
def each_takes_its_cheapest(cost):
    return _assigned(cost.argmin(axis=0), len(cost))


@cheapest_matching.mistake(
    """Each *prediction* takes the object that is cheapest for it, so several predictions answer for
    one object. How many may there be for each?"""
)
def each_prediction_chooses(cost):
    return cost.argmin(axis=1)


@cheapest_matching.mistake(
    """Object by object, each takes the cheapest prediction that is still free. Whoever comes first
    may take what another needs more: the total is not the least. Which order would be the right
    one?"""
)
def first_come_first_served(cost):
    left, chosen = cost.astype(float), []
    for k in range(cost.shape[1]):
        chosen.append(left[:, k].argmin())
        left[chosen[-1]] = np.inf
    return _assigned(chosen, len(cost))


@cheapest_matching.mistake(
    """You take the cheapest pair of all, then the cheapest of what is left. A bargain now may leave
    only dear ones: the total is not the least."""
)
def cheapest_pair_first(cost):
    left, assigned = cost.astype(float), np.full(len(cost), -1)
    for _ in range(cost.shape[1]):
        i, k = np.unravel_index(left.argmin(), left.shape)
        assigned[i], left[i], left[:, k] = k, np.inf, np.inf
    return assigned


def _choices(cost):
    N, K = cost.shape
    return permutations(range(N), K)


@cheapest_matching.mistake("""You find the dearest matching. Is a large cost good or bad?""")
def dearest(cost):
    K = cost.shape[1]
    return _assigned(max(_choices(cost), key=lambda c: cost[list(c), range(K)].sum()), len(cost))


@cheapest_matching.mistake(
    """You return which prediction each *object* gets, (K,). The task asks it the other way around:
    for each of the N predictions its object, or −1."""
)
def prediction_of_each_object(cost):
    K = cost.shape[1]
    return np.array(min(_choices(cost), key=lambda c: cost[list(c), range(K)].sum()), dtype=int)


@cheapest_matching.mistake(
    """Predictions without an object get 0 in yours, which is an object. What does the task want for
    none?"""
)
def zero_for_none(cost):
    return np_matching.cheapest_matching(cost).clip(0)


@cheapest_matching.mistake(
    """You try orders of the first K predictions only (`permutations(range(K))`). The others are
    never asked: which predictions may an object get?"""
)
def only_the_first_predictions(cost):
    K = cost.shape[1]
    chosen = min(permutations(range(K)), key=lambda c: cost[list(c), range(K)].sum())
    return _assigned(chosen, len(cost))


@cheapest_matching.mistake(
    """You judge a matching by its dearest pair. What counts is the sum over all pairs."""
)
def by_the_dearest_pair(cost):
    K = cost.shape[1]
    return _assigned(min(_choices(cost), key=lambda c: cost[list(c), range(K)].max()), len(cost))


@cheapest_matching.mistake(
    """You return what the cheapest matching costs. The task asks for the matching itself: for each
    prediction its object."""
)
def the_total(cost):
    K = cost.shape[1]
    return min(cost[list(c), range(K)].sum() for c in _choices(cost))


@cheapest_matching.mistake(
    """The numbers are right, in a plain list. The task asks for an array of whole numbers, with
    which other arrays can be indexed."""
)
def a_list(cost):
    return np_matching.cheapest_matching(cost).tolist()
