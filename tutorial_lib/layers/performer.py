"""Attention whose cost grows with N instead of N²: random features. Taught in chapter 09.

Choromanski et al., Rethinking Attention with Performers (ICLR 2021, 2009.14794). The exponential of
a dot product is a mean over random directions w ~ N(0, I):

    exp(q·k) = E[exp(w·q − |q|²/2) · exp(w·k − |k|²/2)]

With m directions instead of all, query and key each become m positive numbers, φ(q) and φ(k), and
attention becomes a product that may be bracketed the cheap way, φ(q) (φ(k)ᵀ v).
"""

import math

import torch
from torch import nn


def random_directions(m: int, d: int):
    """m directions in d dimensions, as long as Gaussian ones and in groups of d orthogonal to each
    other, which estimates better than independent ones (section 3.4)  ->  (m, d)."""
    groups = [nn.init.orthogonal_(torch.empty(d, d)) for _ in range(-(-m // d))]
    lengths = torch.randn(m, d).norm(dim=1, keepdim=True)
    return torch.cat(groups)[:m] * lengths


def log_features(x, w):
    """ln φ(x), see `positive_features`: x (..., N, d), w (m, d)  ->  (..., N, m)."""
    m, d = w.shape
    x = x / d**0.25
    return x @ w.mT - (x * x).sum(dim=-1, keepdim=True) / 2 - math.log(m) / 2


def positive_features(x, w):
    """Positive random features: φ(q)·φ(k) is exp(q·k / √d) on average over w.

    x (..., N, d) queries or keys; w (m, d) directions  ->  φ (..., N, m)

        φ(x)_j = exp(w_j·x̂ − |x̂|² / 2) / √m  with  x̂ = x / d^¼
    """
    return log_features(x, w).exp()


def linear_attention(phi_q, phi_k, v):
    """Attention with weights φ(q)·φ(k), divided by their sum over the keys.

    phi_q (..., N, m), phi_k (..., M, m), both positive; v (..., M, d_v)  ->  z (..., N, d_v)

    No matrix of N × M is made, so time and memory grow with N + M.
    """
    numerator = phi_q @ (phi_k.mT @ v)  # (..., N, d_v)
    denominator = phi_q @ phi_k.sum(dim=-2).unsqueeze(-1)  # (..., N, 1)
    return numerator / denominator


def performer_attention(q, k, v, w):
    """softmax(q kᵀ / √d) v, estimated with the directions w (m, d).

    q (..., N, d), k (..., M, d), v (..., M, d_v)  ->  z (..., N, d_v)

    A factor may go from a feature of all keys to that of all queries, and a query's own factor
    cancels. With these two, the largest features are 1 and the denominator is at least 1, however
    large q and k are. It is a sum over all keys, and in float16 70,000 ones are infinite: half
    precision is computed in float32.
    """
    given = q.dtype
    precise = torch.promote_types(given, torch.float32)
    q, k, v, w = (x.to(precise) for x in (q, k, v, w))
    log_q, log_k = log_features(q, w), log_features(k, w)
    largest = log_k.amax(dim=-2, keepdim=True)  # (..., 1, m)
    log_q = log_q + largest
    phi_q = (log_q - log_q.amax(dim=-1, keepdim=True)).exp()
    return linear_attention(phi_q, (log_k - largest).exp(), v).to(given)
