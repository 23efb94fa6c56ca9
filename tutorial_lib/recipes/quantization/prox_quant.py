"""Binary weights by proximal steps, or straight through: accuracy and how many signs change: a
record.

Taught in chapter 36, after Bai, Wang, Liberty, ProxQuant (ICLR 2019, 1810.00861), section 5. Both
begin from the same CNN in floats. Measure again, some minutes on one core:

    python -m tutorial_lib.recipes.quantization.prox_quant [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.binary_connect import binary_connect, clip
from tutorial_lib.models.efficient.inner_layers import inner_layers, size_in_bytes
from tutorial_lib.models.efficient.prox_quant import prox_step, sign_changes
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, STEPS, learn, right, trained

RATES = (4e-2, 0.2)  # BinaryConnect does best at the first, ProxQuant at the second
OTHERS = {"BinaryConnect": (2e-2, 0.1), "ProxQuant": (0.1, 0.4)}  # those on both sides of it
FLOAT_LR = 4e-3
START = 0.5  # mean size of a filter's weights
WAY = 2.5  # what the strengths of all steps sum to: how far a weight is drawn at most


def measure(row):
    """One row of the record, in a process of its own."""
    model = trained(row["seed"])
    found = dict(bytes=size_in_bytes(model, row["bits"]))
    layers = inner_layers(model).values()
    begin_halfway(layers)
    before = [layer.weight.detach().clone() for layer in layers]
    if row["method"] == "BinaryConnect":
        weights = binary_connect(model, bits=1)
    else:
        weights = [layer.weight for layer in layers] if row["method"] == "ProxQuant" else []

    def after_step(step):
        clip(weights)
        if row["method"] == "ProxQuant":
            prox_step(weights, 2 * WAY * step / STEPS**2)

    seconds = learn(model, row["seed"], lr=row["lr"], before_step=lambda step, x: after_step(step))
    after_step(STEPS)
    if row["method"] == "ProxQuant":  # what has not arrived goes the rest of the way
        found |= dict(arrived=sum((w.abs() == 1).sum().item() for w in weights))
        prox_step(weights, 2.0)
    after = [layer.weight for layer in layers]
    return (
        row
        | found
        | dict(
            accuracy=right(model),
            sign_changes=sign_changes(before, after),
            seconds_per_step=seconds,
        )
    )


@torch.no_grad()
def begin_halfway(layers):
    """Scale the filters until their weights are START large in the mean. The batch norms behind
    them undo it, and the way to −1 or 1 is not ten times as long as the weights are large."""
    for layer in layers:
        layer.weight *= START / layer.weight.abs().mean(dim=(1, 2, 3), keepdim=True)


def plan():
    """Three seeds at BinaryConnect's best rate for both, and at ProxQuant's own; the rates on both
    sides of a best one with one seed."""
    settings = [("float", 32, FLOAT_LR, seed) for seed in SEEDS]
    settings += [("BinaryConnect", 1, RATES[0], seed) for seed in SEEDS]
    settings += [("ProxQuant", 1, lr, seed) for lr, seed in product(RATES, SEEDS)]
    settings += [(method, 1, lr, 0) for method, rates in OTHERS.items() for lr in rates]
    return [dict(zip(("method", "bits", "lr", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("prox-quant", plan(), measure, steps=STEPS, way=WAY)
