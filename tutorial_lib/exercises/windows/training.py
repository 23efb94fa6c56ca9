"""A loop on fresh examples that stops when the model can do it."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.exercises.windows.loops import LoopExercise


def train_until(model, optimizer, batches, goal, last):
    """Train on one batch after the other, until the model is right often enough.

    model      a module without dropout, images -> logits (B, K)
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    batches    an iterator that gives images (B, ...) and labels int64 (B,); each comes once, so the
               model has never seen it
    goal, last stop after the step with which the mean of the last `last` accuracies is `goal` or
               more, there being so many; otherwise when there are no more batches
    ->  a list of floats, the accuracy on each batch with the weights from before its step: the
        share of its images whose largest logit is the label's

    The loss is the mean cross-entropy.
    """
    accuracies = []
    for images, labels in batches:
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracies.append((logits.argmax(dim=-1) == labels).float().mean().item())
        if len(accuracies) >= last and sum(accuracies[-last:]) / last >= goal:
            break
    return accuracies


def small():
    return nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.5)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def loops(rng):
    for optimizer, B, count, goal, last in [
        (sgd, 4, 3, 1.1, 2),  # no goal is reached
        (adam, 4, 14, 1.0, 3),
        (adam, 8, 6, 0.75, 1),
        (sgd, 4, 14, 0.8, 5),
        (adam, 8, 6, 0.0, 4),
    ]:
        direction = torch.from_numpy(rng.normal(size=3)).float()
        images = torch.from_numpy(rng.normal(size=(count, B, 3))).float()
        labels = (images @ direction > 0).long()
        batches = list(zip(images, labels))
        yield dict(model=small, optimizer=optimizer, batches=batches, goal=goal, last=last)


train_until = LoopExercise(
    train_until,
    level=2,
    minutes=10,
    cases=loops,
    hints=(
        "The logits are needed twice, for the loss and for the accuracy, and both are those from "
        "before the step. One pass through the model is enough.",
        "`logits.argmax(dim=-1) == labels` is right or wrong for each image; `.float().mean()` is "
        "the share, `.item()` the number. When is the mean of the last few defined?",
        "In the loop: logits, loss, `zero_grad`, `backward`, `step`, append; then `if "
        "len(accuracies) >= last and sum(accuracies[-last:]) / last >= goal: break`.",
    ),
)


def _accuracy(logits, labels):
    return (logits.argmax(dim=-1) == labels).float().mean().item()


def _enough(accuracies, goal, last):
    return len(accuracies) >= last and sum(accuracies[-last:]) / last >= goal


def _loop(model, optimizer, batches, stop, loss_of=F.cross_entropy, clear=True):
    """The loop, until stop(accuracies)."""
    accuracies = []
    for images, labels in batches:
        logits = model(images)
        if clear:
            optimizer.zero_grad()
        loss_of(logits, labels).backward()
        optimizer.step()
        accuracies.append(_accuracy(logits, labels))
        if stop(accuracies):
            break
    return accuracies


def _learns_by(model, optimizer, batches, goal, last, **changed):
    return _loop(model, optimizer, batches, lambda told: _enough(told, goal, last), **changed)


@train_until.mistake(
    """The accuracy of yours is measured after the step, on images from which the model has just
    learned: it flatters. Which weights does the task ask about?"""
)
def after_the_step(model, optimizer, batches, goal, last):
    accuracies = []
    for images, labels in batches:
        _loop(model, optimizer, [(images, labels)], bool)
        with torch.no_grad():
            accuracies.append(_accuracy(model(images), labels))
        if _enough(accuracies, goal, last):
            break
    return accuracies


@train_until.mistake(
    """You stop with the first batch that reaches the goal. One lucky batch is no proof: of how many
    accuracies is the mean taken?"""
)
def stops_at_one_batch(model, optimizer, batches, goal, last):
    return _loop(model, optimizer, batches, lambda told: told[-1] >= goal)


@train_until.mistake(
    """You take the mean of what is there, also when that is fewer than `last`: two good batches at
    the beginning stop the training. What else must hold?"""
)
def does_not_wait(model, optimizer, batches, goal, last):
    def stop(told):
        return sum(told[-last:]) / len(told[-last:]) >= goal

    return _loop(model, optimizer, batches, stop)


@train_until.mistake(
    """You take the mean of *all* accuracies: the bad ones of the beginning count for ever, and the
    loop runs on long after the model can do it. Which ones count?"""
)
def mean_of_all(model, optimizer, batches, goal, last):
    def stop(told):
        return len(told) >= last and sum(told) / len(told) >= goal

    return _loop(model, optimizer, batches, stop)


@train_until.mistake(
    """Every one of the last accuracies must reach the goal in yours. The task asks for their
    mean."""
)
def each_of_the_last(model, optimizer, batches, goal, last):
    def stop(told):
        return len(told) >= last and min(told[-last:]) >= goal

    return _loop(model, optimizer, batches, stop)


@train_until.mistake(
    """You stop only when the mean lies *above* the goal. With a goal of 100 % that never comes.
    What does "or more" say?"""
)
def above_the_goal(model, optimizer, batches, goal, last):
    def stop(told):
        return len(told) >= last and sum(told[-last:]) / last > goal

    return _loop(model, optimizer, batches, stop)


@train_until.mistake(
    """Yours never stops before the batches end. With an endless iterator it never stops at all."""
)
def never_stops(model, optimizer, batches, goal, last):
    return _loop(model, optimizer, batches, lambda told: False)


@train_until.mistake(
    """You stop before the step: the batch with which the goal is reached is measured and not
    learned from. Where does the task stop?"""
)
def stops_before_the_step(model, optimizer, batches, goal, last):
    accuracies = []
    for images, labels in batches:
        accuracies.append(_accuracy(model(images), labels))
        if _enough(accuracies, goal, last):
            break
        _loop(model, optimizer, [(images, labels)], bool)
    return accuracies


@train_until.mistake(
    """One batch more than asked for is drawn: you look at the accuracies before a batch and not
    after it. The loop ends one step late."""
)
def one_batch_late(model, optimizer, batches, goal, last):
    accuracies = []
    for batch in batches:
        if _enough(accuracies, goal, last):
            break
        accuracies += _loop(model, optimizer, [batch], bool)
    return accuracies


@train_until.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more."""
)
def keeps_old_gradients(model, optimizer, batches, goal, last):
    return _learns_by(model, optimizer, batches, goal, last, clear=False)


@train_until.mistake(
    """No weight moves: is `backward` or `step` missing, or are the gradients cleared between the
    two?"""
)
def never_learns(model, optimizer, batches, goal, last):
    accuracies = []
    for images, labels in batches:
        accuracies.append(_accuracy(model(images), labels))
        if _enough(accuracies, goal, last):
            break
    return accuracies


@train_until.mistake(
    """Your list holds losses. The task asks for accuracies: the share of images that were told
    right."""
)
def returns_losses(model, optimizer, batches, goal, last):
    losses = []

    def loss_of(logits, labels):
        loss = F.cross_entropy(logits, labels)
        losses.append(loss.item())
        return loss

    _learns_by(model, optimizer, batches, goal, last, loss_of=loss_of)
    return losses


@train_until.mistake(
    """You count images where the task asks for a share: the number of right ones is not divided by
    the size of the batch."""
)
def counts_images(model, optimizer, batches, goal, last):
    sizes = []

    def loss_of(logits, labels):
        sizes.append(len(labels))
        return F.cross_entropy(logits, labels)

    told = _learns_by(model, optimizer, batches, goal, last, loss_of=loss_of)
    return [accuracy * size for accuracy, size in zip(told, sizes)]


@train_until.mistake(
    """Your loss is a sum over the batch: each step is as many times longer as there are images.
    Which `reduction` does the task ask for?"""
)
def sums_the_losses(model, optimizer, batches, goal, last):
    def loss_of(logits, labels):
        return F.cross_entropy(logits, labels, reduction="sum")

    return _learns_by(model, optimizer, batches, goal, last, loss_of=loss_of)


@train_until.mistake(
    """You take a softmax before the loss. `F.cross_entropy` takes logits and does that itself; a
    second softmax flattens what it sees, and the model learns slowly."""
)
def softmax_twice(model, optimizer, batches, goal, last):
    def loss_of(logits, labels):
        return F.cross_entropy(logits.softmax(dim=-1), labels)

    return _learns_by(model, optimizer, batches, goal, last, loss_of=loss_of)


@train_until.mistake(
    """You draw all batches before the first step. With an endless iterator that never ends, and
    what is left after the goal should stay in it. When is a batch needed?"""
)
def draws_all_first(model, optimizer, batches, goal, last):
    return _learns_by(model, optimizer, list(batches), goal, last)


@train_until.mistake(
    """Gradients are cleared at the end of a step, so the first step still takes what was left over
    from before. When should they be zero?"""
)
def clears_afterwards(model, optimizer, batches, goal, last):
    def stop(told):
        optimizer.zero_grad()  # the step is done
        return _enough(told, goal, last)

    return _loop(model, optimizer, batches, stop, clear=False)
