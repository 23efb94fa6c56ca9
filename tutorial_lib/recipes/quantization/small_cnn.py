"""The small CNN that the systems of chapter 36 give few bits to, and what they all are measured by.

Taught in chapter 36. 10,000 pictures to learn from; 12,000 others, the rest of the shipped ones, to
be told right, since differences of half a percent are to be seen.
"""

import copy
import time
from functools import cache, partial

import torch

from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

WIDTH, STEPS, LR, COUNT = 16, 600, 4e-3, 10_000
fresh = partial(SmallCNN, 1, 10, width=WIDTH)


@cache
def unseen():
    """Images and labels to test with."""
    images, labels = pictures("train")
    more, more_labels = pictures("test")
    return torch.cat([images[COUNT:], more]), torch.cat([labels[COUNT:], more_labels])


def learn(model, seed, steps=STEPS, lr=LR, before_step=lambda step: None, label="training"):
    """Train a model in place, without weight decay; `before_step(step)` is called before each
    step  ->  seconds per step."""
    count = iter(range(steps))

    def loss(model, images, labels):
        before_step(next(count))
        return loss_of(model, images, labels)

    batches, started = draw(*pictures("train", COUNT)), time.perf_counter()
    settings = dict(steps=steps, lr=lr, warmup=steps // 10, seed=seed, weight_decay=0.0)
    train(model, batches, loss, **settings, label=label)
    return (time.perf_counter() - started) / steps


@cache
def _trained(seed):
    torch.manual_seed(seed)
    model = fresh()
    learn(model, seed, label="float")
    return model


def trained(seed):
    """A copy of a CNN in floats that has learned."""
    return copy.deepcopy(_trained(seed))


def right(model):
    """The share of unseen pictures that are told right."""
    return accuracy(model, *unseen())
