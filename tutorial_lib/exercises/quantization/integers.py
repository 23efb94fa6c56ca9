"""Numbers to integers: scale and zero point, a scale for each output."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import quantization as quant
from tutorial_lib.from_scratch.quantization import integer_range


def to_integers(x, bits):
    """Quantize numbers over their own range, with a scale and a zero point.

    x (...) float; bits 2 to 8
    ->  dict of q (...) integers of dtype int8, s a float, z an int

    With b bits the integers go from −2^(b−1) to 2^(b−1) − 1. s is the size of a step and z the
    integer that stands for 0, so that s · (q − z) is near x. The least number of x becomes the
    least integer and the largest the largest, but z is rounded to a whole number, and the range is
    widened to reach 0 if it does not: 0 must be met exactly. What then lies beyond the last
    integer becomes the last integer. If all of x is 0, s is 1 and z is 0.
    """
    least, largest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    if low == high:
        return {"q": np.zeros(x.shape, dtype=np.int8), "s": 1.0, "z": 0}
    s = (high - low) / (largest - least)
    z = round(least - low / s)
    q = np.clip(np.round(x / s) + z, least, largest)
    return {"q": q.astype(np.int8), "s": float(s), "z": int(z)}


def numbers_and_bits(rng):
    yield dict(x=np.array([-1.0, 0.0, 0.4, 2.0]), bits=2)
    for shape, shift, bits in [((6,), 0, 4), ((3, 4), 1, 8), ((1, 5), -1, 3), ((2, 1, 3), 0.2, 6)]:
        yield dict(x=rng.normal(size=shape) + shift, bits=bits)
    yield dict(x=rng.uniform(1, 2, size=7), bits=4)  # all above zero
    yield dict(x=rng.uniform(-2, -1, size=7), bits=8)  # all below
    yield dict(x=np.array([-0.13, 1.17, 0.5]), bits=8)  # the largest is rounded beyond 127
    yield dict(x=np.array([-0.28, 1.4]), bits=8)  # the least beyond -128
    yield dict(x=np.zeros(3), bits=4)


to_integers = Exercise(
    to_integers,
    level=1,
    minutes=10,
    cases=numbers_and_bits,
    hints=(
        "How many steps are there between the least and the largest integer, and which distance "
        "must they cover?",
        "The least number should become the least integer: low / s + z = least, so which z? What "
        "if low is above 0?",
        "`low, high = min(x.min(), 0), max(x.max(), 0)`, `s = (high - low) / (largest - least)`, "
        "`z = round(least - low / s)`; then round x / s, add z, clip, and only then `astype`.",
    ),
)


def _quantized(x, bits, *, steps=None, widened=True, cast=None, zero=None):
    """The reference with one part changed."""
    least, largest = integer_range(bits)
    low, high = x.min(), x.max()
    if widened:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return {"q": np.zeros(x.shape, dtype=np.int8), "s": 1.0, "z": 0}
    s = (high - low) / (steps(bits) if steps else largest - least)
    z = zero(least, largest, low, high, s) if zero else round(least - low / s)
    q = cast(x, s, z, least, largest) if cast else np.clip(np.round(x / s) + z, least, largest)
    return {"q": q.astype(np.int64).astype(np.int8), "s": float(s), "z": z}


@to_integers.mistake(
    """Your range covers 2^b steps. Count the steps between 2^b integers that stand in a row: there
    is one fewer than posts."""
)
def as_many_steps_as_integers(x, bits):
    return _quantized(x, bits, steps=lambda bits: 2**bits)


@to_integers.mistake(
    """Right where x has both signs. Where all of x lies on one side of 0, your zero point is no
    integer of these bits, so 0 itself cannot be written. What does the task do with such a
    range?"""
)
def range_without_zero(x, bits):
    return _quantized(x, bits, widened=False)


@to_integers.mistake(
    """You cut off the digits behind the point instead of rounding: `astype` goes towards 0, and
    the error of a step is up to one step and not half of one."""
)
def cut_off(x, bits):
    return _quantized(
        x, bits, cast=lambda x, s, z, low, high: np.clip(np.trunc(x / s) + z, low, high)
    )


@to_integers.mistake(
    """You round down (`floor`), so all numbers come back too small, by half a step on average.
    What is nearest?"""
)
def rounded_down(x, bits):
    return _quantized(
        x, bits, cast=lambda x, s, z, low, high: np.clip(np.floor(x / s) + z, low, high)
    )


@to_integers.mistake(
    """A largest number has become a least one: one step beyond the last integer int8 begins again
    at the other end. z is rounded too, so even the largest of x can land there. What keeps it
    inside?"""
)
def wraps_around(x, bits):
    return _quantized(x, bits, cast=lambda x, s, z, low, high: np.round(x / s) + z)


@to_integers.mistake(
    """Your z has the other sign. Put x = 0 into q = x / s + z: which integer must come out for
    low?"""
)
def zero_point_negated(x, bits):
    return _quantized(x, bits, zero=lambda least, largest, low, high, s: -round(least - low / s))


@to_integers.mistake(
    """Your integers begin at 0 and end at 2^b − 1, as without a sign. From where to where do they
    go in the task?"""
)
def without_a_sign(x, bits):
    found = _quantized(x, bits)
    shift = 2 ** (bits - 1) if np.any(x) else 0
    return found | {
        "q": (found["q"].astype(np.int64) + shift).astype(np.int8),
        "z": found["z"] + shift,
    }


@to_integers.mistake(
    """z is no whole number in yours. It must be one: it is the integer that stands for 0."""
)
def zero_point_not_rounded(x, bits):
    return _quantized(x, bits, zero=lambda least, largest, low, high, s: least - low / s)


@to_integers.mistake(
    """There is no zero point: your range is the same on both sides of 0. Where x leans to one
    side, half of the integers stay unused."""
)
def symmetric(x, bits):
    _, largest = integer_range(bits)
    s = np.abs(x).max() / largest if np.any(x) else 1.0
    return {"q": np.round(x / s).astype(np.int8), "s": float(s), "z": 0}


def weights_and_bits(rng):
    yield dict(W=np.array([[1.0, -0.2, 0.0], [-3.0, 0.1, 0.5]]), bits=4)
    for shape, bits in [((1, 3), 8), ((5, 1), 2), ((3, 3), 8), ((4, 6), 3), ((6, 2), 6)]:
        yield dict(W=rng.normal(size=shape) * 10.0 ** rng.integers(-2, 2, size=shape[1]), bits=bits)
    W = rng.normal(size=(4, 3))
    W[:, 1] = 0
    yield dict(W=W, bits=8)
    yield dict(W=-np.abs(rng.normal(size=(3, 4))), bits=4)  # all below zero


scales_per_channel = Exercise(
    quant.scales_per_channel,
    level=1,
    minutes=5,
    cases=weights_and_bits,
    hints=(
        "How many outputs has X W, and which weights does each of them use?",
        "The largest *absolute* value of each column, and the largest integer.",
        "`np.abs(W).max(axis=0) / (2 ** (bits - 1) - 1)`, and `np.where` for the zeros.",
    ),
)


def _of_columns(sizes, bits, divisor=None):
    s = sizes / (divisor or integer_range(bits)[1])
    return np.where(s == 0, 1.0, s)


@scales_per_channel.mistake(
    """One scale for each row: those are the inputs. A sum over inputs with different scales is no
    longer a product of integers. Which axis of W counts the outputs?"""
)
def of_the_inputs(W, bits):
    return _of_columns(np.abs(W).max(axis=1), bits)


@scales_per_channel.mistake(
    """One scale for the whole matrix: a column of small weights gets few of the integers, perhaps
    only 0. What does each output need?"""
)
def one_for_all(W, bits):
    return _of_columns(np.full(W.shape[1], np.abs(W).max()), bits)


@scales_per_channel.mistake(
    """You take the largest value, and a large negative weight falls out of the range. Of which
    numbers must it be the largest?"""
)
def without_the_sign(W, bits):
    return _of_columns(W.max(axis=0), bits)


@scales_per_channel.mistake(
    """You divide by 2^(b−1), which is no integer of b bits: the largest weight would be clipped.
    What is the largest one?"""
)
def one_too_many(W, bits):
    return _of_columns(np.abs(W).max(axis=0), bits, 2 ** (bits - 1))


@scales_per_channel.mistake(
    """You divide by all 2^b − 1 steps. That is for a range with a zero point; here 0 stays 0, and
    how many integers are there on one side of it?"""
)
def steps_of_both_sides(W, bits):
    return _of_columns(np.abs(W).max(axis=0), bits, 2**bits - 1)


@scales_per_channel.mistake(
    """A column of zeros gets the scale 0, and x / 0 is NaN in the next step. Which scale does the
    task ask for?"""
)
def zero_for_zeros(W, bits):
    return np.abs(W).max(axis=0) / integer_range(bits)[1]
