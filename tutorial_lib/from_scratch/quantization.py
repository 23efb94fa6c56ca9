"""Numbers in few bits, in NumPy: to integers and back, their product, their gradient.

Taught in chapter 36. Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (CVPR 2018, 1712.05877), section 2. Symbols:

    b         bits of an integer, one of them for the sign: q lies in -2^(b-1) … 2^(b-1) - 1
    q         integers, int8 for up to 8 bits
    s         scale, s > 0: what one step of q is worth
    z         zero point, the integer that stands for 0; with z = 0 a quantizer is symmetric
    x ≈ s (q - z)
"""

import numpy as np


def integer_range(bits):
    """The least and the largest integer of so many bits with a sign: -128 and 127 for 8. Raises
    ValueError for less than 2 bits: one bit holds a sign and no zero."""
    if bits < 2:
        raise ValueError(f"bits is {bits}, expected 2 or more")
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def scale_and_zero_point(low, high, bits):
    """The affine quantizer for numbers from low to high.

    low, high  float, low ≤ high; bits  how many
    ->  s > 0, a float, and z, an int

    The range is first widened, if need be, so that 0 lies in it: 0 must be met exactly. Then low
    becomes the least integer and high the largest, but for the rounding of z to the nearest
    integer. For low = high = 0 any scale would do: it is 1.0.
    """
    least, largest = integer_range(bits)
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return 1.0, 0
    s = (high - low) / (largest - least)
    z = round(least - low / s)
    return float(s), int(z)


def quantize(x, s, z, bits):
    """Numbers to integers: q = clip(round(x / s) + z).

    x (...) float; s scale and z zero point, numbers or arrays that broadcast to x; bits 2 to 8
    ->  q (...) int8, in -2^(b-1) … 2^(b-1) - 1

    A number in the middle between two steps goes to the even one, as `np.round` does it. What lies
    outside of the range becomes its nearest end.
    """
    least, largest = integer_range(bits)
    return np.clip(np.round(x / s) + z, least, largest).astype(np.int8)


def dequantize(q, s, z):
    """Integers to the numbers for which they stand: s (q - z).

    q (...) integers; s, z as in `quantize`  ->  (...) float
    """
    return s * (q.astype(np.int32) - z)  # in int8 the difference would wrap around


def scales_per_channel(W, bits):
    """The symmetric scales of a weight matrix, one for each output.

    W (d_in, d_out) float, used as X W; bits  ->  s (d_out,) float

    Each column's largest absolute value becomes the largest integer, 2^(b-1) - 1. A column of zeros
    gets the scale 1.
    """
    _, largest = integer_range(bits)
    s = np.abs(W).max(axis=0) / largest  # (d_out,)
    return np.where(s == 0, 1.0, s)


def best_scale(x, scales, bits):
    """The symmetric scale with the least error.

    x (...) float; scales (C,) float > 0, those to choose from; bits 2 to 8
    ->  that s, a float, for which the mean of (x_hat - x)² is least, the first of several; x_hat is
        x after s · clip(round(x / s)) to the integers -2^(b-1) … 2^(b-1) - 1
    """
    least, largest = integer_range(bits)
    errors = []
    for s in scales:
        x_hat = s * np.clip(np.round(x / s), least, largest)
        errors.append(np.mean((x_hat - x) ** 2))
    return float(scales[np.argmin(errors)])


def int8_matmul(q_x, z_x, q_w, z_w):
    """The product of what two matrices of integers stand for, without their scales, exactly.

    q_x (N, K) int8 with zero point z_x; q_w (K, M) int8 with zero points z_w (M,)
    ->  (N, M) int32: Σ_k (q_x - z_x)(q_w - z_w)

    The large product is of the integers as they are, summed in 32 bits; what the zero points change
    is added afterwards:

        Σ q_x q_w - z_x Σ q_w - z_w Σ q_x + K z_x z_w
    """
    K = q_x.shape[1]
    q_x, q_w, z_w = (a.astype(np.int32) for a in (q_x, q_w, z_w))
    of_weights = q_w.sum(axis=0, dtype=np.int32)  # (M,)
    of_inputs = q_x.sum(axis=1, keepdims=True, dtype=np.int32)  # (N, 1)
    return q_x @ q_w - z_x * of_weights - of_inputs * z_w + K * z_x * z_w


def quantized_linear(x, W, b, s_x, z_x, bits):
    """x W + b by an integer product: inputs affine with one scale, weights symmetric with one for
    each output.

    x (N, K), W (K, M), b (M,), s_x, z_x scale and zero point of the inputs, bits of both
    ->  (N, M) float
    """
    s_w = scales_per_channel(W, bits)  # (M,)
    no_shift = np.zeros(W.shape[1], dtype=np.int8)
    q_x, q_w = quantize(x, s_x, z_x, bits), quantize(W, s_w, 0, bits)
    return s_x * s_w * int8_matmul(q_x, z_x, q_w, no_shift) + b


def fake_quantize(x, s, bits):
    """To integers and back, symmetric: s · clip(round(x / s)), for x (...) and a number s."""
    least, largest = integer_range(bits)
    return s * np.clip(np.round(x / s), least, largest)


def fake_quantize_backward(dy, x, s, bits):
    """The gradients of `fake_quantize` by the straight-through estimator.

    dy, x (...), s > 0 a number, bits  ->  dict of dx (...) and ds, a float

    Rounding counts as the identity, although its slope is 0 almost everywhere; clipping counts as
    what it is. So a number whose round(x / s) lies in the range passes its gradient on, one that
    was clipped does not. The scale follows by the product rule from s · clip(round(x / s)): for a
    rounded number round(x / s) - x / s, for a clipped one the end of the range
    (Esser et al., 1902.08153, equation 3).
    """
    least, largest = integer_range(bits)
    steps = np.round(x / s)
    inside = (least <= steps) & (steps <= largest)
    of_scale = np.where(inside, steps - x / s, np.clip(steps, least, largest))
    return {"dx": dy * inside, "ds": float((dy * of_scale).sum())}


def pack(q, bits):
    """Integers without a gap between them, as a file would hold them.

    q (...) int8 in -2^(b-1) … 2^(b-1) - 1, bits 2 to 8  ->  uint8 (⌈count · bits / 8⌉,)
    """
    unsigned = (q.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8).reshape(-1, 1)
    return np.packbits(np.unpackbits(unsigned, axis=1)[:, -bits:])


def unpack(packed, bits, shape):
    """The integers that `pack` has packed: uint8 (bytes,), bits, their shape  ->  int8 (shape)."""
    count = int(np.prod(shape))
    rows = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    unsigned = rows @ 2 ** np.arange(bits)[::-1]
    return (unsigned - 2 ** (bits - 1)).astype(np.int8).reshape(shape)
