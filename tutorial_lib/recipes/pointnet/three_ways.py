"""Three ways to read points that have no order, and two controls: a recorded figure.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593), section 5.2 and figure 5.
Measure again, ten minutes on one core:

    python -m tutorial_lib.recipes.pointnet.three_ways [--out FILE]
"""

from itertools import product

import torch
from torch import nn

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.data.point_clouds import jitter
from tutorial_lib.layers.shared_mlp import head, shared_mlp
from tutorial_lib.measuring.records import record
from tutorial_lib.models.pose.pointnet import PointNet
from tutorial_lib.recipes.pointnet.furniture import BATCH, POINTS, answers, draw, loss_of
from tutorial_lib.training.loop import train

STEPS, RATES, SEEDS = 300, (1e-3, 4e-3), range(3)


class OneMLP(nn.Module):
    """All coordinates of a cloud in a row, through one MLP; sorted by x first, or as they come."""

    def __init__(self, by_x):
        super().__init__()
        self.by_x, self.head = by_x, head(3 * POINTS, 64, 64, len(NAMES), dropout=0.3)

    def forward(self, clouds):
        if self.by_x:
            order = clouds[..., :1].argsort(dim=1)
            clouds = clouds.gather(1, order.expand_as(clouds))
        return self.head(clouds.flatten(1))


class Recurrent(nn.Module):
    """The points one after the other, as words of a sentence; the last state answers."""

    def __init__(self):
        super().__init__()
        self.mlp, self.gru = shared_mlp(3, 64), nn.GRU(64, 64, batch_first=True)
        self.head = head(64, 64, len(NAMES), dropout=0.3)

    def forward(self, clouds):
        return self.head(self.gru(self.mlp(clouds).relu())[0][:, -1])


class MeanPool(PointNet):
    """PointNet with the mean in place of the maximum."""

    def forward(self, clouds):
        return self.head(self.mlp(clouds).mean(dim=1))


def pointnet(kind=PointNet):
    return kind(len(NAMES), widths=(64, 128), hidden=(64,), dropout=0.3)


WAYS = {
    "one MLP, any order": lambda: OneMLP(by_x=False),
    "one MLP, sorted by x": lambda: OneMLP(by_x=True),
    "a GRU, any order": Recurrent,
    "the mean": lambda: pointnet(MeanPool),
    "the maximum": pointnet,
}


def seen(model):
    """Accuracy on unseen clouds; the share of them that get another answer when their points are
    shuffled, and when each is moved by noise of 0.02."""
    generator = torch.Generator().manual_seed(0)
    clouds, labels = furniture("test", POINTS)
    shuffled = clouds[:, torch.randperm(POINTS, generator=generator)]
    plain = answers(model, clouds)
    return {
        "accuracy": (plain == labels).float().mean().item(),
        "changed_by_shuffling": (answers(model, shuffled) != plain).float().mean().item(),
        "changed_by_noise": (answers(model, jitter(clouds, generator)) != plain)
        .float()
        .mean()
        .item(),
    }


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    model = WAYS[row["way"]]()
    settings = {name: row[name] for name in ("steps", "lr", "seed")}
    train(model, draw(*furniture("train")), loss_of, label=row["way"], **settings)
    return row | seen(model) | {"parameters": sum(p.numel() for p in model.parameters())}


def plan():
    """Every way at two rates, and four times as long: is it ability or speed?"""
    settings = product(WAYS, (STEPS, 4 * STEPS), RATES, SEEDS)
    return [dict(zip(("way", "steps", "lr", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("three-ways", plan(), measure, batch=BATCH, points=POINTS)
