"""Answers to chapter 05, the Vision Transformer."""

from functools import reduce
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.feed_forward import linear
from tutorial_lib.from_scratch.normalization import layer_norm
from tutorial_lib.from_scratch.patches import patch_embedding, patchify, unpatchify
from tutorial_lib.from_scratch.transformer import encoder_layer
from tutorial_lib.from_scratch.vit import prepend_class_token
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.positions import LearnedPositions
from tutorial_lib.layers.transformer import EncoderLayer

# patchify


def must_divide(H, W, p):
    if H % p or W % p:
        raise ValueError("no multiple of p")


@wrong(
    "vit.patchify", "reads the images as (B, C, H, W)", says="You read the images as (B, C, H, W),"
)
def _(images, p):
    B, C, H, W = images.shape
    must_divide(H, W, p)
    cut = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 4, 3, 5, 1)
    return cut.reshape(B, H // p * (W // p), p * p * C)


@wrong(
    "vit.patchify",
    "numbers the patches column by column",
    says="yours are numbered column by column",
)
def _(images, p):
    B, H, W, C = images.shape
    must_divide(H, W, p)
    cut = images.reshape(B, H // p, p, W // p, p, C).transpose(0, 3, 1, 2, 4, 5)
    return cut.reshape(B, -1, p * p * C)


@wrong(
    "vit.patchify", "reads the pixels of a patch column by column", says="Each patch is transposed"
)
def _(images, p):
    B, H, W, C = images.shape
    must_divide(H, W, p)
    cut = images.reshape(B, H // p, p, W // p, p, C).transpose(0, 1, 3, 4, 2, 5)
    return cut.reshape(B, -1, p * p * C)


@wrong("vit.patchify", "one reshape and no swap", says='A reshape alone: each of your "patches" is')
def _(images, p):
    B, H, W, C = images.shape
    must_divide(H, W, p)
    return images.reshape(B, H * W // p**2, p * p * C)


@wrong("vit.patchify", "channels before pixels", says="You put the channels before the pixels")
def _(images, p):
    B, H, W, C = images.shape
    must_divide(H, W, p)
    cut = images.reshape(B, H // p, p, W // p, p, C).transpose(0, 1, 3, 5, 2, 4)
    return cut.reshape(B, -1, C * p * p)


@wrong(
    "vit.patchify",
    "looks at the area alone before it cuts",
    says="What does not fill a patch is cut off",
)
def _(images, p):
    B, H, W, C = images.shape
    if H * W % p**2:
        raise ValueError("no multiple of p")
    rows, columns = H // p, W // p
    cut = images[:, : rows * p, : columns * p].reshape(B, rows, p, columns, p, C)
    return cut.swapaxes(2, 3).reshape(B, rows * columns, -1)


@wrong("vit.patchify", "cuts off what does not fit", says="What does not fill a patch is cut off")
def _(images, p):
    patches = []
    B, H, W, C = images.shape
    for y in range(0, H - p + 1, p):
        for x in range(0, W - p + 1, p):
            patches.append(images[:, y : y + p, x : x + p].reshape(B, -1))
    return np.stack(patches, axis=1)


@wrong(
    "vit.patchify",
    "asserts instead of raising ValueError",
    says="What should be refused is refused, but with",
)
def _(images, p):
    B, H, W, C = images.shape
    assert H % p == 0 and W % p == 0
    return images.reshape(B, H // p, p, W // p, p, C).swapaxes(2, 3).reshape(B, -1, p * p * C)


@wrong(
    "vit.patchify",
    "reshapes the caller's images themselves",
    says="changes its argument images in place",
)
def _(images, p):
    B, H, W, C = images.shape
    must_divide(H, W, p)
    images.shape = B, H // p, p, W // p, p, C
    return images.swapaxes(2, 3).reshape(B, -1, p * p * C)


@right("vit.patchify", "split and stack")
def _(images, p):
    must_divide(*images.shape[1:3], p)
    rows = np.split(images, images.shape[1] // p, axis=1)
    cut = [part for row in rows for part in np.split(row, row.shape[2] // p, axis=2)]
    return np.stack([part.reshape(len(images), -1) for part in cut], axis=1)


@right("vit.patchify", "every p-th sliding window")
def _(images, p):
    B, H, W, C = images.shape
    if (H % p, W % p) != (0, 0):
        raise ValueError(f"{p} does not divide {H} and {W}")
    windows = np.lib.stride_tricks.sliding_window_view(images, (p, p), axis=(1, 2))
    return np.einsum("bhwcyx->bhwyxc", windows[:, ::p, ::p]).reshape(B, -1, p * p * C)


# patch_embedding_backward


@wrong(
    "vit.patch_embedding_backward",
    "dE and db are means over the batch",
    says="your dE and db are B times too small",
)
def _(dX, images, E, p):
    patches, dpatches = patchify(images, p), dX @ E.T
    return {
        "dE": (patches.mT @ dX).mean(axis=0),
        "db": dX.sum(axis=1).mean(axis=0),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[2] // p),
    }


@wrong(
    "vit.patch_embedding_backward",
    "as many patches in a row as the height holds",
    says="dimages is dpatches in another shape: a",
)
def _(dX, images, E, p):
    dpatches = dX @ E.T
    return {
        "dE": np.einsum("bnf,bnd->fd", patchify(images, p), dX),
        "db": dX.sum(axis=(0, 1)),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[1] // p).reshape(images.shape),
    }


@wrong(
    "vit.patch_embedding_backward",
    "dimages by a reshape",
    says="dimages is dpatches in another shape",
)
def _(dX, images, E, p):
    dpatches = dX @ E.T
    return {
        "dE": np.einsum("bnf,bnd->fd", patchify(images, p), dX),
        "db": dX.sum(axis=(0, 1)),
        "dpatches": dpatches,
        "dimages": dpatches.reshape(images.shape),
    }


@wrong(
    "vit.patch_embedding_backward",
    "db is a mean over the patches",
    says="db is where the chain breaks",
)
def _(dX, images, E, p):
    dpatches = dX @ E.T
    return {
        "dE": np.einsum("bnf,bnd->fd", patchify(images, p), dX),
        "db": dX.mean(axis=1).sum(axis=0),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[2] // p),
    }


@wrong(
    "vit.patch_embedding_backward",
    "dE of the images by a reshape, not by patchify",
    says="dE pairs dX with pixels that are not cut",
)
def _(dX, images, E, p):
    dpatches = dX @ E.T
    return {
        "dE": images.reshape(-1, len(E)).T @ dX.reshape(-1, dX.shape[-1]),
        "db": dX.sum(axis=(0, 1)),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[2] // p),
    }


@wrong(
    "vit.patch_embedding_backward",
    "dE keeps the last image only",
    says="dE is wrong already: begin there. Wrong",
)
def _(dX, images, E, p):
    dpatches = dX @ E.T
    for patches, d in zip(patchify(images, p), dX):
        dE = patches.T @ d
    return {
        "dE": dE,
        "db": dX.sum(axis=(0, 1)),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[2] // p),
    }


@wrong("vit.patch_embedding_backward", "no db", says="Your dict lacks 'db'.")
def _(dX, images, E, p):
    dpatches = dX @ E.T
    return {
        "dE": np.einsum("bnf,bnd->fd", patchify(images, p), dX),
        "dpatches": dpatches,
        "dimages": unpatchify(dpatches, p, images.shape[2] // p),
    }


@wrong(
    "vit.patch_embedding_backward",
    "writes dimages into the images",
    says="changes its argument images in place",
)
def _(dX, images, E, p):
    dE, dpatches = np.einsum("bnf,bnd->fd", patchify(images, p), dX), dX @ E.T
    images[:] = unpatchify(dpatches, p, images.shape[2] // p)
    return {"dE": dE, "db": dX.sum(axis=(0, 1)), "dpatches": dpatches, "dimages": images}


@right("vit.patch_embedding_backward", "patch by patch")
def _(dX, images, E, p):
    B, H, W, C = images.shape
    dE, dpatches, dimages = 0 * E, np.zeros((*dX.shape[:2], len(E)), dX.dtype), 0 * images
    for b, i in np.ndindex(dX.shape[:2]):
        y, x = i // (W // p) * p, i % (W // p) * p
        dE += np.outer(images[b, y : y + p, x : x + p], dX[b, i])
        dpatches[b, i] = E @ dX[b, i]
        dimages[b, y : y + p, x : x + p] = dpatches[b, i].reshape(p, p, C)
    return dict(dE=dE, db=dX.sum((0, 1)), dpatches=dpatches, dimages=dimages)


@right("vit.patch_embedding_backward", "one matrix with a row for each patch")
def _(dX, images, E, p):
    flat = dX.reshape(-1, dX.shape[-1])
    dpatches = np.dot(dX, E.T)
    dimages = unpatchify(dpatches, p, images.shape[2] // p)
    dE = (flat.T @ patchify(images, p).reshape(len(flat), -1)).T
    return {"dimages": dimages, "dpatches": dpatches, "db": flat.sum(axis=0), "dE": dE}


# prepend_class_token


def as_many(X, E_pos):
    if len(E_pos) != X.shape[1] + 1:
        raise ValueError("E_pos has not as many rows as there are tokens")


@wrong(
    "vit.prepend_class_token",
    "the class token comes last",
    says="The class token stands at the end",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    token = np.broadcast_to(x_class, (len(X), 1, X.shape[2]))
    return np.concatenate([X, token], axis=1) + E_pos


@wrong(
    "vit.prepend_class_token",
    "the class token gets no position",
    says="The patches get their positions before",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    token = np.tile(x_class, (len(X), 1, 1))
    return np.concatenate([token, X + E_pos[1:]], axis=1)


@wrong(
    "vit.prepend_class_token",
    "the class token gets the last position",
    says="The class token gets the last row",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    token = np.tile(x_class + E_pos[-1], (len(X), 1, 1))
    return np.concatenate([token, X + E_pos[:-1]], axis=1)


@wrong(
    "vit.prepend_class_token",
    "leaves the rows of E_pos to broadcasting",
    says="Right until E_pos has a single row",
)
def _(X, x_class, E_pos):
    token = np.broadcast_to(x_class, (len(X), 1, X.shape[2]))
    return np.concatenate([token, X], axis=1) + E_pos


@wrong(
    "vit.prepend_class_token",
    "too many positions are cut off in silence",
    says="Right wherever there is an answer. What does",
)
def _(X, x_class, E_pos):
    n = X.shape[1]
    if len(E_pos) < n + 1:
        raise ValueError("too few positions")
    return np.insert(X, 0, x_class, axis=1) + E_pos[: n + 1]


@wrong(
    "vit.prepend_class_token",
    "adds the positions to X in place",
    says="changes its argument X in place",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    X += E_pos[1:]
    return np.insert(X, 0, x_class + E_pos[0], axis=1)


@wrong(
    "vit.prepend_class_token",
    "adds the position to x_class in place",
    says="changes its argument x_class in place",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    x_class += E_pos[0]
    return np.insert(X + E_pos[1:], 0, x_class, axis=1)


@wrong(
    "vit.prepend_class_token",
    "the class token replaces the last patch",
    says="Wrong only at the last place along axis -2.",
)
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    Z = np.zeros((X.shape[0], X.shape[1] + 1, X.shape[2]), X.dtype)
    Z[:, 0] = x_class
    Z[:, 1:-1] = X[:, :-1]
    return Z + E_pos


@right("vit.prepend_class_token", "an empty array, filled")
def _(X, x_class, E_pos):
    B, n, D = X.shape
    if E_pos.shape[0] != n + 1:
        raise ValueError(f"{n + 1} tokens and {E_pos.shape[0]} positions")
    Z = np.empty((B, n + 1, D), X.dtype)
    Z[:] = E_pos
    Z[:, 0] += x_class
    Z[:, 1:] += X
    return Z


@right("vit.prepend_class_token", "image by image")
def _(X, x_class, E_pos):
    as_many(X, E_pos)
    return np.array([np.vstack([x_class, image]) + E_pos for image in X])


# prepend_class_token_backward


@wrong(
    "vit.prepend_class_token_backward", "means over the batch", says="You average over the images"
)
def _(dZ_0):
    return {"dE_pos": dZ_0.mean(0), "dx_class": dZ_0[:, 0].mean(0), "dX": dZ_0[:, 1:]}


@wrong(
    "vit.prepend_class_token_backward",
    "the class token is read at the end",
    says="You look for the class token at the end",
)
def _(dZ_0):
    return {"dE_pos": dZ_0.sum(0), "dx_class": dZ_0[:, -1].sum(0), "dX": dZ_0[:, :-1]}


@wrong(
    "vit.prepend_class_token_backward",
    "dx_class sums over all tokens",
    says="dx_class adds up over all tokens",
)
def _(dZ_0):
    return {"dE_pos": dZ_0.sum(0), "dx_class": dZ_0.sum((0, 1)), "dX": dZ_0[:, 1:]}


@wrong(
    "vit.prepend_class_token_backward",
    "dE_pos is that of every image",
    says="dE_pos is wrong already: begin there. dE_pos:",
)
def _(dZ_0):
    return {"dE_pos": dZ_0, "dx_class": dZ_0[:, 0].sum(0), "dX": dZ_0[:, 1:]}


@wrong(
    "vit.prepend_class_token_backward",
    "dx_class is that of the first image",
    says="dx_class is where the chain breaks",
)
def _(dZ_0):
    return {"dE_pos": dZ_0.sum(0), "dx_class": dZ_0[0, 0], "dX": dZ_0[:, 1:]}


@wrong(
    "vit.prepend_class_token_backward",
    "dX is summed over the batch too",
    says="dX is summed over the images",
)
def _(dZ_0):
    dE_pos = dZ_0.sum(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[0], "dX": dE_pos[1:]}


@wrong(
    "vit.prepend_class_token_backward",
    "adds the batch up in its first image",
    says="changes its argument dZ_0 in place",
)
def _(dZ_0):
    dX = dZ_0[:, 1:].copy()
    total = dZ_0[0]
    for d in dZ_0[1:]:
        total += d
    return {"dE_pos": total, "dx_class": total[0].copy(), "dX": dX}


@right("vit.prepend_class_token_backward", "split and einsum")
def _(dZ_0):
    first, others = np.split(dZ_0, [1], axis=1)
    return {"dX": others, "dx_class": np.einsum("bnd->d", first), "dE_pos": sum(dZ_0)}


@right("vit.prepend_class_token_backward", "a row of ones times the batch")
def _(dZ_0):
    dE_pos = np.tensordot(np.ones(len(dZ_0), dZ_0.dtype), dZ_0, 1)
    return dict(dE_pos=dE_pos, dx_class=dE_pos[0], dX=np.delete(dZ_0, 0, axis=1))


# vit


def tokens(images, W, p):
    X = patch_embedding(images, W["E"], W["b"], p)
    return prepend_class_token(X, W["x_class"], W["E_pos"])


def head(y, W):
    return linear(layer_norm(y, W["gamma"], W["beta"]), W["W_head"], W["b_head"])


@wrong("vit.vit", "a mean over all tokens", says="You average all tokens")
def _(images, W, p, heads):
    Z = encoder_layer(tokens(images, W, p), W["layer"], heads, True)
    return head(Z.mean(axis=1), W)


@wrong("vit.vit", "the head reads the last token", says="The head reads the last token, a patch")
def _(images, W, p, heads):
    Z = encoder_layer(tokens(images, W, p), W["layer"], heads, norm_first=True)
    return head(Z[:, -1], W)


@wrong("vit.vit", "Post-LN", says="Your encoder layer is Post-LN, as in the")
def _(images, W, p, heads):
    return head(encoder_layer(tokens(images, W, p), W["layer"], heads, False)[:, 0], W)


@wrong("vit.vit", "no norm before the head", says="The last norm is missing")
def _(images, W, p, heads):
    Z = encoder_layer(tokens(images, W, p), W["layer"], heads, True)
    return linear(Z[:, 0], W["W_head"], W["b_head"])


@wrong("vit.vit", "gamma and beta exchanged", says="The last norm's gain and shift are exchanged:")
def _(images, W, p, heads):
    Z = encoder_layer(tokens(images, W, p), W["layer"], heads, True)
    return linear(layer_norm(Z[:, 0], W["beta"], W["gamma"]), W["W_head"], W["b_head"])


@wrong("vit.vit", "no positions", says="No positions are added: an image whose")
def _(images, W, p, heads):
    X = patch_embedding(images, W["E"], W["b"], p)
    Z = np.insert(X, 0, W["x_class"], axis=1)
    return head(encoder_layer(Z, W["layer"], heads, True)[:, 0], W)


@wrong("vit.vit", "always one head", says="Right with one head, wrong with several")
def _(images, W, p, heads):
    return head(encoder_layer(tokens(images, W, p), W["layer"], 1, True)[:, 0], W)


@wrong("vit.vit", "takes the layer out of W", says="changes its argument W in place")
def _(images, W, p, heads):
    layer = W.pop("layer")
    return head(encoder_layer(tokens(images, W, p), layer, heads, True)[:, 0], W)


@wrong(
    "vit.vit",
    "the tokens before the layer go to the head",
    says="The head reads the class token of Z_0, before",
)
def _(images, W, p, heads):
    Z = tokens(images, W, p)
    encoder_layer(Z, W["layer"], heads, True)
    return head(Z[:, 0], W)


@wrong("vit.vit", "probabilities instead of logits", says="You return probabilities")
def _(images, W, p, heads):
    e = np.exp(head(encoder_layer(tokens(images, W, p), W["layer"], heads, True)[:, 0], W))
    return e / e.sum(axis=-1, keepdims=True)


@right("vit.vit", "head for all tokens, then the class token's")
def _(images, W, p, heads):
    return head(encoder_layer(tokens(images, W, p), W["layer"], heads, True), W)[:, 0, :]


@right("vit.vit", "image by image, with own patches")
def _(images, W, p, heads):
    logits = []
    for image in images:
        X = patchify(image[None], p)[0] @ W["E"] + W["b"]
        Z = np.vstack((W["x_class"][None], X)) + W["E_pos"]
        y = layer_norm(encoder_layer(Z, W["layer"], heads, True)[0], W["gamma"], W["beta"])
        logits.append(y @ W["W_head"] + W["b_head"])
    return np.stack(logits)


# class_probabilities


def softmax(y, axis=-1):
    e = np.exp(y - y.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def standard(y, axis=-1, eps=1e-6):
    return (y - y.mean(axis=axis, keepdims=True)) / np.sqrt(y.var(axis=axis, keepdims=True) + eps)


@wrong(
    "vit.class_probabilities",
    "head and norm in the same wrong order, by layer_norm",
    says="The bug is still there: yours gives what the",
)
def _(Z, W_head, b_head):
    y = linear(Z[:, 0], W_head, b_head)
    K = y.shape[-1]
    return softmax(layer_norm(y, np.ones(K), np.zeros(K), 1e-6))


@wrong(
    "vit.class_probabilities",
    "a norm before and one after",
    says="Both are normalized now, the token and",
)
def _(Z, W_head, b_head):
    return softmax(standard(standard(Z[:, 0]) @ W_head + b_head))


@wrong("vit.class_probabilities", "no norm at all", says="Now there is no norm at all")
def _(Z, W_head, b_head):
    return softmax(Z[:, 0] @ W_head + b_head)


@wrong(
    "vit.class_probabilities",
    "the norm over the batch",
    says="The mean and the variance run over the",
)
def _(Z, W_head, b_head):
    return softmax(standard(Z[:, 0], axis=0) @ W_head + b_head)


@wrong(
    "vit.class_probabilities",
    "the mean of all tokens instead of the class token",
    says="the head reads the mean of all tokens",
)
def _(Z, W_head, b_head):
    return softmax(standard(Z.mean(axis=1)) @ W_head + b_head)


@wrong(
    "vit.class_probabilities",
    "norm in place, on a view of Z",
    says="changes its argument Z in place",
)
def _(Z, W_head, b_head):
    y = Z[:, 0]
    y -= y.mean(axis=-1, keepdims=True)
    y /= np.sqrt(y.var(axis=-1, keepdims=True) + 1e-6)
    return softmax(y @ W_head + b_head)


@wrong("vit.class_probabilities", "softmax over the batch", says="Your softmax runs over the batch")
def _(Z, W_head, b_head):
    return softmax(standard(Z[:, 0]) @ W_head + b_head, axis=0)


@wrong(
    "vit.class_probabilities", "eps outside of the root", says="Your eps stands outside the root"
)
def _(Z, W_head, b_head):
    y = Z[:, 0]
    y = (y - y.mean(axis=-1, keepdims=True)) / (y.std(axis=-1, keepdims=True) + 1e-6)
    return softmax(y @ W_head + b_head)


@wrong("vit.class_probabilities", "unbiased variance", says="Your variance divides by D − 1")
def _(Z, W_head, b_head):
    y = Z[:, 0] - Z[:, 0].mean(-1, keepdims=True)
    y = y / np.sqrt(y.var(-1, ddof=1, keepdims=True) + 1e-6)
    return softmax(y @ W_head + b_head)


@right("vit.class_probabilities", "layer_norm with ones and zeros, of all tokens")
def _(Z, W_head, b_head):
    one = np.ones(Z.shape[-1], Z.dtype)
    return softmax(linear(layer_norm(Z, one, 0 * one, eps=1e-6), W_head, b_head))[:, 0]


@right("vit.class_probabilities", "picture by picture, in PyTorch")
def _(Z, W_head, b_head):
    Z, W, b = (torch.tensor(a) for a in (Z, W_head, b_head))
    normal = [F.layer_norm(z[0], z[0].shape, eps=1e-6) for z in Z]
    return torch.stack([(y @ W + b).softmax(0) for y in normal]).numpy()


# embed_by_convolution


def pixels_first(E, p):
    return E.reshape(p, p, -1, E.shape[1]).permute(3, 2, 0, 1)


@wrong(
    "vit.embed_by_convolution",
    "the rows of E are read channels first",
    says="the channels of one pixel are neighbours",
)
def _(images, E, b, p):
    x = F.conv2d(images.permute(0, 3, 1, 2), E.T.reshape(len(b), -1, p, p), b, stride=p)
    return x.flatten(2).mT


@wrong(
    "vit.embed_by_convolution", "kernels turned: columns for rows", says="Your kernels are turned"
)
def _(images, E, b, p):
    kernel = E.reshape(p, p, -1, E.shape[1]).permute(3, 2, 1, 0)
    return F.conv2d(images.permute(0, 3, 1, 2), kernel, b, stride=p).flatten(2).mT


@wrong(
    "vit.embed_by_convolution",
    "channels come to the front by a reshape",
    says="`images.reshape(B, C, H, W)` does not",
)
def _(images, E, b, p):
    B, H, W, C = images.shape
    x = F.conv2d(images.reshape(B, C, H, W), pixels_first(E, p), b, stride=p)
    return x.flatten(2).mT


@wrong(
    "vit.embed_by_convolution", "tokens out by a reshape", says="a token gets pieces of one feature"
)
def _(images, E, b, p):
    x = F.conv2d(images.permute(0, 3, 1, 2), pixels_first(E, p), b, stride=p)
    return x.reshape(len(x), -1, len(b))


@wrong(
    "vit.embed_by_convolution",
    "transposed on the way in and at the kernel",
    says="Your tokens come column by column",
)
def _(images, E, b, p):
    kernel = E.reshape(p, p, -1, E.shape[1]).permute(3, 2, 1, 0)
    return F.conv2d(images.permute(0, 3, 2, 1), kernel, b, stride=p).flatten(2).mT


@wrong("vit.embed_by_convolution", "no stride", says="The stride is missing")
def _(images, E, b, p):
    return F.conv2d(images.permute(0, 3, 1, 2), pixels_first(E, p), b).flatten(2).mT


@wrong("vit.embed_by_convolution", "no bias", says="The bias is missing")
def _(images, E, b, p):
    return F.conv2d(images.permute(0, 3, 1, 2), pixels_first(E, p), stride=p).flatten(2).mT


@wrong(
    "vit.embed_by_convolution",
    "E made anew, cut off from the graph",
    says="The numbers are right, the gradient is",
)
def _(images, E, b, p):
    conv = nn.Conv2d(images.shape[-1], len(b), p, stride=p).to(images.dtype)
    conv.weight = nn.Parameter(pixels_first(E, p))
    conv.bias = nn.Parameter(b)
    return conv(images.permute(0, 3, 1, 2)).flatten(2).mT


@right("vit.embed_by_convolution", "unfold and a product")
def _(images, E, b, p):
    patches = F.unfold(images.movedim(-1, 1), p, stride=p).mT  # channel, row, column
    E = torch.einsum("yxcd->cyxd", E.unflatten(0, (p, p, -1))).flatten(0, 2)
    return patches @ E + b


@right("vit.embed_by_convolution", "a convolution of depth C in space")
def _(images, E, b, p):
    kernel = E.T.reshape(len(b), 1, p, p, -1)
    x = F.conv3d(images[:, None], kernel, b, stride=(p, p, 1))
    return torch.einsum("bdhwo->bhwd", x).flatten(1, 2)


# VisionTransformer


class Parts(nn.Module):
    """All right; the answers change a part."""

    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__()
        n = (image_size // patch) ** 2
        self.embed = PatchEmbedding(channels, patch, dim)
        self.class_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.positions = LearnedPositions(1 + n, dim)
        self.encoder = nn.ModuleList(
            [EncoderLayer(dim, heads, hidden, eps=1e-6) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)

    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], 1) + self.positions()

    def encoded(self, images):
        x = self.tokens(images)
        for layer in self.encoder:
            x = layer(x)
        return x

    def forward(self, images):
        return self.head(self.norm(self.encoded(images)[:, 0]))


@wrong("vit.VisionTransformer", "layers in a plain list", says="encoder is a plain list")
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        del self.encoder
        self.encoder = [EncoderLayer(dim, heads, hidden, eps=1e-6) for _ in range(depth)]


@wrong(
    "vit.VisionTransformer",
    "positions are added before the class token comes",
    says="positions.table has the shape (4, 3)",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.positions = LearnedPositions((image_size // patch) ** 2, dim)

    def tokens(self, images):
        x = self.embed(images) + self.positions()
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)


@wrong(
    "vit.VisionTransformer",
    "the last norm has PyTorch's eps",
    says="In VisionTransformer(image_size=2, patch=1,",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.norm = nn.LayerNorm(dim)


@wrong(
    "vit.VisionTransformer",
    "the layers have PyTorch's eps",
    says="In VisionTransformer(image_size=2, patch=1,",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.encoder = nn.ModuleList(EncoderLayer(dim, heads, hidden) for _ in range(depth))


@wrong(
    "vit.VisionTransformer",
    "the class token begins with deviation 1",
    says="right but for how class_token begins",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.class_token = nn.Parameter(torch.randn(1, dim))


@wrong(
    "vit.VisionTransformer",
    "the class token begins at zero",
    says="right but for how class_token begins",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.class_token = nn.Parameter(torch.zeros(1, dim))


@wrong(
    "vit.VisionTransformer",
    "one layer, used again and again",
    says="In VisionTransformer(image_size=4, patch=2,",
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.encoder = nn.ModuleList([EncoderLayer(dim, heads, hidden, eps=1e-6)] * depth)


@wrong("vit.VisionTransformer", "a mean over all tokens", says="You read the mean of all tokens")
class _(Parts):
    def forward(self, images):
        return self.head(self.norm(self.encoded(images)).mean(dim=1))


@wrong("vit.VisionTransformer", "no last norm", says="The last norm is missing")
class _(Parts):
    def forward(self, images):
        return self.head(self.encoded(images)[:, 0])


@wrong(
    "vit.VisionTransformer",
    "the class token at the end, the first token read",
    says="The class token stands behind the patches,",
)
class _(Parts):
    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([x, self.class_token.expand(len(x), 1, -1)], 1) + self.positions()


@wrong(
    "vit.VisionTransformer", "the class token is no parameter", says="class_token is a plain tensor"
)
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        del self.class_token
        self.class_token = 0.02 * torch.randn(1, dim)


@wrong(
    "vit.VisionTransformer", "positions detached", says="gradient of positions.table is where the"
)
class _(Parts):
    def tokens(self, images):
        x = self.embed(images)
        x = torch.cat([self.class_token.expand(len(x), 1, -1), x], 1)
        return x + self.positions().detach()


@wrong("vit.VisionTransformer", "Post-LN layers")
class _(Parts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.encoder = nn.ModuleList(
            EncoderLayer(dim, heads, hidden, norm_first=False, eps=1e-6) for _ in range(depth)
        )


@wrong("vit.VisionTransformer", "softmax at the end", says="You end in a softmax")
class _(Parts):
    def forward(self, images):
        return super().forward(images).softmax(-1)


@right("vit.VisionTransformer", "nn.Sequential, nn.init and repeat")
class _(nn.Module):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__()
        self.head, self.norm = nn.Linear(dim, classes), nn.LayerNorm(dim, 1e-6)
        self.encoder = nn.Sequential()
        for _ in range(depth):
            self.encoder.append(EncoderLayer(dim, heads, hidden, eps=1e-6))
        self.embed = PatchEmbedding(channels, patch, dim)
        self.class_token = nn.Parameter(torch.empty(1, dim))
        nn.init.normal_(self.class_token, std=0.02)
        self.positions = LearnedPositions(image_size**2 // patch**2 + 1, dim)

    def forward(self, images):
        patches, places = self.embed(images), self.positions()
        first = (self.class_token + places[:1]).repeat(len(images), 1, 1)
        tokens = self.encoder(torch.cat((first, patches + places[1:]), dim=1))
        return self.head(self.norm(tokens))[:, 0]


@right("vit.VisionTransformer", "truncated normal, and the layers by reduce")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        nn.init.trunc_normal_(self.class_token, std=0.02)

    def forward(self, images):
        x = reduce(lambda x, layer: layer(x), self.encoder, self.tokens(images))
        return F.linear(self.norm(x.select(1, 0)), self.head.weight, self.head.bias)


# training_step


def clip(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@wrong("vit.training_step", "old gradients stay", says="Old gradients are not cleared")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("vit.training_step", "clears the gradients after backward", says="cleared between the two")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("vit.training_step", "steps before backward", says="The optimizer steps before the new")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    return loss.item()


@wrong(
    "vit.training_step",
    "returns the loss after the step",
    says="You return the loss after the step",
)
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    clip(model)
    optimizer.step()
    return F.cross_entropy(model(images), labels).item()


@wrong("vit.training_step", "no clipping", says="The optimizer uses the gradient as it is: it")
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "vit.training_step", "clips after the step", says="The optimizer uses the gradient as it is: it"
)
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    clip(model)
    return loss.item()


@wrong(
    "vit.training_step",
    "clips every number by itself",
    says="You cut each number of the gradient by itself",
)
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@wrong(
    "vit.training_step",
    "clips every weight's gradient by itself",
    says="You cut each weight's gradient by itself",
)
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    for parameter in model.parameters():
        nn.utils.clip_grad_norm_(parameter, 1.0)
    optimizer.step()
    return loss.item()


@wrong(
    "vit.training_step",
    "makes every gradient's norm 1, small ones too",
    says="weights after step 1 is where the chain",
)
def _(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    norm = sum((p.grad**2).sum() for p in model.parameters()) ** 0.5
    for p in model.parameters():
        p.grad /= norm
    optimizer.step()
    return loss.item()


@wrong(
    "vit.training_step",
    "leaves the model's mode as it finds it",
    says="The model learns in evaluation mode, in which",
)
def _(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("vit.training_step", "evaluation mode", says="The model learns in evaluation mode, in which")
def _(model, optimizer, images, labels):
    model.eval()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    model.train()
    return loss.item()


@wrong("vit.training_step", "returns a tensor with its graph", says="`.item()` gives one")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss


@wrong("vit.training_step", "softmax before the cross-entropy", says="You hand probabilities to")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("vit.training_step", "a sum over the images", says="You add the losses of the images up")
def _(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@right("vit.training_step", "a closure for the optimizer, own clipping")
def _(model, optimizer, images, labels):
    def closure():
        optimizer.zero_grad()
        loss = -model(images).log_softmax(-1)[torch.arange(len(labels)), labels].mean()
        loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.cat([g.flatten() for g in grads]).norm()
        if norm > 1:
            for g in grads:
                g.div_(norm)
        return loss

    return float(optimizer.step(closure)) if model.train() else None


@right("vit.training_step", "torch.autograd.grad, then set")
def _(model, optimizer, images, labels):
    loss = F.cross_entropy(model.train()(images), labels)
    weights = [p for p in model.parameters() if p.requires_grad]
    for weight, grad in zip(weights, torch.autograd.grad(loss, weights, allow_unused=True)):
        weight.grad = grad
    nn.utils.clip_grad_norm_(weights, max_norm=1)
    optimizer.step()
    return loss.tolist()


# interpolate_positions


def one_for_each(positions, grid):
    if len(positions) != 1 + grid[0] * grid[1]:
        raise ValueError("not 1 + rows · columns positions")


def resized(picture, size, mode="bicubic", **how):
    return F.interpolate(picture, size=tuple(size), mode=mode, **how)


@wrong("vit.interpolate_positions", "bilinear", says="This is bilinear")
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = positions[1:].T.unflatten(1, grid)[None]
    picture = resized(picture, new_grid, "bilinear")[0]
    return torch.cat([positions[:1], picture.flatten(1).T])


@wrong("vit.interpolate_positions", "corners aligned", says="Your corners are aligned")
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = positions[1:].T.unflatten(1, grid)[None]
    picture = resized(picture, new_grid, align_corners=True)[0]
    return torch.cat([positions[:1], picture.flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "the dimension to the front by a reshape",
    says="You reshape (n, dim) to (1, dim, rows",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = positions[1:].reshape(1, -1, *grid)
    return torch.cat([positions[:1], resized(picture, new_grid)[0].flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "back by a reshape",
    says="a position gets the values of one feature",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = resized(positions[1:].T.unflatten(1, grid)[None], new_grid)
    return torch.cat([positions[:1], picture.reshape(-1, positions.shape[1])])


@wrong(
    "vit.interpolate_positions",
    "rows and columns of the new grid exchanged",
    says="Right for square new grids",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = resized(positions[1:].T.unflatten(1, grid)[None], new_grid[::-1])
    return torch.cat([positions[:1], picture[0].flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "rows and columns of the old grid exchanged",
    says="Right for square grids",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    rows, columns = grid
    picture = resized(positions[1:].T.reshape(1, -1, columns, rows), new_grid)
    return torch.cat([positions[:1], picture[0].flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "the class token is taken from the end",
    says="You take the last row of the table",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = resized(positions[:-1].T.unflatten(1, grid)[None], new_grid)
    return torch.cat([picture[0].flatten(1).T, positions[-1:]])


@wrong(
    "vit.interpolate_positions",
    "surplus positions are cut off in silence",
    says="Right for all tables that fit their grid. Of",
)
def _(positions, grid, new_grid):
    rows, columns = grid
    picture = positions[1 : 1 + rows * columns].T.reshape(1, -1, rows, columns)
    return torch.cat([positions[:1], resized(picture, new_grid)[0].flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "smoothed before it shrinks",
    says="You resize with `antialias=True`, as one",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = resized(positions[1:].T.unflatten(1, grid)[None], new_grid, antialias=True)
    return torch.cat([positions[:1], picture[0].flatten(1).T])


@wrong(
    "vit.interpolate_positions",
    "the class token detached",
    says="The numbers are right, the gradient is",
)
def _(positions, grid, new_grid):
    one_for_each(positions, grid)
    picture = resized(positions[1:].T.unflatten(1, grid)[None], new_grid)
    return torch.cat([positions[:1].detach(), picture[0].flatten(1).T])


@right("vit.interpolate_positions", "a matrix for the rows and one for the columns")
def _(positions, grid, new_grid):
    one_for_each(positions, grid)

    def along(old, new):  # (new, old)
        return resized(torch.eye(old, dtype=positions.dtype)[None, None], (new, old))[0, 0]

    (rows, columns), (new_rows, new_columns) = grid, new_grid
    table = positions[1:].view(rows, columns, -1)
    A, B = along(rows, new_rows), along(columns, new_columns)
    return torch.vstack([positions[0], torch.einsum("yr,xc,rcd->yxd", A, B, table).flatten(0, 1)])


@right("vit.interpolate_positions", "feature by feature")
def _(positions, grid, new_grid):
    if positions.shape[0] - 1 != np.prod(grid):
        raise ValueError(f"{positions.shape[0]} positions")
    if tuple(grid) == tuple(new_grid):
        return positions.clone()
    features = [column.reshape(1, 1, *grid) for column in positions[1:].unbind(1)]
    patches = torch.stack([resized(f, new_grid).flatten() for f in features], dim=1)
    return torch.cat([positions[:1], patches], dim=0)


# attention_rollout


def mixed(layer):
    """One layer: the mean of the heads and the residual, half and half."""
    return (layer.mean(1) + torch.eye(layer.shape[-1], dtype=layer.dtype)) / 2


@wrong(
    "vit.attention_rollout",
    "the layers in the wrong order",
    says="The layers are multiplied in the wrong",
)
def _(weights):
    return reduce(torch.matmul, [mixed(layer) for layer in weights])


@wrong("vit.attention_rollout", "no residual", says="The identity is missing")
def _(weights):
    R = weights[0].mean(dim=1)
    for layer in weights[1:]:
        R = layer.mean(dim=1) @ R
    return R


@wrong(
    "vit.attention_rollout",
    "rows are not divided by their sums",
    says="Rows of A + I sum to two, and after L",
)
def _(weights):
    I = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    R = I
    for layer in weights:
        R = (layer.mean(dim=1) + I) @ R
    return R


@wrong(
    "vit.attention_rollout",
    "the largest of the heads",
    says="You take the largest weight of all heads",
)
def _(weights):
    R = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    for layer in weights:
        A = layer.max(dim=1).values + torch.eye(layer.shape[-1], dtype=layer.dtype)
        R = A / A.sum(-1, keepdim=True) @ R
    return R


@wrong(
    "vit.attention_rollout",
    "columns are divided by their sums",
    says="You divide by the sum of the columns",
)
def _(weights):
    I = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    R = I
    for layer in weights:
        A = layer.mean(dim=1) + I
        R = A / A.sum(dim=-2, keepdim=True) @ R
    return R


@wrong(
    "vit.attention_rollout",
    "each head by itself, the mean at the end",
    says="Each head of yours is followed through",
)
def _(weights):
    I = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    R = I
    for layer in weights:
        R = (layer + I) / 2 @ R
    return R.mean(dim=1)


@wrong(
    "vit.attention_rollout",
    "adds the residual to the caller's weights",
    says="changes its argument weights in place",
)
def _(weights):
    R = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    I = R
    for layer in weights:
        layer += I
        A = layer.mean(1)
        R = A / A.sum(-1, keepdim=True) @ R
    return R


@wrong(
    "vit.attention_rollout",
    "empties the caller's list",
    says="changes its argument weights in place",
)
def _(weights):
    R = mixed(weights.pop(0))
    while weights:
        R = mixed(weights.pop(0)) @ R
    return R


@wrong("vit.attention_rollout", "the first layer is left out", says="The first layer is left out")
def _(weights):
    R = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype).expand_as(weights[0][:, 0])
    for layer in weights[1:]:
        R = mixed(layer) @ R
    return R


@wrong("vit.attention_rollout", "number by number instead of a matrix product")
def _(weights):
    R = torch.ones_like(weights[0][:, 0])
    for layer in weights:
        R = R * mixed(layer)
    return R / R.sum(-1, keepdim=True)


@wrong(
    "vit.attention_rollout",
    "one residual around all layers",
    says="You multiply bare attention and add the",
)
def _(weights):
    R = weights[0].mean(1)
    for layer in weights[1:]:
        R = layer.mean(1) @ R
    return (R + torch.eye(R.shape[-1], dtype=R.dtype)) / 2


@right("vit.attention_rollout", "token by token through the layers, from above")
def _(weights):
    R = torch.eye(weights[-1].shape[-1], dtype=weights[-1].dtype)
    for layer in reversed(weights):
        R = 0.5 * R + 0.5 * (R.unsqueeze(-3) @ layer).mean(1)
    return R


@right("vit.attention_rollout", "recursion, all layers stacked")
def _(weights):
    A = torch.stack([w.mean(1) for w in weights])
    A = A + torch.eye(A.shape[-1], dtype=A.dtype)
    A = A / A.sum(-1, keepdim=True)

    def up_to(i):
        return A[0] if i == 0 else torch.bmm(A[i], up_to(i - 1))

    return up_to(len(A) - 1)


# attention_distance


def apart(grid, dtype):
    rows, columns = grid
    place = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(dtype)
    return (place[:, None] - place[None]).square().sum(-1).sqrt()  # (n, n)


def fits(weights, grid):
    if weights.shape[-1] != 1 + grid[0] * grid[1]:
        raise ValueError("not 1 + n tokens")


@wrong(
    "vit.attention_distance",
    "not divided by the sum over the patches",
    says="not divided by what remains",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[:, :, 1:, 1:]
    return (w * apart(grid, w.dtype)).sum(-1).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "a patch without a distance has distance 0",
    says="A patch that gives everything to the class",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[:, :, 1:, 1:]
    w = (w / w.sum(-1, keepdim=True)).nan_to_num(0)
    return (w * apart(grid, w.dtype)).sum(-1).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "patches without a distance are skipped",
    says="A patch that gives everything to the class",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[:, :, 1:, 1:]
    d = (w * apart(grid, w.dtype)).sum(-1) / w.sum(-1)
    return d.transpose(0, 1).flatten(1).nanmean(1)


@wrong(
    "vit.attention_distance",
    "a small eps in the denominator",
    says="A patch that gives everything to the class",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[:, :, 1:, 1:]
    w = w / (w.sum(-1, keepdim=True) + 1e-9)
    return (w * apart(grid, w.dtype)).sum(-1).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "rows plus columns, as a taxi drives",
    says="You add up the steps down and to the",
)
def _(weights, grid):
    fits(weights, grid)
    i = torch.arange(grid[0] * grid[1])
    y, x = i // grid[1], i % grid[1]
    d = (y[:, None] - y).abs() + (x[:, None] - x).abs()
    w = weights[..., 1:, 1:]
    return ((w * d).sum(-1) / w.sum(-1)).mean((0, 2))


@wrong("vit.attention_distance", "right for square grids only", says="Right for square grids")
def _(weights, grid):
    fits(weights, grid)
    i = torch.arange(grid[0] * grid[1])
    y, x = i // grid[0], i % grid[0]
    d = ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).sqrt()
    w = weights[..., 1:, 1:]
    return ((w * d).sum(-1) / w.sum(-1)).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "a mean over the heads too",
    says="Wrong exactly where axis -3 of weights has a size above 1",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[..., 1:, 1:]
    d = (w * apart(grid, w.dtype)).sum(-1) / w.sum(-1)
    return d.mean().expand(weights.shape[1])


@wrong(
    "vit.attention_distance",
    "all patches in one weighted mean",
    says="You divide the sum over all patches by the",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[..., 1:, 1:]
    return (w * apart(grid, w.dtype)).sum((0, 2, 3)) / w.sum((0, 2, 3))


@wrong(
    "vit.attention_distance",
    "patches that answer, by the patches that ask",
    says="You divide columns by their sums",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[..., 1:, 1:]
    return ((w * apart(grid, w.dtype)).sum(-2) / w.sum(-2)).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "sets what goes to the class token to 0, in place",
    says="changes its argument weights in place",
)
def _(weights, grid):
    fits(weights, grid)
    weights[..., 0] = 0
    w = (weights / weights.sum(-1, keepdim=True))[..., 1:, 1:]
    return (w * apart(grid, w.dtype)).sum(-1).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "the class token at the end",
    says="You leave out the last token instead of",
)
def _(weights, grid):
    fits(weights, grid)
    w = weights[..., :-1, :-1]
    return ((w * apart(grid, w.dtype)).sum(-1) / w.sum(-1)).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "too many tokens are cut off in silence",
    says="you take the first without a word",
)
def _(weights, grid):
    n = grid[0] * grid[1]
    if weights.shape[-1] < 1 + n:
        raise ValueError("too few tokens")
    w = weights[..., 1 : n + 1, 1 : n + 1]
    return ((w * apart(grid, w.dtype)).sum(-1) / w.sum(-1)).mean((0, 2))


@wrong(
    "vit.attention_distance",
    "another number of tokens is not refused",
    says="Right for weights that fit the grid. Of others",
)
def _(weights, grid):
    n = grid[0] * grid[1]
    w = weights[..., 1 : n + 1, 1 : n + 1]
    return ((w * apart(grid, w.dtype)).sum(-1) / w.sum(-1)).mean((0, 2))


@right("vit.attention_distance", "places as complex numbers")
def _(weights, grid):
    fits(weights, grid)
    place = (torch.arange(grid[0])[:, None] + 1j * torch.arange(grid[1])).flatten()
    d = (place[:, None] - place).abs().to(weights.dtype)
    w = weights[..., 1:, 1:]
    return (torch.einsum("bhij,ij->bhi", w, d) / w.sum(-1)).mean(-1).mean(0)


@right("vit.attention_distance", "loops over patches, hypot")
def _(weights, grid):
    rows, columns = grid
    if weights.shape[-1] - 1 != rows * columns:
        raise ValueError("tokens")
    w, total = weights[:, :, 1:, 1:], 0
    for y, x in product(range(rows), range(columns)):
        dy, dx = torch.arange(rows)[:, None] - y, torch.arange(columns)[None] - x
        asks = w[:, :, y * columns + x]
        d = torch.hypot(*torch.broadcast_tensors(dy.double(), dx.double())).flatten()
        total = total + (asks * d.to(asks)).sum(-1) / asks.sum(-1)
    return total.mean(0) / (rows * columns)


# vit_cost


def cost(image_size, patch, channels, classes, dim, depth, hidden, n=None, **changed):
    """All right; the answers change an entry."""
    n = (image_size // patch) ** 2 if n is None else n
    N, pixels = n + 1, patch * patch * channels
    found = {
        "patch_embedding": pixels * dim + dim,
        "tokens": dim + N * dim,
        "encoder": depth * (4 * (dim * dim + dim) + 2 * dim * hidden + hidden + dim + 2 * 2 * dim),
        "head": 2 * dim + dim * classes + classes,
    } | {k: v for k, v in changed.items() if k != "flops"}
    layer = N * (4 * dim * dim + 2 * dim * hidden) + 2 * N * N * dim
    flops = 2 * (n * pixels * dim + depth * layer + dim * classes)
    return found | {"parameters": sum(found.values()), "flops": changed.get("flops", flops)}


@wrong(
    "vit.vit_cost",
    "a multiplication with its addition counts once",
    says="You count a multiplication and its",
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    found = cost(image_size, patch, channels, classes, dim, depth, hidden)
    return found | {"flops": found["flops"] // 2}


@wrong(
    "vit.vit_cost",
    "no position for the class token",
    says="`tokens` is dim too few. The class token is",
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    tokens = dim + (image_size // patch) ** 2 * dim
    return cost(image_size, patch, channels, classes, dim, depth, hidden, tokens=tokens)


@wrong("vit.vit_cost", "the last norm is forgotten", says="The last norm is missing")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    last = dim * classes + classes
    return cost(image_size, patch, channels, classes, dim, depth, hidden, head=last)


@wrong("vit.vit_cost", "layers without biases", says="encoder is where the chain breaks")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    encoder = depth * (4 * dim**2 + 2 * dim * hidden + 4 * dim)
    return cost(image_size, patch, channels, classes, dim, depth, hidden, encoder=encoder)


@wrong(
    "vit.vit_cost",
    "three maps in attention, no output map",
    says="Your attention has three maps, for queries,",
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    N = (image_size // patch) ** 2 + 1
    right = cost(image_size, patch, channels, classes, dim, depth, hidden)
    encoder = right["encoder"] - depth * (dim * dim + dim)
    flops = right["flops"] - depth * 2 * N * dim * dim
    return cost(
        image_size, patch, channels, classes, dim, depth, hidden, encoder=encoder, flops=flops
    )


@wrong(
    "vit.vit_cost",
    "the products of attention are forgotten",
    says="flops is where the chain breaks",
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    N = (image_size // patch) ** 2 + 1
    found = cost(image_size, patch, channels, classes, dim, depth, hidden)
    return found | {"flops": found["flops"] - depth * 4 * N * N * dim}


@wrong("vit.vit_cost", "layers without the class token", says="Your layers work on n tokens")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size // patch) ** 2
    layer = n * (4 * dim * dim + 2 * dim * hidden) + 2 * n * n * dim
    flops = 2 * (n * patch**2 * channels * dim + depth * layer + dim * classes)
    return cost(image_size, patch, channels, classes, dim, depth, hidden, flops=flops)


@wrong(
    "vit.vit_cost", "the head works on every token", says="You send every token through the head"
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    found = cost(image_size, patch, channels, classes, dim, depth, hidden)
    n = (image_size // patch) ** 2
    return found | {"flops": found["flops"] + n * 2 * dim * classes}


@wrong(
    "vit.vit_cost",
    "the embedding works on the class token too",
    says="You send the class token through the patch",
)
def _(image_size, patch, channels, classes, dim, depth, hidden):
    found = cost(image_size, patch, channels, classes, dim, depth, hidden)
    return found | {"flops": found["flops"] + 2 * patch**2 * channels * dim}


@wrong("vit.vit_cost", "hidden is always four times dim", says="encoder is where the chain breaks")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    return cost(image_size, patch, channels, classes, dim, depth, 4 * dim)


@wrong("vit.vit_cost", "one norm in a layer", says="encoder: yours is 2 · dim · depth too few")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    found = cost(image_size, patch, channels, classes, dim, depth, hidden)
    encoder = found["encoder"] - depth * 2 * dim
    return cost(image_size, patch, channels, classes, dim, depth, hidden, encoder=encoder)


@wrong("vit.vit_cost", "floats, by a true division", says="The numbers are right, but floats")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size / patch) ** 2
    return cost(image_size, patch, channels, classes, dim, depth, hidden, n=n)


@right("vit.vit_cost", "counts the parameters of PyTorch's modules")
def _(image_size, patch, channels, classes, dim, depth, hidden):
    def count(*parts):
        return sum(p.numel() for part in parts for p in part.parameters())

    n = image_size**2 // patch**2
    with torch.device("meta"):
        embed, last = nn.Conv2d(channels, dim, patch), nn.Linear(dim, classes)
        layer = nn.TransformerEncoderLayer(dim, 1, hidden)
        parts = [count(embed), (n + 2) * dim, depth * count(layer), count(last, nn.LayerNorm(dim))]
    maps = [(n, embed.weight[0].numel(), dim), (1, dim, classes)]
    maps += depth * [(n + 1, dim, 4 * dim + hidden), (n + 1, hidden, dim)]
    maps += depth * [(n + 1, dim, n + 1), (n + 1, n + 1, dim)]
    names = ["patch_embedding", "tokens", "encoder", "head", "parameters", "flops"]
    return dict(zip(names, [*parts, sum(parts), sum(2 * a * b * c for a, b, c in maps)]))
