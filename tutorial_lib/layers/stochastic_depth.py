"""Stochastic depth: in training, whole branches are left out at random. Taught in chapter 06.

Huang et al., Deep Networks with Stochastic Depth (ECCV 2016, 1603.09382), with the branches that
stay made larger in training, as DeiT does it, and not those of the test made smaller.
"""

import torch
from torch import nn


def drop_branch(branch, probability: float, training: bool):
    """Leave out the branch of some pictures of a batch, before it is added to its input.

    branch       tensor (B, ...), what attention or the feed-forward network gives
    probability  of each picture to lose it, 0 ≤ probability < 1, drawn for each by itself
    training     in training alone; otherwise the branch comes back as it is
    ->  tensor (B, ...), the branch of a picture either zero or so much larger that the mean over
        the draws is the branch itself
    """
    if not training or probability == 0:
        return branch
    keep = 1 - probability
    shape = (len(branch),) + (1,) * (branch.ndim - 1)
    return branch * (torch.rand(shape, device=branch.device) < keep) / keep


class StochasticDepth(nn.Module):
    """An encoder layer whose two branches are left out of a picture with some probability."""

    def __init__(self, layer, probability: float):
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"probability is {probability}, expected 0 or more and below 1")
        self.layer, self.probability = layer, probability

    def forward(self, x, mask=None):
        """(B, N, dim)  ->  (B, N, dim), as `EncoderLayer` does it"""

        def sometimes(f):
            return lambda y: drop_branch(f(y), self.probability, self.training)

        layer = self.layer
        x = layer.around_attention(x, sometimes(lambda y: layer.attention(y, mask=mask)))
        return layer.around_feed_forward(x, sometimes(layer.feed_forward))
