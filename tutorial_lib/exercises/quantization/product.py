"""Products of integers: zero points, and 32 bits."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import quantization as quant


def integers(rng, *shape):
    return rng.integers(-128, 128, size=shape).astype(np.int8)


def matrices_of_integers(rng):
    q_x = np.array([[1, 2, 3]], dtype=np.int8)
    q_w = np.array([[1, 0], [0, 1], [2, -1]], dtype=np.int8)
    yield dict(q_x=q_x, z_x=1, q_w=q_w, z_w=np.array([0, 2], dtype=np.int8))
    for N, K, M in [(2, 3, 1), (1, 4, 3), (3, 1, 2), (3, 3, 3), (4, 5, 2), (2, 300, 4)]:
        z_x = int(rng.integers(-128, 128))
        yield dict(q_x=integers(rng, N, K), z_x=z_x, q_w=integers(rng, K, M), z_w=integers(rng, M))
    q_w = np.full((70, 2), 127, dtype=np.int8)
    q_w[:, 1] = -128
    q_x = np.full((3, 70), -128, dtype=np.int8)
    yield dict(q_x=q_x, z_x=127, q_w=q_w, z_w=np.array([-128, 127], dtype=np.int8))


int8_matmul = Exercise(
    quant.int8_matmul,
    level=3,
    minutes=10,
    cases=matrices_of_integers,
    hints=(
        "Multiply (q_x − z_x)(q_w − z_w) out: four terms. Which of them need the large product, "
        "and which only sums of rows or of columns?",
        "NumPy multiplies and adds int8 in int8, and `@` does too: 100 + 100 is −56. What must "
        "become wider before the product, and before z_x times z_w?",
        "`q_x, q_w, z_w = (a.astype(np.int32) for a in (q_x, q_w, z_w))`, then `q_x @ q_w - z_x * "
        "q_w.sum(axis=0) - q_x.sum(axis=1, keepdims=True) * z_w + K * z_x * z_w`.",
    ),
)


def _wide(*arrays):
    return (a.astype(np.int32) for a in arrays)


@int8_matmul.mistake(
    """The product is summed in 8 bits: beyond 127 it begins again at −128. How large can a sum of
    K products of two int8 be?"""
)
def summed_in_int8(q_x, z_x, q_w, z_w):
    product = (q_x @ q_w).astype(np.int32)
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    K = q_x.shape[1]
    return product - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w + K * z_x * z_w


@int8_matmul.mistake(
    """You take the zero points off in 8 bits, where −128 − 127 is 1. Right while the differences
    are small. Which type can hold them?"""
)
def differences_in_int8(q_x, z_x, q_w, z_w):
    shifted = q_x - np.int8(z_x), q_w - z_w
    return np.matmul(*_wide(*shifted))


@int8_matmul.mistake(
    """16 bits are not enough: one product can be 255 · 255, and K of them are added up."""
)
def summed_in_int16(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = (a.astype(np.int16) for a in (q_x, q_w, z_w))
    return ((q_x - np.int16(z_x)) @ (q_w - z_w)).astype(np.int32)


@int8_matmul.mistake(
    """The last term is missing, K z_x z_w: taking off both zero points takes it off once too
    often."""
)
def without_the_last_term(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    return q_x @ q_w - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w


@int8_matmul.mistake("""The last term is z_x z_w without K. Over how many k does the sum run?""")
def last_term_once(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    return q_x @ q_w - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w + z_x * z_w


@int8_matmul.mistake(
    """The weights' zero points are left out. Right for symmetric weights, where they are all 0."""
)
def weights_as_symmetric(q_x, z_x, q_w, z_w):
    q_x, q_w = _wide(q_x, q_w)
    return (q_x - z_x) @ q_w


@int8_matmul.mistake(
    """The inputs' zero point is left out: every output is off by z_x times a sum of weights."""
)
def inputs_as_symmetric(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    return q_x @ (q_w - z_w)


@int8_matmul.mistake(
    """Both zero points are left out: this is the product of the integers and not of the numbers
    for which they stand."""
)
def plain_product(q_x, z_x, q_w, z_w):
    return np.matmul(*_wide(q_x, q_w))


@int8_matmul.mistake("""Your zero points are added. An integer stands for s (q − z).""")
def zero_points_added(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    return (q_x + z_x) @ (q_w + z_w)


@int8_matmul.mistake(
    """The last term is taken off and should come back: each of the two sums before it has taken it
    off already, once too often together."""
)
def last_term_taken_off(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    K = q_x.shape[1]
    return q_x @ q_w - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w - K * z_x * z_w


@int8_matmul.mistake(
    """The last term counts the rows of q_x, N. Over how many numbers does the sum run?"""
)
def rows_for_inputs(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    N = q_x.shape[0]
    return q_x @ q_w - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w + N * z_x * z_w


@int8_matmul.mistake(
    """Each zero point meets its own matrix's sum, z_x Σ q_x and z_w Σ q_w. Multiply
    (q_x − z_x)(q_w − z_w) out once more: which stands beside which?"""
)
def sums_exchanged(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    K = q_x.shape[1]
    return q_x @ q_w - z_x * q_x.sum(1, keepdims=True) - q_w.sum(0) * z_w + K * z_x * z_w


@int8_matmul.mistake(
    """z_x meets the sum of all of q_w. An output uses one column of it: over what does its sum
    run?"""
)
def one_sum_for_all_outputs(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    K = q_x.shape[1]
    return q_x @ q_w - z_x * q_w.sum() - q_x.sum(1, keepdims=True) * z_w + K * z_x * z_w


@int8_matmul.mistake(
    """The last term counts the outputs, M. Over how many numbers does the sum run?"""
)
def outputs_for_inputs(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = _wide(q_x, q_w, z_w)
    M = q_w.shape[1]
    return q_x @ q_w - z_x * q_w.sum(0) - q_x.sum(1, keepdims=True) * z_w + M * z_x * z_w
