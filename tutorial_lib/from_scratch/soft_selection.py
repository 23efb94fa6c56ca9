"""A weight as a choice among a few values, forward and backward. Taught in chapter 36.

Yang et al., Searching for Low-Bit Weights in Quantized Neural Networks (NeurIPS 2020, 2009.08695),
section 3.1.
"""

import numpy as np


def soft_selection(A, v, tau):
    """A (..., K) logits, v (K,) values, tau > 0  ->  w (...): Σ_k v_k softmax(A / tau)_k"""
    return _shares(A, tau) @ v


def soft_selection_backward(dw, A, v, tau):
    """dw (...), the loss's gradient of w; A (..., K), v (K,), tau as in `soft_selection`
    ->  dA (..., K)

    With p = softmax(A / tau): ∂w/∂A_k = p_k (v_k − w) / tau. Values above w gain, values below it
    lose, and where one p is nearly 1 nothing moves.
    """
    p = _shares(A, tau)
    w = p @ v
    return dw[..., None] * p * (v - w[..., None]) / tau


def _shares(A, tau):
    e = np.exp((A - A.max(axis=-1, keepdims=True)) / tau)
    return e / e.sum(axis=-1, keepdims=True)
