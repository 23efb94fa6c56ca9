"""What a student learns from a teacher, in NumPy, forward and backward. Taught in chapter 06.

Hinton et al., Distilling the Knowledge in a Neural Network (1503.02531), section 2; Touvron et al.,
Training data-efficient image transformers and distillation through attention (ICML 2021,
2012.12877), section 4. Symbols and shapes, for N pictures and K classes:

    Z_s, Z_t       (N, K)  logits of the student and of the teacher
    Z_cls, Z_dist  (N, K)  logits of a student with two heads: class token, distillation token
    y              (N, K)  labels, each row a distribution: one-hot, smoothed or mixed
    tau            τ > 0, the temperature: logits are divided by it

Every loss is a mean over the pictures, in nats. The teacher is fixed: it gets no gradient.
"""

import numpy as np

from tutorial_lib.from_scratch.attention import softmax


def log_softmax(Z):
    """The logarithm of softmax, finite for logits of any size: Z (..., K)  ->  (..., K)."""
    Z = Z - Z.max(axis=-1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))


def _check_labels(Z, y):
    """Numbers of classes (N,) would broadcast, with N = K in silence."""
    if y.shape != Z.shape:
        raise ValueError(f"labels are {y.shape}, expected {Z.shape}, a distribution for each row")


def cross_entropy(Z, y):
    """−Σ_k y_k log softmax(Z)_k, for labels that are distributions.

    Z (N, K), y (N, K)  ->  float

    A class without a share counts nothing, also where its logit is −∞.
    """
    _check_labels(Z, y)
    counted = np.where(y == 0, 0, log_softmax(Z))
    return float(-(y * counted).sum(axis=-1).mean())


def cross_entropy_backward(Z, y):
    """The gradient of `cross_entropy`, for rows of y that sum to one.

    Z (N, K), y (N, K)  ->  dZ (N, K)
    """
    _check_labels(Z, y)
    return (softmax(Z) - y) / len(Z)


def soft_distillation(Z_s, Z_t, tau):
    """How far the student's probabilities are from the teacher's, both at temperature τ.

    Z_s, Z_t (N, K) logits of student and teacher, tau > 0  ->  float, the mean over N pictures of

        τ² Σ_k p_t log(p_t / p_s),   p_t = softmax(Z_t / τ),   p_s = softmax(Z_s / τ)

    which is τ² KL(p_t ‖ p_s). Logits of any size give a finite loss: a probability that rounds to
    zero has a logarithm all the same.
    """
    log_s, log_t = log_softmax(Z_s / tau), log_softmax(Z_t / tau)
    divergence = (np.exp(log_t) * (log_t - log_s)).sum(axis=-1)  # (N,)
    return float(tau**2 * divergence.mean())


def soft_distillation_backward(Z_s, Z_t, tau):
    """The gradients of `soft_distillation`, from the loss back to the student's logits.

    Z_s, Z_t (N, K), tau > 0
    ->  dict of dlog_p, du, dZ_s, all (N, K)

    Three steps forward: u = Z_s / τ; log_p = log softmax(u); the loss is the mean over N pictures
    of τ² Σ_k p_t (log p_t − log_p), with p_t = softmax(Z_t / τ). So three steps back: dlog_p is
    ∂L/∂log_p, du is ∂L/∂u, dZ_s is ∂L/∂Z_s. `softmax` is there to be used.
    """
    p_s, p_t = softmax(Z_s / tau), softmax(Z_t / tau)
    n = len(Z_s)
    dlog_p = -(tau**2) * p_t / n
    du = dlog_p - p_s * dlog_p.sum(axis=-1, keepdims=True)
    return {"dlog_p": dlog_p, "du": du, "dZ_s": du / tau}


def hard_distillation(Z_cls, Z_dist, y, Z_t):
    """DeiT's loss: one head answers to the label, the other to the teacher.

    Z_cls, Z_dist (N, K) logits of the student's two heads; y (N, K) labels, rows summing to one;
    Z_t (N, K) logits of the teacher  ->  float, the mean over N pictures of

        ½ CE(Z_cls, y) + ½ CE(Z_dist, y_t),   CE(Z, y) = −Σ_k y_k log softmax(Z)_k

    y_t is the teacher's decision: one for its largest logit, the first if several are as large, and
    zero for every other class. `log_softmax(Z)` is there to be used; it is finite for logits of any
    size.
    """
    classes = Z_t.shape[-1]
    y_t = np.eye(classes)[Z_t.argmax(axis=-1)]  # (N, K)
    by_label = -(y * log_softmax(Z_cls)).sum(axis=-1)  # (N,)
    by_teacher = -(y_t * log_softmax(Z_dist)).sum(axis=-1)  # (N,)
    return float((by_label + by_teacher).mean() / 2)


def hard_distillation_backward(Z_cls, Z_dist, y, Z_t):
    """The gradients of `hard_distillation`: (p − y) / 2N of one head, (p − y_t) / 2N of the other.

    The arguments are those of `hard_distillation`  ->  dict of dZ_cls, dZ_dist, both (N, K)
    """
    y_t = np.eye(Z_t.shape[-1], dtype=Z_dist.dtype)[Z_t.argmax(axis=-1)]  # (N, K)
    return {
        "dZ_cls": cross_entropy_backward(Z_cls, y) / 2,
        "dZ_dist": cross_entropy_backward(Z_dist, y_t) / 2,
    }


def predict_with_two_heads(Z_cls, Z_dist):
    """What a student with two heads answers at test time, by the two rules that are in use.

    Z_cls, Z_dist (N, K) logits of the class token's head and of the distillation token's head
    ->  dict of three entries

    by_probabilities (N, K)  the mean of both heads' probabilities: DeiT's paper, section 4
    by_logits        (N, K)  the probabilities of the mean of both heads' logits: DeiT's code
    differ                   float, the share of pictures for which the rules choose differently
    """
    by_probabilities = (softmax(Z_cls) + softmax(Z_dist)) / 2
    by_logits = softmax((Z_cls + Z_dist) / 2)
    differ = by_probabilities.argmax(axis=-1) != by_logits.argmax(axis=-1)  # (N,)
    return {
        "by_probabilities": by_probabilities,
        "by_logits": by_logits,
        "differ": float(differ.mean()),
    }
