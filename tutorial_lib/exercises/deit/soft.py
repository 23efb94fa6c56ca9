"""Soft distillation: the teacher's probabilities at a temperature."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.deit.cases import (
    logits_of_both_precisions,
    logits_of_student_and_teacher,
)
from tutorial_lib.from_scratch import distillation as np_distillation
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.distillation import log_softmax

soft_distillation = Exercise(
    np_distillation.soft_distillation,
    level=2,
    minutes=10,
    cases=logits_of_student_and_teacher,
    hints=(
        "Both probabilities are at temperature τ. Which of the two distributions weighs the "
        "logarithms, and over what is the sum?",
        "log(p_t / p_s) = log p_t − log p_s. Can you get log p_s from the logits without computing "
        "p_s, which may round to zero?",
        "`log_softmax(Z_s / tau)` and `log_softmax(Z_t / tau)`; p_t is `np.exp` of the second; sum "
        "over the last axis, mean over the pictures, times τ².",
    ),
)


def _divergence(log_p, log_q):
    """KL(p ‖ q) of each picture, from logarithms: (N, K)  ->  (N,)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


@soft_distillation.mistake(
    """The factor τ² is missing. The loss is right up to that; but the gradient that reaches the
    logits falls like 1/τ², so with τ = 3 the teacher is heard nine times less than the label."""
)
def without_tau_squared(Z_s, Z_t, tau):
    return float(_divergence(log_softmax(Z_t / tau), log_softmax(Z_s / tau)).mean())


@soft_distillation.mistake(
    """You multiply by τ and not by τ². Dividing the logits by τ shrinks the gradient once in the
    chain rule; what does it do to the difference p_s − p_t besides?"""
)
def tau_and_not_its_square(Z_s, Z_t, tau):
    return tau * float(_divergence(log_softmax(Z_t / tau), log_softmax(Z_s / tau)).mean())


@soft_distillation.mistake(
    """Only the teacher is softened. A student with the teacher's logits would still have a loss:
    at which temperature must it be compared?"""
)
def tau_for_the_teacher_only(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_t / tau), log_softmax(Z_s)).mean())


@soft_distillation.mistake(
    """Only the student is softened. Then a student that copies the teacher is told to have logits
    τ times as large."""
)
def tau_for_the_student_only(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_t), log_softmax(Z_s / tau)).mean())


@soft_distillation.mistake(
    """The divergence is turned round: KL(p_s ‖ p_t), weighted by the student. It is zero at the
    same place, so training seems fine; but a class that the student has given up no longer counts.
    Whose probabilities say how much a class matters? (The formula as DeiT's paper prints it has
    the student first; its code does not.)"""
)
def the_other_way_round(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_s / tau), log_softmax(Z_t / tau)).mean())


@soft_distillation.mistake(
    """You average over the classes as well: `.mean()` of an (N, K) array. A divergence is a sum
    over classes; with 1,000 of them the teacher all but falls silent. What is the mean over?"""
)
def mean_over_classes(Z_s, Z_t, tau):
    divergence = _divergence(log_softmax(Z_t / tau), log_softmax(Z_s / tau))
    return tau**2 * float(divergence.mean()) / Z_s.shape[-1]


@soft_distillation.mistake(
    """You sum over the pictures: the loss grows with the batch. By what should the sum be
    divided?"""
)
def sum_over_pictures(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_t / tau), log_softmax(Z_s / tau)).sum())


@soft_distillation.mistake(
    """This is the cross-entropy −Σ p_t log p_s. Its gradient is the right one, but it is not zero
    when the student agrees with the teacher. What does the divergence subtract?"""
)
def cross_entropy_only(Z_s, Z_t, tau):
    p_t = softmax(Z_t / tau)
    return tau**2 * float(-(p_t * log_softmax(Z_s / tau)).sum(axis=-1).mean())


@soft_distillation.mistake(
    """NaN or infinity for logits far apart: a probability has rounded to zero and you take its
    logarithm. For any finite logits the logarithm itself is a finite number: how can you compute
    it without the probability?"""
)
def logarithm_of_zero(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    with np.errstate(all="ignore"):
        return tau**2 * float((p_t * np.log(p_t / p_s)).sum(axis=-1).mean())


@soft_distillation.mistake(
    """Your softmax runs over the pictures (axis 0). Which axis holds the classes of one picture?"""
)
def over_the_pictures(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s.T / tau).T, log_softmax(Z_t.T / tau).T
    return tau**2 * float(_divergence(log_t, log_s).mean())


def _kept_finite(eps):
    @soft_distillation.mistake(
        f"""{eps:.0e} in the logarithm keeps it finite, and wrong: where a probability has rounded
        to zero, the loss says how small your number is. For finite logits the logarithm is finite
        itself: how can you compute it without the probability?"""
    )
    def an_eps_inside(Z_s, Z_t, tau):
        p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
        log_ratio = np.log((p_t + eps) / (p_s + eps))
        return tau**2 * float((p_t * log_ratio).sum(axis=-1).mean())


# The loss depends on the number, so each must be known. Small ones as a floor give the same.
for _eps in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, np.finfo(float).eps):
    _kept_finite(_eps)


@soft_distillation.mistake(
    """You multiply the logits by τ. That makes both networks surer than they are. What should a
    high temperature do to a distribution?"""
)
def multiplied_by_tau(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_t * tau), log_softmax(Z_s * tau)).mean())


@soft_distillation.mistake(
    """You divide by τ after log_softmax. Such rows are no longer logarithms of probabilities that
    sum to one. What does the temperature divide?"""
)
def tau_after_the_logarithm(Z_s, Z_t, tau):
    return tau**2 * float(_divergence(log_softmax(Z_t) / tau, log_softmax(Z_s) / tau).mean())


soft_distillation_backward = Exercise(
    np_distillation.soft_distillation_backward,
    level=3,
    minutes=15,
    cases=logits_of_both_precisions,
    hints=(
        "The teacher is a constant. Which terms of the loss hold log_p at all?",
        "log_p_j = u_j − log Σ_k exp(u_k), so ∂log_p_j/∂u_i = δ_ij − p_s,i. Then du_i sums over j: "
        "one term for j = i, and p_s,i times the sum of all dlog_p.",
        "dlog_p is −τ² p_t / N; du is dlog_p less p_s times the row's sum of dlog_p, and dZ_s "
        "divides by τ once more. What does du come to, with a sum of p_t that is one?",
    ),
)


def _chain(Z_s, Z_t, tau, scale, inner=1.0):
    """The gradients with `scale` for τ² / N and `inner` for the last 1 / τ."""
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    return {"dlog_p": -scale * p_t, "du": scale * (p_s - p_t), "dZ_s": scale * inner * (p_s - p_t)}


@soft_distillation_backward.mistake(
    """dZ_s is du: the logits were divided by τ on the way forward, and the chain rule divides once
    more on the way back."""
)
def last_division_forgotten(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, tau**2 / len(Z_s))


@soft_distillation_backward.mistake(
    """The factor τ² of the loss is missing in dlog_p, so the gradient shrinks as τ grows. What
    multiplies the sum over the classes?"""
)
def gradient_without_tau_squared(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, 1 / len(Z_s), 1 / tau)


@soft_distillation_backward.mistake(
    """You do not divide by the number of pictures. The loss is a mean: what is each picture's
    share in it?"""
)
def not_divided_by_pictures(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, tau**2, 1 / tau)


@soft_distillation_backward.mistake(
    """You divide by N · K, the size of the array. The loss is a mean over pictures and a sum over
    classes."""
)
def divided_by_classes_too(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, tau**2 / Z_s.size, 1 / tau)


@soft_distillation_backward.mistake(
    """du is dlog_p: you skip the softmax. Raising one logit lowers the log-probability of every
    other class, because they share one sum. Where is that in your du?"""
)
def shared_sum_forgotten(Z_s, Z_t, tau):
    found = _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), 1 / tau)
    return {**found, "du": found["dlog_p"], "dZ_s": found["dlog_p"] / tau}


@soft_distillation_backward.mistake(
    """Your probabilities are those at temperature 1. Forward, both softmaxes saw logits divided by
    τ."""
)
def probabilities_at_one(Z_s, Z_t, tau):
    return _chain(Z_s * tau, Z_t * tau, tau, tau**2 / len(Z_s), 1 / tau)


@soft_distillation_backward.mistake(
    """The sign of du is turned: p_t − p_s. A step against this gradient takes the student away
    from the teacher. What is the sign of dlog_p?"""
)
def away_from_the_teacher(Z_s, Z_t, tau):
    found = _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), 1 / tau)
    return {**found, "du": -found["du"], "dZ_s": -found["dZ_s"]}


@soft_distillation_backward.mistake(
    """du is zero everywhere: dlog_p, spread by the *teacher's* probabilities, cancels itself. The
    softmax that you go back through is that of the logits which learn: whose are they?"""
)
def teachers_softmax(Z_s, Z_t, tau):
    found = _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), 1 / tau)
    return {**found, "du": 0 * found["du"], "dZ_s": 0 * found["dZ_s"]}


@soft_distillation_backward.mistake(
    """dZ_s multiplies by τ. Forward, u is Z_s / τ: by what does a small change of Z_s reach u?"""
)
def multiplied_on_the_way_back(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), tau)


@soft_distillation_backward.mistake(
    """dlog_p holds the student's probabilities. In the sum over the classes, whose probability
    stands before log_p?"""
)
def students_probabilities(Z_s, Z_t, tau):
    scale, p_s = tau**2 / len(Z_s), softmax(Z_s / tau)
    return {"dlog_p": -scale * p_s, "du": 0 * p_s, "dZ_s": 0 * p_s}


@soft_distillation_backward.mistake(
    """dZ_s divides by τ². The factor τ² of the loss is in dlog_p already, and the logits were
    divided once: what is ∂u / ∂Z_s?"""
)
def divided_twice(Z_s, Z_t, tau):
    return _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), 1 / tau**2)


@soft_distillation_backward.mistake(
    """You went back through a softmax where the loss holds its logarithm: a factor p_s too many,
    and the sum is weighted by it. What is ∂log_p_j / ∂u_i?"""
)
def through_the_softmax(Z_s, Z_t, tau):
    dlog_p, p_s = -(tau**2) * softmax(Z_t / tau) / len(Z_s), softmax(Z_s / tau)
    du = p_s * (dlog_p - (p_s * dlog_p).sum(axis=-1, keepdims=True))
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


@soft_distillation_backward.mistake(
    """In du the sum of dlog_p runs over all pictures. A softmax joins the classes of one picture:
    over which axis do its terms add up?"""
)
def summed_over_everything(Z_s, Z_t, tau):
    dlog_p = -(tau**2) * softmax(Z_t / tau) / len(Z_s)
    du = dlog_p - softmax(Z_s / tau) * dlog_p.sum()
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


@soft_distillation_backward.mistake(
    """dZ_s is right, and the two before it lack the factor τ² / N, which you multiply in at the
    end. Each is the gradient of the *whole* loss: what has happened to the sum over the classes
    after log_p?"""
)
def scaled_at_the_end(Z_s, Z_t, tau):
    found = _chain(Z_s, Z_t, tau, tau**2 / len(Z_s), 1 / tau)
    return {**_chain(Z_s, Z_t, tau, 1.0), "dZ_s": found["dZ_s"]}
