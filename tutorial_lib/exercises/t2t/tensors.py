"""Tensors that the exercises of this chapter are tried on."""

import torch


def wanted(rng, *shape):
    """Random numbers of this shape, as a tensor whose gradient is wanted."""
    return torch.from_numpy(rng.normal(size=shape)).requires_grad_()
