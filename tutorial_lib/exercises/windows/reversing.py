"""Windows put back on their grid."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.windows.partition import GRIDS


def window_reverse(windows, rows, columns, height, width):
    """Put windows back on their grid: the inverse of `window_partition`.

    windows (B, n, rows · columns, C); rows, columns  of a window; height, width  of the grid, which
    windows fill exactly
    ->  (B, height, width, C)
    """
    B, _, _, C = windows.shape
    x = windows.reshape(B, height // rows, width // columns, rows, columns, C)
    x = x.swapaxes(2, 3)  # (B, height // rows, rows, width // columns, columns, C)
    return x.reshape(B, height, width, C)


def windows_to_put_back(rng):
    for (height, width, rows, columns), (batch, channels) in zip(
        GRIDS, [(1, 1), (2, 3), (1, 2), (3, 1), (1, 2), (2, 2)]
    ):
        n = (height // rows) * (width // columns)
        windows = rng.normal(size=(batch, n, rows * columns, channels))
        yield dict(windows=windows, rows=rows, columns=columns, height=height, width=width)
    numbered = np.arange(24.0).reshape(1, 2, 12, 1)
    yield dict(windows=numbered, rows=4, columns=3, height=4, width=6)
    yield dict(windows=numbered, rows=3, columns=4, height=6, width=4)


window_reverse = Exercise(
    window_reverse,
    level=2,
    minutes=4,
    cases=windows_to_put_back,
    hints=(
        "Go through your `window_partition` from its last line to its first: each step has an "
        "inverse.",
        "The inverse of a reshape is the reshape to the shape from before; the inverse of a swap "
        "is the same swap.",
        "Reshape to (B, height // rows, width // columns, rows, columns, C), swap axes 2 and 3, "
        "and reshape to (B, height, width, C).",
    ),
)


def _apart(windows, rows, columns, height, width):
    """(B, down, across, rows, columns, C)"""
    B, _, _, C = windows.shape
    return windows.reshape(B, height // rows, width // columns, rows, columns, C)


@window_reverse.mistake(
    """You reshape in one go. The shape is right, and the first window lies across the top rows of
    the whole grid, like a text. Which step of `window_partition` have you not undone?"""
)
def in_one_go(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    return windows.reshape(B, height, width, C)


@window_reverse.mistake(
    """The windows are whole and lie in wrong places: you count them column by column. How many
    windows stand beside each other, and which axis of your first reshape is theirs?"""
)
def laid_by_columns(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, width // columns, height // rows, rows, columns, C)
    return x.transpose(0, 2, 3, 1, 4, 5).reshape(B, height, width, C)


@window_reverse.mistake(
    """The windows lie where they should, and each is transposed: its tokens go down the columns. In
    which order did `window_partition` number them?"""
)
def filled_by_columns(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, height // rows, width // columns, columns, rows, C)
    return x.transpose(0, 1, 4, 2, 3, 5).reshape(B, height, width, C)


@window_reverse.mistake(
    """Each number of windows stands where the size of a window should: your windows come out spread
    over the grid. After the swap, is axis 1 the windows' or the rows within one?"""
)
def spread_again(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = _apart(windows, rows, columns, height, width)  # (B, down, across, rows, columns, C)
    return x.transpose(0, 3, 1, 4, 2, 5).reshape(B, height, width, C)


@window_reverse.mistake(
    """Height and width have changed places: the grid lies on its side. Which comes first?"""
)
def on_its_side(windows, rows, columns, height, width):
    x = _apart(windows, rows, columns, height, width).swapaxes(2, 3)
    return x.reshape(len(x), height, width, -1).swapaxes(1, 2)


@window_reverse.mistake(
    """The numbers are in their places and the axes are still apart. Asked is a grid: batch, height,
    width, features."""
)
def still_apart(windows, rows, columns, height, width):
    return _apart(windows, rows, columns, height, width).swapaxes(2, 3)


@window_reverse.mistake(
    """Rows and columns of a window are exchanged. Right for square windows. Which of the two
    divides the height?"""
)
def turned_back(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, height // columns, width // rows, columns, rows, C)
    return x.swapaxes(2, 3).reshape(B, height, width, C)


@window_reverse.mistake(
    """You cut the windows' axes as if they lay in a grid already, (down, rows, across, columns):
    a row of your grid then holds pieces of one window only. In what order do they stand in
    `windows`, and which two change places?"""
)
def cut_like_a_grid(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, height // rows, rows, width // columns, columns, C)
    return x.swapaxes(2, 3).reshape(B, height, width, C)


@window_reverse.mistake(
    """All your windows lie side by side, and the reshape breaks this long strip into rows. How many
    windows stand beside each other before a new row of them begins?"""
)
def one_long_strip(windows, rows, columns, height, width):
    B, n, _, C = windows.shape
    strip = windows.reshape(B, n, rows, columns, C).swapaxes(1, 2)
    return strip.reshape(B, height, width, C)


@window_reverse.mistake(
    """You count the windows of the width where those of the height should stand. Right where there
    are as many down as across. Which axis of windows comes first?"""
)
def across_then_down(windows, rows, columns, height, width):
    B, _, _, C = windows.shape
    x = windows.reshape(B, width // columns, height // rows, rows, columns, C)
    return x.swapaxes(2, 3).reshape(B, height, width, C)
