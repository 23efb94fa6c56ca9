"""Layer normalization in NumPy, and batch normalization to compare it with. Taught in chapter 03.

Ba, Kiros and Hinton, Layer Normalization (2016, 1607.06450); Ioffe and Szegedy, Batch Normalization
(ICML 2015, 1502.03167). Symbols and shapes:

    X            (..., D)  tokens
    Xhat         (..., D)  tokens with mean 0 and variance 1, before gamma and beta
    gamma, beta  (D,)      a learned scale and shift for each feature
"""

import numpy as np


def layer_norm(X, gamma, beta, eps=1e-5):
    """Give each token mean 0 and variance 1, then scale and shift each feature.

    X (..., D); gamma, beta (D,)  ->  Y (..., D) with

        Y = gamma · (X − μ) / √(σ² + eps) + beta

    μ and σ² are the mean and the variance of one token's D features, σ² = (1/D) Σ (X − μ)². The
    small eps keeps a token whose features are all equal from dividing by zero.
    """
    mean = X.mean(axis=-1, keepdims=True)  # (..., 1)
    variance = X.var(axis=-1, keepdims=True)  # (..., 1)
    return gamma * (X - mean) / np.sqrt(variance + eps) + beta


def layer_norm_backward(dY, X, gamma, eps=1e-5):
    """Every gradient of Y = gamma · Xhat + beta with Xhat = (X − μ) / √(σ² + eps).

    dY (..., D)  ∂L/∂Y
    X  (..., D)  what the norm was given; gamma (D,)
    ->  dict of dgamma (D,), dbeta (D,), dXhat (..., D), dX (..., D)

    gamma and beta serve all tokens. μ and σ² belong to one token and depend on all D of its
    features, so each feature reaches Xhat in three ways.
    """
    deviation = np.sqrt(X.var(axis=-1, keepdims=True) + eps)  # (..., 1)
    Xhat = (X - X.mean(axis=-1, keepdims=True)) / deviation
    tokens = tuple(range(X.ndim - 1))  # every axis but the features'
    dXhat = dY * gamma
    along_mean = dXhat.mean(axis=-1, keepdims=True)  # (..., 1)
    along_Xhat = (dXhat * Xhat).mean(axis=-1, keepdims=True)  # (..., 1)
    return {
        "dgamma": (dY * Xhat).sum(axis=tokens),
        "dbeta": dY.sum(axis=tokens),
        "dXhat": dXhat,
        "dX": (dXhat - along_mean - Xhat * along_Xhat) / deviation,
    }


def batch_norm(X, gamma, beta, mask, eps=1e-5):
    """Give each feature mean 0 and variance 1 over the real tokens of the batch, as in training.

    X (B, N, D); gamma, beta (D,); mask bool (B, N), True for a real token  ->  Y (B, N, D)

    A token's result depends on the other sequences of its batch. Rows of padding are transformed
    like the others and mean nothing.
    """
    if mask.dtype != bool:  # zeros and ones would pick sequences, not tokens
        raise TypeError(f"mask is {mask.dtype}, expected bool: True for a real token")
    real = X[mask]  # (tokens, D)
    return gamma * (X - real.mean(axis=0)) / np.sqrt(real.var(axis=0) + eps) + beta
