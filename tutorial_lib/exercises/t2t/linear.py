"""Attention in linear time: the order of the brackets."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal
from tutorial_lib.layers import performer


def features_and_values(rng):
    for batch, n, M, m, d in [
        ((), 1, 2, 1, 1),
        ((), 2, 3, 2, 1),
        ((), 3, 2, 4, 2),
        ((), 3, 3, 3, 3),
        ((), 2, 1, 3, 2),
        ((2,), 2, 4, 3, 5),
        ((2, 2), 3, 4, 2, 3),
    ]:
        phi_q, phi_k = (
            torch.from_numpy(rng.random(size=(*batch, length, m)) + 0.5) for length in (n, M)
        )
        case = dict(phi_q=phi_q, phi_k=phi_k, v=normal(rng, *batch, M, d, wanted=False))
        # Gradients of sums that cancel: what is right to float32's digits is right.
        yield {name: x.float().requires_grad_() for name, x in case.items()} if batch else case


linear_attention = Exercise(
    performer.linear_attention,
    level=2,
    minutes=10,
    cases=features_and_values,
    hints=(
        "The weight of key j for query i is φ(q_i)·φ(k_j), divided by the sum of these over j. "
        "Pull φ(q_i) out of both sums: what is left does not depend on i.",
        "Numerator: φ(q_i) times Σ_j φ(k_j) v_jᵀ, a matrix (m, d_v) for all queries. Denominator: "
        "φ(q_i) times Σ_j φ(k_j), a vector of m numbers.",
        "`phi_k.mT @ v` is that matrix and `phi_k.sum(dim=-2)` that vector. φ(q) multiplies both; "
        "give the vector a last axis of size 1, so that the division is one for each query.",
    ),
)


@linear_attention.mistake(
    """The division is missing: the weights of a query do not sum to one, and the output grows with
    the number of keys. By what does the softmax divide?"""
)
def never_divides(phi_q, phi_k, v):
    return phi_q @ (phi_k.mT @ v)


@linear_attention.mistake(
    """You divide by the sum over the queries: each key then hands out one unit of itself. It is the
    weights of a *query* that sum to one. Which of the two feature tensors is summed, and along
    which axis?"""
)
def normalises_over_queries(phi_q, phi_k, v):
    weights = phi_q @ phi_k.mT
    return weights / weights.sum(dim=-2, keepdim=True) @ v


@linear_attention.mistake(
    """You take a softmax of the features' products. They are estimates of the exponentials already;
    taking the exponential once more makes another attention, and needs the N × M matrix."""
)
def softmax_on_top(phi_q, phi_k, v):
    return (phi_q @ phi_k.mT).softmax(dim=-1) @ v


@linear_attention.mistake(
    """You divide by the number of keys. That is their mean when all weights are equal; what is the
    sum of this query's weights?"""
)
def divides_by_the_keys(phi_q, phi_k, v):
    return phi_q @ (phi_k.mT @ v) / phi_k.shape[-2]


@linear_attention.mistake(
    """You normalise query features and key features each for themselves, so that each sums to one
    over the m features. The sum of a query's weights over the keys is then still not one. Which
    sum should it be?"""
)
def normalises_features(phi_q, phi_k, v):
    phi_q, phi_k = (phi / phi.sum(dim=-1, keepdim=True) for phi in (phi_q, phi_k))
    return phi_q @ (phi_k.mT @ v)


@linear_attention.mistake(
    """One denominator for all queries: you sum over everything. Each query has weights of its own,
    and they are to sum to one for each of them."""
)
def one_sum_for_all(phi_q, phi_k, v):
    total = (phi_q @ phi_k.mT).sum(dim=(-2, -1), keepdim=True)
    return phi_q @ (phi_k.mT @ v) / total


@linear_attention.mistake(
    """You normalise each key's features first. Then a key that should weigh twice as much as
    another weighs the same: its length is gone before the query sees it. What sums to one?"""
)
def normalises_each_key(phi_q, phi_k, v):
    return linear_attention.reference(phi_q, phi_k / phi_k.sum(dim=-1, keepdim=True), v)


@linear_attention.mistake(
    """Each *feature* of yours sums to one over the keys. The query's weights then sum to the sum of
    its own features, which is one only by chance. Where does the query enter the denominator?"""
)
def normalises_each_feature(phi_q, phi_k, v):
    return phi_q @ ((phi_k / phi_k.sum(dim=-2, keepdim=True)).mT @ v)


@linear_attention.mistake(
    """Almost: you add a small number to the denominator, against a division by zero, and it can be
    seen in the result. All features are positive. Can their products sum to zero?"""
)
def adds_a_millionth(phi_q, phi_k, v):
    return phi_q @ (phi_k.mT @ v) / ((phi_q @ phi_k.mT).sum(dim=-1, keepdim=True) + 1e-6)


@linear_attention.mistake(
    """You take softmaxes: of a query's features over all m, of a key's over the keys. Others do so
    and call it efficient attention; here the features estimate exponentials already, and their
    products are what is to be divided by their sum."""
)
def softmax_of_the_features(phi_q, phi_k, v):
    return phi_q.softmax(dim=-1) @ (phi_k.softmax(dim=-2).mT @ v)
