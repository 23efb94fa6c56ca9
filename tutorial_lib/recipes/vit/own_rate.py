"""A ViT and a CNN of equal size, each at its own best rate, and four times as long: a record.

Taught in chapter 05. Is the CNN ahead because it can do more, or because it learns faster? Both
read 20,000 pictures; `data_size.py` has the models. Measure again, 25 minutes on one core:

    python -m tutorial_lib.recipes.vit.own_rate [--out FILE]
"""

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.data_size import MODELS, accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

COUNT, STEPS = 20_000, 1000
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
BEST = {"ViT": 4e-3, "CNN": 4e-3}  # by seed 0 among RATES, as the record shows


def measure(row):
    """One row of the record, in a process of its own: the accuracy on the test pictures."""
    torch.manual_seed(row["seed"])
    model = MODELS[row["model"]][0](classes=10)
    settings = dict(steps=row["steps"], lr=row["lr"], warmup=row["steps"] // 10, seed=row["seed"])
    train(model, draw(*pictures("train", COUNT)), loss_of, **settings, label=row["model"])
    return row | {"accuracy": accuracy(model, *pictures("test"))}


def rates():
    """Every rate once."""
    return [dict(model=m, lr=lr, steps=STEPS, seed=0) for m in MODELS for lr in RATES]


def lengths():
    """The best rate with other seeds, and four times as long."""
    short = [dict(model=m, lr=BEST[m], steps=STEPS, seed=seed) for m in MODELS for seed in (1, 2)]
    long = [dict(model=m, lr=BEST[m], steps=4 * STEPS, seed=s) for s in range(3) for m in MODELS]
    return short + long


if __name__ == "__main__":
    record("own-rate", rates() + lengths(), measure, count=COUNT)
