"""Logits and labels that the exercises of this chapter are tried on."""

import numpy as np

SIZES = [(1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (5, 4)]  # pictures N, classes K


def labels(rng, n, k):
    """(n, k), each row a distribution: one-hot for the even pictures, mixed for the others."""
    y, other = np.eye(k)[(rng.integers(k, size=(2, 1)) + np.arange(n)) % k]  # neighbours differ
    share = np.where(np.arange(n)[:, None] % 2, 0.7, 1.0)
    return share * y + (1 - share) * other


def logits_of_student_and_teacher(rng):
    for (n, k), tau in zip(SIZES, (3.0, 3.0, 1.0, 2.0, 0.5, 3.0)):
        yield dict(Z_s=rng.normal(size=(n, k)), Z_t=2 * rng.normal(size=(n, k)), tau=tau)
    # The teacher is sure, and the student is so sure of something else that p_s rounds to zero.
    yield dict(
        Z_s=np.array([[0.0, 1600, -1600], [1, 0, 0]]),
        Z_t=np.array([[900.0, 0, -900], [0, 0, 1]]),
        tau=2.0,
    )


def logits_of_both_precisions(rng):
    """For gradients, which keep the precision of their logits; a loss is a number without one."""
    yield from logits_of_student_and_teacher(rng)
    Z_s, Z_t = rng.normal(size=(2, 3, 4)).astype(np.float32)
    yield dict(Z_s=Z_s, Z_t=Z_t, tau=4.0)


def two_heads_and_a_teacher(rng):
    for n, k in SIZES:
        yield _heads(rng, n, k)
    yield {name: a * 700 if name[0] == "Z" else a for name, a in _heads(rng, 3, 4).items()}
    ties = np.array([[0.0, 2, 2], [1, 1, 1]])  # the teacher cannot decide
    yield _heads(rng, 2, 3) | {"Z_t": ties}


def _heads(rng, n, k):
    Z_cls, Z_dist, Z_t = rng.normal(size=(3, n, k))
    return dict(Z_cls=Z_cls, Z_dist=Z_dist, y=labels(rng, n, k), Z_t=Z_t)


def pictures(rng, B, C, H, W, K):
    return dict(x=rng.uniform(size=(B, C, H, W)), y=labels(rng, B, K))


def partners(rng, B):
    """A λ for each; partners that are not their partner's, and from four on no neighbours
    either."""
    partner = np.array([2, 3, 1, 0]) if B == 4 else np.roll(np.arange(B), 1)
    return dict(lam=rng.uniform(0.05, 0.95, size=B), partner=partner)
