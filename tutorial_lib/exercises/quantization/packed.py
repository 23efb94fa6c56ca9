"""Riptide: products on packed bits, and the glue between two layers, in integers."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import packed_bits
from tutorial_lib.from_scratch.packed_bits import pack


def xnor_product(x, w, K):
    """All products of the rows of two matrices of signs, 64 signs at a time.

    x (M, W), w (N, W) unsigned integers of 64 bits: a row holds K signs, 1 for +1 and 0 for −1, 64
    to a word; behind the last sign its last word is filled with 0
    ->  int (M, N): Σ_k x_k w_k of the signs, between −K and K

    Two signs multiply to +1 where their bits are the same, to −1 where they are not.
    `np.bitwise_count(a)` counts the ones of every number of a, as 8-bit numbers.
    """
    different = np.bitwise_count(x[:, None] ^ w).sum(axis=-1, dtype=np.int32)  # (M, N)
    return K - 2 * different


def rows_of_signs(rng):
    for M, N, K in [(1, 2, 3), (2, 1, 64), (1, 1, 65), (3, 2, 130), (2, 4, 100), (3, 3, 700)]:
        bits = rng.random((M, K)) < 0.5, rng.random((N, K)) < 0.4
        yield dict(x=pack(bits[0]), w=pack(bits[1]), K=K)
    bits = rng.random((2, 200)) < 0.5
    yield dict(x=pack(bits), w=pack(~bits), K=200)


xnor_product = Exercise(
    xnor_product,
    level=2,
    minutes=10,
    cases=rows_of_signs,
    hints=(
        "Of K products some are +1 and the others −1. If d of them are −1, what is their sum?",
        "The bits that differ are the ones of x XOR w, `^`. For all pairs of rows at once x needs "
        "an axis for the rows of w.",
        "`x[:, None] ^ w` is (M, N, W). Count the ones, sum over the words into a type that can be "
        "negative; then K minus twice that.",
    ),
)


def _count(words, dtype=np.int64):
    return np.bitwise_count(words).sum(axis=-1, dtype=dtype)


@xnor_product.mistake(
    """Right where K is a multiple of 64: what the last word is filled with is the same in both and
    counts as agreement. Is there something to count that the filling has none of?"""
)
def counts_the_filling(x, w, K):
    return 2 * _count(~(x[:, None] ^ w)) - K


@xnor_product.mistake(
    """You give how many signs agree. Those that do not agree are products too: what are they
    worth?"""
)
def agreeing_signs(x, w, K):
    return K - _count(x[:, None] ^ w)


@xnor_product.mistake(
    """You give how many signs differ, which is large where the product is small."""
)
def differing_signs(x, w, K):
    return _count(x[:, None] ^ w)


@xnor_product.mistake(
    """The sign is the other one: equal rows should give K. Which of the two does XOR find, the bits
    that are the same or those that differ?"""
)
def sign_turned(x, w, K):
    return 2 * _count(x[:, None] ^ w) - K


@xnor_product.mistake("""AND finds where both are +1. Two that are −1 multiply to +1 as well.""")
def and_for_xnor(x, w, K):
    return 2 * _count(x[:, None] & w) - K


@xnor_product.mistake(
    """Negative products come out as huge numbers: NumPy sums unsigned numbers to unsigned ones, and
    K minus too much starts again from the top. Which type should the sum have?"""
)
def unsigned(x, w, K):
    return np.uint64(K) - np.uint64(2) * _count(x[:, None] ^ w, np.uint64)


@xnor_product.mistake(
    """The sum has 8 bits like the counts, so it starts again at 256. How large can it get?"""
)
def eight_bits(x, w, K):
    return K - 2 * _count(x[:, None] ^ w, np.uint8).astype(int)


@xnor_product.mistake(
    """Your rows and columns are exchanged: (N, M). A row of the result belongs to a row of x."""
)
def transposed(x, w, K):
    return K - 2 * _count(w[:, None] ^ x)


@xnor_product.mistake(
    """You sum over the rows of w too: one number for each row of x. Which axis holds the words?"""
)
def sums_over_rows(x, w, K):
    return K - 2 * _count(x[:, None] ^ w).sum(axis=1)


@xnor_product.mistake("""The ones are not counted: you add the words themselves up, as numbers.""")
def adds_words(x, w, K):
    return K - 2 * (x[:, None] ^ w).sum(axis=-1).astype(int)


@xnor_product.mistake("""Only the first 64 signs of each row count. What is the last axis?""")
def first_word_alone(x, w, K):
    return K - 2 * np.bitwise_count(x[:, None, 0] ^ w[:, 0]).astype(int)


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
    """You round up. A whole 2^shift is added before the shift, or all but one of it; half of it
    makes a floor round to the nearest."""
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
