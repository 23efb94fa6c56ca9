"""One step of training for two rivals at once."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def rivals_step(rivals, optimizer, images, labels):
    """Let two models learn from the same batch, and say how wrong each was before.

    rivals     an nn.ModuleList of two models in any mode, images -> logits (B, K); they have
               dropout, perhaps
    optimizer  of the parameters of both; a gradient may be left over in them from an earlier step
    images     a batch (B, ...); labels int64 (B,) in 0 … K−1
    ->  a list of two floats, the cross-entropy of each, a mean over the B images, with the weights
        from before the step

    Neither model may feel that the other is there: each learns as it would alone. The norm of the
    gradient of all weights of *one* model together is cut to at most 1 before it is used. The
    first model sees the batch first.
    """
    rivals.train()
    optimizer.zero_grad()
    losses = [F.cross_entropy(model(images), labels) for model in rivals]
    for model, loss in zip(rivals, losses):
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return [loss.item() for loss in losses]


def two(width, dropout, loud=1.0):
    """Two models of different size; the second one is `loud` times as loud."""

    class Loud(nn.Module):
        def forward(self, x):
            return loud * x

    def make():
        def model(width, *last):
            first = nn.Linear(3, width)
            return nn.Sequential(first, nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 4), *last)

        return nn.ModuleList([model(width), model(width + 2, Loud())])

    return make


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def rivals_and_batches(rng):
    for width, dropout, loud, optimizer, B, size in [
        (2, 0.0, 1.0, momentum, 4, 1.0),
        (3, 0.0, 8.0, momentum, 8, 1.0),
        (4, 0.5, 1.0, adam, 5, 1.0),
        (3, 0.0, 1.0, momentum, 1, 9.0),
        (5, 0.5, 8.0, momentum, 3, 3.0),
    ]:
        images = torch.from_numpy(size * rng.normal(size=(3, B, 3))).float()
        labels = torch.from_numpy(rng.integers(0, 4, size=(3, B)))
        model = two(width, dropout, loud)
        yield dict(model=model, optimizer=optimizer, batches=list(zip(images, labels)))


rivals_step = TrainingExercise(
    rivals_step,
    level=2,
    minutes=10,
    cases=rivals_and_batches,
    hints=(
        "It is the step that you know, and some of its lines stand in a loop over the two models. "
        "Which lines are about one model, and which about both?",
        "`nn.utils.clip_grad_norm_(parameters, 1.0)` takes the parameters that share one norm. If "
        "both models shared it, a loud gradient of the one would shrink the other's.",
        "train mode and `zero_grad` for both; for each model its loss, `backward` and its own "
        "cut; one `step` at the end; the losses by `.item()` in a list.",
    ),
)


def _step(
    rivals, optimizer, images, labels, *, training=True, clear=True, backward=None, cut=None,
    step=True, number=None, reduction="mean",
):  # fmt: skip
    """The reference with one part changed."""
    if training:
        rivals.train()
    if clear:
        optimizer.zero_grad()
    losses = [F.cross_entropy(model(images), labels, reduction=reduction) for model in rivals]
    (backward or _both)(losses)
    (cut or _each)(rivals)
    if step:
        optimizer.step()
    return [loss.item() for loss in losses] if number is None else number(losses)


def _both(losses):
    sum(losses).backward()


def _each(rivals):
    for model in rivals:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@rivals_step.mistake(
    """Both models share one norm: a loud gradient of the one shrinks that of the other, so neither
    learns as it would alone. Whose parameters belong into one call of `clip_grad_norm_`?"""
)
def one_norm_for_both(rivals, optimizer, images, labels):
    def cut(rivals):
        nn.utils.clip_grad_norm_(rivals.parameters(), 1.0)

    return _step(rivals, optimizer, images, labels, cut=cut)


@rivals_step.mistake(
    """You learn from the mean of the two losses, so every gradient is half of what it should be
    wherever it is not cut. What does each model's own loss say?"""
)
def mean_of_both(rivals, optimizer, images, labels):
    def backward(losses):
        (sum(losses) / 2).backward()

    return _step(rivals, optimizer, images, labels, backward=backward)


@rivals_step.mistake(
    """The gradient is not cut: where its norm is above 1, your step is longer. Is
    `clip_grad_norm_` called, and after `backward`?"""
)
def never_cuts(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, cut=lambda rivals: None)


@rivals_step.mistake(
    """You cut every weight's gradient by itself, or every number in it. It is the norm of all
    weights of one model together that should be at most 1."""
)
def cuts_every_weight(rivals, optimizer, images, labels):
    def cut(rivals):
        for p in rivals.parameters():
            nn.utils.clip_grad_norm_([p], 1.0)

    return _step(rivals, optimizer, images, labels, cut=cut)


@rivals_step.mistake(
    """You clip numbers and not a norm: `clip_grad_value_` cuts every entry to between −1 and 1,
    which also turns the gradient into another direction."""
)
def cuts_every_number(rivals, optimizer, images, labels):
    def cut(rivals):
        nn.utils.clip_grad_value_(rivals.parameters(), 1.0)

    return _step(rivals, optimizer, images, labels, cut=cut)


@rivals_step.mistake(
    """Only the second model learns. Either `backward` is called once, after the loop, or the
    gradients are cleared in it: `optimizer.zero_grad()` clears those of both models."""
)
def last_one_learns(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, backward=lambda losses: losses[-1].backward())


@rivals_step.mistake(
    """Old gradients are not cleared: `backward` adds to them. What stands in `.grad` before you
    call it?"""
)
def keeps_old_gradients(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, clear=False)


@rivals_step.mistake(
    """The models learn in evaluation mode, in which dropout drops nothing. Which call turns it
    on?"""
)
def learns_in_evaluation_mode(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, training=False)


@rivals_step.mistake("""No weight moves: where is the optimizer's step?""")
def never_steps(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, step=False)


@rivals_step.mistake(
    """You return one number for both, their sum or their mean. Who is ahead can only be seen from
    two."""
)
def returns_the_sum(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, number=lambda x: sum(x).item())


@rivals_step.mistake("""You sum over the images and never divide: the step grows with the batch.""")
def sums_over_the_batch(rivals, optimizer, images, labels):
    return _step(rivals, optimizer, images, labels, reduction="sum")


@rivals_step.mistake(
    """You return the losses after the step. The task asks how wrong the models were before they had
    seen this batch."""
)
def losses_after_the_step(rivals, optimizer, images, labels):
    _step(rivals, optimizer, images, labels)
    with torch.no_grad():
        return [F.cross_entropy(model(images), labels).item() for model in rivals]


@rivals_step.mistake(
    """The second model sees the batch first. With dropout both draw from one generator, so the
    order counts: who is first in the task?"""
)
def second_one_first(rivals, optimizer, images, labels):
    return _step(
        rivals[::-1], optimizer, images, labels, number=lambda x: [x[1].item(), x[0].item()]
    )


@rivals_step.mistake(
    """You train the mean of both answers: what one model says changes the gradient of the other.
    How many losses should there be?"""
)
def learns_from_the_mean_answer(rivals, optimizer, images, labels):
    rivals.train()
    optimizer.zero_grad()
    logits = [model(images) for model in rivals]
    F.cross_entropy(sum(logits) / 2, labels).backward()
    _each(rivals)
    optimizer.step()
    return [F.cross_entropy(x, labels).item() for x in logits]


@rivals_step.mistake(
    """The models learn as they should, and what you return was measured in evaluation mode, in a
    pass of its own. Which loss did they learn from?"""
)
def says_another_loss(rivals, optimizer, images, labels):
    rivals.eval()
    with torch.no_grad():
        said = [F.cross_entropy(model(images), labels).item() for model in rivals]
    _step(rivals, optimizer, images, labels)
    return said


def _in_the_loop(rivals, optimizer, images, labels, *, zeros=False, norm_of_both=False, step=True):
    """One model after the other; with `zeros` the other's gradients are zeros meanwhile."""
    rivals.train()
    losses = []
    for i, model in enumerate(rivals):
        if i == 0 or zeros:
            optimizer.zero_grad(set_to_none=not zeros)
        losses.append(F.cross_entropy(model(images), labels))
        losses[-1].backward()
        nn.utils.clip_grad_norm_((rivals if norm_of_both else model).parameters(), 1.0)
        if step:
            optimizer.step()
    if not step:
        optimizer.step()
    return [loss.item() for loss in losses]


@rivals_step.mistake(
    """You cut in the loop, and over the parameters of both: when it is the second model's turn, the
    first one's gradient counts into the norm and is cut once more. Whose parameters are meant?"""
)
def one_norm_in_the_loop(rivals, optimizer, images, labels):
    return _in_the_loop(rivals, optimizer, images, labels, norm_of_both=True, step=False)


@rivals_step.mistake(
    """You step in the loop, and the optimizer moves both models every time: the first one's
    gradient is still there at the second step, so it moves twice. How many steps are asked for?"""
)
def steps_in_the_loop(rivals, optimizer, images, labels):
    return _in_the_loop(rivals, optimizer, images, labels)


@rivals_step.mistake(
    """You step in the loop, with the other model's gradients set to zero. An optimizer with a
    memory moves such weights too, by what it remembers. How many steps are asked for?"""
)
def steps_with_zeros(rivals, optimizer, images, labels):
    return _in_the_loop(rivals, optimizer, images, labels, zeros=True)
