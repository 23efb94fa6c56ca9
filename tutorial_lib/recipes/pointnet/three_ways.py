"""Three ways to make a network of a set: put it in order, read it as a sequence, or take a
symmetric function. A record.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593), section 4.2 and figure 5.
All have about as many weights and see every cloud in a new order each time. Each learns at two
rates, and one of each way also four times as long. Measure again, minutes on one core:

    python -m tutorial_lib.recipes.pointnet.three_ways [--out FILE]
"""

from itertools import product

import torch
from torch import nn

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.data.point_clouds import drop_points, jitter
from tutorial_lib.layers.shared_mlp import head, shared_mlp
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.pointnet.furniture import (
    LR,
    POINTS,
    STEPS,
    answers,
    draw,
    loss_of,
    schedule,
)
from tutorial_lib.training.loop import train

SEEDS, RATES = range(3), (LR, 4 * LR)


class InARow(nn.Module):
    """An MLP on all coordinates in a row, of points as they come or from the lowest to the highest:
    (B, POINTS, 3)  ->  (B, classes)"""

    def __init__(self, ordered):
        super().__init__()
        self.ordered = ordered
        self.head = head(3 * POINTS, 48, 32, len(NAMES), dropout=0.3)

    def forward(self, clouds):
        if self.ordered:
            order = clouds[..., 2:].argsort(dim=1)  # (B, N, 1)
            clouds = clouds.gather(1, order.expand(-1, -1, 3))
        return self.head(clouds.flatten(1))


class Sequence(nn.Module):
    """A GRU reads the points one after the other, in whatever order they come, each through a
    shared MLP. (On bare coordinates it learns far more slowly.)"""

    def __init__(self):
        super().__init__()
        self.mlp = shared_mlp(3, 32, 32)
        self.read = nn.GRU(32, 56, batch_first=True)
        self.head = head(56, 64, len(NAMES), dropout=0.3)

    def forward(self, clouds):
        return self.head(self.read(self.mlp(clouds).relu())[1][0])


class Symmetric(nn.Module):
    """PointNet, with another function in the place of its maximum."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.mlp = shared_mlp(3, 32, 64, 128)
        self.head = head(128, 64, len(NAMES), dropout=0.3)

    def forward(self, clouds):
        return self.head(self.pool(self.mlp(clouds), dim=1))


WAYS = {  # name -> a fresh model
    "as they come": lambda: InARow(ordered=False),
    "canonical order": lambda: InARow(ordered=True),
    "sequence": Sequence,
    "sum": lambda: Symmetric(torch.sum),
    "mean": lambda: Symmetric(torch.mean),
    "maximum": lambda: Symmetric(torch.amax),
}


def measure(row):
    """One row of the record, in a process of its own: accuracy on the test furniture, and how many
    answers change in another order, and after a jitter of 0.02."""
    torch.manual_seed(row["seed"])
    model, steps = WAYS[row["way"]](), row["times"] * STEPS
    settings = schedule(steps, row["seed"]) | {"lr": row["lr"]}
    train(model, draw(*furniture("train")), loss_of, label=row["way"], **settings)

    clouds, labels = furniture("test", POINTS)
    generator = torch.Generator().manual_seed(0)
    found = answers(model, clouds)
    reordered = answers(model, drop_points(clouds, 0, generator))
    moved = answers(model, jitter(clouds, generator))
    return row | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": (found == labels).float().mean().item(),
        "changed_by_order": (found != reordered).float().mean().item(),
        "changed_by_jitter": (found != moved).float().mean().item(),
    }


def plan():
    longer = ("canonical order", "sequence", "maximum")
    settings = [*product(WAYS, (1,), RATES, SEEDS), *product(longer, (4,), (LR,), SEEDS)]
    return [dict(zip(("way", "times", "lr", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("three-ways", plan(), measure, steps=STEPS)
