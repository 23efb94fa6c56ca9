"""A linear map of integers as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise, Probe
from tutorial_lib.layers.quantization import int8_product


class QuantizedLinear(nn.Module):
    """A linear map whose weights are integers, and whose inputs become integers on the way in.

    linear     a trained nn.Linear with a bias, weight (outputs, inputs)
    low, high  the least and the largest input to be expected, floats
    bits       2 to 8, of weights and inputs: integers from −2^(bits−1) to 2^(bits−1) − 1

    Its buffers: weight (outputs, inputs) int8 and weight_scale (outputs,), symmetric, one scale for
    each output's largest absolute weight; input_scale () float and input_zero () int32, affine,
    for the range from low to high, widened to reach 0; bias (outputs,) as it was. No row of the
    weights is all zeros.
    """

    def __init__(self, linear: nn.Linear, low: float, high: float, bits: int = 8):
        """Quantize the weights, and keep what the inputs will need."""
        super().__init__()
        self.least, self.largest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        weight = linear.weight.detach()
        weight_scale = weight.abs().amax(dim=1) / self.largest  # (outputs,)
        low, high = min(low, 0.0), max(high, 0.0)
        input_scale = (high - low) / (self.largest - self.least)
        input_zero = round(self.least - low / input_scale)
        q = (weight / weight_scale[:, None]).round().to(torch.int8)
        self.register_buffer("weight", q)
        self.register_buffer("weight_scale", weight_scale)
        self.register_buffer("input_scale", torch.tensor(input_scale))
        self.register_buffer("input_zero", torch.tensor(input_zero, dtype=torch.int32))
        self.register_buffer("bias", linear.bias.detach().clone())

    def forward(self, x):
        """x (..., inputs)  ->  (..., outputs), by `int8_product(a, b)`: (N, K) int8, (K, M) int8
        to (N, M) int32"""
        q = (x / self.input_scale).round() + self.input_zero
        q = q.clamp(self.least, self.largest).to(torch.int8)
        product = int8_product(q.flatten(0, -2), self.weight.mT)  # (N, outputs) int32
        product = product - self.input_zero * self.weight.sum(dim=1, dtype=torch.int32)
        out = product * (self.input_scale * self.weight_scale) + self.bias
        return out.unflatten(0, x.shape[:-1])


class _AsMade(Probe):
    """What a class makes of a linear map, buffer by buffer, and what it gives: nothing is loaded
    into it, as the weights of other modules are, since making its buffers is half of the task."""

    def _results(self, arguments, inputs):
        module = self.cls(**arguments)
        (x,) = inputs
        buffers = {name: value.clone() for name, value in module.named_buffers()}
        return {
            **buffers,
            "output": module(x),
            "output for one row": module(x[..., :1, :]),
            "weights that learn": len(list(module.parameters())),
        }


class MadeFromLinear(ModuleExercise):
    """A `ModuleExercise` that compares modules as they are made."""

    def as_function(self, answer):
        return _AsMade(answer, self.reference)

    def when_right(self, trial) -> str:
        return "    every buffer and the output agree, and nothing in it learns"


def maps_and_inputs(rng):
    for shape, outputs, low, high, bits in [
        ((2, 3), 2, -1.0, 2.0, 4),
        ((1, 4), 3, -2.0, 2.0, 8),
        ((2, 3, 5), 4, -1.0, 3.0, 3),
        ((3, 2, 4), 4, 0.5, 2.0, 8),
        ((4, 6), 5, -3.0, -1.0, 6),
        ((2, 1, 200), 2, -1.0, 1.0, 8),
        ((3, 3), 3, -0.2, 2.0, 2),
    ]:
        torch.manual_seed(int(rng.integers(1000)))
        linear = nn.Linear(shape[-1], outputs)
        with torch.no_grad():
            linear.weight.mul_(10 ** torch.linspace(-1, 1, outputs)[:, None])  # unequal rows
            linear.bias.add_(1.0)
        x = torch.from_numpy(rng.uniform(low, high, size=shape)).float()
        x.flatten()[0], x.flatten()[-1] = 3 * high + 1, 3 * low - 1  # beyond what was expected
        yield dict(arguments=dict(linear=linear, low=low, high=high, bits=bits), x=x)


QuantizedLinear = MadeFromLinear(
    QuantizedLinear,
    level=3,
    minutes=20,
    cases=maps_and_inputs,
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
