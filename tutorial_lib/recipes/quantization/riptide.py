"""A binary network whose glue is a shift, and one with the exact glue in floats: a record.

Taught in chapter 36, after Fromm et al., Riptide (MLSys 2020). Measure again, some minutes on one
core:

    python -m tutorial_lib.recipes.quantization.riptide [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.inner_layers import size_in_bytes
from tutorial_lib.models.efficient.riptide import BinaryBlock, Riptide
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, STEPS, WIDTH, fresh, learn, right
from tutorial_lib.recipes.vit.data_size import pictures

LR = 1.6e-2
COMPARED = 500  # pictures of which floats and integers must say the same


class ExactBlock(BinaryBlock):
    """Divides by the standard deviation itself, not by a power of two near it."""

    def shift_scale(self, variance):
        return (2**self.bits - 1) / (variance + self.norm.eps).sqrt()


class GlueInFloats(Riptide):
    Block = ExactBlock


MODELS = {"glue in floats": GlueInFloats, "fused glue": Riptide}


def measure(row):
    """One row of the record, in a process of its own. `bits` are those of an activation; a weight
    has one."""
    torch.manual_seed(row["seed"])
    model = MODELS[row["method"]](1, 10, width=WIDTH, bits=row["bits"])
    seconds = learn(model, row["seed"], lr=LR)
    found = dict(
        bytes=size_in_bytes(fresh(row["seed"]), bits=1),
        accuracy=right(model),
        seconds_per_step=seconds,
    )
    if row["method"] == "fused glue":
        images = pictures("test", COMPARED)[0]
        with torch.no_grad():
            apart = (model.cpu()(images) - model.forward_integers(images)).abs().max()
        found |= dict(integers_apart=apart.item())
    return row | found


def plan():
    """The CNN in floats that it is compared with is that of the record "slb"."""
    return [dict(method=method, bits=2, seed=seed) for method, seed in product(MODELS, SEEDS)]


if __name__ == "__main__":
    record("riptide", plan(), measure, steps=STEPS, lr=LR)
