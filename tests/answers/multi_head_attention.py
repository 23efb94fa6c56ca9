"""Chapter 02.

A second round, blind to the bank, wrote 39 wrong answers and 4 right ones to MultiHeadAttention,
AddPlaces, RelativeBias and round_table_step. None was accepted or refused wrongly; 34 got a true
sentence and none a false one, and after the mending 38. Here are those that said something new.
"""

import cmath
import math
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import block_diag
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.attention import attention, attention_backward, softmax
from tutorial_lib.from_scratch.multi_head import merge_heads, split_heads
from tutorial_lib.from_scratch.positions import (
    frequencies,
    relative_position_index,
    sinusoidal,
)
from tutorial_lib.layers.attention import dot_product_attention

# split_heads


@wrong(
    "multi_head_attention.split_heads",
    "reshape alone, tokens cut across heads",
    says="You reshape straight to (heads, N, d)",
)
def _(X, heads):
    *batch, n, D = X.shape
    return X.reshape(*batch, heads, n, D // heads)


@wrong(
    "multi_head_attention.split_heads",
    "features dealt out like cards",
    says="Head i gets the features i, i + heads",
)
def _(X, heads):
    *batch, n, D = X.shape
    return np.moveaxis(X.reshape(*batch, n, D // heads, heads), -1, -3)


@wrong(
    "multi_head_attention.split_heads",
    "heads behind the tokens",
    says="The features are cut and the axes not",
)
def _(X, heads):
    *batch, n, D = X.shape
    return X.reshape(*batch, n, heads, D // heads)


@wrong(
    "multi_head_attention.split_heads",
    "exactly one axis of batch",
    says="Your code unpacks another number",
)
def _(X, heads):
    B, n, D = X.shape
    return X.reshape(B, n, heads, D // heads).transpose(0, 2, 1, 3)


@wrong(
    "multi_head_attention.split_heads",
    "AssertionError for a wrong number of heads",
    says="What should be refused is refused, but with",
)
def _(X, heads):
    *batch, n, D = X.shape
    assert D % heads == 0, "heads must divide D"
    return X.reshape(*batch, n, heads, D // heads).swapaxes(-3, -2)


@wrong(
    "multi_head_attention.split_heads",
    "drops the features left over",
    says="Right wherever there is an answer. What does",
)
def _(X, heads):
    d = X.shape[-1] // heads
    return np.stack([X[..., i * d : (i + 1) * d] for i in range(heads)], axis=-3)


@wrong("multi_head_attention.split_heads", "always float64", says="their dtype is not")
def _(X, heads):
    *batch, n, D = X.shape
    if D % heads:
        raise ValueError("heads must divide D")
    d = D // heads
    out = np.zeros((*batch, heads, n, d))
    for i in range(heads):
        out[..., i, :, :] = X[..., i * d : (i + 1) * d]
    return out


@wrong(
    "multi_head_attention.split_heads",
    "swaps tokens and a head's features",
    says="Each head's matrix lies on its side",
)
def _(X, heads):
    *batch, n, D = X.shape
    return X.reshape(*batch, n, heads, D // heads).swapaxes(-3, -2).swapaxes(-2, -1)


@right("multi_head_attention.split_heads", "np.split, which raises by itself")
def _(X, heads):
    return np.stack(np.split(X, heads, axis=-1), axis=-3)


@right("multi_head_attention.split_heads", "features first, then cut")
def _(X, heads):
    if X.shape[-1] % heads != 0:
        raise ValueError(f"{X.shape[-1]} features cannot be shared by {heads} heads")
    features = np.moveaxis(X, -1, 0)
    blocks = features.reshape(heads, -1, *features.shape[1:])
    return np.moveaxis(np.moveaxis(blocks, 1, -1), 0, -3)


# merge_heads


@wrong(
    "multi_head_attention.merge_heads",
    "reshape without swapping back",
    says="You reshape without swapping the axes",
)
def _(X):
    *batch, heads, n, d = X.shape
    return X.reshape(*batch, n, heads * d)


@wrong(
    "multi_head_attention.merge_heads", "heads alternate", says="The heads' features are shuffled"
)
def _(X):
    *batch, heads, n, d = X.shape
    return np.moveaxis(X, -3, -1).reshape(*batch, n, heads * d)


@wrong(
    "multi_head_attention.merge_heads",
    "joins along the first axis of a batch",
    says="Right for one sequence",
)
def _(X):
    return np.concatenate(list(X), axis=-1)


@wrong("multi_head_attention.merge_heads", "exactly one axis of batch")
def _(X):
    return X.transpose(0, 2, 1, 3).reshape(X.shape[0], X.shape[2], -1)


@wrong("multi_head_attention.merge_heads", "always float64", says="their dtype is not")
def _(X):
    *batch, heads, n, d = X.shape
    Y = np.empty((*batch, n, heads * d))
    for i in range(heads):
        Y[..., i * d : (i + 1) * d] = X[..., i, :, :]
    return Y


@wrong("multi_head_attention.merge_heads", "the mean of the heads", says="You average the heads")
def _(X):
    return X.mean(axis=-3)


@wrong(
    "multi_head_attention.merge_heads",
    "the last head first",
    says="The right numbers, but in other places. Wrong",
)
def _(X):
    *batch, heads, n, d = X.shape
    return X[..., ::-1, :, :].swapaxes(-3, -2).reshape(*batch, n, heads * d)


@right("multi_head_attention.merge_heads", "joined head by head")
def _(X):
    return np.concatenate(np.moveaxis(X, -3, 0), axis=-1)


@right("multi_head_attention.merge_heads", "PyTorch's flatten")
def _(X):
    return torch.tensor(X).movedim(-3, -2).flatten(-2).numpy()


# multi_head_attention


@wrong("multi_head_attention.multi_head_attention", "without W_O", says="W_O is missing")
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V, None if mask is None else mask[..., None, :, :])
    return merge_heads(Z), P


@wrong(
    "multi_head_attention.multi_head_attention",
    "mask without an axis for the heads",
    says="Your mask has no axis for the heads",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V, mask)
    return merge_heads(Z) @ W["W_O"], P


@wrong(
    "multi_head_attention.multi_head_attention",
    "scores over the root of D",
    says="You divide by √D",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q / heads**0.5, K, V, None if mask is None else mask[..., None, :, :])
    return merge_heads(Z) @ W["W_O"], P


@wrong(
    "multi_head_attention.multi_head_attention",
    "values from X",
    says="Two shapes do not fit. Write the shape behind",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], X @ W["W_V"]))
    Z, P = attention(Q, K, V, None if mask is None else mask[..., None, :, :])
    return merge_heads(Z) @ W["W_O"], P


@wrong("multi_head_attention.multi_head_attention", "mask ignored", says="You do not use the mask")
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V)
    return merge_heads(Z) @ W["W_O"], P


@wrong(
    "multi_head_attention.multi_head_attention",
    "one head as wide as all",
    says="All heads of yours have the same weights:",
)
def _(X, memory, W, heads, mask=None):
    Z, P = attention(X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"], mask)
    return Z @ W["W_O"], np.stack([P] * heads, axis=-3)


@wrong(
    "multi_head_attention.multi_head_attention",
    "merged by reshape alone",
    says="The weights are right and the output is",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V, None if mask is None else mask[..., None, :, :])
    return Z.reshape(X.shape) @ W["W_O"], P


@wrong(
    "multi_head_attention.multi_head_attention",
    "the heads' weights averaged",
    says="averaged over axis -3",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V, None if mask is None else mask[..., None, :, :])
    return merge_heads(Z) @ W["W_O"], P.mean(axis=-3)


@wrong("multi_head_attention.multi_head_attention", "tokens split, never projected")
def _(X, memory, W, heads, mask=None):
    d = X.shape[-1] // heads
    parts = [
        attention(*(A[..., i * d :][..., :d] for A in (X, memory, memory)), mask)
        for i in range(heads)
    ]
    Z = np.concatenate([Z for Z, _ in parts], axis=-1)
    return Z @ W["W_O"], np.stack([P for _, P in parts], axis=-3)


@wrong(
    "multi_head_attention.multi_head_attention",
    "axis for the heads counted from the front",
    says="`mask[:, None]` puts the axis for the heads",
)
def _(X, memory, W, heads, mask=None):
    Q, K, V = (split_heads(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    Z, P = attention(Q, K, V, None if mask is None else mask[:, None])
    return merge_heads(Z) @ W["W_O"], P


@right("multi_head_attention.multi_head_attention", "a loop, each head with its rows of W_O")
def _(X, memory, W, heads, mask=None):
    d = X.shape[-1] // heads
    Y, weights = 0, []
    for i in range(heads):
        part = slice(i * d, i * d + d)
        Q, K, V = X @ W["W_Q"][:, part], memory @ W["W_K"][:, part], memory @ W["W_V"][:, part]
        Z, P = attention(Q, K, V, mask)
        Y = Y + Z @ W["W_O"][part]
        weights.append(P)
    return Y, np.stack(weights, axis=-3)


@right("multi_head_attention.multi_head_attention", "einsum over weights of three axes")
def _(X, memory, W, heads, mask=None):
    cut = {n: M.reshape(len(M), heads, -1) for n, M in W.items() if n != "W_O"}
    Q = np.einsum("...nD,Dhd->...hnd", X, cut["W_Q"])
    K = np.einsum("...mD,Dhd->...hmd", memory, cut["W_K"])
    V = np.einsum("...mD,Dhd->...hmd", memory, cut["W_V"])
    Z, P = attention(Q, K, V, mask if mask is None else np.expand_dims(mask, -3))
    O = W["W_O"].reshape(heads, -1, X.shape[-1])
    return np.einsum("...hnd,hdD->...nD", Z, O), P


# packed_attention


@wrong(
    "multi_head_attention.packed_attention",
    "the same bug, shared by Q and K",
    says="The bug is still there: yours gives what the",
)
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, 3, heads, D // heads).transpose(2, 0, 3, 1, 4)
    P = softmax((Q / D**0.25) @ (K / D**0.25).mT)
    return (P @ V).transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@wrong(
    "multi_head_attention.packed_attention",
    "divided by d, not its root",
    says="Now you divide by the number of a head's",
)
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, 3, heads, D // heads).transpose(2, 0, 3, 1, 4)
    P = softmax(Q @ K.mT / (D // heads))
    return (P @ V).transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@wrong("multi_head_attention.packed_attention", "mends the cutting, not the scale")
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, heads, 3, D // heads).transpose(3, 0, 2, 1, 4)
    P = softmax(Q @ K.mT / D**0.5)
    return (P @ V).transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@wrong(
    "multi_head_attention.packed_attention",
    "divided by the root of the heads",
    says="a score does not add up heads",
)
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, 3, heads, D // heads).transpose(2, 0, 3, 1, 4)
    P = softmax(Q @ K.mT / heads**0.5)
    return (P @ V).transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@wrong("multi_head_attention.packed_attention", "mends the scale, breaks the way back")
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, 3, heads, D // heads).transpose(2, 0, 3, 1, 4)
    P = softmax(Q @ K.mT / (D // heads) ** 0.5)
    return (P @ V).reshape(B, N, D) @ W_O


@wrong("multi_head_attention.packed_attention", "no scale at all", says="You took the scale out")
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    Q, K, V = (X @ W_QKV).reshape(B, N, 3, heads, D // heads).transpose(2, 0, 3, 1, 4)
    P = softmax(Q @ K.mT)
    return (P @ V).transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@right("multi_head_attention.packed_attention", "takes the root of heads back")
def _(X, W_QKV, W_O, heads):
    B, N, D = X.shape
    QKV = (X @ W_QKV).reshape(B, N, 3, heads, D // heads)
    Q, K, V = QKV.transpose(2, 0, 3, 1, 4)
    S = Q @ K.mT * heads**0.5 / D**0.5
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    Z = (e / e.sum(axis=-1, keepdims=True)) @ V
    return Z.transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


@right("multi_head_attention.packed_attention", "three products and a loop")
def _(X, W_QKV, W_O, heads):
    Q, K, V = (np.split(X @ M, heads, axis=-1) for M in np.split(W_QKV, 3, axis=-1))
    Z = [attention(*head)[0] for head in zip(Q, K, V)]
    return np.concatenate(Z, axis=-1) @ W_O


# multi_head_attention_backward


def _flat(A):
    return A.reshape(-1, A.shape[-1])


def _gradients(dY, X, memory, W, heads, mask):
    split = partial(split_heads, heads=heads)
    Q, K, V = split(X @ W["W_Q"]), split(memory @ W["W_K"]), split(memory @ W["W_V"])
    if mask is not None:
        mask = mask[..., None, :, :]
    H = merge_heads(attention(Q, K, V, mask)[0])
    g = {"dW_O": _flat(H).T @ _flat(dY), "dH": dY @ W["W_O"].T}
    back = attention_backward(split(g["dH"]), Q, K, V, mask)
    g |= {name: merge_heads(back[name]) for name in ("dQ", "dK", "dV")}
    g["dW_Q"] = _flat(X).T @ _flat(g["dQ"])
    g["dW_K"] = _flat(memory).T @ _flat(g["dK"])
    g["dW_V"] = _flat(memory).T @ _flat(g["dV"])
    g["dX"] = g["dQ"] @ W["W_Q"].T
    g["dmemory"] = g["dK"] @ W["W_K"].T + g["dV"] @ W["W_V"].T
    return g


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "a weight gradient for each sequence",
    says="dW_Q is where the chain breaks",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    g["dW_Q"] = X.mT @ g["dQ"]
    g["dW_K"], g["dW_V"] = memory.mT @ g["dK"], memory.mT @ g["dV"]
    return g


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "weights averaged over the batch",
    says="You average the gradients of the weights",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    sequences = dY.size // (dY.shape[-1] * dY.shape[-2])
    return g | {n: g[n] / sequences for n in g if n.startswith("dW")}


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "memory's gradient through keys alone",
    says="The memory's gradient through its values",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    return g | {"dmemory": g["dK"] @ W["W_K"].T}


@wrong("multi_head_attention.multi_head_attention_backward", "dX with dmemory in self-attention")
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    return g | {"dX": g["dX"] + g["dmemory"]} if np.array_equal(X, memory) else g


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "dH with W_O not transposed",
    says="dH should be dY W_Oᵀ. W_O is square",
)
def _(dY, X, memory, W, heads, mask=None):
    return _gradients(dY, X, memory, W | {"W_O": W["W_O"].T}, heads, mask)


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "mask ignored",
    says="You do not use the mask",
)
def _(dY, X, memory, W, heads, mask=None):
    return _gradients(dY, X, memory, W, heads, None)


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "all features as one head",
    says="dW_O is wrong already: begin there.",
)
def _(dY, X, memory, W, heads, mask=None):
    return _gradients(dY, X, memory, W, 1, mask)


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "dQ, dK, dV with their heads apart",
    says="dQ is where the chain breaks",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    return g | {n: split_heads(g[n], heads) for n in ("dQ", "dK", "dV")}


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "dW_O from the output, not from H",
    says="dW_O is made from X. But W_O never saw X",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    return g | {"dW_O": _flat(X).T @ _flat(dY)}


@wrong(
    "multi_head_attention.multi_head_attention_backward",
    "dW_K and dW_V from X, not the memory",
    says="dW_K and dW_V are made from X. In",
)
def _(dY, X, memory, W, heads, mask=None):
    g = _gradients(dY, X, memory, W, heads, mask)
    return g | {n: _flat(X).T @ _flat(g[n.replace("W_", "")]) for n in ("dW_K", "dW_V")}


@right("multi_head_attention.multi_head_attention_backward", "PyTorch's autograd")
def _(dY, X, memory, W, heads, mask=None):
    x, y = torch.tensor(X, requires_grad=True), torch.tensor(memory, requires_grad=True)
    w = {name: torch.tensor(M, requires_grad=True) for name, M in W.items()}
    q, k, v = x @ w["W_Q"], y @ w["W_K"], y @ w["W_V"]
    Q, K, V = (a.unflatten(-1, (heads, -1)).transpose(-3, -2) for a in (q, k, v))
    s = Q @ K.mT / Q.shape[-1] ** 0.5
    p = s.softmax(-1)
    if mask is not None:
        m = torch.tensor(mask).unsqueeze(-3)
        p = s.masked_fill(~m, torch.finfo(s.dtype).min).softmax(-1) * m
    h = (p @ V).transpose(-3, -2).flatten(-2)
    of = {"W_O": w["W_O"], "H": h, "Q": q, "K": k, "V": v}
    of |= {n: w[n] for n in ("W_Q", "W_K", "W_V")} | {"X": x, "memory": y}
    grads = torch.autograd.grad(h @ w["W_O"], list(of.values()), torch.tensor(dY))
    return {f"d{name}": g.numpy() for name, g in zip(of, grads)}


@right("multi_head_attention.multi_head_attention_backward", "head by head, summed by tensordot")
def _(dY, X, memory, W, heads, mask=None):
    Q, K, V = X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]
    dH = np.einsum("...nD,dD->...nd", dY, W["W_O"])
    H, dQ, dK, dV = np.empty_like(Q), np.empty_like(Q), np.empty_like(K), np.empty_like(V)
    d = Q.shape[-1] // heads
    for i in range(heads):
        p = (..., slice(i * d, (i + 1) * d))
        H[p] = attention(Q[p], K[p], V[p], mask)[0]
        back = attention_backward(dH[p], Q[p], K[p], V[p], mask)
        dQ[p], dK[p], dV[p] = back["dQ"], back["dK"], back["dV"]

    def outer(A, B):
        axes = list(range(A.ndim - 1))
        return np.tensordot(A, B, axes=(axes, axes))

    return {
        "dW_O": outer(H, dY),
        "dH": dH,
        "dQ": dQ,
        "dK": dK,
        "dV": dV,
        "dW_Q": outer(X, dQ),
        "dW_K": outer(memory, dK),
        "dW_V": outer(memory, dV),
        "dX": dQ @ W["W_Q"].T,
        "dmemory": dV @ W["W_V"].T + dK @ W["W_K"].T,
    }


# MultiHeadAttention


class FourMaps(nn.Module):
    """What most answers share: the four maps, and who answers."""

    def __init__(self, dim, heads, dim_memory):
        super().__init__()
        self.h, self.d = heads, dim // heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim_memory, dim, bias=False)
        self.to_v = nn.Linear(dim_memory, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        return self.attend(x, memory, mask)


def cut(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).permute(0, 2, 1, 3)


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "heads cut by reshape alone",
    says="In and out by `view` alone",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        B, N, D = x.shape
        q, k, v = self.to_q(x), self.to_k(memory), self.to_v(memory)
        q, k, v = (t.reshape(B, self.h, -1, self.d) for t in (q, k, v))
        mask = mask if mask is None else mask[:, None]
        return self.to_out(dot_product_attention(q, k, v, mask)[0].reshape(B, N, D))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "merged without transposing back",
    says="`view(B, N, dim)` on the way out",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        z, _ = dot_product_attention(*parts, None if mask is None else mask[:, None])
        return self.to_out(z.reshape(x.shape))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "divided by the root of dim",
    says="You divide by √dim",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        q, k, v = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        s = q @ k.mT / x.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[:, None], float("-inf"))
        p = s.softmax(-1).nan_to_num(0)
        return self.to_out((p @ v).transpose(1, 2).flatten(2))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "as many keys as queries",
    says="Two shapes do not fit. Write the shape behind",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        B, N, D = x.shape
        q, k, v = self.to_q(x), self.to_k(memory), self.to_v(memory)
        q, k, v = (t.view(B, N, self.h, self.d).transpose(1, 2) for t in (q, k, v))
        z, _ = dot_product_attention(q, k, v, None if mask is None else mask[:, None])
        return self.to_out(z.transpose(1, 2).reshape(B, N, D))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "view after a transpose",
    says="`view` right after `transpose`",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        z, _ = dot_product_attention(*parts, None if mask is None else mask[:, None])
        return self.to_out(z.transpose(1, 2).view(x.shape))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "a list of small heads, each with its own maps",
    says="to_q.weight is missing",
)
class _(nn.Module):
    def __init__(self, dim, heads, dim_memory):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.ModuleList(
                nn.Linear(n, dim // heads, bias=False) for n in (dim, dim_memory, dim_memory)
            )
            for _ in range(heads)
        )
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        z = [dot_product_attention(q(x), k(memory), v(memory), mask)[0] for q, k, v in self.heads]
        return self.to_out(torch.cat(z, dim=-1))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "tokens cut into blocks first, each block projected by its part",
    says="reads only its own block of a token's features",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        z = []
        for i in range(self.h):

            def block(to, tokens, i=i):
                n = tokens.shape[-1] // self.h
                own = to.weight[i * self.d : (i + 1) * self.d, i * n : (i + 1) * n]
                return tokens[..., i * n : (i + 1) * n] @ own.T

            q = block(self.to_q, x)
            z.append(
                dot_product_attention(q, block(self.to_k, memory), block(self.to_v, memory), mask)[
                    0
                ]
            )
        return self.to_out(torch.cat(z, dim=-1))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "the mask as it is",
    says="Your mask has no axis for the heads",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        return self.to_out(dot_product_attention(*parts, mask)[0].transpose(1, 2).flatten(2))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "PyTorch's fused attention without a word for the mask",
    says="Right without a mask: yours goes nowhere",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        return self.to_out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "maps to a head's width",
    says="to_q.weight has the shape",
)
class _(nn.Module):
    def __init__(self, dim, heads, dim_memory):
        super().__init__()
        d = dim // heads
        self.to_q, self.to_k = nn.Linear(dim, d, bias=False), nn.Linear(dim_memory, d, bias=False)
        self.to_v, self.to_out = (
            nn.Linear(dim_memory, d, bias=False),
            nn.Linear(dim, dim, bias=False),
        )

    def forward(self, x, memory=None, mask=None):
        return x


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "keys and values from x",
    says="The memory is not used",
)
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(x), self.to_v(x)))
        z, _ = dot_product_attention(*parts, None if mask is None else mask[:, None])
        return self.to_out(z.transpose(1, 2).flatten(2))


@right("multi_head_attention.MultiHeadAttention", "the fused kernel")
class _(FourMaps):
    def attend(self, x, memory, mask):
        parts = (cut(t, self.h) for t in (self.to_q(x), self.to_k(memory), self.to_v(memory)))
        mask = None if mask is None else mask.unsqueeze(1)
        return self.to_out(F.scaled_dot_product_attention(*parts, mask).transpose(1, 2).flatten(2))


@right("multi_head_attention.MultiHeadAttention", "a loop over heads, each with its rows of to_out")
class _(FourMaps):
    def attend(self, x, memory, mask):
        y = 0
        for i in range(self.h):
            own = slice(i * self.d, (i + 1) * self.d)
            q, k, v = (
                F.linear(t, to.weight[own])
                for t, to in ((x, self.to_q), (memory, self.to_k), (memory, self.to_v))
            )
            y = y + dot_product_attention(q, k, v, mask)[0] @ self.to_out.weight[:, own].T
        return y


@right("multi_head_attention.MultiHeadAttention", "heads in the batch, einsum")
class _(FourMaps):
    def attend(self, x, memory, mask):
        q, k, v = self.to_q(x), self.to_k(memory), self.to_v(memory)
        q, k, v = (torch.cat(t.chunk(self.h, dim=-1)) for t in (q, k, v))  # (heads · B, N, d)
        s = torch.einsum("bnd,bmd->bnm", q, k) / math.sqrt(q.shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask.expand(len(x), -1, -1).repeat(self.h, 1, 1), float("-inf"))
        p = torch.nan_to_num(F.softmax(s, -1), 0.0)
        return self.to_out(torch.cat(torch.bmm(p, v).chunk(self.h), dim=-1))


# AddPlaces


class Table(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(places, dim) * 0.05)


@wrong("multi_head_attention.AddPlaces", "a plain tensor", says="table is a plain tensor")
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = 0.05 * torch.randn(places, dim)

    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError("too many tokens")
        return x + self.table[: x.shape[1]]


@wrong("multi_head_attention.AddPlaces", "refuses nothing", says="A sequence longer than the table")
class _(Table):
    def forward(self, x):
        B, N, dim = x.shape
        return x + self.table[None, :N]


@wrong("multi_head_attention.AddPlaces", "begins with zeros", says="right but for how table begins")
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(places, dim))

    def forward(self, x):
        if x.shape[1] > self.table.shape[0]:
            raise ValueError
        return x + self.table[: x.shape[1]]


@wrong("multi_head_attention.AddPlaces", "an nn.Embedding", says="table.weight is one too many")
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Embedding(places, dim)

    def forward(self, x):
        return x + self.table(torch.arange(x.shape[1]))


@wrong("multi_head_attention.AddPlaces", "rows counted by len(x)", says="`len(x)` is B")
class _(Table):
    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError("no place for all")
        return x + self.table[: len(x)]


@wrong("multi_head_attention.AddPlaces", "added in place", says="changes its argument x in place")
class _(Table):
    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError("no place for all")
        x += self.table[: x.shape[1]]
        return x


@right("multi_head_attention.AddPlaces", "looked up by number")
class _(Table):
    def forward(self, x):
        number = torch.arange(x.shape[1])
        if number.numel() > self.table.size(0):
            raise ValueError(f"at most {self.table.size(0)} tokens")
        return x + torch.index_select(self.table, 0, number)[None].expand_as(x)


# RelativeBias


class Offsets(nn.Module):
    def __init__(self, rows, columns, heads):
        super().__init__()
        y, x = np.divmod(np.arange(rows * columns), columns)
        dy, dx = y[:, None] - y + rows - 1, x[:, None] - x + columns - 1
        self.register_buffer("index", torch.from_numpy(dy * (2 * columns - 1) + dx))
        self.table = nn.Parameter(torch.zeros(heads, (2 * rows - 1) * (2 * columns - 1)))


@wrong("multi_head_attention.RelativeBias", "read key by query", says="Key and query are exchanged")
class _(Offsets):
    def forward(self, scores):
        return scores + self.table[:, self.index].transpose(-1, -2)


@wrong("multi_head_attention.RelativeBias", "as many entries as tokens", says="table has the shape")
class _(nn.Module):
    def __init__(self, rows, columns, heads):
        super().__init__()
        self.register_buffer("index", torch.from_numpy(relative_position_index(rows, columns)))
        self.table = nn.Parameter(torch.zeros(heads, rows * columns))

    def forward(self, scores):
        return scores + self.table[:, self.index]


@wrong("multi_head_attention.RelativeBias", "index a plain tensor", says="index is a plain tensor")
class _(nn.Module):
    def __init__(self, rows, columns, heads):
        super().__init__()
        self.index = torch.from_numpy(relative_position_index(rows, columns))
        self.table = nn.Parameter(torch.zeros(heads, (2 * rows - 1) * (2 * columns - 1)))

    def forward(self, scores):
        return scores + self.table[:, self.index]


@wrong("multi_head_attention.RelativeBias", "the bias alone", says="leave out the scores")
class _(Offsets):
    def forward(self, scores):
        return self.table[:, self.index][None].repeat(len(scores), 1, 1, 1)


@wrong("multi_head_attention.RelativeBias", "begins at 0.02", says="right but for how table begins")
class _(Offsets):
    def __init__(self, rows, columns, heads):
        super().__init__(rows, columns, heads)
        nn.init.normal_(self.table, std=0.02)

    def forward(self, scores):
        return scores + self.table[:, self.index]


@right("multi_head_attention.RelativeBias", "Swin's way, flattened and viewed")
class _(Offsets):
    def forward(self, scores):
        n = self.index.shape[0]
        bias = self.table.T[self.index.view(-1)].view(n, n, -1).permute(2, 0, 1).contiguous()
        return scores + bias.unsqueeze(0)


# round_table_step


@wrong(
    "multi_head_attention.round_table_step",
    "gradients pile up",
    says="Old gradients are not cleared",
)
def _(model, optimizer, guests, digits):
    loss = F.cross_entropy(model(guests).reshape(-1, 10), digits.reshape(-1))
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "multi_head_attention.round_table_step",
    "scores as they are",
    says="It takes axis 1 for the classes",
)
def _(model, optimizer, guests, digits):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(guests), digits)
    loss.backward()
    optimizer.step()
    return float(loss)


@wrong(
    "multi_head_attention.round_table_step",
    "the two questions' losses added",
    says="The losses of the two questions are added",
)
def _(model, optimizer, guests, digits):
    colour, left = model(guests).unbind(2)
    loss = F.cross_entropy(colour.flatten(0, 1), digits[..., 0].flatten())
    loss = loss + F.cross_entropy(left.flatten(0, 1), digits[..., 1].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "multi_head_attention.round_table_step",
    "the second question forgotten",
    says="Only the first question is judged",
)
def _(model, optimizer, guests, digits):
    scores = model(guests)[:, :, 0].flatten(0, 1)
    loss = F.cross_entropy(scores, digits[:, :, 0].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "multi_head_attention.round_table_step",
    "the loss itself, with its graph",
    says="keeps its whole graph alive",
)
def _(model, optimizer, guests, digits):
    loss = F.cross_entropy(model(guests).flatten(0, 2), digits.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@wrong(
    "multi_head_attention.round_table_step",
    "the softmax first, then the cross-entropy",
    says="takes one itself",
)
def _(model, optimizer, guests, digits):
    probabilities = torch.softmax(model(guests), -1)
    loss = F.cross_entropy(probabilities.reshape(-1, 10), digits.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@right("multi_head_attention.round_table_step", "classes moved to axis 1")
def _(model, optimizer, guests, digits):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(guests).permute(0, 3, 1, 2), digits)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@right("multi_head_attention.round_table_step", "log-probabilities gathered")
def _(model, optimizer, guests, digits):
    log_p = model(guests).log_softmax(-1).gather(-1, digits[..., None])
    loss = -log_p.mean()
    for p in model.parameters():
        p.grad = None
    loss.backward()
    optimizer.step()
    return loss.item()


# sinusoidal


@wrong(
    "multi_head_attention.sinusoidal",
    "sines first, cosines after them",
    says="All sines first, then all cosines",
)
def _(n, d):
    angle = np.arange(n)[:, None] * frequencies(d)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)


@wrong("multi_head_attention.sinusoidal", "cosine on the even features", says="Cosine comes first")
def _(n, d):
    angle = np.arange(n)[:, None] * frequencies(d)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(n, d)


@wrong("multi_head_attention.sinusoidal", "exponent i over d, not 2i", says="The exponent is i/d")
def _(n, d):
    angle = np.arange(n)[:, None] / 10000 ** (np.arange(d // 2) / d)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


@wrong(
    "multi_head_attention.sinusoidal",
    "a frequency of its own for each feature",
    says="Every feature has a frequency of its own",
)
def _(n, d):
    angle = np.arange(n)[:, None] / 10000 ** (np.arange(d) / d)
    return np.where(np.arange(d) % 2 == 0, np.sin(angle), np.cos(angle))


@wrong("multi_head_attention.sinusoidal", "positions from one", says="You count positions from 1")
def _(n, d):
    angle = np.arange(1, n + 1)[:, None] * frequencies(d)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


@wrong("multi_head_attention.sinusoidal", "float32", says="their dtype is not")
def _(n, d):
    angle = np.arange(n)[:, None] * frequencies(d)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d).astype(np.float32)


@wrong(
    "multi_head_attention.sinusoidal",
    "multiplied by the power of 10000",
    says="You multiply by 10000^(2i/d) instead of",
)
def _(n, d):
    angle = np.arange(n)[:, None] * 10000 ** (np.arange(0, d, 2) / d)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


@wrong(
    "multi_head_attention.sinusoidal",
    "exponent floored to a whole number",
    says="All pairs turn equally fast: your exponent",
)
def _(n, d):
    angle = np.arange(n)[:, None] / 10000.0 ** (np.arange(0, d, 2) // d)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


@right("multi_head_attention.sinusoidal", "turned in the complex plane")
def _(n, d):
    i = np.exp(1j * np.outer(np.arange(n), 1e4 ** (-np.arange(0, d, 2) / d)))
    E = np.empty((n, d))
    E[:, 1::2], E[:, ::2] = i.real, i.imag
    return E


@right("multi_head_attention.sinusoidal", "number by number")
def _(n, d):
    def entry(p, j):
        angle = p / math.pow(10000, (j - j % 2) / d)
        return math.cos(angle) if j % 2 else math.sin(angle)

    return np.array([[entry(p, j) for j in range(d)] for p in range(n)])


# shift_matrix


def _shift(angle, lower=-1, upper=1):
    d = 2 * len(angle)
    T = np.zeros((d, d))
    s = np.arange(0, d, 2)
    T[s, s] = T[s + 1, s + 1] = np.cos(angle)
    T[s, s + 1], T[s + 1, s] = upper * np.sin(angle), lower * np.sin(angle)
    return T


@wrong(
    "multi_head_attention.shift_matrix", "moves back, transposed", says="Your matrix shifts by −k"
)
def _(k, d):
    return _shift(k * frequencies(d), lower=1, upper=-1)


@wrong("multi_head_attention.shift_matrix", "both sines positive", says="Both sines are positive")
def _(k, d):
    return _shift(k * frequencies(d), lower=1)


@wrong(
    "multi_head_attention.shift_matrix",
    "for sines and cosines in two halves",
    says="Your blocks are those of an encoding",
)
def _(k, d):
    angle = k * frequencies(d)
    c, s = np.diag(np.cos(angle)), np.diag(np.sin(angle))
    return np.block([[c, s], [-s, c]])


@wrong(
    "multi_head_attention.shift_matrix",
    "one angle for all pairs",
    says="All blocks turn by the same angle k",
)
def _(k, d):
    return _shift(np.full(d // 2, float(k)))


@wrong(
    "multi_head_attention.shift_matrix",
    "exponent i over d, not 2i",
    says="The exponent is i/d, half of what it should",
)
def _(k, d):
    return _shift(k * 10000 ** (-np.arange(d // 2) / d))


@wrong(
    "multi_head_attention.shift_matrix",
    "moves forward by negative k too",
    says="Where it fails: Yours is the transpose of the",
)
def _(k, d):
    return _shift(abs(k) * frequencies(d))


@wrong("multi_head_attention.shift_matrix", "steps of one row, not of two")
def _(k, d):
    T = np.zeros((d, d))
    for i, w in enumerate(frequencies(d)):
        T[i : i + 2, i : i + 2] = _shift(np.array([k * w]))
    return T


@right("multi_head_attention.shift_matrix", "block_diag of small turns")
def _(k, d):
    turns = (cmath.exp(1j * k * 10000.0 ** (-2 * i / d)) for i in range(d // 2))
    return block_diag(*([[z.real, z.imag], [-z.imag, z.real]] for z in turns))


@right("multi_head_attention.shift_matrix", "read off two diagonals")
def _(k, d):
    E = sinusoidal(1, d)[0]  # 0, 1, 0, 1, ...
    angle = np.repeat(k * frequencies(d), 2)
    side = (np.sin(angle) * (1 - E))[:-1]
    return np.diag(np.cos(angle)) + np.diag(side, 1) - np.diag(side, -1)


# sinusoidal_2d


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "column's features first",
    says="The column comes first and the row",
)
def _(rows, columns, d):
    y, x = np.divmod(np.arange(rows * columns), columns)
    E_y, E_x = sinusoidal(rows, d // 2), sinusoidal(columns, d // 2)
    return np.concatenate([E_x[x], E_y[y]], axis=-1)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "tile and repeat exchanged",
    says="You number the tokens column by column",
)
def _(rows, columns, d):
    E_y = np.tile(sinusoidal(rows, d // 2), (columns, 1))
    E_x = np.repeat(sinusoidal(columns, d // 2), rows, axis=0)
    return np.concatenate([E_y, E_x], axis=-1)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "all d features for each, added",
    says="You add an encoding of the row and one",
)
def _(rows, columns, d):
    E_y, E_x = sinusoidal(rows, d), sinusoidal(columns, d)
    return (E_y[:, None] + E_x).reshape(rows * columns, d)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "the grid not made one row",
    says="The grid is still a grid, (rows, columns",
)
def _(rows, columns, d):
    E = np.empty((rows, columns, d))
    E[..., : d // 2] = sinusoidal(rows, d // 2)[:, None]
    E[..., d // 2 :] = sinusoidal(columns, d // 2)
    return E


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "one dimension, numbered through",
    says="You number the tokens through and encode",
)
def _(rows, columns, d):
    return sinusoidal(rows * columns, d)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "2 d features",
    says="Axis -1 of yours is 2 times as long as it",
)
def _(rows, columns, d):
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.concatenate([sinusoidal(rows, d)[y], sinusoidal(columns, d)[x]], axis=-1)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "halves cut from encodings of d features",
    says="The frequencies run through all d",
)
def _(rows, columns, d):
    y, x = np.divmod(np.arange(rows * columns), columns)
    E_y, E_x = sinusoidal(rows, d)[:, : d // 2], sinusoidal(columns, d)[:, d // 2 :]
    return np.concatenate([E_y[y], E_x[x]], axis=-1)


@wrong(
    "multi_head_attention.sinusoidal_2d",
    "row number by dividing by rows",
    says="The right numbers, but in other places.",
)
def _(rows, columns, d):
    y, x = np.divmod(np.arange(rows * columns), rows)
    n = max(rows, columns) ** 2
    E = sinusoidal(n, d // 2)
    return np.concatenate([E[y], E[x]], axis=-1)


@right("multi_head_attention.sinusoidal_2d", "token by token")
def _(rows, columns, d):
    E_y, E_x = sinusoidal(rows, d // 2), sinusoidal(columns, d // 2)
    return np.array([[*a, *b] for a in E_y for b in E_x])


@right("multi_head_attention.sinusoidal_2d", "Kronecker products with ones")
def _(rows, columns, d):
    E_y = np.kron(sinusoidal(rows, d // 2), np.ones((columns, 1)))
    E_x = np.kron(np.ones((rows, 1)), sinusoidal(columns, d // 2))
    return np.hstack((E_y, E_x))


# relative_position_index


def _offsets(rows, columns):
    y, x = np.divmod(np.arange(rows * columns), columns)
    return y[:, None] - y, x[:, None] - x


@wrong(
    "multi_head_attention.relative_position_index",
    "key minus query",
    says="Your offsets are key minus query",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (rows - 1 - dy) * (2 * columns - 1) + columns - 1 - dx


@wrong(
    "multi_head_attention.relative_position_index",
    "a line as long as rows make it",
    says="You multiply by 2·rows − 1",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1) * (2 * rows - 1) + dx + columns - 1


@wrong(
    "multi_head_attention.relative_position_index",
    "a line of 2 columns",
    says="Your lines have 2·columns entries, one too",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1) * 2 * columns + dx + columns - 1


@wrong(
    "multi_head_attention.relative_position_index",
    "offsets not counted from the smallest",
    says="Your indices can be negative",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return dy * (2 * columns - 1) + dx


@wrong(
    "multi_head_attention.relative_position_index",
    "distances without a sign",
    says="You take distances, without a sign, and need",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return np.abs(dy) * (2 * columns - 1) + np.abs(dx)


@wrong(
    "multi_head_attention.relative_position_index",
    "dx picks the line",
    says="dx leads and dy follows",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dx + columns - 1) * (2 * rows - 1) + dy + rows - 1


@wrong(
    "multi_head_attention.relative_position_index",
    "tokens numbered column by column",
    says="Your tokens are numbered column by column",
)
def _(rows, columns):
    x, y = np.divmod(np.arange(rows * columns), rows)
    dy, dx = y[:, None] - y, x[:, None] - x
    return (dy + rows - 1) * (2 * columns - 1) + dx + columns - 1


@wrong(
    "multi_head_attention.relative_position_index",
    "floats",
    says="The numbers are right, but floats: a whole",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1.0) * (2 * columns - 1) + dx + columns - 1


@wrong(
    "multi_head_attention.relative_position_index",
    "counted from one",
    says="Off by one: you add rows and columns to",
)
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows) * (2 * columns - 1) + dx + columns


@right("multi_head_attention.relative_position_index", "ranks of the offsets that occur")
def _(rows, columns):
    dy, dx = _offsets(rows, columns)
    code = dy * 10 * columns + dx
    return np.unique(code, return_inverse=True)[1].reshape(code.shape)


@right("multi_head_attention.relative_position_index", "np.ravel_multi_index of the grid's points")
def _(rows, columns):
    points = np.indices((rows, columns)).reshape(2, -1)
    offset = points[:, :, None] - points[:, None, :]
    shift = np.array([rows - 1, columns - 1])[:, None, None]
    return np.ravel_multi_index(tuple(offset + shift), (2 * rows - 1, 2 * columns - 1))


# rotary


def _turned(X, angle):
    even, odd = X[..., 0::2], X[..., 1::2]
    cos, sin = np.cos(angle), np.sin(angle)
    Y = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return Y.reshape(X.shape).astype(X.dtype)


@wrong(
    "multi_head_attention.rotary",
    "pairs of first and second half",
    says="You pair feature i with feature i + d/2",
)
def _(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    a, b = np.split(X, 2, axis=-1)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1).astype(X.dtype)


@wrong("multi_head_attention.rotary", "turns the other way", says="You turn the other way, by −pω")
def _(X, positions):
    return _turned(X, -positions[:, None] * frequencies(X.shape[-1]))


@wrong(
    "multi_head_attention.rotary",
    "positions ignored, counted from 0",
    says="You use the tokens' places in the array",
)
def _(X, positions):
    return _turned(X, np.arange(X.shape[-2])[:, None] * frequencies(X.shape[-1]))


@wrong(
    "multi_head_attention.rotary",
    "float32 becomes float64",
    says="float32 went in and float64 came out",
)
def _(X, positions):
    return _turned(X.astype(np.float64), positions[:, None] * frequencies(X.shape[-1]))


@wrong(
    "multi_head_attention.rotary",
    "second feature from the new first",
    says="You overwrite the even features and then",
)
def _(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    Y = X.copy()
    Y[..., 0::2] = Y[..., 0::2] * np.cos(angle) - Y[..., 1::2] * np.sin(angle)
    Y[..., 1::2] = Y[..., 0::2] * np.sin(angle) + Y[..., 1::2] * np.cos(angle)
    return Y


@wrong(
    "multi_head_attention.rotary",
    "turns the given X in place",
    says="changes its argument X in place",
)
def _(X, positions):
    X[...] = _turned(X, positions[:, None] * frequencies(X.shape[-1]))
    return X


@wrong("multi_head_attention.rotary", "exponent i over d, not 2i", says="The exponent is i/d")
def _(X, positions):
    d = X.shape[-1]
    return _turned(X, positions[:, None] * 10000 ** (-np.arange(d // 2) / d))


@wrong(
    "multi_head_attention.rotary",
    "turned pairs not put back alternately",
    says="half of them in the wrong place",
)
def _(X, positions):
    Y = _turned(X, positions[:, None] * frequencies(X.shape[-1]))
    return np.concatenate([Y[..., 0::2], Y[..., 1::2]], axis=-1)


@wrong(
    "multi_head_attention.rotary",
    "adds the encoding instead of turning",
    says="You add the sinusoidal encoding instead of",
)
def _(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    E = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(positions), -1)
    return (X + E).astype(X.dtype)


@wrong(
    "multi_head_attention.rotary",
    "angles in float32 for float64 tokens",
    says="Nearly right: the difference is far below one",
)
def _(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    return _turned(X, angle.astype(np.float32))


@right("multi_head_attention.rotary", "multiplied in the complex plane")
def _(X, positions):
    turn = np.exp(1j * np.multiply.outer(positions, frequencies(X.shape[-1])))
    z = (X[..., ::2] + 1j * X[..., 1::2]) * turn
    Y = np.empty(X.shape, X.dtype)
    Y[..., ::2], Y[..., 1::2] = z.real, z.imag
    return Y


@right("multi_head_attention.rotary", "cosines of X and sines of its turned copy")
def _(X, positions):
    angle = np.repeat(positions[:, None] * frequencies(X.shape[-1]), 2, axis=-1)
    quarter = np.stack([-X[..., 1::2], X[..., ::2]], axis=-1).reshape(X.shape)
    return np.asarray(X * np.cos(angle) + quarter * np.sin(angle), dtype=X.dtype)


# multi_head_cost


def _cost(n, D, heads):
    return {
        "parameters": 4 * D * D,
        "projection_flops": 8 * n * D * D,
        "attention_flops": 4 * n * n * D,
        "weights_stored": heads * n * n,
    }


@wrong("multi_head_attention.multi_head_cost", "W_O forgotten", says="You count three projections")
def _(n, D, heads):
    return _cost(n, D, heads) | {"parameters": 3 * D * D, "projection_flops": 6 * n * D * D}


@wrong(
    "multi_head_attention.multi_head_cost",
    "full matrices for every head",
    says="parameters is wrong already: begin there.",
)
def _(n, D, heads):
    c = _cost(n, D, heads)
    return c | {k: c[k] * heads for k in ("parameters", "projection_flops", "attention_flops")}


@wrong(
    "multi_head_attention.multi_head_cost",
    "multiplications alone",
    says="You count a multiplication and its",
)
def _(n, D, heads):
    c = _cost(n, D, heads)
    return c | {k: c[k] // 2 for k in ("projection_flops", "attention_flops")}


@wrong(
    "multi_head_attention.multi_head_cost",
    "one head's weights stored",
    says="You store one matrix of weights for all",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"weights_stored": n * n}


@wrong(
    "multi_head_attention.multi_head_cost",
    "one head's attention counted",
    says="Your attention is that of one head, with D /",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"attention_flops": 4 * n * n * (D // heads)}


@wrong(
    "multi_head_attention.multi_head_cost",
    "one of attention's two products",
    says="You count one of the two products",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"attention_flops": 2 * n * n * D}


@wrong(
    "multi_head_attention.multi_head_cost",
    "biases counted",
    says="You count a bias of D numbers for each",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"parameters": 4 * D * (D + 1)}


@wrong(
    "multi_head_attention.multi_head_cost",
    "projections of one token",
    says="Your projections are those of one token.",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"projection_flops": 8 * D * D}


@wrong(
    "multi_head_attention.multi_head_cost",
    "floats out of a division",
    says="The numbers are right, but floats",
)
def _(n, D, heads):
    return _cost(n, D, heads) | {"attention_flops": heads * 4 * n * n * (D / heads)}


@right("multi_head_attention.multi_head_cost", "added up head by head")
def _(n, D, heads):
    d = D // heads
    each = [(3 * D * d + d * D, 2 * n * D * d * 4, 2 * n * d * n + 2 * n * n * d, n * n)] * heads
    names = ("parameters", "projection_flops", "attention_flops", "weights_stored")
    return dict(zip(names, map(sum, zip(*each))))


# MultiHeadAttention


class HeadParts(nn.Module):
    def __init__(self, dim, heads, dim_memory):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim_memory, dim, bias=False)
        self.to_v = nn.Linear(dim_memory, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def split(self, t):
        return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "features dealt out",
    says="You deal the features out",
)
class _(HeadParts):
    def split(self, t):
        return t.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            self.split(self.to_q(x)),
            self.split(self.to_k(memory)),
            self.split(self.to_v(memory)),
        )
        mask = mask.unsqueeze(1) if mask is not None else None
        z, p = dot_product_attention(q, k, v, mask)
        return self.to_out(z.permute(0, 2, 3, 1).flatten(2))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "values by to_k",
    says="Your values go through `to_k`",
)
class _(HeadParts):
    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            self.split(self.to_q(x)),
            self.split(self.to_k(memory)),
            self.split(self.to_k(memory)),
        )
        mask = mask.unsqueeze(1) if mask is not None else None
        z, p = dot_product_attention(q, k, v, mask)
        return self.to_out(z.transpose(1, 2).flatten(2))


@wrong(
    "multi_head_attention.MultiHeadAttention",
    "memory or x",
    says="An array has no single truth value",
)
class _(HeadParts):
    def forward(self, x, memory=None, mask=None):
        memory = memory or x
        q, k, v = (
            self.split(self.to_q(x)),
            self.split(self.to_k(memory)),
            self.split(self.to_v(memory)),
        )
        mask = mask[:, None] if mask is not None else None
        return self.to_out(dot_product_attention(q, k, v, mask)[0].transpose(1, 2).flatten(2))


# AddPlaces


@wrong(
    "multi_head_attention.AddPlaces",
    "refuses as many as there are",
    says="You refuse arguments that the task allows",
)
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(places, dim) * 0.05)

    def forward(self, x):
        if x.shape[1] >= len(self.table):
            raise ValueError("too many")
        return x + self.table[: x.shape[1]]


@wrong("multi_head_attention.AddPlaces", "sequences compared with places")
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Parameter(0.05 * torch.randn(places, dim))

    def forward(self, x):
        if len(x) > len(self.table):
            raise ValueError("too many")
        return x + self.table[: x.shape[1]]


@wrong("multi_head_attention.AddPlaces", "last rows", says="You take the last N rows")
class _(nn.Module):
    def __init__(self, places, dim):
        super().__init__()
        self.table = nn.Parameter(0.05 * torch.randn(places, dim))

    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError("too many")
        return x + self.table[-x.shape[1] :]


# RelativeBias


class BiasParts(nn.Module):
    def __init__(self, rows, columns, heads):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(heads, (2 * rows - 1) * (2 * columns - 1)))
        self.register_buffer("index", torch.from_numpy(relative_position_index(rows, columns)))


@wrong("multi_head_attention.RelativeBias", "offsets by heads", says="table has the shape (3, 1)")
class _(nn.Module):
    def __init__(self, rows, columns, heads):
        super().__init__()
        self.table = nn.Parameter(torch.zeros((2 * rows - 1) * (2 * columns - 1), heads))
        self.register_buffer("index", torch.from_numpy(relative_position_index(rows, columns)))

    def forward(self, scores):
        return scores + self.table[self.index].permute(2, 0, 1)


@wrong("multi_head_attention.RelativeBias", "a share of the scores", says="by a share of itself")
class _(BiasParts):
    def forward(self, scores):
        return scores * (1 + self.table[:, self.index])


@wrong("multi_head_attention.RelativeBias", "table.data", says="the table never learns")
class _(BiasParts):
    def forward(self, scores):
        return scores + self.table.data[:, self.index]


# round_table_step


@wrong(
    "multi_head_attention.round_table_step",
    "classes to axis 1 by reshape",
    says="brought to axis 1 by a reshape",
)
def _(model, optimizer, guests, digits):
    scores = model(guests)
    B = len(scores)
    loss = F.cross_entropy(scores.reshape(B, 10, 8, 2), digits)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "multi_head_attention.round_table_step",
    "questions exchanged",
    says="The two questions are exchanged",
)
def _(model, optimizer, guests, digits):
    loss = F.cross_entropy(model(guests).movedim(-1, 1), digits.flip(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "multi_head_attention.round_table_step",
    "flattened in two orders",
    says="Scores and answers are in another order",
)
def _(model, optimizer, guests, digits):
    s = model(guests).flatten(0, 2)
    loss = F.cross_entropy(s, digits.transpose(1, 2).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@right("multi_head_attention.round_table_step", "a closure for the optimizer")
def _(model, optimizer, guests, digits):
    found = []

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(guests).movedim(3, 1), digits)
        loss.backward()
        found.append(loss.item())
        return loss

    optimizer.step(closure)
    return found[0]
