"""Windows of a grid of tokens, in NumPy. Taught in chapter 08.

Liu et al., Swin Transformer (ICCV 2021, 2103.14030), section 3.2; Huang et al., Shuffle Transformer
(2106.03650), section 3.2. Tokens keep their places, (B, H, W, C); windows, and the tokens within
one, are numbered row by row.
"""

import numpy as np


def window_counts(height, width, rows, columns):
    """How many windows of rows × columns tokens stand below and beside each other in a grid of
    height × width: two ints. ValueError if they do not fill the grid exactly."""
    if min(rows, columns) < 1 or height % rows or width % columns:
        raise ValueError(
            f"{height} × {width} tokens do not divide into windows of {rows} × {columns}"
        )
    return height // rows, width // columns


def window_partition(x, rows, columns):
    """Cut a grid into windows: x (B, H, W, C)  ->  (B, windows, rows · columns, C)."""
    B, H, W, C = x.shape
    down, across = window_counts(H, W, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C)
    return x.swapaxes(2, 3).reshape(B, down * across, rows * columns, C)


def window_reverse(windows, rows, columns, height, width):
    """The inverse of `window_partition`: windows (B, windows, rows · columns, C)
    ->  (B, height, width, C). As it only moves numbers, it is its backward as well."""
    B, _, _, C = windows.shape
    down, across = window_counts(height, width, rows, columns)
    x = windows.reshape(B, down, across, rows, columns, C)
    return x.swapaxes(2, 3).reshape(B, height, width, C)


def spread(x, rows, columns):
    """The spatial shuffle: rearrange a grid so that tokens far from each other become neighbours.

    x (B, H, W, C)  ->  (B, H, W, C); afterwards each window of rows × columns holds tokens of the
    old grid that are H / rows rows and W / columns columns apart, spread over all of it
    """
    B, H, W, C = x.shape
    down, across = window_counts(H, W, rows, columns)
    x = x.reshape(B, rows, down, columns, across, C)
    return x.transpose(0, 2, 1, 4, 3, 5).reshape(B, H, W, C)


def gather(x, rows, columns):
    """The inverse of `spread`, with the same arguments."""
    H, W = x.shape[1:3]
    return spread(x, *window_counts(H, W, rows, columns))


def shift_regions(length, window, shift):
    """One axis of a grid after a cyclic shift: which tokens were neighbours before it.

    length, window, shift  tokens; 0 ≤ shift < window
    ->  int (length,): 0 for what lies before the last window; in the last window, 1 for the tokens
        from the old end of the axis, and 2 for the `shift` tokens that came round from its start
    """
    if not 0 <= shift < window:
        raise ValueError(f"a shift of {shift}, expected 0 … {window - 1}, less than the window")
    place = np.arange(length)
    return (place >= length - window).astype(int) + (place >= length - shift)


def shift_mask(height, width, window, shift):
    """Who may look at whom after a cyclic shift by `shift` tokens up and to the left: those who
    were neighbours before it.

    ->  bool (windows, window², window²), query by key; all True inside the grid, False between
        what came round its edge and what was there
    """
    row, column = (shift_regions(n, window, shift) for n in (height, width))
    region = (3 * row[:, None] + column)[None, :, :, None]  # (1, H, W, 1), nine names
    region = window_partition(region, window, window)[0, :, :, 0]  # (windows, window²)
    return region[:, :, None] == region[:, None, :]
