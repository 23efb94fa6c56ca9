"""Where a token stands, in PyTorch: encodings to add, a bias, a rotation. Taught in chapter 02.

Sinusoids: Vaswani et al. (NeurIPS 2017, 1706.03762), section 3.5. Learned tables: one entry for
each position as in BERT and ViT, or one for each row and each column of a grid; DETR (ECCV 2020,
2005.12872) puts these two side by side, each of half the features, here two whole ones are added;
and a fixed one, whose sines span the picture, taught in chapter 14.
A relative bias: Liu et al., Swin Transformer (ICCV 2021, 2103.14030). Rotations: Su et al.,
RoFormer (2104.09864). A grid's tokens are numbered row by row.
"""

import math

import torch
from torch import nn

from tutorial_lib.from_scratch import positions as np_positions


def sinusoidal(n, d):
    """The Transformer's fixed encoding: n positions, d features, d even  ->  tensor (n, d)."""
    angle = torch.arange(n)[:, None] * torch.as_tensor(np_positions.frequencies(d))  # (n, d / 2)
    pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)
    return pairs.flatten(1).to(torch.get_default_dtype())


def sine_positions_2d(rows, columns, d):
    """DETR's fixed encoding of a grid (2005.12872, section A.4). Taught in chapter 14.

    As sinusoidal_2d: half of the features say the row, half the column. But rows and columns are
    counted from 1 and scaled to 2π for the last one, a whole turn of the fastest sine: a position
    says which part of the picture it is, whatever the grid's size.
    d features, a multiple of 4  ->  tensor (rows · columns, d), row by row
    """
    if d % 4:
        raise ValueError(f"d = {d}: rows and columns both need pairs, so d is a multiple of 4")
    row, column = _turns(rows, d // 2), _turns(columns, d // 2)
    row, column = row[:, None].expand(-1, columns, -1), column.expand(rows, -1, -1)
    return torch.cat([row, column], dim=-1).flatten(0, 1)  # (rows · columns, d)


def _turns(n, d):
    """Sines and cosines, in turns, of n positions that end at 2π: (n, d)."""
    position = 2 * math.pi * torch.arange(1, n + 1, dtype=torch.float64) / n
    angle = position[:, None] * torch.as_tensor(np_positions.frequencies(d))
    pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)  # (n, d / 2, 2)
    return pairs.flatten(1).to(torch.get_default_dtype())


def table(*shape):
    """A learned table, small at first, so that tokens start as what they are."""
    return nn.Parameter(0.02 * torch.randn(*shape))


class LearnedPositions(nn.Module):
    """A vector of dim features for each of n positions."""

    def __init__(self, n: int, dim: int):
        super().__init__()
        self.table = table(n, dim)

    def forward(self):
        """->  (n, dim), to be added to the tokens"""
        return self.table


class LearnedPositions2D(nn.Module):
    """A vector of dim features for each row and for each column of a grid. A token gets the sum;
    DETR gives it two halves side by side instead."""

    def __init__(self, rows: int, columns: int, dim: int):
        super().__init__()
        self.row, self.column = table(rows, 1, dim), table(columns, dim)

    def forward(self):
        """->  (rows · columns, dim), to be added to the tokens"""
        return (self.row + self.column).flatten(0, 1)


class RelativeBias(nn.Module):
    """What each head adds to the score of two tokens of a grid, by their offset alone."""

    def __init__(self, rows: int, columns: int, heads: int):
        super().__init__()
        index = torch.from_numpy(np_positions.relative_position_index(rows, columns))
        self.register_buffer("index", index, persistent=False)  # (N, N), N = rows · columns
        self.table = table(heads, (2 * rows - 1) * (2 * columns - 1))

    def forward(self):
        """->  (heads, N, N), query by key, to be added to the scores"""
        return self.table[:, self.index]


def rotary(x, positions):
    """Rotate features 2i and 2i + 1 of each token by position · 10000^(−2i/d).

    x float (..., N, d) queries or keys, d even; positions (N,) on x's device, whole numbers or
    floats of at least 32 bits  ->  (..., N, d)
    """
    if not x.dtype.is_floating_point:  # whole numbers would cut sines down to 0
        raise TypeError(f"rotary turns floats, not {x.dtype}")
    if positions.dtype in (torch.float16, torch.bfloat16):  # 257 is 256 in bfloat16
        raise TypeError(f"positions are {positions.dtype}, expected whole numbers or float32")
    if positions.shape != x.shape[-2:-1]:  # these would broadcast to tokens that nobody passed
        raise ValueError(f"{tuple(positions.shape)} positions for {x.shape[-2]} tokens")
    precise = torch.promote_types(x.dtype, torch.float32)  # half precision rounds angles away
    omega = torch.tensor(np_positions.frequencies(x.shape[-1]), dtype=precise, device=x.device)
    angle = positions[:, None] * omega  # (N, d / 2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]  # (..., N, d / 2)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
