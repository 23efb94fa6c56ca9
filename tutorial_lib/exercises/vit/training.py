"""One step of training."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def training_step(model, optimizer, images, labels):
    """Let a model learn from one batch, and say how wrong it was before.

    model      a module in any mode, images -> logits (B, K); it has dropout, perhaps
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    images     a batch (B, ...); labels int64 (B,) in 0 … K−1
    ->  a float, the cross-entropy of the batch, a mean over its images, with the weights from
        before the step

    The norm of the gradient of all weights together is cut to at most 1 before it is used.
    """
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def small(dropout=0.0, gain=1.0):
    """A function that makes a small model; gain makes its gradient large."""

    def make():
        model = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Dropout(dropout), nn.Linear(5, 4))
        with torch.no_grad():
            model[-1].weight.mul_(gain)
        return model

    return make


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def models_and_batches(rng):
    for model, optimizer, B in [
        (small(), momentum, 2),
        (small(), adam, 5),
        (small(dropout=0.5), adam, 4),
        (small(gain=40.0), momentum, 3),
    ]:
        images = torch.from_numpy(rng.normal(size=(3, B, 3))).float()
        labels = torch.from_numpy(rng.integers(0, 4, size=(3, B)))
        yield dict(model=model, optimizer=optimizer, batches=list(zip(images, labels)))


training_step = TrainingExercise(
    training_step,
    level=2,
    minutes=15,
    cases=models_and_batches,
    hints=(
        "Five things happen: the loss, old gradients out, new ones in, the norm, the update. Which "
        "of them must come before which?",
        "`loss.backward()` *adds* to what is in `.grad`; `optimizer.step()` uses what is there.",
        "`model.train()`, `loss = F.cross_entropy(...)`, `optimizer.zero_grad()`, "
        "`loss.backward()`, `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`, "
        "`optimizer.step()`, and `loss.item()` at the end.",
    ),
)


def _backward(model, optimizer, images, labels):
    """All up to the update; the loss."""
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    return loss


def _cut(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@training_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    _cut(model)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """No weight moves. Is `backward` or `step` missing, are the gradients cleared between the two,
    or is the loss cut off from the weights (`detach`, `no_grad`), so that the optimizer finds
    nothing?"""
)
def clears_new_gradients(model, optimizer, images, labels):
    loss = _backward(model, optimizer, images, labels)
    _cut(model)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The optimizer steps before the new gradient is there, so it uses the one of the batch before.
    What must have run when `step` is called?"""
)
def steps_before_backward(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    _cut(model)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@training_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it has seen
    this batch."""
)
def loss_after_the_step(model, optimizer, images, labels):
    _backward(model, optimizer, images, labels)
    _cut(model)
    optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


@training_step.mistake(
    """The model learns in evaluation mode, in which dropout drops nothing. Which call turns dropout
    on, and does it stand before the images go in?"""
)
def learns_in_evaluation_mode(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    _cut(model)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The optimizer uses the gradient as it is: it is not cut, or cut before `backward` has made
    it, or after the step. Where it is large the step is too long. Where must the cut stand?"""
)
def never_cuts_in_time(model, optimizer, images, labels):
    loss = _backward(model, optimizer, images, labels)
    optimizer.step()
    _cut(model)
    return loss.item()


@training_step.mistake(
    """You cut each weight's gradient by itself. The norm is of all weights together, so that the
    direction of the step stays."""
)
def cuts_each_by_itself(model, optimizer, images, labels):
    loss = _backward(model, optimizer, images, labels)
    for p in model.parameters():
        nn.utils.clip_grad_norm_([p], 1.0)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """You add the losses of the images up instead of taking their mean: the step then grows with
    the batch."""
)
def sums_over_the_batch(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    _cut(model)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """You hand probabilities to `F.cross_entropy`, which takes logits and does the softmax itself:
    the gradient shrinks and the loss cannot come near zero."""
)
def softmax_twice(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
    optimizer.zero_grad()
    loss.backward()
    _cut(model)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The loss does not hang on the weights any more, so `backward` finds no graph. Which line cuts
    it off: a `detach`, a `no_grad`, an `.item()`, a tensor made of numbers?"""
)
def weights_cut_off(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images).detach(), labels)
    optimizer.zero_grad()
    loss.backward()
    _cut(model)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """Right without dropout: the loss that you return comes from a second pass through the model,
    in which dropout drops other numbers. Which loss did the model learn from?"""
)
def loss_of_a_second_pass(model, optimizer, images, labels):
    _backward(model, optimizer, images, labels)
    _cut(model)
    loss = F.cross_entropy(model(images), labels).item()
    optimizer.step()
    return loss


@training_step.mistake(
    """You cut each number of the gradient by itself (`clip_grad_value_`). Large ones shrink and
    small ones stay, so the step points elsewhere. Of what is the norm that the task asks for?"""
)
def cuts_each_number(model, optimizer, images, labels):
    loss = _backward(model, optimizer, images, labels)
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, images, labels):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    _cut(model)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()
