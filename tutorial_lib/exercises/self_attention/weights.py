"""From queries and keys to weights: scores and softmax."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.self_attention.cases import queries_keys
from tutorial_lib.from_scratch import attention as np_attention

scores = Exercise(
    np_attention.scores,
    level=1,
    minutes=5,
    cases=queries_keys,
    hints=(
        "Score (i, j) is the dot product of query i with key j. One matrix product makes them all.",
        "`K.mT` swaps the last two axes, for one matrix and for a batch alike.",
        "The product is (..., N, M); divide it by the square root of the last axis's length of Q.",
    ),
)


@scores.mistake(
    """Every score is too large: the division is missing. The variance of a dot product grows
    with d; what should it be divided by to stay near one?"""
)
def not_scaled(Q, K):
    return Q @ K.mT


@scores.mistake(
    """You divide by d where the paper divides by its square root. With d = 64 your scores are
    eight times too small, and the softmax of them is nearly uniform. Is it the variance of
    q·k that grows like d, or its standard deviation?"""
)
def divided_by_d(Q, K):
    return Q @ K.mT / Q.shape[-1]


@scores.mistake(
    """You multiply by √d instead of dividing. Should longer vectors give larger scores?"""
)
def multiplied_by_root(Q, K):
    return Q @ K.mT * Q.shape[-1] ** 0.5


@scores.mistake(
    """You divide by the root of the number of keys. The scale is there because each score is a
    sum of d products: which axis holds d?"""
)
def root_of_keys(Q, K):
    return Q @ K.mT / K.shape[-2] ** 0.5


@scores.mistake(
    """You divide by the root of `Q.shape[1]`. For one matrix that is d; for a batch (B, N, d) it
    is the number of queries. Counted from which end does d have the same place in both?"""
)
def axis_one_for_d(Q, K):
    return Q @ K.mT / Q.shape[1] ** 0.5


@scores.mistake(
    """Your rows belong to the keys and your columns to the queries. Row i of S should hold what
    query i thinks of every key: which of the two goes left of the product?"""
)
def keys_ask(Q, K):
    return K @ Q.mT / Q.shape[-1] ** 0.5


@scores.mistake(
    """Right for one matrix, wrong for a batch: `.T` reverses all axes. Which two should be
    swapped?"""
)
def reverses_all_axes(Q, K):
    return Q @ K.T / Q.shape[-1] ** 0.5


@scores.mistake(
    """Right for one matrix, wrong for a batch: `np.dot` multiplies every sequence's queries with
    every sequence's keys. Which product keeps to the last two axes and pairs the others?"""
)
def dot_of_all_sequences(Q, K):
    return np.dot(Q, K.mT) / Q.shape[-1] ** 0.5


def rows_of_scores(rng):
    for shape in [(3,), (2, 2), (2, 3), (1, 4), (3, 1), (2, 3, 4)]:
        yield dict(S=rng.normal(size=shape))
    yield dict(S=np.array([[1000.0, 999.0], [-1000.0, -1001.0]]))
    yield dict(S=np.array([[500.0, 500.0], [-500.0, -499.0]]))
    yield dict(S=rng.normal(size=(2, 3)).astype(np.float32))
    # A maximum far above the row's smallest number, then above its mean and its first as well.
    yield dict(S=np.array([[900.0, 0.0], [-900.0, 0.0]]))
    yield dict(S=np.array([[2000.0, 0.0, 0.0], [0.0, 0.0, 2000.0]]))
    yield dict(S=np.array([[-1000.0, -1001.0]]))  # one row, whose maximum is far below zero


softmax = Exercise(
    np_attention.softmax,
    level=1,
    minutes=10,
    cases=rows_of_scores,
    hints=(
        "Adding the same number to a whole row of scores changes nothing. Which number would keep "
        "`np.exp` from overflowing?",
        "Subtract each row's maximum first. `keepdims=True` keeps the axis that `max` and `sum` "
        "would drop, so that the row's number lines up with its row.",
        "`e = np.exp(S - S.max(axis=-1, keepdims=True))`, then divide e by its sum along the same "
        "axis.",
    ),
)


@softmax.mistake(
    """Each column of yours sums to one, not each row. A row holds one query's scores: along
    which axis should its weights sum to one?"""
)
def wrong_axis(S):
    e = np.exp(S - S.max(axis=-2, keepdims=True))
    return e / e.sum(axis=-2, keepdims=True)


@softmax.mistake(
    """You add up along axis 0. For one row of scores that is the row, for a matrix it is a column,
    for a batch it leads through the sequences. Counted from which end is the axis of the scores
    that share one unit of weight always the same?"""
)
def axis_zero(S):
    e = np.exp(S - S.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


@softmax.mistake(
    """Right for one matrix of scores. `axis=1` does not exist in a single row, and in a batch
    (B, N, M) it runs over the queries. Counted from which end is a row's axis always the same?"""
)
def axis_one(S):
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@softmax.mistake(
    """Right for one matrix, which you lay on its side so that each row's highest score meets its
    row. `.T` reverses *all* axes, and in a batch they no longer meet. What lines a row's number up
    with its row without turning anything round?"""
)
def laid_on_its_side(S):
    e = np.exp(S.T - S.max(axis=-1))
    return (e / e.sum(axis=0)).T


@softmax.mistake(
    """All your weights together sum to one: the sum runs over the whole array. How many queries
    share it?"""
)
def whole_array(S):
    e = np.exp(S - S.max())
    return e / e.sum()


@softmax.mistake(
    """Right for small scores, NaN for large ones: exp(1000) is infinite, and infinity divided by
    infinity is not a number. What may you add to a whole row without changing its softmax?"""
)
def overflows(S):
    with np.errstate(all="ignore"):
        e = np.exp(S)
        return e / e.sum(axis=-1, keepdims=True)


@softmax.mistake(
    """You subtract the largest score of the whole array. A row far below it underflows: all its
    exponentials are zero, and zero divided by zero is NaN. Whose maximum should it be?"""
)
def highest_of_all(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - S.max())
        return e / e.sum(axis=-1, keepdims=True)


@softmax.mistake(
    """You subtract the row's largest *size*, |S|. In a row of large negative scores that pushes all
    of them further down, until every exponential is zero. What should the highest score become?"""
)
def largest_size(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - np.abs(S).max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@softmax.mistake(
    """You subtract each row's mean. The softmax is the same, but a score far above the mean still
    overflows. Below which number of the row do you have to bring all others, so that no exponential
    can be infinite?"""
)
def subtracts_the_mean(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - S.mean(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@softmax.mistake(
    """You subtract each row's smallest number, so all exponents are positive and the largest score
    of a row overflows. Which end of the row is dangerous to `exp`?"""
)
def subtracts_the_smallest(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - S.min(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@softmax.mistake(
    """The sum of each row has lost its axis: shape (N,) where (N, 1) should divide (N, M). For most
    shapes NumPy refuses; for a square S it divides column j by the sum of row j, which is worse.
    `keepdims=True` keeps the axis."""
)
def without_keepdims(S):
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1)


@softmax.mistake(
    """`max` and `sum` have dropped the axis they run along: shape (N,) where (N, 1) should meet
    (N, M). For most shapes NumPy refuses; for a square S it takes column j together with row j. How
    do you keep the axis?"""
)
def without_keepdims_anywhere(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - S.max(axis=-1))
        return e / e.sum(axis=-1)


@softmax.mistake(
    """The smallest score gets the largest weight: a sign in the exponent is turned round (softmin).
    Should a better match count more or less?"""
)
def softmin(S):
    return np_attention.softmax(-S)


@softmax.mistake(
    """You give the logarithm of the weights (log-softmax). Weights are positive and sum to one;
    are yours?"""
)
def log_softmax(S):
    shifted = S - S.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@softmax.mistake(
    """You divide the scores themselves by their sum, without the exponential. A negative score
    gives a negative weight: what makes every weight positive?"""
)
def no_exponential(S):
    with np.errstate(all="ignore"):
        return S / S.sum(axis=-1, keepdims=True)
