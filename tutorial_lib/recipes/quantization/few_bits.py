"""The course's ViT with linear maps of integers: accuracy against bits and calibration, a record.

Taught in chapter 36. Every row draws its own pictures to calibrate with. Measure again, some
minutes on one core:

    python -m tutorial_lib.recipes.quantization.few_bits [--out FILE]
"""

from itertools import product

import torch
from torch import nn

from tutorial_lib.from_scratch.quantization import pack
from tutorial_lib.layers.calibration import (
    entropy,
    min_max,
    percentile,
    quantize_linears,
    squared_error,
)
from tutorial_lib.layers.quantization import QuantizedLinear
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.data_size import accuracy, pictures
from tutorial_lib.recipes.vit.vit import load

BITS, SEEDS, PICTURES = (8, 6, 4, 3, 2), range(3), 64


def one_scale(weights, bits):
    """A method for `quantize_linears`: all rows get the scale of the one with the largest."""
    return weights.abs().max() / weights.abs().amax(-1)


METHODS = {  # name -> how the weights' scales are chosen, and the inputs'
    "one scale a matrix": (one_scale, min_max),
    "min-max": (min_max, min_max),
    "percentile": (squared_error, percentile),
    "entropy": (squared_error, entropy),
    "squared error": (squared_error, squared_error),
}


def calibration_pictures(seed: int, count: int = PICTURES):
    """Pictures of clothes without their labels, drawn anew for each seed: (count, 1, 28, 28)."""
    images, _ = pictures("train")
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]
    return images[chosen]


def stored_bytes(model: nn.Module) -> int:
    """What a file of a model takes: packed integers with their scales and zero points, all else as
    floats of 4 bytes."""
    maps = [part for part in model.modules() if isinstance(part, QuantizedLinear)]
    packed = sum(len(pack(part.weight.numpy(), part.bits)) for part in maps)
    of_maps = {id(part.weight) for part in maps} | {id(part.input_zero) for part in maps}
    floats = [x for x in model.state_dict(keep_vars=True).values() if id(x) not in of_maps]
    return packed + len(maps) + 4 * sum(x.numel() for x in floats)  # a byte for each zero point


def measure(row):
    """One row of the record, in a process of its own."""
    model, _ = load()
    weights, inputs = METHODS[row["method"]]
    images = calibration_pictures(row["seed"])
    quantized = quantize_linears(model, images, row["bits"], weights, inputs)
    return row | dict(
        accuracy=accuracy(quantized, *pictures("test")), bytes=stored_bytes(quantized)
    )


def plan():
    rows = product(METHODS, BITS, SEEDS)
    return [dict(method=method, bits=bits, seed=seed) for method, bits, seed in rows]


if __name__ == "__main__":
    model, _ = load()
    floats = dict(accuracy=accuracy(model, *pictures("test")), bytes=stored_bytes(model))
    record("few-bits", plan(), measure, pictures=PICTURES, floats=floats)
