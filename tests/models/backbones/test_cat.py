"""CAT: who reaches whom, on which channel, at what cost; joined tokens, gradients."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.local_attention import LocalAttention
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring.reach import reach
from tutorial_lib.models.backbones.cat import CAT, CrossPatchAttention, cat_block


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_inner_stays_in_its_patch_and_cross_reaches_every_patch():
    x = torch.randn(1, 4, 6, 4)
    patch = torch.arange(4)[:, None] // 2 * 3 + torch.arange(6) // 2
    same = patch[:, :, None, None] == patch
    inner, cross, last = cat_block(4, 2, 2, 8)
    assert torch.equal(reach(nn.Sequential(inner, last), x), same)
    assert reach(cross, x).all()


def test_cross_patch_attention_keeps_every_channel_to_itself():
    attention, x = CrossPatchAttention(2), torch.randn(1, 4, 6, 3)
    changed = x.clone()
    changed[:, 1, 4, 2] += 1  # one channel of one token
    moved = (attention(x) - attention(changed)).abs() > 1e-7
    assert moved[..., 2].all() and not moved[..., :2].any()


def test_cross_patch_attention_is_attention_of_whole_patches():
    attention, x = CrossPatchAttention(2), torch.randn(2, 4, 6, 3)
    found = attention(x)
    for channel in range(3):
        corners = [(i, j) for i in (0, 2) for j in (0, 2, 4)]
        patches = [x[:, i : i + 2, j : j + 2, channel].flatten(1) for i, j in corners]
        heard = MultiHeadAttention.forward(attention, torch.stack(patches, dim=1))
        for (i, j), patch in zip(corners, heard.unbind(1)):
            torch.testing.assert_close(found[:, i : i + 2, j : j + 2, channel].flatten(1), patch)


def flops(layer, x):
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        layer(x)
    return counter.get_total_flops()


@pytest.mark.parametrize("side, dim", [(16, 8), (16, 32), (32, 8)])
def test_both_cost_less_than_attention_of_all_with_all(side, dim):
    x, n, patch = torch.randn(1, side, side, dim), side**2, 4
    inner = flops(LocalAttention(dim, 2, patch, relative=True), x)
    cross = flops(CrossPatchAttention(patch), x)
    everyone = flops(MultiHeadAttention(dim, 2), x.flatten(1, 2))
    # four projections and two products with the scores, a multiplication and an addition each
    assert inner == 8 * n * dim**2 + 4 * n * patch**2 * dim
    assert cross == 8 * n * dim * patch**2 + 4 * (n // patch**2) ** 2 * patch**2 * dim
    assert everyone == 8 * n * dim**2 + 4 * n**2 * dim
    assert inner < everyone and cross < everyone


def test_every_weight_learns():
    model = CAT(2, 3, 2, 4, patch=2, depths=(1, 1), heads=(2, 4), ratio=2)
    model(torch.randn(3, 2, 8, 16)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0 or name.endswith("to_k.bias"), name


def test_cat_s_has_37_million_parameters():
    with torch.device("meta"):
        model = CAT(3, 1000, 4, 96, patch=7, depths=(1, 1, 3, 1), heads=(3, 6, 12, 24))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6) == 37


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 depths and 2 heads, expected one a stage"):
        CAT(1, 2, 2, 4, 2, depths=(1,), heads=(2, 2))
    with pytest.raises(ValueError, match="6 × 6 tokens do not divide into windows of 4 × 4"):
        CAT(1, 2, 2, 4, 4, depths=(1,), heads=(2,))(torch.zeros(1, 1, 12, 12))
