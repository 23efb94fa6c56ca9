"""Chapter 03.

A second round, blind to the bank, wrote 40 wrong answers and 5 right ones to FeedForward,
DecoderLayer, NumberReader, teach and likely_words. Two wrong ones were accepted (the rate of the
first group alone, words as likely as the k-th), two right ones refused (rounding in float32, and
sinusoids on the meta device), 22 got a true sentence and none a false one. After the mending none
was accepted or refused wrongly, and each of the 40 got a true sentence. Here are those that said
something new.
"""

import heapq
import math
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import erf, ndtr
from torch import nn

from answers import right, wrong
from tutorial_lib.data.digits import PAD
from tutorial_lib.from_scratch.attention import attention, causal_mask
from tutorial_lib.from_scratch.feed_forward import (
    feed_forward,
    feed_forward_backward,
    gelu,
    gelu_backward,
    linear_backward,
)
from tutorial_lib.from_scratch.multi_head import (
    multi_head_attention,
    multi_head_attention_backward,
)
from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import DecoderLayer, EncoderLayer, FeedForward, Residual
from tutorial_lib.models.formulation.transformer import WordEmbedding
from tutorial_lib.recipes.transformer.read_numbers import StripEmbedding

# gelu_backward


@wrong("transformer.gelu_backward", "x taken for a constant in Phi", says="You keep Φ(x) alone")
def _(dy, x):
    return dy * 0.5 * (1 + erf(x / 2**0.5))


@wrong(
    "transformer.gelu_backward",
    "not multiplied by what comes from above",
    says="This is the derivative itself",
)
def _(dy, x):
    Phi = 0.5 * (1 + erf(x / 2**0.5))
    return Phi + x * np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5


@wrong("transformer.gelu_backward", "np.sqrt makes float32 into float64", says="their dtype is not")
def _(dy, x):
    Phi = 0.5 * (1 + erf(x / np.sqrt(2)))
    return dy * (Phi + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))


@wrong(
    "transformer.gelu_backward",
    "derivative of the tanh approximation",
    says="Close, and off in the third or fourth",
)
def _(dy, x):
    c = (2 / np.pi) ** 0.5
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2))


@wrong("transformer.gelu_backward", "density without its factor x", says="You add φ(x) as it is")
def _(dy, x):
    Phi = 0.5 * (1 + erf(x / 2**0.5))
    return dy * (Phi + np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5)


@wrong(
    "transformer.gelu_backward",
    "density over 2 pi, without the root",
    says="Your density is too small: its constant is 1",
)
def _(dy, x):
    Phi = 0.5 * (1 + erf(x / 2**0.5))
    return dy * (Phi + x * np.exp(-(x**2) / 2) / (2 * np.pi))


@wrong(
    "transformer.gelu_backward",
    "erf of x, not of x over root 2",
    says="Your Φ is erf(x) with the root of 2 left",
)
def _(dy, x):
    return dy * (0.5 * (1 + erf(x)) + x * np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5)


@wrong(
    "transformer.gelu_backward", "derivative of ReLU", says="This is the gradient of ReLU: 0 or 1"
)
def _(dy, x):
    return dy * (x > 0)


@right("transformer.gelu_backward", "PyTorch's autograd")
def _(dy, x):
    x = torch.tensor(x, requires_grad=True)
    return torch.autograd.grad(F.gelu(x), x, torch.tensor(dy))[0].numpy()


@right("transformer.gelu_backward", "scipy's normal distribution")
def _(dy, x):
    density = np.exp(-0.5 * np.square(x)) * 0.3989422804014327
    return np.asarray(ndtr(x) * dy + density * (x * dy), dtype=x.dtype)


# feed_forward_backward


def _feed_forward_backward(dY, X, W, U=None, A=None, back=gelu_backward):
    U = X @ W["W_1"] + W["b_1"] if U is None else U
    A = gelu(U) if A is None else A
    second = linear_backward(dY, A, W["W_2"])
    dU = back(second["dX"], U)
    first = linear_backward(dU, X, W["W_1"])
    g = {"dW_2": second["dW"], "db_2": second["db"], "dA": second["dX"], "dU": dU}
    return g | {"dW_1": first["dW"], "db_1": first["db"], "dX": first["dX"]}


@wrong(
    "transformer.feed_forward_backward",
    "GELU's backward given its output",
    says="You take the slope of GELU at A",
)
def _(dY, X, W):
    return _feed_forward_backward(dY, X, W, back=lambda dA, U: gelu_backward(dA, gelu(U)))


@wrong(
    "transformer.feed_forward_backward",
    "GELU left out on the way back",
    says="You pass dA on as dU",
)
def _(dY, X, W):
    return _feed_forward_backward(dY, X, W, back=lambda dA, U: dA)


@wrong("transformer.feed_forward_backward", "dW_2 from U, not from A", says="dW_2 is made from U")
def _(dY, X, W):
    g = _feed_forward_backward(dY, X, W)
    U = X @ W["W_1"] + W["b_1"]
    return g | {"dW_2": linear_backward(dY, U, W["W_2"])["dW"]}


@wrong(
    "transformer.feed_forward_backward",
    "first bias forgotten on the way forward",
    says="You compute U again without b_1, so A and",
)
def _(dY, X, W):
    return _feed_forward_backward(dY, X, W, U=X @ W["W_1"])


@wrong(
    "transformer.feed_forward_backward",
    "ReLU's mask for GELU's derivative",
    says="Your bend has the slopes of ReLU",
)
def _(dY, X, W):
    return _feed_forward_backward(dY, X, W, back=lambda dA, U: dA * (U > 0))


@wrong(
    "transformer.feed_forward_backward",
    "bias gradients averaged over the tokens",
    says="db_2 is where the chain breaks",
)
def _(dY, X, W):
    g = _feed_forward_backward(dY, X, W)
    tokens = X[..., 0].size
    return g | {"db_1": g["db_1"] / tokens, "db_2": g["db_2"] / tokens}


@wrong(
    "transformer.feed_forward_backward",
    "biases summed along the first axis only",
    says="Right for one sequence; in a batch your db_2",
)
def _(dY, X, W):
    g = _feed_forward_backward(dY, X, W)
    return g | {"db_1": g["dU"].sum(axis=0), "db_2": dY.sum(axis=0)}


@wrong(
    "transformer.feed_forward_backward",
    "GELU's derivative alone for dU",
    says="Your dU is the slope of GELU alone. Where is",
)
def _(dY, X, W):
    return _feed_forward_backward(dY, X, W, back=lambda dA, U: gelu_backward(np.ones_like(U), U))


@wrong(
    "transformer.feed_forward_backward",
    "dW_1 from A, transposed to fit",
    says="dW_1 is where the chain breaks",
)
def _(dY, X, W):
    g = _feed_forward_backward(dY, X, W)
    return g | {"dW_1": g["dW_2"].T}


@right("transformer.feed_forward_backward", "PyTorch's autograd")
def _(dY, X, W):
    x = torch.tensor(X, requires_grad=True)
    w = {name: torch.tensor(M, requires_grad=True) for name, M in W.items()}
    u = x @ w["W_1"] + w["b_1"]
    a = F.gelu(u)
    y = a @ w["W_2"] + w["b_2"]
    of = {**w, "A": a, "U": u, "X": x}
    grads = torch.autograd.grad(y, list(of.values()), torch.tensor(dY))
    return {f"d{name}": g.numpy() for name, g in zip(of, grads)}


@right("transformer.feed_forward_backward", "einsum for every sum")
def _(dY, X, W):
    U = np.einsum("...d,dh->...h", X, W["W_1"]) + W["b_1"]
    dA = np.einsum("...d,hd->...h", dY, W["W_2"])
    dU = gelu_backward(dA, U)
    x, u, a, y = (M.reshape(-1, M.shape[-1]) for M in (X, dU, gelu(U), dY))
    return dict(
        dX=np.einsum("...h,dh->...d", dU, W["W_1"]),
        dU=dU,
        dA=dA,
        dW_1=np.einsum("td,th->dh", x, u),
        db_1=np.einsum("th->h", u),
        dW_2=np.einsum("th,td->hd", a, y),
        db_2=np.einsum("td->d", y),
    )


# layer_norm


@wrong(
    "transformer.layer_norm",
    "mean and variance over the tokens",
    says="You take mean and variance of each",
)
def _(X, gamma, beta, eps=1e-5):
    return gamma * (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + eps) + beta


@wrong("transformer.layer_norm", "eps outside the root", says="eps stands outside the root")
def _(X, gamma, beta, eps=1e-5):
    sigma = X.std(axis=-1, keepdims=True)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / (sigma + eps) + beta


@wrong("transformer.layer_norm", "variance over D - 1", says="Your variance divides by D − 1")
def _(X, gamma, beta, eps=1e-5):
    D = X.shape[-1]
    centred = X - X.mean(axis=-1, keepdims=True)
    variance = (centred**2).sum(axis=-1, keepdims=True) / max(D - 1, 1)
    return gamma * centred / np.sqrt(variance + eps) + beta


@wrong(
    "transformer.layer_norm",
    "eps a constant, not the argument",
    says="Right for the usual eps, wrong for any",
)
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt(X.var(axis=-1, keepdims=True) + 1e-5) + beta


@wrong("transformer.layer_norm", "no eps", says="Without eps a token whose features are")
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=-1, keepdims=True)
    return gamma * centred / X.std(axis=-1, keepdims=True) + beta


@wrong("transformer.layer_norm", "gamma and beta exchanged", says="gamma and beta are swapped")
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=-1, keepdims=True)
    return beta * centred / np.sqrt(X.var(axis=-1, keepdims=True) + eps) + gamma


@wrong(
    "transformer.layer_norm",
    "one mean for the whole array",
    says="One mean and one variance for the whole",
)
def _(X, gamma, beta, eps=1e-5):
    return gamma * (X - X.mean()) / np.sqrt(X.var() + eps) + beta


@wrong(
    "transformer.layer_norm",
    "divided by the variance",
    says="You divide by the variance and not by",
)
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=-1, keepdims=True)
    return gamma * centred / (X.var(axis=-1, keepdims=True) + eps) + beta


@wrong(
    "transformer.layer_norm",
    "axis 1 for any number of axes",
    says="Right for tokens (N, D). `axis=1` does not",
)
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=1, keepdims=True)
    return gamma * centred / np.sqrt(X.var(axis=1, keepdims=True) + eps) + beta


@wrong("transformer.layer_norm", "shifted first, then scaled", says="You shift before you scale")
def _(X, gamma, beta, eps=1e-5):
    centred = X - X.mean(axis=-1, keepdims=True)
    return gamma * (centred / np.sqrt(X.var(axis=-1, keepdims=True) + eps) + beta)


@wrong(
    "transformer.layer_norm",
    "centres the given tokens in place",
    says="changes its argument X in place",
)
def _(X, gamma, beta, eps=1e-5):
    X -= X.mean(axis=-1, keepdims=True)
    return gamma * X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + eps) + beta


@right("transformer.layer_norm", "PyTorch's layer_norm")
def _(X, gamma, beta, eps=1e-5):
    x, g, b = torch.tensor(X), torch.tensor(gamma), torch.tensor(beta)
    return F.layer_norm(x, x.shape[-1:], g, b, eps).numpy()


@right("transformer.layer_norm", "token by token, lengths by hypot")
def _(X, gamma, beta, eps=1e-5):
    def one(x):
        x = x - x.sum() / len(x)
        s = math.hypot(np.linalg.norm(x) / len(x) ** 0.5, eps**0.5)
        return x / s * gamma + beta

    return np.apply_along_axis(one, -1, X)


# layer_norm_backward


def _normed(X, eps):
    s = np.sqrt(X.var(axis=-1, keepdims=True) + eps)
    return (X - X.mean(axis=-1, keepdims=True)) / s, s


def _row_mean(A):
    return A.mean(axis=-1, keepdims=True)


def _norm_backward(dY, X, gamma, eps):
    Xhat, s = _normed(X, eps)
    rest = tuple(range(X.ndim - 1))
    dXhat = dY * gamma
    return {
        "dgamma": (dY * Xhat).sum(axis=rest),
        "dbeta": dY.sum(axis=rest),
        "dXhat": dXhat,
        "dX": (dXhat - _row_mean(dXhat) - Xhat * _row_mean(dXhat * Xhat)) / s,
    }


@wrong(
    "transformer.layer_norm_backward",
    "mean and variance taken for constants",
    says="You take μ and σ² for constants",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dX": g["dXhat"] / _normed(X, eps)[1]}


@wrong(
    "transformer.layer_norm_backward",
    "nothing through the variance",
    says="The way through the variance is missing",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dX": (g["dXhat"] - _row_mean(g["dXhat"])) / _normed(X, eps)[1]}


@wrong(
    "transformer.layer_norm_backward",
    "nothing through the mean",
    says="The way through the mean is missing",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    Xhat, s = _normed(X, eps)
    return g | {"dX": (g["dXhat"] - Xhat * _row_mean(g["dXhat"] * Xhat)) / s}


@wrong(
    "transformer.layer_norm_backward",
    "gamma left out on the way to X",
    says="dXhat is right, and your dX is made from dY:",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dX": _norm_backward(dY, X, np.ones_like(gamma), eps)["dX"]}


@wrong(
    "transformer.layer_norm_backward",
    "not divided by the spread",
    says="Your dX is not divided by √(σ² + eps). A",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dX": g["dX"] * _normed(X, eps)[1]}


@wrong(
    "transformer.layer_norm_backward",
    "sums in place of means",
    says="dX takes sums over the features where",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    Xhat, s = _normed(X, eps)
    a = g["dXhat"]
    total = (a * Xhat).sum(axis=-1, keepdims=True)
    return g | {"dX": (a - a.sum(axis=-1, keepdims=True) - Xhat * total) / s}


@wrong(
    "transformer.layer_norm_backward",
    "dgamma from X, not normed",
    says="gamma multiplies X in your dgamma",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dgamma": (dY * X).sum(axis=tuple(range(X.ndim - 1)))}


@wrong(
    "transformer.layer_norm_backward",
    "dgamma and dbeta for each token",
    says="dgamma and dbeta are not summed: they have a",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dgamma": dY * _normed(X, eps)[0], "dbeta": dY}


@wrong(
    "transformer.layer_norm_backward",
    "summed along the first axis only",
    says="summed over the first axis only",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dgamma": (dY * _normed(X, eps)[0]).sum(axis=0), "dbeta": dY.sum(axis=0)}


@wrong(
    "transformer.layer_norm_backward",
    "eps a constant, not the argument",
    says="Right for the usual eps, wrong for any",
)
def _(dY, X, gamma, eps=1e-5):
    return _norm_backward(dY, X, gamma, 1e-5)


@wrong(
    "transformer.layer_norm_backward",
    "dgamma and dbeta exchanged",
    says="dgamma and dbeta are exchanged.",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    return g | {"dgamma": g["dbeta"], "dbeta": g["dgamma"]}


@wrong(
    "transformer.layer_norm_backward",
    "means over the tokens in dX",
    says="dX is where the chain breaks",
)
def _(dY, X, gamma, eps=1e-5):
    g = _norm_backward(dY, X, gamma, eps)
    Xhat, s = _normed(X, eps)
    a = g["dXhat"]
    return g | {"dX": (a - a.mean(axis=0) - Xhat * (a * Xhat).mean(axis=0)) / s}


@right("transformer.layer_norm_backward", "three ways, added up")
def _(dY, X, gamma, eps=1e-5):
    D = X.shape[-1]
    centred = X - X.sum(axis=-1, keepdims=True) / D
    v = np.mean(centred**2, axis=-1, keepdims=True) + eps
    dXhat = gamma * dY
    dv = (dXhat * centred).sum(axis=-1, keepdims=True) * -0.5 * v**-1.5
    dmu = -(dXhat * v**-0.5).sum(axis=-1, keepdims=True)
    dX = dXhat * v**-0.5 + dv * 2 * centred / D + dmu / D
    flat = dY.reshape(-1, D)
    dgamma = np.einsum("td,td->d", flat, (centred * v**-0.5).reshape(-1, D))
    return dict(dX=dX, dXhat=dXhat, dbeta=flat.sum(axis=0), dgamma=dgamma)


@right("transformer.layer_norm_backward", "PyTorch's autograd")
def _(dY, X, gamma, eps=1e-5):
    x, g = torch.tensor(X, requires_grad=True), torch.tensor(gamma, requires_grad=True)
    beta = torch.zeros_like(g, requires_grad=True)
    xhat = F.layer_norm(x, x.shape[-1:], eps=eps)
    grads = torch.autograd.grad(g * xhat + beta, [g, beta, xhat, x], torch.tensor(dY))
    return dict(zip(("dgamma", "dbeta", "dXhat", "dX"), (a.numpy() for a in grads)))


# encoder_layer


def _attend(X, memory, W, heads, mask):
    return multi_head_attention(X, memory, W, heads, mask)[0]


def _norms(W):
    return (
        lambda X: layer_norm(X, W["gamma_1"], W["beta_1"]),
        lambda X: layer_norm(X, W["gamma_2"], W["beta_2"]),
    )


@wrong(
    "transformer.encoder_layer", "norm_first the wrong way round", says="The two orders are swapped"
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        R = norm_1(X + _attend(X, X, W, heads, mask))
        return norm_2(R + feed_forward(R, W))
    A = norm_1(X)
    R = X + _attend(A, A, W, heads, mask)
    return R + feed_forward(norm_2(R), W)


@wrong(
    "transformer.encoder_layer",
    "residual round the normed tokens",
    says="In Pre-LN your residual starts from the",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = norm_2(A + _attend(A, A, W, heads, mask))
        return R + feed_forward(R, W)
    R = norm_1(X + _attend(X, X, W, heads, mask))
    return norm_2(R + feed_forward(R, W))


@wrong("transformer.encoder_layer", "always Pre-LN", says="Your layer is Pre-LN whatever is asked")
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    A = norm_1(X)
    R = X + _attend(A, A, W, heads, mask)
    return R + feed_forward(norm_2(R), W)


@wrong(
    "transformer.encoder_layer",
    "keys and values from the tokens not normed",
    says="In Pre-LN your queries come from the",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        R = X + _attend(norm_1(X), X, W, heads, mask)
        return R + feed_forward(norm_2(R), W)
    R = norm_1(X + _attend(X, X, W, heads, mask))
    return norm_2(R + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer", "the first norm twice", says="Both norms use gamma_1 and beta_1"
)
def _(X, W, heads, norm_first, mask=None):
    norm, _ = _norms(W)
    if norm_first:
        A = norm(X)
        R = X + _attend(A, A, W, heads, mask)
        return R + feed_forward(norm(R), W)
    R = norm(X + _attend(X, X, W, heads, mask))
    return norm(R + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer", "mask not passed on", says="Right without a mask, wrong with one"
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + _attend(A, A, W, heads, None)
        return R + feed_forward(norm_2(R), W)
    R = norm_1(X + _attend(X, X, W, heads, None))
    return norm_2(R + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer",
    "no residual round the feed-forward network",
    says="The residual around the feed-forward network",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        return feed_forward(norm_2(X + _attend(A, A, W, heads, mask)), W)
    return norm_2(feed_forward(norm_1(X + _attend(X, X, W, heads, mask)), W))


@wrong(
    "transformer.encoder_layer",
    "Post-LN norms the branch, not the sum",
    says="In Post-LN you norm the branch and then",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + _attend(A, A, W, heads, mask)
        return R + feed_forward(norm_2(R), W)
    R = X + norm_1(_attend(X, X, W, heads, mask))
    return R + norm_2(feed_forward(R, W))


@wrong(
    "transformer.encoder_layer",
    "second residual from X",
    says="Your second residual starts from the",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + _attend(A, A, W, heads, mask)
        return X + feed_forward(norm_2(R), W)
    R = norm_1(X + _attend(X, X, W, heads, mask))
    return norm_2(X + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer",
    "Pre-LN with a norm at the end",
    says="Your Pre-LN layer ends with a norm. Its",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + _attend(A, A, W, heads, mask)
        return norm_2(R + feed_forward(norm_2(R), W))
    R = norm_1(X + _attend(X, X, W, heads, mask))
    return norm_2(R + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer",
    "adds attention's pair",
    says="Two shapes do not fit. Write the shape behind",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + multi_head_attention(A, A, W, heads, mask)
        return R + feed_forward(norm_2(R), W)
    R = norm_1(X + multi_head_attention(X, X, W, heads, mask))
    return norm_2(R + feed_forward(R, W))


@wrong(
    "transformer.encoder_layer",
    "one head whatever is asked",
    says="Wrong exactly where heads is not 1",
)
def _(X, W, heads, norm_first, mask=None):
    norm_1, norm_2 = _norms(W)
    if norm_first:
        A = norm_1(X)
        R = X + _attend(A, A, W, 1, mask)
        return R + feed_forward(norm_2(R), W)
    R = norm_1(X + _attend(X, X, W, 1, mask))
    return norm_2(R + feed_forward(R, W))


@right("transformer.encoder_layer", "branches in a loop")
def _(X, W, heads, norm_first, mask=None):
    def attend(A):
        return multi_head_attention(A, A, W, heads, mask)[0]

    def feed(A):
        return feed_forward(A, W)

    for norm, branch in zip(_norms(W), (attend, feed)):
        X = X + branch(norm(X)) if norm_first else norm(X + branch(X))
    return X


@right("transformer.encoder_layer", "no branch but identities for norms")
def _(X, W, heads, norm_first, mask=None):
    def same(A):
        return A

    before, after = (_norms(W), (same, same)) if norm_first else ((same, same), _norms(W))
    A = before[0](X)
    R = after[0](_attend(A, A, W, heads, mask) + X)
    return after[1](feed_forward(before[1](R), W) + R)


# encoder_layer_backward


def _names(g, i):
    return {f"dgamma_{i}": g["dgamma"], f"dbeta_{i}": g["dbeta"]}


def _layer_backward(
    dY,
    X,
    W,
    heads,
    norm_first,
    mask,
    memory=True,
    first_residual=True,
    second_residual=True,
    norm_1_given=None,
    attend_given=None,
):
    one, two = (W["gamma_1"], W["beta_1"]), (W["gamma_2"], W["beta_2"])
    if norm_first:
        A = layer_norm(X, *one)
        R = X + _attend(A, A, W, heads, mask)
        feed = feed_forward_backward(dY, layer_norm(R, *two), W)
        norm_2 = layer_norm_backward(feed["dX"], R, two[0])
        dR = norm_2["dX"] + (dY if second_residual else 0)
        A = A if attend_given is None else attend_given
        attend = multi_head_attention_backward(dR, A, A, W, heads, mask)
        dA = attend["dX"] + (attend["dmemory"] if memory else 0)
        norm_1 = layer_norm_backward(dA, X, one[0])
        dX = norm_1["dX"] + (dR if first_residual else 0)
    else:
        sum_1 = X + _attend(X, X, W, heads, mask)
        R = layer_norm(sum_1, *one)
        norm_2 = layer_norm_backward(dY, R + feed_forward(R, W), two[0])
        feed = feed_forward_backward(norm_2["dX"], R, W)
        dR = feed["dX"] + (norm_2["dX"] if second_residual else 0)
        norm_1 = layer_norm_backward(dR, sum_1 if norm_1_given is None else norm_1_given, one[0])
        attend = multi_head_attention_backward(norm_1["dX"], X, X, W, heads, mask)
        dX = attend["dX"] + (attend["dmemory"] if memory else 0)
        dX = dX + (norm_1["dX"] if first_residual else 0)
    g = {n: feed[n] for n in ("dW_2", "db_2", "dW_1", "db_1")} | _names(norm_2, 2) | {"dR": dR}
    g |= {n: attend[n] for n in ("dW_O", "dW_V", "dW_K", "dW_Q")} | _names(norm_1, 1)
    return g | {"dX": dX}


@wrong(
    "transformer.encoder_layer_backward",
    "nothing through keys and values",
    says="dX holds what came through the queries and",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, mask, memory=False)


@wrong(
    "transformer.encoder_layer_backward",
    "nothing along the first residual",
    says="The residual around the attention is lost:",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, mask, first_residual=False)


@wrong(
    "transformer.encoder_layer_backward",
    "nothing along the second residual",
    says="The residual around the feed-forward network",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, mask, second_residual=False)


@wrong(
    "transformer.encoder_layer_backward",
    "attention's backward given X, not its norm",
    says="In Pre-LN you give the attention's backward",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, mask, attend_given=X)


@wrong(
    "transformer.encoder_layer_backward",
    "Post-LN's norm given X, not the sum",
    says="In Post-LN you give the first norm's",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, mask, norm_1_given=X)


@wrong(
    "transformer.encoder_layer_backward",
    "mask forgotten",
    says="Right without a mask, wrong with one",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, norm_first, None)


@wrong(
    "transformer.encoder_layer_backward",
    "always Pre-LN",
    says="This is the way back through a Pre-LN",
)
def _(dY, X, W, heads, norm_first, mask=None):
    return _layer_backward(dY, X, W, heads, True, mask)


@wrong(
    "transformer.encoder_layer_backward",
    "the two norms' gradients exchanged",
    says="The gradients of the two norms are",
)
def _(dY, X, W, heads, norm_first, mask=None):
    g = _layer_backward(dY, X, W, heads, norm_first, mask)
    swap = {"dgamma_1": "dgamma_2", "dgamma_2": "dgamma_1"}
    swap |= {"dbeta_1": "dbeta_2", "dbeta_2": "dbeta_1"}
    return g | {n: g[m] for n, m in swap.items()}


@wrong(
    "transformer.encoder_layer_backward",
    "mask on the way forward only",
    says="Right without a mask; with one you walk",
)
def _(dY, X, W, heads, norm_first, mask=None):
    g = _layer_backward(dY, X, W, heads, norm_first, mask)
    dR, A = g["dR"], X
    if norm_first:
        A = layer_norm(X, W["gamma_1"], W["beta_1"])
    else:
        sum_1 = X + _attend(X, X, W, heads, mask)
        dR = layer_norm_backward(dR, sum_1, W["gamma_1"])["dX"]
    attend = multi_head_attention_backward(dR, A, A, W, heads)
    back = attend["dX"] + attend["dmemory"]
    g |= {n: attend[n] for n in ("dW_O", "dW_V", "dW_K", "dW_Q")}
    if norm_first:
        norm = layer_norm_backward(back, X, W["gamma_1"])
        g, back = g | _names(norm, 1), norm["dX"]
    return g | {"dX": back + dR}


@wrong(
    "transformer.encoder_layer_backward",
    "Pre-LN's second norm given its output",
    says="dgamma_2 is where the chain breaks",
)
def _(dY, X, W, heads, norm_first, mask=None):
    if not norm_first:
        return _layer_backward(dY, X, W, heads, norm_first, mask)
    one, two = (W["gamma_1"], W["beta_1"]), (W["gamma_2"], W["beta_2"])
    A = layer_norm(X, *one)
    B = layer_norm(X + _attend(A, A, W, heads, mask), *two)
    feed = feed_forward_backward(dY, B, W)
    norm_2 = layer_norm_backward(feed["dX"], B, two[0])
    dR = dY + norm_2["dX"]
    attend = multi_head_attention_backward(dR, A, A, W, heads, mask)
    norm_1 = layer_norm_backward(attend["dX"] + attend["dmemory"], X, one[0])
    g = feed | attend | _names(norm_2, 2) | _names(norm_1, 1)
    g |= {"dR": dR, "dX": dR + norm_1["dX"]}
    return {n: g[n] for n in g if n not in ("dA", "dU", "dH", "dQ", "dK", "dV", "dmemory")}


@wrong(
    "transformer.encoder_layer_backward",
    "gamma_1 in both norms",
    says="Both norms are given gamma_1 and beta_1. In",
)
def _(dY, X, W, heads, norm_first, mask=None):
    W = W | {"gamma_2": W["gamma_1"], "beta_2": W["beta_1"]}
    return _layer_backward(dY, X, W, heads, norm_first, mask)


@right("transformer.encoder_layer_backward", "PyTorch's autograd")
def _(dY, X, W, heads, norm_first, mask=None):
    x = torch.tensor(X, requires_grad=True)
    w = {name: torch.tensor(M, requires_grad=True) for name, M in W.items()}
    allowed = None if mask is None else torch.tensor(mask).unsqueeze(-3 if mask.ndim > 1 else 0)

    def norm(t, i):
        return F.layer_norm(t, t.shape[-1:], w[f"gamma_{i}"], w[f"beta_{i}"])

    def attend(t):
        q, k, v = ((t @ w[f"W_{n}"]).unflatten(-1, (heads, -1)).transpose(-3, -2) for n in "QKV")
        s = q @ k.mT / q.shape[-1] ** 0.5
        if allowed is None:
            p = s.softmax(-1)
        else:
            p = s.masked_fill(~allowed, torch.finfo(s.dtype).min).softmax(-1) * allowed
        return (p @ v).transpose(-3, -2).flatten(-2) @ w["W_O"]

    def feed(t):
        return F.gelu(t @ w["W_1"] + w["b_1"]) @ w["W_2"] + w["b_2"]

    r = x + attend(norm(x, 1)) if norm_first else norm(x + attend(x), 1)
    y = r + feed(norm(r, 2)) if norm_first else norm(r + feed(r), 2)
    of = w | {"R": r, "X": x}
    grads = torch.autograd.grad(y, list(of.values()), torch.tensor(dY))
    return {f"d{name}": g.numpy() for name, g in zip(of, grads)}


@right("transformer.encoder_layer_backward", "a stack of functions that go back")
def _(dY, X, W, heads, norm_first, mask=None):
    g, back = {}, []

    def norm(A, i):
        def undo(dB):
            n = layer_norm_backward(dB, A, W[f"gamma_{i}"])
            g.update(_names(n, i))
            return n["dX"]

        return layer_norm(A, W[f"gamma_{i}"], W[f"beta_{i}"]), undo

    def attend(A):
        def undo(dB):
            a = multi_head_attention_backward(dB, A, A, W, heads, mask)
            g.update({n: a[n] for n in ("dW_O", "dW_V", "dW_K", "dW_Q")})
            return a["dmemory"] + a["dX"]

        return multi_head_attention(A, A, W, heads, mask)[0], undo

    def feed(A):
        def undo(dB):
            f = feed_forward_backward(dB, A, W)
            g.update({n: f[n] for n in ("dW_2", "db_2", "dW_1", "db_1")})
            return f["dX"]

        return feed_forward(A, W), undo

    for i, branch in ((1, attend), (2, feed)):
        if norm_first:
            A, undo_norm = norm(X, i)
            B, undo_branch = branch(A)
            X = X + B
            back.append(lambda d, n=undo_norm, b=undo_branch: d + n(b(d)))
        else:
            B, undo_branch = branch(X)
            X, undo_norm = norm(X + B, i)
            back.append(lambda d, n=undo_norm, b=undo_branch: (e := n(d)) + b(e))
    g["dR"] = back.pop()(dY)
    g["dX"] = back.pop()(g["dR"])
    return g


# warmup_cosine


def _cosine(t):
    return 0.5 * (1 + math.cos(math.pi * t))


@wrong("transformer.warmup_cosine", "zero at step 0", says="Your warm-up starts from 0")
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * step / warmup
    return peak * _cosine((step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "cosine over all steps, not the remaining",
    says="The cosine starts counting at step 0",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * _cosine(step / steps)


@wrong(
    "transformer.warmup_cosine",
    "divides by a warmup of 0",
    says="Something that you divide by can be 0. Wrong",
)
def _(step, steps, warmup, peak):
    rise = min(1.0, (step + 1) / warmup)
    return peak * rise * _cosine(max(0, step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "warmup one step too long",
    says="Your warm-up has one step more than it",
)
def _(step, steps, warmup, peak):
    if step <= warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * _cosine((step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine", "falls in a straight line", says="You fall along a straight line"
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 - (step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "a quarter of a cosine",
    says="You fall along a quarter of a cosine, which",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "0 at the last step taken",
    says="Your rate reaches 0 one step too early: the",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * _cosine((step - warmup) / max(1, steps - warmup - 1))


@wrong(
    "transformer.warmup_cosine",
    "a cosine not lifted above 0",
    says="Your rate becomes negative halfway",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * math.cos(math.pi * (step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "a share of the peak, not the rate",
    says="You give a share between 0 and 1, whatever",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return (step + 1) / warmup
    return _cosine((step - warmup) / (steps - warmup))


@wrong(
    "transformer.warmup_cosine",
    "warmup divided in whole numbers",
    says="Where it fails, yours is zero everywhere",
)
def _(step, steps, warmup, peak):
    if step < warmup:
        return float((step + 1) // warmup * peak)
    return peak * _cosine((step - warmup) / (steps - warmup))


@right("transformer.warmup_cosine", "the square of a cosine of half the angle")
def _(step, steps, warmup, peak):
    done = step - warmup
    if done < 0:
        return peak * (1 + (done + 1) / warmup)
    return peak * math.cos(math.pi * done / (steps - warmup) / 2) ** 2


@right("transformer.warmup_cosine", "interpolated and chosen by NumPy")
def _(step, steps, warmup, peak):
    rise = np.interp(step + 1, [0, max(warmup, 1)], [0, peak])
    fall = peak / 2 + peak / 2 * np.cos(np.pi * max(0, step - warmup) / (steps - warmup))
    return float(np.where(step < warmup, rise, fall))


# shifted_targets


@wrong(
    "transformer.shifted_targets",
    "the same bug: reads the words themselves",
    says="The bug is still there: yours gives what the",
)
def _(words, begin, padding):
    return words.copy(), words, words != padding


@wrong(
    "transformer.shifted_targets",
    "writes the word before last",
    says="The values are right, but they are returned",
)
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    longer = np.concatenate([first, words], axis=1)
    inputs = longer[:, 1:]
    targets = longer[:, :-1]
    return inputs, targets, targets != padding


@wrong(
    "transformer.shifted_targets",
    "counts where the input is a word",
    says="The loss counts where the input is a",
)
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    inputs = np.concatenate([first, words], axis=1)[:, :-1]
    return inputs, words, inputs != padding


@wrong("transformer.shifted_targets", "padding counts too", says="The loss counts at every place")
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    inputs = np.concatenate([first, words], axis=1)[:, :-1]
    return inputs, words, np.ones_like(words, dtype=bool)


@wrong(
    "transformer.shifted_targets",
    "last word comes round to the front",
    says="Your rows are rolled round",
)
def _(words, begin, padding):
    return np.roll(words, 1, axis=1), words, words != padding


@wrong(
    "transformer.shifted_targets",
    "inputs one too long",
    says="Your inputs have one place more than the",
)
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    return np.concatenate([first, words], axis=1), words, words != padding


@wrong(
    "transformer.shifted_targets",
    "begin written over the first word",
    says="You overwrite the first word with",
)
def _(words, begin, padding):
    inputs = words.copy()
    inputs[:, 0] = begin
    return inputs, words, words != padding


@wrong(
    "transformer.shifted_targets",
    "mends the counts, not the inputs",
    says="The bug is still there: yours gives what the",
)
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    inputs = np.concatenate([first, words], axis=1)[:, 1:]
    return inputs, words, (words != padding) & (words != begin)


@wrong(
    "transformer.shifted_targets", "moved the wrong way", says="The inputs run ahead of the targets"
)
def _(words, begin, padding):
    last = np.full_like(words[:, :1], begin)
    return np.concatenate([words[:, 1:], last], axis=1), words, words != padding


@wrong(
    "transformer.shifted_targets",
    "0 taken for the padding",
    says="You compare with 0, whatever the padding is:",
)
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    inputs = np.concatenate([first, words], axis=1)[:, :-1]
    return inputs, words, words != 0


@right("transformer.shifted_targets", "all but the last word, behind begin")
def _(words, begin, padding):
    first = np.full_like(words[:, :1], begin)
    inputs = np.concatenate([first, words[:, :-1]], axis=1)
    return inputs, words, np.not_equal(words, padding)


@right("transformer.shifted_targets", "rolled, then the first column overwritten")
def _(words, begin, padding):
    inputs = np.roll(words, 1, axis=-1)
    inputs[:, 0] = begin
    return inputs, words.copy(), ~(words == padding)


# attend_with_cache


@wrong(
    "transformer.attend_with_cache",
    "does not see itself",
    says="You attend first and append afterwards",
)
def _(x, K, V, W_Q, W_K, W_V):
    if K.shape[-2] == 0:
        z = x @ W_V
    else:
        z = attention(x @ W_Q, K, V)[0]
    return z, np.concatenate([K, x @ W_K], axis=-2), np.concatenate([V, x @ W_V], axis=-2)


@wrong(
    "transformer.attend_with_cache",
    "newest first in the cache",
    says="The newest token is put before the",
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([x @ W_K, K], axis=-2)
    V = np.concatenate([x @ W_V, V], axis=-2)
    return attention(x @ W_Q, K, V)[0], K, V


@wrong(
    "transformer.attend_with_cache",
    "cache given back as it came",
    says="The output is right and the cache comes",
)
def _(x, K, V, W_Q, W_K, W_V):
    K_all = np.concatenate([K, x @ W_K], axis=-2)
    V_all = np.concatenate([V, x @ W_V], axis=-2)
    return attention(x @ W_Q, K_all, V_all)[0], K, V


@wrong(
    "transformer.attend_with_cache",
    "joined along the batch",
    says="You append along the first axis",
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=0)
    V = np.concatenate([V, x @ W_V], axis=0)
    return attention(x @ W_Q, K, V)[0], K, V


@wrong(
    "transformer.attend_with_cache",
    "a causal mask cut to its first row",
    says="You lay a causal mask over the one query",
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=-2)
    V = np.concatenate([V, x @ W_V], axis=-2)
    return attention(x @ W_Q, K, V, causal_mask(K.shape[-2])[:1])[0], K, V


@wrong("transformer.attend_with_cache", "not scaled", says="The cache is right, the output is not")
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=-2)
    V = np.concatenate([V, x @ W_V], axis=-2)
    return attention(x @ W_Q * W_Q.shape[1] ** 0.5, K, V)[0], K, V


@wrong(
    "transformer.attend_with_cache",
    "the output without its token axis",
    says="right numbers in the wrong shape",
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=-2)
    V = np.concatenate([V, x @ W_V], axis=-2)
    return attention(x @ W_Q, K, V)[0][..., 0, :], K, V


@wrong(
    "transformer.attend_with_cache", "cache first, output last", says="returned in another order"
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=-2)
    V = np.concatenate([V, x @ W_V], axis=-2)
    return K, V, attention(x @ W_Q, K, V)[0]


@wrong("transformer.attend_with_cache", "cached keys projected again")
def _(x, K, V, W_Q, W_K, W_V):
    K_all, V_all = np.concatenate([K, x @ W_K], axis=-2), np.concatenate([V, x @ W_V], axis=-2)
    if W_K.shape[0] == W_K.shape[1]:
        K_all = np.concatenate([K @ W_K, x @ W_K], axis=-2)
    return attention(x @ W_Q, K_all, V_all)[0], K_all, V_all


@wrong(
    "transformer.attend_with_cache",
    "drops the oldest token",
    says="You drop the oldest token when the newest",
)
def _(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([K, x @ W_K], axis=-2)
    V = np.concatenate([V, x @ W_V], axis=-2)
    return attention(x @ W_Q, K[..., 1:, :], V[..., 1:, :])[0], K[..., 1:, :], V[..., 1:, :]


@right("transformer.attend_with_cache", "np.append, and the mask's last row")
def _(x, K, V, W_Q, W_K, W_V):
    K, V = np.append(K, x @ W_K, axis=-2), np.append(V, x @ W_V, axis=-2)
    return attention(x @ W_Q, K, V, causal_mask(K.shape[-2])[-1:])[0], K, V


@right("transformer.attend_with_cache", "the newest as one more term")
def _(x, K, V, W_Q, W_K, W_V):
    q, k, v = x @ W_Q / W_Q.shape[1] ** 0.5, x @ W_K, x @ W_V
    own = (q * k).sum(axis=-1, keepdims=True)
    S = q @ K.mT
    top = np.maximum(S.max(axis=-1, keepdims=True, initial=-np.inf), own)
    e, e_own = np.exp(S - top), np.exp(own - top)
    z = (e @ V + e_own * v) / (e.sum(axis=-1, keepdims=True) + e_own)
    return z, np.concatenate((K, k), -2), np.concatenate((V, v), -2)


# beam_step


def _kept(totals, width):
    scores, best = totals.flatten().topk(min(width, int((totals > -torch.inf).sum())))
    return scores, best // totals.shape[1], best % totals.shape[1]


def _finish(log_p, finished, end):
    log_p = log_p.clone()
    log_p[finished] = -torch.inf
    log_p[finished, end] = 0.0
    return log_p


@wrong(
    "transformer.beam_step",
    "finished ones go on with any word",
    says="Finished hypotheses go on writing after",
)
def _(scores, log_p, finished, end, width):
    return _kept(scores[:, None] + log_p, width)


@wrong(
    "transformer.beam_step", "changes log_p in place", says="changes its argument log_p in place"
)
def _(scores, log_p, finished, end, width):
    log_p[finished] = -torch.inf
    log_p[finished, end] = 0.0
    return _kept(scores[:, None] + log_p, width)


@wrong(
    "transformer.beam_step", "scores so far forgotten", says="You rank by the last word alone and"
)
def _(scores, log_p, finished, end, width):
    return _kept(_finish(log_p, finished, end), width)


@wrong(
    "transformer.beam_step", "words and parents exchanged", says="Parents and words are exchanged"
)
def _(scores, log_p, finished, end, width):
    scores, parents, words = _kept(scores[:, None] + _finish(log_p, finished, end), width)
    return scores, words, parents


@wrong(
    "transformer.beam_step",
    "row of the flat table by dividing by K",
    says="You divide by the number of hypotheses",
)
def _(scores, log_p, finished, end, width):
    totals = scores[:, None] + _finish(log_p, finished, end)
    scores, best = totals.flatten().topk(min(width, int((totals > -torch.inf).sum())))
    return scores, best // len(totals), best % len(totals)


@wrong(
    "transformer.beam_step",
    "always width, impossible ones too",
    says="Among what you keep are texts with a",
)
def _(scores, log_p, finished, end, width):
    totals = scores[:, None] + _finish(log_p, finished, end)
    scores, best = totals.flatten().topk(min(width, totals.numel()))
    return scores, best // totals.shape[1], best % totals.shape[1]


@wrong(
    "transformer.beam_step",
    "finished ones pay for another end",
    says="A finished hypothesis pays for the `end`",
)
def _(scores, log_p, finished, end, width):
    only = torch.full_like(log_p, -torch.inf)
    only[:, end] = log_p[:, end]
    return _kept(scores[:, None] + torch.where(finished[:, None], only, log_p), width)


@wrong(
    "transformer.beam_step",
    "the best word of each hypothesis",
    says="Each hypothesis gets its own best next",
)
def _(scores, log_p, finished, end, width):
    totals = scores[:, None] + _finish(log_p, finished, end)
    best, words = totals.max(dim=1)
    best, parents = best.sort(descending=True)
    n = min(width, int((best > -torch.inf).sum()))
    return best[:n], parents[:n], words[parents[:n]]


@wrong("transformer.beam_step", "the least likely ones")
def _(scores, log_p, finished, end, width):
    totals = scores[:, None] + _finish(log_p, finished, end)
    n = min(width, int((totals > -torch.inf).sum()))
    flat = totals.flatten()
    flat = torch.where(flat > -torch.inf, flat, torch.inf)
    scores, best = flat.topk(n, largest=False)
    return scores, best // totals.shape[1], best % totals.shape[1]


@wrong("transformer.beam_step", "finished ones dropped", says="Finished hypotheses are thrown away")
def _(scores, log_p, finished, end, width):
    return _kept(scores[:, None] + log_p.masked_fill(finished[:, None], -torch.inf), width)


@wrong(
    "transformer.beam_step",
    "kept in the table's order, not best first",
    says="The right ways to go on, in the order of the",
)
def _(scores, log_p, finished, end, width):
    scores, parents, words = _kept(scores[:, None] + _finish(log_p, finished, end), width)
    order = (parents * log_p.shape[1] + words).argsort()
    return scores[order], parents[order], words[order]


@wrong(
    "transformer.beam_step",
    "end at no cost, other words still open",
    says="The repeated `end` of a finished",
)
def _(scores, log_p, finished, end, width):
    log_p = log_p.clone()
    log_p[finished, end] = 0.0
    return _kept(scores[:, None] + log_p, width)


@wrong(
    "transformer.beam_step",
    "no more kept than there were",
    says="Each hypothesis gets its own best next word,",
)
def _(scores, log_p, finished, end, width):
    totals = scores[:, None] + _finish(log_p, finished, end)
    return _kept(totals, min(width, len(scores)))


@wrong(
    "transformer.beam_step",
    "0 taken for the word end",
    says="[2]: Wrong only at the first place along axis",
)
def _(scores, log_p, finished, end, width):
    return _kept(scores[:, None] + _finish(log_p, finished, 0), width)


@right("transformer.beam_step", "a heap of all ways")
def _(scores, log_p, finished, end, width):
    ways = []
    for k in range(len(scores)):
        if finished[k]:
            ways.append((scores[k], k, end))
        else:
            ways += [(scores[k] + p, k, w) for w, p in enumerate(log_p[k])]
    best = heapq.nlargest(width, [w for w in ways if w[0] > -math.inf], key=lambda w: float(w[0]))
    if not best:
        return scores[:0], torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    return torch.stack([w[0] for w in best]), *torch.tensor([w[1:] for w in best]).T


@right("transformer.beam_step", "sorted, and the impossible cut off")
def _(scores, log_p, finished, end, width):
    certain = torch.where(torch.arange(log_p.shape[1]) == end, 0.0, -math.inf).to(log_p)
    totals = (torch.where(finished.unsqueeze(1), certain, log_p) + scores.unsqueeze(1)).ravel()
    order = totals.argsort(descending=True)[:width]
    order = order[totals[order].isfinite()]
    parents, words = torch.unravel_index(order, log_p.shape)
    return totals[order], parents, words


# transformer_cost


def _cost(dim, hidden, depth, n, m, size):
    attention, norm = 4 * dim * (dim + 1), 2 * dim
    feed = 2 * dim * hidden + hidden + dim
    return {
        "encoder_layer": attention + feed + 2 * norm,
        "decoder_layer": 2 * attention + feed + 3 * norm,
        "cache": 2 * depth * (n + m) * dim * size,
        "flops": 2 * m * (4 * dim * dim + 2 * dim * hidden) + 4 * m * m * dim,
    }


@wrong("transformer.transformer_cost", "biases forgotten", says="The biases are missing")
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    c["encoder_layer"] -= 5 * dim + hidden
    c["decoder_layer"] -= 9 * dim + hidden
    return c


@wrong(
    "transformer.transformer_cost",
    "cache of the words alone",
    says="Your cache holds the words and not the",
)
def _(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size) | {"cache": 2 * depth * n * dim * size}


@wrong(
    "transformer.transformer_cost",
    "two norms in the decoder",
    says="decoder_layer: yours is 2 · dim too few",
)
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    return c | {"decoder_layer": c["decoder_layer"] - 2 * dim}


@wrong(
    "transformer.transformer_cost",
    "keys without values in the cache",
    says="The cache holds half of what is needed",
)
def _(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size) | {"cache": depth * (n + m) * dim * size}


@wrong("transformer.transformer_cost", "one layer's cache", says="Your cache is that of one layer")
def _(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size) | {"cache": 2 * (n + m) * dim * size}


@wrong(
    "transformer.transformer_cost",
    "attention's products not counted",
    says="Your operations are those of the linear",
)
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    return c | {"flops": c["flops"] - 4 * m * m * dim}


@wrong(
    "transformer.transformer_cost",
    "multiplications alone",
    says="Your operations are half of what they",
)
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    return c | {"flops": c["flops"] // 2}


@wrong(
    "transformer.transformer_cost",
    "one attention in the decoder",
    says="Your decoder layer has its three norms and",
)
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    return c | {"decoder_layer": c["encoder_layer"] + 2 * dim}


@wrong(
    "transformer.transformer_cost",
    "operations for n words, not m tokens",
    says="Your operations are those for n tokens",
)
def _(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size) | {
        "flops": _cost(dim, hidden, depth, n, n, size)["flops"]
    }


@wrong(
    "transformer.transformer_cost",
    "cache in numbers, not bytes",
    says="Your cache is counted in numbers. The task",
)
def _(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size) | {"cache": 2 * depth * (n + m) * dim}


@wrong(
    "transformer.transformer_cost",
    "operations of all layers",
    says="Your operations are those of a whole stack.",
)
def _(dim, hidden, depth, n, m, size):
    c = _cost(dim, hidden, depth, n, m, size)
    return c | {"flops": depth * c["flops"]}


@right("transformer.transformer_cost", "counted in PyTorch's layers")
def _(dim, hidden, depth, n, m, size):
    def held(attentions):
        maps = [nn.Linear(dim, dim, device="meta") for _ in range(4 * attentions)]
        maps += [nn.Linear(dim, hidden, device="meta"), nn.Linear(hidden, dim, device="meta")]
        maps += [nn.LayerNorm(dim, device="meta") for _ in range(attentions + 1)]
        return sum(p.numel() for module in maps for p in module.parameters())

    products = [(m, dim, dim)] * 4 + [(m, dim, hidden), (m, hidden, dim)]
    products += [(m, dim, m), (m, m, dim)]
    return dict(
        flops=sum(2 * a * b * c for a, b, c in products),
        cache=sum(depth * tokens * dim * size for tokens in (n, n, m, m)),
        encoder_layer=held(1),
        decoder_layer=held(2),
    )


# FeedForward


@wrong("transformer.FeedForward", "ReLU by clamp", says="Your bend is ReLU")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(self.up(x).clamp(min=0))


@wrong("transformer.FeedForward", "no activation", says="There is no bend: two linear maps")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(self.up(x))


@wrong("transformer.FeedForward", "maps without biases", says="up.bias is missing")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


@wrong("transformer.FeedForward", "with its own residual", says="x is added here already")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(F.gelu(self.up(x))) + x


@right("transformer.FeedForward", "GELU written out with erf")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.down = nn.Linear(hidden, dim)
        self.up = nn.Linear(dim, hidden)

    def forward(self, x):
        u = self.up(x)
        return self.down(u * 0.5 * (1 + torch.erf(u / 2**0.5)))


# DecoderLayer


class _Decoder(nn.Module):
    """The parts by name; each answer below brings its own forward."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, True)
        self.around_cross_attention = Residual(dim, True)
        self.around_feed_forward = Residual(dim, True)


@wrong("transformer.DecoderLayer", "no causal mask", says="Self-attention has no mask")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        x = x + self.attention(self.around_attention.norm(x))
        y = self.around_cross_attention.norm(x)
        x = x + self.cross_attention(y, memory, mask=memory_mask)
        return x + self.feed_forward(self.around_feed_forward.norm(x))


@wrong("transformer.DecoderLayer", "triu for the mask", says="True above the diagonal")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        future = torch.triu(torch.ones(x.shape[1], x.shape[1]), diagonal=1).bool()
        x = self.around_attention(x, lambda y: self.attention(y, mask=future))
        x = self.around_cross_attention(x, lambda y: self.cross_attention(y, memory, memory_mask))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("transformer.DecoderLayer", "source's mask forgotten", says="The memory's mask is never")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        past = torch.ones(x.shape[1], x.shape[1]).tril() > 0
        x = self.around_attention(x, lambda y: self.attention(y, mask=past))
        x = self.around_cross_attention(x, lambda y: self.cross_attention(y, memory))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("transformer.DecoderLayer", "cross-attention first", says="The memory comes first")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        past = torch.ones(x.shape[1], x.shape[1]).tril() > 0
        x = self.around_cross_attention(x, lambda y: self.cross_attention(y, memory, memory_mask))
        x = self.around_attention(x, lambda y: self.attention(y, mask=past))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("transformer.DecoderLayer", "normed memory", says="The memory goes through the words' norm")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        past = torch.ones(x.shape[1], x.shape[1]).tril() > 0
        x = x + self.attention(self.around_attention.norm(x), mask=past)
        norm = self.around_cross_attention.norm
        x = x + self.cross_attention(norm(x), norm(memory), memory_mask)
        return x + self.feed_forward(self.around_feed_forward.norm(x))


@right("transformer.DecoderLayer", "residuals written out, the past by comparison")
class _(_Decoder):
    def forward(self, x, memory, memory_mask=None):
        places = torch.arange(x.shape[-2])
        x = x + self.attention(self.around_attention.norm(x), mask=places <= places[:, None])
        found = self.cross_attention(self.around_cross_attention.norm(x), memory, memory_mask)
        x = x + found
        return x + self.feed_forward(self.around_feed_forward.norm(x))


# NumberReader


class _Reader(nn.Module):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__()
        self.embed_source = StripEmbedding(dim)
        self.embed_target = WordEmbedding(words, dim)
        self.encoder = nn.ModuleList([EncoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.decoder = nn.ModuleList([DecoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.encoder_norm = nn.LayerNorm(dim)
        self.decoder_norm = nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, words)


@wrong("transformer.NumberReader", "layers in a list", says="encoder is a plain list")
class _(_Reader):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__(words, dim, heads, hidden, depth)
        layers = list(self.encoder)
        del self.encoder
        self.encoder = layers


@wrong("transformer.NumberReader", "memory without its norm", says="encoder's norm is never used")
class _(_Reader):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for layer in self.encoder:
            x = layer(x)
        for layer in self.decoder:
            y = layer(y, x)
        return self.to_logits(self.decoder_norm(y))


@wrong("transformer.NumberReader", "softmax at the end", says="You give probabilities")
class _(_Reader):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for layer in self.encoder:
            x = layer(x)
        x = self.encoder_norm(x)
        for layer in self.decoder:
            y = layer(y, x)
        return F.softmax(self.to_logits(self.decoder_norm(y)), dim=-1)


@wrong(
    "transformer.NumberReader", "source straight to the decoder", says="reads the strips as they"
)
class _(_Reader):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, x)
        return self.to_logits(self.decoder_norm(y))


@wrong("transformer.NumberReader", "decoder's norm forgotten", says="The decoder's norm is never")
class _(_Reader):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for layer in self.encoder:
            x = layer(x)
        x = self.encoder_norm(x)
        for layer in self.decoder:
            y = layer(y, x)
        return self.to_logits(y)


@right("transformer.NumberReader", "Sequential for the encoder")
class _(_Reader):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__(words, dim, heads, hidden, depth)
        self.encoder = nn.Sequential(*self.encoder)

    def forward(self, canvas, target):
        memory = self.encoder_norm(self.encoder(self.embed_source(canvas)))
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory)
        return self.to_logits(self.decoder_norm(y))


# teach


def _word_loss(model, canvas, targets):
    scores = model(canvas, targets[:, :-1])
    due = targets[:, 1:]
    return F.cross_entropy(scores.transpose(1, 2), due, ignore_index=PAD)


@wrong("transformer.teach", "padding counted", says="Padding counts")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        scores = model(canvas, targets[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), targets[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "not clipped", says="Long gradients stay long")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss = _word_loss(model, canvas, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "losses kept as tensors", says="the list holds tensors")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss = _word_loss(model, canvas, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss)
    return losses


@wrong("transformer.teach", "rate never set", says="The rate is never set")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for canvas, targets in batches:
        optimizer.zero_grad()
        loss = _word_loss(model, canvas, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "reads the answers", says="reads the very word")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        answers = targets[:, 1:]
        loss = F.cross_entropy(model(canvas, answers).mT, answers, ignore_index=PAD)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@right("transformer.teach", "log-probabilities gathered by hand, own clipping")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        due = targets[:, 1:]
        log_p = model(canvas, targets[:, :-1]).log_softmax(-1).gather(-1, due[..., None])[..., 0]
        loss = -log_p[due != PAD].mean()
        for p in model.parameters():
            p.grad = None
        loss.backward()
        length = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        for p in model.parameters():
            p.grad *= min(1.0, longest / (length.item() + 1e-6))
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


# likely_words


@wrong(
    "transformer.likely_words", "temperature as a factor", says="You multiply by the temperature"
)
def _(logits, temperature, k, mass):
    return _likely(logits * temperature, k, mass)


@wrong("transformer.likely_words", "no temperature", says="The temperature does nothing")
def _(logits, temperature, k, mass):
    return _likely(logits, k, mass)


@wrong("transformer.likely_words", "no top-k", says="`k` cuts nothing off")
def _(logits, temperature, k, mass):
    return _likely(logits / temperature, logits.shape[-1], mass)


@wrong("transformer.likely_words", "no top-p", says="`mass` cuts nothing off")
def _(logits, temperature, k, mass):
    return _likely(logits / temperature, k, 1.0)


@wrong(
    "transformer.likely_words", "left in sorted order", says="The probabilities come back sorted"
)
def _(logits, temperature, k, mass):
    return _likely(logits / temperature, k, mass).sort(dim=-1, descending=True).values


def _likely(scores, k, mass):
    """Row by row, word by word."""
    rows = []
    for row in scores:
        p = row.softmax(0)
        order = sorted(range(len(p)), key=lambda i: -p[i].item())[:k]
        whole, total, kept = p[order].sum(), 0.0, []
        for i in order:
            if kept and total >= mass:
                break
            kept.append(i)
            total += (p[i] / whole).item()
        cut = torch.zeros_like(p)
        cut[kept] = p[kept] / p[kept].sum()
        rows.append(cut)
    return torch.stack(rows)


@right("transformer.likely_words", "row by row, word by word")
def _(logits, temperature, k, mass):
    return _likely(logits / temperature, k, mass)


# FeedForward


@wrong("transformer.FeedForward", "with dropout", says="drops features at random in training")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(F.dropout(F.gelu(self.up(x)), 0.1, self.training))


@wrong(
    "transformer.FeedForward", "hidden taken for a factor", says="up.weight has the shape (15, 3)"
)
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, dim * hidden)
        self.down = nn.Linear(dim * hidden, dim)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


@wrong("transformer.FeedForward", "SiLU", says="Your bend is SiLU")
class _(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(F.silu(self.up(x)))


# DecoderLayer


class DecoderParts(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_cross_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)


def causal(x):
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()


@wrong(
    "transformer.DecoderLayer", "asks without the norm", says="Cross-attention reads x as it stands"
)
class _(DecoderParts):
    def forward(self, x, memory, memory_mask=None):
        x = self.around_attention(x, lambda y: self.attention(y, mask=causal(x)))
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention(x, memory, mask=memory_mask)
        )
        return self.around_feed_forward(x, self.feed_forward)


@wrong("transformer.DecoderLayer", "the memory asks", says="The memory asks and the words answer")
class _(DecoderParts):
    def forward(self, x, memory, memory_mask=None):
        x = self.around_attention(x, lambda y: self.attention(y, mask=causal(x)))
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention(memory, y, mask=memory_mask)
        )
        return self.around_feed_forward(x, self.feed_forward)


@wrong(
    "transformer.DecoderLayer",
    "one residual for both attentions",
    says="One norm does the work of two",
)
class _(DecoderParts):
    def forward(self, x, memory, memory_mask=None):
        x = self.around_attention(x, lambda y: self.attention(y, mask=causal(x)))
        x = self.around_attention(x, lambda y: self.cross_attention(y, memory, mask=memory_mask))
        return self.around_feed_forward(x, self.feed_forward)


@right("transformer.DecoderLayer", "residuals written out, places compared")
class _(DecoderParts):
    def forward(self, x, memory, memory_mask=None):
        place = torch.arange(x.size(1), device=x.device)
        seen = place[:, None] >= place[None]
        x = x + self.attention(self.around_attention.norm(x), mask=seen[None])
        x = x + self.cross_attention(self.around_cross_attention.norm(x), memory, memory_mask)
        y = self.around_feed_forward.norm(x)
        return x + self.feed_forward(y)


# NumberReader


class ReaderParts(nn.Module):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__()
        self.embed_source = StripEmbedding(dim)
        self.embed_target = WordEmbedding(words, dim)
        self.encoder = nn.ModuleList([EncoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.decoder = nn.ModuleList([DecoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.encoder_norm = nn.LayerNorm(dim)
        self.decoder_norm = nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, words)

    def encode(self, canvas):
        x = self.embed_source(canvas)
        for layer in self.encoder:
            x = layer(x)
        return self.encoder_norm(x)

    def decode(self, target, memory):
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory)
        return self.to_logits(self.decoder_norm(y))

    def forward(self, canvas, target):
        return self.decode(target, self.encode(canvas))


@wrong("transformer.NumberReader", "one layer, depth times", says="one weight in two places")
class _(ReaderParts):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__(words, dim, heads, hidden, depth)
        self.encoder = nn.ModuleList([EncoderLayer(dim, heads, hidden)] * depth)
        self.decoder = nn.ModuleList([DecoderLayer(dim, heads, hidden)] * depth)


@wrong(
    "transformer.NumberReader",
    "decoder's norm in the loop",
    says="The decoder's norm stands inside the loop",
)
class _(ReaderParts):
    def decode(self, target, memory):
        y = self.embed_target(target)
        for layer in self.decoder:
            y = self.decoder_norm(layer(y, memory))
        return self.to_logits(y)


@wrong("transformer.NumberReader", "memory normed twice", says="The memory is normed twice")
class _(ReaderParts):
    def forward(self, canvas, target):
        memory = self.encoder_norm(self.encode(canvas))
        return self.decode(target, memory)


@wrong(
    "transformer.NumberReader", "layer reads layer", says="the encoder's layer of the same number"
)
class _(ReaderParts):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for e, d in zip(self.encoder, self.decoder):
            x = e(x)
            y = d(y, self.encoder_norm(x))
        return self.to_logits(self.decoder_norm(y))


@wrong(
    "transformer.NumberReader",
    "thirteen words always",
    says="embed_target.table.weight has the shape (13, 4)",
)
class _(ReaderParts):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__(words, dim, heads, hidden, depth)
        self.embed_target = WordEmbedding(13, dim)


@wrong("transformer.NumberReader", "drops the last word", says="The last word is cut off")
class _(ReaderParts):
    def forward(self, canvas, target):
        return self.decode(target[:, :-1], self.encode(canvas))


@right("transformer.NumberReader", "reduce over the layers")
class _(nn.Module):
    def __init__(self, words, dim, heads, hidden, depth):
        super().__init__()
        self.embed_source, self.embed_target = StripEmbedding(dim), WordEmbedding(words, dim)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for _ in range(depth):
            self.encoder.append(EncoderLayer(dim, heads, hidden))
            self.decoder.append(DecoderLayer(dim, heads, hidden))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, words)

    def encode(self, canvas):
        return self.encoder_norm(nn.Sequential(*self.encoder)(self.embed_source(canvas)))

    def decode(self, target, memory):
        tokens = reduce(lambda y, layer: layer(y, memory), self.decoder, self.embed_target(target))
        return F.linear(self.decoder_norm(tokens), self.to_logits.weight, self.to_logits.bias)

    def forward(self, canvas, target):
        memory = self.encode(canvas)
        return self.decode(target, memory)


# teach


def teach_loss(model, canvas, targets):
    return F.cross_entropy(model(canvas, targets[:, :-1]).mT, targets[:, 1:], ignore_index=PAD)


@wrong("transformer.teach", "clips what was just cleared", says="Long gradients stay long")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        loss = teach_loss(model, canvas, targets)
        optimizer.zero_grad()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "rate of the first group", says="Only the first group of the optimizer")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rate(i)
        loss = teach_loss(model, canvas, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "rate set behind the step", says="The rate is set behind the step")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        loss = teach_loss(model, canvas, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        losses.append(loss.item())
    return losses


@wrong(
    "transformer.teach",
    "each gradient clipped by itself",
    says="Each weight's gradient is cut by itself",
)
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        loss = teach_loss(model, canvas, targets)
        optimizer.zero_grad()
        loss.backward()
        for p in model.parameters():
            nn.utils.clip_grad_norm_(p, longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "logits reshaped", says="brought to axis 1 by a reshape")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        out = model(canvas, targets[:, :-1])
        B, N, W = out.shape
        loss = F.cross_entropy(out.reshape(B, W, N), targets[:, 1:], ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "mean of each number's mean", says="You take the mean of each number")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        out = model(canvas, targets[:, :-1])
        each = F.cross_entropy(out.mT, targets[:, 1:], ignore_index=PAD, reduction="none")
        real = targets[:, 1:] != PAD
        loss = (each.sum(1) / real.sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("transformer.teach", "END left out", says="END does not count")
def _(model, optimizer, batches, rate, longest):
    losses = []
    for i, (canvas, targets) in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = rate(i)
        words = targets[:, 1:]
        out = model(canvas, targets[:, :-1])
        keep = words < 10
        loss = F.cross_entropy(out[keep], words[keep])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@right("transformer.teach", "autograd.grad, cut by hand")
def _(model, optimizer, batches, rate, longest):
    history, number = [], 0
    for canvas, targets in batches:
        read, write = targets[:, :-1], targets[:, 1:]
        logits = model(canvas, read)
        real = write != PAD
        loss = -logits[real].log_softmax(-1).gather(1, write[real][:, None]).mean()
        grads = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        length = torch.sqrt(sum(g.square().sum() for g in grads if g is not None))
        scale = min(1.0, longest / (float(length) + 1e-6))
        for p, g in zip(model.parameters(), grads):
            p.grad = None if g is None else g * scale
        for group in optimizer.param_groups:
            group.update(lr=rate(number))
        optimizer.step()
        number += 1
        history.append(float(loss.detach()))
    return history


# likely_words


@wrong(
    "transformer.likely_words", "words within mass, and the first", says="unless it is the first"
)
def _(logits, temperature, k, mass):
    p, order = (logits / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True)
    keep = p.cumsum(-1) <= mass
    keep[:, 0] = True
    p = p * keep
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@wrong("transformer.likely_words", "cut at the k-th probability", says="More than k words stay")
def _(logits, temperature, k, mass):
    s = logits / temperature
    kth = s.topk(min(k, s.shape[-1]), dim=-1).values[:, -1:]
    p, order = (
        s.masked_fill(s < kth, float("-inf")).softmax(-1).sort(dim=-1, descending=True, stable=True)
    )
    p = p.masked_fill(p.cumsum(-1) - p >= mass, 0)
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@wrong(
    "transformer.likely_words",
    "top-p before top-k",
    says="You measure `mass` on all words, before top-k",
)
def _(logits, temperature, k, mass):
    p, order = (logits / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    p = p.masked_fill(p.cumsum(-1) - p >= mass, 0)
    p = p / p.sum(-1, keepdim=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@wrong(
    "transformer.likely_words",
    "last division missing",
    says="After top-p the rows do not sum to one",
)
def _(logits, temperature, k, mass):
    p, order = (logits / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True)
    p[p.cumsum(-1) - p >= mass] = 0
    return torch.zeros_like(p).scatter(-1, order, p)


@wrong("transformer.likely_words", "temperature last", says="The temperature comes last")
def _(logits, temperature, k, mass):
    p, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True)
    p[p.cumsum(-1) - p >= mass] = 0
    p = p ** (1 / temperature)
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@right("transformer.likely_words", "argsort, word by word")
def _(logits, temperature, k, mass):
    rows = []
    for row in logits:
        p = (row / temperature).softmax(0)
        order = torch.argsort(-p, stable=True).tolist()
        kept = order[:k]
        total = sum(p[i] for i in kept)
        out, so_far = torch.zeros_like(p), 0.0
        for i in kept:
            if so_far >= mass:
                break
            out[i] = p[i] / total
            so_far = so_far + out[i]
        rows.append(out / out.sum())
    return torch.stack(rows)
