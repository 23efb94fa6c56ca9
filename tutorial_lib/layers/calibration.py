"""How much of the range a scale should cover: four ways to choose, and a model that is quantized.

Taught in chapter 36. Min-max clips nothing. Percentile clips the rarest numbers. Squared error
weighs what clipping costs against what rounding costs. Entropy keeps the histogram most alike
(Migacz, 8-bit Inference with TensorRT, GTC 2017). Each is a function

    method(x, bits, affine=False)  ->  clip (...,), in 0 … 1

of x (..., n), and says for each row which share of its range the scale should cover: the arguments
of `symmetric_scale` and `affine_scale`.
"""

import copy

import torch
from torch import nn

from tutorial_lib.layers.quantization import (
    QuantizedLinear,
    affine_scale,
    fake_quantize,
    integer_range,
    symmetric_scale,
)


def min_max(x, bits: int, affine=False):
    """All of it: x (..., n), bits  ->  ones (...,)."""
    return torch.ones_like(x[..., 0])


def percentile(x, bits: int, affine=False, share: float = 0.999):
    """So much that `share` of the absolute values lie in it: x (..., n), bits  ->  clip (...,)."""
    sizes = x.abs().sort(-1).values
    n = x.shape[-1]
    kept = sizes[..., min(int(share * n), n - 1)]
    return torch.where(kept > 0, kept / sizes[..., -1], torch.ones_like(kept))


def squared_error(x, bits: int, affine=False, candidates: int = 50):
    """The share with the least mean squared error: x (..., n), bits  ->  clip (...,)."""
    shares = torch.linspace(1 / candidates, 1, candidates).to(x)
    errors = torch.stack([_squared_error(x, bits, affine, clip) for clip in shares])
    return shares[errors.argmin(0)]


def _squared_error(x, bits, affine, clip):
    """(..., n)  ->  (...,)"""
    if affine:
        scale, zero = affine_scale(x, bits, clip)
    else:
        scale, zero = symmetric_scale(x, bits, clip), torch.zeros_like(x[..., 0])
    return (fake_quantize(x, scale[..., None], zero[..., None], bits) - x).square().mean(-1)


def entropy(x, bits: int, affine=False, bins: int = 2048, candidates: int = 60):
    """The share whose quantized histogram is nearest to that of x, by the Kullback-Leibler
    divergence: x (..., n), bits  ->  clip (...,).

    As in TensorRT: the histogram of absolute values is cut off at each candidate, what lies beyond
    is added to the last bin, and each of the quantizer's steps spreads its mass evenly over those
    of its bins that are not empty.
    """
    steps = integer_range(bits)[1] + 1
    widths = torch.linspace(steps, bins, candidates).round().long().unique()

    def best(row):
        counts = torch.histc(row.abs().float(), bins, 0, float(row.abs().max()))
        found = torch.stack([_divergence(counts, int(width), steps) for width in widths])
        return widths[found.argmin()] / bins

    rows = x.reshape(-1, x.shape[-1])
    return torch.stack([best(row) for row in rows]).reshape(x.shape[:-1]).to(x)


def _divergence(counts, width, steps):
    """From the first `width` bins, with all outliers in the last one, to what the steps make."""
    wanted, outliers = counts[:width].clone(), counts[width:].sum()
    step = torch.arange(width) * steps // width  # to which of them a bin belongs
    filled = (wanted > 0).float()
    mass, share = (torch.zeros(steps).index_add(0, step, part) for part in (wanted, filled))
    made = (mass / share.clamp(min=1))[step] * filled
    wanted[-1] += outliers
    if wanted[-1] > 0 and made[-1] == 0:
        return torch.tensor(torch.inf)  # outliers, where the quantized histogram has nothing
    wanted, made = wanted / wanted.sum(), made / made.sum()
    return (torch.special.xlogy(wanted, wanted) - torch.special.xlogy(wanted, made)).sum()


METHODS = {
    "min-max": min_max,
    "percentile": percentile,
    "squared error": squared_error,
    "entropy": entropy,
}


@torch.no_grad()
def inputs_of_linears(model: nn.Module, images) -> dict[str, torch.Tensor]:
    """What every linear map of a model reads for these images: name -> (B, ..., inputs)."""
    seen, hooks = {}, []
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear):
            keep = lambda part, given, name=name: seen.update({name: given[0]})  # noqa: E731
            hooks.append(part.register_forward_pre_hook(keep))
    model(images)
    for hook in hooks:
        hook.remove()
    return seen


@torch.no_grad()
def quantize_linears(
    model: nn.Module, images, bits: int, weights=min_max, inputs=min_max, input_bits=None
):
    """A copy of a model with a `QuantizedLinear` in the place of every linear map.

    model            in testing mode; images  to calibrate the inputs with, which it reads once
    bits, input_bits  of weights and of inputs; these have as many if not given
    weights, inputs  which share of a range the scales cover, of each output's weights and of a
                     map's inputs
    ->  the copy; patches, positions, norms and the attention's products are left as they are
    """
    seen, quantized = inputs_of_linears(model, images), copy.deepcopy(model)
    input_bits = input_bits or bits
    for name, x in seen.items():
        linear, x = model.get_submodule(name), x.flatten()
        weight_scale = symmetric_scale(linear.weight, bits, weights(linear.weight, bits))
        scale, zero = affine_scale(x, input_bits, inputs(x, input_bits, affine=True))
        made = QuantizedLinear(linear.in_features, linear.out_features, bits, input_bits)
        quantized.set_submodule(name, made.take(linear, weight_scale, scale, zero))
    return quantized
