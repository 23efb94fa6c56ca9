"""Answers to the core and the labs of chapter 07: a transformer in a transformer.

A second round, blind to the bank, wrote 167 wrong answers and 28 right ones to all exercises of the
chapter. Two wrong ones were accepted, and two that were meant to be wrong were right. Those that
said something new stand at the end.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.attention import attention
from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward
from tutorial_lib.from_scratch.patches import patchify
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.tnt import PixelEmbedding

# unscrambled


@wrong("local_and_global.unscrambled", "writes the rows to where they come from", says="inverse")
def _(E, order):
    new = np.empty_like(E)
    new[order] = E
    return new


@wrong("local_and_global.unscrambled", "the columns", says="You permute the columns")
def _(E, order):
    return E.T[order].T


@wrong("local_and_global.unscrambled", "changes E in place", says="changes its argument E in place")
def _(E, order):
    E[:] = E[order]
    return E


@right("local_and_global.unscrambled", "row by row")
def _(E, order):
    return np.stack([E[i] for i in order])


@right("local_and_global.unscrambled", "a permutation matrix")
def _(E, order):
    return np.eye(len(E), dtype=E.dtype)[order] @ E


@right("local_and_global.unscrambled", "np.take")
def _(E, order):
    return np.take(E, order, axis=0)


# pixel_tokens


def fits(images, P, s):
    if images.shape[1] % P or images.shape[2] % P or P % s:
        raise ValueError("does not fit")


@wrong("local_and_global.pixel_tokens", "one reshape", says="You reshape in one go")
def _(images, P, s):
    fits(images, P, s)
    B, H, W, C = images.shape
    return images.reshape(B, H * W // P**2, P**2 // s**2, s * s * C)


@wrong(
    "local_and_global.pixel_tokens",
    "squares of the image, m at a time",
    says="they stand in the wrong patches",
)
def _(images, P, s):
    fits(images, P, s)
    B, H, W, C = images.shape
    x = images.reshape(B, H // s, s, W // s, s, C).swapaxes(2, 3)
    return x.reshape(B, -1, (P // s) ** 2, s * s * C)


@wrong("local_and_global.pixel_tokens", "transposed squares", says="Each square is transposed")
def _(images, P, s):
    fits(images, P, s)
    out = []
    for image in images:
        for i in range(0, image.shape[0], P):
            for j in range(0, image.shape[1], P):
                for y in range(i, i + P, s):
                    for x in range(j, j + P, s):
                        out.append(image[y : y + s, x : x + s].swapaxes(0, 1).ravel())
    return np.array(out).reshape(len(images), -1, (P // s) ** 2, s * s * images.shape[3])


@wrong("local_and_global.pixel_tokens", "squares column by column", says="column by column")
def _(images, P, s):
    fits(images, P, s)
    out = []
    for image in images:
        for i in range(0, image.shape[0], P):
            for j in range(0, image.shape[1], P):
                for x in range(j, j + P, s):
                    for y in range(i, i + P, s):
                        out.append(image[y : y + s, x : x + s].ravel())
    return np.array(out).reshape(len(images), -1, (P // s) ** 2, s * s * images.shape[3])


@wrong(
    "local_and_global.pixel_tokens", "every k-th pixel", says="gathers the pixels at the same place"
)
def _(images, P, s):
    fits(images, P, s)
    B, H, W, C = images.shape
    k, out = P // s, []
    for image in images:
        for i in range(0, H, P):
            for j in range(0, W, P):
                patch = image[i : i + P, j : j + P]
                out += [patch[y::k, x::k].ravel() for y in range(k) for x in range(k)]
    return np.array(out).reshape(B, -1, k * k, s * s * C)


@wrong("local_and_global.pixel_tokens", "no look at the sizes")
def _(images, P, s):
    B, H, W, C = images.shape
    k = P // s
    x = images[:, : H // P * P, : W // P * P]
    if P % s:
        x = x.reshape(B, H // P, P, W // P, P, C)[:, :, : k * s, :, : k * s]
    x = x.reshape(B, H // P, k, s, W // P, k, s, C).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    return x.reshape(B, -1, k * k, s * s * C)


@right("local_and_global.pixel_tokens", "two cuts")
def _(images, P, s):
    fits(images, P, s)

    def cut(x, size):
        n, H, W, C = x.shape
        x = x.reshape(n, H // size, size, W // size, size, C).swapaxes(2, 3)
        return x.reshape(n, -1, size, size, C)

    B, C = len(images), images.shape[-1]
    patches = cut(images, P)
    squares = cut(patches.reshape(-1, P, P, C), s)
    return squares.reshape(B, patches.shape[1], (P // s) ** 2, s * s * C)


@right("local_and_global.pixel_tokens", "slices, loops over the pixels of a square")
def _(images, P, s):
    B, H, W, C = images.shape
    if any(size % step for size, step in ((H, P), (W, P), (P, s))):
        raise ValueError(f"{H}, {W}, {P}, {s}")
    k = P // s
    out = np.empty((B, H // P, W // P, k, k, s, s, C), images.dtype)
    for y in range(s):
        for x in range(s):
            part = images[:, y::s, x::s]
            out[..., y, x, :] = part.reshape(B, H // P, k, W // P, k, C).swapaxes(2, 3)
    return out.reshape(B, -1, k * k, s * s * C)


# inner_attention


@wrong("local_and_global.inner_attention", "still the bug, elsewhere")
def _(Y, W_Q, W_K, W_V):
    B, n, m, c = Y.shape
    rows = Y.reshape(B * m, n, c)
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(B, m, n, -1).swapaxes(1, 2)


@wrong("local_and_global.inner_attention", "between patches", says="attention between patches")
def _(Y, W_Q, W_K, W_V):
    Y = np.moveaxis(Y, 2, 1)
    Z, _ = attention(Y @ W_Q, Y @ W_K, Y @ W_V)
    return np.moveaxis(Z, 1, 2)


@wrong("local_and_global.inner_attention", "one long row", says="across the borders of the patches")
def _(Y, W_Q, W_K, W_V):
    B, n, m, c = Y.shape
    rows = Y.reshape(B, n * m, c)
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(B, n, m, -1)


@wrong("local_and_global.inner_attention", "keys and queries", says="have changed places")
def _(Y, W_Q, W_K, W_V):
    B, n, m, c = Y.shape
    rows = Y.reshape(B * n, m, c)
    Z, _ = attention(rows @ W_K, rows @ W_Q, rows @ W_V)
    return Z.reshape(B, n, m, -1)


@right("local_and_global.inner_attention", "no reshape at all")
def _(Y, W_Q, W_K, W_V):
    return attention(Y @ W_Q, Y @ W_K, Y @ W_V)[0]


@right("local_and_global.inner_attention", "patch by patch")
def _(Y, W_Q, W_K, W_V):
    Z = np.empty((*Y.shape[:3], W_V.shape[1]))
    for b in range(Y.shape[0]):
        for i in range(Y.shape[1]):
            y = Y[b, i]
            Z[b, i] = attention(y @ W_Q, y @ W_K, y @ W_V)[0]
    return Z


# PixelsToPatch


class Join(nn.Module):
    def __init__(self, pixels, inner_dim, dim):
        super().__init__()
        self.norm_in = nn.LayerNorm(pixels * inner_dim)
        self.norm_out = nn.LayerNorm(dim)
        self.project = nn.Linear(pixels * inner_dim, dim)


@wrong("local_and_global.PixelsToPatch", "a norm for each pixel", says="norm_in.weight")
class _(Join):
    def __init__(self, pixels, inner_dim, dim):
        super().__init__(pixels, inner_dim, dim)
        self.norm_in = nn.LayerNorm(inner_dim)

    def forward(self, y):
        return self.norm_out(self.project(self.norm_in(y).flatten(2)))


@wrong("local_and_global.PixelsToPatch", "features first", says="Feature 0 of all pixel tokens")
class _(Join):
    def forward(self, y):
        v = y.permute(0, 1, 3, 2).reshape(y.shape[0], y.shape[1], -1)
        return self.norm_out(self.project(self.norm_in(v)))


@wrong("local_and_global.PixelsToPatch", "no bias", says="project.bias")
class _(Join):
    def __init__(self, pixels, inner_dim, dim):
        super().__init__(pixels, inner_dim, dim)
        self.project = nn.Linear(pixels * inner_dim, dim, bias=False)

    def forward(self, y):
        return self.norm_out(self.project(self.norm_in(y.flatten(2))))


@wrong("local_and_global.PixelsToPatch", "ends with the map", says="The last norm is made and not")
class _(Join):
    def forward(self, y):
        return self.project(self.norm_in(y.flatten(2)))


@right("local_and_global.PixelsToPatch", "with a view of the sizes")
class _(Join):
    def forward(self, y):
        B, n, m, c = y.shape
        return self.norm_out(self.project(self.norm_in(y.reshape(B, n, m * c))))


# TNTBlock


class BlockParts(nn.Module):
    def __init__(self, dim, heads, hidden, inner_dim, inner_heads, pixels):
        super().__init__()
        self.inner = EncoderLayer(inner_dim, inner_heads, inner_dim * 4)
        self.join = Join(pixels, inner_dim, dim)
        self.join.forward = lambda y: self.join.norm_out(
            self.join.project(self.join.norm_in(y.flatten(2)))
        )
        self.outer = EncoderLayer(dim, heads, hidden)


@wrong("local_and_global.TNTBlock", "all pixels in one row", says="All pixel tokens of an image")
class _(BlockParts):
    def forward(self, y, z):
        B, n, m, c = y.shape
        y = self.inner(y.reshape(B, n * m, c)).reshape(B, n, m, c)
        z = torch.cat([z[:, 0:1], z[:, 1:] + self.join(y)], 1)
        return y, self.outer(z)


@wrong("local_and_global.TNTBlock", "joins first", says="what the pixels were before")
class _(BlockParts):
    def forward(self, y, z):
        z = torch.cat([z[:, :1], z[:, 1:] + self.join(y)], 1)
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, self.outer(z)


@wrong("local_and_global.TNTBlock", "patches replaced", says="The pixels replace their patch")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, self.outer(torch.cat([z[:, :1], self.join(y)], 1))


@wrong("local_and_global.TNTBlock", "outer first", says="behind the outer layer")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        z = self.outer(z)
        return y, torch.cat([z[:, :1], z[:, 1:] + self.join(y)], 1)


@wrong("local_and_global.TNTBlock", "in place", says="changes its argument z in place")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        z[:, 1:] += self.join(y)
        return y, self.outer(z)


@wrong(
    "local_and_global.TNTBlock", "hidden size of the outer one inside", says="inner.feed_forward"
)
class _(BlockParts):
    def __init__(self, dim, heads, hidden, inner_dim, inner_heads, pixels):
        super().__init__(dim, heads, hidden, inner_dim, inner_heads, pixels)
        self.inner = EncoderLayer(inner_dim, inner_heads, hidden)

    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, self.outer(torch.cat([z[:, :1], z[:, 1:] + self.join(y)], 1))


@right("local_and_global.TNTBlock", "zeros for the class token")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, self.outer(z + F.pad(self.join(y), (0, 0, 1, 0)))


@right("local_and_global.TNTBlock", "image by image")
class _(BlockParts):
    def forward(self, y, z):
        y = torch.stack([self.inner(image) for image in y])
        z = z.clone()
        z[:, 1:] = z[:, 1:] + self.join(y)
        return y, self.outer(z)


# TNT


class TntParts(nn.Module):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden, stride,
                 inner_dim, inner_heads):  # fmt: skip
        super().__init__()
        n, m = (image_size // patch) ** 2, (patch // stride) ** 2
        self.embed = PixelEmbedding(channels, patch, stride, inner_dim)
        block = BlockParts(dim, heads, hidden, inner_dim, inner_heads, m)
        self.first = block.join
        self.class_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.positions = nn.Parameter(torch.randn(n + 1, dim) * 0.02)
        self.encoder = nn.ModuleList(
            [BlockParts(dim, heads, hidden, inner_dim, inner_heads, m) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        self.start()

    def start(self):
        """For answers that begin otherwise."""

    def one(self, block, y, z):
        y = block.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, block.outer(z + F.pad(block.join(y), (0, 0, 1, 0)))

    def begin(self, y):
        return torch.cat([self.class_token.repeat(len(y), 1, 1), self.first(y)], 1) + self.positions

    def forward(self, images):
        y = self.embed(images)
        z = self.begin(y)
        for block in self.encoder:
            y, z = self.one(block, y, z)
        return self.head(self.norm(z)[:, 0])


right("local_and_global.TNT", "the norm of all tokens, then the first")(TntParts)


@wrong("local_and_global.TNT", "positions for the patches only", says="positions has the shape")
class _(TntParts):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        n = (sizes["image_size"] // sizes["patch"]) ** 2
        self.positions = nn.Parameter(torch.randn(n, sizes["dim"]) * 0.02)


@wrong("local_and_global.TNT", "the same pixels for each block", says="as they were embedded")
class _(TntParts):
    def forward(self, images):
        y = self.embed(images)
        z = self.begin(y)
        for block in self.encoder:
            z = self.one(block, y, z)[1]
        return self.head(self.norm(z[:, 0]))


@wrong("local_and_global.TNT", "mean of the patches", says="after the norm. That works too")
class _(TntParts):
    def forward(self, images):
        y = self.embed(images)
        z = self.begin(y)
        for block in self.encoder:
            y, z = self.one(block, y, z)
        return self.head(self.norm(z[:, 1:]).mean(1))


@wrong("local_and_global.TNT", "m counted along one side", says="has the shape")
class _(TntParts):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        side = sizes["patch"] // sizes["stride"]
        self.first = Join(side, sizes["inner_dim"], sizes["dim"])


# rivals_step


def prepared(rivals, optimizer):
    rivals.train()
    optimizer.zero_grad()


@wrong("local_and_global.rivals_step", "cuts both together", says="Both models share one norm")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    losses = [F.cross_entropy(m(images), labels) for m in rivals]
    (losses[0] + losses[1]).backward()
    torch.nn.utils.clip_grad_norm_(rivals.parameters(), 1)
    optimizer.step()
    return [x.item() for x in losses]


@wrong("local_and_global.rivals_step", "zero_grad for each", says="Only the second model learns")
def _(rivals, optimizer, images, labels):
    rivals.train()
    out = []
    for m in rivals:
        loss = F.cross_entropy(m(images), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1)
        out.append(loss.item())
    optimizer.step()
    return out


@wrong("local_and_global.rivals_step", "only one number", says="You return one number for both")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    loss = 0
    for m in rivals:
        mine = F.cross_entropy(m(images), labels)
        mine.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1)
        loss += mine.item()
    optimizer.step()
    return loss


@wrong("local_and_global.rivals_step", "no cut", says="The gradient is not cut")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    losses = [F.cross_entropy(m(images), labels) for m in rivals]
    sum(losses).backward()
    optimizer.step()
    return [x.item() for x in losses]


@right("local_and_global.rivals_step", "an update for each, the other without gradients")
def _(rivals, optimizer, images, labels):
    rivals.train()
    out = []
    for m in rivals:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1)
        optimizer.step()
        out.append(loss.item())
    return out


# pixels_to_patch_backward


def forward(Y, weights):
    V = Y.reshape(Y.shape[0], Y.shape[1], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    return V, U, U @ weights["W"] + weights["b"]


def gathered(outer, dT, U, inner, Y):
    return {
        "dgamma_out": outer["dgamma"],
        "dbeta_out": outer["dbeta"],
        "db": dT.sum((0, 1)),
        "dW": np.einsum("bni,bnj->ij", U, dT),
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }


@right("local_and_global.pixels_to_patch_backward", "einsum for all")
def _(dA, Y, weights):
    V, U, T = forward(Y, weights)
    outer = layer_norm_backward(dA, T, weights["gamma_out"])
    dT = outer["dX"]
    dU = np.einsum("bnj,ij->bni", dT, weights["W"])
    return gathered(outer, dT, U, layer_norm_backward(dU, V, weights["gamma_in"]), Y)


@wrong(
    "local_and_global.pixels_to_patch_backward",
    "the map forgets its bias",
)
def _(dA, Y, weights):
    V, U, T = forward(Y, weights)
    outer = layer_norm_backward(dA, U @ weights["W"], weights["gamma_out"])
    dT = outer["dX"]
    dU = dT @ weights["W"].T
    return gathered(outer, dT, U, layer_norm_backward(dU, V, weights["gamma_in"]), Y)


@wrong(
    "local_and_global.pixels_to_patch_backward",
    "the inner norm at U",
    says="The inner norm is differentiated at U",
)
def _(dA, Y, weights):
    V, U, T = forward(Y, weights)
    outer = layer_norm_backward(dA, T, weights["gamma_out"])
    dT = outer["dX"]
    dU = dT @ weights["W"].T
    return gathered(outer, dT, U, layer_norm_backward(dU, U, weights["gamma_in"]), Y)


@wrong(
    "local_and_global.pixels_to_patch_backward",
    "dW from V",
    says="Your dW is made of V",
)
def _(dA, Y, weights):
    V, U, T = forward(Y, weights)
    outer = layer_norm_backward(dA, T, weights["gamma_out"])
    dT = outer["dX"]
    dU = dT @ weights["W"].T
    return gathered(outer, dT, V, layer_norm_backward(dU, V, weights["gamma_in"]), Y)


# a second round


@right("local_and_global.unscrambled", "by pseudo-inverses")
def _(E, order):
    return np.linalg.pinv(np.linalg.pinv(E)[:, order]).astype(E.dtype)


@wrong("local_and_global.pixel_tokens", "pieces of the patch's vector", says="strip of the patch")
def _(images, P, s):
    fits(images, P, s)
    patches = patchify(images, P)
    return patches.reshape(*patches.shape[:2], (P // s) ** 2, -1)


@wrong("local_and_global.pixel_tokens", "s squares a side", says="the number of squares beside")
def _(images, P, s):
    fits(images, P, s)
    B, H, W, C = images.shape
    q = P // s
    x = images.reshape(B, H // P, s, q, W // P, s, q, C).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    return x.reshape(B, -1, s * s, q * q * C)


@wrong("local_and_global.pixel_tokens", "squares before patches", says="have changed places")
def _(images, P, s):
    fits(images, P, s)
    B, H, W, C = images.shape
    k = P // s
    x = images.reshape(B, H // P, k, s, W // P, k, s, C).transpose(0, 2, 5, 1, 4, 3, 6, 7)
    return x.reshape(B, -1, k * k, s * s * C)


@wrong(
    "local_and_global.inner_attention", "one list of all tokens", says="All tokens of all images"
)
def _(Y, W_Q, W_K, W_V):
    X = Y.reshape(-1, Y.shape[-1])
    return attention(X @ W_Q, X @ W_K, X @ W_V)[0].reshape(*Y.shape[:3], -1)


@wrong("local_and_global.inner_attention", "scales as well", says="divided by √d twice")
def _(Y, W_Q, W_K, W_V):
    return attention(Y @ W_Q, Y @ W_K / np.sqrt(W_K.shape[1]), Y @ W_V)[0]


@wrong("local_and_global.inner_attention", "√c", says="divided by √c")
def _(Y, W_Q, W_K, W_V):
    q, k, v = (Y @ W for W in (W_Q, W_K, W_V))
    S = np.exp(np.einsum("bnid,bnjd->bnij", q, k) / np.sqrt(Y.shape[-1]))
    return S / S.sum(-1, keepdims=True) @ v


@wrong("local_and_global.inner_attention", "V before K", says="Keys and values have changed places")
def _(Y, W_Q, W_K, W_V):
    return attention(*(Y @ W for W in (W_Q, W_V, W_K)))[0]


@wrong(
    "local_and_global.PixelsToPatch", "norm of an image", says="all patches of an image together"
)
class _(Join):
    def forward(self, y):
        v = y.flatten(2)
        mean, var = v.mean((1, 2), keepdim=True), v.var((1, 2), correction=0, keepdim=True)
        v = (v - mean) / (var + 1e-5).sqrt() * self.norm_in.weight + self.norm_in.bias
        return self.norm_out(self.project(v))


@wrong("local_and_global.TNTBlock", "outer for the patches", says="does not pass the outer layer")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return y, torch.cat([z[:, :1], self.outer(z[:, 1:] + self.join(y))], 1)


@wrong("local_and_global.TNTBlock", "z and y", says="You return z first")
class _(BlockParts):
    def forward(self, y, z):
        y = self.inner(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return self.outer(z + F.pad(self.join(y), (0, 0, 1, 0))), y


@wrong("local_and_global.TNT", "positions begin large", says="right but for how positions begins")
class _(TntParts):
    def start(self):
        nn.init.normal_(self.positions)


@wrong(
    "local_and_global.TNT", "a class token of zeros", says="right but for how class_token begins"
)
class _(TntParts):
    def start(self):
        nn.init.zeros_(self.class_token)


@wrong("local_and_global.TNT", "a class token without a place", says="the class token does not")
class _(TntParts):
    def begin(self, y):
        patches = self.first(y) + self.positions[1:]
        return torch.cat([self.class_token.repeat(len(y), 1, 1), patches], 1)


@wrong("local_and_global.TNT", "positions, then the order", says="the last row of `positions`")
class _(TntParts):
    def begin(self, y):
        z = torch.cat([self.first(y), self.class_token.repeat(len(y), 1, 1)], 1) + self.positions
        return torch.cat([z[:, -1:], z[:, :-1]], 1)


@wrong("local_and_global.TNT", "positions each time", says="again in front of every block")
class _(TntParts):
    def one(self, block, y, z):
        return super().one(block, y, z if z is self.first_z else z + self.positions)

    def begin(self, y):
        self.first_z = super().begin(y)
        return self.first_z


@wrong("local_and_global.rivals_step", "a list of tensors", says="keeps its whole graph alive")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    losses = [F.cross_entropy(m(images), labels) for m in rivals]
    sum(losses).backward()
    for m in rivals:
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    optimizer.step()
    return losses


@right("local_and_global.rivals_step", "a step for each, the other's gradients None")
def _(rivals, optimizer, images, labels):
    rivals.train()
    said = []
    for m in rivals:
        optimizer.zero_grad()
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        said.append(loss.item())
    return said


@wrong("local_and_global.rivals_step", "a step for each, zeros", says="An optimizer with a memory")
def _(rivals, optimizer, images, labels):
    rivals.train()
    said = []
    for m in rivals:
        optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        said.append(loss.item())
    return said


@wrong("local_and_global.rivals_step", "a step for each, none cleared", says="so it moves twice")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    said = []
    for m in rivals:
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        said.append(loss.item())
    return said


@wrong("local_and_global.rivals_step", "backwards", says="The second model sees the batch first")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    said = []
    for m in reversed(list(rivals)):
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        said.insert(0, loss.item())
    optimizer.step()
    return said


@wrong("local_and_global.rivals_step", "an ensemble", says="You train the mean of both answers")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    one, two = (m(images) for m in rivals)
    F.cross_entropy((one + two) / 2, labels).backward()
    for m in rivals:
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    optimizer.step()
    return [F.cross_entropy(x, labels).item() for x in (one, two)]


@wrong("local_and_global.rivals_step", "cuts all in the loop", says="You cut in the loop, and over")
def _(rivals, optimizer, images, labels):
    prepared(rivals, optimizer)
    said = []
    for m in rivals:
        loss = F.cross_entropy(m(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(rivals.parameters(), 1.0)
        said.append(loss.item())
    optimizer.step()
    return said


@wrong("local_and_global.rivals_step", "evaluates before", says="measured in evaluation mode")
def _(rivals, optimizer, images, labels):
    rivals.eval()
    said = [F.cross_entropy(m(images), labels).item() for m in rivals]
    prepared(rivals, optimizer)
    for m in rivals:
        F.cross_entropy(m(images), labels).backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    optimizer.step()
    return said


def steps_back(dA, Y, weights, skip=False, bias=True, one=False):
    """All gradients, with a step left out or not."""
    V = Y.reshape(*Y.shape[:2], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    T = U @ weights["W"] + bias * weights["b"]
    outer = layer_norm_backward(dA, T, weights["gamma_out"])
    dT = dA if skip else outer["dX"]
    inner = layer_norm_backward(dT @ weights["W"].T, V, weights["gamma_in"])
    some = slice(0, 1) if one else slice(None)
    return {
        "dgamma_out": outer["dgamma"],
        "dbeta_out": outer["dbeta"],
        "db": dT[some].sum((0, 1)),
        "dW": np.einsum("bnc,bnd->cd", U[some], dT[some]),
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }


@wrong("local_and_global.pixels_to_patch_backward", "no outer norm", says="norm is passed over")
def _(dA, Y, weights):
    return steps_back(dA, Y, weights, skip=True)


@wrong("local_and_global.pixels_to_patch_backward", "no b", says="The bias is missing from what")
def _(dA, Y, weights):
    return steps_back(dA, Y, weights, bias=False)


@wrong("local_and_global.pixels_to_patch_backward", "one image", says="the first image alone")
def _(dA, Y, weights):
    return steps_back(dA, Y, weights, one=True)


@wrong(
    "local_and_global.pixels_to_patch_backward", "another way back", says="feature 0 of all pixel"
)
def _(dA, Y, weights):
    B, n, m, c = Y.shape
    found = steps_back(dA, Y, weights)
    return found | {"dY": found["dY"].reshape(B, n, c, m).transpose(0, 1, 3, 2)}
