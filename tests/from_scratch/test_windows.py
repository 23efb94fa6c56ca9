"""Windows in NumPy against loops over tokens, and the layers' versions against these."""

import itertools

import numpy as np
import pytest
import torch

from tutorial_lib.from_scratch import windows as course
from tutorial_lib.layers import windows as layers

GRIDS = [(1, 1, 1, 1), (4, 6, 2, 3), (6, 4, 3, 1), (6, 6, 6, 6), (2, 9, 1, 3), (8, 4, 2, 2)]
every_grid = pytest.mark.parametrize("height, width, rows, columns", GRIDS)


def named(height, width):
    """A batch of two grids whose tokens are all different."""
    return np.arange(2 * height * width * 3).reshape(2, height, width, 3)


@every_grid
def test_partition_puts_each_token_into_its_window(height, width, rows, columns):
    x = named(height, width)
    windows = course.window_partition(x, rows, columns)
    across = width // columns
    for row, column in itertools.product(range(height), range(width)):
        window = row // rows * across + column // columns
        place = row % rows * columns + column % columns
        np.testing.assert_array_equal(windows[:, window, place], x[:, row, column])
    back = course.window_reverse(windows, rows, columns, height, width)
    np.testing.assert_array_equal(back, x)


@every_grid
def test_spread_windows_hold_tokens_of_equal_distance(height, width, rows, columns):
    x = named(height, width)
    spread = course.spread(x, rows, columns)
    down, across = height // rows, width // columns
    windows = course.window_partition(spread, rows, columns)
    for y, x0 in itertools.product(range(down), range(across)):
        expected = x[:, y::down, x0::across].reshape(2, rows * columns, 3)
        np.testing.assert_array_equal(windows[:, y * across + x0], expected)
    assert sorted(spread.flat) == sorted(x.flat)  # a permutation
    np.testing.assert_array_equal(course.gather(spread, rows, columns), x)


@every_grid
def test_the_layers_move_the_same_tokens(height, width, rows, columns):
    x = named(height, width)
    for name in ("window_partition", "spread", "gather"):
        expected = getattr(course, name)(x, rows, columns)
        found = getattr(layers, name)(torch.from_numpy(x), rows, columns)
        np.testing.assert_array_equal(found, expected, err_msg=name)
    windows = torch.from_numpy(course.window_partition(x, rows, columns))
    np.testing.assert_array_equal(layers.window_reverse(windows, rows, columns, height, width), x)


@pytest.mark.parametrize("height, width, window", [(4, 6, 2), (6, 3, 3), (8, 8, 4), (5, 5, 5)])
def test_the_mask_lets_those_look_who_share_a_window_before_the_roll(height, width, window):
    """Roll the coordinates: two tokens of a rolled window may look at each other if they lie in one
    window of the grid cut at shift, shift + window, …"""
    for shift in range(window):
        mask = course.shift_mask(height, width, window, shift)
        places = np.stack(np.mgrid[:height, :width], axis=-1)[None]
        rolled = np.roll(places, (-shift, -shift), axis=(1, 2))
        windows = course.window_partition(rolled, window, window)[0]  # (windows, window², 2)
        uneven = (windows - shift) // window
        for found, cell in zip(mask, uneven):
            expected = (cell[:, None] == cell[None]).all(-1)
            np.testing.assert_array_equal(found, expected)
    assert course.shift_mask(height, width, window, 0).all()


def test_what_does_not_fit_is_refused():
    for f in (course.window_partition, course.spread):
        with pytest.raises(ValueError, match="4 × 6 tokens do not divide into windows of 2 × 4"):
            f(named(4, 6), 2, 4)
    with pytest.raises(ValueError, match="4 × 6 tokens do not divide into windows of 0 × 2"):
        course.window_counts(4, 6, 0, 2)
    with pytest.raises(ValueError, match="a shift of 3, expected 0 … 2"):
        course.shift_mask(6, 6, 3, 3)
    with pytest.raises(ValueError, match="5 × 6 tokens do not divide"):
        layers.window_partition(torch.zeros(1, 5, 6, 2), 2, 2)
