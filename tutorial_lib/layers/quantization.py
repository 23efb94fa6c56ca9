"""Numbers in few bits, in PyTorch: rounding that lets gradients pass, and an integer linear map.

Taught in chapter 36. Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (CVPR 2018, 1712.05877), for scales, zero points and the integer
product; Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons (1308.3432),
for the straight-through estimator; Esser et al., Learned Step Size Quantization (ICLR 2020,
1902.08153), for the gradient of the scale.

A number x becomes an integer q = clip(round(x / scale) + zero_point) of a few bits, which stands
for (q - zero_point) · scale. With a zero point of 0 this is called symmetric, otherwise affine.
"""

import torch
from torch import nn


def integer_range(bits: int) -> tuple[int, int]:
    """The least and the largest integer of so many bits, one of them for the sign: -128, 127 for
    8. Raises ValueError for less than 2 bits: one bit holds a sign and no zero."""
    if bits < 2:
        raise ValueError(f"bits is {bits}, expected 2 or more")
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def straight_through(x, discrete):
    """The value of `discrete` with the gradient of x: forward a step, backward the identity.

    x, discrete  tensors of one shape  ->  a tensor of that shape
    """
    return discrete.detach() + (x - x.detach())  # exactly `discrete`: what is added is zero


def fake_quantize(x, scale, zero_point=0, bits: int = 8):
    """What x is after quantizing and back, still as floats, with gradients for x and for the scale.

    x           tensor
    scale       tensor or number > 0, broadcasts to x; where it wants a gradient it gets one
    zero_point  integers, broadcast to x; 0 for symmetric
    ->  tensor like x: clip(round(x / scale) + zero_point) - zero_point, times scale

    Backward: a number that was rounded passes its gradient on as it is (straight through), one that
    was clipped gets none. The scale gets round(x / scale) - x / scale for each rounded number and
    the border for each clipped one (1902.08153, equation 3).
    """
    low, high = integer_range(bits)
    steps = x / scale
    q = (straight_through(steps, steps.round()) + zero_point).clamp(low, high)
    return (q - zero_point) * scale


def symmetric_scale(x, bits: int, clip=1.0):
    """The scale at which `clip` times the largest absolute value becomes the largest integer.

    x (..., n), clip a number or (...,)  ->  scale (...,), one for each row; 1 for a row of zeros
    """
    scale = clip * x.abs().amax(-1) / integer_range(bits)[1]
    return torch.where(scale == 0, torch.ones_like(scale), scale)


def affine_scale(x, bits: int, clip=1.0):
    """Scale and zero point for `clip` times the range of x, widened so that 0 lies in it.

    x (..., n), clip a number or (...,)  ->  scale (...,) and zero_point (...,), whole numbers as
    floats, one for each row; 1 and 0 for a row of zeros
    """
    least, largest = integer_range(bits)
    low, high = clip * x.amin(-1).clamp(max=0), clip * x.amax(-1).clamp(min=0)
    scale = (high - low) / (largest - least)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero_point = torch.where(low == high, 0.0, (least - low / scale).round())
    return scale, zero_point


def int8_product(a, b):
    """The exact product of matrices of integers: a (N, K) int8, b (K, M) int8  ->  (N, M) int32.

    `torch._int_mm` sums in 32 bits and uses the processor's instructions for 8 bits. On a GPU it
    wants more than 16 rows and K and M that are multiples of 8; other sizes are filled with zeros.
    """
    if a.device.type == "cpu":
        return torch._int_mm(a, b)
    (N, K), M = a.shape, b.shape[1]
    rows, inner, columns = max(0, 17 - N), -K % 8, -M % 8
    a = nn.functional.pad(a, (0, inner, 0, rows))
    b = nn.functional.pad(b.mT, (0, inner, 0, columns)).mT  # its columns lie in one piece
    return torch._int_mm(a, b)[:N, :M]


class QuantizedLinear(nn.Module):
    """A linear map of integers: int8 weights, and inputs that become int8 on the way in.

    inputs, outputs  features
    bits, input_bits  2 to 8, of the weights and of the inputs; these have as many if not given

    Buffers, which `take` fills: weight (outputs, inputs) int8; weight_scale (outputs,) of the
    symmetric weights; input_scale () and input_zero (), int32, of the affine inputs; bias
    (outputs,), which stays float. Nothing in it learns.
    """

    def __init__(self, inputs: int, outputs: int, bits: int = 8, input_bits: int | None = None):
        super().__init__()
        self.bits, self.input_bits = bits, input_bits or bits
        self.register_buffer("weight", torch.zeros(outputs, inputs, dtype=torch.int8))
        self.register_buffer("weight_scale", torch.ones(outputs))
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("input_zero", torch.zeros((), dtype=torch.int32))
        self.register_buffer("bias", torch.zeros(outputs))

    @torch.no_grad()
    def take(self, linear: nn.Linear, weight_scale, input_scale, input_zero):
        """Take over a float linear map of the same size, with scales that were chosen for it:
        weight_scale (outputs,), input_scale (), input_zero ()  ->  self."""
        least, largest = integer_range(self.bits)
        steps = linear.weight / weight_scale[:, None]
        self.weight.copy_(steps.round().clamp(least, largest))
        self.weight_scale.copy_(weight_scale)
        self.input_scale.copy_(input_scale)
        self.input_zero.copy_(input_zero)
        if linear.bias is not None:
            self.bias.copy_(linear.bias)
        return self

    def forward(self, x):
        """(..., inputs)  ->  (..., outputs)"""
        least, largest = integer_range(self.input_bits)
        # In place where it can be: on a CPU, writing to new memory takes longer than adding.
        q = x.div(self.input_scale).round_().add_(self.input_zero)
        q = q.clamp_(least, largest).to(torch.int8)
        product = int8_product(q.flatten(0, -2), self.weight.mT)  # (N, outputs) int32
        product.sub_(self.input_zero * self.weight.sum(1, dtype=torch.int32))
        out = product.to(self.bias.dtype).mul_(self.input_scale * self.weight_scale).add_(self.bias)
        return out.unflatten(0, x.shape[:-1])
