"""Shuffle Transformer's regrouping of tokens."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers.windows import gather as gather_of_the_course
from tutorial_lib.layers.windows import spread as spread_of_the_course
from tutorial_lib.layers.windows import window_partition


def spread(x, rows, columns):
    """The spatial shuffle: rearrange a map so that each window holds tokens from all over it.

    x  (B, H, W, C) tensor; rows divides H, columns divides W
    ->  (B, H, W, C). Cut this into windows of rows × columns as ever: the window (a, b), a-th from
        the top and b-th from the left, then holds the tokens that x has in the rows a, a + H/rows,
        a + 2·H/rows, … and in the columns b, b + W/columns, …, in their old order.
    """
    x = x.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    # (B, rows, H / rows, columns, W / columns, C): who in the window, which window, twice
    return x.transpose(1, 2).transpose(3, 4).flatten(3, 4).flatten(1, 2)


def maps_and_windows(rng):
    for B, H, W, C, rows, columns in [
        (1, 4, 8, 1, 2, 4),
        (1, 4, 8, 2, 4, 2),
        (2, 8, 4, 3, 2, 2),
        (2, 4, 8, 2, 1, 4),
        (3, 12, 6, 2, 2, 3),
        (1, 9, 9, 2, 3, 3),
    ]:
        x = torch.from_numpy(rng.normal(size=(B, H, W, C))).requires_grad_(B > 1)
        yield dict(x=x, rows=rows, columns=columns)


spread = Exercise(
    spread,
    level=3,
    minutes=12,
    cases=maps_and_windows,
    hints=(
        "Take one axis of 6 tokens and windows of 2: 0 1 2 3 4 5 becomes 0 3 | 1 4 | 2 5. Which "
        "reshape, and which swap, does that?",
        "As 2 × 3 the six are [[0, 1, 2], [3, 4, 5]]: who in the window, by which window. The "
        "windows should come first. Do it for both axes.",
        "`x.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))` has six axes; swap 1 with 2 and "
        "3 with 4; flatten each pair again.",
    ),
)


@spread.mistake(
    """Your pairs of axes are cut the wrong way round: the distance between the tokens of a window
    is rows, where it should be H / rows. That is the way *back*. How many tokens of a window lie
    along the axis, and how many windows?"""
)
def the_way_back(x, rows, columns):
    return gather_of_the_course(x, rows, columns)


@spread.mistake(
    """Your map comes out as it went in: you cut each axis in two and put it together again. What
    has to change places in between?"""
)
def moves_nothing(x, rows, columns):
    return x.clone()


@spread.mistake(
    """Rows are spread and columns are not: a window of yours holds neighbours of the same row.
    The shuffle works along both axes."""
)
def rows_alone(x, rows, columns):
    return spread_of_the_course(x, rows, x.shape[2])


@spread.mistake(
    """Columns are spread and rows are not: a window of yours holds neighbours of the same column.
    The shuffle works along both axes."""
)
def columns_alone(x, rows, columns):
    return spread_of_the_course(x, x.shape[1], columns)


@spread.mistake(
    """rows and columns have changed places: you cut the height for the columns of a window. Right
    for square windows alone."""
)
def rows_for_columns(x, rows, columns):
    return spread_of_the_course(x, columns, rows)


@spread.mistake(
    """Your window is right and read column by column: the tokens of a window are mirrored. Which
    of the axes of a window comes first?"""
)
def mirrored_windows(x, rows, columns):
    y = spread_of_the_course(x, rows, columns)
    B, H, W, C = y.shape
    y = y.unflatten(2, (-1, columns)).unflatten(
        1, (-1, rows)
    )  # (B, down, rows, across, columns, C)
    return y.permute(0, 1, 4, 3, 2, 5).reshape(B, H, W, C)


@spread.mistake(
    """You return the windows, and not the map: it should keep the shape (B, H, W, C), so that any
    window attention can follow."""
)
def windows_of_it(x, rows, columns):
    y = spread_of_the_course(x, rows, columns)
    y = y.unflatten(2, (-1, columns)).unflatten(1, (-1, rows))
    return y.transpose(2, 3).flatten(3, 4).flatten(1, 2)


@spread.mistake("""Six axes leave your function. Flatten each pair again: a map has four.""")
def six_axes(x, rows, columns):
    x = x.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    return x.transpose(1, 2).transpose(3, 4)


@spread.mistake(
    """You swap windows with places on the axis of *all* windows: windows are numbered row by row,
    and in one axis rows and columns mix. In the task they are spread apart: H / rows along one,
    and W / columns along the other."""
)
def one_axis_for_both(x, rows, columns):
    B, H, W, C = x.shape
    y = x.unflatten(2, (-1, columns)).unflatten(1, (-1, rows)).transpose(2, 3)
    windows = y.flatten(3, 4).flatten(1, 2)  # (B, n, m, C)
    n, m = windows.shape[1:3]
    turned = windows.mT.flatten(2).reshape(B, C, m, n).permute(0, 2, 3, 1).reshape(B, n, m, C)
    turned = turned.unflatten(2, (rows, columns)).unflatten(1, (H // rows, W // columns))
    return turned.transpose(2, 3).reshape(B, H, W, C)


@spread.mistake(
    """You cut the map into blocks and lay them down one after the other, by a reshape. The rows
    of a map are W tokens long: which tokens of one window lie in one row of it?"""
)
def blocks_in_a_row(x, rows, columns):
    H, W = x.shape[1:3]
    return window_partition(x, H // rows, W // columns).reshape(x.shape)


@spread.mistake(
    """You swap the wrong two axes: with (B, rows, H / rows, columns, W / columns, C), axes 2 and
    3 belong to different directions. In which two pairs do a window's number and a place in it
    change places?"""
)
def swaps_the_middle(x, rows, columns):
    x = x.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


@spread.mistake(
    """When you cut the height, axis 1 becomes two axes, and the width is no longer axis 2: your
    second cut takes what is left of the height. Cut the width first, or count anew."""
)
def cuts_the_height_twice(x, rows, columns):
    x = x.unflatten(1, (rows, -1)).unflatten(2, (columns, -1))
    return x.transpose(1, 2).transpose(3, 4).flatten(3, 4).flatten(1, 2)
