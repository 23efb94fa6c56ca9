"""Numbers to integers: scale and zero point."""

import numpy as np

from tutorial_lib.checking import Exercise
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
    yield dict(x=np.full(3, 1.5), bits=4)  # all alike, and not 0


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


def _quantized(x, bits, *, steps=None, widened=("low", "high"), cast=None, zero=None):
    """The reference with one part changed."""
    least, largest = integer_range(bits)
    low, high = x.min(), x.max()
    low = min(low, 0.0) if "low" in widened else low
    high = max(high, 0.0) if "high" in widened else high
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
    return _quantized(x, bits, widened=())


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


@to_integers.mistake(
    """Your zero point is −low / s: that is for integers that begin at 0. Here they begin at
    −2^(b−1). Which one must come out for low?"""
)
def zero_point_of_unsigned(x, bits):
    return _quantized(x, bits, zero=lambda least, largest, low, high, s: round(-low / s))


@to_integers.mistake("""Yours are integers of 8 bits, whatever `bits` says.""")
def always_eight_bits(x, bits):
    return _quantized(x, 8)


@to_integers.mistake(
    """Where all of x is 0 you divide by a range of 0. What does the task want there?"""
)
def zeros_divide(x, bits):
    return _quantized(x if np.any(x) else np.array([0.0, np.nan]), bits)


@to_integers.mistake(
    """`int` cuts z off towards 0; that moves all numbers, by up to a whole step. To which whole
    number should z go?"""
)
def zero_point_cut_off(x, bits):
    return _quantized(x, bits, zero=lambda least, largest, low, high, s: int(least - low / s))


@to_integers.mistake(
    """q is not round(x / s) + z with the whole z that you give: your z is rounded only after q is
    made. What then comes back for x = 0?"""
)
def zero_point_rounded_late(x, bits):
    low = min(x.min(), 0.0)
    return _quantized(
        x,
        bits,
        cast=lambda x, s, z, least, largest: np.clip(
            np.round((x - low) / s) + least, least, largest
        ),
    )


@to_integers.mistake(
    """Right unless all of x is below 0. There the range ends at the largest of x and does not reach
    0."""
)
def only_low_is_widened(x, bits):
    return _quantized(x, bits, widened=("low",))


@to_integers.mistake(
    """Right unless all of x is above 0. There the range begins at the least of x and does not reach
    0."""
)
def only_high_is_widened(x, bits):
    return _quantized(x, bits, widened=("high",))


@to_integers.mistake(
    """Where all of x is the same number you take it for 0, whatever it is. Of which range should
    you ask whether it is empty?"""
)
def constants_are_zeros(x, bits):
    return to_integers.reference(x if x.min() < x.max() else 0 * x, bits)


@to_integers.mistake(
    """You clip before z is added, and z moves the integers out of the range again. What must lie in
    it, x / s or q?"""
)
def clipped_before_zero(x, bits):
    return _quantized(
        x, bits, cast=lambda x, s, z, low, high: np.clip(np.round(x / s), low, high) + z
    )


@to_integers.mistake(
    """Your q has the zero point taken off already: that is x / s, which need not fit into so many
    bits."""
)
def zero_point_taken_off(x, bits):
    found = _quantized(x, bits)
    return found | {"q": (found["q"].astype(np.int64) - found["z"]).astype(np.int8)}
