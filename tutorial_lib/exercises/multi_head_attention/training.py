"""One step of training for a model that answers two questions at a time."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def round_table_step(model, optimizer, guests, digits):
    """Let a model learn from some tables, and say how wrong it was before.

    model      a module, guests -> scores (B, 8, 2, 10): for each guest and each of its two
               questions a score for every digit
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    guests     a batch (B, 8, 80)
    digits     int64 (B, 8, 2), the right answers
    ->  a float, the cross-entropy, a mean over all answers of all guests, with the weights from
        before the step
    """
    scores = model(guests)
    loss = F.cross_entropy(scores.flatten(0, 2), digits.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class _Guesser(nn.Module):
    """Scores from a guest's own features; small, and with the shapes of the task."""

    def __init__(self):
        super().__init__()
        self.read = nn.Linear(80, 20)

    def forward(self, guests):
        return self.read(guests).unflatten(-1, (2, 10))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.5)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def models_and_tables(rng):
    for optimizer, B in [(sgd, 1), (sgd, 3), (adam, 2), (adam, 8)]:
        batches = [
            (
                torch.from_numpy(rng.normal(size=(B, 8, 80))).float(),
                torch.from_numpy(rng.integers(10, size=(B, 8, 2))),
            )
            for _ in range(3)
        ]
        yield dict(model=_Guesser, optimizer=optimizer, batches=batches)


round_table_step = TrainingExercise(
    round_table_step,
    level=2,
    minutes=10,
    cases=models_and_tables,
    hints=(
        "The four things of chapter 00: how wrong it is, old gradients out, new ones in, the "
        "weights move.",
        "`F.cross_entropy` wants scores (n, classes) and labels (n,). How many answers does a "
        "batch hold in all, and which axis holds the classes?",
        "`F.cross_entropy(scores.flatten(0, 2), digits.flatten())`, then `optimizer.zero_grad()`, "
        "`loss.backward()`, `optimizer.step()`, and `loss.item()` at the end.",
    ),
)


def _loss(model, guests, digits, **options):
    return F.cross_entropy(model(guests).flatten(0, 2), digits.flatten(), **options)


def _step_on(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@round_table_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, guests, digits):
    loss = _loss(model, guests, digits)
    loss.backward()
    optimizer.step()
    return loss.item()


@round_table_step.mistake(
    """No weight moves. Is `backward` or `step` missing, or are the gradients cleared between the
    two?"""
)
def no_weight_moves(model, optimizer, guests, digits):
    loss = _loss(model, guests, digits)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@round_table_step.mistake(
    """The optimizer steps before the new gradient is there, so it uses the one of the batch before.
    What must have run when `step` is called?"""
)
def steps_before_backward(model, optimizer, guests, digits):
    loss = _loss(model, guests, digits)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@round_table_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it has seen
    these tables."""
)
def loss_after_the_step(model, optimizer, guests, digits):
    _step_on(_loss(model, guests, digits), optimizer)
    return _loss(model, guests, digits).item()


@round_table_step.mistake(
    """You clear the gradients when all is done. From the second step on that is as good, but the
    first one may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, guests, digits):
    loss = _loss(model, guests, digits)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@round_table_step.mistake(
    """Scores (B, 8, 2, 10) go into `F.cross_entropy` as they are. It takes axis 1 for the classes,
    and there are the seats. How do they become (n, classes), with labels (n,)?"""
)
def classes_on_axis_one(model, optimizer, guests, digits):
    return _step_on(F.cross_entropy(model(guests), digits), optimizer)


@round_table_step.mistake(
    """Only the first question is judged, so nothing pushes a head towards the neighbour. Which axis
    of scores and digits counts the questions?"""
)
def judges_the_first_question(model, optimizer, guests, digits):
    scores = model(guests)[:, :, 0]
    return _step_on(F.cross_entropy(scores.flatten(0, 1), digits[:, :, 0].flatten()), optimizer)


@round_table_step.mistake(
    """The losses of the two questions are added: twice the mean over all answers, and steps twice
    as long. What is the mean of two means?"""
)
def adds_the_two_losses(model, optimizer, guests, digits):
    return _step_on(2 * _loss(model, guests, digits), optimizer)


@round_table_step.mistake(
    """You add up the losses of all answers instead of taking their mean: the step then grows with
    the batch."""
)
def sums_the_losses(model, optimizer, guests, digits):
    return _step_on(_loss(model, guests, digits, reduction="sum"), optimizer)


@round_table_step.mistake(
    """The mean is taken of the losses of a table, and these are added up over the batch. What does
    the task take the mean over?"""
)
def sums_over_tables(model, optimizer, guests, digits):
    return _step_on(len(guests) * _loss(model, guests, digits), optimizer)


@round_table_step.mistake(
    """There is a softmax in front of the cross-entropy, which takes one itself: of probabilities it
    makes nearly even ones, and the gradient is small. What does `F.cross_entropy` want, scores or
    probabilities?"""
)
def softmax_twice(model, optimizer, guests, digits):
    scores = model(guests).softmax(dim=-1)
    return _step_on(F.cross_entropy(scores.flatten(0, 2), digits.flatten()), optimizer)


@round_table_step.mistake(
    """Scores and answers are in another order: one of the two had its axes moved before it was
    flattened, so an answer is judged by another guest's or another question's score. Which axes
    come first, in both?"""
)
def answers_in_another_order(model, optimizer, guests, digits):
    loss = F.cross_entropy(model(guests).flatten(0, 2), digits.transpose(1, 2).flatten())
    return _step_on(loss, optimizer)


@round_table_step.mistake(
    """Your classes are not the digits: the scores were reshaped so that an axis of guests or of
    questions lies where the ten scores were. Which axis must stay the last one?"""
)
def transposed_then_reshaped(model, optimizer, guests, digits):
    scores = model(guests).transpose(-2, -1).reshape(-1, 10)
    return _step_on(F.cross_entropy(scores, digits.flatten()), optimizer)


@round_table_step.mistake(
    """The loss does not hang on the weights any more, so `backward` finds no graph. Which line cuts
    it off: a `detach`, a `no_grad`, an `.item()`, a tensor made of numbers?"""
)
def weights_cut_off(model, optimizer, guests, digits):
    scores = model(guests).detach()
    return _step_on(F.cross_entropy(scores.flatten(0, 2), digits.flatten()), optimizer)


@round_table_step.mistake(
    """The step goes its own way: the weights move by a rate times the gradient whatever the
    optimizer is. Who knows how long a step has to be, and remembers the steps before?"""
)
def a_step_of_its_own(model, optimizer, guests, digits):
    loss = _loss(model, guests, digits)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return loss.item()


@round_table_step.mistake(
    """The classes are brought to axis 1 by a reshape, which moves no number: scores of other guests
    and digits are read. What moves an axis?"""
)
def reshapes_the_scores(model, optimizer, guests, digits):
    scores = model(guests).reshape(len(guests), 10, 8, 2)
    return _step_on(F.cross_entropy(scores, digits), optimizer)


@round_table_step.mistake(
    """The two questions are exchanged in one of the two, scores or digits: each head of ten scores
    learns the other question's answer. Which of them did you turn round?"""
)
def exchanges_the_questions(model, optimizer, guests, digits):
    scores = model(guests).flatten(0, 2)
    return _step_on(F.cross_entropy(scores, digits.flip(-1).flatten()), optimizer)
