"""Which tokens were neighbours before the roll."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.windows import window_partition


def shift_mask(height, width, window, shift):
    """Who may attend to whom after a grid was rolled by `shift` tokens up and to the left.

    height, width  of the grid, multiples of the window's side; window  that side, in tokens;
    shift  0 … window − 1
    ->  bool (n, N, N) for n windows of the rolled grid, N = window² tokens each, query by key: True
        where, along each axis, the roll carried both round the edge of the grid, or neither
    """
    below = np.arange(height) >= height - shift  # what has come round from the top
    beside = np.arange(width) >= width - shift  # what has come round from the left
    region = 2 * below[:, None] + beside  # (height, width), four names
    region = window_partition(region[None, :, :, None], window, window)[0, :, :, 0]  # (n, N)
    return region[:, :, None] == region[:, None, :]


shift_mask = Exercise(
    shift_mask,
    level=3,
    minutes=10,
    cases=lambda rng: (
        dict(zip(("height", "width", "window", "shift"), sizes))
        for sizes in [
            (2, 4, 2, 1),
            (6, 3, 3, 1),
            (4, 4, 2, 0),
            (6, 9, 3, 2),
            (4, 8, 4, 1),
            (8, 4, 4, 3),
            (6, 6, 3, 1),
        ]
    ),
    hints=(
        "Give the tokens of the rolled grid names, such that two of them may attend to each other "
        "if their names are equal. In the picture, a name is a colour.",
        "The last `shift` rows came round from the top, the last `shift` columns from the left: "
        "that makes two answers of yes or no for each token, and four names.",
        "`below[:, None] * 2 + beside` names a grid (height, width). Cut it with "
        "`window_partition`, which wants a batch and a feature, and compare "
        "`names[:, :, None] == names[:, None, :]`.",
    ),
)


def _same(region, window):
    """The mask from a name for each token (height, width)."""
    region = window_partition(np.asarray(region)[None, :, :, None], window, window)[0, :, :, 0]
    return region[:, :, None] == region[:, None, :]


def _came_round(length, shift):
    return (np.arange(length) >= length - shift).astype(int)


@shift_mask.mistake(
    """You mark the rows that came round, and no columns. In the last column of windows, tokens from
    the left edge now stand beside tokens from the right edge. How do they differ?"""
)
def rows_only(height, width, window, shift):
    return _same(np.repeat(_came_round(height, shift)[:, None], width, 1), window)


@shift_mask.mistake(
    """You mark the columns that came round, and no rows. In the last row of windows, tokens from
    the top now stand below tokens from the bottom. How do they differ?"""
)
def columns_only(height, width, window, shift):
    return _same(np.repeat(_came_round(width, shift)[None], height, 0), window)


@shift_mask.mistake(
    """You add the two marks, and two pieces get one name: came round from the top, and came round
    from the left, are both a 1. In the last window they may now attend to each other. How many
    names does that window need?"""
)
def adds_the_marks(height, width, window, shift):
    return _same(_came_round(height, shift)[:, None] + _came_round(width, shift), window)


@shift_mask.mistake(
    """You name two kinds of tokens: came round, and did not. In the last window four pieces lie
    together, three of which came round, each from another edge. Were those neighbours?"""
)
def came_round_or_not(height, width, window, shift):
    return _same(_came_round(height, shift)[:, None] | _came_round(width, shift), window)


@shift_mask.mistake(
    """Only the corner has a name of its own. What came round from the top, and not from the left,
    looks at its new neighbours without a mask."""
)
def the_corner_only(height, width, window, shift):
    return _same(_came_round(height, shift)[:, None] & _came_round(width, shift), window)


@shift_mask.mistake(
    """The border is in the wrong place: yours leaves window − shift tokens behind it. With a shift
    of half a window nobody notices. How many rows came round?"""
)
def the_other_piece(height, width, window, shift):
    rows, columns = (_came_round(n, (window - shift) % window) for n in (height, width))
    return _same(2 * rows[:, None] + columns, window)


@shift_mask.mistake(
    """The *first* windows of yours have a border, and the last have none: as after a roll down and
    to the right. A roll up and to the left brings the first rows where?"""
)
def the_first_windows(height, width, window, shift):
    rows, columns = (_came_round(n, n - shift) for n in (height, width))
    return _same(2 * rows[:, None] + columns, window)


@shift_mask.mistake(
    """True and False are exchanged: yours is True for those who must not attend, as in
    `masked_fill`. What does True mean in this course's masks?"""
)
def forbids(height, width, window, shift):
    rows, columns = (_came_round(n, shift) for n in (height, width))
    return ~_same(2 * rows[:, None] + columns, window)


@shift_mask.mistake(
    """Yours is to be added to the scores, zeros and large negative numbers, as in the published
    code. Here a mask says True and False."""
)
def to_be_added(height, width, window, shift):
    rows, columns = (_came_round(n, shift) for n in (height, width))
    return np.where(_same(2 * rows[:, None] + columns, window), 0.0, -100.0)


@shift_mask.mistake(
    """The right mask for each window, but they stand apart: (down, across, N, N). The windows share
    one axis, row by row."""
)
def two_axes_of_windows(height, width, window, shift):
    rows, columns = (_came_round(n, shift) for n in (height, width))
    mask = _same(2 * rows[:, None] + columns, window)
    return mask.reshape(height // window, width // window, *mask.shape[1:])


@shift_mask.mistake(
    """The names are in order and the windows are not cut out: you compare runs of the grid. Which
    function of yours cuts a grid?"""
)
def reshaped_names(height, width, window, shift):
    rows, columns = (_came_round(n, shift) for n in (height, width))
    region = (2 * rows[:, None] + columns).reshape(-1, window * window)
    return region[:, :, None] == region[:, None, :]


@shift_mask.mistake(
    """You name tokens by the window in which they stood before the roll: only those who shared one
    may attend to each other. But windows move so that the others meet. Who is kept apart, those
    from two windows or those from two edges of the grid?"""
)
def by_old_windows(height, width, window, shift):
    rows, columns = (np.roll(np.arange(n) // window, -shift) for n in (height, width))
    return _same(rows[:, None] * width + columns, window)


@shift_mask.mistake(
    """Your mask hides nobody. In the last windows, tokens from opposite edges of the grid now stand
    side by side: what tells them apart?"""
)
def hides_nobody(height, width, window, shift):
    return np.ones((height * width // window**2, window**2, window**2), dtype=bool)


@shift_mask.mistake(
    """Your border lies one row and one column too far: shift − 1 of them stand behind it. How many
    came round?"""
)
def one_too_far(height, width, window, shift):
    rows, columns = (_came_round(n, max(shift - 1, 0)) for n in (height, width))
    return _same(2 * rows[:, None] + columns, window)


@shift_mask.mistake(
    """Both borders are counted from the height, or both from the width. Right on square grids
    alone."""
)
def one_length_for_both(height, width, window, shift):
    rows, columns = _came_round(height, shift), np.arange(width) >= height - shift
    return _same(2 * rows[:, None] + columns, window)


@shift_mask.mistake(
    """Both borders are counted from the width, or both from the height. Right on square grids
    alone."""
)
def the_width_for_both(height, width, window, shift):
    rows, columns = np.arange(height) >= width - shift, _came_round(width, shift)
    return _same(2 * rows[:, None] + columns, window)
