"""Riptide: floats in training and integers in deployment compute the same numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.from_scratch.packed_bits import fused_glue
from tutorial_lib.models.efficient.riptide import (
    BinaryBlock,
    Riptide,
    integer_block,
    power_of_two,
    to_levels,
)


def settled(module, *inputs):
    """A module in evaluation whose running averages are those of its inputs."""
    for _ in range(50):
        module(*inputs)
    return module.eval()


@pytest.mark.parametrize("bits", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_in_integers_is_the_block_in_floats(bits, stride):
    torch.manual_seed(bits)
    levels = torch.randint(2**bits, (5, 7, 6, 9)).float()
    block = settled(BinaryBlock(7, 9, stride, bits), levels)
    expected = block(levels)
    assert len(expected.unique()) == 2**bits  # all levels are used
    found = integer_block(levels.int().numpy(), *block.integers(), stride, bits)
    np.testing.assert_array_equal(found, expected.detach().numpy())


def test_the_glue_is_scale_norm_and_quantizer_but_for_the_rounded_mean():
    """Weight scale, norm with the exact mean, and quantizer in floats: at most a level apart, and
    seldom. With the mean on the grid there is no difference (the test above)."""
    rng = np.random.default_rng(0)
    sums = rng.integers(-60, 60, size=(1000, 4))
    mean, shift, bits = np.array([3.4, -7.6, 0.2, 12.0]), np.array([3, 4, 5, 3]), 2
    exact = np.clip(np.floor((sums - mean) / 2.0**shift + 0.5), 0, 3)
    found = fused_glue(sums, mean.round().astype(int), shift, bits)
    assert abs(found - exact).max() == 1
    assert (found != exact).mean() < 0.1
    np.testing.assert_array_equal(found[:, 3], exact[:, 3])  # its mean is on the grid


def test_the_whole_model_in_integers_gives_the_same_logits():
    torch.manual_seed(0)
    images = torch.randn(6, 1, 28, 28)
    model = settled(Riptide(1, 10, width=8, bits=2), images)
    torch.testing.assert_close(model.forward_integers(images), model(images), atol=1e-6, rtol=0)


def test_levels_are_rounded_half_up_and_pass_the_gradient_of_the_clipping():
    x = torch.tensor([-0.6, -0.2, 0.49, 0.5, 1.5, 2.7, 3.2], requires_grad=True)
    levels = to_levels(x, 2)
    assert levels.tolist() == [0, 0, 0, 1, 2, 3, 3]
    levels.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 1, 1, 1, 0]


def test_powers_of_two_are_nearest_in_the_exponent():
    x = torch.tensor([1.0, 1.41, 1.42, 3.0, 0.3])
    assert power_of_two(x).tolist() == [1.0, 1.0, 2.0, 4.0, 0.25]


def test_a_block_learns_from_all_its_weights_and_keeps_averages():
    torch.manual_seed(0)
    block, levels = BinaryBlock(3, 4, 1, 2), torch.randint(4, (8, 3, 5, 5)).float()
    block(levels).square().sum().backward()
    assert (block.weight.grad != 0).float().mean() > 0.9
    signs = torch.where(block.weight >= 0, 1.0, -1.0)
    sums = block.weight_scale() * F.conv2d(levels, signs, padding=1)
    torch.testing.assert_close(block.norm.running_mean, 0.1 * sums.mean(dim=(0, 2, 3)))


def test_a_shift_to_the_left_is_refused():
    with pytest.raises(ValueError, match="shift is 0 somewhere, expected 1 or more"):
        fused_glue(np.zeros((1, 2), int), np.zeros(2, int), np.array([2, 0]), 2)
