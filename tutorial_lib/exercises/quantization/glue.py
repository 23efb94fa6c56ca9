"""Riptide: the glue between two layers, in integers."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import packed_bits


def sums_and_glue(rng):
    for shape, bits in [((4, 2), 1), ((5, 1), 2), ((2, 3, 4), 2), ((3, 2), 3)]:
        yield dict(
            sums=rng.integers(-40, 60, size=shape),
            mean=rng.integers(-9, 10, size=shape[-1]),
            shift=rng.integers(1, 5, size=shape[-1]),
            bits=bits,
        )
    # every sum around the borders, halves among them
    yield dict(
        sums=np.arange(-10, 30)[:, None],
        mean=np.array([3, 0, -1]),
        shift=np.array([1, 2, 3]),
        bits=2,
    )
    yield dict(sums=np.array([[3, 4]]), mean=np.array([1, 1]), shift=np.array([2, 0]), bits=2)


fused_glue = Exercise(
    packed_bits.fused_glue,
    level=2,
    minutes=10,
    cases=sums_and_glue,
    hints=(
        "`x >> s` divides by 2^s and rounds down, for negative numbers too. What must be added "
        "before, so that rounding down becomes rounding to the nearest?",
        "Rounding half up is the floor of (value + ½). In units of the sums, ½ is half of 2^shift.",
        "`(sums - mean + half) >> shift` with `half = 2 ** (shift - 1)`, then `np.clip`.",
    ),
)


def _glued(sums, mean, shift, bits, round_=lambda x, shift: (x + 2 ** (shift - 1)) >> shift):
    if shift.min() < 1:
        raise ValueError
    return np.clip(round_(sums - mean, shift), 0, 2**bits - 1)


@fused_glue.mistake(
    """You round down: a shift alone drops what is behind the point. Which number, added before,
    makes it round to the nearest?"""
)
def rounds_down(sums, mean, shift, bits):
    return _glued(sums, mean, shift, bits, lambda x, shift: x >> shift)


@fused_glue.mistake(
    """You round up. What must be added before a shift that rounds down, so that it rounds to the
    nearest?"""
)
def rounds_up(sums, mean, shift, bits):
    return _glued(sums, mean, shift, bits, lambda x, shift: -(-x >> shift))


@fused_glue.mistake(
    """Halves go to the even neighbour: 2.5 becomes 2. That is how `np.round` does it; the task says
    up, and a shift needs no floats."""
)
def halves_to_even(sums, mean, shift, bits):
    return _glued(sums, mean, shift, bits, lambda x, shift: np.round(x / 2.0**shift).astype(int))


@fused_glue.mistake("""You add the mean where it is to be taken away.""")
def adds_the_mean(sums, mean, shift, bits):
    return _glued(sums, -mean, shift, bits)


@fused_glue.mistake(
    """The mean is taken away after the shift, where one unit is 2^shift units of the sums. In which
    units is it given?"""
)
def mean_after_the_shift(sums, mean, shift, bits):
    return _glued(sums, 0 * mean, shift, bits, lambda x, s: ((x + 2 ** (s - 1)) >> s) - mean)


@fused_glue.mistake(
    """Levels go up to 2^bits: one more than `bits` bits can hold. With two bits, which is the
    largest number?"""
)
def a_level_too_many(sums, mean, shift, bits):
    _glued(sums, mean, shift, bits)
    return np.clip((sums - mean + 2 ** (shift - 1)) >> shift, 0, 2**bits)


@fused_glue.mistake("""Some levels are negative. A level starts from 0: nothing clips below it.""")
def not_clipped_below(sums, mean, shift, bits):
    _glued(sums, mean, shift, bits)
    return np.minimum((sums - mean + 2 ** (shift - 1)) >> shift, 2**bits - 1)


@fused_glue.mistake("""Some levels are above 2^bits − 1. What keeps them below?""")
def not_clipped_above(sums, mean, shift, bits):
    _glued(sums, mean, shift, bits)
    return np.maximum((sums - mean + 2 ** (shift - 1)) >> shift, 0)


@fused_glue.mistake(
    """You clip before you divide: sums are much larger than levels, so nearly all end up at 0 or 1.
    What is to be clipped?"""
)
def clipped_before(sums, mean, shift, bits):
    _glued(sums, mean, shift, bits)
    return (np.clip(sums - mean, 0, 2**bits - 1) + 2 ** (shift - 1)) >> shift


@fused_glue.mistake(
    """A shift below 1 is accepted; the task wants a ValueError. There is no half of one unit."""
)
def refuses_nothing(sums, mean, shift, bits):
    half = 2.0 ** (shift - 1)
    return np.clip(np.floor((sums - mean + half) / 2.0**shift), 0, 2**bits - 1).astype(int)


@fused_glue.mistake(
    """Yours is always one more than rounding down: 2^shift is added before the shift, or 1 after
    it. What is half of that, in units of the sums?"""
)
def adds_a_whole(sums, mean, shift, bits):
    return _glued(sums, mean, shift, bits, lambda x, shift: (x >> shift) + 1)


@fused_glue.mistake(
    """Your levels go from −2^(b−1) to 2^(b−1) − 1, as if one bit were a sign. A level is not
    negative."""
)
def signed_levels(sums, mean, shift, bits):
    _glued(sums, mean, shift, bits)
    return np.clip(
        (sums - mean + 2 ** (shift - 1)) >> shift, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    )


@fused_glue.mistake("""You divide by the shift itself. What does a shift by 3 bits divide by?""")
def divides_by_the_shift(sums, mean, shift, bits):
    return _glued(sums, mean, shift, bits, lambda x, shift: np.floor(x / shift + 0.5).astype(int))
