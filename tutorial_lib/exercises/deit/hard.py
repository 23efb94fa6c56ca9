"""Hard distillation: the teacher's decision as a second label, for a second head."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.deit.cases import two_heads_and_a_teacher
from tutorial_lib.from_scratch import distillation as np_distillation
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.distillation import cross_entropy

hard_distillation = Exercise(
    np_distillation.hard_distillation,
    level=2,
    minutes=10,
    cases=two_heads_and_a_teacher,
    hints=(
        "Two cross-entropies of two heads. Which head is asked about which label?",
        "The teacher's decision has the shape of y: rows of an identity matrix, picked by the "
        "largest logit of each picture.",
        "With y_t from an argmax over the classes: −Σ_k y_k log ψ(Z_cls)_k for each picture, by "
        "`log_softmax`, and the same for y_t and Z_dist; half the mean of their sum.",
    ),
)


def _decision(Z_t):
    return np.eye(Z_t.shape[-1])[Z_t.argmax(axis=-1)]


@hard_distillation.mistake(
    """The second head learns from the teacher's probabilities. That is soft distillation at
    temperature 1. What is a *decision*?"""
)
def teacher_stays_soft(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, softmax(Z_t))) / 2


@hard_distillation.mistake(
    """The heads are exchanged: the class token answers to the teacher and the distillation token
    to the label. Training would not notice, until you load published weights."""
)
def heads_exchanged(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_dist, y) + cross_entropy(Z_cls, _decision(Z_t))) / 2


@hard_distillation.mistake(
    """Both cross-entropies read the class token's head. The other head gets no gradient and stays
    as it was born. (This is the paper's hard distillation *without* a token.)"""
)
def one_head_for_both(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_cls, _decision(Z_t))) / 2


@hard_distillation.mistake(
    """The two halves are missing: your loss is the sum of both cross-entropies. With an adaptive
    optimizer you may not notice; beside weight decay or other losses you would."""
)
def without_the_halves(Z_cls, Z_dist, y, Z_t):
    return cross_entropy(Z_cls, y) + cross_entropy(Z_dist, _decision(Z_t))


@hard_distillation.mistake(
    """The label teaches both heads; the teacher is never asked. Two tokens with the same task
    end as copies of each other."""
)
def teacher_never_asked(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, y)) / 2


@hard_distillation.mistake(
    """Both heads learn from the teacher, and the true label is never used. The student inherits
    every mistake of the teacher."""
)
def label_never_used(Z_cls, Z_dist, y, Z_t):
    y_t = _decision(Z_t)
    return (cross_entropy(Z_cls, y_t) + cross_entropy(Z_dist, y_t)) / 2


@hard_distillation.mistake(
    """Your argmax runs over the pictures: for each class the picture that looks most like it. Each
    picture needs a decision among its classes: along which axis?"""
)
def decision_over_pictures(Z_cls, Z_dist, y, Z_t):
    largest = (Z_t == Z_t.max(axis=0)).astype(float)
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, largest)) / 2


@hard_distillation.mistake(
    """A mixed label is cut down to its largest class. Rows of y are distributions: mixup and
    CutMix make labels of two classes, and both count."""
)
def mixed_label_cut_down(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, _decision(y)) + cross_entropy(Z_dist, _decision(Z_t))) / 2


@hard_distillation.mistake(
    """You average over the classes too. Cross-entropy is a sum over classes, of which one-hot
    labels keep one term. What is the mean over?"""
)
def averaged_over_classes(Z_cls, Z_dist, y, Z_t):
    loss = (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, _decision(Z_t))) / 2
    return loss / Z_cls.shape[-1]


@hard_distillation.mistake(
    """You sum over the pictures: the loss and the learning rate that suits it change with the
    batch. What is CE over the pictures?"""
)
def summed_over_pictures(Z_cls, Z_dist, y, Z_t):
    loss = (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, _decision(Z_t))) / 2
    return len(y) * loss


@hard_distillation.mistake(
    """The distillation token's head is told its own decision: it grows surer of whatever it says.
    Whose decision should it learn?"""
)
def own_decision(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, _decision(Z_dist))) / 2


@hard_distillation.mistake(
    """Both cross-entropies read the mean of the two heads. That is for the test; in training each
    head has a teacher of its own."""
)
def mean_of_the_heads(Z_cls, Z_dist, y, Z_t):
    Z = (Z_cls + Z_dist) / 2
    return (cross_entropy(Z, y) + cross_entropy(Z, _decision(Z_t))) / 2


@hard_distillation.mistake(
    """The distillation token's head is told what the class token's head decides. The teacher is
    never asked. Which logits is y_t made of?"""
)
def class_head_decides(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, _decision(Z_cls))) / 2


@hard_distillation.mistake(
    """Right unless two of the teacher's logits are the largest: your y_t then has two ones, and the
    loss counts both. A decision is for one class; for which of them does the task take it?"""
)
def ties_count_twice(Z_cls, Z_dist, y, Z_t):
    largest = (Z_t == Z_t.max(axis=-1, keepdims=True)).astype(float)
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, largest)) / 2


@hard_distillation.mistake(
    """Right unless two of the teacher's logits are the largest: yours decides for the last of them
    (`argsort` puts it at the end). For which one does the task?"""
)
def last_of_the_largest(Z_cls, Z_dist, y, Z_t):
    last = Z_t.argsort(axis=-1, kind="stable")[:, -1]
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, np.eye(Z_t.shape[-1])[last])) / 2
