"""The loop that trains a model that writes."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise
from tutorial_lib.data.digits import BEGIN, END, PAD
from tutorial_lib.exercises.transformer.reader import NumberReader


class LoopExercise(TrainingExercise):
    """An exercise whose reference is a whole loop: its losses and the weights are compared after
    one batch and after all of them."""

    def as_function(self, answer):
        @torch.random.fork_rng(devices=[])
        def train(model, optimizer, batches, rate, longest):
            found = {}
            for count in dict.fromkeys((1, len(batches))):
                torch.manual_seed(0)
                module = model().eval()
                state = optimizer(module.parameters())
                for p in module.parameters():  # left over from a step before
                    p.grad = torch.ones_like(p)
                losses = answer(module, state, iter(batches[:count]), rate, longest)
                if isinstance(losses, list) and any(map(torch.is_tensor, losses)):
                    raise TypeError(
                        "the list holds tensors, and each may keep its whole graph alive; expected "
                        "floats: `.item()` gives one"
                    )
                found[f"losses of {count} steps"] = torch.as_tensor(losses).float()
                found[f"weights after step {count}"] = {
                    name: p.detach().clone() for name, p in module.named_parameters()
                }
            return found

        return train


def teach(model, optimizer, batches, rate, longest):
    """Train a model that writes, by a step on each batch, and say how wrong it was at each.

    model      a module, (canvas (B, H, W), words read (B, N)) -> logits (B, N, words): at each
               place the scores of the word that comes next
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    batches    what gives, one after the other, canvas (B, H, W) and targets int (B, N + 1): BEGIN,
               the digits, END, and PAD up to the end of the row
    rate       a function: number of the step, from 0 -> its learning rate. Every group of
               `optimizer.param_groups` is a dict that holds its rate under "lr"
    longest    the length to which a longer gradient is cut, all weights together
               (`nn.utils.clip_grad_norm_`)
    ->  a list of floats: for each batch the mean cross-entropy of a word (a digit or END; PAD does
        not count), with the weights from before its step
    """
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        logits = model(canvas, targets[:, :-1])
        loss = F.cross_entropy(logits.mT, targets[:, 1:], ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    """With a large eps: the keys' biases have no gradient but rounding, which nothing should blow
    up."""
    parameters = list(parameters)
    groups = [dict(params=parameters[::2]), dict(params=parameters[1::2])]  # each has a rate
    return torch.optim.Adam(groups, lr=0.1, eps=1e-2)


def written(rng, length):
    """A row of `length` places: BEGIN, digits, END, PAD."""
    many = int(rng.integers(1, length - 1))
    digits = rng.integers(10, size=many).tolist()
    return torch.tensor([BEGIN, *digits, END] + [PAD] * (length - 2 - many))


def models_and_numbers(rng):
    for optimizer, B, N, steps, longest in [
        (sgd, 2, 4, 2, 0.5),
        (adam, 3, 5, 3, 1.0),
        (sgd, 1, 6, 2, 100.0),
        (adam, 4, 3, 2, 0.05),
    ]:
        batches = [
            (
                torch.from_numpy(rng.random(size=(B, 10, 48))).float(),
                torch.stack([written(rng, N + 1) for _ in range(B)]),
            )
            for _ in range(steps)
        ]
        sizes = dict(words=13, dim=4, heads=2, hidden=5, depth=1)
        yield dict(
            model=partial(NumberReader.reference, **sizes),
            optimizer=optimizer,
            batches=batches,
            rate=partial(_rising, steps=steps),
            longest=longest,
        )


def _rising(step, steps):
    return 0.05 * (step + 1) / steps


teach = LoopExercise(
    teach,
    level=3,
    minutes=15,
    cases=models_and_numbers,
    hints=(
        "For each batch the four things of chapter 00, and two more: the step's rate is set before "
        "it is taken, and the gradient is cut once it is there.",
        "A row of targets is read without its last word and to be written without its first. "
        "`F.cross_entropy` wants the classes on axis 1, so (B, words, N), and leaves out places "
        "whose target is `ignore_index`.",
        "`loss = F.cross_entropy(logits.mT, targets[:, 1:], ignore_index=PAD)` with logits from "
        "`targets[:, :-1]`; then zero_grad, backward, clip_grad_norm_, step, and append "
        "`loss.item()`.",
    ),
)


def _loss(model, canvas, targets):
    logits = model(canvas, targets[:, :-1])
    return F.cross_entropy(logits.mT, targets[:, 1:], ignore_index=PAD)


def _set_rate(optimizer, rate, groups=slice(None)):
    for group in optimizer.param_groups[groups]:
        group["lr"] = rate


def _teach(
    model,
    optimizer,
    batches,
    rate,
    longest,
    *,
    loss_of=_loss,
    cut=nn.utils.clip_grad_norm_,
    groups=slice(None),
):
    """The loop with another loss or another cut, or with a rate for some groups only."""
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        _set_rate(optimizer, rate(step), groups)
        loss = loss_of(model, canvas, targets)
        optimizer.zero_grad()
        loss.backward()
        cut(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@teach.mistake(
    """Padding counts: your model is mostly taught to write PAD behind short numbers. Which
    argument of `F.cross_entropy` leaves places out?"""
)
def counts_the_padding(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        return F.cross_entropy(model(canvas, targets[:, :-1]).mT, targets[:, 1:])

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """The model reads the very word that it has to write: nothing is shifted. Its loss will be
    wonderful. At place i, which word is known and which one is due?"""
)
def nothing_is_shifted(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        return F.cross_entropy(model(canvas, targets[:, 1:]).mT, targets[:, 1:], ignore_index=PAD)

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """The model has to write the word that it has just read: inputs and targets are the same words,
    BEGIN included. Which word is due after BEGIN?"""
)
def writes_what_it_reads(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        return F.cross_entropy(model(canvas, targets[:, :-1]).mT, targets[:, :-1], ignore_index=PAD)

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """The losses of all words are added up and not averaged: a step then grows with the batch. What
    does the task want for each batch?"""
)
def adds_the_losses_up(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        logits = model(canvas, targets[:, :-1])
        return F.cross_entropy(logits.mT, targets[:, 1:], ignore_index=PAD, reduction="sum")

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """You divide by all places, PAD too: where numbers are short the loss looks small. Among how
    many words is the mean to be taken?"""
)
def divides_by_all_places(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        logits = model(canvas, targets[:, :-1])
        return F.cross_entropy(logits.mT, targets[:, 1:], ignore_index=PAD, reduction="none").mean()

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """Long gradients stay long: nothing is cut, or it is cut after the step has been taken. When is
    the gradient there, and when is it used?"""
)
def never_cuts(model, optimizer, batches, rate, longest):
    return _teach(model, optimizer, batches, rate, longest, cut=lambda *_: None)


@teach.mistake(
    """The gradient is cut before `backward`, so what is cut is the old one. When is the new one
    there?"""
)
def cuts_too_early(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        _set_rate(optimizer, rate(step))
        loss = _loss(model, canvas, targets)
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@teach.mistake(
    """You cut every number of the gradient to `longest` by itself, which also turns its direction.
    What is to be cut is the length of all weights' gradient together."""
)
def cuts_each_number(model, optimizer, batches, rate, longest):
    cut = nn.utils.clip_grad_value_
    return _teach(model, optimizer, batches, rate, longest, cut=cut)


@teach.mistake(
    """The rate is never set: the optimizer keeps the one it was made with, whatever `rate` says.
    Where does it keep it?"""
)
def keeps_its_rate(model, optimizer, batches, rate, longest):
    return _teach(model, optimizer, batches, rate, longest, groups=slice(0))


@teach.mistake(
    """Each step is taken with the rate of the one after it. Steps are numbered from 0: is the first
    one's rate `rate(0)` in your loop?"""
)
def rate_of_the_next_step(model, optimizer, batches, rate, longest):
    return _teach(model, optimizer, batches, lambda step: rate(step + 1), longest)


@teach.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        _set_rate(optimizer, rate(step))
        loss = _loss(model, canvas, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        losses.append(loss.item())
    return losses


@teach.mistake(
    """You clear the gradients when a step is done. From the second one on that is as good, but the
    first may begin with gradients left over: what does the task say of them?"""
)
def clears_at_the_end(model, optimizer, batches, rate, longest):
    losses = []
    for step, (canvas, targets) in enumerate(batches):
        _set_rate(optimizer, rate(step))
        loss = _loss(model, canvas, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@teach.mistake(
    """No weight moves. Is `backward` or `step` missing, or are the gradients cleared between the
    two?"""
)
def no_weight_moves(model, optimizer, batches, rate, longest):
    return [_loss(model, *batch).item() for batch in batches]


@teach.mistake(
    """A step behind the last one: your losses are those after each step. The task asks how wrong
    the model was before it."""
)
def losses_after_the_steps(model, optimizer, batches, rate, longest):
    losses = []
    for step, batch in enumerate(batches):
        _teach(model, optimizer, [batch], lambda _, step=step: rate(step), longest)
        with torch.no_grad():
            losses.append(_loss(model, *batch).item())
    return losses


@teach.mistake(
    """One loss comes back, the last. A curve needs that of every step: what does the task ask
    for?"""
)
def only_the_last_loss(model, optimizer, batches, rate, longest):
    return _teach(model, optimizer, batches, rate, longest)[-1]


@teach.mistake(
    """Only the first group of the optimizer gets the new rate; the others keep the one they were
    made with. How many groups are there?"""
)
def rate_of_the_first_group(model, optimizer, batches, rate, longest):
    return _teach(model, optimizer, batches, rate, longest, groups=slice(1))


@teach.mistake(
    """The rate is set behind the step, so each step has that of the one before it, and the first
    the one that the optimizer was made with. When is a step's rate needed?"""
)
def rate_behind_the_step(model, optimizer, batches, rate, longest):
    made_with = optimizer.param_groups[0]["lr"]

    def late(step):
        return rate(step - 1) if step else made_with

    return _teach(model, optimizer, batches, late, longest)


@teach.mistake(
    """Each weight's gradient is cut by itself, so all together may still be longer, and another way
    is taken. Whose length does the task bound?"""
)
def cuts_each_by_itself(model, optimizer, batches, rate, longest):
    def cut(parameters, longest):
        for p in parameters:
            nn.utils.clip_grad_norm_(p, longest)

    return _teach(model, optimizer, batches, rate, longest, cut=cut)


@teach.mistake(
    """The classes are brought to axis 1 by a reshape, which moves no number: scores of other words
    and places are read. What exchanges two axes?"""
)
def reshapes_the_logits(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        logits = model(canvas, targets[:, :-1])
        B, N, words = logits.shape
        return F.cross_entropy(logits.reshape(B, words, N), targets[:, 1:], ignore_index=PAD)

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """You take the mean of each number and then of those: a word of a short number counts for more
    than one of a long number. Over what is the mean of the task?"""
)
def mean_of_each_number(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        logits, due = model(canvas, targets[:, :-1]), targets[:, 1:]
        each = F.cross_entropy(logits.mT, due, ignore_index=PAD, reduction="none")
        return (each.sum(dim=1) / (due != PAD).sum(dim=1)).mean()

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)


@teach.mistake(
    """END does not count, so your model never learns to stop. Which of the words that are due is no
    word to learn?"""
)
def leaves_out_the_end(model, optimizer, batches, rate, longest):
    def loss_of(model, canvas, targets):
        due = targets[:, 1:].masked_fill(targets[:, 1:] == END, PAD)
        return F.cross_entropy(model(canvas, targets[:, :-1]).mT, due, ignore_index=PAD)

    return _teach(model, optimizer, batches, rate, longest, loss_of=loss_of)
