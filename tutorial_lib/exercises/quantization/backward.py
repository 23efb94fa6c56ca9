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
