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

LR = {"float": 4e-3, "straight through": 1.6e-2, "searched": 1.6e-2}  # the better one of RATES
FAST = 4e-2  # better for straight through with two bits
RATES = (1.6e-2, FAST)  # both were tried with seed 0 and one bit; 8e-3 and 4e-3 are lower
HOT, COLD, WARM = 1.0, 0.01, 0.1  # temperature of the first step, of the last, of an early end


def measure(row):
    """One row of the record, in a process of its own."""
    model = fresh(row["seed"])
    found = dict(bytes=size_in_bytes(model, row["bits"]))
    if row["method"] == "searched":
        return row | found | searched(model, row)
    weights = binary_connect(model, row["bits"]) if row["bits"] < 32 else []
    clipped = lambda step, images: clip(weights)  # noqa: E731
    seconds = learn(model, row["seed"], lr=row["lr"], before_step=clipped)
    return row | found | dict(accuracy=right(model), seconds_per_step=seconds)


def searched(model, row):
    """Accuracy in deployment; of the soft weights; and of the hard ones where the batch norms know
    the statistics of the soft ones alone."""
    search(model, row["bits"])

    @torch.no_grad()
    def before_step(step, images):
        set_temperature(model, HOT * (row["cold"] / HOT) ** (step / (STEPS - 1)))
        with hard(model):
            model(images)  # for the memory of the batch norms

    seconds = learn(model, row["seed"], lr=row["lr"], before_step=before_step)
    found = dict(accuracy_soft=right(model), seconds_per_step=seconds)
    with hard(model, norms=False):
        found |= dict(accuracy_without_state_norm=right(model))
    with hard(model):
        return found | dict(accuracy=right(model))


def plan():
    """Two bits and one with every seed; the other rate; and a search that ends early."""
    settings = [("float", 32, seed, LR["float"], None) for seed in SEEDS]
    for method, cold in (("straight through", None), ("searched", COLD)):
        settings += [(method, bits, s, LR[method], cold) for bits, s in product((1, 2), SEEDS)]
        settings += [(method, 1, 0, lr, cold) for lr in RATES if lr != LR[method]]
    settings += [("straight through", 2, seed, FAST, None) for seed in SEEDS]
    settings += [("searched", 1, seed, LR["searched"], WARM) for seed in SEEDS]
    return [dict(zip(("method", "bits", "seed", "lr", "cold"), setting)) for setting in settings]


if __name__ == "__main__":
    record("slb", plan(), measure, steps=STEPS, hot=HOT)
