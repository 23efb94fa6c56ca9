"""A small CNN and a small ViT learn 200 centred pictures; then the test pictures move: a record.

Taught in chapter 05. Measure again, half a minute:

    python -m tutorial_lib.recipes.vit.moved [--out FILE]
"""

from functools import partial
from itertools import product

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.recipes.vit.inside_vit import moved
from tutorial_lib.training.loop import train

COUNT, STEPS, SEEDS = 200, 60, range(3)
MODELS = {  # name -> a fresh model of 26,000 parameters, and its learning rate
    "CNN": (partial(SmallCNN, 1, 10, width=20), 8e-3),
    "ViT": (partial(ViT, 28, 7, 1, 10, dim=36, depth=2, heads=3, hidden=80), 4e-3),
}


def measure(row):
    """One row of the record, in a process of its own: accuracies on pictures moved by 0 to 3."""
    torch.manual_seed(row["seed"])
    make, lr = MODELS[row["model"]]
    model, settings = make(), dict(warmup=STEPS // 10, seed=row["seed"], label=row["model"])
    train(model, draw(*pictures("train", COUNT)), loss_of, steps=STEPS, lr=lr, **settings)
    images, names = pictures("test")
    return row | {
        "accuracy_moved": [accuracy(model, moved(images, far), names) for far in range(4)]
    }


if __name__ == "__main__":
    rows = [dict(model=model, seed=seed) for model, seed in product(MODELS, SEEDS)]
    record("moved", rows, measure, count=COUNT, steps=STEPS)
