"""A training step whose weights have few bits."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking.training import TrainingExercise
from tutorial_lib.exercises.vit.training import adam, momentum, small
from tutorial_lib.recipes.quantization.straight import few_bits, matrices, rounded


def few_bit_step(model, optimizer, images, labels, bits):
    """Let a model learn from one batch such that it works with few bits.

    model      a module in any mode, images -> logits (B, K); it is to learn in training mode
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    images     a batch (B, ...); labels int64 (B,); bits  how many a weight of a matrix has
    ->  a float, the cross-entropy of the batch *with few bits*, before the step

    `matrices(model)` lists the weights of the linear maps, `few_bits(W, bits)` gives a rounded copy
    of one. The loss and the gradient are those of the rounded model; the step is made by the float
    weights, which are what they were but for that step. Biases stay floats.
    """
    model.train()
    kept = [W.detach().clone() for W in matrices(model)]
    with torch.no_grad():
        for W in matrices(model):
            W.copy_(few_bits(W, bits))
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for W, before in zip(matrices(model), kept):
            W.copy_(before)
    optimizer.step()
    return loss.item()


def models_and_batches(rng):
    for model, optimizer, B, bits in [
        (small(), momentum, 2, 2),
        (small(), adam, 5, 3),
        (small(dropout=0.5), adam, 4, 2),
        (small(gain=5.0), momentum, 3, 4),
    ]:
        images = torch.from_numpy(rng.normal(size=(3, B, 3))).float()
        labels = torch.from_numpy(rng.integers(0, 4, size=(3, B)))
        batches = [(x, y, bits) for x, y in zip(images, labels)]
        yield dict(model=model, optimizer=optimizer, batches=batches)


few_bit_step = TrainingExercise(
    few_bit_step,
    level=3,
    minutes=15,
    cases=models_and_batches,
    hints=(
        "Two sets of weights: where is the gradient taken, and which of them moves?",
        "Keep copies of the float weights, write rounded ones into the model, forward, backward, "
        "write the kept ones back. Writing into a parameter needs `torch.no_grad()`.",
        "`kept = [W.detach().clone() for W in matrices(model)]`; `W.copy_(few_bits(W, bits))`; the "
        "loss, `zero_grad`, `backward`; `W.copy_(before)`; and only then `optimizer.step()`.",
    ),
)


def _round(model, bits):
    with torch.no_grad():
        for W in matrices(model):
            W.copy_(few_bits(W, bits))


def _step(model, optimizer, images, labels, bits, *, rounds=matrices, keep=True, restore_last=False,
          training=True, clear=True, step=True, reduction="mean"):  # fmt: skip
    """The reference with one part changed."""
    if training:
        model.train()
    kept = [W.detach().clone() for W in rounds(model)]
    with torch.no_grad():
        for W in rounds(model):
            W.copy_(few_bits(W, bits))

    def restore():
        with torch.no_grad():
            for W, before in zip(rounds(model), kept):
                W.copy_(before)

    loss = F.cross_entropy(model(images), labels, reduction=reduction)
    if clear:
        optimizer.zero_grad()
    loss.backward()
    if keep and not restore_last:
        restore()
    if step:
        optimizer.step()
    if keep and restore_last:
        restore()
    return loss.item()


@few_bit_step.mistake(
    """The float weights are lost: after the step the model goes on from the rounded ones. A step
    is much smaller than a rounding, so the next one undoes it. What has to be kept?"""
)
def floats_are_lost(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, keep=False)


@few_bit_step.mistake(
    """The matrices never move: you write the kept weights back after the step, over what it did.
    Which comes first?"""
)
def restores_after_the_step(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, restore_last=True)


@few_bit_step.mistake(
    """Nothing is rounded: this is the ordinary step. With which weights should the model meet the
    batch?"""
)
def an_ordinary_step(model, optimizer, images, labels, bits):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@few_bit_step.mistake(
    """You round after an ordinary step: the loss never sees few bits, and each rounding undoes the
    small steps before it."""
)
def rounds_after_the_step(model, optimizer, images, labels, bits):
    loss = an_ordinary_step(model, optimizer, images, labels, bits)
    _round(model, bits)
    return loss


@few_bit_step.mistake(
    """The loss is that of few bits, the gradient that of the floats: you write the float weights
    back before `backward` has a loss of the rounded ones. Which loss should the step make
    smaller?"""
)
def gradient_at_the_floats(model, optimizer, images, labels, bits):
    model.train()
    state = torch.get_rng_state()
    with rounded(model, bits), torch.no_grad():
        loss = F.cross_entropy(model(images), labels).item()
    torch.set_rng_state(state)
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    return loss


@few_bit_step.mistake(
    """Old gradients are not cleared, so each step takes the steps before it once more."""
)
def keeps_old_gradients(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, clear=False)


@few_bit_step.mistake("""The model learns in evaluation mode, in which dropout drops nothing.""")
def learns_in_evaluation_mode(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, training=False)


def _first_matrix(model):
    return matrices(model)[:1]


@few_bit_step.mistake("""Only the first matrix is rounded. Which weights does `matrices` list?""")
def first_matrix_alone(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, rounds=_first_matrix)


def _everything(model):
    return list(model.parameters())


@few_bit_step.mistake("""Biases are rounded too. They are few, and the task leaves them floats.""")
def biases_too(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, rounds=_everything)


@few_bit_step.mistake(
    """You return the loss after the step. The task asks for the one before it."""
)
def loss_after_the_step(model, optimizer, images, labels, bits):
    _step(model, optimizer, images, labels, bits)
    with rounded(model, bits), torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


@few_bit_step.mistake(
    """You return the loss of the float weights. Asked for is the one whose gradient is taken, with
    few bits."""
)
def loss_of_the_floats(model, optimizer, images, labels, bits):
    model.train()
    state = torch.get_rng_state()
    with torch.no_grad():
        loss = F.cross_entropy(model(images), labels).item()
    torch.set_rng_state(state)
    _step(model, optimizer, images, labels, bits)
    return loss


@few_bit_step.mistake(
    """No weight moves, not even a bias: no step is made, or the parameters that the optimizer has
    hold no gradient when it comes. Where did `backward` put it, and who cleared it?"""
)
def makes_no_step(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, step=False)


@few_bit_step.mistake(
    """The sum over the batch in place of the mean: a larger batch makes a larger step."""
)
def sum_of_the_batch(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, bits, reduction="sum")


@few_bit_step.mistake(
    """After your step the weights are rounded once more, and what the step did is lost again. Which
    weights go on learning?"""
)
def rounds_once_more(model, optimizer, images, labels, bits):
    loss = _step(model, optimizer, images, labels, bits)
    _round(model, bits)
    return loss


@few_bit_step.mistake("""You round to 2 bits, whatever `bits` says.""")
def always_two_bits(model, optimizer, images, labels, bits):
    return _step(model, optimizer, images, labels, 2)


@few_bit_step.mistake(
    """You clear the gradients after the step. What was left over from before has then gone into it;
    when must they be gone?"""
)
def clears_afterwards(model, optimizer, images, labels, bits):
    loss = _step(model, optimizer, images, labels, bits, clear=False)
    optimizer.zero_grad()
    return loss
