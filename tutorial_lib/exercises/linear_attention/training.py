"""One step of training a model that foretells pixels."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def training_step(model, optimizer, pixels):
    """Let a model learn to foretell every pixel, and say how many bits it needed before.

    model      in any mode; it is to learn in training mode. It takes gray levels int64 (B, N) and
               gives logits (B, N, levels); at place i it has read places 0 … i. A level of
               `model.levels`, one more than there are, stands for the beginning of a picture
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    pixels     int64 (B, N) in 0 … levels − 1
    ->  a float, the cross-entropy in bits a pixel, with the weights from before the step

    The logits at place i are to speak of pixel i. The norm of the gradient of the mean
    cross-entropy in nats, of all weights together, is cut to at most 1 before it is used.
    """
    model.train()
    before = F.pad(pixels[:, :-1], (1, 0), value=model.levels)  # (B, N)
    loss = F.cross_entropy(model(before).mT, pixels)  # classes on axis 1: (B, levels, N)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


class Small(nn.Module):
    """Place i has read places 0 … i: a mean over them of an embedding with dropout."""

    def __init__(self, levels, places, dropout, gain):
        super().__init__()
        self.levels = levels
        self.embed = nn.Embedding(levels + 1, 6)
        self.positions = nn.Parameter(torch.randn(places, 6))
        self.drop, self.out = nn.Dropout(dropout), nn.Linear(6, levels)
        with torch.no_grad():
            self.out.weight.mul_(gain)

    def forward(self, levels):
        x = self.embed(levels)
        count = torch.arange(1, x.shape[1] + 1)[:, None]
        return self.out(self.drop(x.cumsum(1) / count + x + self.positions[: x.shape[1]]))


def small(levels, places, dropout=0.0, gain=1.0):
    return lambda: Small(levels, places, dropout, gain)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def models_and_pictures(rng):
    for levels, N, B, optimizer, settings in [
        (3, 4, 2, momentum, {}),
        (4, 6, 3, adam, {}),
        (5, 3, 4, adam, dict(dropout=0.5)),
        (4, 5, 2, momentum, dict(gain=20.0)),
    ]:
        pixels = torch.from_numpy(rng.integers(0, levels, size=(3, B, N)))
        model = small(levels, N, **settings)
        yield dict(model=model, optimizer=optimizer, batches=[(part,) for part in pixels])


training_step = TrainingExercise(
    training_step,
    level=2,
    minutes=15,
    cases=models_and_pictures,
    hints=(
        "Place i reads what you give it at places 0 … i. What may stand at place i, if the "
        "logits there are to speak of pixel i? And at place 0?",
        "`F.cross_entropy` wants the classes on axis 1. It gives nats: one nat is 1 / ln 2 bits.",
        "`F.pad(pixels[:, :-1], (1, 0), value=model.levels)`, `F.cross_entropy(logits.mT, "
        "pixels)`, then zero_grad, backward, clip_grad_norm_, step, and `loss.item() / "
        "math.log(2)`.",
    ),
)


def _take(model, optimizer, loss, cut=True):
    """The step that follows a loss; the bits."""
    optimizer.zero_grad()
    loss.backward()
    if cut:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


def _loss(model, pixels, before=None):
    model.train()
    before = F.pad(pixels[:, :-1], (1, 0), value=model.levels) if before is None else before
    return F.cross_entropy(model(before).mT, pixels)


@training_step.mistake(
    """The model reads the pixel that it is to foretell: nothing is shifted. Its loss will fall to
    zero, and what it writes will be noise. What may it know at place i?"""
)
def reads_the_answer(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels, before=pixels))


@training_step.mistake(
    """Shifted the wrong way: at place i the model reads pixel i + 1, and learns to tell the one
    before. On which side does the beginning stand?"""
)
def shifted_the_wrong_way(model, optimizer, pixels):
    before = F.pad(pixels[:, 1:], (0, 1), value=model.levels)
    return _take(model, optimizer, _loss(model, pixels, before))


@training_step.mistake(
    """The beginning is a black pixel (level 0) in yours, which the model cannot tell from a real
    one. Which level stands for the beginning?"""
)
def begins_with_black(model, optimizer, pixels):
    before = F.pad(pixels[:, :-1], (1, 0), value=0)
    return _take(model, optimizer, _loss(model, pixels, before))


@training_step.mistake(
    """You roll the pixels, so that the last one stands at place 0: the model is told the end of
    the picture at its beginning. What stands there instead?"""
)
def rolls_around(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels, pixels.roll(1, dims=1)))


@training_step.mistake(
    """There is no beginning: you leave pixel 0 out, and it is never learned. What can the model
    read before it writes the first one?"""
)
def leaves_the_first_pixel_out(model, optimizer, pixels):
    model.train()
    before = F.pad(pixels[:, :-1], (1, 0), value=model.levels)
    loss = F.cross_entropy(model(before)[:, 1:].mT, pixels[:, 1:])
    return _take(model, optimizer, loss)


@training_step.mistake(
    """The weights learn as they should, and what you return are nats. How many of them are a
    bit?"""
)
def returns_nats(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels)) * math.log(2)


@training_step.mistake(
    """The figure is right, but the gradient is that of the bits, 1.44 times as long: without a
    cut, the steps of another learning rate. Of which loss does the task take it?"""
)
def learns_from_bits(model, optimizer, pixels):
    bits = _loss(model, pixels) / math.log(2)
    return _take(model, optimizer, bits) * math.log(2)


@training_step.mistake(
    """The logits become (B, levels, N) by a reshape, which moves nothing: numbers of several
    places are taken for the levels of one. What exchanges two axes?"""
)
def reshapes_the_logits(model, optimizer, pixels):
    model.train()
    logits = model(F.pad(pixels[:, :-1], (1, 0), value=model.levels))
    B, N, levels = logits.shape
    return _take(model, optimizer, F.cross_entropy(logits.reshape(B, levels, N), pixels))


@training_step.mistake(
    """You add the pixels up instead of taking their mean: the loss then grows with the
    picture."""
)
def sums_over_the_pixels(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels) * pixels.shape[1])


@training_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, pixels):
    loss = _loss(model, pixels)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


@training_step.mistake(
    """The gradient is not cut in time. Where it is large the step is too long. What must have run
    when the cut comes, and what must not?"""
)
def never_cuts(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels), cut=False)


@training_step.mistake(
    """The model learns in evaluation mode, in which dropout drops nothing. Which call turns it
    on?"""
)
def learns_in_evaluation_mode(model, optimizer, pixels):
    before = F.pad(pixels[:, :-1], (1, 0), value=model.levels)
    return _take(model, optimizer, F.cross_entropy(model(before).mT, pixels))


@training_step.mistake(
    """You cut the last pixel off and let each place name the next one, as for text: no beginning
    is read, and pixel 0 is never learned. What stands at place 0 in the task?"""
)
def foretells_the_next(model, optimizer, pixels):
    model.train()
    loss = F.cross_entropy(model(pixels[:, :-1]).mT, pixels[:, 1:])
    return _take(model, optimizer, loss)


@training_step.mistake(
    """The weights learn as they should, but nats are multiplied by ln 2. A bit is less than a nat,
    so there are more of them: which way round?"""
)
def multiplies_by_ln_2(model, optimizer, pixels):
    return _take(model, optimizer, _loss(model, pixels)) * math.log(2) ** 2


@training_step.mistake(
    """You cut each number of the gradient to between −1 and 1, which turns the direction of the
    step. The task cuts the length of all of it: `clip_grad_norm_`."""
)
def cuts_each_number(model, optimizer, pixels):
    loss = _loss(model, pixels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


@training_step.mistake(
    """Each weight's gradient is cut by itself, so large ones shrink beside small ones and the step
    turns. Of how many weights together is the norm, says the task?"""
)
def cuts_each_weight(model, optimizer, pixels):
    loss = _loss(model, pixels)
    optimizer.zero_grad()
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_(weight, 1.0)
    optimizer.step()
    return loss.item() / math.log(2)


@training_step.mistake(
    """The weights learn as they should, but what you return is measured after the step. With which
    weights does the task want it?"""
)
def measures_after_the_step(model, optimizer, pixels):
    _take(model, optimizer, _loss(model, pixels))
    with torch.no_grad():
        return _loss(model, pixels).item() / math.log(2)
