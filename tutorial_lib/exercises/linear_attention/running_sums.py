"""The causal form: sums that run along with the tokens."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import linear_attention as np_linear


def sequences(rng):
    for batch, n, r, m in [
        ((), 2, 1, 1),
        ((), 2, 2, 3),
        ((), 1, 3, 2),
        ((), 4, 3, 2),
        ((), 3, 3, 3),
        ((2,), 4, 2, 3),
        ((2, 3), 3, 2, 2),
    ]:
        yield _case(rng, batch, n, r, m)


def _case(rng, batch, n, r, m):
    phi_Q, phi_K = (rng.random(size=(*batch, n, r)) + 0.1 for _ in range(2))
    return dict(phi_Q=phi_Q, phi_K=phi_K, V=rng.normal(size=(*batch, n, m)))


causal_linear_attention = Exercise(
    np_linear.causal_linear_attention,
    level=2,
    minutes=10,
    cases=sequences,
    memory=(
        _case(np.random.default_rng(0), (), 300, 8, 8),
        "Do you keep a sum for every token, or N × N weights? Who needs S_3 once S_4 is there?",
    ),
    hints=(
        "S_i and S_{i−1} differ by one term. So do Z_i and Z_{i−1}.",
        "A loop over the tokens: first the new token goes into S and Z, then its query reads "
        "them. `phi_K[..., i, :, None] * V[..., i, None, :]` is φ(K_i) V_iᵀ for any batch.",
        "S begins as zeros (..., r, m), Z as zeros (..., r). After both have grown, `phi_Q[..., "
        "i, None, :] @ S` is the numerator, (..., 1, m), and `(phi_Q[..., i, :] * "
        "Z).sum(axis=-1)` the denominator.",
    ),
)


def _loop(phi_Q, phi_K, V, add=lambda S, new, i: S + new, read_first=False, total=None):
    """The reference in steps; total: another Z to divide by."""
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z, Y = np.zeros(phi_K[..., 0, :].shape), np.empty_like(V)
    for i in range(V.shape[-2]):
        before = S, Z
        S = add(S, phi_K[..., i, :, None] * V[..., i, None, :], i)
        Z = add(Z, phi_K[..., i, :], i)
        of_now = before if read_first else (S, Z)
        numerator = (phi_Q[..., i, None, :] @ of_now[0])[..., 0, :]
        divide_by = of_now[1] if total is None else total
        with np.errstate(all="ignore"):
            Y[..., i, :] = numerator / (phi_Q[..., i, :] * divide_by).sum(-1, keepdims=True)
    return Y, S, Z


@causal_linear_attention.mistake(
    """A query hears the tokens before its own and not its own: the first one hears nobody, and
    divides zero by zero. Which comes first, adding the token or reading the sums?"""
)
def reads_before_it_adds(phi_Q, phi_K, V):
    return _loop(phi_Q, phi_K, V, read_first=True)


@causal_linear_attention.mistake(
    """Every query hears all tokens, later ones too. Which sums are there when token i asks?"""
)
def hears_the_future(phi_Q, phi_K, V):
    _, S, Z = _loop(phi_Q, phi_K, V)
    return np_linear.linear_attention(phi_Q, phi_K, V), S, Z


@causal_linear_attention.mistake(
    """The numerator runs along, the denominator is that of all tokens: the weights of the early
    queries sum to less than one. Which Z belongs to S_i?"""
)
def denominator_of_all_tokens(phi_Q, phi_K, V):
    return _loop(phi_Q, phi_K, V, total=phi_K.sum(axis=-2))


@causal_linear_attention.mistake(
    """You put the new token in the place of the sums instead of adding it: each query hears
    itself alone, and Y is V. What becomes of the tokens before?"""
)
def forgets_the_past(phi_Q, phi_K, V):
    return _loop(phi_Q, phi_K, V, add=lambda S, new, i: new)


@causal_linear_attention.mistake(
    """Y is right, S and Z are means over the tokens: the count cancels in the fraction. It will
    not when a token is added to them later. What does the task call S_i?"""
)
def means_instead_of_sums(phi_Q, phi_K, V):
    return _loop(phi_Q, phi_K, V, add=lambda S, new, i: S + (new - S) / (i + 1))


@causal_linear_attention.mistake(
    """The division is missing: Y_i grows with i. By what does the formula divide?"""
)
def never_divides(phi_Q, phi_K, V):
    Y, S, Z = _loop(phi_Q, phi_K, V)
    denominators = (phi_Q * np.cumsum(phi_K, axis=-2)).sum(axis=-1, keepdims=True)
    return Y * denominators, S, Z


@causal_linear_attention.mistake(
    """S lies on its side, V_j φ(K_j)ᵀ: (m, r) where the task has (r, m). Y is right, and whoever
    goes on with your S gets another one's. Which of the two is the column?"""
)
def sums_on_their_side(phi_Q, phi_K, V):
    Y, S, Z = _loop(phi_Q, phi_K, V)
    return Y, S.mT, Z


@causal_linear_attention.mistake(
    """The division is by Z_i alone, summed over its features: the query is missing in the
    denominator. Weights φ(Q_i)·φ(K_j) sum to what?"""
)
def denominator_without_the_query(phi_Q, phi_K, V):
    Y, S, Z = never_divides(phi_Q, phi_K, V)
    return Y / np.cumsum(phi_K, axis=-2).sum(axis=-1, keepdims=True), S, Z
