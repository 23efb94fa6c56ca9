"""What a DETR needs to be a set predictor, taken away one by one: a record.

Taught in chapter 14, after Carion et al., End-to-End Object Detection with Transformers (ECCV 2020,
2005.12872), section 4. On small scenes, so that every row is a training of a minute. Measure again:

    python -m tutorial_lib.recipes.detr.sets [--out FILE]
"""

from itertools import product

import torch
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.detr.detr import answers, draw, fresh, quality, scenes, set_loss
from tutorial_lib.training.loop import train

SCENES = dict(most=3, side=48)
SIZES = dict(channels=48, queries=8, dim=48, hidden=96)
STEPS, LR, SEEDS = 2000, 2e-3, range(3)
COUNT = {"train": 6000, "test": 300}


class Silence(nn.Module):
    """Attention that says nothing: a residual around it changes nothing but its norm."""

    def forward(self, x, memory, x_place, memory_place):
        return torch.zeros_like(x)


def model_of(variant: str, seed: int):
    """A fresh DETR of a variant."""
    if variant == "few queries":
        return fresh("plain", seed, **SIZES | {"queries": 2})
    model = fresh("plain", seed, **SIZES)
    if variant == "no attention among queries":
        for layer in model.decoder:
            layer.attention = Silence()
    return model


VARIANTS = ("DETR", "no attention among queries", "few queries")


def spread(boxes):
    """How far the box centers of a query lie from their mean, and those of all queries from
    theirs, for boxes xyxy (n, N, 4): root of the mean square, 1 is the whole side."""
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    of_each = centers - centers.mean(0)
    of_all = centers - centers.mean((0, 1))
    return [x.square().sum(-1).mean().sqrt().item() for x in (of_each, of_all)]


def measure(row):
    """One row of the record, in a process of its own."""
    model = model_of(row["variant"], row["seed"])
    batches = draw(*scenes("train", COUNT["train"], **SCENES))
    settings = dict(steps=STEPS, lr=LR, warmup=STEPS // 20, seed=row["seed"])
    train(model, batches, set_loss, label=row["variant"], **settings)
    images, classes, boxes = scenes("test", COUNT["test"], **SCENES)
    of_each, of_all = spread(answers(model, images)[0])
    places = {"spread_of_a_query": of_each, "spread_of_all": of_all}
    return row | quality(model, images, classes, boxes) | places


def plan():
    return [dict(variant=variant, seed=seed) for seed, variant in product(SEEDS, VARIANTS)]


if __name__ == "__main__":
    record("detr-sets", plan(), measure, steps=STEPS, scenes=SCENES, sizes=SIZES)
