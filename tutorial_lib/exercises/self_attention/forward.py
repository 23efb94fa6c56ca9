"""Attention put together, within one sequence and between two."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.self_attention.cases import queries_keys_values_mask
from tutorial_lib.from_scratch import attention as np_attention

attention = Exercise(
    np_attention.attention,
    level=2,
    minutes=10,
    cases=queries_keys_values_mask,
    hints=(
        "You have every piece: `scores`, `softmax`, `masked_softmax`. What is left is one product.",
        "Each output row is a weighted mean of the rows of V. P has a row per query; which side of "
        "the product does it stand on?",
        "P is `softmax(scores(Q, K))`, or `masked_softmax` of the same scores if there is a mask. "
        "The pair is returned with the output first.",
    ),
)


@attention.mistake(
    """You return the output alone. The task asks for the pair Z, P: the figures below, and the
    backward pass, need the weights too."""
)
def forgets_weights(Q, K, V, mask=None):
    return np_attention.attention(Q, K, V, mask)[0]


@attention.mistake(
    """You normalise over the queries: in each column of P the weights sum to one. Each query
    shares out its own attention over the keys. Along which axis does one query's row of
    scores lie?"""
)
def shares_out_columns(Q, K, V, mask=None):
    S = np_attention.scores(Q, K)
    P = np_attention.softmax((S if mask is None else np.where(mask, S, -1e30)).mT).mT
    return P @ V, P


@attention.mistake(
    """The 1/√d is missing: your scores are √d times too large and the weights too sharp. Did you
    use your `scores`?"""
)
def forgets_scale(Q, K, V, mask=None):
    return np_attention.attention(Q * Q.shape[-1] ** 0.5, K, V, mask)


@attention.mistake(
    """You divide by √d twice: your `scores` has done it already, and now the weights are too
    even."""
)
def scales_twice(Q, K, V, mask=None):
    return np_attention.attention(Q / Q.shape[-1] ** 0.5, K, V, mask)


@attention.mistake(
    """You divide by the root of the width of the *values*. A score is a dot product of a query with
    a key: how many products does it add up?"""
)
def root_of_the_values(Q, K, V, mask=None):
    return np_attention.attention(Q * (Q.shape[-1] / V.shape[-1]) ** 0.5, K, V, mask)


@attention.mistake(
    """V·P, as it is often written, is the order for tokens in columns. Here they are rows: each row
    of P weighs the rows of V. Which shapes must meet, (N, M) and (M, d_v), or (M, d_v) and
    (N, M)?"""
)
def values_first(Q, K, V, mask=None):
    Z, P = np_attention.attention(Q, K, V, mask)
    return V @ P, P


@attention.mistake("""You do not use the mask: right without one, wrong with one.""")
def ignores_mask(Q, K, V, mask=None):
    return np_attention.attention(Q, K, V)


@attention.mistake(
    """Your mask is the wrong way round: each query looks exactly where it may not. What does True
    mean in the docstring?"""
)
def inverts_mask(Q, K, V, mask=None):
    return np_attention.attention(Q, K, V, None if mask is None else ~mask)


@attention.mistake(
    """You multiply the scores by V without a softmax. Then the weights can be negative and of
    any size; what turns a row of scores into shares of one?"""
)
def forgets_softmax(Q, K, V, mask=None):
    S = np_attention.scores(Q, K)
    return S @ V, S


@attention.mistake(
    """You mask the weights after the softmax, so a masked row no longer sums to one. Mask the
    scores, before."""
)
def masks_weights(Q, K, V, mask=None):
    P = np_attention.softmax(np_attention.scores(Q, K))
    P = P if mask is None else P * mask
    return P @ V, P


def _filled_with(Q, K, V, mask, fill):
    """Attention with a finite score in the forbidden places."""
    S = np_attention.scores(Q, K)
    P = np_attention.softmax(S if mask is None else np.where(mask, S, fill))
    return P @ V, P


@attention.mistake(
    """Forbidden scores become a large negative number, which is a score like others. Where all that
    a query may look at scores lower still, it looks where it may not. Which score loses against
    every number?"""
)
def fills_with_a_finite_number(Q, K, V, mask=None):
    return _filled_with(Q, K, V, mask, -1e4)


@attention.mistake(
    """Forbidden scores become zero, which is an ordinary score: exp(0) = 1. Which score gives a
    weight of zero?"""
)
def fills_with_zero(Q, K, V, mask=None):
    return _filled_with(Q, K, V, mask, 0.0)


def sequences_and_projections(rng):
    for batch, n, m, D, d, d_v in [
        ((), 1, 2, 2, 3, 1),
        ((), 2, 2, 2, 2, 2),
        ((), 2, 3, 3, 2, 4),
        ((), 4, 1, 3, 3, 3),
        ((2,), 3, 3, 4, 2, 4),
        ((2, 3), 1, 4, 2, 3, 5),
    ]:
        yield dict(
            X=rng.normal(size=(*batch, n, D)),
            memory=rng.normal(size=(*batch, m, D)),
            W_Q=rng.normal(size=(D, d)),
            W_K=rng.normal(size=(D, d)),
            W_V=rng.normal(size=(D, d_v)),
        )


cross_attention = Exercise(
    np_attention.cross_attention,
    level=2,
    minutes=10,
    cases=sequences_and_projections,
    hints=(
        "Who asks? Who answers? Three of the projections apply to one sequence or the other.",
        "Queries come from X. Keys and values describe the same tokens, so they come from the same "
        "sequence.",
        "Project first, then call `attention` with the three results; it gives a pair, and the "
        "output is its first part.",
    ),
)


@cross_attention.mistake(
    """Your values come from X, the sequence that asks. With N ≠ M the shapes do not even fit;
    with N = M they do, and the output is a mixture of the decoder's own tokens, weighted by
    where some *other* sequence matched. What should a query receive from the token it found?"""
)
def values_from_decoder(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(X @ W_Q, memory @ W_K, X @ W_V)[0]


@cross_attention.mistake(
    """You add X to the output. That residual belongs to the transformer layer, around attention;
    attention itself returns only what was found. (And its width d_v need not be X's.)"""
)
def adds_the_residual(X, memory, W_Q, W_K, W_V):
    return np_attention.cross_attention(X, memory, W_Q, W_K, W_V) + X


@cross_attention.mistake(
    """This is self-attention: X asks and X answers. Where does the memory come in?"""
)
def ignores_memory(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(X @ W_Q, X @ W_K, X @ W_V)[0]


@cross_attention.mistake(
    """X and the memory both answer: you join them, and each query can also find tokens of its own
    sequence. Who may answer here?"""
)
def both_answer(X, memory, W_Q, W_K, W_V):
    both = np.concatenate([X, memory], axis=-2)
    return np_attention.attention(X @ W_Q, both @ W_K, both @ W_V)[0]


@cross_attention.mistake(
    """The memory asks and X answers: one output row for each token of the memory. The output
    should have a row for each token of X."""
)
def the_wrong_one_asks(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(memory @ W_Q, X @ W_K, X @ W_V)[0]


@cross_attention.mistake(
    """W_K and W_V are swapped: you match with what should be said, and say what should be
    matched."""
)
def keys_for_values(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(X @ W_Q, memory @ W_V, memory @ W_K)[0]


@cross_attention.mistake(
    """You leave out the projection of the values: what a token is matched by and what it says
    should be two different views of it, W_K and W_V."""
)
def values_without_projection(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(X @ W_Q, memory @ W_K, memory)[0]


def _scaled_by(factor, X, memory, W_Q, W_K, W_V):
    """Cross-attention whose scores are too large by a factor."""
    return np_attention.attention(factor * X @ W_Q, memory @ W_K, memory @ W_V)[0]


@cross_attention.mistake(
    """The scores are not divided by √d, so the weights are too sharp. Does your product of queries
    and keys go through `attention`?"""
)
def unscaled(X, memory, W_Q, W_K, W_V):
    return _scaled_by(W_Q.shape[-1] ** 0.5, X, memory, W_Q, W_K, W_V)


@cross_attention.mistake(
    """You divide by the root of D, the width of a token. A score is a sum over the features of a
    query: how many are there once W_Q has been applied?"""
)
def root_of_the_tokens_width(X, memory, W_Q, W_K, W_V):
    return _scaled_by((W_Q.shape[-1] / X.shape[-1]) ** 0.5, X, memory, W_Q, W_K, W_V)


@cross_attention.mistake(
    """W_Q and W_K are swapped: X is projected as if it answered and the memory as if it asked.
    Which of the two matrices makes what looks, and which what is found?"""
)
def queries_for_keys(X, memory, W_Q, W_K, W_V):
    return np_attention.attention(X @ W_K, memory @ W_Q, memory @ W_V)[0]
