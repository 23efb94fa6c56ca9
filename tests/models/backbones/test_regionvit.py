"""RegionViT: regions speak through their regional tokens alone; sizes, gradients."""

import pytest
import torch

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.models.backbones.regionvit import RegionalToLocal, RegionViT, Shrink


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def moved_by_a_local_token(layers, cut=False):
    """Which tokens change with one local token of region 2: bool (n,) regional, (n, m) local.
    With `cut` the regional tokens do not hear each other."""
    for layer in layers if cut else ():
        layer.around_regional.forward = lambda x, f: x

    def run(regional, local):
        for layer in layers:
            regional, local = layer(regional, local)
        return torch.cat([regional.unsqueeze(2), local], dim=2)[0]

    regional, local = torch.randn(1, 6, 4), torch.randn(1, 6, 9, 4)
    changed = local.clone()
    changed[0, 2, 5] += torch.randn(4)
    moved = (run(regional, local) - run(regional, changed)).abs().amax(-1) > 1e-7
    return moved[:, 0], moved[:, 1:]


def layers(count):
    return [RegionalToLocal(4, 2, 8, window=3) for _ in range(count)]


def test_one_layer_stays_in_the_region_and_two_reach_all():
    regional, local = moved_by_a_local_token(layers(1))
    assert regional.nonzero().flatten().tolist() == [2]
    assert local[2].all() and local.sum() == 9
    regional, local = moved_by_a_local_token(layers(2))
    assert regional.all() and local.all()


def test_regions_hear_of_each_other_through_regional_tokens_alone():
    regional, local = moved_by_a_local_token(layers(3), cut=True)
    assert regional.sum() == 1 and local.sum() == 9 and local[2].all()


def test_a_regional_token_is_heard_with_no_bias_and_by_the_same_weights():
    """Region by region, in loops."""
    layer = RegionalToLocal(4, 2, 8, window=3)
    layer.relative.table.data.normal_()
    regional, local = torch.randn(2, 6, 4), torch.randn(2, 6, 9, 4)
    spoken = regional + layer.attention(layer.around_regional.norm(regional))
    bias = torch.zeros(2, 10, 10)
    bias[:, 1:, 1:] = layer.relative()
    found = layer(regional, local)
    for i in range(6):
        x = torch.cat([spoken[:, i : i + 1], local[:, i]], dim=1)
        y = layer.around_local.norm(x)
        x = x + MultiHeadAttention.forward(layer.attention, y, score_bias=bias)
        x = x + layer.feed_forward(layer.around_feed_forward.norm(x))
        torch.testing.assert_close(found[0][:, i], x[:, 0])
        torch.testing.assert_close(found[1][:, i], x[:, 1:])


def test_a_smaller_map_reads_one_channel_for_each_of_its_own():
    shrink, x = Shrink(3, 6), torch.randn(1, 4, 6, 3)
    assert shrink(x).shape == (1, 2, 3, 6) and shrink(x[:, :1, :1]).shape == (1, 1, 1, 6)
    kernel = shrink.convolve.weight  # (6, 1, 3, 3)
    seen = torch.nn.functional.gelu(shrink.norm(x))[0, 1:4, 1:4, 2]  # around row 2, column 2
    expected = (kernel[4:, 0] * seen).sum((1, 2)) + shrink.convolve.bias[4:]
    torch.testing.assert_close(shrink(x)[0, 1, 1, 4:], expected)


def small(**other):
    sizes = dict(patch=2, window=2, dims=(4, 8), depths=(2, 1), heads=(2, 2), ratio=2)
    return RegionViT(2, 3, **(sizes | other))


def test_every_weight_learns_but_those_of_local_tokens_that_nobody_reads_again():
    model = small()
    model(torch.randn(3, 2, 16, 8)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0 or name.endswith(("to_k.bias", UNREAD)), name


# The last layer's bias moves scores of local tokens, whose answers are not classified.
UNREAD = "stages.1.0.relative.table"


def test_regionvit_b_has_the_size_of_the_paper():
    with torch.device("meta"):
        model = RegionViT(3, 1000, 4, 7, (128, 256, 512, 1024), (2, 2, 14, 2), (4, 8, 16, 32))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 72.7


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="patch is 1, expected 2 pixels or more"):
        small(patch=1)
    with pytest.raises(ValueError, match=r"speak of \[2, 1, 2\] stages"):
        small(depths=(1,))
    with pytest.raises(ValueError, match="6 features are no multiple of the 4 before them"):
        small(dims=(4, 6))
    with pytest.raises(ValueError, match="12 × 10 pixels do not divide into patches of 4"):
        small()(torch.zeros(1, 2, 12, 10))
    with pytest.raises(ValueError, match="3 × 3 tokens do not divide into windows of 2 × 2"):
        small()(torch.zeros(1, 2, 12, 12))
