"""Twins: who reaches whom, what attention costs, summaries, positions, sizes, gradients."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring.reach import reach
from tutorial_lib.models.backbones.twins import PositionGenerator, SubsampledAttention, Twins


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def local(dim=6, window=2):
    return MapLayer(LocalAttention(dim, 2, window, relative=False), dim, 8)


def subsampled(dim=6, k=2):
    return MapLayer(SubsampledAttention(dim, 2, k), dim, 8)


def test_windows_never_reach_each_other_and_one_summary_layer_reaches_all():
    x = torch.randn(1, 4, 6, 6)
    window = torch.arange(4)[:, None] // 2 * 3 + torch.arange(6) // 2  # which one a token is in
    same = window[:, :, None, None] == window
    assert torch.equal(reach(torch.nn.Sequential(local(), local(), local()), x), same)
    assert reach(torch.nn.Sequential(local(), subsampled()), x).all()


def attention_flops(layer, x):
    """What the two products with the scores cost: all operations less those of projections."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        layer(x)
    counts = counter.get_flop_counts()["Global"]
    return sum(n for op, n in counts.items() if "bmm" in str(op))


@pytest.mark.parametrize("height, width, k, dim", [(4, 8, 2, 4), (8, 8, 4, 6), (6, 12, 3, 2)])
def test_cost_of_the_two_attentions(height, width, k, dim):
    x, n = torch.randn(1, height, width, dim), height * width
    inside = attention_flops(LocalAttention(dim, 2, k, relative=False), x)
    across = attention_flops(SubsampledAttention(dim, 2, k), x)
    everyone = attention_flops(MultiHeadAttention(dim, 2), x.flatten(1, 2))
    # 4: two products, of a multiplication and an addition each
    assert (inside, across, everyone) == (
        4 * n * k**2 * dim,
        4 * n**2 // k**2 * dim,
        4 * n**2 * dim,
    )


def test_a_summary_is_one_linear_map_of_its_window():
    layer = SubsampledAttention(4, 2, 2)
    x = torch.randn(2, 4, 6, 4)
    found = layer.summaries(x)
    assert found.shape == (2, 6, 4)
    kernel = layer.summarize.weight.permute(2, 3, 1, 0)  # (row, column, dim, dim)
    expected = torch.einsum("bijc,ijcd->bd", x[:, 2:, 4:], kernel) + layer.summarize.bias
    torch.testing.assert_close(found[:, 5], layer.norm(expected))


def test_one_summary_for_each_token_is_plain_attention():
    layer, x = SubsampledAttention(4, 2, 1), torch.randn(2, 3, 5, 4)
    expected = MultiHeadAttention.forward(layer, x.flatten(1, 2))
    torch.testing.assert_close(layer(x).flatten(1, 2), expected)


def test_tokens_that_are_alike_learn_where_the_border_is():
    generator, x = PositionGenerator(3), torch.ones(1, 5, 6, 3)
    out = generator(x)[0]
    inside = out[1:-1, 1:-1]
    torch.testing.assert_close(inside, inside[:1, :1].expand_as(inside))
    for border in (out[0, 0], out[0, 2], out[2, 0], out[-1, 2], out[2, -1]):
        assert (border - out[2, 2]).abs().max() > 1e-3


SIZES = dict(dims=(4, 8), depths=(2, 1), heads=(2, 2), summary=(2, 1), ratio=(2, 2))


@pytest.mark.parametrize("windows", [(2, 2), None], ids=["SVT", "PCPVT"])
def test_every_weight_learns_in_images_of_any_size(windows):
    model = Twins(2, 3, 2, windows=windows, **SIZES)
    assert model(torch.randn(1, 2, 8, 8)).shape == (1, 3)
    model(torch.randn(3, 2, 8, 16)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0 or name.endswith("to_k.bias"), name


def test_svt_s_has_24_million_parameters():
    with torch.device("meta"):
        model = Twins(
            3, 1000, 4, (64, 128, 256, 512), (2, 2, 10, 4), (2, 4, 8, 16), (8, 4, 2, 1), (7,) * 4,
            (4,) * 4,
        )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == 24_060_776  # as in timm 1.0.31


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"speak of \[2, 2, 2, 2, 1, 2\] stages"):
        Twins(1, 2, 2, windows=(2,), **SIZES)
    model = Twins(1, 2, 2, windows=(3, 1), **SIZES)
    with pytest.raises(ValueError, match="4 × 4 tokens do not divide into windows of 3 × 3"):
        model(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="takes no mask"):
        SubsampledAttention(4, 2, 2)(torch.zeros(1, 2, 2, 4), mask=torch.ones(1, 1).bool())
