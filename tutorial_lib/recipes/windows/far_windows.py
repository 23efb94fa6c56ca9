"""Two marks in two windows, the same or not: with the shift, without it, and by other ways out.

Taught in chapter 08, after Liu et al., Swin Transformer (ICCV 2021, 2103.14030), whose ablation of
the shift is table 4. Measure again, five minutes on two cores:

    python -m tutorial_lib.recipes.windows.far_windows [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F

from tutorial_lib.data.marks import far_marks
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.swin import Swin
from tutorial_lib.training.loop import train

BATCH, PATCH, DIM, SEEDS = 64, 2, 32, range(3)
RATES = (1.5e-3, 3e-3)


def one_stage(window, shifted):
    return Swin(PATCH, window, 1, 2, DIM, (2,), (4,), shifted)


MODELS = {  # name -> a model for images of `side` pixels with a mark in two of four windows
    "with the shift": lambda side: one_stage(side // 4, True),
    "without": lambda side: one_stage(side // 4, False),
    "one window": lambda side: one_stage(side // 2, False),  # plain attention, among all tokens
    "two stages, without": lambda side: Swin(PATCH, side // 4, 1, 2, DIM, (1, 1), (4, 4), False),
}


def learn(name, side, steps, lr, seed, label="training"):
    """A trained model of MODELS, and its accuracy on 2,000 fresh images. Training ones are fresh
    too. side  pixels of an image; its windows are half as large, those of a model as well."""
    torch.manual_seed(seed)
    model = MODELS[name](side)

    def loss_of(model, images, labels):
        return F.cross_entropy(model(images), labels)

    draw = partial(far_marks, BATCH, side, side // 2)
    train(model, draw, loss_of, steps=steps, lr=lr, seed=seed, label=label)
    images, labels = far_marks(2000, side, side // 2, torch.Generator().manual_seed(10_000 + seed))
    model.cpu().eval()
    with torch.no_grad():
        return model, (model(images).argmax(-1) == labels).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    _, accuracy = learn(*(row[key] for key in ("model", "side", "steps", "lr", "seed")))
    return row | {"accuracy": accuracy}


def plan():
    """The two that are compared at two rates, without the shift also four times as long; the other
    ways out at one rate."""
    settings = [(name, 8, 400, lr) for lr, name in product(RATES, list(MODELS)[:2])]
    settings += [(name, 8, 400, RATES[-1]) for name in list(MODELS)[2:]]
    settings += [("without", 8, 1600, RATES[-1])]
    names = ("model", "side", "steps", "lr")
    return [dict(zip(names, setting), seed=seed) for seed, setting in product(SEEDS, settings)]


if __name__ == "__main__":
    record("far-windows", plan(), measure)
