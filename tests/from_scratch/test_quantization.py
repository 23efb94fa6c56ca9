"""Integers of a few bits in NumPy: what they stand for, how far off, and the exact product."""

import numpy as np
import pytest

from tutorial_lib.from_scratch import quantization as quant
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error

BITS = (2, 3, 4, 6, 8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("low, high", [(-1.0, 3.0), (0.0, 2.0), (0.5, 2.0), (-3.0, -1.0)])
def test_the_range_is_covered_and_zero_is_met_exactly(low, high, bits):
    s, z = quant.scale_and_zero_point(low, high, bits)
    least, largest = quant.integer_range(bits)
    assert least <= z <= largest
    ends = quant.dequantize(np.array([least, largest]), s, z)
    assert ends[0] <= min(low, 0) + s / 2 + 1e-9 and ends[1] >= max(high, 0) - s / 2 - 1e-9
    assert quant.dequantize(quant.quantize(np.zeros(1), s, z, bits), s, z) == 0


@pytest.mark.parametrize("bits", BITS)
def test_what_is_not_clipped_is_at_most_half_a_step_off(rng, bits):
    x = rng.normal(size=1000)
    s, z = quant.scale_and_zero_point(x.min(), x.max(), bits)
    least, largest = quant.integer_range(bits)
    steps = np.round(x / s) + z
    inside = (least <= steps) & (steps <= largest)
    error = quant.dequantize(quant.quantize(x, s, z, bits), s, z) - x
    assert abs(error[inside]).max() <= s / 2 + 1e-12 and inside.mean() > 0.9
    assert quant.quantize(x, s, z, bits).dtype == np.int8


def test_the_error_of_rounding_is_a_twelfth_of_the_squared_step(rng):
    x = rng.uniform(-1, 1, size=200_000)
    for bits in BITS:
        s, z = 2 / 2**bits, 0
        error = quant.dequantize(quant.quantize(x - s / 2, s, z, bits), s, z) - (x - s / 2)
        assert np.mean(error**2) == pytest.approx(s**2 / 12, rel=0.02)


def test_each_column_has_a_scale_of_its_own(rng):
    W = rng.normal(size=(50, 3)) * [0.01, 1, 100]
    s = quant.scales_per_channel(W, 8)
    assert (abs(quant.quantize(W, s, 0, 8)).max(axis=0) == 127).all()
    W[:, 1] = 0
    assert quant.scales_per_channel(W, 8)[1] == 1


@pytest.mark.parametrize("N, K, M", [(1, 1, 1), (2, 300, 3), (5, 64, 2)])
def test_the_product_is_exact(rng, N, K, M):
    q_x, q_w = (rng.integers(-128, 128, size=s).astype(np.int8) for s in ((N, K), (K, M)))
    q_x[0], q_w[:, 0] = -128, -128
    z_x, z_w = -128, rng.integers(-128, 128, size=M).astype(np.int8)
    found = quant.int8_matmul(q_x, z_x, q_w, z_w)
    exact = (q_x.astype(object) - z_x) @ (q_w.astype(object) - z_w.astype(object))
    assert found.dtype == np.int32 and (found == exact).all()


def test_a_quantized_linear_map_is_that_of_the_numbers_its_integers_stand_for(rng):
    x, W, b = rng.normal(size=(4, 6)), rng.normal(size=(6, 3)), rng.normal(size=3)
    for bits in BITS:
        s, z = quant.scale_and_zero_point(x.min(), x.max(), bits)
        s_w = quant.scales_per_channel(W, bits)
        x_hat = quant.dequantize(quant.quantize(x, s, z, bits), s, z)
        W_hat = quant.dequantize(quant.quantize(W, s_w, 0, bits), s_w, 0)
        found = quant.quantized_linear(x, W, b, s, z, bits)
        np.testing.assert_allclose(found, x_hat @ W_hat + b, rtol=1e-12)


def test_straight_through_is_the_gradient_of_clipping_where_rounding_is_the_identity(rng):
    """Against finite differences of clip(x, s least, s largest), whose corners are not hit."""
    x, dy, s, bits = rng.normal(size=40) * 2, rng.normal(size=40), 0.4, 3
    least, largest = quant.integer_range(bits)
    found = quant.fake_quantize_backward(dy, x, s, bits)
    near = abs(x / s - largest) < 0.51, abs(x / s - least) < 0.51  # rounded on or off the border
    kept = ~(near[0] | near[1])
    judged = numerical_gradient(lambda x: float((dy * np.clip(x, s * least, s * largest)).sum()), x)
    assert relative_error(found["dx"][kept], judged[kept]) < 1e-6 and 0 < kept.sum() < 40


@pytest.mark.parametrize("bits", BITS)
def test_packed_integers_come_back_and_take_no_more_than_their_bits(rng, bits):
    least, largest = quant.integer_range(bits)
    q = rng.integers(least, largest + 1, size=(5, 7)).astype(np.int8)
    packed = quant.pack(q, bits)
    assert packed.dtype == np.uint8 and len(packed) == -(-35 * bits // 8)
    assert (quant.unpack(packed, bits, q.shape) == q).all()


def test_one_bit_is_refused():
    with pytest.raises(ValueError, match="bits is 1, expected 2 or more"):
        quant.integer_range(1)
