"""Attention in windows of a grid, in PyTorch. Taught in chapter 08.

Liu et al., Swin Transformer (ICCV 2021, 2103.14030), sections 3.1 and 3.2; the spatial shuffle:
Huang et al., Shuffle Transformer (2106.03650). Tokens keep their places, (B, H, W, dim); windows,
and the tokens within one, are numbered row by row.
"""

import functools

import torch
from torch import nn

from tutorial_lib.from_scratch import windows as np_windows
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import RelativeBias


def window_partition(x, rows: int, columns: int):
    """x (B, H, W, C)  ->  (B, windows, rows · columns, C). ValueError if windows of rows × columns
    do not fill the grid exactly."""
    np_windows.window_counts(*x.shape[1:3], rows, columns)
    x = x.unflatten(2, (-1, columns)).unflatten(
        1, (-1, rows)
    )  # (B, down, rows, across, columns, C)
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def window_reverse(windows, rows: int, columns: int, height: int, width: int):
    """The inverse: (B, windows, rows · columns, C)  ->  (B, height, width, C)"""
    counts = np_windows.window_counts(height, width, rows, columns)
    x = windows.unflatten(2, (rows, columns)).unflatten(1, counts)
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def spread(x, rows: int, columns: int):
    """The spatial shuffle: x (B, H, W, C)  ->  (B, H, W, C), whose windows of rows × columns hold
    tokens that were H / rows rows and W / columns columns apart."""
    down, across = np_windows.window_counts(*x.shape[1:3], rows, columns)
    x = x.unflatten(2, (columns, across)).unflatten(1, (rows, down))
    return x.transpose(1, 2).transpose(3, 4).flatten(3, 4).flatten(1, 2)


def gather(x, rows: int, columns: int):
    """The inverse of `spread`, with the same arguments."""
    return spread(x, *np_windows.window_counts(*x.shape[1:3], rows, columns))


@functools.lru_cache(maxsize=64)  # a model asks for the same few in every step
def shift_mask(height: int, width: int, window: int, shift: int, device=None):
    """Who may look at whom after a cyclic shift up and to the left: bool (windows, window²,
    window²), query by key, False between what came round the edge and what was there."""
    mask = np_windows.shift_mask(height, width, window, shift)
    return torch.from_numpy(mask).to(device)


class WindowAttention(nn.Module):
    """Attention inside each window, with a learned bias for every offset of two tokens.

    dim, heads     as in MultiHeadAttention
    rows, columns  of a window, in tokens
    """

    def __init__(self, dim: int, heads: int, rows: int, columns: int):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.attention = MultiHeadAttention(dim, heads)
        self.bias = RelativeBias(rows, columns, heads)

    def forward(self, x, mask=None):
        """x (B, H, W, dim), mask bool (windows, N, N) or None, N = rows · columns
        ->  (B, H, W, dim)"""
        windows = window_partition(x, self.rows, self.columns)  # (B, windows, N, dim)
        batch = windows.shape[:2]
        bias = self.bias()  # (heads, N, N)
        if mask is not None:  # as part of the bias: no window's tokens are hidden from all others
            bias = torch.where(mask[:, None], bias, float("-inf")).repeat(batch[0], 1, 1, 1)
        # Fused kernels want one axis for the batch and the windows.
        windows = self.attention(windows.flatten(0, 1), score_bias=bias)
        windows = windows.unflatten(0, batch)
        return window_reverse(windows, self.rows, self.columns, *x.shape[1:3])


class ShiftedWindowAttention(WindowAttention):
    """The same in windows that are moved by `shift` tokens down and to the right.

    Moved windows are cut by the border of the grid, and there are more of them. So the grid is
    rolled instead, which brings the pieces from opposite borders together into whole windows, and a
    mask keeps the pieces apart.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int):
        super().__init__(dim, heads, window, window)
        if not 0 <= shift < window:
            raise ValueError(f"a shift of {shift}, expected 0 … {window - 1}, less than the window")
        self.window, self.shift = window, shift

    def forward(self, x):
        """x (B, H, W, dim)  ->  (B, H, W, dim). Where one window spans the grid in a direction,
        nothing is moved, as in the paper's code."""
        height, width = x.shape[1:3]
        if self.shift == 0 or min(height, width) <= self.window:
            return super().forward(x)
        mask = shift_mask(height, width, self.window, self.shift, x.device)
        x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        return super().forward(x, mask).roll((self.shift, self.shift), dims=(1, 2))


class PatchMerging(nn.Module):
    """Half the rows and columns, twice the features: four neighbours' features side by side, and a
    linear map of them. dim  features of a token that enters."""

    def __init__(self, dim: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduce = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x):
        """x (B, H, W, dim), H and W even  ->  (B, H / 2, W / 2, 2 · dim)"""
        np_windows.window_counts(*x.shape[1:3], 2, 2)
        x = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # (B, H/2, row, W/2, column, dim)
        # The order of the published weights: the upper left one, below it, beside it, across.
        four = x.permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.reduce(self.norm(four))
