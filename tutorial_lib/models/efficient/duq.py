"""DuQ: one quantizer for weights and activations, whose range is learned. Taught in chapter 36.

Park, Yoo, PROFIT: A Novel Training Method for sub-4-bit MobileNet Models (ECCV 2020, 2008.04693),
section 5. Where numbers are clipped (a) and how large the results are (c) are learned apart, both
kept above zero by a softplus.
"""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.layers.quantization import straight_through
from tutorial_lib.models.efficient.inner_layers import inner_layers


def duq(x, a, c, steps: int, low: int):
    """Clip x / a to low … 1, round to 1 / steps, and multiply by c.

    x tensor; a, c scalars > 0; steps from 0 to 1; low −1 for weights, 0 for activations that are
    not negative  ->  a tensor like x, with gradients for x, a and c
    """
    x = (x / a).clamp(low, 1)
    return straight_through(x, (x * steps).round() / steps) * c


class DuQ(nn.Module):
    """The quantizer as a module or as a parametrization of a weight.

    bits    signed: 2^(bits − 1) − 1 steps on each side of zero, 2^bits − 1 values in all;
            unsigned: 2^bits − 1 steps from zero on
    signed  whether numbers may be negative
    size    > 0, where a and c begin; the authors take 0.9 max|w| for weights and the 95th
            percentile for activations
    """

    def __init__(self, bits: int, signed: bool, size: float):
        super().__init__()
        self.steps = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        if self.steps < 1 or not size > 0:
            raise ValueError(
                f"bits is {bits} and size {size}, expected size > 0 and bits of 1 or more, of 2 or "
                "more where numbers are signed"
            )
        self.low = -1 if signed else 0
        raw = math.log(math.expm1(size))  # softplus(raw) = size
        self.a, self.c = (nn.Parameter(torch.tensor(raw)) for _ in range(2))

    def forward(self, x):
        """x of any shape  ->  quantized, still as floats"""
        a, c = nn.functional.softplus(self.a), nn.functional.softplus(self.c)
        return duq(x, a, c, self.steps, self.low)


def quantize_weights(model: nn.Module, bits: int) -> None:
    """Give the weight of every inner layer a DuQ of its own, in place."""
    for layer in inner_layers(model).values():
        size = 0.9 * layer.weight.abs().max().item()
        parametrize.register_parametrization(layer, "weight", DuQ(bits, True, size))


@torch.no_grad()
def quantize_activations(model: nn.Module, bits: int, images: torch.Tensor) -> None:
    """Put a DuQ behind every ReLU, in place. It begins with the 95th percentile of what is above
    zero there, from these images."""
    sizes, hooks = {}, []
    for module in model.modules():
        if isinstance(module, nn.ReLU):

            def measure(module, inputs, output):
                sizes[module] = torch.quantile(output[output > 0][:1_000_000], 0.95).item()

            hooks.append(module.register_forward_hook(measure))
    model.eval()(images)
    for hook in hooks:
        hook.remove()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in sizes:
                setattr(parent, name, nn.Sequential(child, DuQ(bits, False, sizes[child])))
