"""PointNet++ against PointNet where only the texture of a surface differs, and on furniture: a
record.

Taught in chapter 19, after Qi et al., PointNet++ (NeurIPS 2017, 1706.02413). The PointNet has as
many weights as the PointNet++ and twice the operations; on bumps both also train twice as long.
Measure again, minutes on one core:

    python -m tutorial_lib.recipes.pointnet.local_detail [--out FILE]
"""

from itertools import product

import torch
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.data import bumps as textures
from tutorial_lib.data import furniture as things
from tutorial_lib.data.bumps import bumps
from tutorial_lib.data.furniture import furniture
from tutorial_lib.measuring.records import record
from tutorial_lib.models.pose.pointnet import PointNet
from tutorial_lib.models.pose.pointnet2 import PointNet2, SetAbstraction
from tutorial_lib.recipes.pointnet.furniture import LR, accuracy, draw, loss_of
from tutorial_lib.training.loop import train

SEEDS, STEPS, BATCH, POINTS, TESTED = range(3), 250, 16, 512, 400
CLASSES = {"bumps": len(textures.NAMES), "furniture": len(things.NAMES)}


def pointnet2(classes):
    """One level: 64 balls of radius 0.35, 16 points each."""
    level = SetAbstraction(0, 64, 0.35, 16, (24, 32, 64))
    return PointNet2(classes, [level], widths=(64, 128), hidden=(64,), dropout=0.0)


MODELS = {  # name -> a fresh model
    "PointNet++": pointnet2,
    "PointNet": lambda classes: PointNet(classes, (32, 76, 152), (64,), dropout=0.0),
}


def batches(data):
    """A function for `train`."""
    if data == "furniture":
        return draw(*furniture("train"), points=POINTS, batch=BATCH)
    return lambda generator: bumps(BATCH, POINTS, generator)


def held_out(data):
    """Clouds to test with, and their labels."""
    if data == "furniture":
        return furniture("test", POINTS)
    return bumps(TESTED, POINTS, torch.Generator().manual_seed(99))


def operations(model):
    """Operations of one cloud forward, without the search for neighbours; a multiplication and an
    addition are two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.rand(1, POINTS, 3))
    return counter.get_total_flops()


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    model, steps = MODELS[row["model"]](CLASSES[row["data"]]), row["times"] * STEPS
    settings = dict(steps=steps, lr=LR, warmup=steps // 10, seed=row["seed"])
    train(model, batches(row["data"]), loss_of, label=row["model"], **settings)
    return row | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "operations": operations(model),
        "accuracy": accuracy(model, *held_out(row["data"])),
    }


def plan():
    settings = [*product(("bumps", "furniture"), MODELS, (1,), SEEDS)]
    settings += product(("bumps",), MODELS, (2,), SEEDS)
    return [dict(zip(("data", "model", "times", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("local-detail", plan(), measure, steps=STEPS, points=POINTS)
