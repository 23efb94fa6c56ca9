"""Scaled dot-product attention in NumPy, each forward beside its backward. Taught in chapter 01.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.2.1. Symbols and
shapes, the same in prose and code:

    Q  (..., N, d)    queries: one row for each of the N tokens that ask
    K  (..., M, d)    keys: one row for each of the M tokens that can answer
    V  (..., M, d_v)  values: what those tokens say
    S  (..., N, M)    scores, Q Kᵀ / √d
    P  (..., N, M)    weights, softmax of each row of S
    Z  (..., N, d_v)  output, P V
    mask              bool, broadcasts to (..., N, M); True where a query may look

A gradient is named after what it belongs to: dZ is ∂L/∂Z, with Z's shape.
"""

import numpy as np


def scores(Q, K):
    """How well each query matches each key: S = Q Kᵀ / √d.

    Q (..., N, d), K (..., M, d)  ->  S (..., N, M)
    """
    d = Q.shape[-1]
    return (Q / d**0.5) @ K.mT  # scaled first: a product of large float16 would overflow


def softmax(S):
    """Turn each row of scores into weights: positive, and summing to one along the last axis.

    S (..., M)  ->  P (..., M) with P_j = exp(S_j) / Σ_k exp(S_k)

    Scores of any size must give finite weights: exp(1000) overflows, yet softmax([1000, 999]) is
    as harmless as softmax([1, 0]).
    """
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dP, P):
    """Carry a gradient from the weights back to the scores.

    dP (..., M)  ∂L/∂P, the gradient with respect to the weights
    P  (..., M)  the weights that softmax gave
    ->  dS (..., M)  ∂L/∂S

    One row's Jacobian is ∂P_i/∂S_j = P_i (δ_ij − P_j). Do not build it: the product with dP has a
    form that needs no M × M matrix.
    """
    return P * (dP - (dP * P).sum(axis=-1, keepdims=True))


def masked_softmax(S, mask):
    """Softmax over the places that the mask allows.

    S (..., N, M) scores; mask bool, broadcasts to S, True where a query may look
    ->  P (..., N, M): zero where the mask is False, each row summing to one over the rest

    A query that may look nowhere (it is padding itself) gets zeros.
    """
    if mask.dtype != bool:  # a mask to be added, 0 and −∞, would be read the other way round
        raise TypeError(f"mask is {mask.dtype}, expected bool: True where a query may look")
    S = np.where(mask, S, -np.inf)
    highest = S.max(axis=-1, keepdims=True)
    highest = np.where(highest == -np.inf, 0, highest)  # a row that may look nowhere
    e = np.exp(S - highest)
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def causal_mask(n):
    """The mask of a decoder: a token may look at itself and at earlier tokens.

    n  number of tokens  ->  bool (n, n), True where query i may look at key j
    """
    return np.tril(np.ones((n, n), dtype=bool))


def padding_mask(lengths, m):
    """The mask of a batch whose sequences have different lengths, padded to m tokens.

    lengths (B,) int, m  ->  bool (B, 1, m), True for a real token; the axis of size 1 stands for
    all queries. ValueError for a length that is not in 0 … m.
    """
    lengths = np.asarray(lengths)
    if (lengths < 0).any() or (lengths > m).any():
        raise ValueError(f"lengths are {lengths.tolist()}, expected 0 to {m}, the padded length")
    return (np.arange(m) < lengths[:, None])[:, None, :]


def attention(Q, K, V, mask=None):
    """Scaled dot-product attention: Z = softmax(Q Kᵀ / √d) V.

    Q (..., N, d), K (..., M, d), V (..., M, d_v); mask bool, broadcasts to (..., N, M), or None
    ->  Z (..., N, d_v), P (..., N, M)
    """
    S = scores(Q, K)  # (..., N, M)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V, P


def attention_backward(dZ, Q, K, V, mask=None):
    """Every gradient of attention, from the output back to the three inputs.

    dZ (..., N, d_v)  ∂L/∂Z; the other arguments are those of `attention`
    ->  dict of dV, dP, dS, dQ, dK, each with the shape of what it belongs to
    """
    _, P = attention(Q, K, V, mask)
    dV = P.mT @ dZ  # (..., M, d_v)
    dP = dZ @ V.mT  # (..., N, M)
    dS = softmax_backward(dP, P)
    dQ = dS @ K / Q.shape[-1] ** 0.5  # (..., N, d)
    dK = dS.mT @ Q / Q.shape[-1] ** 0.5  # (..., M, d)
    return {"dV": dV, "dP": dP, "dS": dS, "dQ": dQ, "dK": dK}


def cross_attention(X, memory, W_Q, W_K, W_V):
    """One sequence asks, another answers: queries from X, keys and values from the memory.

    X (..., N, D) the decoder's tokens; memory (..., M, D) the encoder's output;
    W_Q (D, d), W_K (D, d), W_V (D, d_v)
    ->  Z (..., N, d_v), one row for each token of X

    Self-attention is the case memory = X.
    """
    Z, _ = attention(X @ W_Q, memory @ W_K, memory @ W_V)
    return Z
