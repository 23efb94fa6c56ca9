"""What the trainings of chapter 36's family share: data, a short training, models in floats.

Taught in chapter 36. 10,000 pictures to learn from; 12,000 others, the rest of the shipped ones, to
be told right, so that differences of half a percent can be seen.
"""

import copy
import time
from functools import cache

import torch

from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

WIDTH, STEPS, LR, COUNT = 16, 600, 4e-3, 10_000
SEEDS = range(3)


def fresh(seed: int) -> SmallCNN:
    """A small CNN before its training."""
    torch.manual_seed(seed)
    return SmallCNN(1, 10, width=WIDTH)


def learn(model, seed, *, lr, steps=None, before_step=lambda step, images: None, label="training"):
    """Train a model in place, without weight decay  ->  CPU seconds per step.

    steps        STEPS if not given
    before_step  before_step(step, images) is called before each step, with its pictures; so it is
                 also what comes after the step before
    """
    steps = STEPS if steps is None else steps
    count = iter(range(steps))

    def loss(model, images, labels):
        before_step(next(count), images)
        return loss_of(model, images, labels)

    batches, started = draw(*pictures("train", COUNT)), time.process_time()
    settings = dict(steps=steps, lr=lr, warmup=steps // 10, seed=seed, weight_decay=0.0)
    train(model, batches, loss, **settings, label=label)
    return (time.process_time() - started) / steps


@cache
def _trained(seed):
    model = fresh(seed)
    learn(model, seed, lr=LR, label="floats")
    return model


def trained(seed: int) -> SmallCNN:
    """A copy of a small CNN in floats that has learned."""
    return copy.deepcopy(_trained(seed))


def right(model) -> float:
    """The share of unseen pictures that are told right."""
    (images, labels), (more, more_labels) = pictures("train"), pictures("test")
    images, labels = (torch.cat([x[COUNT:], y]) for x, y in [(images, more), (labels, more_labels)])
    return accuracy(model, images, labels)
