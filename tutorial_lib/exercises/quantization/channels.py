"""A scale for each output of a weight matrix."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import quantization as quant
from tutorial_lib.from_scratch.quantization import integer_range


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


@scales_per_channel.mistake(
    """A column of zeros gets 1 / (2^(b−1) − 1): you put the 1 in before you divide. What is to be
    1, the largest value or the scale?"""
)
def one_before_the_division(W, bits):
    sizes = np.abs(W).max(axis=0)
    return np.where(sizes == 0, 1.0, sizes) / integer_range(bits)[1]


@scales_per_channel.mistake(
    """From each column's least value to its largest, over all steps: that is a scale with a zero
    point. A symmetric one has 0 in the middle: how far must it reach to each side?"""
)
def of_the_range(W, bits):
    return _of_columns(W.max(axis=0) - W.min(axis=0), bits, 2**bits - 1)


@scales_per_channel.mistake(
    """You take the mean of the absolute values, and all that are larger would be clipped far. Which
    of them shall become the largest integer?"""
)
def of_the_mean(W, bits):
    return _of_columns(np.abs(W).mean(axis=0), bits)
