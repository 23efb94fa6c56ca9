"""Shuffle Transformer: who reaches whom with and without the shuffle, and numbers of the authors'
code."""

import pytest
import torch
from torch import nn
from window_helpers import by_rule, images_by_rule, in_own_window, reach

from tutorial_lib.layers.windows import gather, spread
from tutorial_lib.models.backbones.shuffle import Shuffle, ShuffleBlock
from tutorial_lib.models.backbones.swin import SwinBlock

SIDE, WINDOW = 9, 3
PLACES = [(0, 0), (4, 5), (8, 2)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def blocks(*shuffled, connected=False):
    found = (ShuffleBlock(4, 2, 8, WINDOW, each, connected) for each in shuffled)
    return nn.Sequential(*found).double().eval()  # BatchNorm in training mixes all


@pytest.mark.parametrize("row, column", PLACES)
def test_two_blocks_reach_everything_where_swin_does_not(row, column):
    """While there are no more windows in a direction than tokens in one, each shuffled window has a
    token of every window."""
    assert reach(blocks(False, True), SIDE, SIDE, 4, row, column).all()
    swin = nn.Sequential(SwinBlock(4, 2, 8, WINDOW), SwinBlock(4, 2, 8, WINDOW, 1)).double()
    assert not reach(swin, SIDE, SIDE, 4, row, column).all()


@pytest.mark.parametrize("row, column", PLACES)
def test_without_the_shuffle_windows_stay_by_themselves(row, column):
    found = reach(blocks(False, False), SIDE, SIDE, 4, row, column)
    assert found.equal(in_own_window(SIDE, SIDE, WINDOW, WINDOW, row, column))


@pytest.mark.parametrize("row, column", PLACES)
def test_a_shuffled_block_reaches_tokens_at_equal_distances(row, column):
    found = reach(blocks(True), SIDE, SIDE, 4, row, column)
    expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected[row % 3 :: 3, column % 3 :: 3] = True
    assert found.equal(expected)


def test_the_connection_reaches_the_windows_of_the_neighbours():
    """The middle of a window hears its own window and, one token further, all that attention gave
    to the tokens around it; these are of the same window. A corner hears four windows."""
    found = reach(blocks(False, connected=True), SIDE, SIDE, 4, 4, 4)
    assert found.equal(in_own_window(SIDE, SIDE, WINDOW, WINDOW, 4, 4))
    found = reach(blocks(False, connected=True), SIDE, SIDE, 4, 3, 3)
    expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected[:6, :6] = True
    assert found.equal(expected)


def test_a_shuffled_block_is_a_plain_one_between_a_permutation_and_its_inverse():
    (shuffled,), x = blocks(True), torch.randn(2, 6, 9, 4, dtype=torch.float64)
    torch.testing.assert_close(gather(spread(x, 3, 3), 3, 3), x, rtol=0, atol=0)
    expected = gather(shuffled.attention(spread(x, 3, 3)), 3, 3)
    torch.testing.assert_close(shuffled.mix(x), expected, rtol=0, atol=0)


def test_equals_the_authors_code():
    """Logits of shuffle_transformer.py of mulinmeng/Shuffle-Transformer (commit 8ba81ea) in
    float64, with these weights, for sizes that have every part; the biases that it has not are 0.
    With random weights in both, the logits and the gradient of the images agreed to 1e-11 of their
    size."""
    model = by_rule(Shuffle(4, 3, 3, 5, 32, (2, 2, 2, 2), (1, 2, 4, 8)))
    for name, parameter in model.named_parameters():
        if name.endswith(("to_q.bias", "to_k.bias", "to_v.bias")):
            parameter.data.zero_()
    expected = [
        [-0.270889144, -1.820109683, 1.122703578, 3.37507493, -1.595869395],
        [-0.269145393, -1.784657764, 1.125822362, 3.253705626, -1.494200625],
    ]
    with torch.no_grad():
        found = model(images_by_rule(2, 3, 96))
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8
    )


def test_controls_have_no_shuffle_or_no_connection():
    for shuffled in (True, False):
        model = Shuffle(4, 3, 1, 2, 4, (3, 2), (1, 2), shuffled, connected=False)
        found = [block.shuffled for stage in model.stages for block in stage]
        assert found == [False, shuffled, False, False, shuffled]
        assert not any("neighbours" in name for name in model.state_dict())


def test_tokens_are_patch_pixels_apart():
    for patch in (2, 4):
        model = Shuffle(patch, 3, 1, 2, 4, (1, 1), (1, 2)).eval()
        found = [f.shape[1:] for f in model.features(torch.zeros(2, 1, 6 * patch, 6 * patch))]
        assert found == [(6, 6, 4), (3, 3, 8)]
    with pytest.raises(ValueError, match="patch 3: expected 2 or 4 pixels"):
        Shuffle(3, 3, 1, 2, 4, (1,), (1,))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a window of 4: expected an odd number"):
        ShuffleBlock(4, 1, 8, 4, False)
    with pytest.raises(ValueError, match="depths of 2 stages, heads of 1"):
        Shuffle(4, 3, 1, 2, 4, (1, 1), (1,))
