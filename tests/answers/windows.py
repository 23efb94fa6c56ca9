"""Answers to the exercises of chapter 08's core and labs.

They were written on the day of the bank and by its author, so they are not blind to it.

A second round, blind to the bank, wrote 313 wrong answers and 41 right ones to all exercises of the
chapter. Six wrong ones were accepted, one of them from a sentence of a task that could be read
twice, and 106 were told nothing but a case. Those that said something new stand at the end.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.attention import attention, softmax_backward
from tutorial_lib.from_scratch.positions import relative_position_index
from tutorial_lib.from_scratch.windows import shift_mask, window_partition, window_reverse
from tutorial_lib.layers import windows as on_tensors
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import PatchMerging

# window_partition


def blocks_of(x, rows, columns):
    """One window after the other, by slices: a list of (B, rows, columns, C)."""
    if x.shape[1] % rows or x.shape[2] % columns:
        raise ValueError("windows do not fit")
    return [
        x[:, top : top + rows, left : left + columns]
        for top in range(0, x.shape[1], rows)
        for left in range(0, x.shape[2], columns)
    ]


@right("windows.window_partition", "by slices, stacked")
def _(x, rows, columns):
    parts = [p.reshape(len(x), rows * columns, -1) for p in blocks_of(x, rows, columns)]
    return np.stack(parts, axis=1)


@right("windows.window_partition", "by split, twice")
def _(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows != 0 or W % columns != 0:
        raise ValueError(f"{H}, {W}")
    bands = np.split(x, H // rows, axis=1)
    parts = [part for band in bands for part in np.split(band, W // columns, axis=2)]
    return np.stack(parts, axis=1).reshape(B, len(parts), rows * columns, C)


@right("windows.window_partition", "an einsum that only moves")
def _(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows or W % columns:
        raise ValueError
    x = x.reshape(B, H // rows, rows, W // columns, columns, C)
    return np.einsum("bhrwcd->bhwrcd", x).reshape(B, -1, rows * columns, C)


@wrong("windows.window_partition", "one reshape", says="You reshape in one go")
def _(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows or W % columns:
        raise ValueError
    return x.reshape(B, -1, rows * columns, C)


@wrong("windows.window_partition", "goes down first", says="you number them column by column")
def _(x, rows, columns):
    if x.shape[1] % rows or x.shape[2] % columns:
        raise ValueError("windows do not fit")
    parts = [
        x[:, top : top + rows, left : left + columns].reshape(len(x), rows * columns, -1)
        for left in range(0, x.shape[2], columns)
        for top in range(0, x.shape[1], rows)
    ]
    return np.stack(parts, axis=1)


@wrong("windows.window_partition", "slices with a stride", says="every second or third token")
def _(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows or W % columns:
        raise ValueError
    down, across = H // rows, W // columns
    parts = [x[:, i::down, j::across].reshape(B, -1, C) for i in range(down) for j in range(across)]
    return np.stack(parts, axis=1)


@wrong(
    "windows.window_partition", "no look at the remainders", says="drops the tokens that are left"
)
def _(x, rows, columns):
    B, H, W, C = x.shape
    parts = [
        x[:, i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].reshape(B, -1, C)
        for i in range(H // rows)
        for j in range(W // columns)
    ]
    return np.stack(parts, axis=1) if parts else np.zeros((B, 0, rows * columns, C))


@wrong("windows.window_partition", "in the batch, as published", says="The windows have joined the")
def _(x, rows, columns):
    return np.concatenate(
        [p.reshape(len(x), 1, rows * columns, -1) for p in blocks_of(x, rows, columns)], axis=1
    ).reshape(-1, rows * columns, x.shape[-1])


# window_reverse


@right("windows.window_reverse", "window after window into zeros")
def _(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = np.zeros((B, height, width, C), windows.dtype)
    across = width // columns
    for i in range(windows.shape[1]):
        top, left = i // across * rows, i % across * columns
        x[:, top : top + rows, left : left + columns] = windows[:, i].reshape(B, rows, columns, C)
    return x


@wrong("windows.window_reverse", "one reshape", says="You reshape in one go")
def _(windows, rows, columns, height, width):
    return windows.reshape(-1, height, width, windows.shape[-1])


@wrong("windows.window_reverse", "counts the windows downwards", says="count them column by column")
def _(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = np.zeros((B, height, width, C), windows.dtype)
    down = height // rows
    for i in range(windows.shape[1]):
        top, left = i % down * rows, i // down * columns
        x[:, top : top + rows, left : left + columns] = windows[:, i].reshape(B, rows, columns, C)
    return x


@wrong("windows.window_reverse", "without the last reshape", says="the axes are still apart")
def _(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, height // rows, width // columns, rows, columns, C)
    return np.moveaxis(x, 3, 2)


# shift_mask


def cut(names, window):
    return window_partition(names[None, ..., None], window, window)[0, ..., 0]


@right("windows.shift_mask", "with the published slices and nine names")
def _(height, width, window, shift):
    names, count = np.zeros((height, width), int), 0
    ends = slice(0, -window), slice(-window, -shift or None), slice(-shift or height, None)
    for rows in ends:
        for columns in ends:
            names[rows, columns] = count
            count += 1
    names = cut(names, window)
    return names[:, None, :] == names[:, :, None]


@right("windows.shift_mask", "rolls the original places and compares their moved windows")
def _(height, width, window, shift):
    row = (np.arange(height) - shift) // window
    column = (np.arange(width) - shift) // window
    names = np.roll(100 * row[:, None] + column, (-shift, -shift), (0, 1))
    names = cut(names, window)
    return names[:, :, None] == names[:, None, :]


@wrong(
    "windows.shift_mask", "names what came round, all alike", says="You name two kinds of tokens"
)
def _(height, width, window, shift):
    names = np.ones((height, width), int)
    names[: height - shift, : width - shift] = 0
    names = cut(names, window)
    return names[:, :, None] == names[:, None, :]


@wrong("windows.shift_mask", "adds two marks", says="You add the two marks")
def _(height, width, window, shift):
    names = np.zeros((height, width), int)
    names[height - shift :] += 1
    names[:, width - shift :] += 1
    names = cut(names, window)
    return names[:, :, None] == names[:, None, :]


@wrong(
    "windows.shift_mask",
    "marks the first rows",
    says="The *first* windows of yours".replace("*", ""),
)
def _(height, width, window, shift):
    names = np.zeros((height, width), int)
    names[:shift] += 2
    names[:, :shift] += 1
    names = cut(names, window)
    return names[:, :, None] == names[:, None, :]


@wrong("windows.shift_mask", "True for the forbidden", says="True and False are exchanged")
def _(height, width, window, shift):
    names = np.zeros((height, width), int)
    names[height - shift :] += 2
    names[:, width - shift :] += 1
    names = cut(names, window)
    return names[:, :, None] != names[:, None, :]


@wrong(
    "windows.shift_mask", "the border at window − shift", says="The border is in the wrong place"
)
def _(height, width, window, shift):
    keep = window - shift if shift else 0
    names = np.zeros((height, width), int)
    names[height - keep :] += 2
    names[:, width - keep :] += 1
    names = cut(names, window)
    return names[:, :, None] == names[:, None, :]


# shifted_attention


def attend_in_windows(x, window, mask):
    t = window_partition(x, window, window)
    return window_reverse(attention(t, t, t, mask)[0], window, window, *x.shape[1:3])


@right("windows.shifted_attention", "pieces cut out one by one")
def _(x, window, shift):
    out = np.zeros_like(x)
    for top in range(shift - window, x.shape[1], window):
        for left in range(shift - window, x.shape[2], window):
            rows = slice(max(top, 0), max(top + window, 0))
            columns = slice(max(left, 0), max(left + window, 0))
            part = x[:, rows, columns]
            if part.size:
                t = part.reshape(len(x), -1, x.shape[3])
                out[:, rows, columns] = attention(t, t, t)[0].reshape(part.shape)
    return out


@right("windows.shifted_attention", "rolls back by what is left of the side")
def _(x, window, shift):
    H, W = x.shape[1:3]
    x = np.roll(x, (-shift, -shift), (1, 2))
    x = attend_in_windows(x, window, shift_mask(H, W, window, shift))
    return np.roll(np.roll(x, shift - H, 1), shift - W, 2)


@wrong("windows.shifted_attention", "takes the last roll out", says="You dropped the last roll")
def _(x, window, shift):
    mask = shift_mask(*x.shape[1:3], window, shift)
    return attend_in_windows(np.roll(x, (-shift, -shift), (1, 2)), window, mask)


@wrong("windows.shifted_attention", "drops the mask", says="the mask is gone")
def _(x, window, shift):
    x = attend_in_windows(np.roll(x, (-shift, -shift), (1, 2)), window, None)
    return np.roll(x, (shift, shift), (1, 2))


@wrong(
    "windows.shifted_attention", "turns both rolls round", says="Now both rolls are turned round"
)
def _(x, window, shift):
    mask = shift_mask(*x.shape[1:3], window, shift)
    x = attend_in_windows(np.roll(x, (shift, shift), (1, 2)), window, mask)
    return np.roll(x, (-shift, -shift), (1, 2))


# WindowAttention


class Maps(nn.Module):
    """The parts, in a learner's words."""

    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads, self.M = heads, window
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(dim, dim) for _ in range(4))
        self.table = nn.Parameter(torch.randn(heads, (2 * window - 1) ** 2) * 0.02)
        index = torch.tensor(relative_position_index(window, window))
        self.register_buffer("idx", index, persistent=False)

    def heads_of(self, x):
        B, n, N, dim = x.shape
        return x.view(B, n, N, self.heads, dim // self.heads).permute(0, 1, 3, 2, 4)

    def merged(self, z):
        B, n, h, N, d = z.shape
        return self.to_out(z.permute(0, 1, 3, 2, 4).reshape(B, n, N, h * d))

    def all_three(self, x):
        return (self.heads_of(to(x)) for to in (self.to_q, self.to_k, self.to_v))


@right("windows.WindowAttention", "fused, bias and mask as one")
class _(Maps):
    def forward(self, windows, mask=None):
        B, n = windows.shape[:2]
        bias = self.table[:, self.idx]
        if mask is not None:
            bias = torch.where(mask[:, None], bias, -torch.inf)
        bias = bias.expand(B, n, *bias.shape[-3:]).flatten(0, 1)
        q, k, v = (x.flatten(0, 1) for x in self.all_three(windows))
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.merged(z.unflatten(0, (B, n)))


@right("windows.WindowAttention", "head after head")
class _(Maps):
    def forward(self, windows, mask=None):
        found = []
        q, k, v = self.all_three(windows)
        for h in range(self.heads):
            s = torch.einsum("bnid,bnjd->bnij", q[:, :, h], k[:, :, h]) / q.shape[-1] ** 0.5
            s = s + self.table[h][self.idx]
            if mask is not None:
                s = s.masked_fill(mask.logical_not(), -1e30)
            found.append(s.softmax(-1) @ v[:, :, h])
        return self.to_out(torch.cat(found, dim=-1))


@wrong("windows.WindowAttention", "no bias", says="No bias is added")
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[:, None], -torch.inf)
        return self.merged(s.softmax(-1) @ v)


@wrong("windows.WindowAttention", "bias scaled too", says="You divide the bias as well")
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = (q @ k.mT + self.table[:, self.idx]) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[:, None], -torch.inf)
        return self.merged(s.softmax(-1) @ v)


@wrong("windows.WindowAttention", "key by query", says="Your bias is transposed")
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = q @ k.mT / q.shape[-1] ** 0.5 + self.table[:, self.idx.T]
        if mask is not None:
            s = s.masked_fill(~mask[:, None], -torch.inf)
        return self.merged(s.softmax(-1) @ v)


@wrong(
    "windows.WindowAttention", "fills where it may look", says="Your mask is the wrong way round"
)
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = q @ k.mT / q.shape[-1] ** 0.5 + self.table[:, self.idx]
        if mask is not None:
            s[mask[None, :, None].expand(s.shape)] = -torch.inf
        return self.merged(s.softmax(-1) @ v)


@wrong("windows.WindowAttention", "zero instead of minus infinity", says="You multiply by the mask")
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = q @ k.mT / q.shape[-1] ** 0.5 + self.table[:, self.idx]
        if mask is not None:
            s = s.masked_fill(~mask[:, None], 0)
        return self.merged(s.softmax(-1) @ v)


@wrong(
    "windows.WindowAttention", "the scale of the whole token", says="You divide by the root of dim"
)
class _(Maps):
    def forward(self, windows, mask=None):
        q, k, v = self.all_three(windows)
        s = q @ k.mT / windows.shape[-1] ** 0.5 + self.table[:, self.idx]
        if mask is not None:
            s = s.masked_fill(~mask[:, None], -torch.inf)
        return self.merged(s.softmax(-1) @ v)


# SwinBlock


class Block(nn.Module):
    def __init__(self, dim, heads, hidden, window, shift):
        super().__init__()
        from tutorial_lib.exercises import windows as exercise

        self.attention = exercise.WindowAttention.reference(dim, heads, window)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, True)
        self.around_feed_forward = Residual(dim, norm_first=True)
        self.M, self.s = window, shift

    def windows(self, x, mask):
        found = self.attention(on_tensors.window_partition(x, self.M, self.M), mask)
        return on_tensors.window_reverse(found, self.M, self.M, *x.shape[1:3])

    def rest(self, x):
        return self.around_feed_forward(x, self.feed_forward)


@right("windows.SwinBlock", "rolls everything, residual included")
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        if self.s == 0 or H <= self.M or W <= self.M:
            return self.rest(self.around_attention(x, lambda y: self.windows(y, None)))
        mask = on_tensors.shift_mask(H, W, self.M, self.s)
        x = torch.roll(x, shifts=(-self.s, -self.s), dims=(1, 2))
        x = self.rest(self.around_attention(x, lambda y: self.windows(y, mask)))
        return torch.roll(x, shifts=(self.s, self.s), dims=(1, 2))


@right("windows.SwinBlock", "a mask of all True where nothing moves")
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        s = 0 if min(H, W) == self.M else self.s
        mask = on_tensors.shift_mask(H, W, self.M, s)

        def f(y):
            return self.windows(y.roll((-s, -s), (1, 2)), mask).roll((s, s), (1, 2))

        return self.rest(self.around_attention(x, f))


@wrong("windows.SwinBlock", "no mask", says="No mask reaches your attention")
class _(Block):
    def forward(self, x):
        s = self.s if min(x.shape[1:3]) > self.M else 0

        def f(y):
            return self.windows(y.roll((-s, -s), (1, 2)), None).roll((s, s), (1, 2))

        return self.rest(self.around_attention(x, f))


@wrong("windows.SwinBlock", "stays rolled", says="What attention found stays rolled")
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        s = self.s if min(H, W) > self.M else 0
        mask = on_tensors.shift_mask(H, W, self.M, s)
        f = lambda y: self.windows(y.roll((-s, -s), (1, 2)), mask)  # noqa: E731
        return self.rest(self.around_attention(x, f))


@wrong("windows.SwinBlock", "never asks how large the grid is", says="yours moves it all the same")
class _(Block):
    def forward(self, x):
        mask = on_tensors.shift_mask(*x.shape[1:3], self.M, self.s)

        def f(y):
            y = y.roll((-self.s, -self.s), (1, 2))
            return self.windows(y, mask).roll((self.s, self.s), (1, 2))

        return self.rest(self.around_attention(x, f))


@wrong("windows.SwinBlock", "forgets the network", says="The feed-forward network is missing")
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        s = self.s if min(H, W) > self.M else 0
        mask = on_tensors.shift_mask(H, W, self.M, s)

        def f(y):
            return self.windows(y.roll((-s, -s), (1, 2)), mask).roll((s, s), (1, 2))

        return self.around_attention(x, f)


# Swin


class Whole(nn.Module):
    def __init__(self, channels, classes, patch, window, dim, depths, heads):
        super().__init__()
        from tutorial_lib.exercises import windows as exercise

        self.embed = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)
        self.embed_norm = nn.LayerNorm(dim)
        self.stages, self.merges = nn.ModuleList(), nn.ModuleList()
        for stage, (depth, h) in enumerate(zip(depths, heads)):
            d = dim * 2**stage
            if stage:
                self.merges.append(PatchMerging(d // 2))
            blocks = nn.ModuleList()
            for i in range(depth):
                s = self.shift_of(i, window)
                blocks.append(exercise.SwinBlock.reference(d, h, 4 * d, window, s))
            self.stages.append(blocks)
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, classes)

    def shift_of(self, i, window):
        return window // 2 if i % 2 == 1 else 0

    def grid(self, images):
        return self.embed_norm(self.embed(images).permute(0, 2, 3, 1))

    def last(self, x):
        for i, stage in enumerate(self.stages):
            for block in stage:
                x = block(x)
            if i < len(self.merges):
                x = self.merges[i](x)
        return x

    def forward(self, images):
        return self.head(self.norm(self.last(self.grid(images))).flatten(1, 2).mean(1))


@right("windows.Swin", "merges behind each stage but the last")
class _(Whole):
    pass


@wrong("windows.Swin", "moves the even blocks", says="The first block is moved and the second")
class _(Whole):
    def shift_of(self, i, window):
        return 0 if i % 2 else window // 2


@wrong("windows.Swin", "moves none", says="No block is moved")
class _(Whole):
    def shift_of(self, i, window):
        return 0


@wrong("windows.Swin", "mean, then norm", says="You take the mean first")
class _(Whole):
    def forward(self, images):
        return self.head(self.norm(self.last(self.grid(images)).mean((1, 2))))


@wrong("windows.Swin", "no norm behind the patches", says="The first norm is missing")
class _(Whole):
    def grid(self, images):
        return self.embed(images).permute(0, 2, 3, 1)


@wrong(
    "windows.Swin", "features to the end by .T of the grid", says="Height and width are exchanged"
)
class _(Whole):
    def grid(self, images):
        return self.embed_norm(self.embed(images).permute(0, 3, 2, 1))


# train_until


@right("windows.train_until", "with a deque")
def _(model, optimizer, batches, goal, last):
    from collections import deque

    recent, all_ = deque(maxlen=last), []
    for x, y in batches:
        out = model(x)
        right_ones = (out.argmax(1) == y).double().mean().item()
        optimizer.zero_grad()
        F.cross_entropy(out, y).backward()
        optimizer.step()
        all_.append(right_ones)
        recent.append(right_ones)
        if len(recent) == last and np.mean(recent) >= goal:
            return all_
    return all_


def loop(model, optimizer, batches, stop):
    told = []
    for x, y in batches:
        out = model(x)
        loss = F.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told.append((out.argmax(1) == y).float().mean().item())
        if stop(told):
            break
    return told


@wrong(
    "windows.train_until", "does not wait for so many", says="You take the mean of what is there"
)
def _(model, optimizer, batches, goal, last):
    return loop(model, optimizer, batches, lambda told: np.mean(told[-last:]) >= goal)


@wrong("windows.train_until", "one good batch is enough", says="You stop with the first batch")
def _(model, optimizer, batches, goal, last):
    return loop(model, optimizer, batches, lambda told: told[-1] >= goal)


@wrong(
    "windows.train_until", "the mean over everything", says="You take the mean of all accuracies"
)
def _(model, optimizer, batches, goal, last):
    return loop(model, optimizer, batches, lambda told: len(told) >= last and np.mean(told) >= goal)


@wrong("windows.train_until", "never steps", says="No weight moves")
def _(model, optimizer, batches, goal, last):
    told = []
    for x, y in batches:
        out = model(x)
        loss = F.cross_entropy(out, y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        told.append((out.argmax(1) == y).float().mean().item())
        if len(told) >= last and np.mean(told[-last:]) >= goal:
            break
    return told


# biased_attention_backward


def pieces(dZ, x, P, window, shift):
    roll = (-shift, -shift)
    t = window_partition(np.roll(x, roll, (1, 2)), window, window)
    dz = window_partition(np.roll(dZ, roll, (1, 2)), window, window)
    return t, dz, softmax_backward(dz @ t.mT, P)


def home(dt, x, window, shift):
    dx = window_reverse(dt, window, window, *x.shape[1:3])
    return np.roll(dx, (shift, shift), (1, 2))


@right("windows.biased_attention_backward", "the table by bincount")
def _(dZ, x, P, window, shift):
    t, dz, dS = pieces(dZ, x, P, window, shift)
    dt = P.mT @ dz + (dS @ t + dS.mT @ t) / t.shape[-1] ** 0.5
    index, size = relative_position_index(window, window), (2 * window - 1) ** 2
    dtable = np.bincount(index.ravel(), dS.sum((0, 1)).ravel(), size)
    return {"dx": home(dt, x, window, shift), "dtable": dtable}


@right("windows.biased_attention_backward", "the table entry by entry")
def _(dZ, x, P, window, shift):
    t, dz, dS = pieces(dZ, x, P, window, shift)
    dt = P.mT @ dz + dS @ t / t.shape[-1] ** 0.5 + dS.mT @ t / t.shape[-1] ** 0.5
    index = relative_position_index(window, window)
    dtable = [dS[..., index == e].sum() for e in range((2 * window - 1) ** 2)]
    return {"dx": home(dt, x, window, shift), "dtable": np.array(dtable)}


@wrong(
    "windows.biased_attention_backward", "+= with an index", says="the last one is all that is left"
)
def _(dZ, x, P, window, shift):
    t, dz, dS = pieces(dZ, x, P, window, shift)
    dt = P.mT @ dz + (dS + dS.mT) @ t / t.shape[-1] ** 0.5
    dtable = np.zeros((2 * window - 1) ** 2)
    dtable[relative_position_index(window, window)] += dS.sum((0, 1))
    return {"dx": home(dt, x, window, shift), "dtable": dtable}


@wrong("windows.biased_attention_backward", "forgets the keys", says="The way through the keys is")
def _(dZ, x, P, window, shift):
    t, dz, dS = pieces(dZ, x, P, window, shift)
    dt = P.mT @ dz + dS @ t / t.shape[-1] ** 0.5
    index, size = relative_position_index(window, window), (2 * window - 1) ** 2
    dtable = np.bincount(index.ravel(), dS.sum((0, 1)).ravel(), size)
    return {"dx": home(dt, x, window, shift), "dtable": dtable}


# swin_cost


def count(height, width, patch, window, channels, dim, depths, met, mac=2):
    n = height * width // patch**2
    linear, attention_ = mac * n * patch**2 * channels * dim, 0
    for i, L in enumerate(depths):
        if i:
            n, dim = n // 4, 2 * dim
            linear += mac * n * 2 * dim * dim
        linear += L * mac * n * 12 * dim**2
        attention_ += L * 2 * mac * n * met(n, window) * dim
    return {"linear": linear, "attention": attention_}


@right("windows.swin_cost", "with the features after the merge")
def _(height, width, patch, window, channels, dim, depths):
    return count(height, width, patch, window, channels, dim, depths, lambda n, M: M * M)


@wrong("windows.swin_cost", "all tokens meet", says="Each of your tokens meets all the others")
def _(height, width, patch, window, channels, dim, depths):
    return count(height, width, patch, window, channels, dim, depths, lambda n, M: n)


@wrong("windows.swin_cost", "as the paper's tables count", says="which is the unit MAC")
def _(height, width, patch, window, channels, dim, depths):
    return count(height, width, patch, window, channels, dim, depths, lambda n, M: M * M, mac=1)


# From the blind round


@wrong("windows.window_partition", "windows before the batch", says="windows of different images")
def _(x, rows, columns):
    return np.array(
        [p.reshape(len(x), -1, p.shape[-1]) for p in blocks_of(x, rows, columns)]
    ).reshape(len(x), -1, rows * columns, x.shape[-1])


@wrong("windows.shift_mask", "same window before the roll", says="You name tokens by the window")
def _(height, width, window, shift):
    names = np.arange(height)[:, None] // window * width + np.arange(width) // window
    names = cut(np.roll(names, (-shift, -shift), (0, 1)), window)
    return names[:, :, None] == names[:, None, :]


@wrong("windows.shift_mask", "one row too few", says="Your border lies one row and one column too")
def _(height, width, window, shift):
    below, beside = np.arange(height) > height - shift, np.arange(width) > width - shift
    names = cut(2 * below[:, None] + beside, window)
    return names[:, :, None] == names[:, None, :]


@wrong("windows.shifted_attention", "no shift at all", says="You took out rolls and mask")
def _(x, window, shift):
    return attend_in_windows(x, window, None)


@wrong("windows.SwinBlock", "asks the height alone", says="You look at the height alone")
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        s = self.s if H > self.M else 0
        mask = on_tensors.shift_mask(H, W, self.M, s) if s else None
        return self.rest(
            self.around_attention(
                x, lambda y: self.windows(y.roll((-s, -s), (1, 2)), mask).roll((s, s), (1, 2))
            )
        )


@wrong("windows.SwinBlock", "Post-LN", says="Your norms come after the sums")
class _(Block):
    def __init__(self, dim, heads, hidden, window, shift):
        super().__init__(dim, heads, hidden, window, shift)
        self.around_attention = Residual(dim, norm_first=False)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def forward(self, x):
        H, W = x.shape[1:3]
        s = self.s if min(H, W) > self.M else 0
        mask = on_tensors.shift_mask(H, W, self.M, s) if s else None
        return self.rest(
            self.around_attention(
                x, lambda y: self.windows(y.roll((-s, -s), (1, 2)), mask).roll((s, s), (1, 2))
            )
        )


@wrong(
    "windows.SwinBlock", "each direction for itself", says="You decide for rows and columns apart"
)
class _(Block):
    def forward(self, x):
        H, W = x.shape[1:3]
        M = self.M
        s = [self.s if n > M else 0 for n in (H, W)]
        piece = torch.zeros(1, H, W, 1)
        for i, (top, bottom) in enumerate([(0, H - M), (H - M, H - s[0]), (H - s[0], H)]):
            for j, (start, end) in enumerate([(0, W - M), (W - M, W - s[1]), (W - s[1], W)]):
                piece[:, top:bottom, start:end] = 3 * i + j
        piece = on_tensors.window_partition(piece, M, M)[0, ..., 0]
        mask = piece[:, None] == piece[:, :, None]
        back = [-t for t in s]
        return self.rest(
            self.around_attention(
                x, lambda y: self.windows(y.roll(back, (1, 2)), mask).roll(s, (1, 2))
            )
        )
