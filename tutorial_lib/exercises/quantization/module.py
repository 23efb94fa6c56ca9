"""A linear map of integers as a module, and what people get wrong in it."""

import torch

from tutorial_lib.exercises.quantization import linear
from tutorial_lib.layers.quantization import int8_product

QuantizedLinear = linear.MadeFromLinear(
    linear.QuantizedLinear,
    level=3,
    minutes=20,
    cases=linear.maps_and_inputs,
    hints=(
        "In `__init__`: the two exercises before, once for rows of weights and once for a range. "
        "In `forward`: inputs to integers, product, zero point off, scales on, bias on.",
        "x ≈ input_scale · (q − input_zero), so what the product of the integers has too much, for "
        "each output, is input_zero times the sum of that output's integer weights.",
        "`q = ((x / self.input_scale).round() + self.input_zero).clamp(...).to(torch.int8)`; "
        "`product = int8_product(q.flatten(0, -2), self.weight.mT)`; minus `self.input_zero * "
        "self.weight.sum(dim=1, dtype=torch.int32)`; times both scales, plus the bias, and "
        "`unflatten(0, x.shape[:-1])`.",
    ),
)


class _Parts(QuantizedLinear.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x):
        q = self.integers(x)
        product = self.corrected(int8_product(q.flatten(0, -2), self.weight.mT))
        return self.floats(product).unflatten(0, x.shape[:-1])

    def integers(self, x):
        q = (x / self.input_scale).round() + self.input_zero
        return q.clamp(self.least, self.largest).to(torch.int8)

    def of_zero(self):
        return self.input_zero * self.weight.sum(dim=1, dtype=torch.int32)

    def corrected(self, product):
        return product - self.of_zero()

    def floats(self, product):
        return product * (self.input_scale * self.weight_scale) + self.bias


@QuantizedLinear.mistake(
    """The inputs' zero point is never taken off: each output is off by a constant, the sum of its
    weights times that zero point. For which number does q = input_zero stand?"""
)
class KeepsTheZeroPoint(_Parts):
    def corrected(self, product):
        return product


@QuantizedLinear.mistake(
    """The zero point's share is added instead of taken off. x ≈ s (q − z): which sign has z in the
    sum?"""
)
class AddsTheZeroPoint(_Parts):
    def corrected(self, product):
        return product + self.of_zero()


@QuantizedLinear.mistake(
    """You take off the zero point itself, not what it does to the sum: z is added to every input,
    and each input meets a weight."""
)
class TakesOffTheZeroPointAlone(_Parts):
    def corrected(self, product):
        return product - self.input_zero


@QuantizedLinear.mistake(
    """Inputs beyond the expected range begin again at the other end: a number above the largest
    int8 becomes a negative one. What keeps them at the border?"""
)
class InputsWrapAround(_Parts):
    def integers(self, x):
        q = (x / self.input_scale).round() + self.input_zero
        return q.to(torch.int64).to(torch.int8)


@QuantizedLinear.mistake(
    """You clip to the range of int8, and with fewer bits inputs get integers that are none of
    theirs. What are the borders for `bits` bits?"""
)
class ClipsToEightBits(_Parts):
    def integers(self, x):
        q = (x / self.input_scale).round() + self.input_zero
        return q.clamp(-128, 127).to(torch.int8)


@QuantizedLinear.mistake(
    """The inputs are cut off instead of rounded: `.to(torch.int8)` goes towards 0."""
)
class CutsInputsOff(_Parts):
    def integers(self, x):
        q = (x / self.input_scale).trunc() + self.input_zero
        return q.clamp(self.least, self.largest).to(torch.int8)


@QuantizedLinear.mistake(
    """The bias is added before the scales, and is scaled with the product. It is a float as it
    was: where must it stand?"""
)
class ScalesTheBias(_Parts):
    def floats(self, product):
        return (product + self.bias) * (self.input_scale * self.weight_scale)


@QuantizedLinear.mistake("""The bias is missing.""")
class ForgetsTheBias(_Parts):
    def floats(self, product):
        return product * (self.input_scale * self.weight_scale)


@QuantizedLinear.mistake(
    """The product is brought back by the weights' scales alone. A step of the product is a step of
    the inputs times one of the weights."""
)
class ForgetsTheInputScale(_Parts):
    def floats(self, product):
        return product * self.weight_scale + self.bias


def _remade(name, value):
    """A class that puts another value into one buffer once it is made: value(module, arguments)."""

    class Remade(_Parts):
        def __init__(self, linear, low, high, bits=8):
            super().__init__(linear, low, high, bits)
            value(self, linear.weight.detach(), low, high)

    Remade.__name__ = Remade.__qualname__ = name
    return Remade


def _one_scale(module, weight, low, high):
    module.weight_scale.fill_(weight.abs().max() / module.largest)
    module.weight.copy_((weight / module.weight_scale[:, None]).round())


def _scales_of_maxima(module, weight, low, high):
    module.weight_scale.copy_(weight.amax(dim=1) / module.largest)
    steps = (weight / module.weight_scale[:, None]).round()
    module.weight.copy_(steps.clamp(module.least, module.largest))


def _weights_cut_off(module, weight, low, high):
    module.weight.copy_((weight / module.weight_scale[:, None]).trunc())


def _range_not_widened(module, weight, low, high):
    scale = (high - low) / (module.largest - module.least)
    module.input_scale.fill_(scale)
    module.input_zero.fill_(round(module.least - low / scale))


QuantizedLinear.mistake(
    """One scale for the whole matrix: an output whose weights are small gets few of the integers.
    The task has one for each output."""
)(_remade("OneScaleForAll", _one_scale))
QuantizedLinear.mistake(
    """Your weight scales come from the largest weight and not from the largest absolute one: large
    negative weights are clipped, or a scale is negative."""
)(_remade("ScalesOfTheLargest", _scales_of_maxima))
QuantizedLinear.mistake(
    """The weights are cut off instead of rounded: converting to int8 goes towards 0, so all are
    too small."""
)(_remade("CutsWeightsOff", _weights_cut_off))
QuantizedLinear.mistake(
    """Right where low < 0 < high. Otherwise your range does not reach 0 and its zero point lies
    outside of the integers. What does the task do with such a range?"""
)(_remade("RangeWithoutZero", _range_not_widened))


def _input_range(module, low, high, steps, least):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / steps
    module.input_scale.fill_(scale)
    module.input_zero.fill_(round(least - low / scale))


def _without_zero_point(module, weight, low, high):
    module.input_scale.fill_(max(abs(low), abs(high)) / module.largest)
    module.input_zero.fill_(0)


def _weights_for_one_more(module, weight, low, high):
    module.weight_scale.copy_(weight.abs().amax(dim=1) / (module.largest + 1))
    steps = (weight / module.weight_scale[:, None]).round()
    module.weight.copy_(steps.clamp(module.least, module.largest))


def _inputs_of_8_bits(module, weight, low, high):
    module.least, module.largest = -128, 127
    _input_range(module, low, high, 255, -128)


QuantizedLinear.mistake(
    """The inputs' zero point is 0 and their range the same on both sides. The task has inputs
    affine: from low to high, with a zero point."""
)(_remade("SymmetricInputs", _without_zero_point))
QuantizedLinear.mistake(
    """Your weights' scale divides by 2^(b−1), which is no integer of b bits: the largest weight is
    clipped. What is the largest one?"""
)(_remade("WeightsForOneMore", _weights_for_one_more))
QuantizedLinear.mistake(
    """The weights have `bits` bits, and the inputs always 8. Both should have `bits`."""
)(_remade("InputsOfEightBits", _inputs_of_8_bits))


@QuantizedLinear.mistake("""Weights and inputs have 8 bits, whatever `bits` says.""")
class AlwaysEightBits(_Parts):
    def __init__(self, linear, low, high, bits=8):
        super().__init__(linear, low, high)


@QuantizedLinear.mistake(
    """You take the range from the inputs that `forward` meets, and it is another one for every
    batch. Which range was given?"""
)
class RangeOfTheBatch(_Parts):
    def forward(self, x):
        _input_range(self, x.min().item(), x.max().item(), self.largest - self.least, self.least)
        return super().forward(x)


@QuantizedLinear.mistake(
    """The inputs are cut off instead of rounded once z is added: converting to int8 goes towards
    0."""
)
class CutsOffAfterTheZeroPoint(_Parts):
    def integers(self, x):
        q = x / self.input_scale + self.input_zero
        return q.clamp(self.least, self.largest).to(torch.int8)
