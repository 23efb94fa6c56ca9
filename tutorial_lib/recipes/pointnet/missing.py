"""What is left of the accuracy when points are missing: a record.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593), section 5.3 and figure 6,
and PointNet++ (NeurIPS 2017, 1706.02413), section 4.1, whose training also drops points. Measure
again, a minute on one core:

    python -m tutorial_lib.recipes.pointnet.missing [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.data.point_clouds import drop_farthest, drop_points
from tutorial_lib.layers.point_sets import farthest_points, gather
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.pointnet.furniture import STEPS, accuracy, draw, fresh, loss_of, schedule
from tutorial_lib.recipes.pointnet.three_ways import Symmetric
from tutorial_lib.training.loop import train

SEEDS, SHARES = range(3), (0, 0.25, 0.5, 0.75, 0.875, 0.9375, 0.96875)  # of the test's 1,024 points
TRAINED = ("whole", "with gaps")
MODELS = {"maximum": fresh, "mean": lambda seed: Symmetric(torch.mean)}


def with_gaps(make):
    """Batches as `make` draws them, but each without a random share of its points, up to 7/8."""

    def batch(generator):
        clouds, labels = make(generator)
        share = 7 / 8 * torch.rand((), generator=generator).item()
        return clouds[:, : max(1, round((1 - share) * clouds.shape[1]))], labels  # in random order

    return batch


def measure(row):
    """One row of the record, in a process of its own: accuracy by the share that is missing, when
    points are lost at random, when those are kept that farthest-point sampling takes (the paper's
    "furthest"), and when those farthest from the middle are lost."""
    torch.manual_seed(row["seed"])
    model, batches = MODELS[row["model"]](row["seed"]), draw(*furniture("train"))
    if row["trained"] == "with gaps":
        batches = with_gaps(batches)
    train(model, batches, loss_of, label=row["trained"], **schedule(STEPS, row["seed"]))
    clouds, labels = furniture("test")
    generator = torch.Generator().manual_seed(0)
    order = farthest_points(clouds, clouds.shape[1])  # any first few are a sample of their own
    kept = {
        "at_random": lambda share: drop_points(clouds, share, generator),
        "sampled": lambda share: gather(clouds, order[:, : round((1 - share) * order.shape[1])]),
        "outline_lost": lambda share: drop_farthest(clouds, share),
    }
    return row | {
        how: [accuracy(model, keep(share), labels) for share in SHARES]
        for how, keep in kept.items()
    }


def plan():
    settings = product(MODELS, TRAINED, SEEDS)
    return [dict(zip(("model", "trained", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    classes = len(NAMES)
    record("missing-points", plan(), measure, steps=STEPS, shares=SHARES, classes=classes)
