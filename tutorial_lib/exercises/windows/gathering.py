"""Shuffle Transformer: every token back to where it stood."""

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.windows.shuffling import maps_and_windows
from tutorial_lib.layers.windows import spread, window_reverse


def gather(x, rows, columns):
    """Put every token back where it stood before `spread(x, rows, columns)`.

    x  (B, H, W, C) tensor, spread with the same rows and columns  ->  (B, H, W, C), as it was
    """
    H, W = x.shape[1:3]
    return spread(x, H // rows, W // columns)


def spread_maps(rng):
    for case in maps_and_windows(rng):
        x = spread(case["x"].detach(), case["rows"], case["columns"])
        yield case | {"x": x.requires_grad_(case["x"].requires_grad)}


gather = Exercise(
    gather,
    level=2,
    minutes=6,
    cases=spread_maps,
    hints=(
        "Along one axis: 0 3 1 4 2 5 should become 0 1 2 3 4 5 again. Look at the two as a reshape "
        "and a swap.",
        "`spread` cuts an axis into (rows, H / rows) and swaps. What does it cut the axis into if "
        "it is called with H / rows?",
        "`spread` itself, with other numbers for rows and columns. Which?",
    ),
)


@gather.mistake(
    """You spread a second time, with the same numbers. That is the way back only where a window
    has as many tokens along an axis as there are windows. What is the distance of two neighbours
    now?"""
)
def spreads_again(x, rows, columns):
    return spread(x, rows, columns)


@gather.mistake(
    """Your rows are back and your columns are spread once more. What did you do for H that is
    missing for W?"""
)
def columns_spread_again(x, rows, columns):
    return spread(x, x.shape[1] // rows, columns)


@gather.mistake(
    """Your columns are back and your rows are spread once more. What did you do for W that is
    missing for H?"""
)
def rows_spread_again(x, rows, columns):
    return spread(x, rows, x.shape[2] // columns)


@gather.mistake("""Nothing has moved. Along an axis, 0 3 1 4 2 5 should become 0 1 2 3 4 5.""")
def moves_nothing_back(x, rows, columns):
    return x.clone()


@gather.mistake(
    """Your rows are back, and your columns are where `spread` has put them. The shuffle worked
    along both axes."""
)
def rows_alone_back(x, rows, columns):
    return spread(x, x.shape[1] // rows, x.shape[2])


@gather.mistake(
    """Your columns are back, and your rows are where `spread` has put them. The shuffle worked
    along both axes."""
)
def columns_alone_back(x, rows, columns):
    return spread(x, x.shape[1], x.shape[2] // columns)


@gather.mistake(
    """The two numbers have changed places: the count of windows along the width is used for the
    height. Right on square maps alone."""
)
def counts_exchanged(x, rows, columns):
    H, W = x.shape[1:3]
    return spread(x, W // columns, H // rows)


@gather.mistake(
    """rows and columns have changed places: the height is cut for the columns of a window. Right
    for square windows alone."""
)
def rows_for_columns_back(x, rows, columns):
    H, W = x.shape[1:3]
    return spread(x, H // columns, W // rows)


@gather.mistake(
    """You cut and lay down windows, as `window_reverse` does. But a spread map is a map already:
    its windows lie in their places, and what is in them comes from all over. What did `spread` swap
    along each axis?"""
)
def lays_windows_down(x, rows, columns):
    B, H, W, C = x.shape
    return window_reverse(x.reshape(B, -1, rows * columns, C), rows, columns, H, W)
