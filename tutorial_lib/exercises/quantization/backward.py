"""The gradient of rounding, as it is taken."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import quantization as quant
from tutorial_lib.from_scratch.quantization import integer_range


def gradients_and_numbers(rng):
    yield dict(dy=np.array([1.0, 2.0, 3.0]), x=np.array([0.26, 9.0, -9.0]), s=0.5, bits=3)
    for shape, s, bits in [((4,), 0.3, 2), ((2, 3), 0.1, 4), ((3, 1, 2), 0.7, 3), ((40,), 0.05, 6)]:
        yield dict(dy=rng.normal(size=shape), x=rng.normal(size=shape), s=s, bits=bits)
    # rounded to the last integer from beyond it, on both sides, and one step farther
    x = 0.5 * np.array([3.3, 3.6, -4.3, -4.6, 3.0, -4.0])
    yield dict(dy=rng.normal(size=6), x=x, s=0.5, bits=3)
    yield dict(dy=rng.normal(size=(2, 2)), x=np.zeros((2, 2)), s=2.0, bits=8)


fake_quantize_backward = Exercise(
    quant.fake_quantize_backward,
    level=3,
    minutes=15,
    cases=gradients_and_numbers,
    hints=(
        "Write y = s · clip(r), r = x / s with rounding left out. What is dy/dx where nothing is "
        "clipped, and where something is?",
        "For s, two factors depend on it. Where nothing is clipped: y = s · round(x / s), and "
        "round counts as the identity in the inner derivative: round(x / s) + s · (−x / s²).",
        "`steps = np.round(x / s)`; inside where least ≤ steps ≤ largest; dx is dy there and 0 "
        "elsewhere; ds sums dy times (steps − x / s) inside and dy times the end outside.",
    ),
)


def _gradients(dy, x, s, bits):
    """inside, steps, and what the reference gives"""
    least, largest = integer_range(bits)
    steps = np.round(x / s)
    inside = (least <= steps) & (steps <= largest)
    return inside, steps, quant.fake_quantize_backward(dy, x, s, bits)


@fake_quantize_backward.mistake(
    """All of dy passes, also where x was clipped. A clipped number may move and y stays: what is
    its gradient?"""
)
def passes_what_was_clipped(dy, x, s, bits):
    return _gradients(dy, x, s, bits)[2] | {"dx": dy.copy()}


@fake_quantize_backward.mistake(
    """Zero everywhere: that is the true slope of a staircase, and with it nothing ever learns. By
    what does the estimator replace the slope of rounding?"""
)
def the_true_slope(dy, x, s, bits):
    least, largest = integer_range(bits)
    steps = np.clip(np.round(x / s), least, largest)
    return {"dx": np.zeros_like(x), "ds": float((dy * steps).sum())}


@fake_quantize_backward.mistake(
    """ds takes each number's integer as the slope: that is one of its two factors. The other one
    is s inside of x / s, through which a larger scale makes a smaller integer."""
)
def scale_outside_only(dy, x, s, bits):
    least, largest = integer_range(bits)
    steps = np.clip(np.round(x / s), least, largest)
    return _gradients(dy, x, s, bits)[2] | {"ds": float((dy * steps).sum())}


@fake_quantize_backward.mistake(
    """ds has −x / s alone, the part through the inside. y is also s times the integer."""
)
def scale_inside_only(dy, x, s, bits):
    inside, _, found = _gradients(dy, x, s, bits)
    return found | {"ds": float((dy * inside * -x / s).sum())}


@fake_quantize_backward.mistake(
    """ds counts only what was not clipped. A clipped number's y is s times the end of the range,
    and that moves with s."""
)
def clipped_left_out_of_the_scale(dy, x, s, bits):
    inside, steps, found = _gradients(dy, x, s, bits)
    return found | {"ds": float((dy * inside * (steps - x / s)).sum())}


@fake_quantize_backward.mistake(
    """ds has the clipped numbers' own integers, beyond the range. Which integer do they become?"""
)
def scale_not_clipped(dy, x, s, bits):
    _, steps, found = _gradients(dy, x, s, bits)
    return found | {"ds": float((dy * (steps - x / s)).sum())}


@fake_quantize_backward.mistake(
    """You ask whether x / s itself lies in the range. Half a step beyond the last integer a number
    is still rounded to it, and nothing is clipped."""
)
def border_before_rounding(dy, x, s, bits):
    least, largest = integer_range(bits)
    inside = (least <= x / s) & (x / s <= largest)
    steps = np.round(x / s)
    of_scale = np.where(inside, steps - x / s, np.clip(steps, least, largest))
    return {"dx": dy * inside, "ds": float((dy * of_scale).sum())}


@fake_quantize_backward.mistake(
    """dx is divided by s, as if y were the integer. y is s times the integer: what does the chain
    rule make of s and 1 / s?"""
)
def divided_by_the_scale(dy, x, s, bits):
    found = _gradients(dy, x, s, bits)[2]
    return found | {"dx": found["dx"] / s}


@fake_quantize_backward.mistake(
    """ds is one number for each x. There is one scale for all of them: what becomes of its
    gradients?"""
)
def scale_for_each_number(dy, x, s, bits):
    inside, steps, found = _gradients(dy, x, s, bits)
    least, largest = integer_range(bits)
    of_scale = np.where(inside, steps - x / s, np.clip(steps, least, largest))
    return found | {"ds": dy * of_scale}


def _of_scale(dy, x, s, bits, slope):
    """The reference with another slope of the scale: slope(inside, steps, x / s, its end)"""
    inside, steps, found = _gradients(dy, x, s, bits)
    end = np.clip(steps, *integer_range(bits))
    return found | {"ds": float((dy * slope(inside, steps, x / s, end)).sum())}


@fake_quantize_backward.mistake(
    """ds is a mean. One scale serves all numbers: what does each of them add to its gradient?"""
)
def mean_over_the_numbers(dy, x, s, bits):
    found = _gradients(dy, x, s, bits)[2]
    return found | {"ds": found["ds"] / dy.size}


@fake_quantize_backward.mistake(
    """dy is missing in ds: this is the slope of the sum of all y. What does the chain rule put
    before it?"""
)
def scale_without_dy(dy, x, s, bits):
    return _gradients(dy, x, s, bits)[2] | {
        "ds": _gradients(np.ones_like(dy), x, s, bits)[2]["ds"],
    }


@fake_quantize_backward.mistake(
    """For the rounded numbers ds has the other sign, x / s − round(x / s). Which of the two factors
    of the product rule has the minus?"""
)
def scale_turned(dy, x, s, bits):
    return _of_scale(dy, x, s, bits, lambda inside, n, r, end: np.where(inside, r - n, end))


@fake_quantize_backward.mistake(
    """In ds every clipped number counts with the largest integer. What became of those that were
    clipped below?"""
)
def largest_for_both_ends(dy, x, s, bits):
    largest = integer_range(bits)[1]
    return _of_scale(dy, x, s, bits, lambda inside, n, r, end: np.where(inside, n - r, largest))


@fake_quantize_backward.mistake(
    """In ds the clipped numbers still take off x / s. Once it is clipped, does y depend on x /
    s?"""
)
def clipped_as_if_rounded(dy, x, s, bits):
    return _of_scale(dy, x, s, bits, lambda inside, n, r, end: end - r)


@fake_quantize_backward.mistake(
    """ds is multiplied by s: that is x_hat − x for a rounded number, in units of x. What is
    dy/ds of s · round(x / s)?"""
)
def times_the_scale(dy, x, s, bits):
    found = _gradients(dy, x, s, bits)[2]
    return found | {"ds": found["ds"] * s}


def _other_range(dy, x, s, bits, least, largest, to_whole=np.round):
    steps = to_whole(x / s)
    inside = (least <= steps) & (steps <= largest)
    end = np.clip(steps, *integer_range(bits))
    return {"dx": dy * inside, "ds": float((dy * np.where(inside, steps - x / s, end)).sum())}


@fake_quantize_backward.mistake(
    """A number that was rounded to the last integer itself counts as clipped in yours. Is it?"""
)
def the_ends_left_out(dy, x, s, bits):
    least, largest = integer_range(bits)
    return _other_range(dy, x, s, bits, least + 1, largest - 1)


@fake_quantize_backward.mistake(
    """Your integers begin at −(2^(b−1) − 1). There is one more below 0 than above."""
)
def as_many_below_as_above(dy, x, s, bits):
    largest = integer_range(bits)[1]
    steps = np.round(x / s)
    inside, end = abs(steps) <= largest, np.clip(steps, -largest, largest)
    return {"dx": dy * inside, "ds": float((dy * np.where(inside, steps - x / s, end)).sum())}


@fake_quantize_backward.mistake(
    """You round down (`floor`). To which integer does the task round?"""
)
def rounds_down(dy, x, s, bits):
    return _other_range(dy, x, s, bits, *integer_range(bits), np.floor)


@fake_quantize_backward.mistake(
    """Your mask is turned: what was clipped passes dy on, and what was rounded does not."""
)
def mask_turned(dy, x, s, bits):
    inside, _, found = _gradients(dy, x, s, bits)
    return found | {"dx": dy * ~inside}
