"""Answers to chapter 38, linear attention.

156 wrong and 32 right ones were written from the tasks alone. At first two of the wrong ones were
accepted (an exp that overflows on the side not chosen, a loop where the task forbids it), no right
one was refused, 125 were told what is true of them, 25 no more than the numbers and four what is
not true. The mistakes that they showed are in the bank now.
"""

import math
from collections import deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.layers.linear_attention import attend_in_chunks, empty_state, phi
from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads

# elu_plus_one


@wrong(
    "linear_attention.elu_plus_one",
    "plain where: exp overflows",
    says="numbers are right, but x = 800 warns: overflow",
)
def _(x):
    return np.where(x > 0, x + 1, np.exp(x))


@wrong(
    "linear_attention.elu_plus_one",
    "relu plus one",
    says="A relu plus one: flat below zero, so no gradient",
)
def _(x):
    return np.maximum(x, 0) + 1


@wrong(
    "linear_attention.elu_plus_one",
    "x above zero, exp below",
    says="Yours jumps at zero, from 1 on the left to 0 on the",
)
def _(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)))


@wrong(
    "linear_attention.elu_plus_one",
    "exp everywhere",
    says="exp everywhere. That is positive too, but it",
)
def _(x):
    return np.exp(np.minimum(x, 700))


@wrong(
    "linear_attention.elu_plus_one",
    "exp + 1 below",
    says="Yours jumps at zero, to 2 on the left: you add one",
)
def _(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0))) + 1


@wrong(
    "linear_attention.elu_plus_one",
    "clips at the ones in place",
    says="Your function changes its argument x in place. The",
)
def _(x):
    low = np.exp(np.minimum(x, 0)) - 1
    x[x <= 0] = low[x <= 0]
    x += 1
    return x


@wrong(
    "linear_attention.elu_plus_one",
    "float64 buffer",
    says="The numbers are right, their dtype is not: which",
)
def _(x):
    out = np.zeros(x.shape)
    out[x > 0] = x[x > 0] + 1
    out[x <= 0] = np.exp(x[x <= 0])
    return out


@wrong(
    "linear_attention.elu_plus_one",
    "softplus",
    says="This is the softplus, ln(1 + exp x). It is smooth",
)
def _(x):
    return np.logaddexp(0, x).astype(x.dtype)


@wrong(
    "linear_attention.elu_plus_one",
    "if on the whole array",
    says="An array has no single truth value: `x is None`",
)
def _(x):
    if x > 0:
        return x + 1
    return np.exp(x)


@right("linear_attention.elu_plus_one", "index with a bool mask, by flat loops")
def _(x):
    out = np.empty_like(x)
    flat, target = x.ravel(), out.reshape(-1)
    for i, number in enumerate(flat):
        target[i] = number + 1 if number > 0 else math.exp(number)
    return out


@right("linear_attention.elu_plus_one", "computes exp everywhere and throws half of it away")
def _(x):
    with np.errstate(over="ignore"):
        return np.where(x >= 0, x + 1, np.exp(x))


@right("linear_attention.elu_plus_one", "as a sum of two parts")
def _(x):
    return np.maximum(x, 0) + np.exp(-np.maximum(-x, 0))


@wrong("linear_attention.elu_plus_one", "elu with expm1 and no one", says="This is elu alone")
def _(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


# linear_attention


@right("linear_attention.linear_attention", "N x M weights: right, with a remark on the memory")
def _(phi_Q, phi_K, V):
    A = phi_Q @ phi_K.swapaxes(-1, -2)
    return A @ V / A.sum(-1, keepdims=True)


@wrong(
    "linear_attention.linear_attention",
    "no denominator",
    says="The division is missing: the weights of a query do",
)
def _(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V)


@wrong(
    "linear_attention.linear_attention",
    ".T instead of .mT",
    says="Two shapes do not fit. Write the shape behind each",
)
def _(phi_Q, phi_K, V):
    S = phi_K.T @ V
    return phi_Q @ S / (phi_Q * phi_K.sum(-2, keepdims=True)).sum(-1, keepdims=True)


@wrong(
    "linear_attention.linear_attention",
    "divides by the number of keys",
    says="You divide by the number of keys: a mean instead of",
)
def _(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V) / phi_K.shape[-2]


@wrong(
    "linear_attention.linear_attention",
    "normalises keys: S divided by Z first",
    says="You divide S by Z before any query is there: each",
)
def _(phi_Q, phi_K, V):
    S = phi_K.mT @ V / phi_K.sum(axis=-2)[..., None]
    return phi_Q @ S / phi_Q.sum(-1, keepdims=True)


@wrong(
    "linear_attention.linear_attention",
    "sums the keys over features",
    says="You divide by the sum of φ(Q_i) times the sum of",
)
def _(phi_Q, phi_K, V):
    S = phi_K.mT @ V
    Z = phi_K.sum(axis=-1).sum(axis=-1)
    return phi_Q @ S / (phi_Q.sum(-1) * Z[..., None])[..., None]


@wrong(
    "linear_attention.linear_attention",
    "applies phi once more",
    says="You apply a feature map to what is features",
)
def _(phi_Q, phi_K, V):
    q, k = (np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (phi_Q, phi_K))
    return q @ (k.mT @ V) / (q @ k.sum(-2)[..., None])


@wrong(
    "linear_attention.linear_attention",
    "scales the numerator by the root of r",
    says="Yours is the right answer times a factor that",
)
def _(phi_Q, phi_K, V):
    q = phi_Q / np.sqrt(phi_Q.shape[-1])
    return q @ (phi_K.mT @ V) / (phi_Q @ phi_K.sum(-2)[..., None])


@wrong(
    "linear_attention.linear_attention",
    "an epsilon of 1e-3 in the denominator",
    says="Each row is right but for a factor of its own: how",
)
def _(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V) / (phi_Q @ phi_K.sum(-2)[..., None] + 1e-3)


@wrong(
    "linear_attention.linear_attention",
    "hears only keys up to its own place",
    says="The queries hear keys up to their own place only.",
)
def _(phi_Q, phi_K, V):
    S = np.cumsum(phi_K[..., :, None] * V[..., None, :], axis=-3)
    Z = np.cumsum(phi_K, axis=-2)
    n = min(phi_Q.shape[-2], phi_K.shape[-2])
    out = (
        np.einsum("...nr,...nrm->...nm", phi_Q[..., :n, :], S[..., :n, :, :])
        / np.einsum("...nr,...nr->...n", phi_Q[..., :n, :], Z[..., :n, :])[..., None]
    )
    return out


@right("linear_attention.linear_attention", "one key after the other, loops")
def _(phi_Q, phi_K, V):
    S, Z = 0, 0
    for j in range(phi_K.shape[-2]):
        k, v = phi_K[..., j, :], V[..., j, :]
        S = S + np.einsum("...r,...m->...rm", k, v)
        Z = Z + k
    out = np.zeros((*phi_Q.shape[:-1], V.shape[-1]), V.dtype)
    for i in range(phi_Q.shape[-2]):
        q = phi_Q[..., i, :]
        out[..., i, :] = np.einsum("...r,...rm->...m", q, S) / np.sum(q * Z, -1)[..., None]
    return out


@right("linear_attention.linear_attention", "einsum")
def _(phi_Q, phi_K, V):
    S = np.einsum("...jr,...jm->...rm", phi_K, V)
    return (
        np.einsum("...ir,...rm->...im", phi_Q, S)
        / np.einsum("...ir,...jr->...i", phi_Q, phi_K)[..., None]
    )


@right("linear_attention.linear_attention", "a column of ones for the denominator")
def _(phi_Q, phi_K, V):
    V = np.concatenate([V, np.ones_like(V[..., :1])], axis=-1)
    both = phi_Q @ (np.swapaxes(phi_K, -1, -2) @ V)
    return both[..., :-1] / both[..., -1:]


@wrong("linear_attention.linear_attention", "no batch: uses .T and axis 0")
def _(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.T @ V) / (phi_Q @ phi_K.sum(0))[..., None]


@wrong(
    "linear_attention.linear_attention",
    "divides by the sum of the features of all keys",
    says="The denominator is the same for every query",
)
def _(phi_Q, phi_K, V):
    return phi_Q @ (phi_K.mT @ V) / phi_K.sum((-1, -2), keepdims=True)


# causal_linear_attention
def _zeros(phi_K, V):
    return (
        np.zeros((*phi_K.shape[:-2], phi_K.shape[-1], V.shape[-1]), V.dtype),
        np.zeros((*phi_K.shape[:-2], phi_K.shape[-1]), V.dtype),
    )


@wrong(
    "linear_attention.causal_linear_attention",
    "reads before it writes",
    says="A query hears the tokens before its own and not its",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    Y = np.zeros_like(V)
    for i in range(V.shape[-2]):
        q, k, v = phi_Q[..., i, :], phi_K[..., i, :], V[..., i, :]
        with np.errstate(all="ignore"):
            Y[..., i, :] = np.einsum("...r,...rm->...m", q, S) / (q * Z).sum(-1, keepdims=True)
        S = S + k[..., :, None] * v[..., None, :]
        Z = Z + k
    return Y, S, Z


@right(
    "linear_attention.causal_linear_attention",
    "N x N weights and a mask: right, with a remark on the memory",
)
def _(phi_Q, phi_K, V):
    A = np.tril(phi_Q @ phi_K.mT)
    return A @ V / A.sum(-1, keepdims=True), phi_K.mT @ V, phi_K.sum(-2)


@wrong(
    "linear_attention.causal_linear_attention",
    "Z complete from the start",
    says="The numerator runs along, the denominator is that",
)
def _(phi_Q, phi_K, V):
    S, _z = _zeros(phi_K, V)
    Z = phi_K.sum(axis=-2)
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S = S + phi_K[..., i, :, None] * V[..., i, None, :]
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :] / (phi_Q[..., i, :] * Z).sum(-1)[
            ..., None
        ]
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "S transposed",
    says="S lies on its side, V_j φ(K_j)ᵀ: (m, r) where the",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    S = S.mT.copy()
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S += V[..., i, :, None] * phi_K[..., i, None, :]
        Z += phi_K[..., i, :]
        Y[..., i, :] = (S @ phi_Q[..., i, :, None])[..., 0] / (phi_Q[..., i, :] * Z).sum(
            -1, keepdims=True
        )
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "only Y is returned",
    says="You return one of the 3 values that the task asks",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S += phi_K[..., i, :, None] * V[..., i, None, :]
        Z += phi_K[..., i, :]
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :] / (phi_Q[..., i, :] * Z).sum(
            -1, keepdims=True
        )
    return Y


@wrong(
    "linear_attention.causal_linear_attention",
    "overwrites S instead of adding",
    says="You put the new token in the place of the sums",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S = phi_K[..., i, :, None] * V[..., i, None, :]
        Z = phi_K[..., i, :]
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :] / (phi_Q[..., i, :] * Z).sum(
            -1, keepdims=True
        )
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "loop over axis 0",
    says="Wrong exactly where phi_Q has more than 2 axes;",
)
def _(phi_Q, phi_K, V):
    S = np.zeros((phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros(phi_K.shape[-1])
    Y = np.zeros_like(V)
    for i in range(len(V)):
        S = S + phi_K[i].T @ V[i] if V.ndim > 2 else S + np.outer(phi_K[i], V[i])
        Z = Z + (phi_K[i].sum(0) if V.ndim > 2 else phi_K[i])
        Y[i] = phi_Q[i] @ S / (phi_Q[i] @ Z)[..., None]
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "np.outer: no batch",
    says="Your code unpacks another number of values",
)
def _(phi_Q, phi_K, V):
    N, r = phi_K.shape
    S, Z, Y = np.zeros((r, V.shape[1])), np.zeros(r), np.zeros_like(V)
    for i in range(N):
        S += np.outer(phi_K[i], V[i])
        Z += phi_K[i]
        Y[i] = phi_Q[i] @ S / (phi_Q[i] @ Z)
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "no division",
    says="The division is missing: Y_i grows with i. By what",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S += phi_K[..., i, :, None] * V[..., i, None, :]
        Z += phi_K[..., i, :]
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :]
    return Y, S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "Z kept with an axis of one",
    says="[2]: The right numbers in the wrong shape.",
)
def _(phi_Q, phi_K, V):
    S, Z = _zeros(phi_K, V)
    Z = Z[..., None]
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        q, k, v = phi_Q[..., [i], :], phi_K[..., [i], :], V[..., [i], :]
        S, Z = S + k.mT @ v, Z + k.mT
        Y[..., [i], :] = q @ S / (q @ Z)
    return Y, S, Z


@right("linear_attention.causal_linear_attention", "makes the sums of every prefix anew")
def _(phi_Q, phi_K, V):
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        k, v = phi_K[..., : i + 1, :], V[..., : i + 1, :]
        S, Z = k.mT @ v, k.sum(-2)
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :] / (phi_Q[..., i, :] * Z).sum(
            -1, keepdims=True
        )
    return Y, S, Z


@right("linear_attention.causal_linear_attention", "ones beside the values, einsum")
def _(phi_Q, phi_K, V):
    V1 = np.concatenate([np.ones_like(V[..., :1]), V], -1)
    state = np.zeros((*V.shape[:-2], phi_K.shape[-1], V1.shape[-1]), V.dtype)
    rows = []
    for q, k, v in zip(*(np.moveaxis(x, -2, 0) for x in (phi_Q, phi_K, V1))):
        state = state + np.einsum("...r,...m->...rm", k, v)
        y = np.einsum("...r,...rm->...m", q, state)
        rows.append(y[..., 1:] / y[..., :1])
    return np.stack(rows, -2), state[..., 1:], state[..., 0]


@right("linear_attention.causal_linear_attention", "recursive helper over flattened batch")
def _(phi_Q, phi_K, V):
    lead = V.shape[:-2]
    q, k, v = (x.reshape(-1, *x.shape[-2:]) for x in (phi_Q, phi_K, V))

    def one(q, k, v):
        S, Z = np.zeros((k.shape[1], v.shape[1]), v.dtype), np.zeros(k.shape[1], v.dtype)
        Y = []
        for i in range(len(v)):
            S += np.outer(k[i], v[i])
            Z += k[i]
            Y.append(S.T @ q[i] / np.dot(Z, q[i]))
        return np.array(Y), S, Z

    parts = [one(*x) for x in zip(q, k, v)]
    Y, S, Z = (np.stack(x) for x in zip(*parts))
    return Y.reshape(V.shape), S.reshape(*lead, *S.shape[1:]), Z.reshape(*lead, Z.shape[-1])


@right("linear_attention.causal_linear_attention", "cumulative sums of everything")
def _(phi_Q, phi_K, V):
    S = np.cumsum(phi_K[..., :, None] * V[..., None, :], axis=-3)
    Z = np.cumsum(phi_K, axis=-2)
    Y = (phi_Q[..., None, :] @ S)[..., 0, :] / (phi_Q * Z).sum(-1, keepdims=True)
    return Y, S[..., -1, :, :], Z[..., -1, :]


@right("linear_attention.causal_linear_attention", "a list, stacked at the end")
def _(phi_Q, phi_K, V):
    S, Z, rows = 0.0, 0.0, []
    for i in range(V.shape[-2]):
        S = S + np.einsum("...r,...m->...rm", phi_K[..., i, :], V[..., i, :])
        Z = Z + phi_K[..., i, :]
        n = np.einsum("...r,...rm->...m", phi_Q[..., i, :], S)
        rows.append(n / np.einsum("...r,...r->...", phi_Q[..., i, :], Z)[..., None])
    return np.stack(rows, axis=-2), S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "all keys for everyone",
    says="Every query hears all tokens",
)
def _(phi_Q, phi_K, V):
    S, Z = phi_K.mT @ V, phi_K.sum(-2)
    return phi_Q @ S / (phi_Q @ Z[..., None]), S, Z


@wrong(
    "linear_attention.causal_linear_attention",
    "numerators alone",
    says="The division is missing",
)
def _(phi_Q, phi_K, V):
    return np.tril(phi_Q @ phi_K.mT) @ V, phi_K.mT @ V, phi_K.sum(-2)


# recurrent_step


@wrong(
    "linear_attention.recurrent_step",
    "in place",
    says="Your function changes an argument in place. The",
)
def _(phi_q, phi_k, v, S, Z):
    S += phi_k[..., :, None] * v[..., None, :]
    Z += phi_k
    y = (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True)
    return y, S, Z


@wrong(
    "linear_attention.recurrent_step",
    "reads the old state",
    says="The token reads before it is in the sums: it does",
)
def _(phi_q, phi_k, v, S, Z):
    y = (phi_q.unsqueeze(-2) @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True)
    return y, S + phi_k.unsqueeze(-1) * v.unsqueeze(-2), Z + phi_k


@wrong(
    "linear_attention.recurrent_step",
    "returns the old state",
    says="What you hand on are the old S and Z: the next",
)
def _(phi_q, phi_k, v, S, Z):
    S1, Z1 = S + torch.einsum("...r,...m->...rm", phi_k, v), Z + phi_k
    y = torch.einsum("...r,...rm->...m", phi_q, S1) / (phi_q * Z1).sum(-1, keepdim=True)
    return y, S, Z


@wrong(
    "linear_attention.recurrent_step",
    "outer product turned",
    says="S lies on its side: you add v φ(k)ᵀ, (m, r), to a",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + v[..., :, None] * phi_k[..., None, :]
    Z = Z + phi_k
    return (S @ phi_q[..., None])[..., 0] / (phi_q * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "torch.outer",
    says="Wrong exactly where S has more than 2 axes; right",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + torch.outer(phi_k, v)
    Z = Z + phi_k
    return phi_q @ S / (phi_q @ Z), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "reads with the key",
    says="You read the sums with the key: the query takes no",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k[..., :, None] * v[..., None, :]
    Z = Z + phi_k
    return (phi_k[..., None, :] @ S).squeeze(-2) / (phi_k * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "Z in the denominator is the old one",
    says="The numerator holds this token, the denominator",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k[..., :, None] * v[..., None, :]
    y = (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(dim=-1, keepdim=True)
    return y, S, Z + phi_k


@wrong(
    "linear_attention.recurrent_step",
    "y keeps an axis",
    says="[0]: The right numbers in the wrong shape.",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k[..., :, None] * v[..., None, :]
    Z = Z + phi_k
    return phi_q[..., None, :] @ S / (phi_q * Z).sum(-1)[..., None, None], S, Z


@wrong(
    "linear_attention.recurrent_step",
    "counts tokens in Z",
    says="You count tokens in Z. It is the sum of the φ(k), a",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k[..., :, None] * v[..., None, :]
    Z = Z + 1
    return (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "detaches the state",
    says="The numbers are right, but cut from autograd's",
)
def _(phi_q, phi_k, v, S, Z):
    S = S.detach() + phi_k[..., :, None] * v[..., None, :]
    Z = Z.detach() + phi_k
    return (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "running mean",
    says="y is right, but S and Z are means of before and",
)
def _(phi_q, phi_k, v, S, Z):
    S = 0.5 * (S + phi_k[..., :, None] * v[..., None, :])
    Z = 0.5 * (Z + phi_k)
    return (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "divides S by Z before reading and returns it",
    says="What you hand on as S is divided by Z already: the",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k[..., :, None] * v[..., None, :]
    Z = Z + phi_k
    S = S / Z[..., None]
    return (phi_q[..., None, :] @ S).squeeze(-2), S, Z


@right("linear_attention.recurrent_step", "cloned and added to in place")
def _(phi_q, phi_k, v, S, Z):
    S, Z = S.clone(), Z.clone()
    S += torch.einsum("...i,...j->...ij", phi_k, v)
    Z += phi_k
    y = torch.einsum("...i,...ij->...j", phi_q, S)
    return y / torch.einsum("...i,...i->...", phi_q, Z).unsqueeze(-1), S, Z


@right("linear_attention.recurrent_step", "through a chunk of one")
def _(phi_q, phi_k, v, S, Z):
    S = torch.add(S, phi_k.unsqueeze(-1).mul(v.unsqueeze(-2)))
    Z = torch.add(Z, phi_k)
    weights = phi_q / (phi_q * Z).sum(-1, True)
    return S.mT.matmul(weights.unsqueeze(-1)).squeeze(-1), S, Z


@right("linear_attention.recurrent_step", "einsum")
def _(phi_q, phi_k, v, S, Z):
    S = S + torch.einsum("...r,...m->...rm", phi_k, v)
    Z = Z + phi_k
    n = torch.einsum("...r,...rm->...m", phi_q, S)
    return n / torch.einsum("...r,...r->...", phi_q, Z)[..., None], S, Z


@wrong("linear_attention.recurrent_step", "adds in place")
def _(phi_q, phi_k, v, S, Z):
    S += phi_k[..., :, None] * v[..., None, :]
    Z += phi_k
    return (phi_q[..., None, :] @ S)[..., 0, :] / (phi_q * Z).sum(-1, keepdim=True), S, Z


@wrong(
    "linear_attention.recurrent_step",
    "forgets Z",
    says="Z does not grow",
)
def _(phi_q, phi_k, v, S, Z):
    S = S + phi_k.unsqueeze(-1) * v.unsqueeze(-2)
    return (phi_q.unsqueeze(-2) @ S).squeeze(-2) / (phi_q * Z).sum(-1, keepdim=True), S, Z


# LinearAttention
class _Base(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(dim, dim) for _ in range(4))

    def qkv(self, x):
        return (split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, self.to_v))


@wrong(
    "linear_attention.LinearAttention",
    "phi forgotten",
    says="There is no feature map in it: queries and keys go",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        y, S, Z = attend_in_chunks(q, k, v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "phi on the values too",
    says="The values pass through φ too, so nothing negative",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = map(phi, self.qkv(x))
        y, S, Z = attend_in_chunks(q, k, v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@wrong("linear_attention.LinearAttention", "no bias", says="to_q.bias is missing")
class _(_Base):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim, bias=False) for _ in range(3))

    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "to_out forgotten",
    says="The last map is missing: the heads' results stand",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return merge_heads(y), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "heads merged by reshape",
    says="The heads are joined by a reshape alone, from (B,",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(y.reshape(x.shape)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "one head for all",
    says="There is one head, as wide as the token: nothing",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = (to(x)[:, None] for to in (self.to_q, self.to_k, self.to_v))
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(y[:, 0]), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "not causal",
    says="All tokens hear all, later ones too. This module",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        q, k = phi(q), phi(k)
        S0, Z0 = empty_state(k, v) if S is None else (S, Z)
        S, Z = S0 + k.mT @ v, Z0 + k.sum(-2)
        y = q @ S / (q @ Z[..., None])
        return self.to_out(merge_heads(y)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "returns y alone",
    says="You return y alone. Whoever writes token by token",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        return self.to_out(merge_heads(attend_in_chunks(phi(q), phi(k), v, S, Z)[0]))


@wrong(
    "linear_attention.LinearAttention",
    "stores the state on self",
    says="The module keeps S and Z for itself: the next",
)
class _(_Base):
    S = Z = None

    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        S = self.S if S is None else S
        Z = self.Z if Z is None else Z
        y, self.S, self.Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(merge_heads(y)), self.S, self.Z


@wrong(
    "linear_attention.LinearAttention",
    "q and k swapped",
    says="Queries and keys are exchanged: to_q makes what is",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = self.qkv(x)
        y, S, Z = attend_in_chunks(phi(k), phi(q), v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "applies phi to x",
    says="φ is applied to x, before the linear maps, which",
)
class _(_Base):
    def forward(self, x, S=None, Z=None):
        q, k, v = (
            split_heads(to(a), self.heads)
            for to, a in ((self.to_q, phi(x)), (self.to_k, phi(x)), (self.to_v, x))
        )
        y, S, Z = attend_in_chunks(q, k, v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@wrong(
    "linear_attention.LinearAttention",
    "super().__init__ forgotten",
    says="`super().__init__()` must be the first line of",
)
class _(nn.Module):
    def __init__(self, dim, heads):
        self.heads = heads
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, S=None, Z=None):
        q, k, v = (split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, self.to_v))
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(merge_heads(y)), S, Z


@right("linear_attention.LinearAttention", "rearranged by hand, loop of recurrent steps")
class _(_Base):
    def forward(self, x, S=None, Z=None):
        B, N, dim = x.shape
        d = dim // self.heads
        q, k, v = (to(x).reshape(B, N, self.heads, d) for to in (self.to_q, self.to_k, self.to_v))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        if S is None:
            S, Z = x.new_zeros(B, self.heads, d, d), x.new_zeros(B, self.heads, d)
        ys = []
        for i in range(N):
            S = S + k[:, i, :, :, None] * v[:, i, :, None, :]
            Z = Z + k[:, i]
            ys.append(
                torch.einsum("bhr,bhrm->bhm", q[:, i], S) / (q[:, i] * Z).sum(-1, keepdim=True)
            )
        return self.to_out(torch.stack(ys, 1).flatten(2)), S, Z


@right("linear_attention.LinearAttention", "a head after the other, masked square")
class _(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.d = heads, dim // heads
        for name in ("to_q", "to_k", "to_v", "to_out"):
            setattr(self, name, nn.Linear(dim, dim))

    def one(self, q, k, v, S, Z):
        q, k = (torch.where(x > 0, x + 1, x.clamp(max=0).exp()) for x in (q, k))
        A = torch.tril(q @ k.transpose(1, 2))
        num, den = A @ v, A.sum(2, keepdim=True)
        if S is not None:
            num, den = num + q @ S, den + q @ Z[..., None]
        S1, Z1 = k.transpose(1, 2) @ v, k.sum(1)
        return num / den, (S1 if S is None else S + S1), (Z1 if Z is None else Z + Z1)

    def forward(self, x, S=None, Z=None):
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        out = []
        for h in range(self.heads):
            c = slice(h * self.d, (h + 1) * self.d)
            out.append(
                self.one(
                    q[..., c],
                    k[..., c],
                    v[..., c],
                    None if S is None else S[:, h],
                    None if Z is None else Z[:, h],
                )
            )
        y, S, Z = zip(*out)
        return self.to_out(torch.cat(y, -1)), torch.stack(S, 1), torch.stack(Z, 1)


class ByHand(nn.Module):
    """Without any helper."""

    def __init__(self, dim, heads):
        super().__init__()
        self.h, self.d = heads, dim // heads
        self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_v, self.to_out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, S=None, Z=None):
        B, N, dim = x.shape
        q, k, v = (
            to(x).view(B, N, self.h, self.d).transpose(1, 2)
            for to in (self.to_q, self.to_k, self.to_v)
        )
        q, k = F.elu(q) + 1, F.elu(k) + 1
        if S is None:
            S, Z = x.new_zeros(B, self.h, self.d, self.d), x.new_zeros(B, self.h, self.d)
        A = torch.tril(q @ k.mT)
        y = (q @ S + A @ v) / (q @ Z.unsqueeze(-1) + A.sum(-1, keepdim=True))
        y = y.transpose(1, 2).reshape(B, N, dim)
        return self.to_out(y), S + k.mT @ v, Z + k.sum(-2)


right("linear_attention.LinearAttention", "without helpers, all tokens at once")(ByHand)


class Forgetful(ByHand):
    def forward(self, x, S=None, Z=None):
        return super().forward(x)


wrong(
    "linear_attention.LinearAttention",
    "does not use the state that it is given",
    says="what earlier tokens have left is not used",
)(Forgetful)


# training_step
def _shift(model, pixels):
    return F.pad(pixels[:, :-1], (1, 0), value=model.levels)


def _finish(model, optimizer, loss, clip=True, zero=True):
    if zero:
        optimizer.zero_grad()
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@wrong(
    "linear_attention.training_step", "nats", says="The weights learn as they should, and what you"
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    _finish(model, optimizer, loss)
    return loss.item()


@wrong(
    "linear_attention.training_step",
    "times ln 2",
    says="The weights learn as they should, but nats are",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    _finish(model, optimizer, loss)
    return loss.item() * math.log(2)


@wrong(
    "linear_attention.training_step",
    "clip forgotten",
    says="The gradient is not cut in time. Where it is large",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    _finish(model, optimizer, loss, clip=False)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "zero_grad forgotten",
    says="Old gradients are not cleared: `backward` adds to",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    _finish(model, optimizer, loss, zero=False)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "beginning is level 0",
    says="The beginning is a black pixel (level 0) in yours,",
)
def _(model, optimizer, pixels):
    model.train()
    before = torch.cat([torch.zeros_like(pixels[:, :1]), pixels[:, :-1]], 1)
    loss = F.cross_entropy(model(before).mT, pixels)
    _finish(model, optimizer, loss)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "the next pixel, as for text",
    says="You cut the last pixel off and let each place name",
)
def _(model, optimizer, pixels):
    model.train()
    logits = model(pixels[:, :-1])
    loss = F.cross_entropy(logits.transpose(1, 2), pixels[:, 1:])
    _finish(model, optimizer, loss)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "clip_grad_value",
    says="You cut each number of the gradient to between −1",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "clip before backward",
    says="The gradient is not cut in time. Where it is large",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    optimizer.zero_grad()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    loss.backward()
    optimizer.step()
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "shifted to the left",
    says="Shifted the wrong way: at place i the model reads",
)
def _(model, optimizer, pixels):
    model.train()
    before = F.pad(pixels[:, 1:], (0, 1), value=model.levels)
    loss = F.cross_entropy(model(before).mT, pixels)
    _finish(model, optimizer, loss)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "backward on bits",
    says="The figure is right, but the gradient is that of",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels) / math.log(2)
    _finish(model, optimizer, loss)
    return loss.item()


@wrong(
    "linear_attention.training_step",
    "model.train() forgotten",
    says="The model learns in evaluation mode, in which",
)
def _(model, optimizer, pixels):
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    _finish(model, optimizer, loss)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "sum instead of mean",
    says="You add the pixels up instead of taking their mean:",
)
def _(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels, reduction="sum") / len(pixels)
    _finish(model, optimizer, loss)
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "clips every tensor on its own",
    says="Each weight's gradient is cut by itself, so large",
)
def _(model, optimizer, pixels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(_shift(model, pixels)).mT, pixels)
    loss.backward()
    for p in model.parameters():
        nn.utils.clip_grad_norm_(p, 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


@wrong(
    "linear_attention.training_step",
    "loss computed after the step",
    says="The weights learn as they should, but what you",
)
def _(model, optimizer, pixels):
    model.train()
    before = _shift(model, pixels)
    loss = F.cross_entropy(model(before).mT, pixels)
    _finish(model, optimizer, loss)
    with torch.no_grad():
        return F.cross_entropy(model(before).mT, pixels).item() / math.log(2)


@right("linear_attention.training_step", "log-softmax and gather, clipping by hand")
def _(model, optimizer, pixels):
    model.train()
    start = torch.full((len(pixels), 1), model.levels, dtype=torch.long)
    logp = model(torch.hstack([start, pixels[:, :-1]])).log_softmax(-1)
    loss = -logp.gather(-1, pixels[..., None]).mean()
    parameters = [p for g in optimizer.param_groups for p in g["params"]]
    for p in parameters:
        p.grad = None
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in parameters if p.grad is not None))
    if norm > 1:
        for p in parameters:
            if p.grad is not None:
                p.grad /= norm
    optimizer.step()
    return float(loss.detach()) / np.log(2)


@right("linear_attention.training_step", "flattened logits, roll")
def _(model, optimizer, pixels):
    model.train()
    before = pixels.roll(1, dims=1)
    before[:, 0] = model.levels
    model.zero_grad(set_to_none=True)
    loss = nn.CrossEntropyLoss()(model(before).flatten(0, 1), pixels.flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=1)
    optimizer.step()
    return math.log2(math.e) * loss.item()


@right("linear_attention.training_step", "flattens, and shifts by cat")
def _(model, optimizer, pixels):
    model.train()
    optimizer.zero_grad()
    first = torch.full_like(pixels[:, :1], model.levels)
    logits = model(torch.cat([first, pixels[:, :-1]], dim=1))
    loss = F.cross_entropy(logits.flatten(0, 1), pixels.flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach()) / float(np.log(2))


@wrong(
    "linear_attention.training_step",
    "gives the model the pixels themselves",
    says="The model reads the pixel that it is to foretell",
)
def _(model, optimizer, pixels):
    model.train()
    logits = model(pixels)
    loss = F.cross_entropy(logits.flatten(0, 1), pixels.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / np.log(2)


# pixels_from_nothing
def untrained(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


class Net(nn.Module):
    """Right in all but its weights."""

    def __init__(self, dim=24, heads=2, depth=1, levels=17):
        super().__init__()
        self.heads, self.levels = heads, levels
        self.embed = nn.Embedding(18, dim)
        self.pos = nn.Parameter(torch.randn(64, dim) * 0.02)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                dict(
                    n1=nn.LayerNorm(dim),
                    q=nn.Linear(dim, dim),
                    k=nn.Linear(dim, dim),
                    v=nn.Linear(dim, dim),
                    o=nn.Linear(dim, dim),
                    n2=nn.LayerNorm(dim),
                    f=nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)),
                )
            )
            for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, levels)

    def attend(self, l, x, S, Z):
        y = l["n1"](x)
        q, k, v = (split_heads(l[n](y), self.heads) for n in "qkv")
        y, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return x + l["o"](merge_heads(y)), S, Z

    def read(self, before, place, state):
        x = self.embed(before) + self.pos[place : place + before.shape[1]]
        new = []
        for i, l in enumerate(self.layers):
            x, S, Z = self.attend(l, x, *(state[i] if state else (None, None)))
            x = x + l["f"](l["n2"](x))
            new.append((S, Z))
        return self.head(self.norm(x)), new

    def forward(self, pixels):
        return self.read(F.pad(pixels[:, :-1], (1, 0), value=17), 0, None)[0]

    def step(self, last, place, state):
        logits, state = self.read(last[:, None], place, state)
        return logits[:, 0], state


class N(Net):
    def forward(self, pixels):
        return self.read(pixels, 0, None)[0]


wrong(
    "linear_attention.pixels_from_nothing",
    "no shift",
    says="✗ a place knows the pixels before it alone",
)(untrained(N))


class N(Net):
    def step(self, last, place, state):
        past = last[:, None] if state is None else torch.cat([state, last[:, None]], 1)
        return self.read(past, 0, None)[0][:, -1], past


wrong(
    "linear_attention.pixels_from_nothing",
    "state is a list of the past",
    says="✗ what it keeps of the past has one size",
)(untrained(N))


class N(Net):
    def step(self, last, place, state):
        logits, state = self.read(last[:, None], place, None)
        return logits[:, 0], state


wrong(
    "linear_attention.pixels_from_nothing",
    "step forgets the state",
    says="✗ step by step it says the same as at once",
)(untrained(N))


class N(Net):
    def __init__(self):
        super().__init__(levels=16)


wrong(
    "linear_attention.pixels_from_nothing",
    "16 levels",
    says="✗ (2, 64) goes in, (2, 64, 16) comes out, of (2, 64, 17)",
)(untrained(N))


class N(Net):
    def attend(self, l, x, S, Z):
        y = l["n1"](x)
        q, k, v = (split_heads(l[n](y), self.heads) for n in "qkv")
        q, k = phi(q), phi(k)
        S0, Z0 = (S, Z) if S is not None else empty_state(k, v)
        S, Z = S0 + k.mT @ v, Z0 + k.sum(-2)
        return x + l["o"](merge_heads(q @ S / (q @ Z[..., None]))), S, Z


wrong(
    "linear_attention.pixels_from_nothing",
    "not causal",
    says="✗ a place knows the pixels before it alone",
)(untrained(N))

# big_bird_mask


@wrong(
    "linear_attention.big_bird_mask",
    "window wraps around",
    says="Your window wraps around: the first block looks at",
)
def _(n, window, ends, random_blocks):
    m = np.zeros((n, n), bool)
    for i in range(n):
        for o in range(-(window // 2), window // 2 + 1):
            m[i, (i + o) % n] = True
        m[i, random_blocks[i]] = True
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "negative index",
    says="At the beginning the window wraps around: a column",
)
def _(n, window, ends, random_blocks):
    m = np.zeros((n, n), bool)
    for i in range(n):
        for j in range(i - window // 2, i + window // 2 + 1):
            if j < n:
                m[i, j] = True
        for j in random_blocks[i]:
            m[i, j] = True
    if ends:
        m[0] = m[-1] = True
        m[:, 0] = m[:, -1] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "whole window to each side",
    says="Your window reaches as far as it is wide, on each",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = np.abs(p[:, None] - p) <= window
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "strictly smaller",
    says="The outermost blocks of the window are missing on",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = np.abs(p[:, None] - p) < window // 2
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "only rows are global",
    says="The global blocks look at all, but nobody looks at",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = abs(p[:, None] - p) <= window // 2
    if ends:
        m[0] = m[n - 1] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "first block only",
    says="Only the first block is global. Which two does the",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = abs(p[:, None] - p) <= window // 2
    if ends:
        m[0, :] = True
        m[:, 0] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "random made symmetric",
    says="Random blocks look back in yours: if i looks at j,",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = abs(p[:, None] - p) <= window // 2
    m[p[:, None], random_blocks] = True
    m |= m.T
    if ends:
        m[[0, -1]] = m[:, [0, -1]] = True
        m[[0, -1]] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "random columns for all",
    says="`mask[:, random_blocks] = True` lets every block",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = abs(p[:, None] - p) <= window // 2
    m[:, random_blocks] = True
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "ends ignored",
    says="The first and the last block are global in yours",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    m = abs(p[:, None] - p) <= window // 2
    m[[0, -1]] = True
    m[:, [0, -1]] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "int mask",
    says="The numbers are right, their dtype is not: which",
)
def _(n, window, ends, random_blocks):
    m = np.zeros((n, n), int)
    for i in range(n):
        m[i, max(0, i - window // 2) : i + window // 2 + 1] = 1
        m[i, random_blocks[i]] = 1
    if ends:
        m[[0, -1]] = 1
        m[:, [0, -1]] = 1
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "causal window",
    says="The window looks back only, as in a causal model.",
)
def _(n, window, ends, random_blocks):
    p = np.arange(n)
    d = p[:, None] - p
    m = (d >= 0) & (d < window)
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    m[p[:, None], random_blocks] = True
    return m


@wrong(
    "linear_attention.big_bird_mask",
    "window slice one short",
    says="The window reaches one block less after the block",
)
def _(n, window, ends, random_blocks):
    m = np.zeros((n, n), dtype=bool)
    for i in range(n):
        m[i, max(i - window // 2, 0) : i + window // 2] = True
        m[i, random_blocks[i]] = True
    if ends:
        m[[0, -1]] = True
        m[:, [0, -1]] = True
    return m


@right("linear_attention.big_bird_mask", "by np.tri and a product of one-hots")
def _(n, window, ends, random_blocks):
    w = window // 2
    band = np.tri(n, k=w, dtype=bool) & ~np.tri(n, k=-w - 1, dtype=bool)
    drawn = np.zeros((n, n), dtype=bool)
    for column in random_blocks.T:
        drawn |= np.eye(n, dtype=bool)[column]
    edge = np.isin(np.arange(n), (0, n - 1)) & bool(ends)
    return band | drawn | edge[:, None] | edge[None]


@right("linear_attention.big_bird_mask", "a question for each pair, list comprehension")
def _(n, window, ends, random_blocks):
    end = {0, n - 1} if ends else set()
    return np.array(
        [
            [
                abs(i - j) <= (window - 1) // 2
                or i in end
                or j in end
                or j in list(random_blocks[i])
                for j in range(n)
            ]
            for i in range(n)
        ]
    )


@right("linear_attention.big_bird_mask", "loops and sets")
def _(n, window, ends, random_blocks):
    mask = np.zeros((n, n), dtype=bool)
    for i in range(n):
        near = range(max(0, i - window // 2), min(n, i + window // 2 + 1))
        mask[i, [*near, *random_blocks[i]]] = True
        if ends:
            mask[i, 0] = mask[i, n - 1] = mask[0, i] = mask[n - 1, i] = True
    return mask


@wrong("linear_attention.big_bird_mask", "numbers instead of bools")
def _(n, window, ends, random_blocks):
    mask = np.zeros((n, n))
    for i in range(n):
        near = range(max(0, i - window // 2), min(n, i + window // 2 + 1))
        mask[i, [*near, *random_blocks[i]]] = 1
        if ends:
            mask[i, 0] = mask[i, n - 1] = mask[0, i] = mask[n - 1, i] = 1
    return mask


@wrong(
    "linear_attention.big_bird_mask",
    "draws random blocks for the columns",
    says="Rows and columns of the random blocks are exchanged",
)
def _(n, window, ends, random_blocks):
    mask = np.zeros((n, n), dtype=bool)
    for i in range(n):
        near = range(max(0, i - window // 2), min(n, i + window // 2 + 1))
        mask[i, [*near]] = True
        mask[random_blocks[i], i] = True
        if ends:
            mask[i, 0] = mask[i, n - 1] = mask[0, i] = mask[n - 1, i] = True
    return mask


# diameter


@wrong(
    "linear_attention.diameter",
    "gives n where there is no way",
    says="Where some block never hears of another you return",
)
def _(mask):
    known = np.eye(len(mask), dtype=bool)
    count = 0
    while not known.all() and count < len(mask):
        known = mask @ known
        count += 1
    return count


@wrong(
    "linear_attention.diameter",
    "starts from mask and counts from 0",
    says="You count one layer less: as if before the first",
)
def _(mask):
    known, count = mask.copy(), 0
    while not known.all():
        new = mask @ known
        if (new == known).all():
            return np.inf
        known, count = new, count + 1
    return count


@wrong(
    "linear_attention.diameter",
    "counts from 1",
    says="You count one layer too many: before the first one",
)
def _(mask):
    known, count = np.eye(len(mask), dtype=bool), 1
    while not known.all():
        new = mask @ known
        if (new == known).all():
            return np.inf
        known, count = new, count + 1
    return count


@wrong("linear_attention.diameter", "squares", says="You multiply what is known with itself, which")
def _(mask):
    known, count = mask, 1
    while not known.all():
        new = known @ known
        if (new == known).all():
            return np.inf
        known, count = new, count + 1
    return count


@wrong(
    "linear_attention.diameter",
    "way of the first block only",
    says="You count how long the word of the first block",
)
def _(mask):
    known = np.zeros(len(mask), bool)
    known[0] = True
    count = 0
    while not known.all():
        new = (mask & known).any(1) | known
        if (new == known).all():
            return np.inf
        known, count = new, count + 1
    return count


@wrong("linear_attention.diameter", "mean of shortest ways")
def _(mask):
    n = len(mask)
    d = np.where(mask, 1.0, np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return d.mean() if np.isinf(d).any() else int(round(d.mean()))


@wrong(
    "linear_attention.diameter",
    "unreachable left out",
    says="You leave out the pairs between which there is no",
)
def _(mask):
    n = len(mask)
    d = np.where(mask, 1.0, np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return int(d[np.isfinite(d)].max())


@wrong(
    "linear_attention.diameter",
    "returns -1",
    says="Where some block never hears of another you return",
)
def _(mask):
    known, count = np.eye(len(mask), dtype=bool), 0
    while not known.all():
        new = mask @ known
        if (new == known).all():
            return -1
        known, count = new, count + 1
    return count


@wrong(
    "linear_attention.diameter",
    "the radius",
    says="You return the layers until some block has heard of",
)
def _(mask):
    n = len(mask)
    d = np.where(mask, 1.0, np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    r = d.max(1).min()
    return np.inf if np.isinf(r) else int(r)


@wrong(
    "linear_attention.diameter",
    "float out",
    says="The numbers are right, but floats: a whole number",
)
def _(mask):
    n = len(mask)
    d = np.where(mask, 1.0, np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return d.max()


@wrong(
    "linear_attention.diameter",
    "changes mask in place",
    says="Your function changes its argument mask in place.",
)
def _(mask):
    step = mask.copy()
    count = 1
    if len(mask) == 1:
        return 0
    while not mask.all():
        new = step @ mask
        if (new == mask).all():
            return np.inf
        mask[:] = new
        count += 1
    return count


@right("linear_attention.diameter", "Floyd-Warshall")
def _(mask):
    n = len(mask)
    d = np.where(mask, 1.0, np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return int(d.max()) if np.isfinite(d).all() else float("inf")


@right("linear_attention.diameter", "breadth first from every block")
def _(mask):
    n, longest = len(mask), 0
    for start in range(n):
        far, waiting = {start: 0}, deque([start])
        while waiting:
            i = waiting.popleft()
            for j in np.flatnonzero(mask[i]):
                if j not in far:
                    far[j] = far[i] + 1
                    waiting.append(j)
        if len(far) < n:
            return np.inf
        longest = max(longest, *far.values())
    return longest


@right("linear_attention.diameter", "powers of a matrix of whole numbers")
def _(mask):
    step, ways, layers = mask.astype(int), np.eye(len(mask), dtype=int), 0
    while (ways == 0).any():
        if layers == len(mask):
            return np.inf
        ways, layers = np.minimum(ways @ step, 1), layers + 1
    return layers


@wrong("linear_attention.diameter", "undirected", says="You let every edge be used both ways")
def _(mask):
    both = (mask | mask.T).astype(int)
    ways, layers = np.eye(len(mask), dtype=int), 0
    while (ways == 0).any():
        if layers == len(mask):
            return np.inf
        ways, layers = np.minimum(ways @ both, 1), layers + 1
    return layers


# causal_linear_attention_backward
def _back(
    dY,
    q,
    k,
    v,
    dq_z=True,
    dk_z=True,
    strict=False,
    h_sign=-1,
    h_pow=2,
    forward_r=False,
):
    S, Z = (
        np.zeros((*v.shape[:-2], k.shape[-1], v.shape[-1])),
        np.zeros((*v.shape[:-2], k.shape[-1])),
    )
    N = v.shape[-2]
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    g = np.zeros_like(dY)
    h = np.zeros(dY.shape[:-1])
    for i in range(N):
        S = S + k[..., i, :, None] * v[..., i, None, :]
        Z = Z + k[..., i, :]
        n = (q[..., i, None, :] @ S)[..., 0, :]
        d = (q[..., i, :] * Z).sum(-1)
        g[..., i, :] = dY[..., i, :] / d[..., None]
        h[..., i] = h_sign * (dY[..., i, :] * n).sum(-1) / d**h_pow
        dq[..., i, :] = (S @ g[..., i, :, None])[..., 0] + (h[..., i, None] * Z if dq_z else 0)
    R_, r_ = np.zeros_like(S), np.zeros_like(Z)
    for j in range(N) if forward_r else range(N - 1, -1, -1):
        read = R_, r_
        R_ = R_ + q[..., j, :, None] * g[..., j, None, :]
        r_ = r_ + h[..., j, None] * q[..., j, :]
        R_read, r_read = read if strict else (R_, r_)
        dk[..., j, :] = (R_read @ v[..., j, :, None])[..., 0] + (r_read if dk_z else 0)
        dv[..., j, :] = (k[..., j, None, :] @ R_read)[..., 0, :]
    return {"dphi_Q": dq, "dphi_K": dk, "dV": dv}


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "denominator missing for K only",
    says="dphi_K lacks what comes through the denominator.",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, dk_z=False)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "denominator missing for Q only",
    says="dphi_Q lacks what comes through the denominator. In",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, dq_z=False)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "sign of h",
    says="The sign of what comes through the denominator is",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, h_sign=1)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "h over d not squared",
    says="What comes through the denominator is divided by",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, h_pow=1)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "second loop forwards",
    says="dphi_K and dV are sums over the past. Whom has",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, forward_r=True)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "own token left out",
    says="dphi_Q is right; in dphi_K and dV the token's own",
)
def _(dY, phi_Q, phi_K, V):
    return _back(dY, phi_Q, phi_K, V, strict=True)


@right(
    "linear_attention.causal_linear_attention_backward",
    "cumulative sums both ways: right, with a remark on the memory",
)
def _(dY, phi_Q, phi_K, V):
    S = np.cumsum(phi_K[..., :, None] * V[..., None, :], axis=-3)
    Z = np.cumsum(phi_K, axis=-2)
    n = np.einsum("...ir,...irm->...im", phi_Q, S)
    d = (phi_Q * Z).sum(-1, keepdims=True)
    g, h = dY / d, -(dY * n).sum(-1, keepdims=True) / d**2
    R_ = np.flip(np.cumsum(np.flip(phi_Q[..., :, None] * g[..., None, :], -3), -3), -3)
    r_ = np.flip(np.cumsum(np.flip(h * phi_Q, -2), -2), -2)
    return dict(
        dphi_Q=np.einsum("...irm,...im->...ir", S, g) + h * Z,
        dphi_K=np.einsum("...irm,...im->...ir", R_, V) + r_,
        dV=np.einsum("...irm,...ir->...im", R_, phi_K),
    )


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "all keys: not causal",
    says="These are the gradients of attention in which every",
)
def _(dY, phi_Q, phi_K, V):
    S, Z = phi_K.mT @ V, phi_K.sum(-2)[..., None]
    n, d = phi_Q @ S, phi_Q @ Z
    g, h = dY / d, -(dY * n).sum(-1, keepdims=True) / d**2
    return dict(
        dphi_Q=g @ S.mT + h * Z.mT,
        dphi_K=V @ (phi_Q.mT @ g).mT + (h * phi_Q).sum(-2, keepdims=True),
        dV=phi_K @ (phi_Q.mT @ g),
    )


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "tuple",
    says="The gradients are right, but you return them as a",
)
def _(dY, phi_Q, phi_K, V):
    return tuple(_back(dY, phi_Q, phi_K, V).values())


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "dV with the query",
    says="dV is where the chain breaks: what comes before it",
)
def _(dY, phi_Q, phi_K, V):
    out = _back(dY, phi_Q, phi_K, V)
    out["dV"] = _back(dY, phi_Q, phi_Q, V)["dV"]
    return out


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "g undivided",
    says="The numerators' gradient is dY itself: the division",
)
def _(dY, phi_Q, phi_K, V):
    S, Z = (
        np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1])),
        np.zeros((*V.shape[:-2], phi_K.shape[-1])),
    )
    dq, dk, dv = np.zeros_like(phi_Q), np.zeros_like(phi_K), np.zeros_like(V)
    H = []
    for i in range(V.shape[-2]):
        S = S + phi_K[..., i, :, None] * V[..., i, None, :]
        Z = Z + phi_K[..., i, :]
        n = (phi_Q[..., i, None, :] @ S)[..., 0, :]
        d = (phi_Q[..., i, :] * Z).sum(-1)
        H.append(-(dY[..., i, :] * n).sum(-1) / d**2)
        dq[..., i, :] = (S @ dY[..., i, :, None])[..., 0] + H[-1][..., None] * Z
    Rr, r = np.zeros_like(S), np.zeros_like(Z)
    for j in reversed(range(V.shape[-2])):
        Rr = Rr + phi_Q[..., j, :, None] * dY[..., j, None, :]
        r = r + H[j][..., None] * phi_Q[..., j, :]
        dk[..., j, :] = (Rr @ V[..., j, :, None])[..., 0] + r
        dv[..., j, :] = (phi_K[..., j, None, :] @ Rr)[..., 0, :]
    return dict(dphi_Q=dq, dphi_K=dk, dV=dv)


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "keys named otherwise",
    says="Your dict lacks 'dphi_Q', 'dphi_K' and has 'dQ',",
)
def _(dY, phi_Q, phi_K, V):
    a, b, c = _back(dY, phi_Q, phi_K, V).values()
    return {"dQ": a, "dK": b, "dV": c}


@right("linear_attention.causal_linear_attention_backward", "ones beside the values: one state")
def _(dY, phi_Q, phi_K, V):
    V1 = np.concatenate([V, np.ones_like(V[..., :1])], -1)
    T = np.zeros((*V.shape[:-2], phi_K.shape[-1], V1.shape[-1]))
    N = V.shape[-2]
    G, dq = np.empty_like(V1), np.empty_like(phi_Q)
    for i in range(N):
        T += np.einsum("...r,...m->...rm", phi_K[..., i, :], V1[..., i, :])
        o = np.einsum("...r,...rm->...m", phi_Q[..., i, :], T)
        d = o[..., -1:]
        G[..., i, :-1] = dY[..., i, :] / d
        G[..., i, -1] = -(dY[..., i, :] * o[..., :-1]).sum(-1) / d[..., 0] ** 2
        dq[..., i, :] = np.einsum("...rm,...m->...r", T, G[..., i, :])
    T = np.zeros_like(T)
    dk, dv = np.empty_like(phi_K), np.empty_like(V)
    for i in range(N)[::-1]:
        T += np.einsum("...r,...m->...rm", phi_Q[..., i, :], G[..., i, :])
        dk[..., i, :] = np.einsum("...rm,...m->...r", T, V1[..., i, :])
        dv[..., i, :] = np.einsum("...rm,...r->...m", T[..., :-1], phi_K[..., i, :])
    return {"dphi_Q": dq, "dphi_K": dk, "dV": dv}


@right(
    "linear_attention.causal_linear_attention_backward", "one loop back, the sum taken out again"
)
def _(dY, phi_Q, phi_K, V):
    S, Z = np.einsum("...ir,...im->...rm", phi_K, V), phi_K.sum(-2)
    Rr, r = np.zeros_like(S), np.zeros_like(Z)
    dq, dk, dv = [], [], []
    for i in range(V.shape[-2])[::-1]:
        q, k, v, dy = (x[..., i, :] for x in (phi_Q, phi_K, V, dY))
        d = (q * Z).sum(-1, keepdims=True)
        y = np.einsum("...r,...rm->...m", q, S) / d
        g = dy / d
        h = -(g * y).sum(-1, keepdims=True)
        dq.append(np.einsum("...rm,...m->...r", S, g) + h * Z)
        Rr, r = Rr + q[..., None] * g[..., None, :], r + h * q
        dk.append(np.einsum("...rm,...m->...r", Rr, v) + r)
        dv.append(np.einsum("...rm,...r->...m", Rr, k))
        S, Z = S - k[..., None] * v[..., None, :], Z - k
    return {
        "dphi_Q": np.stack(dq[::-1], -2),
        "dphi_K": np.stack(dk[::-1], -2),
        "dV": np.stack(dv[::-1], -2),
    }


@right("linear_attention.causal_linear_attention_backward", "N × N weights")
def _(dY, phi_Q, phi_K, V):
    A = np.tril(phi_Q @ phi_K.mT)
    d = A.sum(-1, keepdims=True)
    dA = np.tril((dY @ V.mT - (dY * (A @ V / d)).sum(-1, keepdims=True)) / d)
    return {"dphi_Q": dA @ phi_K, "dphi_K": dA.mT @ phi_Q, "dV": (A / d).mT @ dY}


@wrong(
    "linear_attention.causal_linear_attention_backward",
    "no gradient through the denominator",
    says="The denominators are taken for constants",
)
def _(dY, phi_Q, phi_K, V):
    A = np.tril(phi_Q @ phi_K.mT)
    d = A.sum(-1, keepdims=True)
    dA = np.tril(dY @ V.mT / d)
    return {"dphi_Q": dA @ phi_K, "dphi_K": dA.mT @ phi_Q, "dV": (A / d).mT @ dY}


# attend_chunk
def _chunk(phi_q, phi_k, v, S, Z, mask=torch.tril, den_past=True, num_past=True):
    A = phi_q @ phi_k.mT
    A = mask(A) if mask else A
    num = A @ v + (phi_q @ S if num_past else 0)
    den = A.sum(-1, keepdim=True) + (phi_q @ Z[..., None] if den_past else 0)
    return num / den, S + phi_k.mT @ v, Z + phi_k.sum(-2)


@wrong(
    "linear_attention.attend_chunk",
    "mask forgotten",
    says="No mask inside the chunk: a token hears those",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z, mask=None)


@wrong(
    "linear_attention.attend_chunk",
    "state first",
    says="You let S and Z grow first and read them then:",
)
def _(phi_q, phi_k, v, S, Z):
    S, Z = S + phi_k.mT @ v, Z + phi_k.sum(-2)
    y, _, _ = _chunk(phi_q, phi_k, v, S, Z)
    return y, S, Z


@wrong(
    "linear_attention.attend_chunk",
    "past missing",
    says="What came before the chunk is not heard: each chunk",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z, den_past=False, num_past=False)


@wrong(
    "linear_attention.attend_chunk",
    "past missing in the denominator",
    says="The denominator lacks the past: Z is not in it.",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z, den_past=False)


@wrong(
    "linear_attention.attend_chunk",
    "two quotients added",
    says="Each part is divided by its own sum and then they",
)
def _(phi_q, phi_k, v, S, Z):
    A = (phi_q @ phi_k.mT).tril()
    past = phi_q @ S / (phi_q @ Z[..., None]).clamp_min(1e-9)
    return past + A @ v / A.sum(-1, keepdim=True), S + phi_k.mT @ v, Z + phi_k.sum(-2)


@wrong(
    "linear_attention.attend_chunk",
    "diagonal left out",
    says="A token does not hear itself: your mask leaves the",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z, mask=lambda A: A.tril(-1))


@wrong(
    "linear_attention.attend_chunk",
    "in place",
    says="Your function changes an argument in place. The",
)
def _(phi_q, phi_k, v, S, Z):
    y, _, _ = _chunk(phi_q, phi_k, v, S, Z)
    S += phi_k.mT @ v
    Z += phi_k.sum(-2)
    return y, S, Z


@wrong(
    "linear_attention.attend_chunk",
    "triu",
    says="Your mask keeps the other triangle: a token hears",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z, mask=torch.triu)


@wrong(
    "linear_attention.attend_chunk",
    "state as it came",
    says="y is right, but S and Z are handed on as they came:",
)
def _(phi_q, phi_k, v, S, Z):
    return _chunk(phi_q, phi_k, v, S, Z)[0], S, Z


@wrong(
    "linear_attention.attend_chunk",
    "loop over tokens",
    says="numbers are right, but 119 calls of PyTorch for 8",
)
def _(phi_q, phi_k, v, S, Z):
    ys = []
    for i in range(v.shape[-2]):
        q, k, x = phi_q[..., i, :], phi_k[..., i, :], v[..., i, :]
        S, Z = S + k[..., None] * x[..., None, :], Z + k
        ys.append((q[..., None, :] @ S)[..., 0, :] / (q * Z).sum(-1, keepdim=True))
    return torch.stack(ys, -2), S, Z


@wrong(
    "linear_attention.attend_chunk",
    "masked with -inf",
    says="NaN appears where a number should be. Which step",
)
def _(phi_q, phi_k, v, S, Z):
    n = v.shape[-2]
    return _chunk(
        phi_q,
        phi_k,
        v,
        S,
        Z,
        mask=lambda A: A.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), float("-inf")),
    )


@wrong(
    "linear_attention.attend_chunk",
    "softmax inside the chunk",
    says="Inside the chunk you take a softmax. The weights",
)
def _(phi_q, phi_k, v, S, Z):
    n = v.shape[-2]
    return _chunk(
        phi_q,
        phi_k,
        v,
        S,
        Z,
        mask=lambda A: A.masked_fill(
            torch.ones(n, n, dtype=torch.bool).triu(1), float("-inf")
        ).softmax(-1),
    )


@right("linear_attention.attend_chunk", "cumulative sums instead of pairs")
def _(phi_q, phi_k, v, S, Z):
    Ss = S[..., None, :, :] + (phi_k[..., :, None] * v[..., None, :]).cumsum(-3)
    Zs = Z[..., None, :] + phi_k.cumsum(-2)
    y = (phi_q[..., None, :] @ Ss)[..., 0, :] / (phi_q * Zs).sum(-1, keepdim=True)
    return y, Ss[..., -1, :, :], Zs[..., -1, :]


@right("linear_attention.attend_chunk", "ones beside the values, einsum, mask multiplied")
def _(phi_q, phi_k, v, S, Z):
    v1 = torch.cat([v, torch.ones_like(v[..., :1])], -1)
    T = torch.cat([S, Z.unsqueeze(-1)], -1)
    keep = torch.ones(v.shape[-2], v.shape[-2], dtype=v.dtype).tril()
    A = torch.einsum("...ir,...jr,ij->...ij", phi_q, phi_k, keep)
    o = torch.einsum("...ij,...jm->...im", A, v1) + torch.einsum("...ir,...rm->...im", phi_q, T)
    T = T + torch.einsum("...jr,...jm->...rm", phi_k, v1)
    return o[..., :-1] / o[..., -1:], T[..., :-1], T[..., -1]


@right("linear_attention.attend_chunk", "where, keys first, denominator from cumsum")
def _(phi_q, phi_k, v, S, Z):
    i = torch.arange(v.shape[-2])
    At = torch.where(i[:, None] <= i, phi_k @ phi_q.transpose(-1, -2), 0)
    den = ((Z.unsqueeze(-2) + phi_k.cumsum(-2)) * phi_q).sum(-1)
    y = (At.transpose(-1, -2) @ v + phi_q @ S) / den.unsqueeze(-1)
    return y, S + phi_k.transpose(-1, -2) @ v, Z + phi_k.sum(-2)


@right("linear_attention.attend_chunk", "a mask with where, a column of ones")
def _(phi_q, phi_k, v, S, Z):
    seen = torch.ones(v.shape[-2], v.shape[-2], dtype=torch.bool).tril()
    A = torch.where(seen, phi_q @ phi_k.transpose(-1, -2), 0.0)
    v1 = F.pad(v, (0, 1), value=1.0)
    both = A @ v1 + phi_q @ torch.cat([S, Z.unsqueeze(-1)], dim=-1)
    new = phi_k.transpose(-1, -2) @ v1
    return both[..., :-1] / both[..., -1:], S + new[..., :-1], Z + new[..., -1]


@wrong(
    "linear_attention.attend_chunk",
    "forgets the mask",
    says="No mask inside the chunk",
)
def _(phi_q, phi_k, v, S, Z):
    S, Z = S + phi_k.mT @ v, Z + phi_k.sum(-2)
    return phi_q @ S / (phi_q @ Z.unsqueeze(-1)), S, Z


@right("linear_attention.chunked_attention", "ignores the chunk: all at once")
def _(phi_Q, phi_K, V, chunk):
    A = np.tril(phi_Q @ phi_K.mT)
    return A @ V / A.sum(-1, keepdims=True)


# chunked_attention
def _chunked(
    phi_Q, phi_K, V, chunk, mask, denominator=None, after=False, state_mask=False, rows=None
):
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1))
    Y = np.zeros_like(V)
    for start in range(0, V.shape[-2], chunk):
        t = slice(start, start + chunk)
        q, k, v = phi_Q[..., t, :], phi_K[..., t, :], V[..., t, :]
        if after:
            S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
        A = mask(q @ k.mT)
        num = q @ S + A @ v
        den = q @ Z + (A if denominator is None else denominator(q @ k.mT)).sum(-1, keepdims=True)
        Y[..., t, :] = num / den
        if not after:
            S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
    return Y


def same(A):
    return A


@wrong(
    "linear_attention.chunked_attention",
    "triu",
    says="You keep the upper triangle: a token hears itself",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, np.triu)


@wrong(
    "linear_attention.chunked_attention",
    "tril k=-1",
    says="A token does not hear itself now, and the very",
)
def _(phi_Q, phi_K, V, chunk):
    with np.errstate(all="ignore"):
        return _chunked(phi_Q, phi_K, V, chunk, lambda A: np.tril(A, -1))


@wrong(
    "linear_attention.chunked_attention",
    "mask in the numerator only",
    says="The numerator is masked, the denominator still sums",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, np.tril, denominator=same)


@wrong(
    "linear_attention.chunked_attention",
    "state moved before it is read",
    says="There is no mask yet, and S and Z now grow before",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, same, after=True)


@wrong(
    "linear_attention.chunked_attention",
    "A left away",
    says="The bug is still there: yours gives what the",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, lambda A: A * 0, after=True)


@wrong(
    "linear_attention.chunked_attention",
    "mask with -inf",
    says="NaN appears where a number should be. Which step",
)
def _(phi_Q, phi_K, V, chunk):
    with np.errstate(all="ignore"):
        return _chunked(
            phi_Q, phi_K, V, chunk, lambda A: np.where(np.tri(A.shape[-1], dtype=bool), A, -np.inf)
        )


@wrong(
    "linear_attention.chunked_attention",
    "a mask of the chunk's size for the last one, too",
    says="Two shapes do not fit. Write the shape behind each",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, lambda A: A * np.tri(chunk))


@wrong(
    "linear_attention.chunked_attention",
    "masks k and v",
    says="You cut a triangle out of the keys, whose axes are",
)
def _(phi_Q, phi_K, V, chunk):
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1))
    Y = np.zeros_like(V)
    for start in range(0, V.shape[-2], chunk):
        t = slice(start, start + chunk)
        q, k, v = phi_Q[..., t, :], phi_K[..., t, :], V[..., t, :]
        A = q @ np.tril(k.mT)
        Y[..., t, :] = (q @ S + A @ v) / (q @ Z + A.sum(axis=-1, keepdims=True))
        S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
    return Y


@wrong(
    "linear_attention.chunked_attention",
    "sum of A over the wrong axis",
    says="Each row is right but for a factor of its own: how",
)
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, np.tril, denominator=lambda A: np.tril(A).mT)


@right("linear_attention.chunked_attention", "mask multiplied in")
def _(phi_Q, phi_K, V, chunk):
    return _chunked(phi_Q, phi_K, V, chunk, lambda A: A * np.tri(A.shape[-1]))


@right("linear_attention.chunked_attention", "one by one, whatever the chunk")
def _(phi_Q, phi_K, V, chunk):
    S, Z, Y = 0, 0, np.zeros_like(V)
    for i in range(V.shape[-2]):
        S, Z = S + phi_K[..., i, :, None] * V[..., i, None, :], Z + phi_K[..., i, :]
        Y[..., i, :] = (phi_Q[..., i, None, :] @ S)[..., 0, :] / (phi_Q[..., i, :] * Z).sum(-1)[
            ..., None
        ]
    return Y


# delta_step
def outer(a, b):
    return a[..., :, None] * b[..., None, :]


def look(S, k):
    return (k[..., None, :] @ S).squeeze(-2)


@wrong(
    "linear_attention.delta_step",
    "beta forgotten",
    says="β is missing, so every token overwrites all of what",
)
def _(q, k, v, beta, S):
    S = S + outer(k, v - look(S, k))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "reads the old S",
    says="y is read before the memory is corrected: the token",
)
def _(q, k, v, beta, S):
    y = look(S, q)
    return y, S + outer(k, beta * (v - look(S, k)))


@wrong(
    "linear_attention.delta_step",
    "looks up with q",
    says="You take away what the query finds, not what is",
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * (v - look(S, q)))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step", "sign", says="The sign is wrong: you write what is held minus"
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * (look(S, k) - v))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "in place",
    says="Your function changes an argument in place. The",
)
def _(q, k, v, beta, S):
    S += outer(k, beta * (v - look(S, k)))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "beta only on v",
    says="β stands at the new value alone, so the old one is",
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * v - look(S, k))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "beta only on what is held",
    says="β stands at what is held alone, and the new value",
)
def _(q, k, v, beta, S):
    S = S + outer(k, v - beta * look(S, k))
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "decay of the whole memory",
    says="All of S fades, also what is filed under other",
)
def _(q, k, v, beta, S):
    S = (1 - beta)[..., None] * S + beta[..., None] * outer(k, v)
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "denominator",
    says="S is right, but you divide what the query reads.",
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * (v - look(S, k)))
    return look(S, q) / (q * k).sum(-1, keepdim=True), S


@wrong(
    "linear_attention.delta_step",
    "order of output",
    says="The values are right, but they are returned in",
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * (v - look(S, k)))
    return S, look(S, q)


@wrong(
    "linear_attention.delta_step",
    "reads with k",
    says="S is right, but y is read with the key. Which of",
)
def _(q, k, v, beta, S):
    S = S + outer(k, beta * (v - look(S, k)))
    return look(S, k), S


@wrong(
    "linear_attention.delta_step",
    "outer turned",
    says="Two shapes do not fit. Write the shape behind each",
)
def _(q, k, v, beta, S):
    S = S + outer(beta * (v - look(S, k)), k)
    return look(S, q), S


@wrong(
    "linear_attention.delta_step",
    "S k instead of Sᵀ k",
    says="Two shapes do not fit. Write the shape behind each",
)
def _(q, k, v, beta, S):
    held = (S @ k[..., None]).squeeze(-1)
    S = S + outer(k, beta * (v - held))
    return (S @ q[..., None]).squeeze(-1), S


@right("linear_attention.delta_step", "a step of autograd on half the square")
def _(q, k, v, beta, S):
    old = torch.einsum("...r,...rm->...m", k, S)
    new = torch.lerp(old, v, beta.expand_as(old))
    S = S.clone().add_(torch.einsum("...r,...m->...rm", k, new - old))
    return S.mT.matmul(q.unsqueeze(-1)).squeeze(-1), S


@right("linear_attention.delta_step", "erases and then writes")
def _(q, k, v, beta, S):
    outer = torch.einsum("...r,...s->...rs", k, k)
    S = S - beta[..., None] * outer @ S + beta[..., None] * k[..., :, None] * v[..., None, :]
    return torch.einsum("...r,...rm->...m", q, S), S


@wrong("linear_attention.delta_step", "only adds", says="This adds, as linear attention does")
def _(q, k, v, beta, S):
    S = S + torch.einsum("...r,...m->...rm", beta * k, v)
    return torch.einsum("...r,...rm->...m", q, S), S
