"""Numbers in few bits, in PyTorch: rounding that lets gradients pass, quantized linear maps.

Taught in chapter 36. Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (CVPR 2018, 1712.05877), for scales, zero points and the integer
product; Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons (1308.3432),
for the straight-through estimator; Esser et al., Learned Step Size Quantization (ICLR 2020,
1902.08153), for the gradient of the scale.

A number x becomes an integer q = clip(round(x / scale) + zero_point) of a few bits, which stands
for (q - zero_point) · scale. With a zero point of 0 this is called symmetric, otherwise affine.
"""

import torch


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
