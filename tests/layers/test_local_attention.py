"""Windows of a map and attention inside them, against loops."""

import pytest
import torch

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.windows import window_partition, window_reverse


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("height, width, size", [(4, 6, 2), (6, 3, 3), (2, 4, 1), (5, 5, 5)])
def test_windows_are_cut_row_by_row_and_put_back(height, width, size):
    x = torch.randn(2, height, width, 3)
    windows = window_partition(x, size, size)
    columns = width // size
    for i in range(windows.shape[1]):
        top, left = i // columns * size, i % columns * size
        expected = x[:, top : top + size, left : left + size].reshape(2, size**2, 3)
        assert torch.equal(windows[:, i], expected)
    assert torch.equal(window_reverse(windows, size, size, height, width), x)


@pytest.mark.parametrize("relative", [False, True])
def test_window_attention_is_attention_in_each_window(relative):
    layer = LocalAttention(6, 3, 2, relative)
    x = torch.randn(2, 4, 6, 6)
    if relative:
        layer.relative.table.data.normal_()
    bias = layer.relative() if relative else None
    windows = window_partition(x, 2, 2)
    each = [MultiHeadAttention.forward(layer, w, score_bias=bias) for w in windows.unbind(1)]
    torch.testing.assert_close(layer(x), window_reverse(torch.stack(each, 1), 2, 2, 4, 6))


def test_a_map_layer_is_an_encoder_layer_around_its_attention():
    layer = MapLayer(LocalAttention(6, 2, 2, relative=False), 6, 8)
    x = torch.randn(1, 4, 4, 6)
    expected = x + layer.attention(layer.around_attention.norm(x))
    expected = expected + layer.feed_forward(layer.around_feed_forward.norm(expected))
    torch.testing.assert_close(layer(x), expected)
    with pytest.raises(ValueError, match="takes no mask"):
        layer(x, mask=torch.ones(1, 1, dtype=torch.bool))


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="4 × 6 tokens do not divide into windows of 4 × 4"):
        window_partition(torch.zeros(1, 4, 6, 2), 4, 4)
    with pytest.raises(ValueError, match=r"\(2, 16, 6\), expected \(B, H, W, dim\)"):
        LocalAttention(6, 2, 4, relative=False)(torch.zeros(2, 16, 6))
