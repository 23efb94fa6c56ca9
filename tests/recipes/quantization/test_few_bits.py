"""What chapter 36's recipes on the course's ViT share: rounding for a while, sizes, budgets."""

import pytest
import torch
from torch import nn

from tutorial_lib.layers.calibration import quantize_linears
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.models.efficient import quantized_vit
from tutorial_lib.recipes.quantization import few_bits, ptq, straight


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3))


def test_a_model_is_rounded_for_as_long_as_it_lasts_also_if_something_raises():
    model = small()
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(KeyError), straight.rounded(model, 2):
        for weight in straight.matrices(model):
            assert all(len(row.unique()) <= 4 for row in weight)
        assert (model[0].bias == before[1]).all()
        raise KeyError
    assert all((p == b).all() for p, b in zip(model.parameters(), before))


def test_the_gradient_is_that_of_the_rounded_model():
    model, x = small(), torch.randn(4, 6)
    with straight.rounded(model, 2):
        model(x).square().sum().backward()
    by_hand = small()
    with torch.no_grad():
        for weight in straight.matrices(by_hand):
            weight.copy_(straight.few_bits(weight, 2))
    by_hand(x).square().sum().backward()
    for found, wanted in zip(model.parameters(), by_hand.parameters()):
        torch.testing.assert_close(found.grad, wanted.grad)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_a_files_size_is_counted_to_the_byte(bits):
    made = quantize_linears(small(), torch.randn(10, 6), bits)
    packed = -(-30 * bits // 8) + -(-15 * bits // 8)
    floats = (5 + 5 + 1) + (3 + 3 + 1)  # scales of weights, biases, a scale of inputs
    assert few_bits.stored_bytes(made) == packed + 2 + 4 * floats
    assert few_bits.stored_bytes(small()) == 4 * (30 + 5 + 15 + 3)


def test_a_vits_size_counts_its_matrices_in_their_bits():
    torch.manual_seed(0)
    model = ViT(8, 4, 2, 3, dim=8, depth=1, heads=2, hidden=12)
    whole, made = few_bits.stored_bytes(model), quantized_vit.with_products(model)
    parts = quantized_vit.products(made)
    scales = 4 * 2 * len(parts)  # of both sides
    assert ptq.stored_bytes(made) == whole + scales
    parts["encoder.0.attention.to_q.product"].bits = 4
    assert ptq.stored_bytes(made) == whole + scales - 64 * 28 / 8


def test_one_scale_is_that_of_the_largest_row():
    made = quantize_linears(small(), torch.randn(10, 6), 4, few_bits.one_scale)
    torch.testing.assert_close(made[0].weight_scale, made[0].weight_scale[:1].expand(5))
    torch.testing.assert_close(made[0].weight_scale[0], small()[0].weight.abs().max() / 7)


def test_bits_turned_round_are_the_same_bits():
    bits = {"encoder.0.attention": 3, "encoder.1.attention": 6, "encoder.2.attention": 4}
    bits |= {"encoder.0.feed_forward": 5, "encoder.1.feed_forward": 4}
    turned = ptq.turned_round(bits)
    assert turned == {
        "encoder.0.attention": 6,
        "encoder.1.attention": 3,
        "encoder.2.attention": 4,
        "encoder.0.feed_forward": 4,
        "encoder.1.feed_forward": 5,
    }
