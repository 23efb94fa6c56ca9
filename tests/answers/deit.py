"""Answers to chapter 06, DeiT.

Those to DeiT and distillation_step are 15 wrong ones and 4 right ones, written blind to the bank.
At first one wrong one was accepted (it put the teacher into training mode), no right one refused,
10 got a true sentence and none a false one. After the mending none is accepted, and all get one.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.exercises import vit as chapter_05
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.distillation import log_softmax
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.positions import LearnedPositions
from tutorial_lib.layers.transformer import EncoderLayer

VisionTransformer = chapter_05.VisionTransformer.reference

# soft_distillation


@wrong("deit.soft_distillation", "no τ²", says="The factor τ² is missing")
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    return (np.exp(log_t) * (log_t - log_s)).sum(-1).mean()


@wrong("deit.soft_distillation", "τ instead of τ²", says="You multiply by τ and not by τ²")
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    return tau * (np.exp(log_t) * (log_t - log_s)).sum(-1).mean()


@wrong("deit.soft_distillation", "KL the wrong way round", says="The divergence is turned round")
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    return tau**2 * (np.exp(log_s) * (log_s - log_t)).sum(-1).mean()


@wrong(
    "deit.soft_distillation",
    "a mean over the classes too",
    says="You average over the classes as well",
)
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    return tau**2 * (np.exp(log_t) * (log_t - log_s)).mean()


@wrong("deit.soft_distillation", "a sum over the pictures", says="You sum over the pictures")
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    return tau**2 * np.sum(np.exp(log_t) * (log_t - log_s))


@wrong(
    "deit.soft_distillation",
    "the logarithm of a softmax",
    says="NaN or infinity for logits far apart",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    return tau**2 * (p_t * np.log(p_t / p_s)).sum(axis=1).mean()


@wrong(
    "deit.soft_distillation",
    "a small number inside of the logarithm",
    says="1e-12 in the logarithm keeps it finite",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    return tau**2 * (p_t * (np.log(p_t + 1e-12) - np.log(p_s + 1e-12))).sum(-1).mean()


@wrong(
    "deit.soft_distillation", "the teacher at temperature 1", says="Only the student is softened"
)
def _(Z_s, Z_t, tau):
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t)
    return tau**2 * (np.exp(log_t) * (log_t - log_s)).sum(-1).mean()


@wrong(
    "deit.soft_distillation",
    "cross-entropy with the teacher",
    says="This is the cross-entropy −Σ p_t log p_s",
)
def _(Z_s, Z_t, tau):
    return -(tau**2) * (softmax(Z_t / tau) * log_softmax(Z_s / tau)).sum(-1).mean()


@wrong(
    "deit.soft_distillation",
    "divides the caller's logits",
    says="changes its argument Z_s, Z_t in place",
)
def _(Z_s, Z_t, tau):
    Z_s /= tau
    Z_t /= tau
    log_s, log_t = log_softmax(Z_s), log_softmax(Z_t)
    return tau**2 * (np.exp(log_t) * (log_t - log_s)).sum(-1).mean()


@right("deit.soft_distillation", "PyTorch's kl_div, batchmean")
def _(Z_s, Z_t, tau):
    log_s, log_t = (torch.log_softmax(torch.tensor(Z) / tau, -1) for Z in (Z_s, Z_t))
    return tau**2 * F.kl_div(log_s, log_t, reduction="batchmean", log_target=True).item()


@right("deit.soft_distillation", "loops, logsumexp of logits less their largest")
def _(Z_s, Z_t, tau):
    total = 0.0
    for s, t in zip(Z_s / tau, Z_t / tau):
        s, t = s - max(s), t - max(t)
        log_Z_s, log_Z_t = np.log(np.exp(s).sum()), np.log(np.exp(t).sum())
        total += np.exp(t - log_Z_t) @ (t - s) - log_Z_t + log_Z_s
    return float(total * tau * tau / len(Z_s))


# soft_distillation_backward


@wrong(
    "deit.soft_distillation_backward",
    "no mean over the pictures",
    says="You do not divide by the number of",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    return {"dlog_p": -(tau**2) * p_t, "du": tau**2 * (p_s - p_t), "dZ_s": tau * (p_s - p_t)}


@wrong(
    "deit.soft_distillation_backward",
    "the opposite sign",
    says="dlog_p: The sign is wrong: yours is",
)
def _(Z_s, Z_t, tau):
    p_s, p_t, c = softmax(Z_s / tau), softmax(Z_t / tau), tau**2 / len(Z_s)
    return {"dlog_p": c * p_t, "du": c * (p_t - p_s), "dZ_s": c * (p_t - p_s) / tau}


@wrong(
    "deit.soft_distillation_backward",
    "dZ_s is not divided by τ",
    says="dZ_s is du: the logits were divided by τ",
)
def _(Z_s, Z_t, tau):
    p_s, p_t, c = softmax(Z_s / tau), softmax(Z_t / tau), tau**2 / len(Z_s)
    return {"dlog_p": -c * p_t, "du": c * (p_s - p_t), "dZ_s": c * (p_s - p_t)}


@wrong(
    "deit.soft_distillation_backward",
    "no τ² in the loss",
    says="The factor τ² of the loss is missing in",
)
def _(Z_s, Z_t, tau):
    p_s, p_t, N = softmax(Z_s / tau), softmax(Z_t / tau), len(Z_s)
    return {"dlog_p": -p_t / N, "du": (p_s - p_t) / N, "dZ_s": (p_s - p_t) / N / tau}


@wrong(
    "deit.soft_distillation_backward",
    "du through softmax's diagonal alone",
    says="du is where the chain breaks",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    dlog_p = -(tau**2) * p_t / len(Z_s)
    du = dlog_p * (1 - p_s)
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


@wrong(
    "deit.soft_distillation_backward",
    "du sums over the pictures, not the classes",
    says="du is where the chain breaks",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    dlog_p = -(tau**2) * p_t / len(Z_s)
    du = dlog_p - p_s * dlog_p.sum(axis=0, keepdims=True)
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


@wrong(
    "deit.soft_distillation_backward",
    "du is written over dlog_p",
    says="dlog_p is wrong already: begin there.",
)
def _(Z_s, Z_t, tau):
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    dlog_p = -(tau**2) * p_t / len(Z_s)
    du = dlog_p
    du -= p_s * dlog_p.sum(-1, keepdims=True)
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


@wrong(
    "deit.soft_distillation_backward",
    "the student at temperature 1",
    says="du is where the chain breaks",
)
def _(Z_s, Z_t, tau):
    p_s, p_t, c = softmax(Z_s), softmax(Z_t / tau), tau**2 / len(Z_s)
    return {"dlog_p": -c * p_t, "du": c * (p_s - p_t), "dZ_s": c * (p_s - p_t) / tau}


@wrong(
    "deit.soft_distillation_backward",
    "divides by all numbers, not by the pictures",
    says="You divide by N · K, the size of the",
)
def _(Z_s, Z_t, tau):
    p_s, p_t, c = softmax(Z_s / tau), softmax(Z_t / tau), tau**2 / Z_s.size
    return {"dlog_p": -c * p_t, "du": c * (p_s - p_t), "dZ_s": c * (p_s - p_t) / tau}


@right("deit.soft_distillation_backward", "PyTorch's autograd")
def _(Z_s, Z_t, tau):
    z = torch.tensor(Z_s, requires_grad=True)
    u = z / tau
    log_p = u.log_softmax(-1)
    log_t = (torch.tensor(Z_t) / tau).log_softmax(-1)
    loss = tau**2 * (log_t.exp() * (log_t - log_p)).sum(-1).mean()
    found = torch.autograd.grad(loss, (log_p, u, z))
    return {name: d.numpy() for name, d in zip(("dlog_p", "du", "dZ_s"), found)}


@right("deit.soft_distillation_backward", "the Jacobian of each picture")
def _(Z_s, Z_t, tau):
    I = np.eye(Z_s.shape[-1], dtype=Z_s.dtype)
    p_s, dlog_p = softmax(Z_s / tau), softmax(Z_t / tau) * (-tau * tau / len(Z_t))
    du = np.array([d @ (I - np.ones_like(p)[:, None] * p) for d, p in zip(dlog_p, p_s)])
    return {"dZ_s": du * (1 / tau), "du": du, "dlog_p": dlog_p}


# hard_distillation


def decided(Z_t):
    return np.eye(Z_t.shape[-1])[Z_t.argmax(-1)]


def cross_entropy(Z, y):
    return -(y * log_softmax(Z)).sum(-1).mean()


@wrong(
    "deit.hard_distillation",
    "the teacher's probabilities, not its decision",
    says="The second head learns from the",
)
def _(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, softmax(Z_t))) / 2


@wrong("deit.hard_distillation", "each head gets the other's label", says="The heads are exchanged")
def _(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_dist, y) + cross_entropy(Z_cls, decided(Z_t))) / 2


@wrong("deit.hard_distillation", "no half", says="The two halves are missing")
def _(Z_cls, Z_dist, y, Z_t):
    return cross_entropy(Z_cls, y) + cross_entropy(Z_dist, decided(Z_t))


@wrong(
    "deit.hard_distillation",
    "the picture for which each class is largest",
    says="Your argmax runs over the pictures",
)
def _(Z_cls, Z_dist, y, Z_t):
    y_t = np.zeros_like(Z_t)
    y_t[Z_t.argmax(axis=0), np.arange(Z_t.shape[1])] = 1
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, y_t)) / 2


@wrong(
    "deit.hard_distillation",
    "the decision of the student's own head",
    says="The distillation token's head is told",
)
def _(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, decided(Z_dist))) / 2


@wrong(
    "deit.hard_distillation", "a mean over the classes too", says="You average over the classes too"
)
def _(Z_cls, Z_dist, y, Z_t):
    log_cls, log_dist = log_softmax(Z_cls), log_softmax(Z_dist)
    return -0.5 * np.mean(y * log_cls) - 0.5 * np.mean(decided(Z_t) * log_dist)


@wrong(
    "deit.hard_distillation",
    "the logarithm of a softmax",
    says="NaN appears where a number should be. Which",
)
def _(Z_cls, Z_dist, y, Z_t):
    by_label = -(y * np.log(softmax(Z_cls))).sum(-1).mean()
    by_teacher = -(decided(Z_t) * np.log(softmax(Z_dist))).sum(-1).mean()
    return (by_label + by_teacher) / 2


@wrong(
    "deit.hard_distillation",
    "every largest logit is a decision where two are equal",
    says="Right unless two of the teacher's logits are",
)
def _(Z_cls, Z_dist, y, Z_t):
    y_t = (Z_t == Z_t.max(axis=-1, keepdims=True)).astype(float)
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, y_t)) / 2


@wrong(
    "deit.hard_distillation",
    "of a mixed label only the larger part",
    says="A mixed label is cut down to its largest",
)
def _(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, decided(y)) + cross_entropy(Z_dist, decided(Z_t))) / 2


@wrong(
    "deit.hard_distillation",
    "both heads answer to the label",
    says="The label teaches both heads; the",
)
def _(Z_cls, Z_dist, y, Z_t):
    return (cross_entropy(Z_cls, y) + cross_entropy(Z_dist, y)) / 2


@right("deit.hard_distillation", "PyTorch's cross_entropy")
def _(Z_cls, Z_dist, y, Z_t):
    Z_cls, Z_dist, y, Z_t = map(torch.from_numpy, (Z_cls, Z_dist, y, Z_t))
    return (F.cross_entropy(Z_cls, y) / 2 + F.cross_entropy(Z_dist, Z_t.argmax(-1)) / 2).item()


@right("deit.hard_distillation", "picks the teacher's class by an index")
def _(Z_cls, Z_dist, y, Z_t):
    total = 0.0
    for i in range(len(y)):
        decision = max(range(len(Z_t[i])), key=lambda k, i=i: Z_t[i, k])
        total -= y[i] @ log_softmax(Z_cls[i : i + 1])[0] + log_softmax(Z_dist)[i, decision]
    return total / (2 * len(y))


@wrong(
    "deit.hard_distillation",
    "of two equal logits the last is the decision",
    says="decides for the last of them",
)
def _(Z_cls, Z_dist, y, Z_t):
    K = Z_t.shape[1]
    y_t = np.eye(K)[K - 1 - Z_t[:, ::-1].argmax(axis=1)]
    return 0.5 * cross_entropy(Z_cls, y) + 0.5 * cross_entropy(Z_dist, y_t)


# divergence_from_teacher


def divergence(z_s, z_t, tau):
    log_s, log_t = (z_s / tau).log_softmax(-1), (z_t / tau).log_softmax(-1)
    return F.kl_div(log_s, log_t, reduction="none", log_target=True)


@wrong(
    "deit.divergence_from_teacher",
    "still pulls the teacher along",
    says="The gradient still reaches the teacher",
)
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_s, z_t, tau).sum(-1).mean()


@wrong(
    "deit.divergence_from_teacher",
    "still a mean over the classes",
    says="divided by the number of classes",
)
def _(z_s, z_t, tau):
    return tau**2 * F.kl_div(
        (z_s / tau).log_softmax(-1), (z_t.detach() / tau).log_softmax(-1), log_target=True
    )


@wrong(
    "deit.divergence_from_teacher",
    "the student is detached",
    says="You took the wrong one out of the graph: the",
)
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_s.detach(), z_t, tau).sum(-1).mean()


@wrong(
    "deit.divergence_from_teacher",
    "a sum over the pictures",
    says="Now it is the sum over all pictures",
)
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_s, z_t.detach(), tau).sum()


@wrong(
    "deit.divergence_from_teacher",
    "the arguments of kl_div exchanged",
    says="Student and teacher have changed places",
)
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_t.detach(), z_s, tau).sum(-1).mean()


@wrong(
    "deit.divergence_from_teacher",
    "no_grad around everything",
    says="You cut the student out of the graph, so",
)
@torch.no_grad()
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_s, z_t, tau).sum(-1).mean()


@wrong("deit.divergence_from_teacher", "makes up for a thousand classes")
def _(z_s, z_t, tau):
    return tau**2 * 1000 * divergence(z_s, z_t.detach(), tau).mean()


@wrong(
    "deit.divergence_from_teacher",
    "multiplies by the pictures, not by the classes",
    says="The mean runs over the classes and the",
)
def _(z_s, z_t, tau):
    return tau**2 * divergence(z_s, z_t.detach(), tau).mean() * len(z_s)


@wrong(
    "deit.divergence_from_teacher",
    "detaches the caller's tensor itself",
    says="changes its argument z_t in place",
)
def _(z_s, z_t, tau):
    z_t.detach_()
    return tau**2 * divergence(z_s, z_t, tau).sum(-1).mean()


@wrong(
    "deit.divergence_from_teacher",
    "detaches the log-probabilities and loses τ²",
    says="The factor τ² is gone",
)
def _(z_s, z_t, tau):
    log_t = (z_t / tau).log_softmax(-1).detach()
    return F.kl_div((z_s / tau).log_softmax(-1), log_t, reduction="batchmean", log_target=True)


@right("deit.divergence_from_teacher", "batchmean, the teacher under no_grad")
def _(z_s, z_t, tau):
    with torch.no_grad():
        log_t = (z_t / tau).log_softmax(-1)
    log_s = (z_s / tau).log_softmax(-1)
    return F.kl_div(log_s, log_t, reduction="batchmean", log_target=True) * tau * tau


@right("deit.divergence_from_teacher", "torch.distributions")
def _(z_s, z_t, tau):
    p_t, p_s = (torch.distributions.Categorical(logits=z / tau) for z in (z_t.detach(), z_s))
    return torch.distributions.kl_divergence(p_t, p_s).mean() * tau**2


# predict_with_two_heads


def entries(by_probabilities, by_logits, differ=None):
    if differ is None:
        differ = (by_probabilities.argmax(-1) != by_logits.argmax(-1)).mean()
    return {"by_probabilities": by_probabilities, "by_logits": by_logits, "differ": differ}


@wrong(
    "deit.predict_with_two_heads",
    "a sum of the probabilities",
    says="Rows of by_probabilities sum to two",
)
def _(Z_cls, Z_dist):
    return entries(softmax(Z_cls) + softmax(Z_dist), softmax((Z_cls + Z_dist) / 2))


@wrong(
    "deit.predict_with_two_heads",
    "the softmax of the sum of logits",
    says="by_logits adds the logits without",
)
def _(Z_cls, Z_dist):
    return entries((softmax(Z_cls) + softmax(Z_dist)) / 2, softmax(Z_cls + Z_dist))


@wrong(
    "deit.predict_with_two_heads",
    "the mean logits themselves",
    says="by_logits is the mean of the logits",
)
def _(Z_cls, Z_dist):
    return entries((softmax(Z_cls) + softmax(Z_dist)) / 2, (Z_cls + Z_dist) / 2)


@wrong("deit.predict_with_two_heads", "the two rules exchanged", says="The two rules are exchanged")
def _(Z_cls, Z_dist):
    return entries(softmax((Z_cls + Z_dist) / 2), (softmax(Z_cls) + softmax(Z_dist)) / 2)


@wrong(
    "deit.predict_with_two_heads",
    "how many pictures, not what share",
    says="differ is a number of pictures; asked is",
)
def _(Z_cls, Z_dist):
    one, other = (softmax(Z_cls) + softmax(Z_dist)) / 2, softmax((Z_cls + Z_dist) / 2)
    return entries(one, other, float((one.argmax(-1) != other.argmax(-1)).sum()))


@wrong(
    "deit.predict_with_two_heads",
    "the share of pictures on which the rules agree",
    says="differ is the share of pictures for which the",
)
def _(Z_cls, Z_dist):
    one, other = (softmax(Z_cls) + softmax(Z_dist)) / 2, softmax((Z_cls + Z_dist) / 2)
    return entries(one, other, np.mean(one.argmax(-1) == other.argmax(-1)))


@wrong(
    "deit.predict_with_two_heads",
    "where the heads differ, not the rules",
    says="differ counts where the two heads choose",
)
def _(Z_cls, Z_dist):
    one, other = (softmax(Z_cls) + softmax(Z_dist)) / 2, softmax((Z_cls + Z_dist) / 2)
    return entries(one, other, (Z_cls.argmax(-1) != Z_dist.argmax(-1)).mean())


@wrong(
    "deit.predict_with_two_heads",
    "the largest over the pictures",
    says="differ is where the chain breaks",
)
def _(Z_cls, Z_dist):
    one, other = (softmax(Z_cls) + softmax(Z_dist)) / 2, softmax((Z_cls + Z_dist) / 2)
    return entries(one, other, (one.argmax(0) != other.argmax(0)).mean())


@wrong(
    "deit.predict_with_two_heads",
    "adds the heads up in place",
    says="changes its argument Z_cls in place",
)
def _(Z_cls, Z_dist):
    one = (softmax(Z_cls) + softmax(Z_dist)) / 2
    Z_cls += Z_dist
    return entries(one, softmax(Z_cls / 2))


@right("deit.predict_with_two_heads", "a geometric mean, divided by its sum")
def _(Z_cls, Z_dist):
    p, q = softmax(Z_cls), softmax(Z_dist)
    product = np.exp(0.5 * (log_softmax(Z_cls) + log_softmax(Z_dist)))
    return entries(np.mean([p, q], axis=0), product / product.sum(-1, keepdims=True))


@right("deit.predict_with_two_heads", "in PyTorch, both heads stacked")
def _(Z_cls, Z_dist):
    Z = torch.stack([torch.from_numpy(Z_cls), torch.from_numpy(Z_dist)])
    one, other = Z.softmax(-1).mean(0), Z.mean(0).softmax(-1)
    differ = (one.argmax(1) != other.argmax(1)).double().mean().item()
    return dict(differ=differ, by_logits=other.numpy(), by_probabilities=one.numpy())


# mixup


def shares(lam):
    return lam[:, None, None, None], lam[:, None]


@wrong(
    "deit.mixup", "λ of the partner, 1 − λ of itself", says="λ and 1 − λ are exchanged everywhere"
)
def _(x, y, lam, partner):
    a, b = shares(1 - lam)
    return a * x + (1 - a) * x[partner], b * y + (1 - b) * y[partner]


@wrong("deit.mixup", "the labels stay as they are", says="The labels are not mixed")
def _(x, y, lam, partner):
    a, _ = shares(lam)
    return a * x + (1 - a) * x[partner], y.copy()


@wrong("deit.mixup", "the first λ for all pictures", says="You use one λ, the first, for the whole")
def _(x, y, lam, partner):
    lam = lam[0]
    return lam * x + (1 - lam) * x[partner], lam * y + (1 - lam) * y[partner]


@wrong("deit.mixup", "mixes in place", says="changes its argument x, y in place")
def _(x, y, lam, partner):
    a, b = shares(lam)
    x_j, y_j = x[partner], y[partner]
    x *= a
    x += (1 - a) * x_j
    y *= b
    y += (1 - b) * y_j
    return x, y


@wrong(
    "deit.mixup", "partners that are mixed already", says="A picture is mixed with a partner that"
)
def _(x, y, lam, partner):
    x, y = x.copy(), y.copy()
    for i, j in enumerate(partner):
        x[i] = lam[i] * x[i] + (1 - lam[i]) * x[j]
        y[i] = lam[i] * y[i] + (1 - lam[i]) * y[j]
    return x, y


@wrong("deit.mixup", "partners found backwards", says="You write to `partner`")
def _(x, y, lam, partner):
    a, b = shares(lam)
    x_j, y_j = np.zeros_like(x), np.zeros_like(y)
    x_j[partner], y_j[partner] = x, y
    return a * x + (1 - a) * x_j, b * y + (1 - b) * y_j


@wrong(
    "deit.mixup", "the label of the larger part alone", says="the label of its larger part alone"
)
def _(x, y, lam, partner):
    a, b = shares(lam)
    return a * x + (1 - a) * x[partner], np.where(b >= 0.5, y, y[partner])


@wrong("deit.mixup", "the partner's λ", says="You take the partner's λ")
def _(x, y, lam, partner):
    a, b = shares(lam[partner])
    return a * x + (1 - a) * x[partner], b * y + (1 - b) * y[partner]


@wrong(
    "deit.mixup",
    "the batch turned round instead of partner",
    says="You mix with the batch in reverse",
)
def _(x, y, lam, partner):
    a, b = shares(lam)
    return a * x + (1 - a) * x[::-1], b * y + (1 - b) * y[::-1]


@right("deit.mixup", "a matrix that mixes the batch")
def _(x, y, lam, partner):
    B = len(x)
    M = np.diag(lam).astype(x.dtype)
    np.add.at(M, (np.arange(B), partner), 1 - lam)
    return np.tensordot(M, x, 1), M @ y


@right("deit.mixup", "picture by picture")
def _(x, y, lam, partner):
    def mixed(z):
        return np.stack([z[j] + l * (z[i] - z[j]) for i, (l, j) in enumerate(zip(lam, partner))])

    return mixed(x), mixed(y)


# cutmix


def rectangle(x, lam, centre):
    """The rows and columns of the rectangle that lie inside, as two slices."""
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    return slice(max(top, 0), min(top + h, H)), slice(max(left, 0), min(left + w, W))


def pasted(x, y, rows, columns, partner, share=None):
    new = x.copy()
    new[:, :, rows, columns] = x[partner][:, :, rows, columns]
    if share is None:
        share = new[0, 0, rows, columns].size / new[0, 0].size
    return new, ((1 - share) * y + share * y[partner]).astype(y.dtype)


@wrong(
    "deit.cutmix",
    "the share before the rectangle is cut off",
    says="The label is mixed by λ, that of before",
)
def _(x, y, lam, centre, partner):
    return pasted(x, y, *rectangle(x, lam, centre), partner, share=1 - lam)


@wrong(
    "deit.cutmix",
    "the rectangle's area before it is cut off",
    says="The picture is right; the label counts all h",
)
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round(np.sqrt(1 - lam) * H), round(np.sqrt(1 - lam) * W)
    return pasted(x, y, *rectangle(x, lam, centre), partner, share=h * w / (H * W))


@wrong(
    "deit.cutmix", "centre read as (column, row)", says="You take `centre` for (column, row), or,"
)
def _(x, y, lam, centre, partner):
    return pasted(x, y, *rectangle(x, lam, centre[::-1]), partner)


@wrong(
    "deit.cutmix", "x unpacked as (..., W, H)", says="The sides are exchanged: your rectangle has"
)
def _(x, y, lam, centre, partner):
    W, H = x.shape[-2:]
    h, w = round(np.sqrt(1 - lam) * H), round(np.sqrt(1 - lam) * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    rows = slice(max(top, 0), min(top + h, H))
    return pasted(x, y, rows, slice(max(left, 0), min(left + w, W)), partner)


@wrong("deit.cutmix", "a negative first row or column", says="your slice is empty")
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round(np.sqrt(1 - lam) * H), round(np.sqrt(1 - lam) * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    return pasted(x, y, slice(top, top + h), slice(left, left + w), partner)


@wrong("deit.cutmix", "√λ instead of √(1 − λ)", says="Your sides are √λ H and √λ W")
def _(x, y, lam, centre, partner):
    return pasted(x, y, *rectangle(x, 1 - lam, centre), partner)


@wrong("deit.cutmix", "sides without the root", says="The sides are (1 − λ) H and (1 − λ) W")
def _(x, y, lam, centre, partner):
    return pasted(x, y, *rectangle(x, 1 - (1 - lam) ** 2, centre), partner)


@wrong("deit.cutmix", "the labels' shares exchanged", says="The label has the shares exchanged")
def _(x, y, lam, centre, partner):
    rows, columns = rectangle(x, lam, centre)
    kept = 1 - x[0, 0, rows, columns].size / x[0, 0].size
    return pasted(x, y, rows, columns, partner, share=kept)


@wrong("deit.cutmix", "pastes into the caller's pictures", says="changes its argument x in place")
def _(x, y, lam, centre, partner):
    rows, columns = rectangle(x, lam, centre)
    _, y = pasted(x, y, rows, columns, partner)
    x[:, :, rows, columns] = x[partner][:, :, rows, columns]
    return x, y


@wrong(
    "deit.cutmix",
    "returns the caller's own where nothing is pasted",
    says="The numbers are right, but where it fails",
)
def _(x, y, lam, centre, partner):
    if lam == 1:
        return x, y
    return pasted(x, y, *rectangle(x, lam, centre), partner)


@wrong(
    "deit.cutmix",
    "half a side on each side of the centre, odd sides lose one",
    says="From centre − h // 2 to centre + h // 2",
)
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round(np.sqrt(1 - lam) * H) // 2, round(np.sqrt(1 - lam) * W) // 2
    rows = slice(max(centre[0] - h, 0), min(centre[0] + h, H))
    columns = slice(max(centre[1] - w, 0), min(centre[1] + w, W))
    return pasted(x, y, rows, columns, partner)


@wrong("deit.cutmix", "sides rounded down", says="Your sides are cut down to whole pixels")
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = int(np.sqrt(1 - lam) * H), int(np.sqrt(1 - lam) * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    rows = slice(max(top, 0), min(top + h, H))
    return pasted(x, y, rows, slice(max(left, 0), min(left + w, W)), partner)


@wrong(
    "deit.cutmix",
    "moved into the picture instead of cut off",
    says="[0]: The right numbers, but in other places.",
)
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round(np.sqrt(1 - lam) * H), round(np.sqrt(1 - lam) * W)
    top = min(max(centre[0] - h // 2, 0), H - h)
    left = min(max(centre[1] - w // 2, 0), W - w)
    return pasted(x, y, slice(top, top + h), slice(left, left + w), partner)


@wrong(
    "deit.cutmix",
    "pastes pictures that have been pasted into",
    says="A picture gets a piece of a partner that",
)
def _(x, y, lam, centre, partner):
    rows, columns = rectangle(x, lam, centre)
    new, y = pasted(x, y, rows, columns, partner)
    new = x.copy()
    for i, j in enumerate(partner):
        new[i, :, rows, columns] = new[j, :, rows, columns]
    return new, y


@wrong("deit.cutmix", "labels become float64", says="The numbers are right, their dtype is")
def _(x, y, lam, centre, partner):
    rows, columns = rectangle(x, lam, centre)
    inside = np.zeros(x.shape[-2:])
    inside[rows, columns] = 1
    share = inside.mean()
    return np.where(inside == 1, x[partner], x), (1 - share) * y + share * y[partner]


@right("deit.cutmix", "a mask of pixels, by distances")
def _(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = (round(float(np.sqrt(1 - lam)) * side) for side in (H, W))
    row, column = np.arange(H) - centre[0] + h // 2, np.arange(W) - centre[1] + w // 2
    inside = ((row >= 0) & (row < h))[:, None] & ((column >= 0) & (column < w))
    share = y.dtype.type(inside.mean())
    return np.where(inside, x[partner], x), y + share * (y[partner] - y)


@right("deit.cutmix", "pixel by pixel")
def _(x, y, lam, centre, partner):
    (H, W), count = x.shape[2:], 0
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    new = np.array(x)
    for row in range(centre[0] - h // 2, centre[0] - h // 2 + h):
        for column in range(centre[1] - w // 2, centre[1] - w // 2 + w):
            if 0 <= row < H and 0 <= column < W:
                new[..., row, column] = x[partner, :, row, column]
                count += 1
    return new, y * (1 - count / (H * W)) + y[partner] * (count / (H * W))


# token_similarity


@wrong(
    "deit.token_similarity",
    "the cosine of the batch's mean tokens",
    says="You compare the mean class token with",
)
def _(layers):
    means = [x.mean(0) for x in layers]
    return torch.stack([F.cosine_similarity(m[0], m[1], dim=0) for m in means])


@wrong(
    "deit.token_similarity",
    "a dot product without lengths",
    says="The dot products are not divided by the",
)
def _(layers):
    return torch.stack([(x[:, 0] * x[:, 1]).sum(-1).mean() for x in layers])


@wrong(
    "deit.token_similarity",
    "the last token instead of the second",
    says="You compare the first token with the",
)
def _(layers):
    return torch.stack([F.cosine_similarity(x[:, 0], x[:, -1], dim=-1).mean() for x in layers])


@wrong(
    "deit.token_similarity",
    "the cosine over the pictures",
    says="Your cosine runs over the pictures",
)
def _(layers):
    return torch.stack([F.cosine_similarity(x[:, 0], x[:, 1], dim=0).mean() for x in layers])


@wrong(
    "deit.token_similarity",
    "one cosine for the whole batch",
    says="You divide the sum of all dot products",
)
def _(layers):
    return torch.stack(
        [F.cosine_similarity(x[:, 0].flatten(), x[:, 1].flatten(), dim=0) for x in layers]
    )


@wrong(
    "deit.token_similarity",
    "divides by the squared lengths",
    says="You divide by the squared lengths: a root is",
)
def _(layers):
    found = []
    for x in layers:
        a, b = x[:, 0], x[:, 1]
        found.append(((a * b).sum(-1) / ((a * a).sum(-1) * (b * b).sum(-1))).mean())
    return torch.stack(found)


@wrong(
    "deit.token_similarity",
    "shrinks the caller's tokens to length 1",
    says="changes its argument layers in place",
)
def _(layers):
    found = []
    for x in layers:
        x /= x.norm(dim=-1, keepdim=True)
        found.append((x[:, 0] * x[:, 1]).sum(-1).mean())
    return torch.stack(found)


@wrong(
    "deit.token_similarity",
    "a number for each picture",
    says="Yours has an axis too many: its axis -1.",
)
def _(layers):
    return torch.stack([F.cosine_similarity(x[:, 0], x[:, 1], dim=-1) for x in layers])


@wrong(
    "deit.token_similarity",
    "takes the layers off the list, the last first",
    says="changes its argument layers in place",
)
def _(layers):
    found = []
    while layers:
        x = layers.pop()
        found.append(F.cosine_similarity(x[:, 0], x[:, 1], dim=-1).mean())
    return torch.stack(found[::-1])


@wrong("deit.token_similarity", "less their means: a correlation", says="that is a correlation")
def _(layers):
    centred = [x - x.mean(-1, keepdim=True) for x in layers]
    return torch.stack([F.cosine_similarity(x[:, 0], x[:, 1], dim=-1).mean() for x in centred])


@right("deit.token_similarity", "normalize and einsum")
def _(layers):
    unit = [F.normalize(x[:, :2], dim=-1) for x in layers]
    return torch.stack([torch.einsum("bd,bd->", u[:, 0], u[:, 1]) / len(u) for u in unit])


@right("deit.token_similarity", "by the law of cosines")
def _(layers):
    found = layers[0].new_zeros(len(layers))
    for i, x in enumerate(layers):
        a, b, c = x[:, 0].norm(dim=1), x[:, 1].norm(dim=1), (x[:, 0] - x[:, 1]).norm(dim=1)
        found[i] = ((a**2 + b**2 - c**2) / (2 * a * b)).mean()
    return found


# DeiT


class DeiTParts(VisionTransformer):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        n = (image_size // patch) ** 2
        self.distillation_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.positions = LearnedPositions(n + 2, dim)
        self.distillation_head = nn.Linear(dim, classes)


@wrong("deit.DeiT", "mean of probabilities in use", says="you average probabilities")
class _(DeiTParts):
    def forward(self, images):
        x = self.embed(images)
        B = x.size(0)
        x = torch.cat(
            [self.class_token.expand(B, 1, -1), self.distillation_token.expand(B, 1, -1), x], 1
        )
        x = x + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        a, b = self.head(x[:, 0]), self.distillation_head(x[:, 1])
        if self.training:
            return a, b
        return (a.softmax(-1) + b.softmax(-1)) / 2


@wrong(
    "deit.DeiT",
    "second token behind the patches",
    says="stands behind the patches, where you read it",
)
class _(DeiTParts):
    def forward(self, images):
        x = self.embed(images)
        B = len(x)
        x = torch.cat(
            [self.class_token.expand(B, 1, -1), x, self.distillation_token.expand(B, 1, -1)], dim=1
        )
        x = x + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        by_label, by_teacher = self.head(x[:, 0]), self.distillation_head(x[:, -1])
        if self.training:
            return by_label, by_teacher
        return (by_label + by_teacher) / 2


@wrong("deit.DeiT", "a pair in both modes", says="gives both answers in evaluation mode too")
class _(DeiTParts):
    def forward(self, images):
        patches = self.embed(images)
        first = torch.cat([self.class_token, self.distillation_token]).expand(len(images), 2, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        return self.head(x[:, 0]), self.distillation_head(x[:, 1])


@wrong("deit.DeiT", "one norm short", says="reads its token before the last norm")
class _(DeiTParts):
    def forward(self, images):
        patches = self.embed(images)
        first = torch.cat([self.class_token, self.distillation_token]).expand(len(images), 2, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()
        for layer in self.encoder:
            x = layer(x)
        one, two = self.head(self.norm(x[:, 0])), self.distillation_head(x[:, 1])
        return (one, two) if self.training else 0.5 * (one + two)


@wrong("deit.DeiT", "second token begins as zeros", says="standard deviation 0,")
class _(DeiTParts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.distillation_token = nn.Parameter(torch.zeros(1, dim))

    def forward(self, images):
        patches = self.embed(images)
        first = torch.cat([self.class_token, self.distillation_token]).expand(len(images), 2, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        one, two = self.head(x[:, 0]), self.distillation_head(x[:, 1])
        return (one, two) if self.training else 0.5 * (one + two)


@wrong("deit.DeiT", "a + b / 2", says="only one of the two answers is halved")
class _(DeiTParts):
    def forward(self, images):
        patches = self.embed(images)
        first = torch.cat([self.class_token, self.distillation_token]).expand(len(images), 2, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        one, two = self.head(x[:, 0]), self.distillation_head(x[:, 1])
        return (one, two) if self.training else one + two / 2


@wrong("deit.DeiT", "one token under two names", says="is class_token once more")
class _(DeiTParts):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        self.distillation_token = self.class_token

    def forward(self, images):
        patches = self.embed(images)
        first = torch.cat([self.class_token, self.distillation_token]).expand(len(images), 2, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()
        for layer in self.encoder:
            x = layer(x)
        x = self.norm(x)
        one, two = self.head(x[:, 0]), self.distillation_head(x[:, 1])
        return (one, two) if self.training else 0.5 * (one + two)


@right("deit.DeiT", "from nn.Module, with Sequential and stack")
class _(nn.Module):
    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        super().__init__()
        count = (image_size // patch) * (image_size // patch)
        self.embed = PatchEmbedding(channels, patch, dim)
        self.class_token = nn.Parameter(torch.empty(1, dim))
        self.distillation_token = nn.Parameter(torch.empty(1, dim))
        nn.init.normal_(self.class_token, std=0.02)
        nn.init.normal_(self.distillation_token, std=0.02)
        self.positions = LearnedPositions(count + 2, dim)
        self.encoder = nn.Sequential(
            *[EncoderLayer(dim, heads, hidden, eps=1e-6) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)
        self.distillation_head = nn.Linear(dim, classes)

    def forward(self, images):
        x = self.embed(images)
        B = images.shape[0]
        x = torch.cat(
            [self.class_token.repeat(B, 1, 1), self.distillation_token.repeat(B, 1, 1), x], dim=1
        )
        x = self.norm(self.encoder(x + self.positions()))
        answers = [self.head(x[:, 0]), self.distillation_head(x[:, 1])]
        if self.training:
            return answers[0], answers[1]
        return torch.stack(answers).mean(0)


@right("deit.DeiT", "positions added piece by piece, a list of answers")
class _(DeiTParts):
    def forward(self, images):
        x = self.embed(images)
        table = self.positions()
        x = x + table[2:]
        front = torch.vstack([self.class_token, self.distillation_token]) + table[:2]
        x = torch.cat([front[None].expand(x.shape[0], -1, -1), x], 1)
        for layer in self.encoder:
            x = layer(x)
        c, d = self.norm(x[:, :2]).unbind(1)
        logits = [self.head(c), self.distillation_head(d)]
        return logits if self.training else sum(logits) / 2


# distillation_step


@wrong(
    "deit.distillation_step",
    "probabilities for decisions",
    says="learns the teacher's probabilities",
)
def _(model, optimizer, teacher, images, labels):
    model.train()
    with torch.no_grad():
        p = teacher(images).softmax(-1)
    a, b = model(images)
    loss = 0.5 * F.cross_entropy(a[: len(labels)], labels) + 0.5 * F.cross_entropy(b, p)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("deit.distillation_step", "no call of train", says="left in the mode that it came in")
def _(model, optimizer, teacher, images, labels):
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)
    out = model(images)
    a, b = out
    loss = (F.cross_entropy(a[: labels.shape[0]], labels) + F.cross_entropy(b, said)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "deit.distillation_step", "teacher on labelled images alone", says="only where there is a label"
)
def _(model, optimizer, teacher, images, labels):
    model.train()
    m = len(labels)
    with torch.no_grad():
        said = teacher(images[:m]).argmax(dim=1)
    a, b = model(images)
    loss = (F.cross_entropy(a[:m], labels) + F.cross_entropy(b[:m], said)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("deit.distillation_step", "one mean over all answers", says="One mean over all answers")
def _(model, optimizer, teacher, images, labels):
    model.train()
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)
    a, b = model(images)
    m, B = len(labels), len(images)
    loss = (
        F.cross_entropy(a[:m], labels, reduction="sum") + F.cross_entropy(b, said, reduction="sum")
    ) / (m + B)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "deit.distillation_step",
    "labels over the whole batch",
    says="divide the labels' part by all images",
)
def _(model, optimizer, teacher, images, labels):
    model.train()
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)
    a, b = model(images)
    ce = F.cross_entropy(a[: len(labels)], labels, reduction="sum") / len(images)
    loss = (ce + F.cross_entropy(b, said)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


@wrong("deit.distillation_step", "gradients cleared before the step", says="No weight moves")
def _(model, optimizer, teacher, images, labels):
    model.train()
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)
    a, b = model(images)
    loss = (F.cross_entropy(a[: len(labels)], labels) + F.cross_entropy(b, said)) / 2
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@wrong("deit.distillation_step", "teacher.train()", says="put the teacher into training mode")
def _(model, optimizer, teacher, images, labels):
    model.train()
    teacher.train()
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)
    a, b = model(images)
    loss = (F.cross_entropy(a[: len(labels)], labels) + F.cross_entropy(b, said)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("deit.distillation_step", "loss after the step", says="You return the loss after the step")
def _(model, optimizer, teacher, images, labels):
    model.train()
    with torch.no_grad():
        said = teacher(images).argmax(dim=1)

    def loss():
        a, b = model(images)
        return (F.cross_entropy(a[: len(labels)], labels) + F.cross_entropy(b, said)) / 2

    optimizer.zero_grad()
    loss().backward()
    optimizer.step()
    return loss().item()


@right("deit.distillation_step", "labels that are to be ignored, torch.max")
def _(model, optimizer, teacher, images, labels):
    optimizer.zero_grad(set_to_none=False)
    model.train()
    one, two = model(images)
    full = torch.full((len(images),), -100, dtype=torch.long)
    full[: len(labels)] = labels
    decided = torch.max(teacher(images).detach(), dim=1)[1]
    loss = torch.stack([F.cross_entropy(one, full), F.cross_entropy(two, decided)]).mean()
    loss.backward()
    optimizer.step()
    return loss.detach().item()


@right("deit.distillation_step", "two backwards")
def _(model, optimizer, teacher, images, labels):
    model.train()
    optimizer.zero_grad()
    with torch.inference_mode():
        decided = teacher(images).argmax(-1)
    decided = decided.clone()
    a, b = model(images)
    first = 0.5 * F.cross_entropy(a[: len(labels)], labels)
    second = 0.5 * F.nll_loss(b.log_softmax(-1), decided)
    first.backward(retain_graph=True)
    second.backward()
    optimizer.step()
    return first.item() + second.item()
