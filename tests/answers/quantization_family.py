"""Answers to the exercises of chapter 36 that its family of systems asks."""

import warnings

import numpy as np
import torch
import torch.nn.functional as F

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


def sm(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def hard(A, v):
    return v[A.argmax(-1)]


@wrong("quantization.searched_weight", "max of all", says="NaN appears where a number should be")
def _(A, v, tau, dw):
    with np.errstate(all="ignore"):
        e = np.exp((A - A.max()) / tau)
        p = e / e.sum(-1, keepdims=True)
        w = p @ v
        return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (v - w[..., None]) / tau)


@wrong("quantization.searched_weight", "times tau", says="You multiply by tau")
def _(A, v, tau, dw):
    p = sm(A * tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (v - w[..., None]) * tau)


@wrong("quantization.searched_weight", "dA times tau", says="dA is multiplied by tau")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (v - w[..., None]) * tau)


@wrong("quantization.searched_weight", "dA without the mean", says="dA = dw p v")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * v / tau)


@wrong("quantization.searched_weight", "dA diagonal only", says="dA = dw p (1 − p) v")
def _(A, v, tau, dw):
    p = sm(A / tau)
    return dict(w=p @ v, w_q=hard(A, v), dA=dw[..., None] * p * (1 - p) * v / tau)


@wrong("quantization.searched_weight", "sign of the difference", says="dA has the other sign")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (w[..., None] - v) / tau)


@wrong(
    "quantization.searched_weight",
    "number of the value",
    says="Your w_q says which value it is, and not the",
)
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=A.argmax(-1), dA=dw[..., None] * p * (v - w[..., None]) / tau)


@wrong(
    "quantization.searched_weight",
    "softmax over the first axis",
    says="Your softmax runs over the weights, its first",
)
def _(A, v, tau, dw):
    e = np.exp((A - A.max(0)) / tau)
    p = e / e.sum(0)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (v - w[..., None]) / tau)


@wrong("quantization.searched_weight", "logit itself for w_q", says="Your w_q is the largest logit")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=A.max(-1), dA=dw[..., None] * p * (v - w[..., None]) / tau)


@wrong("quantization.searched_weight", "through w_q", says="dA measures each value against w_q")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    q = hard(A, v)
    return dict(w=w, w_q=q, dA=dw[..., None] * p * (v - q[..., None]) / tau)


@wrong("quantization.searched_weight", "p forgotten in dA", says="dA = dw (v − w) / tau")
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * (v - w[..., None]) / tau)


@wrong(
    "quantization.searched_weight", "tau only in dA", says="Your shares are the softmax of A itself"
)
def _(A, v, tau, dw):
    p = sm(A)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=dw[..., None] * p * (v - w[..., None]) / tau)


@wrong(
    "quantization.searched_weight",
    "dw left out",
    says="Each row is right but for a factor of its own",
)
def _(A, v, tau, dw):
    p = sm(A / tau)
    w = p @ v
    return dict(w=w, w_q=hard(A, v), dA=p * (v - w[..., None]) / tau)


@right("quantization.searched_weight", "through PyTorch")
def _(A, v, tau, dw):
    a = torch.tensor(A, dtype=torch.double, requires_grad=True)
    w = torch.softmax(a / tau, -1) @ torch.tensor(v, dtype=torch.double)
    w.backward(torch.as_tensor(dw, dtype=torch.double))
    return dict(w=w.detach().numpy(), w_q=v[np.argmax(A, -1)], dA=a.grad.numpy())


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


def stats(x, ddof=1):
    return x.mean((0, 2, 3)), x.std((0, 2, 3), ddof=ddof)


def kl(m, s, mo, so):
    return np.log(so / s) + (s**2 + (m - mo) ** 2) / (2 * so**2) - 0.5


@wrong("quantization.instability", "2 missing", says="You divide by σ_old²")
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    m, s, mo, so = m[ok], s[ok], mo[ok], so[ok]
    return (
        float((np.log(so / s) + (s**2 + (m - mo) ** 2) / so**2 - 0.5).mean()) if ok.any() else 0.0
    )


@wrong("quantization.instability", "half forgotten", says="The ½ is missing")
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    m, s, mo, so = m[ok], s[ok], mo[ok], so[ok]
    return (
        float((np.log(so / s) + (s**2 + (m - mo) ** 2) / (2 * so**2)).mean()) if ok.any() else 0.0
    )


@wrong(
    "quantization.instability",
    "one normal for the layer",
    says="One mean and one deviation for the whole",
)
def _(new, old):
    m, s, mo, so = new.mean(), new.std(ddof=1), old.mean(), old.std(ddof=1)
    return float(kl(m, s, mo, so)) if s > 0 and so > 0 else 0.0


@wrong(
    "quantization.instability", "images apart", says="Means and deviations of each image by itself"
)
def _(new, old):
    with np.errstate(all="ignore"):
        m, s, mo, so = (
            new.mean((2, 3)),
            new.std((2, 3), ddof=1),
            old.mean((2, 3)),
            old.std((2, 3), ddof=1),
        )
        ok = (s > 0) & (so > 0)
        return float(kl(m[ok], s[ok], mo[ok], so[ok]).mean()) if ok.any() else 0.0


@wrong("quantization.instability", "places apart", says="A mean and a deviation of each place by")
def _(new, old):
    m, s, mo, so = new.mean(0), new.std(0, ddof=1), old.mean(0), old.std(0, ddof=1)
    ok = (s > 0) & (so > 0)
    return float(kl(m[ok], s[ok], mo[ok], so[ok]).mean()) if ok.any() else 0.0


@wrong(
    "quantization.instability",
    "constant channels count 0",
    says="Constant channels count as 0, so they lower",
)
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    with np.errstate(all="ignore"):
        d = np.where(ok, kl(m, s, mo, so), 0)
    return float(d.mean())


@wrong(
    "quantization.instability", "only old is asked", says="You ask only whether the old channel is"
)
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = so > 0
    with np.errstate(all="ignore"):
        return float(kl(m[ok], s[ok], mo[ok], so[ok]).mean()) if ok.any() else 0.0


@wrong(
    "quantization.instability", "no channels give NaN", says="NaN appears where a number should be"
)
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    with np.errstate(all="ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(kl(m[ok], s[ok], mo[ok], so[ok]).mean())


@wrong("quantization.instability", "sum over channels", says="The sum over the channels")
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    return float(kl(m[ok], s[ok], mo[ok], so[ok]).sum())


@wrong(
    "quantization.instability",
    "log of the variances",
    says="The logarithm is of the variances, twice that",
)
def _(new, old):
    m, v, mo, vo = (
        new.mean((0, 2, 3)),
        new.var((0, 2, 3), ddof=1),
        old.mean((0, 2, 3)),
        old.var((0, 2, 3), ddof=1),
    )
    ok = (v > 0) & (vo > 0)
    d = np.log(vo[ok] / v[ok]) + (v[ok] + (m - mo)[ok] ** 2) / (2 * vo[ok]) - 0.5
    return float(d.mean()) if ok.any() else 0.0


@wrong("quantization.instability", "epsilon")
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    s, so = s + 1e-5, so + 1e-5
    return float(kl(m, s, mo, so).mean())


@wrong("quantization.instability", "log upside down", says="The logarithm is turned")
def _(new, old):
    (m, s), (mo, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    m, s, mo, so = m[ok], s[ok], mo[ok], so[ok]
    return (
        float((np.log(s / so) + (s**2 + (m - mo) ** 2) / (2 * so**2) - 0.5).mean())
        if ok.any()
        else 0.0
    )


@wrong("quantization.instability", "the means are ignored", says="The means are left out")
def _(new, old):
    (_, s), (_, so) = stats(new), stats(old)
    ok = (s > 0) & (so > 0)
    s, so = s[ok], so[ok]
    return float((np.log(so / s) + s**2 / (2 * so**2) - 0.5).mean()) if ok.any() else 0.0


@right("quantization.instability", "PyTorch's KL of normals")
def _(new, old):
    N = torch.distributions.Normal
    a, b = (
        torch.as_tensor(np.asarray(t, dtype=float)).transpose(0, 1).flatten(1) for t in (new, old)
    )
    keep = (a.amax(1) > a.amin(1)) & (b.amax(1) > b.amin(1))
    if not keep.any():
        return 0.0
    a, b = a[keep], b[keep]
    return (
        torch.distributions.kl_divergence(N(a.mean(1), a.std(1)), N(b.mean(1), b.std(1)))
        .mean()
        .item()
    )


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


@wrong("quantization.xnor_product", "K - d", says="You give how many signs agree")
def _(x, w, K):
    d = np.bitwise_count(x[:, None] ^ w).sum(-1).astype(int)
    return K - d


@wrong("quantization.xnor_product", "64 W - 2 d", says="You begin from 64 for each word")
def _(x, w, K):
    d = np.bitwise_count(x[:, None] ^ w).sum(-1).astype(int)
    return x.shape[1] * 64 - 2 * d


@wrong("quantization.xnor_product", "uint8 sums", says="The sum has 8 bits like the counts, so it")
def _(x, w, K):
    d = np.bitwise_count(x[:, None] ^ w).sum(-1, dtype=np.uint8).astype(int)
    return K - 2 * d


@wrong("quantization.xnor_product", "AND", says="AND finds where both are +1")
def _(x, w, K):
    both = np.bitwise_count(x[:, None] & w).sum(-1).astype(int)
    return 2 * both - K


@wrong("quantization.xnor_product", "transposed", says="Your rows and columns are exchanged")
def _(x, w, K):
    d = np.bitwise_count(w[:, None] ^ x).sum(-1).astype(int)
    return K - 2 * d


@wrong(
    "quantization.xnor_product",
    "only the first word",
    says="Only the first 64 signs of each row count",
)
def _(x, w, K):
    return K - 2 * np.bitwise_count(x[:, None, 0] ^ w[None, :, 0]).astype(int)


@wrong("quantization.xnor_product", "words not summed", says="Yours has an axis too many")
def _(x, w, K):
    return K - 2 * np.bitwise_count(x[:, None] ^ w).astype(int)


@wrong("quantization.xnor_product", "sign turned", says="The sign is the other one")
def _(x, w, K):
    return 2 * np.bitwise_count(x[:, None] ^ w).sum(-1).astype(int) - K


@wrong(
    "quantization.xnor_product",
    "number of differing bits",
    says="You give how many signs differ, which is",
)
def _(x, w, K):
    return np.bitwise_count(x[:, None] ^ w).sum(-1).astype(int)


@wrong(
    "quantization.xnor_product",
    "K at every word",
    says="You begin from K for each word, and a row of",
)
def _(x, w, K):
    return (K - 2 * np.bitwise_count(x[:, None] ^ w).astype(int)).sum(-1)


@wrong(
    "quantization.xnor_product",
    "same minus different of 0s",
    says="You count where both bits are 1, as a product",
)
def _(x, w, K):
    return np.bitwise_count(x[:, None] & w).sum(-1).astype(int)


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


def chk(shift):
    if (np.asarray(shift) < 1).any():
        raise ValueError("shift below 1")


@wrong(
    "quantization.fused_glue",
    "whole instead of half",
    says="Yours is always one more than rounding down",
)
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip((sums - mean + (1 << shift)) >> shift, 0, 2**bits - 1)


@wrong(
    "quantization.fused_glue", "adds the mean", says="You add the mean where it is to be taken away"
)
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip((sums + mean + (1 << (shift - 1))) >> shift, 0, 2**bits - 1)


@wrong(
    "quantization.fused_glue",
    "mean after the shift",
    says="The mean is taken away after the shift, where",
)
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip(((sums + (1 << (shift - 1))) >> shift) - mean, 0, 2**bits - 1)


@wrong("quantization.fused_glue", "clips to 2^bits", says="Levels go up to 2^bits")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip((sums - mean + (1 << (shift - 1))) >> shift, 0, 2**bits)


@wrong(
    "quantization.fused_glue", "signed levels", says="Your levels go from −2^(b−1) to 2^(b−1) − 1,"
)
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip(
        (sums - mean + (1 << (shift - 1))) >> shift, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    )


@wrong("quantization.fused_glue", "no lower end", says="Some levels are negative")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.minimum((sums - mean + (1 << (shift - 1))) >> shift, 2**bits - 1)


@wrong("quantization.fused_glue", "no upper end", says="Some levels are above 2^bits − 1")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.maximum((sums - mean + (1 << (shift - 1))) >> shift, 0)


@wrong(
    "quantization.fused_glue",
    "nobody asks about the shift",
    says="A shift below 1 is accepted; the task wants a",
)
def _(sums, mean, shift, bits):
    return np.clip(np.floor((sums - mean) / 2.0**shift + 0.5), 0, 2**bits - 1).astype(int)


@wrong(
    "quantization.fused_glue",
    "all in place of any",
    says="A shift below 1 is accepted; the task wants a",
)
def _(sums, mean, shift, bits):
    if (shift < 1).all():
        raise ValueError("shift")
    return np.clip(np.floor((sums - mean) / 2.0**shift + 0.5), 0, 2**bits - 1).astype(int)


@wrong("quantization.fused_glue", "floats returned", says="The numbers are right, but floats")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip(np.floor((sums - mean) / 2.0**shift + 0.5), 0, 2**bits - 1)


@wrong("quantization.fused_glue", "divides by shift", says="You divide by the shift itself")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip(np.floor((sums - mean) / shift + 0.5), 0, 2**bits - 1).astype(int)


@wrong("quantization.fused_glue", "ceil", says="You round up")
def _(sums, mean, shift, bits):
    chk(shift)
    return np.clip(np.ceil((sums - mean) / 2.0**shift), 0, 2**bits - 1).astype(int)


@right("quantization.fused_glue", "two shifts")
def _(sums, mean, shift, bits):
    if np.min(shift) < 1:
        raise ValueError(f"shift is {shift}, expected 1 or more")
    return ((((sums - mean) >> (shift - 1)) + 1) >> 1).clip(0, (1 << bits) - 1)


@right("quantization.fused_glue", "floor division")
def _(sums, mean, shift, bits):
    for s in shift:
        if s <= 0:
            raise ValueError("too small")
    d = np.power(2, shift)
    return np.minimum(np.maximum((2 * (sums - mean) + d) // (2 * d), 0), 2**bits - 1)


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


def tgt(t):
    return torch.where(t >= 0, 1.0, -1.0).to(t.dtype)


@wrong(
    "quantization.prox_binary", "does not stop", says="Weights that were nearer than the strength"
)
def _(theta, strength):
    return theta + strength * torch.sign(tgt(theta) - theta)


@wrong("quantization.prox_binary", "only from inside", says="Weights beyond ±1 stay where they are")
def _(theta, strength):
    return torch.where(theta.abs() < 1, torch.clamp(theta + strength * tgt(theta), -1, 1), theta)


@wrong(
    "quantization.prox_binary",
    "clamped to -1, 1",
    says="Weights beyond ±1 are clipped to it at once",
)
def _(theta, strength):
    return (theta + strength * tgt(theta)).clamp(-1, 1)


@wrong(
    "quantization.prox_binary", "a share of the way", says="You go a share of the way, strength ·"
)
def _(theta, strength):
    return theta + min(strength, 1.0) * (tgt(theta) - theta)


@wrong("quantization.prox_binary", "0 to -1", says="A weight of exactly 0 goes to −1")
def _(theta, strength):
    t = torch.where(theta > 0, 1.0, -1.0).to(theta.dtype)
    d = theta - t
    return t + d.sign() * (d.abs() - strength).clamp(min=0)


@wrong(
    "quantization.prox_binary",
    "target not added",
    says="You give how far each weight still is from",
)
def _(theta, strength):
    d = theta - tgt(theta)
    return d.sign() * torch.relu(d.abs() - strength)


@wrong("quantization.prox_binary", "in place", says="Your function changes its argument theta in")
def _(theta, strength):
    t = tgt(theta)
    theta -= t
    theta.copy_(F.softshrink(theta, strength) + t)
    return theta


@wrong(
    "quantization.prox_binary", "just the sign", says="You give the signs, whatever the strength is"
)
def _(theta, strength):
    return tgt(theta)


@wrong(
    "quantization.prox_binary",
    "away from the target",
    says="You move weights away from their points",
)
def _(theta, strength):
    t = tgt(theta)
    return theta + strength * torch.sign(theta - t)


@wrong(
    "quantization.prox_binary",
    "stays when near",
    says="Weights nearer than the strength stay where",
)
def _(theta, strength):
    d = theta - tgt(theta)
    return torch.where(d.abs() > strength, theta - strength * d.sign(), theta)


@wrong("quantization.prox_binary", "double strength", says="Twice the strength")
def _(theta, strength):
    t = tgt(theta)
    d = theta - t
    return t + d.sign() * (d.abs() - 2 * strength).clamp(min=0)


@wrong(
    "quantization.prox_binary",
    "quadratic prox",
    says="That is the prox of squared distances, a mean",
)
def _(theta, strength):
    return (theta + strength * tgt(theta)) / (1 + strength)


@wrong("quantization.prox_binary", "clamp without sign", says="The distance has lost its sign")
def _(theta, strength):
    t = tgt(theta)
    return t + ((theta - t).abs() - strength).clamp(min=0)


@right("quantization.prox_binary", "on the absolute value")
def _(theta, strength):
    size = theta.abs()
    near = torch.where(
        size > 1,
        torch.maximum(size - strength, torch.ones_like(size)),
        torch.minimum(size + strength, torch.ones_like(size)),
    )
    return torch.where(theta < 0, -near, near)


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


def near(v, c):
    return np.abs(v[:, None] - c).argmin(1)


def km(values, k, move, c=None, group=near):
    c = np.linspace(values.min(), values.max(), k) if c is None else c
    g = None
    for _ in range(500):
        n = group(values, c)
        if g is not None and (n == g).all():
            break
        g = n
        c = move(values, g, c)
    return c, g


def means(values, g, c):
    return np.array([values[g == i].mean() if (g == i).any() else c[i] for i in range(len(c))])


@wrong("quantization.kmeans", "NaN where none is", says="NaN appears where a number should be")
def _(values, k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return km(values, k, lambda v, g, c: np.array([v[g == i].mean() for i in range(k)]))


@wrong("quantization.kmeans", "empty to 0", says="A centre without numbers jumps to 0, as a sum")
def _(values, k):
    return km(
        values,
        k,
        lambda v, g, c: np.array([v[g == i].mean() if (g == i).any() else 0.0 for i in range(k)]),
    )


@wrong("quantization.kmeans", "five rounds", says="Right where 5 rounds are enough; elsewhere")
def _(values, k):
    c = np.linspace(values.min(), values.max(), k)
    for _ in range(5):
        g = near(values, c)
        c = means(values, g, c)
    return c, g


@wrong("quantization.kmeans", "begins with random numbers")
def _(values, k):
    return km(values, k, means, np.sort(np.random.default_rng(0).choice(values, k)))


@wrong(
    "quantization.kmeans", "without the last", says="The last of your first centres is not at the"
)
def _(values, k):
    return km(values, k, means, np.linspace(values.min(), values.max(), k, endpoint=False))


@wrong(
    "quantization.kmeans", "middle of bins", says="Your first centres are the middles of k equal"
)
def _(values, k):
    e = np.linspace(values.min(), values.max(), k + 1)
    return km(values, k, means, (e[1:] + e[:-1]) / 2)


@wrong(
    "quantization.kmeans",
    "halfway to the upper",
    says="A number halfway between two centres goes to",
)
def _(values, k):
    return km(
        values, k, means, group=lambda v, c: len(c) - 1 - np.abs(v[:, None] - c[::-1]).argmin(1)
    )


@wrong("quantization.kmeans", "medians", says="Your centres are medians")
def _(values, k):
    return km(
        values,
        k,
        lambda v, g, c: np.array(
            [np.median(v[g == i]) if (g == i).any() else c[i] for i in range(k)]
        ),
    )


@wrong("quantization.kmeans", "groups first", says="Groups first and centres second")
def _(values, k):
    c, g = km(values, k, means)
    return g, c


@wrong("quantization.kmeans", "centres never move", says="The centres stay at equal distances")
def _(values, k):
    c = np.linspace(values.min(), values.max(), k)
    return c, near(values, c)


@wrong(
    "quantization.kmeans", "middle of a group", says="A centre goes to the middle between the least"
)
def _(values, k):
    return km(
        values,
        k,
        lambda v, g, c: np.array(
            [(v[g == i].min() + v[g == i].max()) / 2 if (g == i).any() else c[i] for i in range(k)]
        ),
    )


@wrong("quantization.kmeans", "from 1", says="Your groups are numbered from 1")
def _(values, k):
    c, g = km(values, k, means)
    return c, g + 1


@wrong(
    "quantization.kmeans",
    "drops the empty ones",
    says="A centre without numbers has gone, so fewer",
)
def _(values, k):
    c = np.linspace(values.min(), values.max(), k)
    g = None
    while True:
        n = near(values, c)
        if g is not None and len(n) == len(g) and (n == g).all():
            return c, g
        c = np.array([values[n == i].mean() for i in np.unique(n)])
        g = np.searchsorted(np.unique(n), n)


@right("quantization.kmeans", "borders by searchsorted")
def _(values, k):
    c = values.min() + (values.max() - values.min()) * np.arange(k) / max(k - 1, 1)
    old = np.full(len(values), -1)
    while True:
        g = np.searchsorted((c[1:] + c[:-1]) / 2, values, side="left")
        if np.array_equal(g, old):
            return c, g
        old = g
        n = np.bincount(g, minlength=k)
        c = np.where(n > 0, np.bincount(g, values, k) / np.maximum(n, 1), c)


@right("quantization.kmeans", "two lists, until centres rest")
def _(values, k):
    centres = [float(c) for c in np.linspace(min(values), max(values), k)]
    while True:
        groups = [min(range(k), key=lambda i: abs(v - centres[i])) for v in values]
        moved = list(centres)
        for i in set(groups):
            members = [v for v, g in zip(values, groups) if g == i]
            moved[i] = float(np.mean(members))
        if moved == centres:
            return np.array(centres), np.array(groups)
        centres = moved
