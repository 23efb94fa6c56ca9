"""Attention weights that the exercises about maps are tried on."""

import torch


def attention_weights(rng, *shape, sharpness=1.0):
    """(..., N, N) whose rows sum to one, which wants a gradient."""
    scores = torch.from_numpy(sharpness * rng.normal(size=shape))
    return scores.softmax(dim=-1).requires_grad_()


def single(weights):
    """The same numbers as float32."""
    return weights.detach().float().requires_grad_()
