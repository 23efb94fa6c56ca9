"""A grid of tokens cut into windows."""

import numpy as np

from tutorial_lib.checking import Exercise

GRIDS = [  # height, width, and rows and columns of a window
    (2, 4, 2, 2),
    (4, 6, 2, 3),
    (6, 4, 3, 1),
    (2, 2, 2, 2),
    (3, 8, 1, 4),
    (4, 4, 2, 2),
]
DO_NOT_FIT = [(5, 3, 2, 2), (5, 4, 2, 2), (4, 6, 2, 4), (2, 4, 4, 2)]


def window_partition(x, rows, columns):
    """Cut a grid of tokens into windows that lie side by side.

    x (B, H, W, C); rows, columns  of a window, in tokens
    ->  (B, n, rows · columns, C), n windows; windows are numbered row by row, and so are the tokens
        within one

    Raises ValueError if windows do not fill the grid exactly.
    """
    B, H, W, C = x.shape
    if H % rows or W % columns:
        raise ValueError(f"{H} × {W} tokens do not divide into windows of {rows} × {columns}")
    x = x.reshape(B, H // rows, rows, W // columns, columns, C)
    x = x.swapaxes(2, 3)  # (B, H // rows, W // columns, rows, columns, C)
    return x.reshape(B, -1, rows * columns, C)


def grids(rng):
    for (height, width, rows, columns), (batch, channels) in zip(
        GRIDS, [(1, 1), (2, 3), (1, 2), (3, 1), (1, 2), (2, 2)]
    ):
        x = rng.normal(size=(batch, height, width, channels))
        yield dict(x=x, rows=rows, columns=columns)
    for height, width, rows, columns in DO_NOT_FIT:
        yield dict(x=rng.normal(size=(1, height, width, 2)), rows=rows, columns=columns)


window_partition = Exercise(
    window_partition,
    level=2,
    minutes=8,
    cases=grids,
    hints=(
        "Row y of the grid is row y // rows of windows, and in it row y % rows. Give each of the "
        "two an axis of its own, and do the same with the columns.",
        "`x.reshape(B, H // rows, rows, W // columns, columns, C)` moves no number. Which axes say "
        "which window it is, and which say where in it?",
        "Swap axes 2 and 3, so that both axes of the windows stand before both axes within one; "
        "then reshape to (B, number of windows, rows * columns, C). Before all this, look at the "
        "remainders `H % rows` and `W % columns`.",
    ),
)


def _checked(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows or W % columns:
        raise ValueError
    return B, H, W, C, H // rows, W // columns


@window_partition.mistake(
    """You reshape in one go. A reshape never moves a number: each of your windows is a run of
    tokens as they are read, row by row, across the whole grid. What has to change places before
    the last reshape?"""
)
def runs_of_tokens(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """The windows are right, their order is not: you number them column by column. Should window 1
    lie to the right of window 0, or below it?"""
)
def windows_by_columns(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C).transpose(0, 3, 1, 2, 4, 5)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """Each window is transposed: within one, your tokens are numbered column by column. Which of
    its two axes should stand last?"""
)
def tokens_by_columns(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C).transpose(0, 1, 3, 4, 2, 5)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """Both go column by column: windows, and the tokens within one. In which order is a grid of
    tokens read?"""
)
def all_by_columns(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C).transpose(0, 3, 1, 4, 2, 5)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """Your windows take every second or third token, spread over the whole grid: when you split the
    height, the axis within a window comes before the axis of the windows. Of rows 0 and 1, which
    lie in the same window? (Section 10 meets a system that does just this, on purpose.)"""
)
def spread_over_the_grid(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, rows, down, columns, across, C).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """Rows and columns of a window are exchanged: yours are `columns` tokens high. Right for square
    windows. Which of the two divides the height?"""
)
def turned_windows(x, rows, columns):
    B, H, W, C, down, across = _checked(x, columns, rows)
    x = x.reshape(B, down, columns, across, rows, C).swapaxes(2, 3)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """You cut both axes of the grid by `rows`. Right for square windows. What cuts the width?"""
)
def rows_for_both(x, rows, columns):
    B, H, W, C = x.shape
    _checked(x, rows, columns)
    x = x.reshape(B, H // rows, rows, W // rows, rows, C).swapaxes(2, 3)
    return x.reshape(B, -1, rows * columns, C)


@window_partition.mistake(
    """You read x as (B, W, H, C). In an array of a grid, which of its two axes comes first?"""
)
def width_first(x, rows, columns):
    B, W, H, C = x.shape
    if H % rows or W % columns:
        raise ValueError
    x = x.reshape(B, W // columns, columns, H // rows, rows, C)
    return x.transpose(0, 3, 1, 4, 2, 5).reshape(B, -1, rows * columns, C)


@window_partition.mistake(
    """The numbers are in their places and the axes are still apart. Asked are four: the batch, the
    windows, the tokens of a window, the features."""
)
def six_axes(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    return x.reshape(B, down, rows, across, columns, C).swapaxes(2, 3)


@window_partition.mistake(
    """The windows have joined the batch: (B · n, rows · columns, C), as in the published code. Here
    they have an axis of their own, which a mask will need. Which axis is missing?"""
)
def windows_in_the_batch(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C).swapaxes(2, 3)
    return x.reshape(-1, rows * columns, C)


@window_partition.mistake(
    """Where windows do not fill the grid, yours drops the tokens that are left over, without a
    word. What does the task want to happen?"""
)
def drops_the_rest(x, rows, columns):
    B, H, W, C = x.shape
    down, across = H // rows, W // columns
    x = x[:, : down * rows, : across * columns]
    x = x.reshape(B, down, rows, across, columns, C).swapaxes(2, 3)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """You look at the height alone: a grid whose width does not divide gives windows with tokens
    missing. Which remainders have to be zero?"""
)
def checks_the_height_only(x, rows, columns):
    B, H, W, C = x.shape
    if H % rows:
        raise ValueError
    return drops_the_rest(x, rows, columns)


@window_partition.mistake(
    """You compare numbers of tokens only: (H · W) divides by (rows · columns), and yet the windows
    do not fit. Which two remainders have to be zero?"""
)
def checks_the_area_only(x, rows, columns):
    B, H, W, C = x.shape
    if (H * W) % (rows * columns):
        raise ValueError
    return drops_the_rest(x, rows, columns)


@window_partition.mistake(
    """Right with one image: windows of different images are mixed, as your windows stand before the
    batch when you reshape. Which axis comes first?"""
)
def windows_before_the_batch(x, rows, columns):
    B, H, W, C, down, across = _checked(x, rows, columns)
    x = x.reshape(B, down, rows, across, columns, C).transpose(1, 3, 0, 2, 4, 5)
    return x.reshape(B, down * across, rows * columns, C)


@window_partition.mistake(
    """Your windows overlap: they move on by one token, as a convolution's kernel does. Side by
    side, how far is it from one window to the next?"""
)
def sliding_windows(x, rows, columns):
    B, H, W, C, _, _ = _checked(x, rows, columns)
    x = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (1, 2))  # (B, n, m, C, r, c)
    return np.moveaxis(x, 3, -1).reshape(B, -1, rows * columns, C)
