"""Attention in linear time: the order of the brackets, in NumPy."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import linear_attention as np_linear


def features_and_values(rng):
    for batch, n, M, r, m in [
        ((), 1, 2, 1, 1),
        ((), 2, 3, 2, 1),
        ((), 3, 2, 4, 2),
        ((), 3, 3, 3, 3),
        ((), 2, 1, 3, 2),
        ((2,), 2, 4, 3, 5),
        ((2, 3), 3, 4, 2, 3),
    ]:
        yield _case(rng, batch, n, M, r, m)


def _case(rng, batch, n, M, r, m):
    phi_Q, phi_K = (rng.random(size=(*batch, length, r)) + 0.1 for length in (n, M))
    return dict(phi_Q=phi_Q, phi_K=phi_K, V=rng.normal(size=(*batch, M, m)))


linear_attention = Exercise(
    np_linear.linear_attention,
    level=2,
    minutes=10,
    cases=features_and_values,
    memory=(
        _case(np.random.default_rng(0), (), 400, 400, 4, 4),
        "Is there an array with N × M numbers? Which product could come first?",
    ),
    hints=(
        "Write the numerator as a sum over j and pull φ(Q_i) out of it: what is left does not "
        "depend on i.",
        "What is left is Σ_j φ(K_j) V_jᵀ, one matrix (r, m) for all queries; in the denominator "
        "Σ_j φ(K_j), one vector (r,).",
        "`phi_K.mT @ V` is that matrix and `phi_K.sum(axis=-2)` that vector. phi_Q multiplies "
        "both; give the vector a last axis of size 1, so that the division is one for each "
        "query.",
    ),
)


@linear_attention.mistake(
    """The division is missing: the weights of a query do not sum to one, and the output grows
    with the number of keys. By what does equation 4 divide?"""
)
def never_divides(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V)


@linear_attention.mistake(
    """You divide by the sum over the queries: each key then hands out one unit of itself. It is
    the weights of a query that sum to one. Which of the two is summed, and along which axis?"""
)
def normalises_over_queries(phi_Q, phi_K, V):
    A = phi_Q @ phi_K.mT
    return A / A.sum(axis=-2, keepdims=True) @ V


@linear_attention.mistake(
    """You divide by the number of keys: a mean instead of a weighted mean. What do the weights of
    a query sum to?"""
)
def divides_by_the_count(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V) / V.shape[-2]


@linear_attention.mistake(
    """The denominator is the same for every query: the sum over the keys is there, but no φ(Q_i).
    Which of the three letters of the denominator belong to i?"""
)
def denominator_without_the_query(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V) / phi_K.sum(axis=(-2, -1))[..., None, None]


@linear_attention.mistake(
    """You take a softmax of φ(Q_i)·φ(K_j). The features are positive so that no exponential is
    needed: what are the weights themselves?"""
)
def softmax_of_the_features(phi_Q, phi_K, V):
    A = np.exp(phi_Q @ phi_K.mT)
    return A / A.sum(axis=-1, keepdims=True) @ V


@linear_attention.mistake(
    """You apply a feature map to what is features already. The arguments are φ(Q) and φ(K), not Q
    and K."""
)
def features_of_features(phi_Q, phi_K, V):
    phi = np_linear.elu_plus_one
    return np_linear.linear_attention(phi(phi_Q), phi(phi_K), V)


@linear_attention.mistake(
    """The queries hear keys up to their own place only. That is the causal form, which comes
    next: which keys does the sum here run over?"""
)
def causal_already(phi_Q, phi_K, V):
    return np_linear.quadratic_attention(phi_Q, phi_K, V, causal=True)


@linear_attention.mistake(
    """You divide S by Z before any query is there: each feature then hands out a mean of its own,
    and Σ_j φ(Q_i)·φ(K_j) is no sum of such means. When does the division come?"""
)
def divides_before_the_query(phi_Q, phi_K, V):
    means = phi_K.mT @ V / phi_K.sum(axis=-2)[..., None]
    return phi_Q @ means / phi_Q.sum(axis=-1, keepdims=True)


@linear_attention.mistake(
    """You divide by the sum of φ(Q_i) times the sum of all φ(K_j), features added up in both: that
    pairs every feature with every other. Which features meet in φ(Q_i)·φ(K_j)?"""
)
def pairs_all_features(phi_Q, phi_K, V):
    total = phi_Q.sum(axis=-1, keepdims=True) * phi_K.sum(axis=(-2, -1))[..., None, None]
    return phi_Q @ (phi_K.mT @ V) / total
