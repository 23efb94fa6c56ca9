"""Swin: who reaches whom, what is refused. That it computes what Hugging Face's does is in
tests/parity."""

import itertools

import pytest
import torch
from torch import nn
from window_helpers import in_own_window, reach

from tutorial_lib.models.backbones.swin import Swin, SwinBlock

SIDE, WINDOW = 8, 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def blocks(*shifts):
    return nn.Sequential(*(SwinBlock(4, 2, 8, WINDOW, shift) for shift in shifts)).double()


@pytest.mark.parametrize("row, column", [(0, 0), (3, 4), (7, 7), (2, 6)])
def test_windows_that_stay_never_exchange_anything(row, column):
    found = reach(blocks(0, 0, 0), SIDE, SIDE, 4, row, column)
    assert found.equal(in_own_window(SIDE, SIDE, WINDOW, WINDOW, row, column))


@pytest.mark.parametrize("row, column", [(0, 0), (3, 4), (7, 7), (2, 6)])
def test_a_shifted_block_reaches_the_windows_that_its_own_one_touches(row, column):
    own = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    touched = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    for y, x in itertools.product(range(SIDE), repeat=2):
        if (y + 2) // WINDOW == (row + 2) // WINDOW and (x + 2) // WINDOW == (column + 2) // WINDOW:
            own[y, x] = True
            touched |= in_own_window(SIDE, SIDE, WINDOW, WINDOW, y, x)
    assert reach(blocks(2), SIDE, SIDE, 4, row, column).equal(own)
    assert reach(blocks(0, 2), SIDE, SIDE, 4, row, column).equal(touched)


def test_every_second_block_is_shifted_and_the_control_has_none():
    for shifted, expected in [(True, [0, 3, 0, 0, 3]), (False, [0] * 5)]:
        model = Swin(2, 7, 1, 10, 8, (3, 2), (1, 2), shifted)
        assert [b.attention.shift for s in model.stages for b in s] == expected


def test_features_of_each_stage_and_images_of_other_sizes():
    model = Swin(2, 2, 3, 5, 4, (1, 1, 1), (1, 2, 4))
    for height, width in [(16, 16), (32, 16)]:
        found = [f.shape[1:] for f in model.features(torch.zeros(2, 3, height, width))]
        assert found == [(height // s, width // s, d) for s, d in [(2, 4), (4, 8), (8, 16)]]
        assert model(torch.zeros(2, 3, height, width)).shape == (2, 5)
    with pytest.raises(ValueError, match="6 × 8 tokens do not divide into windows of 4 × 4"):
        Swin(2, 4, 3, 5, 4, (1,), (1,))(torch.zeros(1, 3, 12, 16))


def test_stages_are_told_in_equal_number():
    with pytest.raises(ValueError, match="depths of 2 stages, heads of 1"):
        Swin(2, 2, 3, 5, 4, (1, 1), (1,))
