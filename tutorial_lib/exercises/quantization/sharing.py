"""transformers.zip: few values, shared by many weights."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import kmeans as np_kmeans


def numbers_to_group(rng):
    yield dict(values=np.array([0.0, 0.1, 0.9, 1.0, 1.1]), k=2)
    yield dict(values=rng.normal(size=7), k=1)
    for n, k in [(12, 3), (40, 4), (200, 7)]:
        yield dict(values=rng.normal(size=n), k=k)
    yield dict(values=np.array([0.0, 0.1, 9.9, 10.0]), k=3)  # nobody is near the middle
    yield dict(values=np.array([0.0, 1.0, 2.0, 7.0]), k=3)
    yield dict(values=np.array([-4.0, 0.0, 4.0]), k=2)  # halfway
    yield dict(values=np.concatenate([rng.normal(size=300) * 0.1, [5.0, -3.0]]), k=16)


kmeans = Exercise(
    np_kmeans.kmeans,
    level=2,
    minutes=15,
    cases=numbers_to_group,
    hints=(
        "Two steps in turns: groups from centres, centres from groups. When is there nothing left "
        "to do?",
        "Nearest: `abs(values[:, None] - centres).argmin(axis=1)` takes the lower one of two that "
        "are as near. The mean of no numbers is NaN: which centres have none?",
        "`centres = np.linspace(values.min(), values.max(), k)`; then `while True`: groups; stop "
        "if they are those of the round before, else for each group that has numbers its mean.",
    ),
)


def _nearest(values, centres, upper=False):
    """The nearest centre of each number; halfway, the lower one or the upper one."""
    far = abs(values[:, None] - centres)
    return len(centres) - 1 - far[:, ::-1].argmin(axis=1) if upper else far.argmin(axis=1)


def _lloyd(values, k, *, start=None, rounds=10_000, upper=False, empty=None, move=np.mean):
    centres = np.linspace(values.min(), values.max(), k) if start is None else start(values, k)
    groups = None
    for _ in range(rounds):
        nearest = _nearest(values, centres, upper)
        if groups is not None and (nearest == groups).all():
            break
        groups, centres = nearest, centres.copy()
        for g in range(k):
            if (groups == g).any():
                centres[g] = move(values[groups == g])
            elif empty is not None:
                centres[g] = empty
    return centres, groups


@kmeans.mistake(
    """The centres stay at equal distances: that is rounding to a grid. What moves a centre to where
    its numbers are?"""
)
def a_grid(values, k):
    return np.linspace(values.min(), values.max(), k), _lloyd(values, k, rounds=1)[1]


@kmeans.mistake(
    """One round, groups and then means. After the centres have moved, some numbers are nearer to
    another one."""
)
def one_round(values, k):
    return _lloyd(values, k, rounds=1)


def _rounds(n):
    def rounds(values, k):
        return _lloyd(values, k, rounds=n)

    rounds.__name__ = f"{n}_rounds"
    return rounds


for _n in (2, 3, 4, 5, 10):
    kmeans.mistake(
        f"""Right where {_n} rounds are enough; elsewhere you stop too early. How do you know that
        nothing changes any more?"""
    )(_rounds(_n))


@kmeans.mistake(
    """A centre without numbers jumps to 0, as a sum of nothing divided by something. What does the
    task say where it should be?"""
)
def empty_goes_to_zero(values, k):
    return _lloyd(values, k, empty=0.0)


@kmeans.mistake(
    """Your start is at quantiles, with as many numbers around each centre. Large weights are rare
    and then share a value with small ones. Where does the task put the first centres?"""
)
def quantile_start(values, k):
    return _lloyd(values, k, start=lambda values, k: np.quantile(values, np.linspace(0, 1, k)))


@kmeans.mistake(
    """Your first centres are the middles of k equal bins. The first one should be the least value
    itself, and the last the largest."""
)
def bin_middles(values, k):
    def middles(values, k):
        edges = np.linspace(values.min(), values.max(), k + 1)
        return (edges[1:] + edges[:-1]) / 2

    return _lloyd(values, k, start=middles)


@kmeans.mistake("""A number halfway between two centres goes to the upper one.""")
def halfway_up(values, k):
    return _lloyd(values, k, upper=True)


@kmeans.mistake(
    """Your centres are medians. k-means minimises squares, and what minimises these is a mean."""
)
def medians(values, k):
    return _lloyd(values, k, move=np.median)


@kmeans.mistake("""You give the rounded numbers, n of them, where the k centres are asked for.""")
def rounded_numbers(values, k):
    centres, groups = _lloyd(values, k)
    return centres[groups], groups


@kmeans.mistake("""Groups first and centres second: the task has them the other way round.""")
def results_exchanged(values, k):
    return _lloyd(values, k)[::-1]


@kmeans.mistake(
    """The last of your first centres is not at the largest value, so the steps between them are a
    little too short. How many steps are there between k centres?"""
)
def last_left_out(values, k):
    def starts(values, k):
        return np.linspace(values.min(), values.max(), k, endpoint=False)

    return _lloyd(values, k, start=starts)


@kmeans.mistake(
    """A centre goes to the middle between the least and the largest of its numbers. The task wants
    their mean."""
)
def middle_of_the_group(values, k):
    return _lloyd(values, k, move=lambda group: (group.min() + group.max()) / 2)


@kmeans.mistake("""Your groups are numbered from 1. From which number are they in the task?""")
def counted_from_one(values, k):
    centres, groups = _lloyd(values, k)
    return centres, groups + 1


@kmeans.mistake(
    """A centre without numbers has gone, so fewer than k come back. What does the task say of
    it?"""
)
def empty_dropped(values, k):
    centres, groups = np.linspace(values.min(), values.max(), k), None
    while True:
        taken, nearest = np.unique(_nearest(values, centres), return_inverse=True)
        centres = np.array([values[nearest == g].mean() for g in range(len(taken))])
        if groups is not None and np.array_equal(nearest, groups):
            return centres, groups
        groups = nearest


@kmeans.mistake(
    """Your groups are those of the first centres. The centres have moved since, and numbers with
    them."""
)
def groups_of_the_start(values, k):
    return _lloyd(values, k)[0], _lloyd(values, k, rounds=1)[1]
