"""Attention weights that the exercises about maps are tried on."""

import torch


def attention_weights(rng, *shape, sharpness=1.0):
    """(..., N, N) whose rows sum to one. They want no gradient: a formula that uses the sum of one
    has another than one that divides by it, and both are right."""
    scores = torch.from_numpy(sharpness * rng.normal(size=shape))
    return scores.softmax(dim=-1)
