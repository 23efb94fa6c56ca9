"""Answers to the exercises of chapter 36 that its family of systems asks."""

import numpy as np
import torch

from answers import right, wrong

# searched_weight


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@right("quantization.searched_weight", "by the whole Jacobian of the softmax")
def _(A, v, tau, dw):
    p = softmax(A / tau)
    jacobian = np.einsum("...i,ij->...ij", p, np.eye(len(v))) - p[..., :, None] * p[..., None, :]
    return {
        "w": (p * v).sum(-1),
        "w_q": np.take(v, np.argmax(A, -1)),
        "dA": dw[..., None] * (jacobian @ v) / tau,
    }


@wrong(
    "quantization.searched_weight",
    "forgets that the softmax divides by tau",
    says="dA lacks the 1 / tau",
)
def _(A, v, tau, dw):
    p = softmax(A / tau)
    w = p @ v
    return {"w": w, "w_q": v[A.argmax(-1)], "dA": dw[..., None] * p * (v - w[..., None])}


@wrong("quantization.searched_weight", "rounds w", says="Who decides, the mean or the logits?")
def _(A, v, tau, dw):
    p = softmax(A / tau)
    w = p @ v
    w_q = v[np.argmin((w[..., None] - v) ** 2, axis=-1)]
    return {"w": w, "w_q": w_q, "dA": dw[..., None] * p * (v - w[..., None]) / tau}


@wrong("quantization.searched_weight", "a plain exponential", says="NaN for large logits")
def _(A, v, tau, dw):
    with np.errstate(all="ignore"):
        p = np.exp(A / tau) / np.exp(A / tau).sum(-1, keepdims=True)
        w = (p * v).sum(-1)
        dA = dw[..., None] * p * (v - w[..., None]) / tau
    return {"w": w, "w_q": v[A.argmax(-1)], "dA": dA}


# instability


@right("quantization.instability", "channel by channel")
def _(new, old):
    found = []
    for c in range(new.shape[1]):
        a, b = new[:, c].ravel(), old[:, c].ravel()
        if a.std() and b.std():
            va, vb = a.var(ddof=1), b.var(ddof=1)
            found.append(0.5 * np.log(vb / va) + (va + (a.mean() - b.mean()) ** 2) / (2 * vb) - 0.5)
    return float(np.mean(found)) if found else 0.0


@wrong("quantization.instability", "NumPy's own deviation", says="divide by n. The task says n − 1")
def _(new, old):
    s, t = new.std((0, 2, 3)), old.std((0, 2, 3))
    ok = (s > 0) * (t > 0)
    if not ok.any():
        return 0.0
    d = (new.mean((0, 2, 3)) - old.mean((0, 2, 3)))[ok]
    s, t = s[ok], t[ok]
    return float(np.mean(np.log(t / s) + (s**2 + d**2) / (2 * t**2) - 0.5))


@wrong("quantization.instability", "old against new", says="It is not symmetric")
def _(new, old):
    s, t = new.std((0, 2, 3), ddof=1), old.std((0, 2, 3), ddof=1)
    ok = (s > 0) * (t > 0)
    if not ok.any():
        return 0.0
    d = (new.mean((0, 2, 3)) - old.mean((0, 2, 3)))[ok]
    s, t = s[ok], t[ok]
    return float(np.mean(np.log(s / t) + (t**2 + d**2) / (2 * s**2) - 0.5))


# xnor_product


@right("quantization.xnor_product", "unpacks and multiplies")
def _(x, w, K):
    def signs(words):
        bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
        return 2 * bits[:, :K].astype(int) - 1

    return signs(x) @ signs(w).T


@right("quantization.xnor_product", "in loops, with Python's own numbers")
def _(x, w, K):
    out = np.zeros((len(x), len(w)), dtype=int)
    for i, a in enumerate(x):
        for j, b in enumerate(w):
            out[i, j] = K - 2 * sum((int(p) ^ int(q)).bit_count() for p, q in zip(a, b))
    return out


@wrong("quantization.xnor_product", "the XNOR itself, filling and all", says="what the last word")
def _(x, w, K):
    same = np.bitwise_count(~(x[:, None, :] ^ w[None])).sum(-1).astype(np.int64)
    return 2 * same - K


@wrong("quantization.xnor_product", "an unsigned sum", says="K minus too much starts again")
def _(x, w, K):
    return K - 2 * np.bitwise_count(x[:, None] ^ w).sum(axis=2)


# fused_glue


@right("quantization.fused_glue", "in floats, with floor")
def _(sums, mean, shift, bits):
    if (shift < 1).any():
        raise ValueError("no half of a bit")
    return np.floor((sums - mean) / 2.0**shift + 0.5).clip(0, 2**bits - 1).astype(int)


@wrong("quantization.fused_glue", "np.round", says="Halves go to the even neighbour")
def _(sums, mean, shift, bits):
    if (shift < 1).any():
        raise ValueError("no half of a bit")
    return np.clip(np.round((sums - mean) / 2.0**shift), 0, 2**bits - 1).astype(int)


@wrong("quantization.fused_glue", "a bare shift", says="You round down")
def _(sums, mean, shift, bits):
    if (shift < 1).any():
        raise ValueError("no half of a bit")
    return np.clip((sums - mean) >> shift, 0, 2**bits - 1)


# prox_binary


@right("quantization.prox_binary", "by clamping how far it goes")
def _(theta, strength):
    if strength < 0:
        raise ValueError("negative")
    target = torch.ones_like(theta)
    target[theta < 0] = -1
    return theta + (target - theta).clamp(-strength, strength)


@wrong("quantization.prox_binary", "torch.sign for the target", says="its `sign` is 0")
def _(theta, strength):
    if strength < 0:
        raise ValueError("negative")
    return theta.sign() * (
        1 + (theta.abs() - 1).sign() * ((theta.abs() - 1).abs() - strength).relu()
    )


@wrong("quantization.prox_binary", "soft thresholding", says="the prox of |x|")
def _(theta, strength):
    if strength < 0:
        raise ValueError("negative")
    return torch.sign(theta) * torch.relu(theta.abs() - strength)


@wrong("quantization.prox_binary", "never asks whether it has arrived", says="run past their point")
def _(theta, strength):
    if strength < 0:
        raise ValueError("negative")
    target = torch.where(theta >= 0, 1.0, -1.0)
    return theta + strength * (target - theta).sign()


# kmeans


@right("quantization.kmeans", "with distances and a set of groups")
def _(values, k):
    c = np.linspace(values.min(), values.max(), k)
    old = np.full(len(values), -1)
    while True:
        g = np.argmin(np.abs(values[:, None] - c[None]), axis=1)
        if np.array_equal(g, old):
            return c, g
        c = np.array([values[g == i].mean() if i in set(g) else c[i] for i in range(k)])
        old = g


@wrong("quantization.kmeans", "quantiles at the start", says="Your start is at quantiles")
def _(values, k):
    c, old = np.quantile(values, np.linspace(0, 1, k)), None
    while True:
        g = np.abs(values[:, None] - c).argmin(1)
        if old is not None and (g == old).all():
            return c, g
        c, old = np.array([values[g == i].mean() if (g == i).any() else c[i] for i in range(k)]), g


@wrong("quantization.kmeans", "a single pass", says="One round, groups and then means")
def _(values, k):
    c = np.linspace(values.min(), values.max(), k)
    g = np.abs(values[:, None] - c).argmin(1)
    return np.array([values[g == i].mean() if (g == i).any() else c[i] for i in range(k)]), g
