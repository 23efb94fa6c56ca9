"""A linear map of integers with a bug that shows only now and then."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.quantization.product import integers


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
        (2, 4, 3, 0),
        (2, 3, 3, 90),
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


@linear_of_integers.mistake(
    """The zero point is taken off once, from the finished sum. It stands in every one of the K
    products: what has each of them too much?"""
)
def zero_point_once(q_x, s_x, z_x, q_w, s_w, b):
    return s_x * s_w * (q_x.astype(np.int32) @ q_w.astype(np.int32) - int(z_x)) + b


@linear_of_integers.mistake(
    """Now the product itself is made in 8 bits. Which types go into `@`?"""
)
def product_in_int8(q_x, s_x, z_x, q_w, s_w, b):
    return s_x * s_w * ((q_x @ q_w).astype(np.int32) - int(z_x) * q_w.sum(0, dtype=np.int32)) + b


@linear_of_integers.mistake(
    """You take away the sign. A difference that has overflowed is still a wrong number, and one
    that is rightly negative becomes one too."""
)
def sign_taken_away(q_x, s_x, z_x, q_w, s_w, b):
    with np.errstate(all="ignore"):
        return s_x * s_w * (np.abs(q_x - z_x).astype(np.int32) @ q_w.astype(np.int32)) + b


@linear_of_integers.mistake(
    """The inputs are scaled before they are made integers again, and what is behind the point is
    gone. When do the scales come?"""
)
def scaled_too_early(q_x, s_x, z_x, q_w, s_w, b):
    x = (s_x * (q_x.astype(np.int32) - z_x)).astype(np.int32)
    return s_w * (x @ q_w.astype(np.int32)) + b
