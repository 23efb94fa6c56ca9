"""Where a query may look."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import attention as np_attention


def scores_and_masks(rng):
    yield dict(S=rng.normal(size=(1, 3)), mask=np.array([[True, False, True]]))
    yield dict(S=rng.normal(size=(2, 2)), mask=np.tril(np.ones((2, 2), dtype=bool)))
    yield dict(S=rng.normal(size=(2, 3)), mask=np.array([[True, True, False], [False] * 3]))
    yield dict(S=rng.normal(size=(3, 3)), mask=np.ones((3, 3), dtype=bool))
    yield dict(S=rng.normal(size=(3, 4)), mask=np.array([[True, True, False, True]]))
    # A forbidden score far above the others, and an allowed one below −10000.
    yield dict(S=np.array([[3.0, 900.0], [-1e5, 5.0]]), mask=np.array([[True, False]]))
    mask = rng.random((2, 3, 4)) < 0.7
    mask[:, 1] = False
    yield dict(S=rng.normal(size=(2, 3, 4)), mask=mask)
    yield dict(S=rng.normal(size=(3, 2, 1, 4)), mask=np.array([True, True, False, True]))


masked_softmax = Exercise(
    np_attention.masked_softmax,
    level=2,
    minutes=10,
    cases=scores_and_masks,
    hints=(
        "Which score makes exp(score) exactly zero?",
        "Put −∞ where the mask is False (`np.where`), then do what softmax does.",
        "A row with nothing to look at has maximum −∞ and sum 0, and −∞ − (−∞) is NaN: replace "
        "that maximum by 0 before subtracting and that sum by 1 before dividing.",
    ),
)


@masked_softmax.mistake(
    """You mask after the softmax: the forbidden weights are gone, but what is left of the row no
    longer sums to one. The forbidden scores took their share of the sum before you removed
    them. When must they go?"""
)
def masks_after(S, mask):
    return np_attention.softmax(S) * mask


@masked_softmax.mistake(
    """Your mask is the wrong way round: you look exactly where you may not. Here True means that
    a query may look. (PyTorch's `F.scaled_dot_product_attention` agrees; the two masks of
    `nn.MultiheadAttention` are the other way round.)"""
)
def inverted(S, mask):
    return np_attention.masked_softmax(S, ~mask)


@masked_softmax.mistake(
    """You set forbidden scores to zero. But a score of zero is an ordinary score: exp(0) = 1.
    Which score gives a weight of zero?"""
)
def zero_scores(S, mask):
    return np_attention.softmax(S * mask)


@masked_softmax.mistake(
    """Right as long as each query may look somewhere; a row that may look nowhere becomes NaN,
    and one NaN spoils every gradient behind it. What are that row's maximum and sum?"""
)
def nan_for_empty_rows(S, mask):
    with np.errstate(all="ignore"):
        return np_attention.softmax(np.where(mask, S, -np.inf))


@masked_softmax.mistake(
    """You take each row's maximum before the forbidden scores are gone. If a forbidden score is
    far above the others (look at the row with a 900), all that is left underflows to zero. Among
    which scores is the maximum to be sought?"""
)
def maximum_before_masking(S, mask):
    e = np.exp(S - S.max(axis=-1, keepdims=True)) * mask
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@masked_softmax.mistake(
    """You use a large negative number instead of −∞. A row with nothing to look at then holds
    equal numbers, and its weights come out uniform over exactly the places it may not see.
    What should they be?"""
)
def large_negative_number(S, mask):
    return np_attention.softmax(np.where(mask, S, -1e9))


@masked_softmax.mistake(
    """You use a finite number instead of −∞. A row with nothing to look at comes out uniform over
    the places it may not see; and where all that is allowed scores lower still (look at −100000),
    the forbidden wins. Which score loses against every number?"""
)
def not_negative_enough(S, mask):
    return np_attention.softmax(np.where(mask, S, -1e4))


@masked_softmax.mistake(
    """Rows with nothing to look at are right. But you mark forbidden scores by a finite number, and
    where all that is allowed scores lower still (look at −100000), all the weight goes to what you
    then strike out. Which score loses against every number?"""
)
def not_negative_enough_and_struck_out(S, mask):
    return np_attention.softmax(np.where(mask, S, -1e4)) * mask


@masked_softmax.mistake(
    """Rows with nothing to look at are right. But you mark forbidden scores by a finite number, and
    where all that is allowed scores lower still (look at −100000), the forbidden gets the weight.
    Which score loses against every number?"""
)
def not_negative_enough_in_other_rows(S, mask):
    return np_attention.softmax(np.where(mask, S, -1e4)) * mask.any(axis=-1, keepdims=True)


@masked_softmax.mistake(
    """You subtract too little: a forbidden score lowered by 10 can still win against the others
    (look at the row with a score of 900). No finite number is safe for all scores."""
)
def lowered_by_ten(S, mask):
    return np_attention.softmax(S - 10 * ~mask)


causal_mask = Exercise(
    np_attention.causal_mask,
    level=1,
    minutes=5,
    cases=lambda rng: (dict(n=n) for n in (3, 1, 2, 5)),
    hints=(
        "Write the 3 × 3 mask on paper: row i is the query, column j the key.",
        "True on the diagonal and below it. NumPy has `np.tril`.",
        "`np.tril` keeps the lower triangle of an array. Of which array of bools do you want it?",
    ),
)


@causal_mask.mistake(
    """The diagonal is missing: a token may not look at itself, and the first token at nothing at
    all. Does a token's own content belong to the future?"""
)
def without_diagonal(n):
    return np.tril(np.ones((n, n), dtype=bool), -1)


@causal_mask.mistake(
    """Each token looks at itself and at the *later* ones. Row i belongs to query i: which
    columns are its past?"""
)
def looks_ahead(n):
    return np.triu(np.ones((n, n), dtype=bool))


@causal_mask.mistake(
    """This mask marks the places that are *forbidden*. Here True means that a query may look."""
)
def marks_the_forbidden(n):
    return np.triu(np.ones((n, n), dtype=bool), 1)


@causal_mask.mistake(
    """The right places, but as numbers. A mask of 0.0 and 1.0 passes for True and False in `if`
    and in `np.where`, until somebody writes `~mask`. Ask for `dtype=bool`."""
)
def of_floats(n):
    return np.tril(np.ones((n, n)))


@causal_mask.mistake(
    """Off by one: each token sees one token of the future. In training the loss then falls close
    to zero, since the answer is in sight, and generation fails."""
)
def one_too_many(n):
    return np.tril(np.ones((n, n), dtype=bool), 1)


@masked_softmax.mistake(
    """You add a large negative number to forbidden scores instead of putting −∞ there. A row with
    nothing to look at is then lowered as a whole, which changes nothing: its weights come out as if
    there were no mask. What should they be?"""
)
def adds_a_large_negative_number(S, mask):
    return np_attention.softmax(S + ~mask * -1e9)


@causal_mask.mistake(
    """This is the mask that is *added* to scores: 0 where a query may look, −∞ where not. Here a
    mask is a table of answers to a question. To which, and what type has an answer?"""
)
def to_be_added(n):
    return np.triu(np.full((n, n), -np.inf), 1)
