"""One step of training, on models that are turned."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def training_step(model, optimizer, points, labels, angles):
    """Let a network learn from a batch of clouds, each turned by an angle of its own.

    model      a module in any mode, points (B, N, 3) -> logits (B, K); it has dropout, perhaps
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    points     (B, N, 3), coordinates x, y, z with z up; they must stay as they are
    labels     int64 (B,) in 0 … K−1
    angles     (B,), radians
    ->  a float, the cross-entropy of the turned batch, a mean over its clouds, with the weights
        from before the step

    The model sees the clouds turned about the vertical axis alone, the same angle for all points of
    a cloud: x becomes x cos α − y sin α, y becomes x sin α + y cos α, z stays.
    """
    x, y, z = points.unbind(-1)  # (B, N) each
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]  # (B, 1): one angle for N points
    turned = torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)
    model.train()
    loss = F.cross_entropy(model(turned), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class _Largest(nn.Module):
    """(B, N, D)  ->  (B, D)"""

    def forward(self, H):
        return H.amax(dim=1)


def small(dropout=0.0):
    """A function that makes a small network on clouds."""

    def make():
        return nn.Sequential(
            nn.Linear(3, 6), nn.Tanh(), nn.Dropout(dropout), _Largest(), nn.Linear(6, 4)
        )

    return make


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.3, momentum=0.9)


def models_and_batches(rng):
    for model, optimizer, B, N in [
        (small(), momentum, 2, 5),
        (small(), adam, 5, 3),
        (small(dropout=0.5), adam, 4, 6),
        (small(), momentum, 3, 3),  # as many points as clouds
        (small(), adam, 1, 4),
    ]:
        points = torch.from_numpy(rng.normal(size=(3, B, N, 3))).float()
        labels = torch.from_numpy(rng.integers(0, 4, size=(3, B)))
        angles = torch.from_numpy(rng.uniform(0.5, 5.5, size=(3, B))).float()
        batches = list(zip(points, labels, angles))
        yield dict(model=model, optimizer=optimizer, batches=batches)


training_step = TrainingExercise(
    training_step,
    level=2,
    minutes=15,
    cases=models_and_batches,
    hints=(
        "First make the turned clouds, a new tensor; then the step that you know from chapter 05: "
        "the loss, old gradients out, new ones in, the update.",
        "`points.unbind(-1)` gives x, y and z, each (B, N). An angle (B,) belongs to a whole "
        "cloud: `[:, None]` gives it an axis for the points. `torch.stack(..., dim=-1)` puts "
        "three coordinates together.",
        "`turned = torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)`, "
        "`model.train()`, `loss = F.cross_entropy(model(turned), labels)`, "
        "`optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, and `loss.item()`.",
    ),
)


def _turned(points, angles):
    x, y, z = points.unbind(-1)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    return torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)


def _step(model, optimizer, turned, labels, **loss):
    model.train()
    loss = F.cross_entropy(model(turned), labels, **loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The model sees the clouds as they came: the angles are never used, or the turned clouds are
    made and not given to it."""
)
def not_turned(model, optimizer, points, labels, angles):
    return _step(model, optimizer, points, labels)


@training_step.mistake(
    """Your clouds turn the other way round: a sign is exchanged. Which of the two sines has the
    minus?"""
)
def turned_the_other_way(model, optimizer, points, labels, angles):
    return _step(model, optimizer, _turned(points, -angles), labels)


@training_step.mistake(
    """Your y is made from the x that is turned already, so that clouds are squeezed. Which x stands
    in the task's second formula, the old or the new one?"""
)
def with_the_new_x(model, optimizer, points, labels, angles):
    x, y, z = points.unbind(-1)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    x = x * cos - y * sin
    return _step(model, optimizer, torch.stack([x, x * sin + y * cos, z], dim=-1), labels)


@training_step.mistake(
    """You turn in the plane of x and z, so chairs fall on their side: the axis that stays is y.
    Which coordinate is up?"""
)
def about_y(model, optimizer, points, labels, angles):
    order = [0, 2, 1]
    return _step(model, optimizer, _turned(points[..., order], angles)[..., order], labels)


@training_step.mistake(
    """You turn about y, the other way round: chairs fall on their side. Which coordinate is up?"""
)
def about_y_the_other_way(model, optimizer, points, labels, angles):
    order = [0, 2, 1]
    return _step(model, optimizer, _turned(points[..., order], -angles)[..., order], labels)


@training_step.mistake(
    """You turn in the plane of y and z, so chairs tip over: the axis that stays is x. Which
    coordinate is up?"""
)
def about_x(model, optimizer, points, labels, angles):
    order, back = [1, 2, 0], [2, 0, 1]
    return _step(model, optimizer, _turned(points[..., order], angles)[..., back], labels)


@training_step.mistake(
    """All clouds are turned by the first cloud's angle. Each has its own: along which axis do the
    angles lie?"""
)
def all_by_the_first_angle(model, optimizer, points, labels, angles):
    return _step(model, optimizer, _turned(points, angles[:1]), labels)


@training_step.mistake(
    """Where a batch has as many clouds as points, your angles belong to the points: (B,) beside (B,
    N) is lined up with the last axis, and a cloud is twisted. Which axis is missing?"""
)
def an_angle_for_each_point(model, optimizer, points, labels, angles):
    x, y, z = points.unbind(-1)
    cos, sin = angles.cos(), angles.sin()
    turned = torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)
    return _step(model, optimizer, turned, labels)


@training_step.mistake(
    """You take the angles for degrees. `cos` and `sin` want radians, and the task gives them."""
)
def from_degrees(model, optimizer, points, labels, angles):
    return _step(model, optimizer, _turned(points, torch.deg2rad(angles)), labels)


@training_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(_turned(points, angles)), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """No weight moves. Is `backward` or `step` missing, or are the gradients cleared between the
    two?"""
)
def clears_new_gradients(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(_turned(points, angles)), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The optimizer steps before the new gradient is there, so it uses the one of the batch before.
    What must have run when `step` is called?"""
)
def steps_before_backward(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(_turned(points, angles)), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@training_step.mistake(
    """The model learns in evaluation mode, in which dropout drops nothing. Which call turns dropout
    on, and does it stand before the clouds go in?"""
)
def learns_in_evaluation_mode(model, optimizer, points, labels, angles):
    loss = F.cross_entropy(model(_turned(points, angles)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it has seen
    this batch."""
)
def loss_after_the_step(model, optimizer, points, labels, angles):
    turned = _turned(points, angles)
    _step(model, optimizer, turned, labels)
    with torch.no_grad():
        return F.cross_entropy(model(turned), labels).item()


@training_step.mistake(
    """You return the loss of the clouds as they came. The model learned from turned ones: how wrong
    was it on those?"""
)
def loss_of_the_unturned(model, optimizer, points, labels, angles):
    model.train()
    unturned = F.cross_entropy(model(points), labels).item()
    torch.manual_seed(0)
    _step(model, optimizer, _turned(points, angles), labels)
    return unturned


@training_step.mistake(
    """You add the losses of the clouds up instead of taking their mean: the step then grows with
    the batch."""
)
def sums_over_the_batch(model, optimizer, points, labels, angles):
    return _step(model, optimizer, _turned(points, angles), labels, reduction="sum")


@training_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(_turned(points, angles)), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()
