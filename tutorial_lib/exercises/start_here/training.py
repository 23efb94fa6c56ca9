"""One step of training, as PyTorch has it."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def learning_step(model, optimizer, images, labels):
    """Let a model learn from some pictures, and say how wrong it was before.

    model      a module, images -> scores (B, classes)
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    images     a batch (B, ...); labels int64 (B,), the right class of each
    ->  a float, the cross-entropy of the batch, with the weights from before the step
    """
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def small():
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def models_and_pictures(rng):
    for optimizer, B in [(sgd, 1), (sgd, 2), (adam, 5), (adam, 3)]:
        images = torch.from_numpy(rng.normal(size=(3, B, 3))).float()
        labels = torch.from_numpy(np.resize(rng.permutation(4), (3, B)))
        yield dict(model=small, optimizer=optimizer, batches=list(zip(images, labels)))


learning_step = TrainingExercise(
    learning_step,
    level=1,
    minutes=10,
    cases=models_and_pictures,
    hints=(
        "Four things happen: how wrong it is, old gradients out, new ones in, the weights move.",
        "`loss.backward()` *adds* to what is in `.grad`; `optimizer.step()` uses what is there.",
        "`loss = F.cross_entropy(model(images), labels)`, `optimizer.zero_grad()`, "
        "`loss.backward()`, `optimizer.step()`, and `loss.item()` at the end.",
    ),
)


@learning_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@learning_step.mistake(
    """No weight moves. Is `backward` or `step` missing, are the gradients cleared between the two,
    or is a weight given a new value under an old name, as `p = p - 0.1 * p.grad` does?"""
)
def no_weight_moves(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    for p in model.parameters():
        p = p - 0.1 * p.grad  # noqa: PLW2901
    return loss.item()


@learning_step.mistake(
    """The optimizer steps before the new gradient is there, so it uses the one of the batch before.
    What must have run when `step` is called?"""
)
def steps_before_backward(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@learning_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it has seen
    these pictures."""
)
def loss_after_the_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


@learning_step.mistake(
    """You hand probabilities to `F.cross_entropy`, which takes scores and does the softmax itself:
    the gradient shrinks and the loss cannot come near zero."""
)
def softmax_twice(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@learning_step.mistake(
    """You add the losses of the pictures up instead of taking their mean: the step then grows with
    the batch."""
)
def sums_over_the_batch(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@learning_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@learning_step.mistake(
    """The step goes its own way: the weights move by 0.1 times the gradient whatever the optimizer
    is. Who knows how long a step has to be, and remembers the steps before?"""
)
def a_step_of_its_own(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return loss.item()
