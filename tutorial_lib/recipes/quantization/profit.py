"""Which layers to freeze first, in a small MobileNet of few bits: a record.

Taught in chapter 36, after Park, Yoo, PROFIT (ECCV 2020, 2008.04693), section 6. Weights and
activations have the same number of bits, quantized by DuQ. Every way trains as long and begins from
the same model in floats; then all are trained for longer. Measure again, a quarter of an hour on
one core:

    python -m tutorial_lib.recipes.quantization.profit [--out FILE]
"""

import copy
from functools import cache
from itertools import product

import torch
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.duq import quantize_activations, quantize_weights
from tutorial_lib.models.efficient.inner_layers import inner_layers, size_in_bytes
from tutorial_lib.models.efficient.mobile_cnn import MobileCNN
from tutorial_lib.models.efficient.profit import Instability, freeze, freezing_order
from tutorial_lib.recipes.quantization import small_cnn
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, learn, right
from tutorial_lib.recipes.vit.data_size import pictures

WIDTH, FLOAT_LR, LR = 16, 8e-3, 1e-2
SAMPLING, PHASE = 75, 200  # steps: to measure the instabilities; of each of the three phases
LONGER = 3  # times: the phases of a second training, in case the first was only too short
ORDERS = ("most unstable first", "none frozen", "most stable first")


@cache
def _trained(seed):
    torch.manual_seed(seed)
    model = MobileCNN(1, 10, WIDTH)
    return model, learn(model, seed, lr=FLOAT_LR, label="floats")


def measure(row):
    """One row of the record, in a process of its own: accuracies after each phase, and after the
    averages of the batch norms were taken anew."""
    trained, seconds = _trained(row["seed"])
    model = copy.deepcopy(trained)
    found = dict(bytes=size_in_bytes(model, row["bits"]), accuracy_in_floats=right(model))
    if row["order"] == "floats":
        return row | found | dict(accuracy=found["accuracy_in_floats"], seconds_per_step=seconds)
    quantize_activations(model, row["bits"], pictures("train", 500)[0])
    quantize_weights(model, row["bits"])
    layers = inner_layers(model)
    with Instability(layers) as measured:
        learn(model, row["seed"], lr=LR, steps=SAMPLING, label="sampling")
    parts = freezing_order(measured.means())
    if row["order"] == "most stable first":
        parts = parts[::-1]
    phases, seconds = [], []
    for phase in range(3):
        seed, steps = row["seed"] + 10 * phase + 10, row["longer"] * PHASE
        seconds.append(learn(model, seed, lr=LR, steps=steps))
        phases.append(right(model))
        if phase < 2 and row["order"] != "none frozen":
            for name in parts[phase]:
                freeze(layers[name])
    average_again(model)
    return (
        row
        | found
        | dict(
            accuracy=phases[-1],
            after_each_phase=phases,
            accuracy_averages_anew=right(model),
            instability=measured.means(),
            seconds_per_step=sum(seconds) / 3,
        )
    )


@torch.no_grad()
def average_again(model):
    """Mean and variance of every batch norm over 5,000 pictures, weights as they are."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    model.train()
    for images in pictures("train", small_cnn.COUNT // 2)[0].split(500):
        model(images)


def plan():
    settings = product((2,), ORDERS, (1, LONGER), SEEDS)
    settings = [*settings, *product((32,), ("floats",), (1,), SEEDS)]
    return [dict(zip(("bits", "order", "longer", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("profit", plan(), measure, sampling=SAMPLING, phase=PHASE, lr=LR)
