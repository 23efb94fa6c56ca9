"""The gradients of causal linear attention, in memory linear in N."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.linear_attention.running_sums import _case, sequences
from tutorial_lib.from_scratch import linear_attention as np_linear


def gradients_and_sequences(rng):
    for case in sequences(rng):
        yield dict(dY=rng.normal(size=case["V"].shape)) | case


causal_linear_attention_backward = Exercise(
    np_linear.causal_linear_attention_backward,
    level=4,
    minutes=40,
    cases=gradients_and_sequences,
    memory=(
        dict(dY=np.ones((300, 8))) | _case(np.random.default_rng(0), (), 300, 8, 8),
        "Do you keep a matrix for every token? The second loop can run from the end.",
    ),
    hints=(
        "Y_i = n_i / d_i with n_i = S_iᵀ φ(Q_i) and d_i = Z_i·φ(Q_i). What are the gradients of "
        "n_i and of d_i? Call them g_i (m numbers) and h_i (one).",
        "φ(Q_i) meets S_i and Z_i: a loop forwards, which makes them once more. φ(K_j) and V_j "
        "went into S_i and Z_i for every i ≥ j: a sum over the future, so a loop from the end.",
        "g_i = dY_i / d_i, h_i = −dY_i·n_i / d_i²; dφ(Q_i) = S_i g_i + h_i Z_i. From the end, R "
        "= Σ φ(Q_i) g_iᵀ and r = Σ h_i φ(Q_i) over i ≥ j: dφ(K_j) = R V_j + r and dV_j = Rᵀ "
        "φ(K_j).",
    ),
)


def _all(dY, phi_Q, phi_K, V, h_factor=1.0, dividing=True, mask=np.tril, strict=None):
    """Gradients from N × N weights: short, for mistakes that change one thing."""
    A = np.tril(phi_Q @ phi_K.mT)
    n, d = A @ V, A.sum(axis=-1, keepdims=True)
    g = dY / d if dividing else dY
    h = -h_factor * (dY * n).sum(axis=-1, keepdims=True) / d**2
    dA = mask(g @ V.mT + h)  # (..., N, N)
    return {
        "dphi_Q": dA @ phi_K,
        "dphi_K": dA.mT @ phi_Q,
        "dV": (A if strict is None else strict(A)).mT @ g,
    }


@causal_linear_attention_backward.mistake(
    """The denominators are taken for constants: nothing comes back through d_i. They hold queries
    and keys. What is the derivative of n / d with respect to d?"""
)
def denominators_as_constants(dY, phi_Q, phi_K, V):
    return _all(dY, phi_Q, phi_K, V, h_factor=0.0)


@causal_linear_attention_backward.mistake(
    """The sign of what comes through the denominator is wrong: a larger d makes Y smaller."""
)
def sign_of_the_denominator(dY, phi_Q, phi_K, V):
    return _all(dY, phi_Q, phi_K, V, h_factor=-1.0)


@causal_linear_attention_backward.mistake(
    """The numerators' gradient is dY itself: the division by d_i is forgotten on the way back.
    What is the derivative of n / d with respect to n?"""
)
def forgets_to_divide(dY, phi_Q, phi_K, V):
    return _all(dY, phi_Q, phi_K, V, dividing=False)


@causal_linear_attention_backward.mistake(
    """No order of time in the way back: every token gets gradient from all, earlier ones too.
    Which queries heard of token j?"""
)
def no_order_of_time(dY, phi_Q, phi_K, V):
    A = np.tril(phi_Q @ phi_K.mT)
    found = _all(dY, phi_Q, phi_K, V, mask=lambda A: A)
    return found | {"dV": (phi_Q @ phi_K.mT).mT @ (dY / A.sum(axis=-1, keepdims=True))}


@causal_linear_attention_backward.mistake(
    """dphi_K and dV are sums over the past. Whom has token j told something: those before it or
    those after it? The second loop runs the other way."""
)
def sums_over_the_past(dY, phi_Q, phi_K, V):
    found = _all(dY, phi_Q, phi_K, V)
    A = phi_Q @ phi_K.mT
    n, d = np.tril(A) @ V, np.tril(A).sum(axis=-1, keepdims=True)
    g, h = dY / d, -(dY * n).sum(axis=-1, keepdims=True) / d**2
    dA = np.triu(g @ V.mT + h)
    return found | {"dphi_K": dA.mT @ phi_Q, "dV": np.triu(A).mT @ g}


@causal_linear_attention_backward.mistake(
    """The token's own share is missing: each sum is read before token i has gone into it. In the
    forward, did a token hear itself?"""
)
def own_share_missing(dY, phi_Q, phi_K, V):
    without = dict(mask=lambda A: np.tril(A, -1), strict=lambda A: np.tril(A, -1))
    return _all(dY, phi_Q, phi_K, V, **without)


@causal_linear_attention_backward.mistake(
    """dV is divided once too often: g_i has the division by d_i already. Which weight does V_j
    have in the numerator of token i?"""
)
def divides_twice(dY, phi_Q, phi_K, V):
    A = np.tril(phi_Q @ phi_K.mT)
    d = A.sum(axis=-1, keepdims=True)
    return _all(dY, phi_Q, phi_K, V) | {"dV": A.mT @ (dY / d**2)}


@causal_linear_attention_backward.mistake(
    """dphi_Q and dphi_K are exchanged. Rows of the weights are queries: which of the two gets the
    sum over the rows?"""
)
def queries_and_keys_exchanged(dY, phi_Q, phi_K, V):
    found = _all(dY, phi_Q, phi_K, V)
    return found | {"dphi_Q": found["dphi_K"], "dphi_K": found["dphi_Q"]}


@causal_linear_attention_backward.mistake(
    """dphi_K lacks what comes through the denominator. Z_i holds φ(K_j) for every i ≥ j: what do
    these add?"""
)
def keys_without_the_denominator(dY, phi_Q, phi_K, V):
    without = _all(dY, phi_Q, phi_K, V, h_factor=0.0)
    return _all(dY, phi_Q, phi_K, V) | {"dphi_K": without["dphi_K"]}


@causal_linear_attention_backward.mistake(
    """dphi_Q lacks what comes through the denominator. In d_i = Z_i·φ(Q_i), what is the derivative
    with respect to φ(Q_i)?"""
)
def queries_without_the_denominator(dY, phi_Q, phi_K, V):
    without = _all(dY, phi_Q, phi_K, V, h_factor=0.0)
    return _all(dY, phi_Q, phi_K, V) | {"dphi_Q": without["dphi_Q"]}


@causal_linear_attention_backward.mistake(
    """What comes through the denominator is divided by d_i once. The derivative of 1 / d has which
    power of d below?"""
)
def denominator_not_squared(dY, phi_Q, phi_K, V):
    d = np.tril(phi_Q @ phi_K.mT).sum(axis=-1, keepdims=True)
    return _all(dY, phi_Q, phi_K, V, h_factor=d)


@causal_linear_attention_backward.mistake(
    """dphi_Q is right; in dphi_K and dV the token's own share is missing. In the loop from the end,
    which comes first: adding token j to R and r, or reading them?"""
)
def own_share_missing_on_the_way_back(dY, phi_Q, phi_K, V):
    return own_share_missing(dY, phi_Q, phi_K, V) | {"dphi_Q": _all(dY, phi_Q, phi_K, V)["dphi_Q"]}


@causal_linear_attention_backward.mistake(
    """These are the gradients of attention in which every token hears all, in the forward too.
    Which keys are in S_i and Z_i?"""
)
def of_another_forward(dY, phi_Q, phi_K, V):
    A = phi_Q @ phi_K.mT
    n, d = A @ V, A.sum(axis=-1, keepdims=True)
    g, h = dY / d, -(dY * n).sum(axis=-1, keepdims=True) / d**2
    dA = g @ V.mT + h
    return {"dphi_Q": dA @ phi_K, "dphi_K": dA.mT @ phi_Q, "dV": A.mT @ g}


@causal_linear_attention_backward.mistake(
    """The gradients are right, but you return them as a tuple. The task asks for a dict, with
    dphi_Q, dphi_K and dV as its names."""
)
def returns_a_tuple(dY, phi_Q, phi_K, V):
    return tuple(_all(dY, phi_Q, phi_K, V).values())
