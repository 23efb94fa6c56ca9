"""Pruning and shared values: a few numbers per layer, most of them zero. Taught in chapter 36.

Cheong, Daniel, transformers.zip: Compressing Transformers with Pruning and Quantization (Stanford
CS224N, 2019), after Han, Mao, Dally, Deep Compression (ICLR 2016, 1510.00149). The smallest weights
become zero, a few more after each training; those that remain are sorted into 2^bits groups by
k-means, and each group shares one value, which goes on learning.
"""

import torch
from torch import nn

from tutorial_lib.from_scratch.kmeans import kmeans
from tutorial_lib.layers.quantization import straight_through


def magnitude_mask(weight, sparsity: float):
    """Which weights stay: a bool tensor like weight, False for the ⌊sparsity · n⌋ smallest in
    absolute value. sparsity from 0 to below 1."""
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity is {sparsity}, expected 0 to below 1")
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[weight.flatten().abs().argsort()[: int(sparsity * weight.numel())]] = False
    return mask.view_as(weight)


class Pruned(nn.Module):
    """A parametrization: weights outside of the mask are zero, and get no gradient."""

    def __init__(self, mask: torch.Tensor):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


class SharedValues(nn.Module):
    """A parametrization: every weight that is not zero is one of 2^bits values.

    What is learned are the values, (2^bits,). The gradient of one is the sum of the gradients of
    all weights that share it. Zeros stay zeros.
    """

    def __init__(self, weight: torch.Tensor, bits: int):
        super().__init__()
        kept = weight[weight != 0].detach().numpy()
        centres, groups = (torch.from_numpy(x) for x in kmeans(kept, 2**bits))
        index = torch.zeros_like(weight, dtype=torch.long)
        index[weight != 0] = groups
        self.register_buffer("index", index)
        self.register_buffer("mask", weight != 0)
        self.register_buffer("centres", centres)

    def forward(self, values):
        """values (2^bits,)  ->  weights"""
        return values[self.index] * self.mask

    def right_inverse(self, weight):
        """The values at the start: the centres of the weight that it was made from."""
        return self.centres.clone()


class Binary(nn.Module):
    """A parametrization: one bit, the sign times the mean size of the weights, straight through."""

    def forward(self, weight):
        return straight_through(weight, weight.abs().mean() * torch.where(weight >= 0, 1.0, -1.0))


def stored_bytes(weight: torch.Tensor, bits: int, sparse: bool) -> float:
    """What a weight takes: `bits` for each number; if that is less than 32, 32 for each of the
    2^bits values that they stand for; if sparse, zeros are left out, and a bit for every number
    says which."""
    stored = int((weight != 0).sum()) if sparse else weight.numel()
    return (stored * bits + 32 * 2**bits * (bits < 32) + weight.numel() * sparse) / 8
