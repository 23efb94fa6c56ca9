"""One step of training for a model that fills in numbers."""

from functools import partial

import torch
import torch.nn.functional as F

from tutorial_lib.checking.training import TrainingExercise
from tutorial_lib.layers.attention import Attention


def completion_step(model, optimizer, left, whole, right):
    """Let a model learn from a batch of patches, and say how wrong it was before.

    model        a module, (left, whole) -> right halves (B, N, 32)
    optimizer    of its parameters; a gradient may be left over in them from an earlier step
    left, whole  a batch (B, N, 32), (B, M, 64): who asks, and where to look
    right        (B, N, 32), what should have come
    ->  a float, the mean squared error over all numbers, with the weights from before the step
    """
    loss = F.mse_loss(model(left, whole), right)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def models_and_patches(rng):
    for optimizer, B, N, M in [(sgd, 1, 2, 3), (sgd, 2, 3, 1), (adam, 3, 1, 4), (adam, 2, 4, 4)]:
        shapes = (B, N, 32), (B, M, 64), (B, N, 32)
        batches = [
            tuple(torch.from_numpy(rng.normal(size=shape)).float() for shape in shapes)
            for _ in range(3)
        ]
        yield dict(model=partial(Attention, 32, 5, 64), optimizer=optimizer, batches=batches)


completion_step = TrainingExercise(
    completion_step,
    level=2,
    minutes=10,
    cases=models_and_patches,
    hints=(
        "The four things of chapter 00: how wrong it is, old gradients out, new ones in, the "
        "weights move.",
        "A squared error, as a mean: `((found - right) ** 2).mean()`, or `F.mse_loss`.",
        "`loss = F.mse_loss(model(left, whole), right)`, `optimizer.zero_grad()`, "
        "`loss.backward()`, `optimizer.step()`, and `loss.item()` at the end.",
    ),
)


def _backward(model, optimizer, left, whole, right):
    """All up to the update; the loss."""
    loss = F.mse_loss(model(left, whole), right)
    optimizer.zero_grad()
    loss.backward()
    return loss


def _step_on(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@completion_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(left, whole), right)
    loss.backward()
    optimizer.step()
    return loss.item()


@completion_step.mistake(
    """No weight moves. Is `backward` or `step` missing, are the gradients cleared between the two,
    or is a weight given a new value under an old name, as `p = p - 0.1 * p.grad` does?"""
)
def no_weight_moves(model, optimizer, left, whole, right):
    loss = _backward(model, optimizer, left, whole, right)
    for p in model.parameters():
        p = p - 0.1 * p.grad  # noqa: PLW2901
    return loss.item()


@completion_step.mistake(
    """The optimizer steps before the new gradient is there, so it uses the one of the batch before.
    What must have run when `step` is called?"""
)
def steps_before_backward(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(left, whole), right)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@completion_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it has seen
    these patches."""
)
def loss_after_the_step(model, optimizer, left, whole, right):
    _backward(model, optimizer, left, whole, right)
    optimizer.step()
    with torch.no_grad():
        return F.mse_loss(model(left, whole), right).item()


@completion_step.mistake(
    """You add the squared errors up instead of taking their mean: the step then grows with the
    batch and with the number of pixels."""
)
def sums_the_errors(model, optimizer, left, whole, right):
    return _step_on(F.mse_loss(model(left, whole), right, reduction="sum"), optimizer)


@completion_step.mistake(
    """You take the mean *absolute* error. It pulls a small error as hard as a large one; the task
    asks for the squared one."""
)
def takes_the_absolute_error(model, optimizer, left, whole, right):
    return _step_on(F.l1_loss(model(left, whole), right), optimizer)


@completion_step.mistake(
    """You take the root of the mean squared error. It has its smallest value in the same place, but
    another gradient and so other steps. What does the task ask for?"""
)
def takes_the_root(model, optimizer, left, whole, right):
    return _step_on(F.mse_loss(model(left, whole), right).sqrt(), optimizer)


@completion_step.mistake(
    """You compare what the model gives with the halves that it was given. Which of the three is
    what should have come?"""
)
def compares_with_the_left_halves(model, optimizer, left, whole, right):
    return _step_on(F.mse_loss(model(left, whole), left), optimizer)


@completion_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, left, whole, right):
    loss = F.mse_loss(model(left, whole), right)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@completion_step.mistake(
    """The loss does not hang on the weights any more, so `backward` finds no graph. Which line cuts
    it off: a `detach`, a `no_grad`, an `.item()`, a tensor made of numbers?"""
)
def weights_cut_off(model, optimizer, left, whole, right):
    return _step_on(F.mse_loss(model(left, whole).detach(), right), optimizer)


@completion_step.mistake(
    """The step goes its own way: the weights move by 0.1 times the gradient whatever the optimizer
    is. Who knows how long a step has to be, and remembers the steps before?"""
)
def a_step_of_its_own(model, optimizer, left, whole, right):
    loss = _backward(model, optimizer, left, whole, right)
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return loss.item()
