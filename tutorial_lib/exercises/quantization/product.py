"""Products of integers: zero points, 32 bits, and a bug that shows only now and then."""

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
        "NumPy sums int8 in int8: 100 + 100 is −56. What must stand in front of the product, of "
        "the sums, and of z_w times a sum?",
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


def linear_of_integers(q_x, s_x, z_x, q_w, s_w, b):
    """A linear map of integers, with symmetric weights.

    q_x (N, K) int8 with scale s_x and zero point z_x, int8; q_w (K, M) int8 with scales s_w (M,);
    b (M,) float
    ->  (N, M) float: x_hat W_hat + b, where x_hat = s_x (q_x − z_x) and W_hat = s_w q_w

    It agrees with the floats for most pictures. Now and then, where an input is bright, an output
    jumps to something absurd, often of the other sign. In which line?
    """
    shifted = q_x.astype(np.int32) - z_x
    sums = shifted @ q_w.astype(np.int32)
    return s_x * s_w * sums + b


def buggy_linear_of_integers(q_x, s_x, z_x, q_w, s_w, b):
    """A linear map of integers, with symmetric weights.

    q_x (N, K) int8 with scale s_x and zero point z_x, int8; q_w (K, M) int8 with scales s_w (M,);
    b (M,) float
    ->  (N, M) float: x_hat W_hat + b, where x_hat = s_x (q_x − z_x) and W_hat = s_w q_w

    It agrees with the floats for most pictures. Now and then, where an input is bright, an output
    jumps to something absurd, often of the other sign. In which line?
    """
    shifted = q_x - z_x
    sums = shifted.astype(np.int32) @ q_w.astype(np.int32)
    return s_x * s_w * sums + b


def maps_of_integers(rng):
    for N, K, M, z_x in [
        (1, 2, 2, -3),
        (2, 3, 1, 100),
        (3, 1, 2, -128),
        (2, 4, 4, 0),
        (3, 200, 2, 127),
    ]:
        yield dict(
            q_x=integers(rng, N, K),
            s_x=float(rng.uniform(0.01, 0.1)),
            z_x=np.int8(z_x),
            q_w=integers(rng, K, M),
            s_w=rng.uniform(0.01, 0.1, size=M),
            b=rng.normal(size=M),
        )


linear_of_integers = Exercise(
    linear_of_integers,
    start=buggy_linear_of_integers,
    level=2,
    minutes=10,
    cases=maps_of_integers,
    hints=(
        "Print `shifted` for q_x = 127 and z_x = −3, both int8.",
        "Which values can q_x − z_x have, and which type holds them?",
        "`q_x.astype(np.int32) - z_x`: first wider, then less.",
    ),
)


@linear_of_integers.mistake(
    """Clipped to int8 nothing jumps any more, but bright inputs are cut off. q_x − z_x is allowed
    to be larger than 127: where must it fit?"""
)
def difference_clipped(q_x, s_x, z_x, q_w, s_w, b):
    shifted = np.clip(q_x.astype(np.int32) - z_x, -128, 127)
    return s_x * s_w * (shifted @ q_w.astype(np.int32)) + b


@linear_of_integers.mistake(
    """The zero point is gone: nothing jumps, and every output is off by z_x times a sum of
    weights."""
)
def without_the_zero_point(q_x, s_x, z_x, q_w, s_w, b):
    return s_x * s_w * (q_x.astype(np.int32) @ q_w.astype(np.int32)) + b


@linear_of_integers.mistake(
    """The difference is right now, but the product is summed in 16 bits: it fits until K is
    large."""
)
def product_in_int16(q_x, s_x, z_x, q_w, s_w, b):
    shifted = q_x.astype(np.int16) - z_x
    return s_x * s_w * (shifted @ q_w.astype(np.int16)) + b


@linear_of_integers.mistake(
    """Without signs (uint8) the difference is right for q_x above z_x only: below, it becomes a
    large number."""
)
def difference_in_uint8(q_x, s_x, z_x, q_w, s_w, b):
    shifted = (q_x - z_x).view(np.uint8).astype(np.int32)
    return s_x * s_w * (shifted @ q_w.astype(np.int32)) + b


@linear_of_integers.mistake(
    """Now the bias is scaled as well. It is a float already: what do the scales belong to?"""
)
def bias_scaled(q_x, s_x, z_x, q_w, s_w, b):
    return s_x * s_w * ((q_x.astype(np.int32) - z_x) @ q_w.astype(np.int32) + b)


@linear_of_integers.mistake("""The zero point is added: an integer stands for s (q − z).""")
def zero_point_added(q_x, s_x, z_x, q_w, s_w, b):
    return s_x * s_w * ((q_x.astype(np.int32) + z_x) @ q_w.astype(np.int32)) + b
