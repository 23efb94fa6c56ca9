"""A ViT against a CNN of equal size on 200 to 20,000 pictures, and transfer: a recorded figure.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929), section 4.3. Measure again, minutes on a GPU, an hour on two cores:

    python -m tutorial_lib.recipes.vit.data_size [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.training.loop import train

SIZES, SEEDS, STEPS, BATCH = (200, 1000, 5000, 20_000), range(3), 2000, 64
MEAN, STD = 0.286, 0.353  # of Fashion-MNIST's pixels

MODELS = {  # name -> a fresh model, and its learning rate
    "ViT": (partial(ViT, 28, 4, 1, dim=64, depth=4, heads=4, hidden=128), 2e-3),
    "CNN": (partial(SmallCNN, 1, width=46), 4e-3),
}
FIRST, SECOND = (0, 2, 4, 6, 9), (1, 3, 5, 7, 8)  # tops and boots; all other things


def pictures(split, count=None, classes=range(10)):
    """Normalised images (n, 1, 28, 28) and labels (n,), counted within `classes`; `count` of all
    classes or, for some of them, of these."""
    classes = torch.tensor(list(classes))
    images, labels = fashion_mnist(split, count if len(classes) == 10 else None)
    chosen = torch.isin(labels, classes).nonzero()[:count, 0]
    labels = (labels[chosen, None] == classes).int().argmax(1)
    return (images[chosen, None] - MEAN) / STD, labels


def draw(images, labels):
    """A function for `train`: BATCH of these pictures at random."""

    def batch(generator):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        return images[chosen], labels[chosen]

    return batch


def loss_of(model, images, labels):
    return F.cross_entropy(model(images), labels)


@torch.no_grad()
def accuracy(model, images, labels):
    """The share of pictures that are told right."""
    model.eval()
    device = next(model.parameters()).device
    found = torch.cat([model(x.to(device)).argmax(-1).cpu() for x in images.split(500)])
    return (found == labels).float().mean().item()


def learn(name, count, seed, steps=STEPS, label="training"):
    """Accuracy on the test pictures after training on the first `count`."""
    torch.manual_seed(seed)
    make, lr = MODELS[name]
    model = make(classes=10)
    settings = dict(steps=steps, lr=lr, warmup=steps // 10, seed=seed, label=label)
    train(model, draw(*pictures("train", count)), loss_of, **settings)
    return accuracy(model, *pictures("test"))


def transfer(name, count, seed, pretrained, steps=STEPS // 8):
    """Accuracy on five classes, learnt from `count` pictures: from scratch, or after training on
    the 10,000 pictures of the five other classes."""
    torch.manual_seed(seed)
    make, lr = MODELS[name]
    model = make(classes=5)
    if pretrained:
        settings = dict(steps=STEPS, lr=lr, warmup=STEPS // 10, seed=seed)
        train(model, draw(*pictures("train", None, FIRST)), loss_of, **settings)
        model.head = nn.Linear(model.head.in_features, 5)
    settings = dict(steps=steps, lr=lr / 2 if pretrained else lr, warmup=steps // 10, seed=seed)
    train(model, draw(*pictures("train", count, SECOND)), loss_of, **settings)
    return accuracy(model, *pictures("test", None, SECOND))


def measure(row):
    """One row of the record, in a process of its own."""
    what, name, count, seed = row["what"], row["model"], row["count"], row["seed"]
    if what == "size":
        return row | {"accuracy": learn(name, count, seed)}
    return row | {"accuracy": transfer(name, count, seed, pretrained=what == "pretrained")}


def plan():
    settings = [("size", *setting) for setting in product(MODELS, reversed(SIZES), SEEDS)]
    settings += product(("scratch", "pretrained"), MODELS, (200,), SEEDS)
    return [dict(zip(("what", "model", "count", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("data-size", plan(), measure, steps=STEPS, batch=BATCH)
