"""Big Bird's mask and its graph."""

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from tutorial_lib.from_scratch.big_bird import (
    big_bird_mask,
    diameter,
    draw_random_blocks,
    heard,
    spectral_gap,
)

NONE = np.empty((9, 0), int)


def mask_of(n, window=3, ends=False, count=0, seed=0):
    return big_bird_mask(n, window, ends, draw_random_blocks(n, count, np.random.default_rng(seed)))


def test_random_blocks_are_different_and_never_the_block_itself():
    drawn = draw_random_blocks(6, 5, np.random.default_rng(0))
    for i, row in enumerate(drawn):
        assert sorted(row) == sorted({*range(6)} - {i})


def test_the_window_does_not_wrap():
    mask = big_bird_mask(9, 5, False, NONE)
    for i, j in np.ndindex(9, 9):
        assert mask[i, j] == (abs(i - j) <= 2)


def test_global_blocks_see_all_and_are_seen_by_all():
    mask = big_bird_mask(9, 1, True, NONE)
    assert mask[[0, -1]].all() and mask[:, [0, -1]].all() and mask[4].sum() == 3


@pytest.mark.parametrize("count", [0, 1, 2])
def test_entries_grow_with_n_and_not_with_its_square(count):
    entries = [mask_of(n, ends=True, count=count).sum() for n in (32, 64, 128)]
    assert entries[-1] <= (3 + 4 + count) * 128
    assert entries[2] / entries[1] < 2.2 and entries[1] / entries[0] < 2.2


@pytest.mark.parametrize(
    "count, ends, window", [(0, False, 3), (2, False, 3), (1, True, 1), (0, False, 7)]
)
def test_the_diameter_is_the_longest_of_all_shortest_paths(count, ends, window):
    for n in (2, 5, 20):
        mask = mask_of(n, window, ends, min(count, n - 1))
        far = shortest_path(mask.astype(int), unweighted=True)
        assert diameter(mask) == far.max()
        for layers in range(4):
            np.testing.assert_array_equal(heard(mask, layers), far <= layers)


def test_the_diameter_of_each_pattern():
    for n in (8, 64):
        assert diameter(mask_of(n)) == n - 1  # a neighbour a layer
        assert diameter(mask_of(n, window=1)) == np.inf
        assert diameter(mask_of(n, ends=True)) == 2
        random = [diameter(mask_of(n, count=2, seed=seed)) for seed in range(5)]
        assert max(random) <= 2 + np.log2(n)
    assert diameter(np.ones((3, 3), bool)) == 1 and diameter(np.ones((1, 1), bool)) == 0


def test_spectral_gap():
    assert spectral_gap(np.ones((5, 5), bool)) == pytest.approx(1)
    assert spectral_gap(mask_of(8, window=1)) == pytest.approx(0)
    # A ring of n blocks with loops: eigenvalues (1 + 2 cos 2πk/n) / 3.
    ring = np.eye(12, dtype=bool)
    ring |= np.roll(ring, 1, axis=1)
    assert spectral_gap(ring) == pytest.approx(1 - (1 + 2 * np.cos(2 * np.pi / 12)) / 3)
    for n in (32, 128):
        assert spectral_gap(mask_of(n)) < 0.01 < 0.1 < spectral_gap(mask_of(n, count=2))
