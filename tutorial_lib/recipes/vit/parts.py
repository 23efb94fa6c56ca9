"""What does each part of a ViT carry? Without positions, with a mean for the class token: a record.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929), appendices D.3 and D.4. Every variant is trained at three rates. Measure again, some
ten minutes on one core:

    python -m tutorial_lib.recipes.vit.parts [--out FILE]
"""

import torch
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

COUNT, STEPS, SEEDS = 20_000, 1000, range(3)
RATES = (1e-3, 2e-3, 4e-3)
SIZE = dict(image_size=28, patch=7, channels=1, classes=10, dim=64, depth=4, heads=4, hidden=128)


class MeanOfPatches(ViT):
    """Reads the mean of all patches; there is no class token among them."""

    def tokens(self, images):
        return super().tokens(images)[:, 1:]

    def forward(self, images):
        return self.head(self.features(images).mean(dim=1))


class NoPositions(ViT):
    """Adds none: its patches are a set."""

    def __init__(self, **size):
        super().__init__(**size)
        self.positions.table = nn.Parameter(0 * self.positions.table.data, requires_grad=False)


VARIANTS = {"class token": ViT, "mean of the patches": MeanOfPatches, "no positions": NoPositions}


def measure(row):
    """One row of the record, in a process of its own: the accuracy on the test pictures."""
    torch.manual_seed(row["seed"])
    model = VARIANTS[row["variant"]](**SIZE)
    settings = dict(steps=STEPS, lr=row["lr"], warmup=STEPS // 10, seed=row["seed"])
    train(model, draw(*pictures("train", COUNT)), loss_of, **settings, label=row["variant"])
    return row | {"accuracy": accuracy(model, *pictures("test"))}


def plan():
    return [dict(variant=v, lr=lr, seed=seed) for v in VARIANTS for lr in RATES for seed in SEEDS]


if __name__ == "__main__":
    record("parts-of-a-vit", plan(), measure, count=COUNT, steps=STEPS)
