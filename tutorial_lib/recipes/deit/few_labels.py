"""Fifty labels, and 1,950 pictures that only a teacher has an opinion on: a record.

Taught in chapter 06. The student is a DeiT whose class token learns from the labels that there are,
and whose distillation token from a teacher's decisions on all pictures; beside it stands the same
student with the labels alone, as they are and shifted, at two rates and for four times as long.
Measure again, ten minutes on one core:

    python -m tutorial_lib.recipes.deit.few_labels [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F

from tutorial_lib.data import augmentation
from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.deit import DeiT
from tutorial_lib.recipes.deit.deit import (
    BATCH,
    PICTURES,
    SEEDS,
    SIZES,
    accuracy,
    load,
    normalized,
)
from tutorial_lib.training.loop import train

LABELLED, KNOWN = 50, 32  # pictures with a label; how many of them are in a batch of 64
SIZE = SIZES | {"depth": 2}
STEPS, LONG = 400, 1600
RATES = {"labels alone": (1e-3, 2e-3), "teacher too": (2e-3,)}
WANTED = 0.66  # what the teacher's student is to reach, and one with the labels alone does not


def few_labels(labelled: int = LABELLED, count: int = PICTURES):
    """images (count, 1, 28, 28) from 0 to 1, of which the first have labels (labelled,)."""
    images, labels = fashion_mnist("train", count)
    return images[:, None], labels[:labelled]


def drawer(images, labels, known: int = KNOWN, shift: int = 0):
    """A function for `train`: a batch of these pictures, each shifted by up to some pixels and then
    normalized, of which the first `known` have labels (known,)."""

    def draw(generator):
        with_label = torch.randint(len(labels), (known,), generator=generator)
        others = torch.randint(len(images), (BATCH - known,), generator=generator)
        x = images[torch.cat([with_label, others])]
        return normalized(augmentation.random_shift(x, shift, generator)), labels[with_label]

    return draw


def distilled(teacher):
    """The loss of `train` for a student with two heads: the labels that there are for the one, the
    teacher's decisions on all pictures for the other."""

    def loss(student, x, labels):
        by_label, by_teacher = student(x)
        with torch.no_grad():
            decided = teacher(x).argmax(-1)
        told = F.cross_entropy(by_label[: len(labels)], labels)
        return (told + F.cross_entropy(by_teacher, decided)) / 2

    return loss


def labels_alone(student, x, labels):
    """The same without the teacher: both heads learn from the labels."""
    return sum(F.cross_entropy(logits, labels) for logits in student(x)) / 2


def measure(row):
    """One row of the record, in a process of its own."""
    alone = row["method"] == "labels alone"
    loss = labels_alone if alone else distilled(load("CNN")[0])
    draw = drawer(*few_labels(), known=BATCH if alone else KNOWN, shift=row["shift"])
    torch.manual_seed(row["seed"])
    student = DeiT(**SIZE)
    settings = dict(steps=row["steps"], lr=row["lr"], warmup=row["steps"] // 10, seed=row["seed"])
    train(student, draw, loss, **settings, label=row["method"])
    return row | {"accuracy": accuracy(student.eval())}


def plan():
    settings = product(SEEDS, (STEPS, LONG), (0, 2), RATES)
    return [
        dict(method=method, shift=shift, lr=lr, steps=steps, seed=seed)
        for seed, steps, shift, method in settings
        for lr in RATES[method]
    ]


if __name__ == "__main__":
    record("few-labels", plan(), measure, labelled=LABELLED, pictures=PICTURES)
