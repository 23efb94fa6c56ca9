"""Products on packed words are the products of the numbers that they stand for, exactly."""

import numpy as np
import pytest

from tutorial_lib.from_scratch.packed_bits import bit_planes, bitserial_product, pack, xnor_product

SIZES = [(1, 1, 1), (3, 2, 63), (2, 5, 64), (4, 3, 65), (2, 3, 200)]


def signs(bits):
    return np.where(bits, 1, -1)


@pytest.mark.parametrize("M, N, K", SIZES)
def test_xnor_and_popcount_are_the_product_of_signs(M, N, K):
    rng = np.random.default_rng(K)
    x, w = rng.random((M, K)) < 0.5, rng.random((N, K)) < 0.5
    product = xnor_product(pack(x), pack(w), K)
    assert product.dtype == np.int32
    np.testing.assert_array_equal(product, signs(x) @ signs(w).T)


def test_equal_rows_give_k_and_opposite_ones_minus_k():
    x = np.random.default_rng(0).random((1, 100)) < 0.5
    assert xnor_product(pack(x), pack(x), 100) == 100
    assert xnor_product(pack(x), pack(~x), 100) == -100


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
@pytest.mark.parametrize("M, N, K", SIZES)
def test_digit_by_digit_is_the_product_of_levels_and_signs(M, N, K, bits):
    rng = np.random.default_rng(K)
    levels, w = rng.integers(2**bits, size=(M, K)), rng.random((N, K)) < 0.5
    product = bitserial_product(pack(bit_planes(levels, bits)), pack(w))
    np.testing.assert_array_equal(product, levels @ signs(w).T)


def test_a_bit_is_at_its_place_in_its_word():
    bits = np.zeros((2, 70), dtype=bool)
    bits[0, 0] = bits[0, 3] = bits[1, 63] = bits[1, 64] = True
    np.testing.assert_array_equal(pack(bits), np.array([[9, 0], [2**63, 1]], dtype=np.uint64))


def test_digits_add_up_to_the_number():
    levels = np.arange(8).reshape(2, 4)
    planes = bit_planes(levels, 3)
    np.testing.assert_array_equal(planes[0] + 2 * planes[1] + 4 * planes[2], levels)


def test_the_wrong_kind_is_refused():
    with pytest.raises(TypeError, match="bits are float64, expected bool"):
        pack(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="single one"):
        pack(np.array(True))
    with pytest.raises(ValueError, match="levels are -1 to 4, expected 0 to 3 for 2 bits"):
        bit_planes(np.array([-1, 4]), 2)
