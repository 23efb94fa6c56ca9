"""Chapter 01."""

import math

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.attention import (
    attention,
    causal_mask,
    masked_softmax,
    scores,
    softmax,
    softmax_backward,
)
from tutorial_lib.kernels.language import load_rows, store_rows, tl
from tutorial_lib.layers.attention import dot_product_attention

# scores


@wrong("self_attention.scores", "not divided by the root of d", says="Every score is too large")
def _(Q, K):
    return Q @ K.mT


@wrong(
    "self_attention.scores",
    "divided by d, not its root",
    says="You divide by d where the paper divides",
)
def _(Q, K):
    return Q @ K.mT / Q.shape[-1]


@wrong(
    "self_attention.scores",
    "root of the number of keys",
    says="You divide by the root of the number of",
)
def _(Q, K):
    return Q @ K.mT / K.shape[-2] ** 0.5


@wrong("self_attention.scores", "K.T turns the batch round too", says="`.T` reverses all axes")
def _(Q, K):
    return Q @ K.T / Q.shape[-1] ** 0.5


@wrong("self_attention.scores", "keys by queries", says="Your rows belong to the keys and your")
def _(Q, K):
    return K @ Q.mT / K.shape[-1] ** 0.5


@right("self_attention.scores", "np.sqrt makes float32 into float64")
def _(Q, K):
    return Q @ K.mT / np.sqrt(Q.shape[-1])


@wrong("self_attention.scores", "d read from axis 1", says="You divide by the root of `Q.shape[1]`")
def _(Q, K):
    return Q @ K.mT / Q.shape[1] ** 0.5


@wrong(
    "self_attention.scores", "scales the given Q in place", says="changes its argument Q in place"
)
def _(Q, K):
    Q /= Q.shape[-1] ** 0.5
    return Q @ K.mT


@right("self_attention.scores", "einsum, the scale shared by both")
def _(Q, K):
    quarter = Q.shape[-1] ** -0.25
    return np.einsum("...nd,...md->...nm", Q * quarter, K * quarter)


@right("self_attention.scores", "products summed without a matrix product")
def _(Q, K):
    return (Q[..., :, None, :] * K[..., None, :, :]).sum(axis=-1) / math.sqrt(K.shape[-1])


# softmax


@wrong("self_attention.softmax", "overflows on large scores", says="Right for small scores")
def _(S):
    e = np.exp(S)
    return e / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.softmax",
    "one maximum for all rows",
    says="You subtract the largest score of the",
)
def _(S):
    e = np.exp(S - S.max())
    return e / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.softmax", "columns sum to one", says="You add up along axis 0. For one row of"
)
def _(S):
    e = np.exp(S - S.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


@wrong(
    "self_attention.softmax",
    "normalised over everything",
    says="All your weights together sum to one",
)
def _(S):
    return scipy.special.softmax(S)


@wrong(
    "self_attention.softmax",
    "axis 1 for any number of axes",
    says="Right for one matrix of scores. `axis=1`",
)
def _(S):
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@wrong("self_attention.softmax", "clips scores to avoid overflow")
def _(S):
    e = np.exp(np.clip(S, -50, 50))
    return e / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.softmax",
    "shifts the given scores in place",
    says="changes its argument S in place",
)
def _(S):
    S -= S.max(axis=-1, keepdims=True)
    e = np.exp(S)
    return e / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.softmax", "sum without keepdims", says="The sum of each row has lost its axis"
)
def _(S):
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1)


@wrong(
    "self_attention.softmax",
    "subtracts the minimum",
    says="You subtract each row's smallest number",
)
def _(S):
    e = np.exp(S - S.min(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@right("self_attention.softmax", "through logaddexp")
def _(S):
    return np.exp(S - np.logaddexp.reduce(S, axis=-1, keepdims=True))


@right("self_attention.softmax", "one over the sum of ratios, which may overflow to inf")
def _(S):
    with np.errstate(over="ignore"):
        return 1 / np.exp(S[..., None, :] - S[..., :, None]).sum(axis=-1)


@right("self_attention.softmax", "PyTorch's")
def _(S):
    return torch.tensor(S).softmax(dim=-1).numpy()


# masked_softmax


@wrong(
    "self_attention.masked_softmax",
    "masks after, rows do not sum to one",
    says="You mask after the softmax",
)
def _(S, mask):
    return softmax(S) * mask


@wrong(
    "self_attention.masked_softmax",
    "looks where it may not",
    says="Your mask is the wrong way round",
)
def _(S, mask):
    return np.nan_to_num(softmax(np.where(mask, -np.inf, S)))


@wrong(
    "self_attention.masked_softmax",
    "-1e9 spreads a forbidden row evenly",
    says="You use a large negative number instead",
)
def _(S, mask):
    return softmax(np.where(mask, S, -1e9))


@wrong(
    "self_attention.masked_softmax",
    "NaN in a row without a place",
    says="Right as long as each query may look",
)
def _(S, mask):
    e = np.where(mask, S, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(e - e.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.masked_softmax",
    "forbidden scores are 0, not minus infinity",
    says="You set forbidden scores to zero",
)
def _(S, mask):
    return softmax(S * mask)


@wrong(
    "self_attention.masked_softmax",
    "maximum over forbidden places too",
    says="You take each row's maximum before the",
)
def _(S, mask):
    e = np.exp(S - S.max(axis=-1, keepdims=True)) * mask
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@wrong(
    "self_attention.masked_softmax",
    "-100 is not forbidden enough",
    says="Rows with nothing to look at are right. But",
)
def _(S, mask):
    return softmax(np.where(mask, S, -100.0)) * mask.any(axis=-1, keepdims=True)


@wrong(
    "self_attention.masked_softmax",
    "fills the given scores in place",
    says="changes its argument S in place",
)
def _(S, mask):
    S[~np.broadcast_to(mask, S.shape)] = -np.inf
    top = S.max(axis=-1, keepdims=True)
    e = np.exp(S - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


@wrong(
    "self_attention.masked_softmax",
    "index needs a mask of full shape",
    says="An array has fewer axes than your code counts",
)
def _(S, mask):
    S = S.copy()
    S[~mask] = -np.inf
    top = S.max(axis=-1, keepdims=True)
    e = np.exp(S - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


@wrong(
    "self_attention.masked_softmax",
    "a small number added to the sum",
    says="Nearly right: the difference is far",
)
def _(S, mask):
    S = np.where(mask, S, -np.inf)
    top = S.max(axis=-1, keepdims=True)
    e = np.exp(S - np.where(np.isfinite(top), top, 0))
    return e / (e.sum(axis=-1, keepdims=True) + 1e-6)


@right("self_attention.masked_softmax", "NaN replaced afterwards")
def _(S, mask):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(scipy.special.softmax(np.where(mask, S, -np.inf), axis=-1))


@right("self_attention.masked_softmax", "row by row, of the allowed places only")
def _(S, mask):
    P = np.zeros_like(S)
    mask = np.broadcast_to(mask, S.shape)
    for row in np.ndindex(S.shape[:-1]):
        if mask[row].any():
            P[row][mask[row]] = softmax(S[row][mask[row]])
    return P


# causal_mask


@wrong(
    "self_attention.causal_mask",
    "looks at the future",
    says="Each token looks at itself and at the",
)
def _(n):
    return np.triu(np.ones((n, n), dtype=bool))


@wrong("self_attention.causal_mask", "not at itself", says="The diagonal is missing")
def _(n):
    return np.tril(np.ones((n, n), dtype=bool), k=-1)


@wrong("self_attention.causal_mask", "floats, not bools", says="The right places, but as numbers")
def _(n):
    return np.tril(np.ones((n, n)))


@wrong(
    "self_attention.causal_mask",
    "one token too far",
    says="Off by one: each token sees one token of",
)
def _(n):
    return np.arange(n)[:, None] + 1 >= np.arange(n)


@wrong(
    "self_attention.causal_mask",
    "minus infinity to be added to scores",
    says="This is the mask that is added to scores",
)
def _(n):
    return np.where(np.tri(n) > 0, 0, -np.inf)


@wrong(
    "self_attention.causal_mask",
    "only at itself and the one before",
)
def _(n):
    i = np.arange(n)
    return (i[:, None] == i) | (i[:, None] - 1 == i)


@right("self_attention.causal_mask", "a table by two loops")
def _(n):
    return np.array([[j <= i for j in range(n)] for i in range(n)])


@right("self_attention.causal_mask", "PyTorch's tril")
def _(n):
    return torch.ones(n, n, dtype=torch.bool).tril().numpy()


@right("self_attention.causal_mask", "a running or along each column")
def _(n):
    return np.logical_or.accumulate(np.eye(n, dtype=bool), axis=0)


# attention


@wrong("self_attention.attention", "returns the output alone", says="You return the output alone")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V


@wrong("self_attention.attention", "weights first, output second", says="returned in another order")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P, P @ V


@wrong("self_attention.attention", "mask ignored", says="You do not use the mask")
def _(Q, K, V, mask=None):
    P = softmax(scores(Q, K))
    return P @ V, P


@wrong(
    "self_attention.attention",
    "asks an array whether it is true",
    says="An array has no single truth value: `x is",
)
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = masked_softmax(S, mask) if mask else softmax(S)
    return P @ V, P


@wrong("self_attention.attention", "scores not scaled", says="The 1/√d is missing")
def _(Q, K, V, mask=None):
    S = Q @ K.mT
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V, P


@wrong(
    "self_attention.attention",
    "weights transposed before the values",
    says="Two shapes do not fit. Write the shape behind",
)
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P.mT @ V, P


@wrong(
    "self_attention.attention", "softmax over the queries", says="You normalise over the queries"
)
def _(Q, K, V, mask=None):
    S = scores(Q, K) if mask is None else np.where(mask, scores(Q, K), -np.inf)
    P = masked_softmax(S.mT, np.isfinite(S.mT)).mT
    return P @ V, P


@wrong(
    "self_attention.attention",
    "output masked, not the weights",
    says="You mask the weights after the softmax",
)
def _(Q, K, V, mask=None):
    P = softmax(scores(Q, K))
    if mask is not None:
        P = P * mask
    return P @ V, P


@wrong(
    "self_attention.attention",
    "root of the values' width",
    says="You divide by the root of the width of the",
)
def _(Q, K, V, mask=None):
    S = Q @ K.mT / V.shape[-1] ** 0.5
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V, P


@right("self_attention.attention", "no mask is a mask of True")
def _(Q, K, V, mask=None):
    P = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, np.True_ if mask is None else mask)
    return np.einsum("...nm,...me->...ne", P, V), P


@right("self_attention.attention", "divided by the sum at the end")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    if mask is not None:
        S = np.where(mask, S, -np.inf)
    top = np.maximum(S.max(axis=-1, keepdims=True), np.finfo(S.dtype).min)
    e = np.exp(S - top)
    total = e.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    return (e @ V) / total, e / total


# cross_attention


@wrong("self_attention.cross_attention", "the memory asks", says="The memory asks and X answers")
def _(X, memory, W_Q, W_K, W_V):
    return attention(memory @ W_Q, X @ W_K, X @ W_V)[0]


@wrong("self_attention.cross_attention", "values from X", says="Your values come from X")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, X @ W_V)[0]


@wrong(
    "self_attention.cross_attention",
    "self-attention, memory ignored",
    says="This is self-attention",
)
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, X @ W_K, X @ W_V)[0]


@wrong("self_attention.cross_attention", "returns weights as well", says="return it alone")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, memory @ W_V)


@wrong("self_attention.cross_attention", "W_Q and W_K exchanged", says="W_Q and W_K are swapped")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_K, memory @ W_Q, memory @ W_V)[0]


@wrong(
    "self_attention.cross_attention",
    "values not projected",
    says="You leave out the projection of the",
)
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, memory)[0]


@wrong(
    "self_attention.cross_attention",
    "both sequences in one",
    says="X and the memory both answer: you join them,",
)
def _(X, memory, W_Q, W_K, W_V):
    both = np.concatenate([X, memory], axis=-2)
    return attention(X @ W_Q, both @ W_K, both @ W_V)[0]


@wrong("self_attention.cross_attention", "root of D, not of d", says="You divide by the root of D")
def _(X, memory, W_Q, W_K, W_V):
    S = (X @ W_Q) @ (memory @ W_K).mT / X.shape[-1] ** 0.5
    return softmax(S) @ (memory @ W_V)


@right("self_attention.cross_attention", "values projected after the mean, keys never")
def _(X, memory, W_Q, W_K, W_V):
    S = X @ (W_Q @ W_K.T) @ memory.mT / W_Q.shape[1] ** 0.5
    return softmax(S) @ memory @ W_V


# softmax_backward


@wrong(
    "self_attention.softmax_backward",
    "the Jacobian's diagonal alone",
    says="You keep only the diagonal of the",
)
def _(dP, P):
    return dP * P * (1 - P)


@wrong(
    "self_attention.softmax_backward",
    "sum over the whole array",
    says="You sum over the whole array",
)
def _(dP, P):
    return P * (dP - (dP * P).sum())


@wrong(
    "self_attention.softmax_backward",
    "sum of dP without weights",
    says="You subtract the plain sum of dP",
)
def _(dP, P):
    return P * (dP - dP.sum(axis=-1, keepdims=True))


@wrong(
    "self_attention.softmax_backward",
    "not multiplied by P",
    says="The bracket dP − Σ is right, and the factor",
)
def _(dP, P):
    return dP - (dP * P).sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax_backward", "the sign turned round", says="The sign is wrong")
def _(dP, P):
    return P * ((dP * P).sum(axis=-1, keepdims=True) - dP)


@wrong(
    "self_attention.softmax_backward", "sum along the queries", says="You sum along the wrong axis"
)
def _(dP, P):
    return P * (dP - (dP * P).sum(axis=-2, keepdims=True))


@wrong(
    "self_attention.softmax_backward",
    "a mean for the sum",
    says="You take the mean over the row where the",
)
def _(dP, P):
    return P * (dP - (dP * P).mean(axis=-1, keepdims=True))


@right("self_attention.softmax_backward", "einsum of the bracket, term by term")
def _(dP, P):
    return P * dP - np.einsum("...i,...i,...j->...j", dP, P, P)


@right("self_attention.softmax_backward", "PyTorch's own backward")
def _(dP, P):
    dP, P = torch.tensor(dP), torch.tensor(P)
    return torch.ops.aten._softmax_backward_data(dP, P, -1, P.dtype).numpy()


# attention_backward


def _gradients(dZ, Q, K, V, mask, scale_Q=True, scale_K=True):
    P = attention(Q, K, V, mask)[1]
    dP = dZ @ V.mT
    dS = softmax_backward(dP, P)
    root = Q.shape[-1] ** 0.5
    dQ, dK = dS @ K, dS.mT @ Q
    return {
        "dV": P.mT @ dZ,
        "dP": dP,
        "dS": dS,
        "dQ": dQ / root if scale_Q else dQ,
        "dK": dK / root if scale_K else dK,
    }


@wrong(
    "self_attention.attention_backward",
    "no scale on the way back",
    says="The scale is missing from dQ and dK",
)
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, mask, False, False)


@wrong(
    "self_attention.attention_backward",
    "scale forgotten in dK",
    says="dQ is right, and dK lacks the scale. S is Q",
)
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, mask, True, False)


@wrong(
    "self_attention.attention_backward",
    "scale counted in dS already",
    says="Your dS holds the scale already. It is the",
)
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dS": g["dS"] / Q.shape[-1] ** 0.5}


@wrong(
    "self_attention.attention_backward",
    "weights of the pass without a mask",
    says="You do not use the mask",
)
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, None)


@wrong("self_attention.attention_backward", "dQ and dK exchanged", says="dQ and dK are swapped")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dQ": g["dK"], "dK": g["dQ"]}


@wrong(
    "self_attention.attention_backward", "dK without transposing dS", says="dK should be dSᵀ Q / √d"
)
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dK": g["dS"] @ Q / Q.shape[-1] ** 0.5}


@wrong(
    "self_attention.attention_backward",
    "softmax's diagonal alone",
    says="You treat each weight as if it depended",
)
def _(dZ, Q, K, V, mask=None):
    P = attention(Q, K, V, mask)[1]
    dP = dZ @ V.mT
    dS = dP * P * (1 - P)
    root = Q.shape[-1] ** 0.5
    return {"dV": P.mT @ dZ, "dP": dP, "dS": dS, "dQ": dS @ K / root, "dK": dS.mT @ Q / root}


@wrong(
    "self_attention.attention_backward",
    ".T instead of .mT in a batch",
    says="Two shapes do not fit. Write the shape behind",
)
def _(dZ, Q, K, V, mask=None):
    P = attention(Q, K, V, mask)[1]
    dP = dZ @ V.T
    dS = softmax_backward(dP, P)
    root = Q.shape[-1] ** 0.5
    return {"dV": P.T @ dZ, "dP": dP, "dS": dS, "dQ": dS @ K / root, "dK": dS.T @ Q / root}


@wrong("self_attention.attention_backward", "dV is P dZ, not transposed", says="dV should be Pᵀ dZ")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dV": attention(Q, K, V, mask)[1] @ dZ}


@wrong(
    "self_attention.attention_backward",
    "dP set to zero where masked",
    says="dP is where the chain breaks",
)
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g if mask is None else g | {"dP": np.where(mask, g["dP"], 0)}


@wrong(
    "self_attention.attention_backward",
    "only the three inputs' gradients",
    says="Your dict lacks 'dP', 'dS'.",
)
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return {name: g[name] for name in ("dQ", "dK", "dV")}


@right("self_attention.attention_backward", "einsum, and a dict in another order")
def _(dZ, Q, K, V, mask=None):
    P = attention(Q, K, V, mask)[1]
    root = math.sqrt(Q.shape[-1])
    dP = np.einsum("...ne,...me->...nm", dZ, V)
    dS = P * (dP - np.einsum("...nm,...nm->...n", dP, P)[..., None])
    dQ = np.einsum("...nm,...md->...nd", dS, K / root)
    dK = np.einsum("...nm,...nd->...md", dS, Q / root)
    return dict(dQ=dQ, dK=dK, dV=np.einsum("...nm,...ne->...me", P, dZ), dS=dS, dP=dP)


@right("self_attention.attention_backward", "the row's sum read off the output")
def _(dZ, Q, K, V, mask=None):
    Z, P = attention(Q, K, V, mask)
    dP = dZ @ V.mT
    dS = P * (dP - (dZ * Z).sum(axis=-1, keepdims=True))
    root = Q.shape[-1] ** 0.5
    dK = (Q.mT @ dS).mT / root
    return {"dV": P.mT @ dZ, "dP": dP, "dS": dS, "dQ": dS / root @ K, "dK": dK}


# dot_product_attention


@wrong(
    "self_attention.dot_product_attention",
    "fills where it may look",
    says="You fill where the mask is True",
)
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "-100 is not forbidden enough",
    says="Forbidden scores become a large negative",
)
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -100.0)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "softmax along axis 1",
    says="`softmax(dim=1)` is right for a batch of",
)
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=1)
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention", "no gradient flows", says="Where did you leave autograd"
)
@torch.no_grad()
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "weights detached before the values",
    says="right, the gradient is not",
)
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=-1)
    p = p if mask is None else torch.where(mask, p, 0)
    return p.detach() @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "weights masked after the softmax",
    says="You mask the weights after the softmax",
)
def _(q, k, v, mask=None):
    p = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    if mask is not None:
        p = p * mask
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "transposes the batch with the keys",
    says="is right for one matrix only",
)
def _(q, k, v, mask=None):
    s = q @ k.transpose(0, 1) / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "dropout always on")
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = F.dropout(s.softmax(dim=-1), 0.1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "forgets to scale", says="The scale is missing")
def _(q, k, v, mask=None):
    s = q @ k.mT
    if mask is not None:
        s = torch.where(mask, s, -torch.inf)
    p = F.softmax(s, dim=-1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "fused kernel, no mask of one axis")
def _(q, k, v, mask=None):
    z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    return z, s.softmax(-1)


@wrong(
    "self_attention.dot_product_attention",
    "the smallest finite number, so blind queries look everywhere",
    says="One that may look nowhere should get zeros",
)
def _(q, k, v, mask=None):
    s = torch.einsum("...nd,...md->...nm", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        s = s.masked_fill(~mask, torch.finfo(s.dtype).min)
    p = torch.softmax(s, -1)
    return p @ v, p


@wrong(
    "self_attention.dot_product_attention",
    "a mask that is added, NaN for blind queries",
    says="What gets a query that may look nowhere",
)
def _(q, k, v, mask=None):
    s = (q / math.sqrt(k.size(-1))).matmul(k.transpose(-2, -1))
    if mask is not None:
        s = s + torch.zeros_like(mask, dtype=s.dtype).masked_fill(mask.logical_not(), -math.inf)
    p = torch.softmax(s, dim=-1)
    return torch.matmul(p, v), p


@right("self_attention.dot_product_attention", "weights by hand, blind queries by any")
def _(q, k, v, mask=None):
    s = torch.einsum("...nd,...md->...nm", q, k) * q.shape[-1] ** -0.5
    if mask is None:
        p = torch.softmax(s, -1)
    else:
        s = s.masked_fill(~mask, torch.finfo(s.dtype).min)
        p = torch.softmax(s, -1) * mask.any(dim=-1, keepdim=True)
    return p @ v, p


@right("self_attention.dot_product_attention", "exponentials, and a sum that is never zero")
def _(q, k, v, mask=None):
    s = (q / math.sqrt(k.size(-1))).matmul(k.transpose(-2, -1))
    if mask is None:
        mask = torch.ones(s.shape[-1], dtype=torch.bool)
    highest = s.detach().masked_fill(~mask, -math.inf).amax(-1, keepdim=True)
    e = torch.exp((s - highest.nan_to_num(neginf=0)).masked_fill(~mask, -math.inf))
    total = e.sum(-1, keepdim=True)
    p = e / torch.where(total == 0, 1, total)
    return torch.matmul(p, v), p


# Attention


def one_head(project, attend=dot_product_attention, out=lambda module, x, z: module.to_out(z)):
    """A class with the right maps and another `forward`."""

    class Attention(nn.Module):
        def __init__(self, dim, dim_head, dim_memory):
            super().__init__()
            self.to_q = nn.Linear(dim, dim_head, bias=False)
            self.to_k, self.to_v = (nn.Linear(dim_memory, dim_head, bias=False) for _ in "kv")
            self.to_out = nn.Linear(dim_head, dim, bias=False)

        def forward(self, x, memory=None, mask=None):
            if memory is None:
                memory = x
            return out(self, x, attend(*project(self, x, memory), mask)[0])

    return Attention


def all_three(module, x, memory):
    return module.to_q(x), module.to_k(memory), module.to_v(memory)


wrong("self_attention.Attention", "keys and values from x", says="The memory is not used")(
    one_head(lambda module, x, memory: all_three(module, x, x))
)

wrong("self_attention.Attention", "the mask is dropped", says="yours goes nowhere")(
    one_head(all_three, lambda q, k, v, mask: dot_product_attention(q, k, v))
)

wrong("self_attention.Attention", "x is added", says="You add x to the output")(
    one_head(all_three, out=lambda module, x, z: module.to_out(z) + x)
)

wrong("self_attention.Attention", "the root of dim", says="You divide by the root of `dim`")(
    one_head(
        lambda module, x, memory: (
            module.to_q(x) * (module.to_q.out_features / x.shape[-1]) ** 0.5,
            module.to_k(memory),
            module.to_v(memory),
        )
    )
)


@wrong("self_attention.Attention", "maps with biases", says="to_q.bias is one too many")
class _Attention(nn.Module):
    def __init__(self, dim, dim_head, dim_memory):
        super().__init__()
        self.to_q, self.to_k = nn.Linear(dim, dim_head), nn.Linear(dim_memory, dim_head)
        self.to_v, self.to_out = nn.Linear(dim_memory, dim_head), nn.Linear(dim_head, dim)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = all_three(self, x, memory)
        return self.to_out(dot_product_attention(q, k, v, mask)[0])


@wrong(
    "self_attention.Attention", "no super().__init__", says="must be the first line of `__init__`"
)
class _Attention(nn.Module):
    def __init__(self, dim, dim_head, dim_memory):
        self.to_q = nn.Linear(dim, dim_head, bias=False)

    def forward(self, x, memory=None, mask=None):
        return x


@wrong("self_attention.Attention", "memory or x", says="An array has no single truth value")
class _Attention(one_head(all_three)):
    def forward(self, x, memory=None, mask=None):
        memory = memory or x
        return self.to_out(dot_product_attention(*all_three(self, x, memory), mask)[0])


@wrong("self_attention.Attention", "the pair goes on", says="You return the weights beside")
class _Attention(one_head(all_three)):
    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        z, p = dot_product_attention(*all_three(self, x, memory), mask)
        return self.to_out(z), p


@wrong("self_attention.Attention", "widths exchanged", says="to_q.weight has the shape")
class _Attention(nn.Module):
    def __init__(self, dim, dim_head, dim_memory):
        super().__init__()
        self.to_q = nn.Linear(dim_head, dim, bias=False)
        self.to_k = nn.Linear(dim_head, dim_memory, bias=False)
        self.to_v = nn.Linear(dim_head, dim_memory, bias=False)
        self.to_out = nn.Linear(dim, dim_head, bias=False)

    def forward(self, x, memory=None, mask=None):
        return x


@right("self_attention.Attention", "PyTorch's fused attention, with an axis for the head")
class _Attention(one_head(all_three)):
    def forward(self, x, memory=None, mask=None):
        q, k, v = (t.unsqueeze(1) for t in all_three(self, x, x if memory is None else memory))
        if mask is not None:
            mask = mask.unsqueeze(1)
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).squeeze(1)
        return F.linear(z, self.to_out.weight)


# completion_step


@wrong("self_attention.completion_step", "gradients pile up", says="Old gradients are not cleared")
def _(model, optimizer, left, whole, right):
    loss = ((model(left, whole) - right) ** 2).mean()
    loss.backward()
    optimizer.step()
    return float(loss)


@wrong(
    "self_attention.completion_step", "cross-entropy, as in chapter 00", says="loss of step 1 is"
)
def _(model, optimizer, left, whole, right):
    loss = F.cross_entropy(model(left, whole), right)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("self_attention.completion_step", "whole first")
def _(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(whole, left), right)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("self_attention.completion_step", "returns the tensor", says="`.item()` gives one")
def _(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(left, whole), right)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@wrong("self_attention.completion_step", "never steps", says="No weight moves")
def _(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(left, whole), right)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@wrong("self_attention.completion_step", "summed and halved", says="of")
def _(model, optimizer, left, whole, right):
    loss = 0.5 * ((model(left, whole) - right) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@right("self_attention.completion_step", "gradients set to None by hand, errors squared by hand")
def _(model, optimizer, left, whole, right):
    found = model(left, whole)
    for p in model.parameters():
        p.grad = None
    loss = (found - right).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss)


# online_attention


@wrong(
    "self_attention.online_attention",
    "old sums not brought up to date",
    says="What you summed before a new maximum",
)
def _(q, K, V, block):
    m, l, o = -np.inf, 0.0, 0.0
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        m = max(m, s.max())
        e = np.exp(s - m)
        l, o = l + e.sum(), o + e @ V[i : i + block]
    return o / l


@wrong(
    "self_attention.online_attention",
    "l brought up to date, o not",
    says="You rescale the denominator l and forget",
)
def _(q, K, V, block):
    m, l, o = -np.inf, 0.0, np.zeros(V.shape[1])
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        new = max(m, s.max())
        e = np.exp(s - new)
        l = l * np.exp(m - new) + e.sum()
        o = o + e @ V[i : i + block]
        m = new
    return o / l


@wrong(
    "self_attention.online_attention",
    "drops the keys of the last, short block",
    says="The last block is left out when it is",
)
def _(q, K, V, block):
    m, l, o = -np.inf, 0.0, np.zeros(V.shape[1])
    for b in range(len(K) // block):
        part = slice(b * block, (b + 1) * block)
        s = K[part] @ q / len(q) ** 0.5
        new = max(m, s.max())
        e = np.exp(s - new)
        l = l * np.exp(m - new) + e.sum()
        o = o * np.exp(m - new) + e @ V[part]
        m = new
    return o / l


@wrong(
    "self_attention.online_attention",
    "the highest score starts at 0",
    says="You start the maximum at 0",
)
def _(q, K, V, block):
    m, l, o = 0.0, 0.0, np.zeros(V.shape[1])
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        new = max(m, s.max())
        e = np.exp(s - new)
        l = l * np.exp(m - new) + e.sum()
        o = o * np.exp(m - new) + e @ V[i : i + block]
        m = new
    return o / l


@wrong("self_attention.online_attention", "not divided by l", says="The last division is missing")
def _(q, K, V, block):
    m, o = -np.inf, np.zeros(V.shape[1])
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        new = max(m, s.max())
        o = o * np.exp(m - new) + np.exp(s - new) @ V[i : i + block]
        m = new
    return o


@wrong(
    "self_attention.online_attention",
    "a plain mean of the blocks' outputs",
    says="You average the blocks",
)
def _(q, K, V, block):
    parts = range(0, len(K), block)
    return np.mean([attention(q[None], K[i:][:block], V[i:][:block])[0][0] for i in parts], axis=0)


@wrong(
    "self_attention.online_attention",
    "no maximum, exp overflows",
    says="NaN appears where a number should be",
)
def _(q, K, V, block):
    l, o = 0.0, 0.0
    for i in range(0, len(K), block):
        e = np.exp(K[i : i + block] @ q / len(q) ** 0.5)
        l, o = l + e.sum(), o + e @ V[i : i + block]
    return o / l


@wrong(
    "self_attention.online_attention", "scores not scaled", says="The scores are not divided by √d"
)
def _(q, K, V, block):
    m, l, o = -np.inf, 0.0, np.zeros(V.shape[1])
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q
        new = max(m, s.max())
        e = np.exp(s - new)
        l = l * np.exp(m - new) + e.sum()
        o = o * np.exp(m - new) + e @ V[i : i + block]
        m = new
    return o / l


@wrong(
    "self_attention.online_attention", "the factor upside down", says="The factor is turned round"
)
def _(q, K, V, block):
    s = K[:block] @ q / len(q) ** 0.5
    m = s.max()
    l, o = np.exp(s - m).sum(), np.exp(s - m) @ V[:block]
    for i in range(block, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        new = max(m, s.max())
        e = np.exp(s - new)
        l = l * np.exp(new - m) + e.sum()
        o = o * np.exp(new - m) + e @ V[i : i + block]
        m = new
    return o / l


@wrong("self_attention.online_attention", "exactly two blocks")
def _(q, K, V, block):
    s = K @ q / len(q) ** 0.5
    a, b = s[:block], s[block:][:block]
    m = max(a.max(), b.max(initial=-np.inf))
    e = np.exp(np.concatenate([a, b]) - m)
    return e @ V[: 2 * block] / e.sum()


@right("self_attention.online_attention", "key by key, whatever the block")
def _(q, K, V, block):
    m, l, o = -math.inf, 0.0, np.zeros_like(V[0])
    for k, v in zip(K, V):
        s = float(k @ q) / math.sqrt(len(q))
        old, new = (1.0, math.exp(s - m)) if s <= m else (math.exp(m - s), 1.0)
        m, l, o = max(m, s), l * old + new, o * old + v * new
    return o / l


@right("self_attention.online_attention", "blocks merged by their log of sums")
def _(q, K, V, block):
    z, log_l = np.zeros(V.shape[1], V.dtype), -np.inf
    for i in range(0, K.shape[0], block):
        s = K[i : i + block] @ q / q.size**0.5
        log_b = scipy.special.logsumexp(s)
        both = np.logaddexp(log_l, log_b)
        part = np.exp(s - log_b) @ V[i : i + block]
        z = z * np.exp(log_l - both) + part * np.exp(log_b - both)
        log_l = both
    return z


# equivariance_error


@wrong("self_attention.equivariance_error", "measures invariance", says="You test invariance")
def _(f, X, order):
    return float(np.abs(f(X[order]) - f(X)).max())


@wrong(
    "self_attention.equivariance_error",
    "reorders twice, does not undo",
    says="You apply the inverse order on one of",
)
def _(f, X, order):
    return float(np.abs(f(X[order])[order] - f(X)).max())


@wrong(
    "self_attention.equivariance_error", "the mean difference", says="You take the mean difference"
)
def _(f, X, order):
    return float(np.abs(f(X[order]) - f(X)[order]).mean())


@wrong(
    "self_attention.equivariance_error",
    "largest difference with its sign",
    says="The differences are signed",
)
def _(f, X, order):
    return float((f(X[order]) - f(X)[order]).max())


@wrong(
    "self_attention.equivariance_error",
    "reorders features",
    says="You reorder the features, not the tokens",
)
def _(f, X, order):
    return float(np.abs(f(X[:, order]) - f(X)[:, order]).max())


@wrong(
    "self_attention.equivariance_error",
    "relative to the output's size",
    says="You divide by the size of the output. The",
)
def _(f, X, order):
    a, b = f(X[order]), f(X)[order]
    return float(np.abs(a - b).max() / (np.abs(b).max() + 1e-12))


@wrong(
    "self_attention.equivariance_error",
    "says yes or no",
    says="Your number is 0 or 1, a verdict. The task",
)
def _(f, X, order):
    return float(not np.allclose(f(X[order]), f(X)[order]))


@wrong(
    "self_attention.equivariance_error",
    "compares an output with itself",
    says="Where it fails, yours is zero everywhere",
)
def _(f, X, order):
    return float(np.abs(f(X)[order] - f(X[order][np.argsort(order)])[order]).max())


@wrong(
    "self_attention.equivariance_error",
    "reorders the given tokens in place",
    says="changes its argument X in place",
)
def _(f, X, order):
    after = f(X)[order]
    X[:] = X[order]
    return float(np.abs(f(X) - after).max())


@wrong(
    "self_attention.equivariance_error",
    "the inverse order on both paths",
    says="On both paths you apply the inverse order.",
)
def _(f, X, order):
    back = np.argsort(order)
    return float(np.abs(f(X[back]) - f(X)[back]).max())


@right("self_attention.equivariance_error", "undoes the order on the other path")
def _(f, X, order):
    back = np.argsort(order)
    difference = f(np.take(X, order, axis=0))[back] - f(X)
    return float(max(difference.max(), -difference.min()))


@right("self_attention.equivariance_error", "with a permutation matrix")
def _(f, X, order):
    M = np.eye(len(X), dtype=X.dtype)[order]
    return float(np.linalg.norm((f(M @ X) - M @ f(X)).ravel(), ord=np.inf))


# causal_attention


@wrong(
    "self_attention.causal_attention",
    "the same bug with tril",
    says="The bug is still there: yours gives what the",
)
def _(Q, K, V):
    n, d = Q.shape
    S = np.where(np.tril(np.ones((n, n), bool), 1), Q @ K.mT / d**0.5, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.causal_attention",
    "no longer sees itself",
    says="Now the first token may look at nothing",
)
def _(Q, K, V):
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    allowed = np.arange(n)[:, None] >= np.arange(n)[None, :] + 1
    S = np.where(allowed, S, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.causal_attention",
    "sees itself and the future",
    says="You turned the comparison round",
)
def _(Q, K, V):
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    allowed = np.arange(n)[:, None] <= np.arange(n)[None, :]
    S = np.where(allowed, S, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.causal_attention", "mends the scale, leaves the mask")
def _(Q, K, V):
    n, d = Q.shape
    S = Q @ K.mT / d
    allowed = np.arange(n)[:, None] >= np.arange(n)[None, :] - 1
    S = np.where(allowed, S, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong(
    "self_attention.causal_attention",
    "mends the mask, breaks the last line",
    says="Two shapes do not fit. Write the shape behind",
)
def _(Q, K, V):
    n, d = Q.shape
    S = np.where(causal_mask(n), Q @ K.mT / d**0.5, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=0, keepdims=True)


@wrong(
    "self_attention.causal_attention",
    "forbidden scores are 0",
    says="Scores of the future become 0, which is an",
)
def _(Q, K, V):
    n, d = Q.shape
    S = np.where(causal_mask(n), Q @ K.mT / d**0.5, 0)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@right("self_attention.causal_attention", "strictly greater than one less")
def _(Q, K, V):
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    S = np.where(np.arange(n)[:, None] > np.arange(n)[None, :] - 1, S, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@right("self_attention.causal_attention", "each token with what came before it")
def _(Q, K, V):
    rows = [attention(Q[i : i + 1], K[: i + 1], V[: i + 1])[0] for i in range(len(Q))]
    return np.concatenate(rows)


# softmax_row


@wrong("self_attention.softmax_row", "no mask at all", says="You read past the end of the row")
def _(S, P, M, BLOCK: tl.constexpr):
    place = tl.program_id(0) * M + tl.arange(0, BLOCK)
    x = tl.load(S + place)
    x = tl.exp(x - tl.max(x, axis=0))
    tl.store(P + place, x / tl.sum(x, axis=0), mask=tl.arange(0, BLOCK) < M)


@wrong("self_attention.softmax_row", "a loop like NumPy's", says="")
def _(S, P, M, BLOCK: tl.constexpr):
    i = tl.program_id(0)
    s = S[i * M : (i + 1) * M]
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + i * M, e / tl.sum(e, axis=0))


@wrong("self_attention.softmax_row", "zeros in the sum", says="What lies behind the row is read as")
def _(S, P, M, BLOCK: tl.constexpr):
    row, j = tl.program_id(0), tl.arange(0, BLOCK)
    s = tl.load(S + row * M + j, mask=j < M, other=0)
    e = tl.exp(s - tl.max(s, 0))
    tl.store(P + row * M + j, e / tl.sum(e, 0), mask=j < M)


@right("self_attention.softmax_row", "minus infinity by where, the row's pointer first")
def _(S, P, M, BLOCK: tl.constexpr):
    j = tl.arange(0, BLOCK)
    S += tl.program_id(0) * M
    P += tl.program_id(0) * M
    s = tl.where(j < M, tl.load(S + j, mask=j < M), float("-inf"))
    e = tl.exp(s - tl.max(s, 0))
    tl.store(P + j, e / tl.sum(e, 0), mask=j < M)


# flash_tile


@wrong("self_attention.flash_tile", "o is not brought up to date", says="forget the numerator o")
def _(Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    i = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    q = load_rows(Q, i, N, D)
    m = tl.zeros((BLOCK_N,), tl.float32) - float("inf")
    l = tl.zeros((BLOCK_N,), tl.float32)
    o = tl.zeros((BLOCK_N, D), tl.float32)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, j, M, D))) / D**0.5
        s = tl.where((j < M)[None, :], s, float("-inf"))
        new = tl.maximum(m, tl.max(s, 1))
        e = tl.exp(s - new[:, None])
        l = l * tl.exp(m - new) + tl.sum(e, 1)
        o += tl.dot(e, load_rows(V, j, M, D))
        m = new
    store_rows(Z, i, N, o / l[:, None], D)


@wrong(
    "self_attention.flash_tile", "the tail is not masked", says="Keys past the end read as zeros"
)
def _(Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    i = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    q = load_rows(Q, i, N, D) * D**-0.5
    m = tl.full((BLOCK_N,), float("-inf"), tl.float32)
    l = tl.zeros((BLOCK_N,), tl.float32)
    o = tl.zeros((BLOCK_N, D), tl.float32)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, j, M, D)))
        new = tl.maximum(m, tl.max(s, 1))
        e = tl.exp(s - new[:, None])
        l = l * tl.exp(m - new) + tl.sum(e, 1)
        o = o * tl.exp(m - new)[:, None] + tl.dot(e, load_rows(V, j, M, D))
        m = new
    store_rows(Z, i, N, o / l[:, None], D)


@right("self_attention.flash_tile", "two passes: first the maximum, then the sums")
def _(Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    i = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    q = load_rows(Q, i, N, D) * D**-0.5
    m = tl.full((BLOCK_N,), float("-inf"), tl.float32)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, j, M, D)))
        m = tl.maximum(m, tl.max(tl.where((j < M)[None, :], s, float("-inf")), 1))
    l = tl.zeros((BLOCK_N,), tl.float32)
    o = tl.zeros((BLOCK_N, D), tl.float32)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, j, M, D)))
        e = tl.where((j < M)[None, :], tl.exp(s - m[:, None]), 0.0)
        l += tl.sum(e, 1)
        o += tl.dot(e, load_rows(V, j, M, D))
    store_rows(Z, i, N, o / l[:, None], D)


# attention_flops


@wrong(
    "self_attention.attention_flops",
    "multiplications alone",
    says="You count a multiplication and its",
)
def _(n, m, d, d_v):
    return n * m * (d + d_v)


@wrong(
    "self_attention.attention_flops",
    "values as wide as keys",
    says="You take the values to be as wide as the",
)
def _(n, m, d, d_v):
    return 4 * n * m * d


@wrong(
    "self_attention.attention_flops",
    "as many keys as queries",
    says="You square the number of queries",
)
def _(n, m, d, d_v):
    return 2 * n * n * (d + d_v)


@wrong("self_attention.attention_flops", "the scores alone", says="Only Q Kᵀ is counted")
def _(n, m, d, d_v):
    return 2 * n * m * d


@wrong(
    "self_attention.attention_flops", "one addition fewer than products", says="You count exactly"
)
def _(n, m, d, d_v):
    return n * m * (2 * d - 1) + n * d_v * (2 * m - 1)


@wrong(
    "self_attention.attention_flops",
    "one operation a score for the scale",
    says="Yours is n · m too many",
)
def _(n, m, d, d_v):
    return 2 * n * m * (d + d_v) + n * m


@wrong(
    "self_attention.attention_flops",
    "second product without the keys",
    says="Your second product has no m: each entry of",
)
def _(n, m, d, d_v):
    return 2 * n * m * d + 2 * n * d_v


@right("self_attention.attention_flops", "summed over the products' shapes")
def _(n, m, d, d_v):
    return 2 * sum(math.prod(sizes) for sizes in [(n, d, m), (n, m, d_v)])
