"""The gradients, by hand."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.self_attention.cases import queries_keys_values_mask
from tutorial_lib.from_scratch import attention as np_attention


def weights_and_gradients(rng):
    for shape in [(1, 2), (3,), (2, 3), (3, 1), (2, 3, 4)]:
        yield dict(dP=rng.normal(size=shape), P=np_attention.softmax(rng.normal(size=shape)))
    yield dict(dP=np.ones((2, 3)), P=np_attention.softmax(rng.normal(size=(2, 3))))
    yield dict(dP=rng.normal(size=(1, 3)), P=np.array([[0.0, 1.0, 0.0]]))


softmax_backward = Exercise(
    np_attention.softmax_backward,
    level=3,
    minutes=20,
    cases=weights_and_gradients,
    hints=(
        "Write out dS_j = Σ_i dP_i ∂P_i/∂S_j with the Jacobian of the docstring. Two terms come "
        "out of the bracket.",
        "dS_j = P_j dP_j − P_j Σ_i dP_i P_i. The sum is the same number for a whole row.",
        "That number is `(dP * P).sum(axis=-1, keepdims=True)`; subtract it from dP, then multiply "
        "by P.",
    ),
)


@softmax_backward.mistake(
    """You keep only the diagonal of the Jacobian, P (1 − P), as if each weight depended on its
    own score alone. Raise one score: what happens to the other weights of the row? (Test
    yourself: a dP that is the same everywhere must give dS = 0, since the weights always sum
    to one.)"""
)
def diagonal_only(dP, P):
    return dP * P * (1 - P)


@softmax_backward.mistake(
    """The second term is missing: P·dP is what a plain exponential would give. The weights also
    share one sum, the denominator; what does raising one score do through it?"""
)
def forgets_denominator(dP, P):
    return dP * P


@softmax_backward.mistake(
    """You sum over the whole array. Each row has its own softmax and so its own sum: which axis,
    and which `keepdims`?"""
)
def sums_everything(dP, P):
    return P * (dP - (dP * P).sum())


@softmax_backward.mistake(
    """You take the mean over the row where the chain rule wants the sum: dS_j collects a term from
    every weight of the row. Nothing in the Jacobian divides by M."""
)
def mean_for_sum(dP, P):
    return P * (dP - (dP * P).mean(axis=-1, keepdims=True))


@softmax_backward.mistake(
    """You subtract the plain sum of dP, where the sum weighted by P is due. Look at the
    Jacobian's second term, −P_i P_j: which of the two factors stays inside the sum over i?"""
)
def unweighted_sum(dP, P):
    return P * (dP - dP.sum(axis=-1, keepdims=True))


@softmax_backward.mistake(
    """You sum along the wrong axis: over the queries of a column. A row of weights is one
    softmax."""
)
def sums_columns(dP, P):
    return P * (dP - (dP * P).sum(axis=-2, keepdims=True))


@softmax_backward.mistake(
    """You subtract the row's number after the multiplication by P instead of before: P·dP − Σ.
    Both terms of the Jacobian carry the factor P_j."""
)
def bracket_lost(dP, P):
    return P * dP - (dP * P).sum(axis=-1, keepdims=True)


@softmax_backward.mistake(
    """The bracket dP − Σ is right, and the factor before it is missing: both terms of the Jacobian
    carry the weight of the score that is moved. Can a weight of zero be moved at all?"""
)
def never_times_the_weights(dP, P):
    return dP - (dP * P).sum(axis=-1, keepdims=True)


@softmax_backward.mistake(
    """Right for a single row of weights. `np.diag` and `np.outer` build the Jacobian of one row,
    and here are many: one for each query, in any number of axes. Which form of the product needs no
    M × M matrix at all?"""
)
def jacobian_of_one_row(dP, P):
    return (np.diag(P) - np.outer(P, P)) @ dP


def gradients_queries_keys_values(rng):
    for case in queries_keys_values_mask(rng):
        shape = (*case["Q"].shape[:-1], case["V"].shape[-1])
        yield {"dZ": rng.normal(size=shape), **case}


attention_backward = Exercise(
    np_attention.attention_backward,
    level=4,
    minutes=40,
    cases=gradients_queries_keys_values,
    hints=(
        "Go back through Z = P V, then the softmax, then S = Q Kᵀ / √d. For a product C = A B the "
        "two gradients are dA = dC Bᵀ and dB = Aᵀ dC; check the shapes.",
        "dV = Pᵀ dZ and dP = dZ Vᵀ; then `softmax_backward(dP, P)`; the mask needs nothing, since "
        "where it forbids P is zero.",
        "dQ = dS K / √d and dK = dSᵀ Q / √d: the scale was part of S, so both carry it.",
    ),
)


def _backward_with(dZ, Q, K, V, mask, **wrong):
    """The right gradients but for the entries given as functions of the right ones."""
    right = np_attention.attention_backward(dZ, Q, K, V, mask)
    P = np_attention.attention(Q, K, V, mask)[1]
    return {**right, **{name: make(right, P) for name, make in wrong.items()}}


@attention_backward.mistake(
    """The scale is missing from dQ and dK. S is Q Kᵀ *divided by* √d, so what flows back to Q
    and K is divided by it as well. (dV, dP and dS know nothing of it: they are right.)"""
)
def backward_without_scale(dZ, Q, K, V, mask=None):
    root = Q.shape[-1] ** 0.5
    return _backward_with(
        dZ, Q, K, V, mask, dQ=lambda g, P: g["dQ"] * root, dK=lambda g, P: g["dK"] * root
    )


@attention_backward.mistake(
    """dQ is right, and dK lacks the scale. S is Q Kᵀ *divided by* √d: which of its two factors is
    that not true of?"""
)
def scale_lost_in_dk(dZ, Q, K, V, mask=None):
    return _backward_with(dZ, Q, K, V, mask, dK=lambda g, P: g["dK"] * Q.shape[-1] ** 0.5)


@attention_backward.mistake(
    """dK is right, and dQ lacks the scale. S is Q Kᵀ *divided by* √d: which of its two factors is
    that not true of?"""
)
def scale_lost_in_dq(dZ, Q, K, V, mask=None):
    return _backward_with(dZ, Q, K, V, mask, dQ=lambda g, P: g["dQ"] * Q.shape[-1] ** 0.5)


@attention_backward.mistake(
    """Your dS holds the scale already. It is the gradient of S itself, which softmax was given; the
    division happened on the way to S. Where does the factor 1/√d belong, then?"""
)
def scale_in_ds(dZ, Q, K, V, mask=None):
    return _backward_with(dZ, Q, K, V, mask, dS=lambda g, P: g["dS"] / Q.shape[-1] ** 0.5)


@attention_backward.mistake(
    """dV should be Pᵀ dZ. With P dZ, value j receives what *query j looked at*; but it should
    receive the gradients of all queries that looked at *it*. With as many keys as queries the
    shapes fit by accident, so only a transpose tells."""
)
def dv_without_transpose(dZ, Q, K, V, mask=None):
    return _backward_with(dZ, Q, K, V, mask, dV=lambda g, P: P @ dZ)


@attention_backward.mistake(
    """You pass dP on as dS: the softmax between weights and scores has a backward of its own,
    and you have just written it."""
)
def skips_softmax(dZ, Q, K, V, mask=None):
    root = Q.shape[-1] ** 0.5
    return _backward_with(
        dZ,
        Q,
        K,
        V,
        mask,
        dS=lambda g, P: g["dP"],
        dQ=lambda g, P: g["dP"] @ K / root,
        dK=lambda g, P: g["dP"].mT @ Q / root,
    )


@attention_backward.mistake(
    """dK should be dSᵀ Q / √d. In S = Q Kᵀ a key belongs to a column of S, not to a row: which
    way must dS lie for its columns to meet the queries?"""
)
def dk_without_transpose(dZ, Q, K, V, mask=None):
    root = Q.shape[-1] ** 0.5
    return _backward_with(dZ, Q, K, V, mask, dK=lambda g, P: g["dS"] @ Q / root)


@attention_backward.mistake(
    """dQ and dK are swapped. dQ has the shape of Q, a row per query, and is made from the keys."""
)
def swapped(dZ, Q, K, V, mask=None):
    return _backward_with(dZ, Q, K, V, mask, dQ=lambda g, P: g["dK"], dK=lambda g, P: g["dQ"])


@attention_backward.mistake(
    """You treat each weight as if it depended on its own score alone: dS = dP·P·(1 − P) is the
    Jacobian's diagonal. Use your `softmax_backward`."""
)
def diagonal_softmax(dZ, Q, K, V, mask=None):
    root = Q.shape[-1] ** 0.5
    wrong = np_attention.attention_backward(dZ, Q, K, V, mask)
    P = np_attention.attention(Q, K, V, mask)[1]
    wrong["dS"] = wrong["dP"] * P * (1 - P)
    wrong["dQ"], wrong["dK"] = wrong["dS"] @ K / root, wrong["dS"].mT @ Q / root
    return wrong


@attention_backward.mistake(
    """You do not use the mask: right without one, wrong with one. Which weights P made Z?"""
)
def backward_ignores_mask(dZ, Q, K, V, mask=None):
    return np_attention.attention_backward(dZ, Q, K, V)
