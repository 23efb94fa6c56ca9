"""Chapter 01."""

import math

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F

from answers import right, wrong
from tutorial_lib.from_scratch.attention import (
    attention,
    causal_mask,
    masked_softmax,
    scores,
    softmax,
    softmax_backward,
)

# scores


@wrong("self_attention.scores", "not divided by the root of d")
def _(Q, K):
    return Q @ K.mT


@wrong("self_attention.scores", "divided by d, not its root")
def _(Q, K):
    return Q @ K.mT / Q.shape[-1]


@wrong("self_attention.scores", "root of the number of keys")
def _(Q, K):
    return Q @ K.mT / K.shape[-2] ** 0.5


@wrong("self_attention.scores", "K.T turns the batch round too")
def _(Q, K):
    return Q @ K.T / Q.shape[-1] ** 0.5


@wrong("self_attention.scores", "keys by queries")
def _(Q, K):
    return K @ Q.mT / K.shape[-1] ** 0.5


@wrong("self_attention.scores", "np.sqrt makes float32 into float64")
def _(Q, K):
    return Q @ K.mT / np.sqrt(Q.shape[-1])


@wrong("self_attention.scores", "d read from axis 1")
def _(Q, K):
    return Q @ K.mT / Q.shape[1] ** 0.5


@wrong("self_attention.scores", "scales the given Q in place")
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


@wrong("self_attention.softmax", "overflows on large scores")
def _(S):
    e = np.exp(S)
    return e / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax", "one maximum for all rows")
def _(S):
    e = np.exp(S - S.max())
    return e / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax", "columns sum to one")
def _(S):
    e = np.exp(S - S.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


@wrong("self_attention.softmax", "normalised over everything")
def _(S):
    return scipy.special.softmax(S)


@wrong("self_attention.softmax", "axis 1 for any number of axes")
def _(S):
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@wrong("self_attention.softmax", "clips scores to avoid overflow")
def _(S):
    e = np.exp(np.clip(S, -50, 50))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax", "shifts the given scores in place")
def _(S):
    S -= S.max(axis=-1, keepdims=True)
    e = np.exp(S)
    return e / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax", "sum without keepdims")
def _(S):
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1)


@wrong("self_attention.softmax", "subtracts the minimum")
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


@wrong("self_attention.masked_softmax", "masks after, rows do not sum to one")
def _(S, mask):
    return softmax(S) * mask


@wrong("self_attention.masked_softmax", "looks where it may not")
def _(S, mask):
    return np.nan_to_num(softmax(np.where(mask, -np.inf, S)))


@wrong("self_attention.masked_softmax", "-1e9 spreads a forbidden row evenly")
def _(S, mask):
    return softmax(np.where(mask, S, -1e9))


@wrong("self_attention.masked_softmax", "NaN in a row without a place")
def _(S, mask):
    e = np.where(mask, S, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(e - e.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.masked_softmax", "forbidden scores are 0, not minus infinity")
def _(S, mask):
    return softmax(S * mask)


@wrong("self_attention.masked_softmax", "maximum over forbidden places too")
def _(S, mask):
    e = np.exp(S - S.max(axis=-1, keepdims=True)) * mask
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@wrong("self_attention.masked_softmax", "-100 is not forbidden enough")
def _(S, mask):
    return softmax(np.where(mask, S, -100.0)) * mask.any(axis=-1, keepdims=True)


@wrong("self_attention.masked_softmax", "fills the given scores in place")
def _(S, mask):
    S[~np.broadcast_to(mask, S.shape)] = -np.inf
    top = S.max(axis=-1, keepdims=True)
    e = np.exp(S - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


@wrong("self_attention.masked_softmax", "index needs a mask of full shape")
def _(S, mask):
    S = S.copy()
    S[~mask] = -np.inf
    top = S.max(axis=-1, keepdims=True)
    e = np.exp(S - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


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


@wrong("self_attention.causal_mask", "looks at the future")
def _(n):
    return np.triu(np.ones((n, n), dtype=bool))


@wrong("self_attention.causal_mask", "not at itself")
def _(n):
    return np.tril(np.ones((n, n), dtype=bool), k=-1)


@wrong("self_attention.causal_mask", "floats, not bools")
def _(n):
    return np.tril(np.ones((n, n)))


@wrong("self_attention.causal_mask", "one token too far")
def _(n):
    return np.arange(n)[:, None] + 1 >= np.arange(n)


@wrong("self_attention.causal_mask", "minus infinity to be added to scores")
def _(n):
    return np.where(np.tri(n) > 0, 0, -np.inf)


@wrong("self_attention.causal_mask", "only at itself and the one before")
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


@wrong("self_attention.attention", "returns the output alone")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V


@wrong("self_attention.attention", "weights first, output second")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P, P @ V


@wrong("self_attention.attention", "mask ignored")
def _(Q, K, V, mask=None):
    P = softmax(scores(Q, K))
    return P @ V, P


@wrong("self_attention.attention", "asks an array whether it is true")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = masked_softmax(S, mask) if mask else softmax(S)
    return P @ V, P


@wrong("self_attention.attention", "scores not scaled")
def _(Q, K, V, mask=None):
    S = Q @ K.mT
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P @ V, P


@wrong("self_attention.attention", "weights transposed before the values")
def _(Q, K, V, mask=None):
    S = scores(Q, K)
    P = softmax(S) if mask is None else masked_softmax(S, mask)
    return P.mT @ V, P


@wrong("self_attention.attention", "softmax over the queries")
def _(Q, K, V, mask=None):
    S = scores(Q, K) if mask is None else np.where(mask, scores(Q, K), -np.inf)
    P = masked_softmax(S.mT, np.isfinite(S.mT)).mT
    return P @ V, P


@wrong("self_attention.attention", "output masked, not the weights")
def _(Q, K, V, mask=None):
    P = softmax(scores(Q, K))
    if mask is not None:
        P = P * mask
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


@wrong("self_attention.cross_attention", "the memory asks")
def _(X, memory, W_Q, W_K, W_V):
    return attention(memory @ W_Q, X @ W_K, X @ W_V)[0]


@wrong("self_attention.cross_attention", "values from X")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, X @ W_V)[0]


@wrong("self_attention.cross_attention", "self-attention, memory ignored")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, X @ W_K, X @ W_V)[0]


@wrong("self_attention.cross_attention", "returns weights as well")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, memory @ W_V)


@wrong("self_attention.cross_attention", "W_Q and W_K exchanged")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_K, memory @ W_Q, memory @ W_V)[0]


@wrong("self_attention.cross_attention", "values not projected")
def _(X, memory, W_Q, W_K, W_V):
    return attention(X @ W_Q, memory @ W_K, memory)[0]


@wrong("self_attention.cross_attention", "both sequences in one")
def _(X, memory, W_Q, W_K, W_V):
    both = np.concatenate([X, memory], axis=-2)
    return attention(X @ W_Q, both @ W_K, both @ W_V)[0]


@right("self_attention.cross_attention", "values projected after the mean, keys never")
def _(X, memory, W_Q, W_K, W_V):
    S = X @ (W_Q @ W_K.T) @ memory.mT / W_Q.shape[1] ** 0.5
    return softmax(S) @ memory @ W_V


# softmax_backward


@wrong("self_attention.softmax_backward", "the Jacobian's diagonal alone")
def _(dP, P):
    return dP * P * (1 - P)


@wrong("self_attention.softmax_backward", "sum over the whole array")
def _(dP, P):
    return P * (dP - (dP * P).sum())


@wrong("self_attention.softmax_backward", "sum of dP without weights")
def _(dP, P):
    return P * (dP - dP.sum(axis=-1, keepdims=True))


@wrong("self_attention.softmax_backward", "not multiplied by P")
def _(dP, P):
    return dP - (dP * P).sum(axis=-1, keepdims=True)


@wrong("self_attention.softmax_backward", "the sign turned round")
def _(dP, P):
    return P * ((dP * P).sum(axis=-1, keepdims=True) - dP)


@wrong("self_attention.softmax_backward", "sum along the queries")
def _(dP, P):
    return P * (dP - (dP * P).sum(axis=-2, keepdims=True))


@wrong("self_attention.softmax_backward", "a mean for the sum")
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


@wrong("self_attention.attention_backward", "no scale on the way back")
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, mask, False, False)


@wrong("self_attention.attention_backward", "scale forgotten in dK")
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, mask, True, False)


@wrong("self_attention.attention_backward", "scale counted in dS already")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dS": g["dS"] / Q.shape[-1] ** 0.5}


@wrong("self_attention.attention_backward", "weights of the pass without a mask")
def _(dZ, Q, K, V, mask=None):
    return _gradients(dZ, Q, K, V, None)


@wrong("self_attention.attention_backward", "dQ and dK exchanged")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dQ": g["dK"], "dK": g["dQ"]}


@wrong("self_attention.attention_backward", "dK without transposing dS")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dK": g["dS"] @ Q / Q.shape[-1] ** 0.5}


@wrong("self_attention.attention_backward", "softmax's diagonal alone")
def _(dZ, Q, K, V, mask=None):
    P = attention(Q, K, V, mask)[1]
    dP = dZ @ V.mT
    dS = dP * P * (1 - P)
    root = Q.shape[-1] ** 0.5
    return {"dV": P.mT @ dZ, "dP": dP, "dS": dS, "dQ": dS @ K / root, "dK": dS.mT @ Q / root}


@wrong("self_attention.attention_backward", ".T instead of .mT in a batch")
def _(dZ, Q, K, V, mask=None):
    P = attention(Q, K, V, mask)[1]
    dP = dZ @ V.T
    dS = softmax_backward(dP, P)
    root = Q.shape[-1] ** 0.5
    return {"dV": P.T @ dZ, "dP": dP, "dS": dS, "dQ": dS @ K / root, "dK": dS.T @ Q / root}


@wrong("self_attention.attention_backward", "dV is P dZ, not transposed")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g | {"dV": attention(Q, K, V, mask)[1] @ dZ}


@wrong("self_attention.attention_backward", "dP set to zero where masked")
def _(dZ, Q, K, V, mask=None):
    g = _gradients(dZ, Q, K, V, mask)
    return g if mask is None else g | {"dP": np.where(mask, g["dP"], 0)}


@wrong("self_attention.attention_backward", "only the three inputs' gradients")
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


@wrong("self_attention.dot_product_attention", "fills where it may look")
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "-100 is not forbidden enough")
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -100.0)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "softmax along axis 1")
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "no gradient flows")
@torch.no_grad()
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p @ v, p


@wrong("self_attention.dot_product_attention", "weights detached before the values")
def _(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    p = s.softmax(dim=-1)
    return p.detach() @ v, p


@wrong("self_attention.dot_product_attention", "weights masked after the softmax")
def _(q, k, v, mask=None):
    p = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    if mask is not None:
        p = p * mask
    return p @ v, p


@wrong("self_attention.dot_product_attention", "transposes the batch with the keys")
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


@wrong("self_attention.dot_product_attention", "forgets to scale")
def _(q, k, v, mask=None):
    s = q @ k.mT
    if mask is not None:
        s = torch.where(mask, s, -torch.inf)
    p = F.softmax(s, dim=-1)
    return p @ v, p


@right("self_attention.dot_product_attention", "the fused kernel, and weights by hand")
def _(q, k, v, mask=None):
    z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    s = torch.einsum("...nd,...md->...nm", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        s = s.masked_fill(~mask, torch.finfo(s.dtype).min)
    return z, torch.softmax(s, -1)


@right("self_attention.dot_product_attention", "a mask that is added")
def _(q, k, v, mask=None):
    s = (q / math.sqrt(k.size(-1))).matmul(k.transpose(-2, -1))
    if mask is not None:
        s = s + torch.zeros_like(mask, dtype=s.dtype).masked_fill(mask.logical_not(), -math.inf)
    p = torch.exp(s - s.logsumexp(-1, keepdim=True))
    return torch.matmul(p, v), p


# online_attention


@wrong("self_attention.online_attention", "old sums not brought up to date")
def _(q, K, V, block):
    m, l, o = -np.inf, 0.0, 0.0
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        m = max(m, s.max())
        e = np.exp(s - m)
        l, o = l + e.sum(), o + e @ V[i : i + block]
    return o / l


@wrong("self_attention.online_attention", "l brought up to date, o not")
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


@wrong("self_attention.online_attention", "drops the keys of the last, short block")
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


@wrong("self_attention.online_attention", "the highest score starts at 0")
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


@wrong("self_attention.online_attention", "not divided by l")
def _(q, K, V, block):
    m, o = -np.inf, np.zeros(V.shape[1])
    for i in range(0, len(K), block):
        s = K[i : i + block] @ q / len(q) ** 0.5
        new = max(m, s.max())
        o = o * np.exp(m - new) + np.exp(s - new) @ V[i : i + block]
        m = new
    return o


@wrong("self_attention.online_attention", "a plain mean of the blocks' outputs")
def _(q, K, V, block):
    parts = range(0, len(K), block)
    return np.mean([attention(q[None], K[i:][:block], V[i:][:block])[0][0] for i in parts], axis=0)


@wrong("self_attention.online_attention", "no maximum, exp overflows")
def _(q, K, V, block):
    l, o = 0.0, 0.0
    for i in range(0, len(K), block):
        e = np.exp(K[i : i + block] @ q / len(q) ** 0.5)
        l, o = l + e.sum(), o + e @ V[i : i + block]
    return o / l


@wrong("self_attention.online_attention", "scores not scaled")
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


@wrong("self_attention.equivariance_error", "measures invariance")
def _(f, X, order):
    return float(np.abs(f(X[order]) - f(X)).max())


@wrong("self_attention.equivariance_error", "reorders twice, does not undo")
def _(f, X, order):
    return float(np.abs(f(X[order])[order] - f(X)).max())


@wrong("self_attention.equivariance_error", "the mean difference")
def _(f, X, order):
    return float(np.abs(f(X[order]) - f(X)[order]).mean())


@wrong("self_attention.equivariance_error", "largest difference with its sign")
def _(f, X, order):
    return float((f(X[order]) - f(X)[order]).max())


@wrong("self_attention.equivariance_error", "reorders features")
def _(f, X, order):
    return float(np.abs(f(X[:, order]) - f(X)[:, order]).max())


@wrong("self_attention.equivariance_error", "relative to the output's size")
def _(f, X, order):
    a, b = f(X[order]), f(X)[order]
    return float(np.abs(a - b).max() / (np.abs(b).max() + 1e-12))


@wrong("self_attention.equivariance_error", "says yes or no")
def _(f, X, order):
    return float(not np.allclose(f(X[order]), f(X)[order]))


@wrong("self_attention.equivariance_error", "compares an output with itself")
def _(f, X, order):
    return float(np.abs(f(X)[order] - f(X[order][np.argsort(order)])[order]).max())


@wrong("self_attention.equivariance_error", "reorders the given tokens in place")
def _(f, X, order):
    after = f(X)[order]
    X[:] = X[order]
    return float(np.abs(f(X) - after).max())


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


@wrong("self_attention.causal_attention", "the same bug with tril")
def _(Q, K, V):
    n, d = Q.shape
    S = np.where(np.tril(np.ones((n, n), bool), 1), Q @ K.mT / d**0.5, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.causal_attention", "no longer sees itself")
def _(Q, K, V):
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    allowed = np.arange(n)[:, None] >= np.arange(n)[None, :] + 1
    S = np.where(allowed, S, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


@wrong("self_attention.causal_attention", "sees itself and the future")
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


@wrong("self_attention.causal_attention", "mends the mask, breaks the last line")
def _(Q, K, V):
    n, d = Q.shape
    S = np.where(causal_mask(n), Q @ K.mT / d**0.5, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=0, keepdims=True)


@wrong("self_attention.causal_attention", "forbidden scores are 0")
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


# attention_flops


@wrong("self_attention.attention_flops", "multiplications alone")
def _(n, m, d, d_v):
    return n * m * (d + d_v)


@wrong("self_attention.attention_flops", "values as wide as keys")
def _(n, m, d, d_v):
    return 4 * n * m * d


@wrong("self_attention.attention_flops", "as many keys as queries")
def _(n, m, d, d_v):
    return 2 * n * n * (d + d_v)


@wrong("self_attention.attention_flops", "the scores alone")
def _(n, m, d, d_v):
    return 2 * n * m * d


@wrong("self_attention.attention_flops", "one addition fewer than products")
def _(n, m, d, d_v):
    return n * m * (2 * d - 1) + n * d_v * (2 * m - 1)


@wrong("self_attention.attention_flops", "one operation a score for the scale")
def _(n, m, d, d_v):
    return 2 * n * m * (d + d_v) + n * m


@wrong("self_attention.attention_flops", "second product without the keys")
def _(n, m, d, d_v):
    return 2 * n * m * d + 2 * n * d_v


@right("self_attention.attention_flops", "summed over the products' shapes")
def _(n, m, d, d_v):
    return 2 * sum(math.prod(sizes) for sizes in [(n, d, m), (n, m, d_v)])
