"""What T2T-ViT borrows from convolutional networks: gates, ghosts, dense connections, branches."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.ghost import GhostLinear, GhostModule
from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.t2t import TokenTransformer
from tutorial_lib.models.backbones.t2t_variants import (
    BareTokenTransformer,
    DenseLayer,
    GhostLayer,
    SqueezeExcitationLayer,
    Transition,
    dense_layers,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def flops(module, *inputs):
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops()


# The token layer without its first norm


@pytest.mark.parametrize("layer, blind", [(TokenTransformer, True), (BareTokenTransformer, False)])
def test_the_first_norm_takes_brightness_and_contrast(layer, blind):
    windows = torch.randn(1, 6, 9)
    brighter = 0.1 + 0.5 * windows  # but not less even than the eps of a LayerNorm
    module = layer(9, 4)
    assert torch.allclose(module(windows), module(brighter), atol=1e-3) == blind


def test_both_token_layers_start_from_the_same_weights():
    layers = []
    for layer in (TokenTransformer, BareTokenTransformer):
        torch.manual_seed(0)
        layers.append(layer(9, 4))
    torch.testing.assert_close(layers[0].to_q.weight, layers[1].to_q.weight)
    torch.testing.assert_close(layers[0].to_out.weight, layers[1].to_out.weight)


# Squeeze-and-excitation


def test_gate_is_between_zero_and_one_and_the_same_at_all_positions():
    module = SqueezeExcitation(6, 2)
    u = torch.rand(3, 6, 4, 5) + 0.5
    s = module.gate(u)
    assert s.shape == (3, 6) and ((s > 0) & (s < 1)).all()
    torch.testing.assert_close(module(u) / u, s[..., None, None].expand_as(u))
    torch.testing.assert_close(module.gate(u.flip(2, 3)), s)


def test_gate_sees_the_mean_of_a_channel_alone():
    module = SqueezeExcitation(4, 4)
    u = torch.randn(2, 4, 9)
    even = u.mean(dim=2, keepdim=True).expand_as(u)
    torch.testing.assert_close(module.gate(u), module.gate(even))


def test_more_reduction_than_channels():
    with pytest.raises(ValueError, match="3 channels cannot be reduced 4 times"):
        SqueezeExcitation(3, 4)


@pytest.mark.parametrize("reduction", [0, -1])
def test_a_reduction_below_one(reduction):
    with pytest.raises(ValueError, match=f"a reduction of 1 or more, got {reduction}"):
        SqueezeExcitation(4, reduction)


def test_an_open_gate_leaves_an_encoder_layer():
    layer = SqueezeExcitationLayer(8, 2, 16, 4)
    plain = EncoderLayer(8, 2, 16)
    plain.load_state_dict(layer.state_dict(), strict=False)
    x = torch.randn(2, 5, 8)
    assert not torch.allclose(layer(x), plain(x))
    layer.excite.gate = lambda u: torch.ones(u.shape[:2])
    torch.testing.assert_close(layer(x), plain(x))


# Ghosts


@pytest.mark.parametrize("ratio", [2, 4])
def test_a_ghost_module_takes_about_ratio_times_fewer_operations(ratio):
    c, n, k, d = 32, 16, 3, 3
    x = torch.randn(2, c, 6, 5)
    measured = flops(nn.Conv2d(c, n, k, padding=1, bias=False), x) / flops(
        GhostModule(c, n, k, d, ratio), x
    )
    predicted = ratio * c * k**2 / (c * k**2 + (ratio - 1) * d**2)
    assert measured == pytest.approx(predicted)
    assert 0.9 * ratio < measured <= ratio


def test_ghosts_are_made_of_the_computed_maps_alone():
    module = GhostModule(3, 8, 3, 3, 2)
    x = torch.randn(1, 3, 5, 4)
    y = module(x)
    assert y.shape == (1, 8, 5, 4)
    torch.testing.assert_close(y[:, :4], module.primary(x))
    with torch.no_grad():
        module.primary.weight[2] = 0
    changed = (module(x) - y).abs().sum(dim=(0, 2, 3)) > 1e-6
    assert changed.tolist() == [i in (2, 6) for i in range(8)]


def test_without_a_bend_ghosts_add_nothing_to_the_rank():
    x = torch.randn(50, 12).double()
    linear, bent = GhostLinear(12, 12, 2).double(), GhostLinear(12, 12, 2, F.gelu).double()
    assert torch.linalg.matrix_rank(linear(x) - linear(0 * x)) == 6
    assert torch.linalg.matrix_rank(bent(x)) == 12


def test_ghosts_need_whole_groups():
    for make in (lambda: GhostModule(3, 7, 3, 3, 2), lambda: GhostLinear(3, 7, 2)):
        with pytest.raises(ValueError, match="7 .* not a multiple of the ratio 2"):
            make()


@pytest.mark.parametrize("ratio", [1, 0, -2])
def test_ghosts_need_a_ratio_of_two_or_more(ratio):
    for make in (lambda: GhostModule(4, 4, 3, 3, ratio), lambda: GhostLinear(4, 4, ratio)):
        with pytest.raises(ValueError, match=f"a ratio of 2 or more, got {ratio}"):
            make()


@pytest.mark.parametrize("kernels", [(2, 3), (3, 4)])
def test_a_ghost_module_needs_odd_kernels(kernels):
    with pytest.raises(ValueError, match="odd kernels, got {} and {}".format(*kernels)):
        GhostModule(4, 8, *kernels, 2)


def test_a_ghost_layer_has_fewer_parameters():
    dim, hidden, ratio = 12, 36, 3
    count = [
        sum(p.numel() for p in make().parameters())
        for make in (
            lambda: EncoderLayer(dim, 3, hidden),
            lambda: GhostLayer(dim, 3, hidden, ratio),
        )
    ]
    saved_in_attention = 3 * (dim * dim // 2 + dim // 2 - dim // 2)  # half the map, but scales
    saved_above = (dim + 1) * (hidden - hidden // ratio) - (ratio - 1) * hidden // ratio
    assert count[0] - count[1] == saved_in_attention + saved_above


# Dense connections


def test_dense_features_pass_unchanged_and_grow():
    layer = DenseLayer(8, 2, 16, 4)
    x = torch.randn(2, 5, 8)
    y = layer(x)
    assert y.shape == (2, 5, 12)
    torch.testing.assert_close(y[..., :8], x)
    torch.testing.assert_close(y[..., 8:], layer.shrink(layer.layer(x)))


def test_widths_of_the_official_dense_model_an_eighth_as_wide():
    layers, dim_out = dense_layers(16, 1, 8, (3, 6, 6, 4))
    widths = [layer.shrink.in_features for layer in layers if isinstance(layer, Transition)]
    # 16 + 3 · 8 = 40, half of it + 6 · 8 = 68, half of it + 6 · 8 = 82, half of it + 4 · 8 = 73
    assert widths == [40, 68, 82] and dim_out == 73
    assert len(layers) == 19 + 3


def test_the_last_layer_hears_every_layer_of_its_block_directly():
    layers, dim_out = dense_layers(4, 2, 2, (3,))
    x = torch.randn(1, 5, 4)
    outputs = [x]
    for layer in layers:
        outputs.append(layer(outputs[-1]))
    assert dim_out == 10 and outputs[-1].shape == (1, 5, 10)
    for i, y in enumerate(outputs):
        torch.testing.assert_close(outputs[-1][..., : 4 + 2 * i], y)


# Grouped convolutions, ResNeXt's form of many heads


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_a_grouped_convolution_is_a_sum_of_branches(groups):
    x, weight = torch.randn(2, 6, 5, 4), torch.randn(12, 6 // groups, 3, 3)
    grouped = F.conv2d(x, weight, padding=1, groups=groups)
    total = torch.zeros(2, 12, 5, 4)
    for g in range(groups):
        i, o = (
            slice(6 // groups * g, 6 // groups * (g + 1)),
            slice(12 // groups * g, 12 // groups * (g + 1)),
        )
        branch = torch.zeros_like(total)
        branch[:, o] = F.conv2d(x[:, i], weight[o], padding=1)
        total += branch
    torch.testing.assert_close(total, grouped)


def test_more_heads_cost_nothing():
    x = torch.randn(1, 7, 32)
    few, many = EncoderLayer(32, 4, 64), EncoderLayer(32, 16, 64)
    assert sum(p.numel() for p in few.parameters()) == sum(p.numel() for p in many.parameters())
    assert flops(few, x) == flops(many, x)
