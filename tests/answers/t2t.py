"""Answers to chapter 09, Tokens-to-Token.

A second round, blind to the bank, wrote 33 wrong answers and 4 right ones to SoftSplit,
TokenTransformer, T2TViT and training_step. None was accepted or refused wrongly; 28 got a true
sentence and none a false one, and after the mending all 33. Here are those that said something new.
"""

from itertools import product
from math import ceil, prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.exercises import t2t as exercise
from tutorial_lib.from_scratch.soft_split import soft_split, token_count
from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.layers.soft_split import SoftSplit, restructure
from tutorial_lib.layers.transformer import EncoderLayer, FeedForward, Residual
from tutorial_lib.models.backbones.t2t import TokenTransformer

# token_count


@wrong("t2t.token_count", "steps, and no window more", says="One window too few each way")
def _(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError("too small")
    return (height + 2 * p - k) // s, (width + 2 * p - k) // s


@wrong("t2t.token_count", "rounds up", says="You round up. Your last window then")
def _(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError("too small")
    return ceil((height + 2 * p - k) / s) + 1, ceil((width + 2 * p - k) / s) + 1


@wrong(
    "t2t.token_count",
    "the padding on one side only",
    says="The padding is counted once. There are p",
)
def _(height, width, k, s, p):
    if min(height, width) + p < k:
        raise ValueError("too small")
    return (height + p - k) // s + 1, (width + p - k) // s + 1


@wrong("t2t.token_count", "columns before rows", says="Rows and columns are swapped")
def _(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError("too small")
    return (width + 2 * p - k) // s + 1, (height + 2 * p - k) // s + 1


@wrong("t2t.token_count", "refuses nothing", says="A window larger than the padded image")
def _(height, width, k, s, p):
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@wrong(
    "t2t.token_count",
    "looks at the height alone before it refuses",
    says="You look at the height alone",
)
def _(height, width, k, s, p):
    if height + 2 * p < k:
        raise ValueError("too small")
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@wrong(
    "t2t.token_count",
    "refuses an image smaller than a window before it is padded",
    says="You refuse arguments that the task allows:",
)
def _(height, width, k, s, p):
    if min(height, width) < k:
        raise ValueError("too small")
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@wrong(
    "t2t.token_count",
    "refuses an image that is just one window",
    says="You refuse arguments that the task allows:",
)
def _(height, width, k, s, p):
    if min(height, width) + 2 * p <= k:
        raise ValueError("too small")
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@wrong("t2t.token_count", "one count for both", says="how many windows there are in all")
def _(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError("too small")
    return ((height + 2 * p - k) // s + 1) * ((width + 2 * p - k) // s + 1)


@wrong("t2t.token_count", "floats", says="The numbers are right, but floats")
def _(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError("too small")
    return np.floor((height + 2 * p - k) / s + 1), np.floor((width + 2 * p - k) / s + 1)


@wrong(
    "t2t.token_count",
    "refuses where windows do not come out even",
    says="You refuse arguments that the task allows:",
)
def _(height, width, k, s, p):
    rows, columns = (height + 2 * p - k) / s + 1, (width + 2 * p - k) / s + 1
    if min(rows, columns) < 1 or rows % 1 or columns % 1:
        raise ValueError("does not fit")
    return int(rows), int(columns)


@right("t2t.token_count", "counts where windows begin")
def _(height, width, k, s, p):
    rows, columns = (len(range(-p, side + p - k + 1, s)) for side in (height, width))
    if 0 in (rows, columns):
        raise ValueError(f"no window of {k} × {k} fits")
    return rows, columns


@right("t2t.token_count", "steps on while a window fits")
def _(height, width, k, s, p):
    def along(side):
        count, end = 0, k
        while end <= side + 2 * p:
            count, end = count + 1, end + s
        return count

    if not along(height) or not along(width):
        raise ValueError("the padded image is smaller than a window")
    return along(height), along(width)


# soft_split


def padded(images, p):
    return np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)))


def windows(images, k, s):
    """All windows, stride s: (B, rows, columns, C, k, k)."""
    found = np.lib.stride_tricks.sliding_window_view(images, (k, k), (1, 2))
    return found[:, ::s, ::s]


def flat(found):
    return found.reshape(len(found), found.shape[1] * found.shape[2], -1)


@wrong("t2t.soft_split", "windows column by column", says="you number them column by column")
def _(images, k, s, p):
    return flat(windows(padded(images, p), k, s).transpose(0, 2, 1, 4, 5, 3))


@wrong("t2t.soft_split", "channels before pixels", says="Your features go channel by channel, as")
def _(images, k, s, p):
    return flat(windows(padded(images, p), k, s))


@wrong(
    "t2t.soft_split", "the pixels of a window column by column", says="Each window is transposed"
)
def _(images, k, s, p):
    return flat(windows(padded(images, p), k, s).transpose(0, 1, 2, 5, 4, 3))


@wrong(
    "t2t.soft_split", "repeats the border instead of zeros", says="You pad by repeating the border"
)
def _(images, k, s, p):
    images = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), mode="edge")
    return flat(windows(images, k, s).transpose(0, 1, 2, 4, 5, 3))


@wrong("t2t.soft_split", "pads at the end only", says="at the lower and the right end")
def _(images, k, s, p):
    images = np.pad(images, ((0, 0), (0, 2 * p), (0, 2 * p), (0, 0)))
    return flat(windows(images, k, s).transpose(0, 1, 2, 4, 5, 3))


@wrong("t2t.soft_split", "always float64", says="The images go in as float32 and the")
def _(images, k, s, p):
    B, H, W, C = images.shape
    rows, columns = token_count(H, W, k, s, p)
    images, T = padded(images, p), np.zeros((B, rows * columns, k * k * C))
    for i, j in product(range(rows), range(columns)):
        window = images[:, i * s : i * s + k, j * s : j * s + k]
        T[:, i * columns + j] = window.reshape(B, -1)
    return T


@wrong("t2t.soft_split", "a window begins at every k-th pixel")
def _(images, k, s, p):
    B, H, W, C = images.shape
    rows, columns = token_count(H, W, k, s, p)
    images, T = padded(images, p), np.zeros((B, rows, columns, k, k, C), images.dtype)
    for i, j in product(range(rows), range(columns)):
        window = images[:, i * k : i * k + k, j * k : j * k + k]
        T[:, i, j, : window.shape[1], : window.shape[2]] = window
    return flat(T)


@wrong(
    "t2t.soft_split", "right for square images only", says="Only axis -2 of yours has another size."
)
def _(images, k, s, p):
    B, H, W, C = images.shape
    rows, _ = token_count(H, W, k, s, p)
    images, T = padded(images, p), []
    for i, j in product(range(rows), range(rows)):
        T.append(images[:, i * s : i * s + k, j * s : j * s + k].reshape(B, -1))
    return np.stack(T, axis=1)


@wrong(
    "t2t.soft_split", "reads the images as (B, C, H, W)", says="You read the images as (B, C, H, W)"
)
def _(images, k, s, p):
    images = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    found = np.lib.stride_tricks.sliding_window_view(images, (k, k), (2, 3))[:, :, ::s, ::s]
    return flat(found.transpose(0, 2, 3, 4, 5, 1))


@wrong("t2t.soft_split", "no padding", says="There are no zeros around your image, so")
def _(images, k, s, p):
    return flat(windows(images, k, s).transpose(0, 1, 2, 4, 5, 3))


@right("t2t.soft_split", "sliding windows, einsum")
def _(images, k, s, p):
    return flat(np.einsum("brscyx->brsyxc", windows(padded(images, p), k, s)).copy())


@right("t2t.soft_split", "indices of rows and of columns")
def _(images, k, s, p):
    B, H, W, C = images.shape
    rows, columns = token_count(H, W, k, s, p)
    y = (s * np.arange(rows)[:, None] + np.arange(k))[:, None, :, None]
    x = (s * np.arange(columns)[:, None] + np.arange(k))[None, :, None, :]
    return padded(images, p)[:, y, x].reshape(B, rows * columns, k * k * C)


# soft_split_backward


def gathered(dT, shape, k, s, p, dtype=None):
    """The sum of all copies, on the padded image."""
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    d = dT.reshape(B, rows, columns, k, k, C)
    total = np.zeros((B, H + 2 * p, W + 2 * p, C), dtype or dT.dtype)
    for i, j in product(range(rows), range(columns)):
        total[:, i * s : i * s + k, j * s : j * s + k] += d[:, i, j]
    return total


@wrong(
    "t2t.soft_split_backward",
    "the last window overwrites the others",
    says="You assign where the task is to add",
)
def _(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    d, dI = dT.reshape(B, rows, columns, k, k, C), np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    for y, x in product(range(k), range(k)):
        dI[:, y : y + s * rows : s, x : x + s * columns : s] = d[:, :, :, y, x]
    return dI[:, p : p + H, p : p + W]


@wrong(
    "t2t.soft_split_backward", "a mean over the copies", says="You average where windows overlap"
)
def _(dT, shape, k, s, p):
    total, count = gathered(dT, shape, k, s, p), gathered(np.ones_like(dT), shape, k, s, p)
    return (total / np.maximum(count, 1))[:, p : p + shape[1], p : p + shape[2]]


@wrong(
    "t2t.soft_split_backward", "the padding is not cut off", says="The gradient of the zeros around"
)
def _(dT, shape, k, s, p):
    return gathered(dT, shape, k, s, p)


@wrong(
    "t2t.soft_split_backward",
    "cuts from p to −p, also for p = 0",
    says="With padding you are right, and without",
)
def _(dT, shape, k, s, p):
    return gathered(dT, shape, k, s, p)[:, p:-p, p:-p]


@wrong("t2t.soft_split_backward", "always float64", says="The numbers are right, their dtype is")
def _(dT, shape, k, s, p):
    total = gathered(dT, shape, k, s, p, dtype=float)
    return total[:, p : p + shape[1], p : p + shape[2]]


@wrong(
    "t2t.soft_split_backward",
    "cuts at the end only",
    says="You cut the padding off at one end only",
)
def _(dT, shape, k, s, p):
    return gathered(dT, shape, k, s, p)[:, : shape[1], : shape[2]]


@wrong(
    "t2t.soft_split_backward",
    "adds by an index in which pixels stand twice",
    says="an index in which pixels stand twice",
)
def _(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    y = (s * np.arange(rows)[:, None] + np.arange(k))[:, None, :, None]
    x = (s * np.arange(columns)[:, None] + np.arange(k))[None, :, None, :]
    dI = np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    dI[:, y, x] += dT.reshape(B, rows, columns, k, k, C)
    return dI[:, p : p + H, p : p + W]


@wrong(
    "t2t.soft_split_backward",
    "tokens numbered column by column",
    says="You lay the tokens out column by column. The",
)
def _(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    turned = dT.reshape(B, columns, rows, -1).swapaxes(1, 2).reshape(dT.shape)
    return gathered(turned, shape, k, s, p)[:, p : p + H, p : p + W]


@wrong(
    "t2t.soft_split_backward",
    "features read channels first",
    says="You take the features apart channel by",
)
def _(dT, shape, k, s, p):
    B, n, _ = dT.shape
    turned = dT.reshape(B, n, shape[3], k * k).swapaxes(2, 3).reshape(dT.shape)
    return gathered(turned, shape, k, s, p)[:, p : p + shape[1], p : p + shape[2]]


@wrong(
    "t2t.soft_split_backward", "the first window only", says="You assign where the task is to add"
)
def _(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    d, dI = dT.reshape(B, rows, columns, k, k, C), np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    for i, j in reversed(list(product(range(rows), range(columns)))):
        dI[:, i * s : i * s + k, j * s : j * s + k] = d[:, i, j]
    return dI[:, p : p + H, p : p + W]


@right("t2t.soft_split_backward", "numbered pixels and bincount")
def _(dT, shape, k, s, p):
    number = 1 + np.arange(prod(shape)).reshape(shape)
    where = soft_split(number, k, s, p)
    total = np.bincount(where.ravel(), dT.ravel().astype(float), minlength=prod(shape) + 1)
    return total[1:].reshape(shape).astype(dT.dtype)


@right("t2t.soft_split_backward", "np.add.at")
def _(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    dI = np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    y = (s * np.arange(rows)[:, None] + np.arange(k))[:, None, :, None]
    x = (s * np.arange(columns)[:, None] + np.arange(k))[None, :, None, :]
    np.add.at(dI, (slice(None), y, x), dT.reshape(B, rows, columns, k, k, C))
    return dI[:, p : p + H, p : p + W]


# restructure


@wrong(
    "t2t.restructure",
    "the same reshape by view",
    says="The bug is still there: yours gives what the",
)
def _(tokens, rows, columns):
    return tokens.contiguous().view(tokens.shape[0], tokens.shape[2], rows, columns)


@wrong("t2t.restructure", "channels stay last", says="The image is right with its channels")
def _(tokens, rows, columns):
    return tokens.reshape(len(tokens), rows, columns, -1)


@wrong("t2t.restructure", "rows and columns exchanged", says="(B, C, columns, rows)")
def _(tokens, rows, columns):
    return tokens.reshape(len(tokens), rows, columns, -1).permute(0, 3, 2, 1)


@wrong(
    "t2t.restructure",
    "tokens numbered column by column",
    says="Now rows and columns have changed places",
)
def _(tokens, rows, columns):
    return tokens.mT.reshape(len(tokens), -1, columns, rows).mT


@wrong(
    "t2t.restructure",
    "features swapped with pictures",
    says="The right numbers, but in other places.",
)
def _(tokens, rows, columns):
    B, _, C = tokens.shape
    return tokens.permute(2, 0, 1).reshape(B, C, rows, columns)


@wrong("t2t.restructure", "detached", says="The numbers are right, but cut from")
def _(tokens, rows, columns):
    return tokens.detach().mT.unflatten(2, (rows, columns))


@right("t2t.restructure", "fold with windows of one pixel")
def _(tokens, rows, columns):
    return F.fold(tokens.mT, (rows, columns), kernel_size=1)


@right("t2t.restructure", "unflatten and movedim")
def _(tokens, rows, columns):
    return tokens.unflatten(1, (rows, columns)).movedim(-1, 1)


# SoftSplit


class Windows(nn.Module):
    def __init__(self, k, s, p):
        super().__init__()
        self.window, self.stride, self.padding = k, s, p

    def unfold(self, images, **named):
        return F.unfold(images, self.window, stride=self.stride, padding=self.padding, **named)

    def checked(self, images):
        if images.dim() != 4:
            raise ValueError("a batch, please")
        return images


@wrong("t2t.SoftSplit", "what unfold gives", says="Tokens come last in yours")
class _(Windows):
    def forward(self, images):
        return self.unfold(self.checked(images))


@wrong("t2t.SoftSplit", "a view for a transpose", says="You reshape where two axes should change")
class _(Windows):
    def forward(self, images):
        tokens = self.unfold(self.checked(images))
        B, features, n = tokens.shape
        return tokens.view(B, n, features)


@wrong("t2t.SoftSplit", "arguments by their places", says="the third argument of `F.unfold`")
class _(Windows):
    def forward(self, images):
        images = self.checked(images)
        return F.unfold(images, self.window, self.stride, self.padding).transpose(1, 2)


@wrong("t2t.SoftSplit", "stride forgotten", says="The stride does not reach `F.unfold`")
class _(Windows):
    def forward(self, images):
        return F.unfold(self.checked(images), self.window, padding=self.padding).mT


@wrong("t2t.SoftSplit", "any number of axes", says="A single image (C, H, W) gives tokens without")
class _(Windows):
    def forward(self, images):
        return self.unfold(images).mT


@wrong("t2t.SoftSplit", "channels last, as in NumPy", says="go pixel by pixel, as in our NumPy")
class _(Windows):
    def forward(self, images):
        padded = F.pad(self.checked(images), 4 * [self.padding])
        found = padded.unfold(2, self.window, self.stride).unfold(3, self.window, self.stride)
        return found.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)


@wrong("t2t.SoftSplit", "transposes all axes of a batch")
class _(Windows):
    def forward(self, images):
        return self.unfold(self.checked(images)).permute(2, 0, 1)


@right("t2t.SoftSplit", "tensor.unfold twice")
class _(Windows):
    def forward(self, images):
        padded = F.pad(self.checked(images), 4 * [self.padding])
        found = padded.unfold(2, self.window, self.stride).unfold(3, self.window, self.stride)
        return found.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


@right("t2t.SoftSplit", "a convolution with ones and zeros")
class _(Windows):
    def forward(self, images):
        C, k = self.checked(images).shape[1], self.window
        kernels = torch.eye(C * k * k, dtype=images.dtype).view(-1, C, k, k)
        found = F.conv2d(images, kernels, stride=self.stride, padding=self.padding)
        return found.flatten(2).transpose(1, 2)


# TokenTransformer


class TokenParts(nn.Module):
    def __init__(self, dim_in, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim_in)
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim_in, dim, bias=False) for _ in range(3))
        self.to_out, self.feed_forward = nn.Linear(dim, dim), FeedForward(dim, dim)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def qkv(self, x):
        return self.to_q(x), self.to_k(x), self.to_v(x)

    def mlp(self, x):
        return self.around_feed_forward(x, self.feed_forward)


def attention(q, k, v, scale=None):
    scores = q @ k.transpose(1, 2) / (scale or q.shape[2] ** 0.5)
    return F.softmax(scores, dim=2) @ v


@wrong("t2t.TokenTransformer", "the token is added", says="You add the token itself")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(tokens + self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "no residual", says="The first residual is missing")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "published scale", says="by the root of the token's width")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(v + self.to_out(attention(q, k, v, tokens.shape[-1] ** 0.5)))


@wrong("t2t.TokenTransformer", "no norm", says="The first norm is missing")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(tokens)
        return self.mlp(v + self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "biases as in the paper's Performer", says="one too many")
class _(TokenParts):
    def __init__(self, dim_in, dim):
        super().__init__(dim_in, dim)
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim_in, dim) for _ in range(3))

    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(v + self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "one output map from dim_in", says="to_out.weight has the shape")
class _(TokenParts):
    def __init__(self, dim_in, dim):
        super().__init__(dim_in, dim)
        self.to_out = nn.Linear(dim_in, dim)


@wrong("t2t.TokenTransformer", "Post-LN", says="Your second norm comes after the sum")
class _(TokenParts):
    def __init__(self, dim_in, dim):
        super().__init__(dim_in, dim)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(v + self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "feed-forward without residual", says="no residual and no norm")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.feed_forward(v + self.to_out(attention(q, k, v)))


@wrong("t2t.TokenTransformer", "the value goes through to_out too", says="to_out sees the sum")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        return self.mlp(self.to_out(attention(q, k, v) + v))


@wrong("t2t.TokenTransformer", "attends over the batch")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = (x.transpose(0, 1) for x in self.qkv(self.norm(tokens)))
        return self.mlp((v + self.to_out(attention(q, k, v))).transpose(0, 1))


@right("t2t.TokenTransformer", "by einsum, with the residual written out")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens))
        weights = torch.einsum("bif,bjf->bij", q, k).div(q.shape[-1] ** 0.5).softmax(-1)
        x = torch.einsum("bij,bjf->bif", weights, v)
        x = self.to_out(x) + v
        return x + self.feed_forward(self.around_feed_forward.norm(x))


@right("t2t.TokenTransformer", "the fused function with an axis of heads")
class _(TokenParts):
    def forward(self, tokens):
        q, k, v = (x[:, None] for x in self.qkv(self.norm(tokens)))
        z = F.scaled_dot_product_attention(q, k, v)
        return self.mlp((v + self.to_out(z))[:, 0])


# T2TViT


class Grown(nn.Module):
    """All parts, and a forward in steps."""

    def __init__(self, channels, splits, token_dim, classes, dim, depth, heads, hidden):
        super().__init__()
        self.numbers = splits
        self.splits = nn.ModuleList()
        self.layers = nn.ModuleList()
        for i, (k, s, p) in enumerate(splits):
            self.splits.append(exercise.SoftSplit.reference(k, s, p))
            if i < len(splits) - 1:
                layer = exercise.TokenTransformer.reference(channels * k**2, token_dim)
                self.layers.append(layer)
                channels = token_dim
        self.project = nn.Linear(channels * splits[-1][0] ** 2, dim)
        self.class_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.encoder = nn.Sequential(*[EncoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def put(self, tokens, rows, columns):
        return restructure(tokens, rows, columns)

    def module(self, images):
        for i, (k, s, p) in enumerate(self.numbers):
            tokens = self.splits[i](images)
            if i == len(self.numbers) - 1:
                return self.project(tokens)
            rows, columns = token_count(images.shape[2], images.shape[3], k, s, p)
            images = self.put(self.layers[i](tokens), rows, columns)

    def with_class(self, x):
        return torch.cat([self.class_token.repeat(len(x), 1, 1), x], dim=1)

    def forward(self, images):
        x = self.with_class(self.module(images))
        x = x + sinusoidal(x.shape[1], x.shape[2])
        return self.head(self.norm(self.encoder(x))[:, 0])


@right("t2t.T2TViT", "an index over the splits, a Sequential, repeat")
class _(Grown):
    pass


@right("t2t.T2TViT", "unfold and fold by itself")
class _(Grown):
    def put(self, tokens, rows, columns):
        return F.fold(tokens.mT, (rows, columns), 1)


@wrong("t2t.T2TViT", "a reshape alone", says="You reshape (B, n, C) to (B, C, rows, columns)")
class _(Grown):
    def put(self, tokens, rows, columns):
        return tokens.reshape(len(tokens), -1, rows, columns)


@wrong("t2t.T2TViT", "columns before rows", says="Your grid has rows and columns exchanged")
class _(Grown):
    def put(self, tokens, rows, columns):
        return restructure(tokens, columns, rows)


@wrong("t2t.T2TViT", "√n tokens a side", says="You take every grid for square")
class _(Grown):
    def put(self, tokens, rows, columns):
        side = int(tokens.shape[1] ** 0.5)
        return restructure(tokens, side, side)


@wrong("t2t.T2TViT", "no sinusoids", says="No positions are added")
class _(Grown):
    def forward(self, images):
        x = self.with_class(self.module(images))
        return self.head(self.norm(self.encoder(x))[:, 0])


@wrong("t2t.T2TViT", "sinusoids before the class token", says="Your class token gets no position")
class _(Grown):
    def forward(self, images):
        x = self.module(images)
        x = self.with_class(x + sinusoidal(x.shape[1], x.shape[2]))
        return self.head(self.norm(self.encoder(x))[:, 0])


@wrong("t2t.T2TViT", "the mean over all tokens", says="You read the mean of all tokens")
class _(Grown):
    def forward(self, images):
        x = self.with_class(self.module(images))
        x = x + sinusoidal(x.shape[1], x.shape[2])
        return self.head(self.norm(self.encoder(x)).mean(1))


@wrong("t2t.T2TViT", "no last norm", says="The last norm is missing")
class _(Grown):
    def forward(self, images):
        x = self.with_class(self.module(images))
        x = x + sinusoidal(x.shape[1], x.shape[2])
        return self.head(self.encoder(x)[:, 0])


@wrong("t2t.T2TViT", "softmax at the end", says="You end in a softmax")
class _(Grown):
    def forward(self, images):
        return F.softmax(super().forward(images), dim=1)


@wrong("t2t.T2TViT", "token layers in a plain list", says="layers is a plain list")
class _(Grown):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        layers = list(self.layers)
        del self.layers
        self.layers = layers


@wrong("t2t.T2TViT", "one class token per image", says="class_token has the shape (2, 4)")
class _(Grown):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.class_token = nn.Parameter(0.02 * torch.randn(2, self.project.out_features))


@wrong("t2t.T2TViT", "a class token of zeros", says="right but for how class_token begins")
class _(Grown):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.class_token = nn.Parameter(torch.zeros(1, self.project.out_features))


@wrong("t2t.T2TViT", "a token layer after the last split too", says="is one too many")
class _(Grown):
    def __init__(self, channels, splits, token_dim, **named):
        super().__init__(channels, splits, token_dim, **named)
        self.layers.append(exercise.TokenTransformer.reference(token_dim * 4, token_dim))


@wrong("t2t.T2TViT", "learned positions", says="positions is one too many")
class _(Grown):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.positions = nn.Parameter(0.02 * torch.randn(20, self.project.out_features))


# training_step


def sum_of(model, x, y):
    return F.cross_entropy(model(x), y, reduction="sum")


@right("t2t.training_step", "ranges, and the mean weighed by the piece")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    B, mean = len(images), 0.0
    for i in range(0, B, size):
        x, y = images[i : i + size], labels[i : i + size]
        loss = F.cross_entropy(model(x), y) * len(x) / B
        loss.backward()
        mean += loss.item()
    optimizer.step()
    return mean


@right("t2t.training_step", "sums, and the gradients divided at the end")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in zip(torch.split(images, size), torch.split(labels, size)):
        loss = sum_of(model, x, y)
        loss.backward()
        total += loss.detach()
    for p in model.parameters():
        p.grad /= len(images)
    optimizer.step()
    return (total / len(images)).item()


@wrong("t2t.training_step", "a mean of means", says="You take the mean of the pieces' means")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    pieces, total = ceil(len(images) / size), 0.0
    for i in range(pieces):
        x, y = images[i * size : (i + 1) * size], labels[i * size : (i + 1) * size]
        loss = F.cross_entropy(model(x), y) / pieces
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong("t2t.training_step", "the whole batch at once", says="goes into the model at once")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("t2t.training_step", "one backward after the loop", says="their way back comes when all are")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0
    for x, y in zip(images.split(size), labels.split(size)):
        total = total + sum_of(model, x, y) / len(images)
    total.backward()
    optimizer.step()
    return total.item()


@wrong("t2t.training_step", "zero_grad in the loop", says="learns from the last one alone")
def _(model, optimizer, images, labels, size):
    model.train()
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = sum_of(model, x, y) / len(images)
        optimizer.zero_grad()
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong("t2t.training_step", "smaller batches", says="that is training with smaller batches")
def _(model, optimizer, images, labels, size):
    model.train()
    losses = []
    for x, y in zip(images.split(size), labels.split(size)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() * len(x))
    return sum(losses) / len(images)


@wrong("t2t.training_step", "no zero_grad", says="Old gradients are not cleared")
def _(model, optimizer, images, labels, size):
    model.train()
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = sum_of(model, x, y) / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong("t2t.training_step", "the last loss", says="You return the loss of the last piece")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    for x, y in zip(images.split(size), labels.split(size)):
        loss = sum_of(model, x, y) / len(images)
        loss.backward()
    optimizer.step()
    return loss.item()


@wrong("t2t.training_step", "no train()", says="learns in evaluation mode")
def _(model, optimizer, images, labels, size):
    optimizer.zero_grad()
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = sum_of(model, x, y) / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong("t2t.training_step", "a tensor that keeps its graph", says="expected a float")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = sum_of(model, x, y) / len(images)
        loss.backward()
        total += loss
    optimizer.step()
    return total


# positive_features


@wrong("t2t.positive_features", "x divided by √d", says="You divide x by √d")
def _(x, w):
    m, d = w.shape
    x = x / d**0.5
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True) / 2) / m**0.5


@wrong("t2t.positive_features", "no division by √m", says="There is no 1/√m")
def _(x, w):
    x = x / w.shape[1] ** 0.25
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True) / 2)


@wrong("t2t.positive_features", "divided by m", says="You divide by m")
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True) / 2) / m


@wrong(
    "t2t.positive_features",
    "the squared length not halved",
    says="You subtract |x̂|², twice too much",
)
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True)) / m**0.5


@wrong(
    "t2t.positive_features",
    "the squared length of the unscaled x",
    says="You shrink x for the products with w",
)
def _(x, w):
    m, d = w.shape
    return torch.exp(x @ w.mT / d**0.25 - (x * x).sum(-1, keepdim=True) / 2) / m**0.5


@wrong(
    "t2t.positive_features",
    "the largest exponent taken off",
    says="You subtract each token's largest",
)
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    exponent = x @ w.mT - (x * x).sum(-1, keepdim=True) / 2
    return torch.exp(exponent - exponent.amax(-1, keepdim=True)) / m**0.5


@wrong(
    "t2t.positive_features",
    "m and d exchanged",
    says="m and d are exchanged: w holds a row for each",
)
def _(x, w):
    d, m = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True) / 2) / m**0.5


@wrong(
    "t2t.positive_features",
    "one squared length for all tokens",
    says="Each row is right but for a factor of",
)
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum() / 2) / m**0.5


@wrong("t2t.positive_features", "divides the caller's x", says="changes its argument x in place")
def _(x, w):
    m, d = w.shape
    x /= d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(-1, keepdim=True) / 2) / m**0.5


@wrong(
    "t2t.positive_features",
    "the length, not its square",
    says="You subtract the length where its square",
)
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - x.norm(dim=-1, keepdim=True) / 2) / m**0.5


@wrong(
    "t2t.positive_features",
    "the squared length detached",
    says="The numbers are right, the gradient is",
)
def _(x, w):
    m, d = w.shape
    x = x / d**0.25
    with torch.no_grad():
        half = x.square().sum(-1, keepdim=True) / 2
    return torch.exp(x @ w.mT - half) / m**0.5


@right("t2t.positive_features", "by the distance from x to w")
def _(x, w):
    x = x * w.shape[1] ** -0.25
    squares = (x.unsqueeze(-2) - w).pow(2).sum(-1)  # (..., N, m)
    return ((w.pow(2).sum(-1) - squares) / 2).exp() / len(w) ** 0.5


@right("t2t.positive_features", "all in the exponent, einsum")
def _(x, w):
    m, d = w.shape
    u = torch.einsum("...nd,md->...nm", x, w) / d**0.25
    half = torch.linalg.vector_norm(x, dim=-1)[..., None] ** 2 / (2 * d**0.5)
    return (u - half - 0.5 * torch.log(torch.tensor(float(m), dtype=x.dtype))).exp()


# t2t_cost


def t2t_cost(height, width, channels, splits, token_dim, dim, layer=6, products=2, part=2):
    """All right; the answers change a number."""
    linear = attention = 0
    for i, (k, s, p) in enumerate(splits):
        height, width = token_count(height, width, k, s, p)
        n, features = height * width, k * k * channels
        if i == len(splits) - 1:
            linear += part * n * features * dim
        else:
            linear += part * n * (3 * features * token_dim + (layer - 3) * token_dim**2)
            attention += part * products * n * n * token_dim
            channels = token_dim
    return {"tokens": n, "linear": linear, "attention": attention}


@wrong(
    "t2t.t2t_cost",
    "a multiplication with its addition counts once",
    says="You count a multiplication and its",
)
def _(height, width, channels, splits, token_dim, dim):
    return t2t_cost(height, width, channels, splits, token_dim, dim, part=1)


@wrong(
    "t2t.t2t_cost",
    "five linear maps in a token layer",
    says="After the attention you count two linear",
)
def _(height, width, channels, splits, token_dim, dim):
    return t2t_cost(height, width, channels, splits, token_dim, dim, layer=5)


@wrong(
    "t2t.t2t_cost", "the weights times v are forgotten", says="You count one of the two products of"
)
def _(height, width, channels, splits, token_dim, dim):
    return t2t_cost(height, width, channels, splits, token_dim, dim, products=1)


@wrong(
    "t2t.t2t_cost",
    "the channels stay those of the image",
    says="From the second split on your windows",
)
def _(height, width, channels, splits, token_dim, dim):
    linear = attention = 0
    for i, (k, s, p) in enumerate(splits):
        height, width = token_count(height, width, k, s, p)
        n, features = height * width, k * k * channels
        if i < len(splits) - 1:
            linear += 6 * n * features * token_dim + 6 * n * token_dim**2
            attention += 4 * n * n * token_dim
    return {"tokens": n, "linear": linear + 2 * n * features * dim, "attention": attention}


@wrong(
    "t2t.t2t_cost",
    "every split cuts the image itself",
    says="tokens is wrong already: begin there.",
)
def _(height, width, channels, splits, token_dim, dim):
    linear = attention = 0
    for i, (k, s, p) in enumerate(splits):
        rows, columns = token_count(height, width, k, s, p)
        n, features = rows * columns, k * k * (token_dim if i else channels)
        if i < len(splits) - 1:
            linear += 6 * n * features * token_dim + 6 * n * token_dim**2
            attention += 4 * n * n * token_dim
    return {"tokens": n, "linear": linear + 2 * n * features * dim, "attention": attention}


@wrong(
    "t2t.t2t_cost",
    "a token layer after the last split too",
    says="linear is where the chain breaks",
)
def _(height, width, channels, splits, token_dim, dim):
    linear = attention = 0
    for k, s, p in splits:
        height, width = token_count(height, width, k, s, p)
        n, features, channels = height * width, k * k * channels, token_dim
        linear += 6 * n * features * token_dim + 6 * n * token_dim**2
        attention += 4 * n * n * token_dim
    return {"tokens": n, "linear": linear + 2 * n * token_dim * dim, "attention": attention}


@wrong("t2t.t2t_cost", "no last map", says="linear is where the chain breaks")
def _(height, width, channels, splits, token_dim, dim):
    return t2t_cost(height, width, channels, splits, token_dim, dim=0)


@wrong(
    "t2t.t2t_cost",
    "the tokens of all splits together",
    says="tokens is wrong already: begin there.",
)
def _(height, width, channels, splits, token_dim, dim):
    found, tokens = t2t_cost(height, width, channels, splits, token_dim, dim), 0
    for split in splits:
        height, width = token_count(height, width, *split)
        tokens += height * width
    return found | {"tokens": tokens}


@wrong(
    "t2t.t2t_cost",
    "takes the last split off the caller's list",
    says="changes its argument splits in place",
)
def _(height, width, channels, splits, token_dim, dim):
    found = t2t_cost(height, width, channels, splits, token_dim, dim)
    splits.pop()
    return found


@wrong("t2t.t2t_cost", "right for square images only", says="tokens is wrong already: begin there.")
def _(height, width, channels, splits, token_dim, dim):
    return t2t_cost(height, height, channels, splits, token_dim, dim)


@wrong(
    "t2t.t2t_cost",
    "q, k and v are made of token_dim features",
    says="linear is where the chain breaks",
)
def _(height, width, channels, splits, token_dim, dim):
    linear = attention = 0
    for k, s, p in splits[:-1]:
        height, width = token_count(height, width, k, s, p)
        n, channels = height * width, token_dim
        linear += 12 * n * token_dim**2
        attention += 4 * n * n * token_dim
    k, s, p = splits[-1]
    n = prod(token_count(height, width, k, s, p))
    return {
        "tokens": n,
        "linear": linear + 2 * n * k * k * channels * dim,
        "attention": attention,
    }


@right("t2t.t2t_cost", "a list of all matrix products")
def _(height, width, channels, splits, token_dim, dim):
    linear, attention, side, c = [], [], (height, width), channels
    for i, (k, s, p) in enumerate(splits, start=1):
        side = token_count(*side, k, s, p)
        n = side[0] * side[1]
        if i < len(splits):
            linear += 3 * [(n, k * k * c, token_dim)] + 3 * [(n, token_dim, token_dim)]
            attention += [(n, token_dim, n), (n, n, token_dim)]
        c = token_dim
    linear.append((n, k * k * (c if len(splits) > 1 else channels), dim))
    two = {"linear": linear, "attention": attention}
    return {"tokens": n} | {name: sum(2 * a * b * c for a, b, c in x) for name, x in two.items()}


@right("t2t.t2t_cost", "recursion, split by split")
def _(height, width, channels, splits, token_dim, dim):
    def rest(height, width, channels, splits):
        (k, s, p), *others = splits
        height, width = token_count(height, width, k, s, p)
        n, features = height * width, k**2 * channels
        if not others:
            return n, 2 * n * features * dim, 0
        tokens, linear, attention = rest(height, width, token_dim, others)
        linear += 2 * n * token_dim * 3 * (features + token_dim)
        return tokens, linear, attention + 4 * n**2 * token_dim

    return dict(zip(("tokens", "linear", "attention"), rest(height, width, channels, splits)))


# squeeze_excitation


def gate(z, w_1, w_2):
    return ((z @ w_1.mT).relu() @ w_2.mT).sigmoid()


@wrong(
    "t2t.squeeze_excitation", "the largest instead of the mean", says="You squeeze with the maximum"
)
def _(u, w_1, w_2):
    return u * gate(u.amax(dim=(2, 3)), w_1, w_2)[:, :, None, None]


@wrong(
    "t2t.squeeze_excitation",
    "a mean over the batch too",
    says="The mean runs over the batch as well",
)
def _(u, w_1, w_2):
    return u * gate(u.mean(dim=(0, 2, 3)), w_1, w_2)[:, None, None]


@wrong(
    "t2t.squeeze_excitation", "softmax over the channels", says="A softmax in place of the sigmoid"
)
def _(u, w_1, w_2):
    s = ((u.mean((2, 3)) @ w_1.mT).relu() @ w_2.mT).softmax(-1)
    return u * s[:, :, None, None]


@wrong(
    "t2t.squeeze_excitation",
    "ReLU and sigmoid exchanged",
    says="ReLU and sigmoid are exchanged: your gates",
)
def _(u, w_1, w_2):
    s = ((u.mean((2, 3)) @ w_1.mT).sigmoid() @ w_2.mT).relu()
    return u * s[:, :, None, None]


@wrong("t2t.squeeze_excitation", "adds u once more", says="You add the gated maps to the maps as")
def _(u, w_1, w_2):
    return u + u * gate(u.mean((2, 3)), w_1, w_2)[:, :, None, None]


@wrong("t2t.squeeze_excitation", "the gates alone", says="You return the gates")
def _(u, w_1, w_2):
    return gate(u.mean((2, 3)), w_1, w_2)[:, :, None, None].expand_as(u)


@wrong("t2t.squeeze_excitation", "scales the caller's maps", says="changes its argument u in place")
def _(u, w_1, w_2):
    with torch.no_grad():
        s = gate(u.mean((2, 3)), w_1, w_2)
    u.data.mul_(s[:, :, None, None])
    return u


@wrong("t2t.squeeze_excitation", "no ReLU", says="The ReLU between the two maps is missing")
def _(u, w_1, w_2):
    return u * (u.mean((2, 3)) @ w_1.mT @ w_2.mT).sigmoid()[:, :, None, None]


@wrong("t2t.squeeze_excitation", "a sum instead of the mean", says="You sum where a mean is due")
def _(u, w_1, w_2):
    return u * gate(u.sum((2, 3)), w_1, w_2)[:, :, None, None]


@wrong(
    "t2t.squeeze_excitation",
    "right for square images only",
    says="Each row is right but for a factor of",
)
def _(u, w_1, w_2):
    return u * gate(u.sum((2, 3)) / u.shape[2] ** 2, w_1, w_2)[:, :, None, None]


@wrong(
    "t2t.squeeze_excitation", "the squeeze detached", says="The numbers are right, the gradient is"
)
def _(u, w_1, w_2):
    return u * gate(u.detach().mean((2, 3)), w_1, w_2)[:, :, None, None]


@wrong(
    "t2t.squeeze_excitation",
    "weights cut off: detached",
    says="The numbers are right, but cut from",
)
def _(u, w_1, w_2):
    return u * gate(u.mean((2, 3)), w_1.detach(), w_2.detach())[:, :, None, None]


@right("t2t.squeeze_excitation", "pooling and convolutions of one pixel")
def _(u, w_1, w_2):
    z = F.adaptive_avg_pool2d(u, 1)
    s = F.conv2d(F.conv2d(z, w_1[..., None, None]).relu(), w_2[..., None, None]).sigmoid()
    return s * u


@right("t2t.squeeze_excitation", "image by image, einsum")
def _(u, w_1, w_2):
    scaled = []
    for image in u:
        z = image.flatten(1).mean(1)
        s = 1 / (1 + (-(w_2 @ torch.maximum(w_1 @ z, torch.zeros_like(w_1[:, 0])))).exp())
        scaled.append(torch.einsum("c,chw->chw", s, image))
    return torch.stack(scaled)


# ghost_module


def full(x, primary):
    return F.conv2d(x, primary, padding=primary.shape[-1] // 2)


def cheaply(maps, cheap, padding=None):
    padding = cheap.shape[-1] // 2 if padding is None else padding
    return F.conv2d(maps, cheap, padding=padding, groups=maps.shape[1])


@wrong(
    "t2t.ghost_module",
    "ghosts beside their own maps",
    says="Maps and ghosts are interleaved: each map is",
)
def _(x, primary, cheap):
    maps = full(x, primary)
    ghosts = cheaply(maps, cheap).unflatten(1, (maps.shape[1], -1))
    return torch.cat([maps[:, :, None], ghosts], dim=2).flatten(1, 2)


@wrong("t2t.ghost_module", "ghosts first", says="The ghosts come first")
def _(x, primary, cheap):
    maps = full(x, primary)
    return torch.cat([cheaply(maps, cheap), maps], dim=1)


@wrong("t2t.ghost_module", "only the ghosts", says="You return the ghosts alone")
def _(x, primary, cheap):
    return cheaply(full(x, primary), cheap)


@wrong("t2t.ghost_module", "ghosts of maps after a ReLU", says="what a ReLU has left of them")
def _(x, primary, cheap):
    maps = full(x, primary)
    return torch.cat([maps, cheaply(maps.relu(), cheap)], dim=1)


@wrong(
    "t2t.ghost_module", "a ReLU on all maps", says="There is a ReLU after each convolution, as in"
)
def _(x, primary, cheap):
    maps = full(x, primary).relu()
    return torch.cat([maps, cheaply(maps, cheap).relu()], dim=1)


@wrong(
    "t2t.ghost_module",
    "map after map gets a kernel, then the second round",
    says="You deal the kernels out in turn",
)
def _(x, primary, cheap):
    maps = full(x, primary)
    ghosts = [
        F.conv2d(maps[:, i % len(primary), None], kernel[None], padding=cheap.shape[-1] // 2)
        for i, kernel in enumerate(cheap)
    ]
    return torch.cat([maps, *ghosts], dim=1)


@wrong("t2t.ghost_module", "one ghost for each map", says="Only axis -3 of yours has another size.")
def _(x, primary, cheap):
    maps = full(x, primary)
    first = cheap[:: len(cheap) // len(primary)]
    return torch.cat([maps, cheaply(maps, first)], dim=1)


@wrong("t2t.ghost_module", "padding 1 for every size", says="A padding of one pixel is right for")
def _(x, primary, cheap):
    maps = F.conv2d(x, primary, padding=1)
    return torch.cat([maps, cheaply(maps, cheap, padding=1)], dim=1)


@wrong("t2t.ghost_module", "a ghost sees all maps", says="Each ghost of yours sees all intrinsic")
def _(x, primary, cheap):
    maps = full(x, primary)
    kernels = cheap.expand(-1, maps.shape[1], -1, -1)
    return torch.cat([maps, F.conv2d(maps, kernels, padding=cheap.shape[-1] // 2)], dim=1)


@wrong(
    "t2t.ghost_module",
    "ghosts of detached maps",
    says="The numbers are right, the gradient is not:",
)
def _(x, primary, cheap):
    maps = full(x, primary)
    return torch.cat([maps, cheaply(maps.detach(), cheap)], dim=1)


@wrong("t2t.ghost_module", "kernels turned round, as a convolution in mathematics")
def _(x, primary, cheap):
    maps = full(x, primary.flip(2, 3))
    return torch.cat([maps, cheaply(maps, cheap.flip(2, 3))], dim=1)


@wrong("t2t.ghost_module", "no_grad around everything", says="The numbers are right, but cut from")
@torch.no_grad()
def _(x, primary, cheap):
    maps = full(x, primary)
    return torch.cat([maps, cheaply(maps, cheap)], dim=1)


@right("t2t.ghost_module", "map by map")
def _(x, primary, cheap):
    maps, d = F.conv2d(x, primary, padding="same"), cheap.shape[-1]
    kernels = cheap.chunk(len(primary))
    ghosts = [F.conv2d(maps[:, i : i + 1], kernels[i], padding=d // 2) for i in range(len(kernels))]
    return torch.cat([maps] + ghosts, dim=1)


@right("t2t.ghost_module", "maps repeated, one kernel each, by unfold")
def _(x, primary, cheap):
    maps, d = full(x, primary), cheap.shape[-1]
    again = maps.repeat_interleave(len(cheap) // len(primary), dim=1)
    windows = F.pad(again, 4 * [d // 2]).unfold(2, d, 1).unfold(3, d, 1)
    return torch.cat([maps, torch.einsum("bghwyx,gyx->bghw", windows, cheap[:, 0])], dim=1)


# SoftSplit


@wrong("t2t.SoftSplit", "stride and padding exchanged", says="Padding and stride are exchanged")
class _(nn.Module):
    def __init__(self, k, s, p):
        super().__init__()
        self.k, self.s, self.p = k, s, p

    def forward(self, images):
        if images.ndim != 4:
            raise ValueError
        return F.unfold(images, self.k, padding=self.s, stride=self.p or 1).mT


@wrong("t2t.SoftSplit", "border repeated", says="You pad by repeating the border")
class _(nn.Module):
    def __init__(self, k, s, p):
        super().__init__()
        self.k, self.s, self.p = k, s, p

    def forward(self, images):
        if images.ndim != 4:
            raise ValueError
        x = F.pad(images, 4 * (self.p,), mode="replicate")
        return F.unfold(x, self.k, stride=self.s).mT


# TokenTransformer


class TokenLayerParts(nn.Module):
    def __init__(self, dim_in, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim_in)
        self.to_q = nn.Linear(dim_in, dim, bias=False)
        self.to_k = nn.Linear(dim_in, dim, bias=False)
        self.to_v = nn.Linear(dim_in, dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        self.feed_forward = FeedForward(dim, dim)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def qkv(self, t):
        y = self.norm(t)
        return self.to_q(y), self.to_k(y), self.to_v(y)


@wrong("t2t.TokenTransformer", "queries added", says="Your residual starts at the queries")
class _(TokenLayerParts):
    def forward(self, tokens):
        q, k, v = self.qkv(tokens)
        x = q + self.to_out(F.scaled_dot_product_attention(q, k, v))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("t2t.TokenTransformer", "x twice", says="x arrives twice")
class _(TokenLayerParts):
    def forward(self, tokens):
        q, k, v = self.qkv(tokens)
        x = v + self.to_out(F.scaled_dot_product_attention(q, k, v))
        return x + self.around_feed_forward(x, self.feed_forward)


@wrong("t2t.TokenTransformer", "value added last", says="The value is added at the very end")
class _(TokenLayerParts):
    def forward(self, tokens):
        q, k, v = self.qkv(tokens)
        a = self.to_out(F.scaled_dot_product_attention(q, k, v))
        return v + self.around_feed_forward(a, self.feed_forward)


@wrong(
    "t2t.TokenTransformer", "softmax over the queries", says="Your softmax runs over the queries"
)
class _(TokenLayerParts):
    def forward(self, tokens):
        q, k, v = self.qkv(tokens)
        p = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=1)
        return self.around_feed_forward(v + self.to_out(p @ v), self.feed_forward)


# T2TViT


class T2TParts(nn.Module):
    def __init__(self, channels, splits, token_dim, classes, dim, depth, heads, hidden):
        super().__init__()
        self.splits = nn.ModuleList([SoftSplit(k, s, p) for k, s, p in splits])
        self.layers = nn.ModuleList()
        c = channels
        for k, *_ in splits[:-1]:
            self.layers.append(TokenTransformer(c * k * k, token_dim))
            c = token_dim
        self.project = nn.Linear(c * splits[-1][0] ** 2, dim)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, dim))
        self.encoder = nn.ModuleList([EncoderLayer(dim, heads, hidden) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        self.sizes = splits
        self.dim = dim

    def tokens(self, images):
        for split, layer, (k, s, p) in zip(self.splits, self.layers, self.sizes):
            r, c = token_count(*images.shape[2:], k, s, p)
            images = restructure(layer(split(images)), r, c)
        return self.project(self.splits[-1](images))

    def place(self, x):
        return x + sinusoidal(x.shape[1], self.dim).to(x)

    def front(self, x):
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], 1)

    def read(self, x):
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])

    def forward(self, images):
        return self.read(self.place(self.front(self.tokens(images))))


@wrong("t2t.T2TViT", "last token read", says="You read the last token")
class _(T2TParts):
    def read(self, x):
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x[:, -1]))


@wrong("t2t.T2TViT", "class token last", says="The class token stands behind the others")
class _(T2TParts):
    def front(self, x):
        return torch.cat([x, self.class_token.expand(len(x), 1, -1)], 1)

    def read(self, x):
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x[:, -1]))


@wrong("t2t.T2TViT", "image's channels for all splits", says="layers.1.norm.weight has the shape")
class _(T2TParts):
    def __init__(self, channels, splits, token_dim, classes, dim, depth, heads, hidden):
        super().__init__(channels, splits, token_dim, classes, dim, depth, heads, hidden)
        self.layers = nn.ModuleList(
            [TokenTransformer(channels * k * k, token_dim) for k, _, _ in splits[:-1]]
        )


# training_step


@wrong("t2t.training_step", "whole pieces only", says="The last images are left out")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0
    for i in range(len(images) // size):
        x, y = images[i * size : (i + 1) * size], labels[i * size : (i + 1) * size]
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong("t2t.training_step", "sums over size", says="You divide each piece's sum by `size`")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = F.cross_entropy(model(x), y, reduction="sum") / size
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@wrong(
    "t2t.training_step", "a small step for each piece", says="with a part of the mean for its loss"
)
def _(model, optimizer, images, labels, size):
    model.train()
    total = 0
    for x, y in zip(images.split(size), labels.split(size)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


@wrong("t2t.training_step", "sum returned, mean learned", says="the loss that you return is a sum")
def _(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = F.cross_entropy(model(x), y, reduction="sum")
        (loss / len(images)).backward()
        total += loss.item()
    optimizer.step()
    return total
