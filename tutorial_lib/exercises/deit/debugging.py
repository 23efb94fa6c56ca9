"""A bug to find: two lines of PyTorch that train, and teach nearly nothing."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import distillation


def buggy_divergence_from_teacher(z_s, z_t, tau):
    """Soft distillation in PyTorch: τ² KL(p_t ‖ p_s), the mean over the pictures.

    z_s, z_t (N, K) tensors, logits of the student and of the teacher; tau > 0
    ->  tensor (), of the graph of z_s if z_s needs a gradient, and never of the graph of z_t

    `F.kl_div(log_p, log_q, reduction=..., log_target=True)` makes exp(log_q) (log_q − log_p),
    number by number; reduction may be "none", "sum", "mean" or "batchmean".

    This version runs and its loss falls. But with 1,000 classes the student hardly hears the
    teacher, and when both are trained in one program the teacher changes too: it comes to meet the
    student. Two bugs.

    (The first is in DeiT's published code too, for the sake of older PyTorch versions.)
    """
    log_s = (z_s / tau).log_softmax(dim=-1)
    log_t = (z_t / tau).log_softmax(dim=-1)
    divergence = F.kl_div(log_s, log_t, reduction="none", log_target=True)  # (N, K)
    return tau**2 * divergence.mean()


def tensors_of_two_networks(rng):
    for n, k, tau, student_learns in [
        (1, 2, 2.0, True),
        (1, 2, 3.0, False),
        (2, 3, 1.0, True),
        (2, 2, 0.5, True),
        (4, 3, 3.0, False),
        (3, 5, 2.0, True),
    ]:
        z_s, z_t = torch.from_numpy(rng.normal(size=(2, n, k)))
        z_s = z_s.clone().requires_grad_(student_learns)
        yield dict(z_s=z_s, z_t=(2 * z_t).requires_grad_(), tau=tau)
    z_s, z_t = torch.from_numpy(rng.normal(size=(2, 2, 3))).float()
    yield dict(z_s=z_s.clone().requires_grad_(), z_t=50 * z_t, tau=2.0)


divergence_from_teacher = Exercise(
    distillation.divergence_from_teacher,
    start=buggy_divergence_from_teacher,
    level=3,
    minutes=10,
    cases=tensors_of_two_networks,
    hints=(
        "Compare with your NumPy version on a few numbers: by which factor do they differ, and on "
        "what does the factor depend?",
        "A mean over N · K numbers is not a mean over N pictures. And where does `z_t` leave "
        "autograd's graph?",
        "Sum over the classes first, then take the mean over the pictures; and take `z_t` out of "
        "the graph before it is used.",
    ),
)


def _divergence(z_s, z_t, tau, reduction="batchmean"):
    log_s, log_t = (z_s / tau).log_softmax(dim=-1), (z_t / tau).log_softmax(dim=-1)
    return tau**2 * F.kl_div(log_s, log_t, reduction=reduction, log_target=True)


@divergence_from_teacher.mistake(
    """The scale is right now. The gradient still reaches the teacher, which is pulled towards the
    student: two networks that agree on anything are content. Where should its graph be cut?"""
)
def teacher_still_learns(z_s, z_t, tau):
    return _divergence(z_s, z_t, tau)


@divergence_from_teacher.mistake(
    """The teacher is out of the graph. But the loss is still divided by the number of classes:
    `mean` averages over every number of (N, K)."""
)
def still_divided_by_classes(z_s, z_t, tau):
    return _divergence(z_s, z_t.detach(), tau, "none").mean()


@divergence_from_teacher.mistake(
    """You cut the student out of the graph, so nobody learns. Which of the two is fixed?"""
)
def student_cut(z_s, z_t, tau):
    return _divergence(z_s.detach(), z_t.detach(), tau)


@divergence_from_teacher.mistake(
    """Now it is the sum over all pictures, which grows with the batch. The sum belongs to the
    classes, the mean to the pictures."""
)
def sum_of_all(z_s, z_t, tau):
    return _divergence(z_s, z_t.detach(), tau, "sum")


@divergence_from_teacher.mistake(
    """The mean runs over the classes and the sum over the pictures. Which axis is which?"""
)
def axes_exchanged(z_s, z_t, tau):
    return _divergence(z_s, z_t.detach(), tau, "none").mean(dim=-1).sum()


@divergence_from_teacher.mistake(
    """Student and teacher have changed places in `kl_div`. Its first argument is the one that
    learns; the second weighs the logarithms."""
)
def arguments_exchanged(z_s, z_t, tau):
    return _divergence(z_t.detach(), z_s, tau)


@divergence_from_teacher.mistake(
    """`log_target=True` got lost. `kl_div` then takes the logarithm of its second argument, which
    is one already, and the logarithm of a negative number is NaN."""
)
def logarithm_twice(z_s, z_t, tau):
    log_s, log_t = (z_s / tau).log_softmax(-1), (z_t.detach() / tau).log_softmax(-1)
    return tau**2 * F.kl_div(log_s, log_t, reduction="batchmean")


@divergence_from_teacher.mistake(
    """The factor τ² is gone. It was right: without it the gradient falls like 1/τ². The two bugs
    are elsewhere."""
)
def tau_squared_gone(z_s, z_t, tau):
    return _divergence(z_s, z_t.detach(), tau) / tau**2


@divergence_from_teacher.mistake(
    """The student's side is a probability where `kl_div` wants its logarithm. The result may even
    be negative. Which function of the logits belongs there?"""
)
def probabilities_for_logarithms(z_s, z_t, tau):
    p_s, log_t = (z_s / tau).softmax(-1), (z_t.detach() / tau).log_softmax(-1)
    return tau**2 * F.kl_div(p_s, log_t, reduction="batchmean", log_target=True)


@divergence_from_teacher.mistake(
    """You took the wrong one out of the graph: the teacher still learns, and now the student does
    not. Which of the two is fixed?"""
)
def student_cut_and_teacher_not(z_s, z_t, tau):
    return _divergence(z_s.detach(), z_t, tau)


@divergence_from_teacher.mistake(
    """The teacher's side is a probability, and `log_target=True` takes it for a logarithm, whose
    exponential it weighs with. Which of the two should change?"""
)
def probabilities_for_log_target(z_s, z_t, tau):
    log_s, p_t = (z_s / tau).log_softmax(-1), (z_t.detach() / tau).softmax(-1)
    return tau**2 * F.kl_div(log_s, p_t, reduction="batchmean", log_target=True)
