"""Binary weights by proximal steps, or straight through: accuracy and how many signs change: a
record.

Taught in chapter 36, after Bai, Wang, Liberty, ProxQuant (ICLR 2019, 1810.00861), section 5. Both
begin from the same CNN in floats. Measure again, some minutes on one core:

    python -m tutorial_lib.recipes.quantization.prox_quant [--out FILE]
"""

from itertools import product

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.binary_connect import binary_connect, clip
from tutorial_lib.models.efficient.inner_layers import inner_layers, size_in_bytes
from tutorial_lib.models.efficient.prox_quant import prox_step, sign_changes
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, STEPS, learn, right, trained

RATES = {"float": 4e-3, "BinaryConnect": 4e-3, "ProxQuant": 4e-3}
WAY = 2.0  # what the strengths of all steps sum to: how far a weight is drawn at most


def measure(row):
    """One row of the record, in a process of its own."""
    model, lr = trained(row["seed"]), RATES[row["method"]]
    found = dict(bytes=size_in_bytes(model, row["bits"]), lr=lr)
    layers = inner_layers(model).values()
    before = [layer.weight.detach().clone() for layer in layers]
    if row["method"] == "BinaryConnect":
        weights = binary_connect(model, bits=1)
        after_step = lambda step: clip(weights)  # noqa: E731
    elif row["method"] == "ProxQuant":
        weights = [layer.weight for layer in layers]
        after_step = lambda step: prox_step(weights, 2 * WAY * step / STEPS**2)  # noqa: E731
    else:
        weights, after_step = before, lambda step: None
    seconds = learn(model, row["seed"], lr=lr, before_step=lambda step, images: after_step(step))
    after_step(STEPS)
    if row["method"] == "ProxQuant":
        assert all((weight.abs() == 1).all() for weight in weights), "not all have arrived"
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


def plan():
    settings = [("float", 32, seed) for seed in SEEDS]
    settings += product(("BinaryConnect", "ProxQuant"), (1,), SEEDS)
    return [dict(zip(("method", "bits", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("prox-quant", plan(), measure, steps=STEPS, way=WAY)
