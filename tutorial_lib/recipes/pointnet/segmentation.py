"""What does each point of a room belong to? PointNet and PointNet++ for segmentation: a record.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593) and PointNet++ (NeurIPS
2017, 1706.02413). The rooms of the test hold furniture that training has not seen. As a control,
PointNet without the feature of the whole room. Measure again, minutes on one core:

    python -m tutorial_lib.recipes.pointnet.segmentation [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.rooms import NAMES, rooms
from tutorial_lib.layers.shared_mlp import shared_mlp
from tutorial_lib.measuring.records import record
from tutorial_lib.models.pose.pointnet import PointNetSegmenter
from tutorial_lib.models.pose.pointnet2 import PointNet2Segmenter, SetAbstraction
from tutorial_lib.training.loop import train

SEEDS, STEPS, BATCH, POINTS, TESTED, LR = range(3), 150, 8, 500, 40, 4e-3


def point_by_point():
    """A shared MLP: what a point's place alone tells of it."""
    widths = (3, 64, 128, 64, len(NAMES))
    return nn.Sequential(*shared_mlp(*widths[:-1]), nn.ReLU(), nn.Linear(*widths[-2:]))


def pointnet2():
    """Two levels down, balls of 0.6 and 1.5 m, and two up."""
    first = SetAbstraction(0, 128, 0.24, 16, (24, 32))
    second = SetAbstraction(32, 32, 0.6, 16, (48, 64))
    return PointNet2Segmenter(len(NAMES), [first, second], [(64,), (64, 64)], dropout=0.0)


MODELS = {  # name -> a fresh model
    "point by point": point_by_point,
    "PointNet": lambda: PointNetSegmenter(len(NAMES), (48, 96, 160), (96, 64)),
    "PointNet++": pointnet2,
}


def draw(generator):
    """A batch for `train`: rooms of the training furniture."""
    return rooms("train", BATCH, POINTS, generator)


def loss_of(model, clouds, labels):
    return F.cross_entropy(model(clouds).flatten(0, 1), labels.flatten())


@torch.no_grad()
def scores(model, clouds, labels):
    """Accuracy over all points, and over those of the furniture alone."""
    model.eval()
    right = torch.cat([model(x).argmax(-1) for x in clouds.split(10)]) == labels
    furniture = labels != NAMES.index("floor")
    shares = {"accuracy": right.float(), "of_furniture": right[furniture].float()}
    return {name: share.mean().item() for name, share in shares.items()}


def measure(row):
    """One row of the record, in a process of its own. `share_of_floor` and `share_of_largest` are
    what one gets for saying always the same."""
    torch.manual_seed(row["seed"])
    model = MODELS[row["model"]]()
    settings = dict(steps=STEPS, lr=LR, warmup=STEPS // 10, seed=row["seed"])
    train(model, draw, loss_of, label=row["model"], **settings)
    clouds, labels = rooms("test", TESTED, POINTS, torch.Generator().manual_seed(99))
    counts = labels.flatten().bincount(minlength=len(NAMES)).float()
    furniture = counts[: NAMES.index("floor")]
    return (
        row
        | scores(model, clouds, labels)
        | {
            "parameters": sum(p.numel() for p in model.parameters()),
            "share_of_floor": (counts[-1] / counts.sum()).item(),
            "share_of_largest": (furniture.max() / furniture.sum()).item(),
        }
    )


def plan():
    return [dict(zip(("model", "seed"), setting)) for setting in product(MODELS, SEEDS)]


if __name__ == "__main__":
    record("point-segmentation", plan(), measure, steps=STEPS, points=POINTS)
