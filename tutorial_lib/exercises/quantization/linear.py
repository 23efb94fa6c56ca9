"""A linear map of integers as a module: what is asked, and how it is tried."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.checking.probing import Probe
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
