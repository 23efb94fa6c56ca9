"""What a DETR needs to be a set predictor, taken away one by one; how fast it learns: a record.

Taught in chapter 14, after Carion et al., End-to-End Object Detection with Transformers (ECCV 2020,
2005.12872), section 4. On small scenes, so that a row takes seconds. Measure again:

    python -m tutorial_lib.recipes.detr.sets [--out FILE]
"""

from copy import deepcopy

import torch
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.detr.detr import LR, answers, draw, fresh, quality, scenes, set_loss
from tutorial_lib.training.loop import train

SCENES = dict(kinds=("top", "trouser", "shoe"), most=3, side=32)
QUERIES, FEW = 8, 2  # FEW is less than a scene may have objects
SHORT, LONG, SEEDS = 500, 1500, range(3)
COUNT = {"train": 4000, "test": 300}
AREAS = {"small": (0, 0.08), "large": (0.08, 1)}  # of a box, as a share of the picture


class Silence(nn.Module):
    """Attention that says nothing: a residual around it changes nothing but its norm."""

    def forward(self, x, memory, x_place, memory_place):
        return torch.zeros_like(x)


class OnAverage(nn.Module):
    """Attention that says the same of every picture: `said` (N, D), a row for each query."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, x, memory, x_place, memory_place):
        return self.said.expand_as(x)


@torch.no_grad()
def deaf(model, images):
    """A copy whose queries do not hear each other: in every layer their attention gives what it
    gave for these images (B, 3, H, W) on average. What it adds to all pictures alike stays."""
    said, hooks = [], []
    for layer in model.decoder:
        keep = lambda module, given, out: said.append(out.mean(0))  # noqa: E731
        hooks.append(layer.attention.register_forward_hook(keep))
    model.eval()(images)
    for hook in hooks:
        hook.remove()
    copy = deepcopy(model)
    for layer, rows in zip(copy.decoder, said, strict=True):
        layer.attention = OnAverage(rows)
    return copy


def model_of(variant: str, seed: int):
    """A fresh model: DETR, its two-stage variant, DETR without self-attention among queries, or
    DETR with too few of them."""
    name = "two-stage" if variant == "two-stage" else "plain"
    model = fresh(name, seed, queries=FEW if variant == "few queries" else QUERIES)
    if variant == "no attention among queries":
        for layer in model.decoder:
            layer.attention = Silence()
    return model


def spread(boxes):
    """How far the box centers of a query lie from their mean, and those of all queries from
    theirs, for boxes xyxy (n, N, 4): root of the mean square, 1 is the whole side."""
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    of_each = centers - centers.mean(0)
    of_all = centers - centers.mean((0, 1))
    return [x.square().sum(-1).mean().sqrt().item() for x in (of_each, of_all)]


def measure(row):
    """One row of the record, in a process of its own. Each length is a training of its own, as the
    rate falls to zero at its end."""
    model = model_of(row["variant"], row["seed"])
    batches = draw(*scenes("train", COUNT["train"], **SCENES))
    settings = dict(steps=row["steps"], lr=LR, warmup=row["steps"] // 20, seed=row["seed"])
    train(model, batches, set_loss, label=row["variant"], **settings)
    test = scenes("test", COUNT["test"], **SCENES)
    of_each, of_all = spread(answers(model, test[0])[0])
    places = {"spread_of_a_query": of_each, "spread_of_all": of_all}
    # Before the second layer no query has heard of another: the decoder starts from zeros.
    first = {f"first_{name}": value for name, value in quality(model, *test, layer=-2).items()}
    return row | quality(model, *test, AREAS) | first | places


def plan():
    settings = [("plain", LONG), ("no attention among queries", LONG), ("two-stage", SHORT)]
    settings += [("plain", SHORT), ("two-stage", LONG), ("few queries", LONG)]
    return [dict(variant=v, steps=steps, seed=seed) for seed in SEEDS for v, steps in settings]


if __name__ == "__main__":
    record("detr-sets", plan(), measure, scenes=SCENES, queries=QUERIES, few=FEW)
