"""The rest of DeiT's recipe, one part at a time: a record.

Taught in chapter 06. Label smoothing, stochastic depth, repeated augmentation and RandAugment, each
added to a ViT that learns 2,000 shifted pictures from their labels; after Touvron et al. (ICML
2021, 2012.12877), section 6 and table 9. Measure again, a quarter of an hour on one core:

    python -m tutorial_lib.recipes.deit.ingredients [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.augmentation import one_hot, random_shift
from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.data.rand_augment import rand_augment
from tutorial_lib.layers.stochastic_depth import StochasticDepth
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.deit import deit
from tutorial_lib.training.loop import train

SMOOTHING, DROPPED, COPIES, MAGNITUDE = 0.1, 0.1, 3, 9  # as in DeiT
NAMES = (
    "shift alone",
    "label smoothing",
    "stochastic depth",
    "repeated augmentation",
    "RandAugment",
)


def smooth(y, share: float):
    """Labels (B, K) of which a share is spread evenly over all classes. Szegedy et al. (CVPR 2016,
    1512.00567), section 7."""
    return (1 - share) * y + share / y.shape[-1]


def repeated(chosen, copies: int):
    """Numbers (B,) of pictures for a batch -> (B,), a third as many different ones, each `copies`
    times. Hoffer et al., Augment your batch (CVPR 2020, 1901.09335)."""
    return chosen[: -(-len(chosen) // copies)].repeat(copies)[: len(chosen)]


def drawer(part):
    """A function for `train`: a batch of shifted pictures (B, 1, 28, 28), labels (B, 10)."""
    images, labels = fashion_mnist("train", deit.PICTURES)

    def draw(generator):
        chosen = torch.randint(len(images), (deit.BATCH,), generator=generator)
        if part == "repeated augmentation":
            chosen = repeated(chosen, COPIES)
        x, y = images[chosen, None], one_hot(labels[chosen], 10)
        if part == "RandAugment":
            x = rand_augment(x, MAGNITUDE, generator)
        if part == "label smoothing":
            y = smooth(y, SMOOTHING)
        return deit.normalized(random_shift(x, 2, generator)), y

    return draw


def student(part):
    """A fresh ViT; with stochastic depth the deeper a layer, the more often it is left out."""
    vit = deit.MAKERS["ViT"][0]()
    if part == "stochastic depth":
        last = len(vit.encoder) - 1
        layers = (StochasticDepth(x, DROPPED * i / last) for i, x in enumerate(vit.encoder))
        vit.encoder = nn.ModuleList(layers)
    return vit


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    vit = student(row["part"])
    settings = dict(steps=row["steps"], lr=2e-3, warmup=row["steps"] // 10, seed=row["seed"])
    loss = lambda model, x, y: F.cross_entropy(model(x), y)  # noqa: E731
    train(vit, drawer(row["part"]), loss, **settings, label=row["part"])
    return row | {"accuracy": deit.accuracy(vit.eval())}


def plan():
    return [
        dict(part=part, steps=deit.STEPS, seed=seed) for seed, part in product(deit.SEEDS, NAMES)
    ]


if __name__ == "__main__":
    record("deit-ingredients", plan(), measure, pictures=deit.PICTURES)
