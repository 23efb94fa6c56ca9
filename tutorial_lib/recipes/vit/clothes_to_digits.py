"""What 20,000 pictures of clothes are worth to a model that sees 200 digits: a record.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929), sections 3.2 and 4.3: the new head begins at zero. The ViT is that of `data_size.py`.
Beside it a CNN and one linear map learn the digits. From scratch the ViT may also train 4 and 16
times as long. Measure again, a quarter of an hour on one core:

    python -m tutorial_lib.recipes.vit.clothes_to_digits [--out FILE]
"""

import copy
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.digits import digits
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.data_size import (
    MEAN,
    MODELS,
    STD,
    accuracy,
    draw,
    loss_of,
    pictures,
)
from tutorial_lib.training.loop import train

CLOTHES, BEFORE, COUNT, STEPS = 20_000, 2000, 200, 100
RATES = {"head": (4e-3, 16e-3), "all": (0.5e-3, 1e-3), "scratch": (1e-3, 2e-3, 4e-3)}
LENGTHS = {"head": (1,), "all": (1, 4), "scratch": (1, 4, 16)}  # times STEPS
BASELINES = {  # from scratch: a fresh model, and its rates
    "CNN": (partial(MODELS["CNN"][0], classes=10), (4e-3, 8e-3)),
    "one linear map": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10)), (2e-3, 1e-2)),
}


def digit_pictures(part, count=None):
    """Digits as pictures of clothes are: (n, 1, 28, 28) normalised, 20 × 20 pixels in the middle,
    and labels (n,); `part` is "train" or "test"."""
    images, labels = digits(part)
    images = F.interpolate(images[:count, None], (20, 20), mode="bilinear", align_corners=False)
    return (F.pad(images, (4, 4, 4, 4)) - MEAN) / STD, labels[:count]


def new_head_at_zero(model):
    """A copy of a trained model whose head has forgotten: every class is as likely as the next."""
    model = copy.deepcopy(model)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


def measure(row):
    """One row of the record, in a process of its own: accuracies on digits of other forms."""
    if row["model"] in BASELINES:
        return baseline(row)
    make, lr = MODELS[row["model"]]
    torch.manual_seed(row["seed"])
    fresh = make(classes=10)
    trained, settings = copy.deepcopy(fresh), dict(warmup=BEFORE // 10, seed=row["seed"])
    train(trained, draw(*pictures("train", CLOTHES)), loss_of, steps=BEFORE, lr=lr, **settings)
    found = []
    for which in RATES:
        for lr, times in product(RATES[which], LENGTHS[which]):
            begin = fresh if which == "scratch" else new_head_at_zero(trained)
            reached = learn_digits(begin, which, lr, times * STEPS, row["seed"])
            found.append({"weights": which, "lr": lr, "times": times, "accuracy": reached})
    return row | {"found": found}


def baseline(row):
    """The row of a model that has seen no clothes."""
    make, rates = BASELINES[row["model"]]
    torch.manual_seed(row["seed"])
    model, found = make(), []
    for lr in rates:
        reached = learn_digits(model, "scratch", lr, STEPS, row["seed"])
        found.append({"weights": "scratch", "lr": lr, "times": 1, "accuracy": reached})
    return row | {"found": found}


def learn_digits(model, which, lr, steps, seed):
    """The accuracy of a copy of the model that has learned COUNT digits."""
    model = copy.deepcopy(model)
    if which == "head":
        model.requires_grad_(False)
        model.head.requires_grad_(True)
    batches = draw(*digit_pictures("train", COUNT))
    train(model, batches, loss_of, steps=steps, lr=lr, warmup=steps // 10, seed=seed, label=which)
    return accuracy(model, *digit_pictures("test"))


if __name__ == "__main__":
    rows = [dict(model=m, seed=seed) for m in (*BASELINES, "ViT") for seed in range(3)]
    record("clothes-to-digits", rows, measure, clothes=CLOTHES, count=COUNT, steps=STEPS)
