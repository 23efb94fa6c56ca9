"""A few labelled photographs a class: features of a pretrained ViT against training from scratch.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929), section 4.3, where pre-training is what a ViT needs. The decision by the nearest mean
of a class is that of Snell et al., Prototypical Networks (NeurIPS 2017, 1703.05175). Measure again,
in 25 minutes on one core, after `python -m tutorial_lib pretrained` and the command that
`tutorial_lib/data/stamps.py` names:

    python -m tutorial_lib.recipes.vit.few_shot [--out FILE]
"""

from functools import lru_cache, partial
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.data import pretrained
from tutorial_lib.data.augmentation import random_flip, random_shift
from tutorial_lib.data.stamps import FOLDERS, stamps
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.hugging_face import load_checkpoint
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit.data_size import loss_of
from tutorial_lib.training.loop import train

SHOTS, SEEDS = (1, 2, 5), range(5)  # labelled photographs a class; which ones they are
RATES, STEPS, BATCH = (5e-4, 2e-3), 300, 32
# For what is trained from scratch, pixels. With 64, and five photographs a class of the first draw,
# ViT and CNN had 38 and 34 % right in place of 35 and 33 %; the CNN took four times as long.
SMALL = 32
CLASSES = len(FOLDERS)
TRAINED = {  # 142,000 and 136,000 parameters
    "ViT": partial(ViT, SMALL, 4, 3, CLASSES, dim=64, depth=4, heads=4, hidden=128),
    "CNN": partial(SmallCNN, 3, CLASSES, width=46),
}


@lru_cache
def pictures(side=224):
    """Photographs on plain grey, the mean of ImageNet's pixels, which is zero as models read it:
    float32 (227, 3, side, side), and labels (227,). On white the pretrained features lose five
    points of a hundred."""
    images, labels = stamps()
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(x)[:, None, None] for x in (pretrained.MEAN, pretrained.STD))
    images = images[:, 3:] * (images[:, :3] - mean) / std
    return F.interpolate(images, (side, side), mode="area"), torch.from_numpy(labels)


def split(labels, shots, seed):
    """Places of `shots` photographs a class, drawn at random, and of all others."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    known = torch.cat([order[labels[order] == c][:shots] for c in range(CLASSES)])
    return known, order[~torch.isin(order, known)]


def balanced_accuracy(decided, labels):
    """The share told right in each class, and the mean of these: classes differ in size."""
    return float(np.mean([(decided[labels == c] == c).float().mean() for c in labels.unique()]))


def by_nearest_mean(features, labels, known, others):
    """Accuracy on `others`, each given to the class whose mean of the `known` lies in the most
    similar direction: features (n, dim), one row a photograph."""
    features = F.normalize(features, dim=-1)
    means = torch.stack([features[known[labels[known] == c]].mean(0) for c in range(CLASSES)])
    decided = (features[others] @ F.normalize(means, dim=-1).T).argmax(-1)
    return balanced_accuracy(decided, labels[others])


def model_of(name):
    """The "pretrained" model, or an "untrained" one of its shape."""
    if name == "pretrained":
        return load_checkpoint(pretrained.folder())
    torch.manual_seed(0)
    return ViT(518, 14, 3, CLASSES, dim=384, depth=12, heads=6, hidden=1536).eval()


@lru_cache
@torch.no_grad()
def class_tokens(name):
    """What each layer of a model hands on as the class token: (12, 227, 384)."""
    model, found = model_of(name), []
    for images in pictures()[0].split(16):
        x, layers = model.tokens(images), []
        for layer in model.encoder:
            x = layer(x)
            layers.append(x[:, 0])
        found.append(torch.stack(layers))
    return torch.cat(found, dim=1)


def learn(name, lr, steps, known, others, seed):
    """Accuracy on `others` of a model trained from scratch on `known`, flipped and shifted."""
    images, labels = pictures(SMALL)

    def draw(generator):
        chosen = known[torch.randint(len(known), (BATCH,), generator=generator)]
        return random_shift(random_flip(images[chosen], generator), 3, generator), labels[chosen]

    torch.manual_seed(seed)
    model = TRAINED[name]()
    train(model, draw, loss_of, steps=steps, lr=lr, warmup=steps // 10, seed=seed)
    with torch.no_grad():
        return balanced_accuracy(model.eval()(images[others]).argmax(-1), labels[others])


def measure(row):
    """One row of the record, in a process of its own."""
    method, (images, labels) = row["method"], pictures()
    known, others = split(labels, row["shots"], row["seed"])
    if method in TRAINED:
        found = learn(method, row["lr"], row["steps"], known, others, row["seed"])
        return row | {"accuracy": found}
    if method == "pixels":
        pixels = F.interpolate(images, (32, 32), mode="area").flatten(1)
        return row | {"accuracy": by_nearest_mean(pixels, labels, known, others)}
    layers = [by_nearest_mean(x, labels, known, others) for x in class_tokens(method)]
    return row | {"by_layer": layers}


def plan():
    """Every method on the same photographs. What is trained, with one and with five of a class, has
    two rates, and for three draws four times the steps: is it only slow?"""
    settings = [*product(("pretrained", "untrained", "pixels"), SHOTS, SEEDS)]
    settings += product(TRAINED, SHOTS[::2], SEEDS, RATES, (STEPS,))
    settings += product(TRAINED, SHOTS[-1:], SEEDS[:3], RATES[:1], (4 * STEPS,))
    return [dict(zip(("method", "shots", "seed", "lr", "steps"), each)) for each in settings]


if __name__ == "__main__":
    record("few-photographs", plan(), measure, batch=BATCH, classes=CLASSES)
