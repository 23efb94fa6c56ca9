"""Answers to the exercises of chapter 08 that its family of systems asks.

They were written on the day of the bank and by its author, so they are not blind to it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.exercises import windows as exercise
from tutorial_lib.layers.windows import gather, spread, window_partition, window_reverse

# LePE


class Positions(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)


@right("windows.LePE", "by permute and reshape")
class _(Positions):
    def forward(self, v, rows, columns):
        S, N, C = v.shape
        x = v.reshape(S, rows, columns, C).permute(0, 3, 1, 2)
        return self.convolve(x).permute(0, 2, 3, 1).reshape(S, N, C)


@right("windows.LePE", "nine shifted sums")
class _(Positions):
    def forward(self, v, rows, columns):
        x = F.pad(v.unflatten(1, (rows, columns)), (0, 0, 1, 1, 1, 1))
        out = self.convolve.bias
        for i in range(3):
            for j in range(3):
                weights = self.convolve.weight[:, 0, i, j]
                out = out + weights * x[:, i : i + rows, j : j + columns]
        return out.flatten(1, 2)


@wrong("windows.LePE", "reshapes tokens to pictures", says="made by a reshape alone")
class _(Positions):
    def forward(self, v, rows, columns):
        S, N, C = v.shape
        x = self.convolve(v.reshape(S, C, rows, columns))
        return x.permute(0, 2, 3, 1).reshape(S, N, C)


@wrong("windows.LePE", "reshapes both ways", says="by a reshape alone")
class _(Positions):
    def forward(self, v, rows, columns):
        return self.convolve(v.reshape(len(v), -1, rows, columns)).reshape(v.shape)


@wrong("windows.LePE", "views the result", says="The way back is a reshape alone")
class _(Positions):
    def forward(self, v, rows, columns):
        x = v.transpose(1, 2).unflatten(2, (rows, columns))
        return self.convolve(x).reshape(v.shape)


@wrong("windows.LePE", "columns first", says="Rows and columns have changed places")
class _(Positions):
    def forward(self, v, rows, columns):
        x = v.transpose(1, 2).reshape(len(v), -1, columns, rows)
        return self.convolve(x).flatten(2).transpose(1, 2)


@wrong("windows.LePE", "adds v, as a residual would", says="You add the values themselves")
class _(Positions):
    def forward(self, v, rows, columns):
        x = v.mT.unflatten(2, (rows, columns))
        return (x + self.convolve(x)).flatten(2).mT


@wrong("windows.LePE", "a full convolution", says="convolve.weight has the shape")
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, v, rows, columns):
        return self.convolve(v.mT.unflatten(2, (rows, columns))).flatten(2).mT


@wrong("windows.LePE", "no padding", says="Your picture has shrunk")
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, groups=dim)

    def forward(self, v, rows, columns):
        return self.convolve(v.mT.unflatten(2, (rows, columns))).flatten(2).mT


@wrong("windows.LePE", "gives pictures", says="You return pictures")
class _(Positions):
    def forward(self, v, rows, columns):
        return self.convolve(v.mT.unflatten(2, (rows, columns)))


# CrossShapedAttention


class Cross(nn.Module):
    def __init__(self, dim, heads, width):
        super().__init__()
        self.heads, self.width = heads, width
        self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_v, self.to_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.upright_lepe = exercise.LePE.reference(dim // 2)
        self.level_lepe = exercise.LePE.reference(dim // 2)

    def stripes(self, t, rows, columns):
        B, H, W, C = t.shape
        t = t.reshape(B, H // rows, rows, W // columns, columns, C).transpose(2, 3)
        return t.reshape(-1, rows * columns, C)

    def attention(self, q, k, v, heads):
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        p = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return (p @ v).transpose(1, 2).flatten(2)

    def half(self, q, k, v, rows, columns, lepe):
        B, H, W, _ = q.shape
        q, k, v = (self.stripes(t, rows, columns) for t in (q, k, v))
        z = self.attention(q, k, v, self.heads // 2) + lepe(v, rows, columns)
        return self.back(z, B, H, W, rows, columns)

    def back(self, z, B, H, W, rows, columns):
        z = z.reshape(B, H // rows, W // columns, rows, columns, -1)
        return z.transpose(2, 3).reshape(B, H, W, -1)

    def forward(self, x):
        H, W = x.shape[1:3]
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        half = x.shape[-1] // 2
        up = self.half(*(t[..., :half] for t in (q, k, v)), H, self.width, self.upright_lepe)
        level = self.half(*(t[..., half:] for t in (q, k, v)), self.width, W, self.level_lepe)
        return self.to_out(torch.cat([up, level], -1))


@right("windows.CrossShapedAttention", "with reshapes of its own")
class _(Cross):
    pass


@right("windows.CrossShapedAttention", "the level half by turning the map")
class _(Cross):
    def half(self, q, k, v, rows, columns, lepe):
        if columns != q.shape[2]:
            return super().half(q, k, v, rows, columns, lepe)
        turned = (t.transpose(1, 2) for t in (q, k, v))

        def mirrored(v, rows, columns):
            v = v.unflatten(1, (rows, columns)).transpose(1, 2).flatten(1, 2)
            return (
                lepe(v, columns, rows).unflatten(1, (columns, rows)).transpose(1, 2).flatten(1, 2)
            )

        return super().half(*turned, columns, rows, mirrored).transpose(1, 2)


@wrong("windows.CrossShapedAttention", "stripes lie the other way", says="have changed places")
class _(Cross):
    def forward(self, x):
        H, W = x.shape[1:3]
        q, k, v = (to(x).chunk(2, -1) for to in (self.to_q, self.to_k, self.to_v))
        first = self.half(q[0], k[0], v[0], self.width, W, self.upright_lepe)
        second = self.half(q[1], k[1], v[1], H, self.width, self.level_lepe)
        return self.to_out(torch.cat([first, second], -1))


@wrong("windows.CrossShapedAttention", "two columns", says="work in upright stripes")
class _(Cross):
    def forward(self, x):
        H = x.shape[1]
        q, k, v = (to(x).chunk(2, -1) for to in (self.to_q, self.to_k, self.to_v))
        first = self.half(q[0], k[0], v[0], H, self.width, self.upright_lepe)
        second = self.half(q[1], k[1], v[1], H, self.width, self.level_lepe)
        return self.to_out(torch.cat([first, second], -1))


@wrong("windows.CrossShapedAttention", "all heads in a half", says="How many heads has a half?")
class _(Cross):
    def attention(self, q, k, v, heads):
        return super().attention(q, k, v, self.heads)


@wrong("windows.CrossShapedAttention", "no lepe", says="Neither half has LePE")
class _(Cross):
    def half(self, q, k, v, rows, columns, lepe):
        return super().half(q, k, v, rows, columns, lambda v, *_: 0 * v)


@wrong("windows.CrossShapedAttention", "lepe of all", says="it runs over the whole map")
class _(Cross):
    def half(self, q, k, v, rows, columns, lepe):
        B, H, W, _ = v.shape
        around = lepe(v.flatten(1, 2), H, W).reshape(v.shape)
        return super().half(q, k, v, rows, columns, lambda v, *_: 0 * v) + around


@wrong("windows.CrossShapedAttention", "forgets to_out", says="to_out is made and never called")
class _(Cross):
    def forward(self, x):
        H, W = x.shape[1:3]
        q, k, v = (to(x).chunk(2, -1) for to in (self.to_q, self.to_k, self.to_v))
        first = self.half(q[0], k[0], v[0], H, self.width, self.upright_lepe)
        second = self.half(q[1], k[1], v[1], self.width, W, self.level_lepe)
        return torch.cat([first, second], -1)


@wrong(
    "windows.CrossShapedAttention", "lepe of the first half only", says="The level half has no LePE"
)
class _(Cross):
    def half(self, q, k, v, rows, columns, lepe):
        if lepe is self.level_lepe:
            return super().half(q, k, v, rows, columns, lambda v, *_: 0 * v)
        return super().half(q, k, v, rows, columns, lepe)


@wrong("windows.CrossShapedAttention", "lepe on its side", says="LePE gets columns before rows")
class _(Cross):
    def half(self, q, k, v, rows, columns, lepe):
        return super().half(q, k, v, rows, columns, lambda v, a, b: lepe(v, b, a))


@wrong("windows.CrossShapedAttention", "reshapes back", says="laid down again by a reshape")
class _(Cross):
    def back(self, z, B, H, W, rows, columns):
        return z.reshape(B, H, W, -1)


@wrong("windows.CrossShapedAttention", "scores without their root", says="divided by nothing")
class _(Cross):
    def attention(self, q, k, v, heads):
        return super().attention(q * (q.shape[-1] / heads) ** 0.5, k, v, heads)


# spread and gather


@right("windows.spread", "by an index for each axis")
def _(x, rows, columns):
    H, W = x.shape[1:3]
    down = torch.arange(H).reshape(rows, H // rows).T.flatten()
    across = torch.arange(W).reshape(columns, W // columns).T.flatten()
    return x[:, down][:, :, across]


@right("windows.spread", "by one permute")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, rows, H // rows, columns, W // columns, C)
    return x.permute(0, 2, 1, 4, 3, 5).reshape(B, H, W, C)


@right("windows.spread", "by slices")
def _(x, rows, columns):
    H, W = x.shape[1:3]
    x = torch.cat([x[:, a :: H // rows] for a in range(H // rows)], 1)
    return torch.cat([x[:, :, b :: W // columns] for b in range(W // columns)], 2)


@wrong("windows.spread", "steps by the window", says="That is the way back")
def _(x, rows, columns):
    x = torch.cat([x[:, a::rows] for a in range(rows)], 1)
    return torch.cat([x[:, :, b::columns] for b in range(columns)], 2)


@wrong("windows.spread", "forgets the columns", says="columns are not")
def _(x, rows, columns):
    H = x.shape[1]
    return torch.cat([x[:, a :: H // rows] for a in range(H // rows)], 1)


@wrong("windows.spread", "no swap", says="comes out as it went in")
def _(x, rows, columns):
    B, H, W, C = x.shape
    return x.reshape(B, rows, H // rows, columns, W // columns, C).reshape(B, H, W, C)


@wrong("windows.spread", "gives windows", says="You return the windows, and not the map")
def _(x, rows, columns):
    return window_partition(spread(x, rows, columns), rows, columns)


@wrong("windows.spread", "six axes", says="Six axes")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, rows, H // rows, columns, W // columns, C)
    return x.permute(0, 2, 1, 4, 3, 5)


@wrong("windows.spread", "cuts windows and reshapes", says="lay them down one after the other")
def _(x, rows, columns):
    return window_partition(x, x.shape[1] // rows, x.shape[2] // columns).reshape(x.shape)


@wrong("windows.spread", "spreads windows of neighbours")
def _(x, rows, columns):
    return x.roll((rows // 2, columns // 2), (1, 2))


@wrong("windows.spread", "the wrong pair of axes", says="You swap the wrong two axes")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, rows, H // rows, columns, W // columns, C).swapaxes(2, 3)
    return x.flatten(3, 4).flatten(1, 2)


@wrong("windows.spread", "cuts axis 2 after axis 1", says="the width is no longer axis 2")
def _(x, rows, columns):
    x = x.unflatten(1, (rows, -1))
    x = x.unflatten(2, (columns, -1))
    return x.transpose(1, 2).transpose(3, 4).flatten(3, 4).flatten(1, 2)


@right("windows.gather", "by an index for each axis")
def _(x, rows, columns):
    H, W = x.shape[1:3]
    down = torch.arange(H).reshape(rows, H // rows).T.flatten().argsort()
    across = torch.arange(W).reshape(columns, W // columns).T.flatten().argsort()
    return x[:, down][:, :, across]


@right("windows.gather", "by one permute")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, H // rows, rows, W // columns, columns, C)
    return x.permute(0, 2, 1, 4, 3, 5).reshape(B, H, W, C)


@wrong("windows.gather", "spreads once more", says="You spread a second time")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, rows, H // rows, columns, W // columns, C)
    return x.permute(0, 2, 1, 4, 3, 5).reshape(B, H, W, C)


@wrong("windows.gather", "the width's count for the height", says="changed places")
def _(x, rows, columns):
    return spread(x, x.shape[2] // columns, x.shape[1] // rows)


@wrong("windows.gather", "mirrors the grid")
def _(x, rows, columns):
    return gather(x, rows, columns).flip(1)


@wrong("windows.gather", "a reshape alone", says="Nothing has moved")
def _(x, rows, columns):
    B, H, W, C = x.shape
    return x.reshape(B, H // rows, rows, W // columns, columns, C).reshape(B, H, W, C)


# trade


def regions(messengers, region):
    B, rows, columns, dim = messengers.shape
    x = messengers.reshape(B, rows // region, region, columns // region, region, dim)
    return x.transpose(2, 3).reshape(B, -1, region**2, dim)


@right("windows.trade", "in loops")
def _(messengers, region):
    out, G = messengers.clone(), region**2
    rows, columns, dim = messengers.shape[1:]
    d = dim // G
    for top in range(0, rows, region):
        for left in range(0, columns, region):
            for i in range(G):
                for j in range(G):
                    a, b = top + i // region, left + i % region
                    e, f = top + j // region, left + j % region
                    part = messengers[:, a, b, j * d : (j + 1) * d]
                    out[:, e, f, i * d : (i + 1) * d] = part
    return out


@right("windows.trade", "by one reshape and one permute")
def _(messengers, region):
    B, rows, columns, dim = messengers.shape
    r, d = region, dim // region**2
    x = messengers.reshape(B, rows // r, r, columns // r, r, r, r, d)
    return x.permute(0, 1, 5, 3, 6, 2, 4, 7).reshape(B, rows, columns, dim)


@wrong("windows.trade", "the whole map as one row", says="numbered row by row")
def _(messengers, region):
    B, rows, columns, dim = messengers.shape
    G = region**2
    x = messengers.reshape(B, -1, G, G, dim // G).transpose(2, 3)
    return x.reshape(B, rows, columns, dim)


@wrong("windows.trade", "parts at distances", says="dealt out feature by feature")
def _(messengers, region):
    G = region**2
    x = regions(messengers, region)
    x = x.reshape(*x.shape[:3], -1, G).transpose(2, 4).reshape(x.shape)
    return window_reverse(x, region, region, *messengers.shape[1:3])


@wrong("windows.trade", "the mean of the region", says="you average")
def _(messengers, region):
    x = regions(messengers, region)
    x = x.mean(2, keepdim=True).expand_as(x)
    return window_reverse(x, region, region, *messengers.shape[1:3])


@wrong("windows.trade", "a copy", says="Nobody has traded")
def _(messengers, region):
    G = region**2
    x = regions(messengers, region)
    x = x.reshape(*x.shape[:3], G, -1).reshape(x.shape)
    return window_reverse(x, region, region, *messengers.shape[1:3])


@wrong("windows.trade", "gives regions", says="You leave the regions as they were cut")
def _(messengers, region):
    G = region**2
    x = regions(messengers, region)
    return x.reshape(*x.shape[:3], G, -1).transpose(2, 3).reshape(x.shape)


@wrong("windows.trade", "reshapes regions to the map", says="laid out again")
def _(messengers, region):
    G = region**2
    x = regions(messengers, region)
    return x.reshape(*x.shape[:3], G, -1).transpose(2, 3).reshape(messengers.shape)


@wrong("windows.trade", "whole messengers move on", says="changed places as wholes")
def _(messengers, region):
    x = regions(messengers, region).roll(1, 2)
    return window_reverse(x, region, region, *messengers.shape[1:3])


@wrong("windows.trade", "turns the batch")
def _(messengers, region):
    return messengers.flip(0) if len(messengers) > 1 else messengers.flip(-1)


@wrong("windows.trade", "swaps parts and places", says="has only changed the order of its own")
def _(messengers, region):
    G = region**2
    x = regions(messengers, region)
    x = x.reshape(*x.shape[:3], G, -1).mT.reshape(x.shape)
    return window_reverse(x, region, region, *messengers.shape[1:3])


# layers_until_all_hear


@right("windows.layers_until_all_hear", "with sets")
def _(hears):
    N = len(hears[0])
    knows = [{t} for t in range(N)]
    for depth in range(len(hears) * N * N + 1):
        if all(len(known) == N for known in knows):
            return depth
        layer = hears[depth % len(hears)]
        knows = [set().union(*(knows[u] for u in np.flatnonzero(layer[t]))) for t in range(N)]
    return None


@right("windows.layers_until_all_hear", "with whole numbers, and a bound on the rounds")
def _(hears):
    N = len(hears[0])
    knows = np.eye(N, dtype=int)
    for depth in range(1, N * len(hears) + 1):
        knows = np.minimum(hears[(depth - 1) % len(hears)].astype(int) @ knows, 1)
        if knows.all():
            return depth
    return None


@wrong("windows.layers_until_all_hear", "starts at one", says="One too many")
def _(hears):
    knows, depth = np.eye(len(hears[0]), dtype=bool), 1
    for _ in range(300):
        knows = hears[(depth - 1) % len(hears)] @ knows
        depth += 1
        if knows.all():
            return depth
    return None


@wrong("windows.layers_until_all_hear", "starts at zero", says="One too few")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(300):
        knows = hears[depth % len(hears)] @ knows
        if knows.all():
            return depth
    return None


@wrong("windows.layers_until_all_hear", "the other order", says="News travels the wrong way")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(300):
        knows = knows @ hears[depth % len(hears)]
        if knows.all():
            return depth + 1
    return None


@wrong("windows.layers_until_all_hear", "one layer's or", says="You add layers up")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(300):
        knows = knows | hears[depth % len(hears)]
        if knows.all():
            return depth + 1
    return None


@wrong("windows.layers_until_all_hear", "each layer once", says="You stop after the last layer")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth, layer in enumerate(hears, 1):
        knows = layer @ knows
        if knows.all():
            return depth
    return None


@wrong("windows.layers_until_all_hear", "rounds", says="You count rounds")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(1, 300):
        for layer in hears:
            knows = layer @ knows
        if knows.all():
            return depth
    return None


@wrong(
    "windows.layers_until_all_hear", "ends when nothing is new", says="You give up when one layer"
)
def _(hears):
    knows, depth = np.eye(len(hears[0]), dtype=bool), 0
    while not knows.all():
        new = hears[depth % len(hears)] @ knows
        if np.array_equal(new, knows):
            return None
        knows, depth = new, depth + 1
    return depth


@wrong("windows.layers_until_all_hear", "and", says="You multiply elementwise")
def _(hears):
    knows = np.ones_like(hears[0])
    for depth, layer in enumerate(hears, 1):
        knows = knows & layer
        if knows.all():
            return depth
    return None


@wrong("windows.layers_until_all_hear", "minus one for never")
def _(hears):
    found = exercise.layers_until_all_hear.reference(hears)
    return -1 if found is None else found


# From the blind round


@wrong("windows.layers_until_all_hear", "ten layers at most")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(11):
        if knows.all():
            return depth
        knows = hears[depth % len(hears)] @ knows
    return -1


@wrong("windows.layers_until_all_hear", "as many as tokens", says="as many layers as there are")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(len(knows) + 1):
        if knows.all():
            return depth
        knows = hears[depth % len(hears)] @ knows
    return None


@wrong("windows.layers_until_all_hear", "in place", says="Your tokens learn one after the other")
def _(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(300):
        if knows.all():
            return depth
        for t, s in np.argwhere(hears[depth % len(hears)]):
            knows[t] |= knows[s]
    return None


@wrong("windows.gather", "as window_reverse does", says="You cut and lay down windows")
def _(x, rows, columns):
    B, H, W, C = x.shape
    x = x.reshape(B, H // rows, W // columns, rows, columns, C)
    return x.transpose(2, 3).reshape(B, H, W, C)
