"""Who answers for whom: the cheapest way to make pairs."""

from itertools import combinations, permutations

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import matching as np_matching


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


@cheapest_matching.mistake(
    """The numbers are right, in a plain list, with None for none. The task asks for an array of
    whole numbers: which number stands for none?"""
)
def none_for_none(cost):
    return [None if k < 0 else k for k in np_matching.cheapest_matching(cost).tolist()]


@cheapest_matching.mistake(
    """You try each choice of predictions in one order only, the rising one (`combinations`): object
    1 never gets an earlier prediction than object 0. Which function gives all orders?"""
)
def rising_order_only(cost):
    N, K = cost.shape
    chosen = min(combinations(range(N), K), key=lambda c: cost[list(c), range(K)].sum())
    return _assigned(chosen, N)


@cheapest_matching.mistake(
    """Your price of a list is the sum of whole rows, `cost[list(chosen)]`, which is the same in
    whatever order the objects stand. A pair costs one number: from which column?"""
)
def sum_of_whole_rows(cost):
    N, K = cost.shape
    return _assigned(min(_choices(cost), key=lambda c: cost[list(c)].sum()), N)


@cheapest_matching.mistake(
    """Right if the cheapest total is below zero: your search starts from a best total of 0, and
    nothing dearer is ever kept. From what should it start?"""
)
def best_starts_at_zero(cost):
    N, K = cost.shape
    found = np_matching.cheapest_matching(cost)
    total = sum(cost[i, k] for i, k in enumerate(found) if k >= 0)
    return found if total < 0 else np.full(N, -1)
