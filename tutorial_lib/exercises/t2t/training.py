"""One step of training, piece by piece."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def training_step(model, optimizer, images, labels, size):
    """Let a model learn from one batch that does not fit into memory at once.

    model      a module in any mode, images -> logits (B, K); it has dropout, perhaps
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    images     a batch (B, ...); labels int64 (B,) in 0 … K−1
    size       how many images may be in memory: at most so many may have gone into the model
               without their way back. The last piece may be smaller
    ->  a float, the cross-entropy of the batch, a mean over its B images, with the weights from
        before the step

    There is one update, and it is that of the whole batch. (The check's models raise a RuntimeError
    when they hold more than `size` images.)
    """
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


class LittleRoom(nn.Module):
    """A small model that runs out of memory, as a GPU does, if more images are in it than there is
    room for, those counted whose backward has not come."""

    def __init__(self, room: int, dropout: float):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Dropout(dropout), nn.Linear(5, 4))
        self.room, self.held = room, 0

    def forward(self, x):
        held = self.held if torch.is_grad_enabled() else 0
        if held + len(x) > self.room:
            more = f" while {held} wait for their backward" if held else ""
            raise RuntimeError(f"out of memory: {len(x)} images go in{more}, room for {self.room}")
        out = self.net(x)
        if out.requires_grad:
            self.held += len(x)
            out.register_hook(self._let_go)
        return out

    def _let_go(self, gradient):
        self.held = 0


def small(room, dropout=0.0):
    def make():
        return LittleRoom(room, dropout)

    return make


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def models_and_batches(rng):
    for size, dropout, optimizer, B in [
        (2, 0.0, momentum, 4),
        (3, 0.0, momentum, 8),
        (2, 0.5, adam, 5),
        (4, 0.0, adam, 3),
        (1, 0.0, momentum, 3),
    ]:
        images = torch.from_numpy(rng.normal(size=(3, B, 3))).float()
        labels = torch.from_numpy(rng.integers(0, 4, size=(3, B)))
        batches = [(x, y, size) for x, y in zip(images, labels)]
        yield dict(model=small(size, dropout), optimizer=optimizer, batches=batches)


training_step = TrainingExercise(
    training_step,
    level=3,
    minutes=10,
    cases=models_and_batches,
    hints=(
        "`backward` adds to what is in `.grad`. For once that is what you want: between which two "
        "pieces must nothing be cleared, and when must it?",
        "The mean over B images is a sum over the pieces of their sums, divided by B. The mean of "
        "the pieces' means is another number if the last piece is smaller.",
        "`images.split(size)` gives the pieces. In the loop: the summed cross-entropy of the piece "
        "over `len(images)`, `backward()`, and the number added to the total by `.item()`. One "
        "`zero_grad()` in front of the loop, one `step()` behind it.",
    ),
)


def _pieces(images, labels, size):
    return zip(images.split(size), labels.split(size))


def _back(model, images, labels, size, divide_by=None):
    """Gradients of the mean over the batch, added to what is there; the loss."""
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y, reduction="sum") / (divide_by or len(images))
        loss.backward()
        total += loss.item()
    return total


@training_step.mistake(
    """You take the mean of the pieces' means. Where the last piece is smaller, its images count for
    more than the others. What is divided by B?"""
)
def mean_of_means(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total, count = 0.0, len(images.split(size))
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y) / count
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """You add the means of the pieces up, so the gradient is as many times too large as there are
    pieces. Of how many images is the loss a mean?"""
)
def sum_of_means(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """The loss that you return is right and the gradient is not: `backward` runs on the mean of a
    piece, and only the number is weighed. Which tensor must be divided?"""
)
def weighs_the_number_alone(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        total += loss.item() * len(x) / len(images)
    optimizer.step()
    return total


@training_step.mistake(
    """You divide by the size of a piece as it should be, and the last one may be smaller, or the
    batch: by how many images does a mean over the batch divide?"""
)
def divides_by_size_and_count(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total, count = 0.0, len(images.split(size))
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y, reduction="sum") / (size * count)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """You sum over the images and never divide: the step grows with the batch. What does the task
    say of the loss?"""
)
def sums_over_the_batch(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y, reduction="sum")
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """The gradients are cleared for each piece, so the model learns from the last one alone. Which
    gradients are old, and which belong to this batch?"""
)
def clears_for_each_piece(model, optimizer, images, labels, size):
    model.train()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """There is an update after each piece: the later pieces meet other weights. How many updates
    does one batch make?"""
)
def steps_after_each_piece(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


@training_step.mistake(
    """Each piece is a step of its own, with its gradients cleared and an update: that is training
    with smaller batches. The task asks for one update, that of the whole batch. What may stay
    inside the loop?"""
)
def small_batches(model, optimizer, images, labels, size):
    model.train()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x) / len(images)
    return total


@training_step.mistake(
    """Old gradients are not cleared: those of earlier batches are used once more. When must they
    go, if `backward` is to add up the pieces?"""
)
def keeps_old_gradients(model, optimizer, images, labels, size):
    model.train()
    total = _back(model, images, labels, size)
    optimizer.step()
    return total


@training_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, images, labels, size):
    model.train()
    total = _back(model, images, labels, size)
    optimizer.step()
    optimizer.zero_grad()
    return total


@training_step.mistake(
    """The model learns in evaluation mode, in which dropout drops nothing. Which call turns dropout
    on?"""
)
def learns_in_evaluation_mode(model, optimizer, images, labels, size):
    optimizer.zero_grad()
    total = _back(model, images, labels, size)
    optimizer.step()
    return total


@training_step.mistake(
    """The last images are left out: your loop takes whole pieces only. What happens to the rest of
    a batch that does not divide?"""
)
def leaves_out_the_rest(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for i in range(len(images) // size):
        x, y = images[i * size : (i + 1) * size], labels[i * size : (i + 1) * size]
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


@training_step.mistake(
    """The whole batch goes into the model at once, and there is no room for it. How large may a
    piece be?"""
)
def all_at_once(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The pieces go in one by one, but their way back comes when all are in: until then every
    piece's activations are kept, so nothing is saved. When can those of a piece be let go?"""
)
def one_backward_for_all(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    losses = [
        F.cross_entropy(model(x), y, reduction="sum") for x, y in _pieces(images, labels, size)
    ]
    loss = sum(losses) / len(images)
    loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """You return the loss of the last piece. The task asks for that of the whole batch: what should
    be added up in the loop?"""
)
def loss_of_the_last_piece(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    for x, y in _pieces(images, labels, size):
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """No weight moves: is `backward` or `step` missing, or are the gradients cleared between the
    two?"""
)
def never_steps(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    return _back(model, images, labels, size)


@training_step.mistake(
    """You divide each piece's sum by `size`. A mean over the batch divides by the batch: of how
    many images is the loss a mean?"""
)
def divides_by_size(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = _back(model, images, labels, size, divide_by=size)
    optimizer.step()
    return total


@training_step.mistake(
    """The weights move as they should, and the loss that you return is a sum over the images. What
    makes it a mean?"""
)
def returns_the_sum(model, optimizer, images, labels, size):
    model.train()
    optimizer.zero_grad()
    total = _back(model, images, labels, size)
    optimizer.step()
    return total * len(images)


@training_step.mistake(
    """Each piece has its gradients cleared and an update of its own, with a part of the mean for
    its loss: many small steps. How many updates does one batch make?"""
)
def a_small_step_for_each_piece(model, optimizer, images, labels, size):
    model.train()
    total = 0.0
    for x, y in _pieces(images, labels, size):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, reduction="sum") / len(images)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total
