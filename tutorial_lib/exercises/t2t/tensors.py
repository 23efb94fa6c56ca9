"""Tensors that the exercises of this chapter are tried on."""

import torch


def normal(rng, *shape, wanted):
    """Random numbers of this shape, as a tensor whose gradient is wanted, or not.

    An exercise has cases of both kinds: of what is wanted, the gradient is compared; what is not,
    an answer can change in place, and is seen to.
    """
    return torch.from_numpy(rng.normal(size=shape)).requires_grad_(wanted)
