"""Maps of tokens that the family's exercises are tried on."""

import torch


def normal(rng, *shape, wanted=False):
    """Random numbers of this shape, as a tensor whose gradient is wanted, or not."""
    return torch.from_numpy(rng.normal(size=shape)).requires_grad_(wanted)
