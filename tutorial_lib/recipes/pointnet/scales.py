"""One size of ball or several, on clouds that become thinner: a record.

Taught in chapter 19, after Qi et al., PointNet++ (NeurIPS 2017, 1706.02413), section 3.3 and figure
4: multi-scale grouping, and training with points left out, on furniture. All models have about as
many weights. Measure again, minutes on one core:

    python -m tutorial_lib.recipes.pointnet.scales [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.measuring.records import record
from tutorial_lib.models.pose.pointnet2 import MultiScaleAbstraction, PointNet2, SetAbstraction
from tutorial_lib.recipes.pointnet.furniture import accuracy, draw, loss_of, schedule
from tutorial_lib.recipes.pointnet.missing import with_gaps
from tutorial_lib.training.loop import train

SEEDS, STEPS, BATCH, POINTS = range(3), 300, 16, 512
LEFT = (512, 256, 128, 64)  # points of a cloud in the test
CENTRES, SCALES = 64, [(0.2, 8, (16, 24)), (0.35, 16, (16, 24)), (0.7, 32, (16, 24))]

LEVELS = {
    "one scale": lambda: SetAbstraction(0, CENTRES, 0.35, 16, (24, 32, 64)),
    "one large scale": lambda: SetAbstraction(0, CENTRES, 0.7, 32, (24, 32, 64)),
    "three scales": lambda: MultiScaleAbstraction(0, CENTRES, SCALES),
}


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    model = PointNet2(
        len(NAMES), [LEVELS[row["level"]]()], widths=(64, 128), hidden=(64,), dropout=0.0
    )
    batches = draw(*furniture("train"), points=POINTS, batch=BATCH)
    if row["trained"] == "with gaps":
        batches = with_gaps(batches)
    train(model, batches, loss_of, label=row["level"], **schedule(STEPS, row["seed"]))
    clouds, labels = furniture("test")
    return row | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": [accuracy(model, clouds[:, :left], labels) for left in LEFT],
    }


def plan():
    settings = product(LEVELS, ("whole", "with gaps"), SEEDS)
    return [dict(zip(("level", "trained", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("scales", plan(), measure, steps=STEPS, left=LEFT)
