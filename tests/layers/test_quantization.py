"""Fake quantization, its gradients, calibration, and the integer linear map in PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from tutorial_lib.from_scratch import quantization as in_numpy
from tutorial_lib.layers import calibration
from tutorial_lib.layers.quantization import (
    QuantizedLinear,
    affine_scale,
    fake_quantize,
    int8_product,
    integer_range,
    straight_through,
    symmetric_scale,
)

BITS = (2, 4, 8)


@pytest.mark.parametrize("bits", BITS)
def test_equals_numpy_forward_and_backward(bits):
    torch.manual_seed(0)
    x = (3 * torch.randn(6, 5, dtype=torch.float64)).requires_grad_()
    s, dy = torch.tensor(0.3, dtype=torch.float64, requires_grad=True), torch.randn(6, 5).double()
    y = fake_quantize(x, s, bits=bits)
    y.backward(dy)
    arrays = x.detach().numpy(), s.item(), bits
    np.testing.assert_allclose(y.detach().numpy(), in_numpy.fake_quantize(*arrays))
    by_hand = in_numpy.fake_quantize_backward(dy.numpy(), *arrays)
    np.testing.assert_allclose(x.grad.numpy(), by_hand["dx"])
    np.testing.assert_allclose(s.grad.item(), by_hand["ds"])


def test_equals_pytorchs_own_fake_quantization():
    """Values, and the gradient of x: `torch.fake_quantize_per_tensor_affine`."""
    torch.manual_seed(0)
    inputs = [(3 * torch.randn(50)).requires_grad_() for _ in range(2)]
    inputs[1].data.copy_(inputs[0].data)
    ours = fake_quantize(inputs[0], 0.25, 3, bits=4)
    theirs = torch.fake_quantize_per_tensor_affine(inputs[1], 0.25, 3, *integer_range(4))
    torch.testing.assert_close(ours, theirs)
    for y in (ours, theirs):
        y.backward(torch.arange(50.0))
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_straight_through_takes_the_value_of_one_and_the_gradient_of_the_other():
    x = torch.tensor([0.3, -2.0], requires_grad=True)
    y = straight_through(x, x.sign())
    y.sum().backward()
    assert y.tolist() == [1, -1] and x.grad.tolist() == [1, 1]


@pytest.mark.parametrize("bits", BITS)
def test_scales_equal_numpys(bits):
    x = torch.randn(7, 5, dtype=torch.float64)
    expected = in_numpy.scales_per_channel(x.numpy().T, bits)
    np.testing.assert_allclose(symmetric_scale(x, bits).numpy(), expected)
    for row, scale, zero in zip(x, *affine_scale(x, bits)):
        s, z = in_numpy.scale_and_zero_point(row.min().item(), row.max().item(), bits)
        assert scale.item() == pytest.approx(s) and zero.item() == z
    scale, zero = affine_scale(torch.zeros(2, 3), bits)
    assert scale.tolist() == [1, 1] and zero.tolist() == [0, 0]


@pytest.mark.parametrize("bits", BITS)
def test_the_integer_map_equals_the_floats_it_stands_for(bits):
    torch.manual_seed(0)
    linear, x = nn.Linear(13, 6), torch.randn(2, 5, 13) + 0.5
    weight_scale, (scale, zero) = (
        symmetric_scale(linear.weight, bits),
        affine_scale(x.flatten(), bits),
    )
    found = QuantizedLinear(13, 6, bits).take(linear, weight_scale, scale, zero)(x)
    weight = fake_quantize(linear.weight, weight_scale[:, None], bits=bits)
    expected = nn.functional.linear(fake_quantize(x, scale, zero, bits), weight, linear.bias)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("N, K, M", [(1, 1, 1), (17, 3, 5), (40, 300, 8)])
def test_the_integer_product_is_exact_for_any_size(N, K, M):
    a, b = (torch.randint(-128, 128, size).to(torch.int8) for size in ((N, K), (M, K)))
    found = int8_product(a, b.mT)
    assert found.dtype == torch.int32 and (found.long() == a.long() @ b.long().mT).all()


def brute_force(x, bits, affine):
    """The least squared error over the same shares, one number at a time."""
    least, largest = in_numpy.integer_range(bits)
    errors = []
    for clip in np.linspace(1 / 50, 1, 50):
        if affine:
            s, z = in_numpy.scale_and_zero_point(clip * x.min(), clip * x.max(), bits)
        else:
            s, z = clip * abs(x).max() / largest, 0
        back = in_numpy.dequantize(in_numpy.quantize(x, s, z, bits), s, z)
        errors.append(np.mean((back - x) ** 2))
    return errors


@pytest.mark.parametrize("affine", [False, True])
def test_squared_error_finds_the_least_of_its_candidates(affine):
    x = np.random.default_rng(0).standard_t(3, size=(3, 200))
    found = calibration.squared_error(torch.from_numpy(x), 4, affine)
    for row, clip in zip(x, found):
        errors = brute_force(row, 4, affine)
        assert round(clip.item() * 50) - 1 == int(np.argmin(errors)) and clip < 1


def test_methods_clip_an_outlier_that_min_max_keeps():
    torch.manual_seed(0)
    x = torch.randn(1, 20_000)
    x[0, 0] = 100.0
    assert calibration.min_max(x, 4) == 1
    for method in (calibration.percentile, calibration.squared_error, calibration.entropy):
        assert method(x, 4).item() < 0.2, method.__name__


def test_entropy_is_zero_where_the_histogram_fits_the_steps():
    """128 steps hold 128 filled bins exactly, so nothing is gained by clipping."""
    assert calibration.entropy(torch.arange(2048.0)[None], 8).item() == 1


@pytest.mark.parametrize("method", calibration.METHODS.values())
def test_a_method_takes_rows_and_zeros(method):
    x = torch.randn(2, 3, 40)
    x[0, 0] = 0
    shares = method(x, 4)
    assert shares.shape == (2, 3) and ((0 < shares) & (shares <= 1)).all()
    torch.testing.assert_close(method(x[1], 4), shares[1])


def test_a_model_is_quantized_as_a_copy():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))
    x = torch.randn(50, 4)
    quantized = calibration.quantize_linears(model, x, bits=8)
    assert [type(part) for part in quantized] == [QuantizedLinear, nn.GELU, QuantizedLinear]
    assert isinstance(model[0], nn.Linear) and not model[0]._forward_pre_hooks
    error = (quantized(x) - model(x)).abs().max()
    assert 0 < error < 0.05
    assert error < (calibration.quantize_linears(model, x, bits=4)(x) - model(x)).abs().max()


def test_inputs_may_have_fewer_bits_than_weights():
    torch.manual_seed(0)
    linear, x = nn.Linear(4, 3), torch.randn(50, 4)
    quantized = calibration.quantize_linears(nn.Sequential(linear), x, bits=8, input_bits=2)
    read = fake_quantize(2 * x, *affine_scale(x.flatten(), 2), bits=2)  # much of it is clipped
    W = fake_quantize(linear.weight, symmetric_scale(linear.weight, 8)[:, None], bits=8)
    torch.testing.assert_close(quantized(2 * x), read @ W.mT + linear.bias)
