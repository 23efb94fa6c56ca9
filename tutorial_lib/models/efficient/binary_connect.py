"""BinaryConnect: what most systems of chapter 36 are compared with. Taught in chapter 36.

Courbariaux, Bengio, David, BinaryConnect: Training Deep Neural Networks with binary weights during
propagations (NeurIPS 2015, 1511.00363). A float weight is kept beside each binary one. The forward
pass uses the binary weight; the gradient that arrives there moves the float one (straight through),
which is then clipped to where it can still change the binary one.
"""

import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.layers.quantization import straight_through
from tutorial_lib.models.efficient.inner_layers import inner_layers


class BinaryConnect(nn.Module):
    """A parametrization: the nearest of a few values, and the gradient straight through.

    values  (K,) in rising order; (−1, 1) is the paper's binary case
    """

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, weight):
        """Float weights of any shape  ->  the nearest value of each; halfway, the upper one."""
        borders = (self.values[1:] + self.values[:-1]) / 2
        return straight_through(weight, self.values[torch.bucketize(weight, borders, right=True)])


def levels(bits: int) -> torch.Tensor:
    """The 2^bits values from −1 to 1 in equal steps."""
    return torch.linspace(-1, 1, 2**bits)


def binary_connect(model: nn.Module, bits: int) -> list[nn.Parameter]:
    """Give the inner layers of a model weights of `bits` bits, in place  ->  the float ones, for
    `clip`."""
    for layer in inner_layers(model).values():
        parametrize.register_parametrization(layer, "weight", BinaryConnect(levels(bits)))
    return [layer.parametrizations.weight.original for layer in inner_layers(model).values()]


@torch.no_grad()
def clip(weights) -> None:
    """After a step: keep each float weight between −1 and 1, in place. One that has wandered off
    would need many steps to come back before anything changes."""
    for weight in weights:
        weight.clamp_(-1, 1)
