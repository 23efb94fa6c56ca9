"""Which scale is best: what is rounded against what is clipped."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import quantization as quant
from tutorial_lib.from_scratch.quantization import integer_range


def numbers_and_scales(rng):
    yield dict(x=np.array([0.1, -0.2, 0.3, 4.0]), scales=np.array([0.1, 0.5, 2.0]), bits=3)
    for n, count, bits in [(30, 5, 4), (200, 20, 3), (50, 9, 2), (500, 40, 8)]:
        x = rng.standard_t(3, size=n)
        full = np.abs(x).max() / (2 ** (bits - 1) - 1)
        yield dict(x=x, scales=full * rng.permutation(np.linspace(0.1, 1, count)), bits=bits)
    yield dict(x=-rng.exponential(size=(6, 5)), scales=np.linspace(0.05, 0.6, 12), bits=4)
    yield dict(x=rng.normal(size=(3, 4)), scales=np.array([0.7]), bits=2)
    yield dict(x=np.zeros(3), scales=np.array([0.5, 0.25]), bits=4)  # all are as good


best_scale = Exercise(
    quant.best_scale,
    level=2,
    minutes=10,
    cases=numbers_and_scales,
    hints=(
        "For one scale: to integers, back, and how far from x on average? Then for each of them.",
        "A small scale clips large numbers, a large one rounds small ones away. Both must be in "
        "your error, so what has to happen before you go back?",
        "`x_hat = s * np.clip(np.round(x / s), -2 ** (bits - 1), 2 ** (bits - 1) - 1)` and "
        "`np.mean((x_hat - x) ** 2)` for each s; `np.argmin` gives the first of the least.",
    ),
)


def _square(back, x):
    return np.mean((back - x) ** 2)


def _best(x, scales, bits, error=_square, clip=True, pick=np.argmin, to_whole=np.round):
    least, largest = integer_range(bits) if clip else (-np.inf, np.inf)
    errors = [error(s * np.clip(to_whole(x / s), least, largest), x) for s in scales]
    return float(scales[pick(errors)])


@best_scale.mistake(
    """Nothing is clipped in yours, so the smallest scale always wins: with ever more integers
    rounding is free. How many are there?"""
)
def without_clipping(x, scales, bits):
    return _best(x, scales, bits, clip=False)


@best_scale.mistake("""You take the scale with the largest error.""")
def the_worst(x, scales, bits):
    return _best(x, scales, bits, pick=np.argmax)


@best_scale.mistake(
    """The mean of the errors with their signs: what is rounded up and what is rounded down cancel.
    What is done to an error before the mean?"""
)
def errors_cancel(x, scales, bits):
    return _best(x, scales, bits, error=lambda back, x: abs(np.mean(back - x)))


@best_scale.mistake(
    """You compare the largest errors. One clipped outlier then decides alone; the task takes the
    mean of the squares."""
)
def largest_error(x, scales, bits):
    return _best(x, scales, bits, error=lambda back, x: np.abs(back - x).max())


@best_scale.mistake(
    """Absolute errors where squares are asked for: yours clips more, because one large error costs
    no more than many small ones."""
)
def absolute_errors(x, scales, bits):
    return _best(x, scales, bits, error=lambda back, x: np.abs(back - x).mean())


@best_scale.mistake("""You give the place of the best scale in the list. Asked for is the scale.""")
def its_index(x, scales, bits):
    least, largest = integer_range(bits)
    backs = [s * np.clip(np.round(x / s), least, largest) for s in scales]
    return float(np.argmin([np.mean((back - x) ** 2) for back in backs]))


@best_scale.mistake(
    """You compare integers with numbers: the way back, times s, is missing before the error."""
)
def not_back_again(x, scales, bits):
    least, largest = integer_range(bits)
    found = [np.mean((np.clip(np.round(x / s), least, largest) - x) ** 2) for s in scales]
    return float(scales[np.argmin(found)])


@best_scale.mistake("""You give the least error. Asked for is the scale that has it.""")
def its_error(x, scales, bits):
    s = best_scale.reference(x, scales, bits)
    return float(_square(quant.fake_quantize(x, s, bits), x))


@best_scale.mistake(
    """Where several scales are equally good you take the last of them. Which one does the task
    want?"""
)
def the_last_of_several(x, scales, bits):
    return _best(x, scales, bits, pick=lambda errors: len(errors) - 1 - np.argmin(errors[::-1]))


@best_scale.mistake(
    """Your errors are counted in steps, so a large scale makes them look small. In which unit is
    x?"""
)
def in_steps(x, scales, bits):
    backs = [quant.fake_quantize(x, s, bits) for s in scales]
    return float(scales[np.argmin([_square(back, x) / s**2 for back, s in zip(backs, scales)])])


@best_scale.mistake(
    """Your integers begin at −(2^(b−1) − 1). There is one more below 0 than above: from where to
    where do they go?"""
)
def as_many_below_as_above(x, scales, bits):
    largest = integer_range(bits)[1]
    backs = [s * np.clip(np.round(x / s), -largest, largest) for s in scales]
    return float(scales[np.argmin([_square(back, x) for back in backs])])


@best_scale.mistake(
    """You round down (`floor`), which is off by up to a whole step. What is nearest?"""
)
def rounds_down(x, scales, bits):
    return _best(x, scales, bits, to_whole=np.floor)


@best_scale.mistake("""You cut off towards 0, as `astype` does. What is nearest?""")
def cuts_off(x, scales, bits):
    return _best(x, scales, bits, to_whole=np.trunc)


@best_scale.mistake(
    """You clip x itself, before it is divided by s. What must not leave the range, the numbers or
    their integers?"""
)
def clips_the_numbers(x, scales, bits):
    clipped = np.clip(x, *integer_range(bits))
    backs = [s * np.round(clipped / s) for s in scales]
    return float(scales[np.argmin([_square(back, x) for back in backs])])
