"""Low-bit weights searched, or rounded straight through, with state batch norm and without it: a
record.

Taught in chapter 36, after Yang et al., Searching for Low-Bit Weights in Quantized Neural Networks
(NeurIPS 2020, 2009.08695). All begin from nothing. Measure again, some minutes on one core:

    python -m tutorial_lib.recipes.quantization.slb [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.binary_connect import binary_connect, clip
from tutorial_lib.models.efficient.inner_layers import size_in_bytes
from tutorial_lib.models.efficient.slb import hard, search, set_temperature
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, STEPS, fresh, learn, right

RATES = {"float": 4e-3, "straight through": 4e-3, "searched": 4e-3}
HOT, COLD = 1.0, 1e-3  # temperature of the first and of the last step


def measure(row):
    """One row of the record, in a process of its own."""
    model, lr = fresh(row["seed"]), RATES[row["method"]]
    found = dict(bytes=size_in_bytes(model, row["bits"]), lr=lr)
    if row["method"] == "searched":
        return row | found | searched(model, row["bits"], row["seed"], lr)
    if row["method"] == "straight through":
        weights = binary_connect(model, row["bits"])
        seconds = learn(model, row["seed"], lr=lr, before_step=lambda step, images: clip(weights))
    else:
        seconds = learn(model, row["seed"], lr=lr)
    return row | found | dict(accuracy=right(model), seconds_per_step=seconds)


def searched(model, bits, seed, lr, hot=HOT, cold=COLD):
    """Accuracy in deployment; of the soft weights; and of the hard ones where the batch norms know
    the statistics of the soft ones alone."""
    search(model, bits)

    @torch.no_grad()
    def before_step(step, images):
        set_temperature(model, hot * (cold / hot) ** (step / (STEPS - 1)))
        with hard(model):
            model(images)  # for the memory of the batch norms

    seconds = learn(model, seed, lr=lr, before_step=before_step)
    found = dict(accuracy_soft=right(model), seconds_per_step=seconds)
    with hard(model, norms=False):
        found |= dict(accuracy_without_state_norm=right(model))
    with hard(model):
        return found | dict(accuracy=right(model))


def plan():
    few = product(("searched", "straight through"), (1, 2), SEEDS)
    settings = [("float", 32, seed) for seed in SEEDS] + list(few)
    return [dict(zip(("method", "bits", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("slb", plan(), measure, steps=STEPS, hot=HOT, cold=COLD)
