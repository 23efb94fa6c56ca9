"""One step of distillation."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.training import TrainingExercise


def distillation_step(model, optimizer, teacher, images, labels):
    """Let a student with two heads learn from one batch, half from labels, half from a teacher.

    model      a module in any mode, images -> in training mode the logits of two heads, (B, K)
               each; it has dropout, perhaps
    optimizer  of its parameters; a gradient may be left over in them from an earlier step
    teacher    a module in evaluation mode, images -> logits (B, K)
    images     a batch (B, ...)
    labels     int64 (m,) in 0 … K−1, those of the first m images, 1 ≤ m ≤ B; the others have none
    ->  a float, the loss of the batch with the weights from before the step

    The loss is L_hard of section 1: the first head learns the labels, a mean over the images that
    have one, the second the teacher's decisions on all B of them.
    """
    model.train()
    with torch.no_grad():
        decided = teacher(images).argmax(dim=-1)  # (B,)
    by_label, by_teacher = model(images)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    loss = (told + F.cross_entropy(by_teacher, decided)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class Small(nn.Module):
    """Two heads on five numbers, one answer in evaluation mode."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Dropout(dropout))
        self.head, self.distillation_head = nn.Linear(5, 4), nn.Linear(5, 4)

    def forward(self, images):
        x = self.body(images)
        both = self.head(x), self.distillation_head(x)
        return both if self.training else (both[0] + both[1]) / 2


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.3, momentum=0.9)


def students_and_batches(rng):
    for dropout, optimizer, B, m in [
        (0.0, momentum, 2, 2),
        (0.0, adam, 5, 3),
        (0.5, adam, 6, 4),
        (0.0, momentum, 3, 1),
    ]:
        line = nn.Linear(3, 4)
        with torch.no_grad():
            line.weight.copy_(torch.from_numpy(2 * rng.normal(size=(4, 3))))
            line.bias.zero_()
        teacher = nn.Sequential(line, nn.Dropout(0.5))  # which decides by chance in training mode
        batches = []
        for _ in range(3):
            images = torch.from_numpy(rng.normal(size=(B, 3))).float()
            labels = torch.from_numpy(rng.integers(4, size=m))
            batches.append((teacher.eval(), images, labels))
        yield dict(
            model=lambda dropout=dropout: Small(dropout), optimizer=optimizer, batches=batches
        )


distillation_step = TrainingExercise(
    distillation_step,
    level=2,
    minutes=10,
    cases=students_and_batches,
    hints=(
        "It is chapter 05's step with another loss. Whom do you ask before there can be one, and "
        "about which images?",
        "The teacher's decision is an argmax over the classes, and needs no graph "
        "(`torch.no_grad`). Only the first `len(labels)` rows of the first head's logits have "
        "a label.",
        "`decided = teacher(images).argmax(-1)`, `by_label, by_teacher = model(images)` in "
        "training mode, half of `F.cross_entropy(by_label[: len(labels)], labels)` and half of "
        "`F.cross_entropy(by_teacher, decided)`; then zero_grad, backward, step.",
    ),
)


def _learn(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _halves(model, teacher, images, labels):
    """What the first head and what the second have to learn."""
    by_label, by_teacher = model.train()(images)
    decided = teacher(images).argmax(dim=-1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return told, F.cross_entropy(by_teacher, decided)


@distillation_step.mistake(
    """The halves are missing: your loss is the sum of both. Adam hardly notices; the loss that you
    return, and plain gradient descent, do."""
)
def sum_of_both(model, optimizer, teacher, images, labels):
    return _learn(optimizer, sum(_halves(model, teacher, images, labels)))


@distillation_step.mistake(
    """The heads are exchanged: the first learns from the teacher, the second from the labels. Which
    of them stands first in what the model gives?"""
)
def heads_exchanged(model, optimizer, teacher, images, labels):
    by_teacher, by_label = model.train()(images)
    decided = teacher(images).argmax(dim=-1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, decided)) / 2)


@distillation_step.mistake(
    """The second head learns the teacher's decisions only where there is a label, so the images
    without one teach nothing. What does the task say of them?"""
)
def teacher_on_labelled_alone(model, optimizer, teacher, images, labels):
    m = len(labels)
    by_label, by_teacher = model.train()(images)
    decided = teacher(images).argmax(dim=-1)[:m]
    told = F.cross_entropy(by_label[:m], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher[:m], decided)) / 2)


@distillation_step.mistake(
    """The second head learns the teacher's probabilities. That is soft distillation at temperature
    1. What is a *decision*?"""
)
def probabilities_for_decisions(model, optimizer, teacher, images, labels):
    by_label, by_teacher = model.train()(images)
    with torch.no_grad():
        opinion = teacher(images).softmax(dim=-1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, opinion)) / 2)


@distillation_step.mistake(
    """Your argmax runs over the images: it asks, for each class, which image looks most like it.
    Along which axis are the classes?"""
)
def decision_over_images(model, optimizer, teacher, images, labels):
    by_label, by_teacher = model.train()(images)
    decided = teacher(images).argmax(dim=0)
    decided = decided.repeat(len(images))[: len(images)].clamp(max=by_teacher.shape[-1] - 1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, decided)) / 2)


@distillation_step.mistake(
    """The second head is told its own decision: it grows surer of whatever it says. Whose decision
    should it learn?"""
)
def own_decision(model, optimizer, teacher, images, labels):
    by_label, by_teacher = model.train()(images)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, by_teacher.argmax(-1))) / 2)


@distillation_step.mistake(
    """Both cross-entropies read the first head, so the second learns nothing. That is the paper's
    hard distillation *without* a token."""
)
def one_head_for_both(model, optimizer, teacher, images, labels):
    by_label, _ = model.train()(images)
    decided = teacher(images).argmax(dim=-1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_label, decided)) / 2)


@distillation_step.mistake(
    """The labels are left out: only the teacher is heard, and the first head learns nothing."""
)
def teacher_alone(model, optimizer, teacher, images, labels):
    return _learn(optimizer, _halves(model, teacher, images, labels)[1] / 2)


@distillation_step.mistake(
    """The teacher is left out: only the labels are heard, and the second head learns nothing."""
)
def labels_alone(model, optimizer, teacher, images, labels):
    return _learn(optimizer, _halves(model, teacher, images, labels)[0] / 2)


@distillation_step.mistake(
    """You divide the labels' part by all images of the batch and not by those that have a label:
    the fewer there are, the less they count. Over what is the mean?"""
)
def labels_over_the_whole_batch(model, optimizer, teacher, images, labels):
    told, taught = _halves(model, teacher, images, labels)
    return _learn(optimizer, (told * len(labels) / len(images) + taught) / 2)


@distillation_step.mistake(
    """You take the last images of the batch for those with a label. Which ones does the task say
    they are?"""
)
def labels_of_the_last_images(model, optimizer, teacher, images, labels):
    by_label, by_teacher = model.train()(images)
    decided = teacher(images).argmax(dim=-1)
    told = F.cross_entropy(by_label[-len(labels) :], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, decided)) / 2)


@distillation_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more. What stands in `.grad` before you call it?"""
)
def keeps_old_gradients(model, optimizer, teacher, images, labels):
    loss = sum(_halves(model, teacher, images, labels)) / 2
    loss.backward()
    optimizer.step()
    return loss.item()


@distillation_step.mistake(
    """No weight moves. Is `backward` or `step` missing, are the gradients cleared between the two,
    or is the model's answer made without a graph (`no_grad` around too much)?"""
)
def nothing_moves(model, optimizer, teacher, images, labels):
    loss = sum(_halves(model, teacher, images, labels)) / 2
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


@distillation_step.mistake(
    """You return the loss after the step. The task asks how wrong the student was before it."""
)
def loss_after_the_step(model, optimizer, teacher, images, labels):
    _learn(optimizer, sum(_halves(model, teacher, images, labels)) / 2)
    with torch.no_grad():
        return (sum(_halves(model, teacher, images, labels)) / 2).item()


@distillation_step.mistake(
    """You put the teacher into training mode, where its dropout decides by chance. In which mode
    does the task hand it to you?"""
)
def teacher_in_training_mode(model, optimizer, teacher, images, labels):
    teacher.train()
    return _learn(optimizer, sum(_halves(model, teacher, images, labels)) / 2)


@distillation_step.mistake(
    """The model is left in the mode that it came in. In evaluation mode it gives one answer, (B,
    K), and unpacking takes that apart along the batch. Which call brings two heads?"""
)
def in_the_mode_it_came_in(model, optimizer, teacher, images, labels):
    by_label, by_teacher = model(images)
    decided = teacher(images).argmax(dim=-1)
    told = F.cross_entropy(by_label[: len(labels)], labels)
    return _learn(optimizer, (told + F.cross_entropy(by_teacher, decided)) / 2)


@distillation_step.mistake(
    """One mean over all answers, labels and decisions together: where few images have a label, the
    labels count for little. What share of the loss has each part in the task?"""
)
def shares_by_count(model, optimizer, teacher, images, labels):
    told, taught = _halves(model, teacher, images, labels)
    m, B = len(labels), len(images)
    return _learn(optimizer, (m * told + B * taught) / (m + B))
