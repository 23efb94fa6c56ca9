"""Answers to chapter 38, linear attention."""

from collections import deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong

# elu_plus_one


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


# big_bird_mask


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


# attend_chunk, chunked_attention


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


# causal_linear_attention_backward


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


# delta_step


@right("linear_attention.delta_step", "erases and then writes")
def _(q, k, v, beta, S):
    outer = torch.einsum("...r,...s->...rs", k, k)
    S = S - beta[..., None] * outer @ S + beta[..., None] * k[..., :, None] * v[..., None, :]
    return torch.einsum("...r,...rm->...m", q, S), S


@wrong("linear_attention.delta_step", "only adds", says="This adds, as linear attention does")
def _(q, k, v, beta, S):
    S = S + torch.einsum("...r,...m->...rm", beta * k, v)
    return torch.einsum("...r,...rm->...m", q, S), S
