"""How well furniture is told when it is turned, with and without T-Nets and turned training data: a
record.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593), section 4.2 and table 5.
The T-Nets' matrices begin as identities; 0.001 of their penalty is added to the loss. Models that
stand, and models that are turned anyhow, are learned four times as long too. Measure again, minutes
on one core:

    python -m tutorial_lib.recipes.pointnet.rotation [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.data.point_clouds import random_rotations, rotate, vertical_rotations
from tutorial_lib.measuring.records import record
from tutorial_lib.models.pose.pointnet import AlignedPointNet, orthogonality
from tutorial_lib.recipes.pointnet.furniture import SMALL, STEPS, accuracy, fresh, learn, loss_of

SEEDS, ANGLES = range(3), range(0, 181, 30)  # degrees
LONG = 4 * STEPS
TURNS = (None, "vertical", "any")
TNET = (SMALL["widths"], SMALL["hidden"])
POINTS = 256  # of each test cloud


def make(model, seed):
    """A fresh model and its loss."""
    if model == "PointNet":
        return fresh(seed), loss_of
    torch.manual_seed(seed)
    return AlignedPointNet(len(NAMES), TNET, **SMALL), loss_with_penalty


def loss_with_penalty(model, clouds, labels):
    logits, matrix = model(clouds, return_matrix=True)
    return torch.nn.functional.cross_entropy(logits, labels) + 1e-3 * orthogonality(matrix)


def turned(clouds, labels, turn):
    """The test clouds as they stand, or four times, each in four random poses."""
    if turn is None:
        return clouds, labels
    clouds, labels = clouds.repeat(4, 1, 1), labels.repeat(4)
    generator = torch.Generator().manual_seed(0)
    return rotate(clouds, random_rotations(len(clouds), turn, generator)), labels


def measure(row):
    """One row of the record, in a process of its own."""
    model, loss = make(row["model"], row["seed"])
    learn(
        model, row["seed"], row["steps"], row["turn"], loss, label=f"{row['model']}, {row['turn']}"
    )
    clouds, labels = furniture("test", POINTS)
    row = row | {f"tested {turn}": accuracy(model, *turned(clouds, labels, turn)) for turn in TURNS}
    by_angle = []
    for angle in ANGLES:
        angles = torch.full((len(clouds),), torch.pi * angle / 180)
        by_angle.append(accuracy(model, rotate(clouds, vertical_rotations(angles)), labels))
    return row | {"by_angle": by_angle}


def plan():
    models = ("PointNet", "AlignedPointNet")
    settings = [
        *product(models, TURNS, SEEDS, (STEPS,)),
        *product(models, (None, "any"), SEEDS, (LONG,)),
    ]
    return [dict(zip(("model", "turn", "seed", "steps"), setting)) for setting in settings]


if __name__ == "__main__":
    record("rotation", plan(), measure, angles=list(ANGLES))
