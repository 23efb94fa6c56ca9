"""MSG-Transformer: only messengers carry anything from window to window; numbers of the authors'
code."""

import itertools

import pytest
import torch
from window_helpers import by_rule, images_by_rule, in_own_window, reach

from tutorial_lib.models.backbones.msg import MSG, MessengerAttention, MSGBlock, trade

PLACES = [(0, 0), (3, 5), (7, 6)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_part_j_of_messenger_i_becomes_part_i_of_messenger_j():
    messengers = torch.randn(2, 2, 4, 12)
    traded = trade(messengers, 2)
    for column in (0, 2):  # two regions of 2 × 2 windows
        before = messengers[:, :, column : column + 2].reshape(2, 4, 4, 3)
        after = traded[:, :, column : column + 2].reshape(2, 4, 4, 3)
        for i, j in itertools.product(range(4), repeat=2):
            torch.testing.assert_close(after[:, j, i], before[:, i, j], rtol=0, atol=0)
    torch.testing.assert_close(trade(traded, 2), messengers, rtol=0, atol=0)
    torch.testing.assert_close(trade(messengers, 1), messengers, rtol=0, atol=0)


def two_blocks(region, keep=lambda messengers: messengers):
    """Two blocks in windows of 2 × 2 on a grid of 8 × 8; what the first one's messengers tell the
    second one goes through keep. A function of the tokens."""
    first, second = (MSGBlock(16, 2, 8, 2, region).double() for _ in range(2))
    start = torch.randn(1, 4, 4, 16, dtype=torch.float64)

    def function(x):
        x, messengers = first(x, start)
        return second(x, keep(messengers))[0]

    return function


@pytest.mark.parametrize("row, column", PLACES)
def test_two_blocks_reach_the_region(row, column):
    for region in (2, 4):
        found = reach(two_blocks(region), 8, 8, 16, row, column)
        assert found.equal(in_own_window(8, 8, 2 * region, 2 * region, row, column))


@pytest.mark.parametrize("row, column", PLACES)
def test_without_the_trade_or_its_messengers_windows_stay_by_themselves(row, column):
    own = in_own_window(8, 8, 2, 2, row, column)
    assert reach(two_blocks(1), 8, 8, 16, row, column).equal(own)
    assert reach(two_blocks(4, torch.zeros_like), 8, 8, 16, row, column).equal(own)


def test_one_block_hears_no_other_window():
    """Messengers trade after attention: what they brought is heard in the next block."""
    block = MSGBlock(16, 2, 8, 2, 4).double()
    start = torch.randn(1, 4, 4, 16, dtype=torch.float64)
    found = reach(lambda x: block(x, start)[0], 8, 8, 16, 3, 5)
    assert found.equal(in_own_window(8, 8, 2, 2, 3, 5))


def test_the_messenger_has_numbers_in_place_of_offsets():
    layer = MessengerAttention(4, 2, 3)
    bias = layer.score_bias()
    torch.testing.assert_close(bias[:, 1:, 1:], layer.bias())
    assert bias.shape == (2, 10, 10)
    assert (bias[:, 1:, 0] == layer.to_messenger[:, 0]).all()
    assert (bias[:, 0] == layer.from_messenger[:, 0]).all()


def test_equals_the_authors_code():
    """Logits of models/msg_transformer.py of hustvl/MSG-Transformer (commit 068da56) in float64,
    with these weights, for sizes that have every part. With random weights in both, the logits and
    the gradient of the images agreed to 1e-14 of their size."""
    model = by_rule(MSG(4, 2, 3, 5, 16, (2, 2, 2, 1), (2, 2, 4, 4), (4, 2, 2, 1)))
    expected = [
        [-1.573408852, 0.456917398, 0.135101845, 0.002362118, -0.243118947],
        [-1.576541526, 0.479553801, 0.132068201, -0.018488218, -0.204436074],
    ]
    with torch.no_grad():
        found = model(images_by_rule(2, 3, 64))
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8
    )


def test_a_small_model_of_two_stages():
    model = MSG(2, 2, 1, 3, 16, (2, 1), (2, 2), (2, 1))
    x, messengers = model.features(torch.zeros(5, 1, 16, 16))
    assert x.shape == (5, 4, 4, 32) and messengers.shape == (5, 2, 2, 32)
    assert model(torch.zeros(5, 1, 16, 16)).shape == (5, 3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="6 features do not divide into 4 parts"):
        trade(torch.zeros(1, 2, 2, 6), 2)
    with pytest.raises(ValueError, match="3 × 2 tokens do not divide into windows of 2 × 2"):
        trade(torch.zeros(1, 3, 2, 8), 2)
    with pytest.raises(ValueError, match="depths of 1 stages, heads of 1, regions of 2"):
        MSG(2, 2, 1, 3, 16, (1,), (2,), (2, 1))
