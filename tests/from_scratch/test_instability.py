"""AIWQ is the divergence that PyTorch computes, channel by channel."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tutorial_lib.from_scratch.instability import instability


def test_it_is_a_mean_over_channels_and_skips_constant_ones():
    new, old = np.random.default_rng(0).normal(size=(2, 6, 3, 4, 5))
    old *= 1.5
    new[:, 1] = 2.0  # a channel that says nothing
    expected = []
    for c in (0, 2):
        a, b = (torch.from_numpy(x[:, c]) for x in (new, old))
        divergence = kl_divergence(Normal(a.mean(), a.std()), Normal(b.mean(), b.std()))
        expected.append(divergence.item())
    assert instability(new, old) == pytest.approx(sum(expected) / 2)
    assert instability(new[:, 1:2], old[:, 1:2]) == 0


def test_nothing_moved_is_zero_and_the_direction_matters():
    new, old = np.random.default_rng(1).normal(size=(2, 4, 2, 3, 3))
    assert instability(old, old) == pytest.approx(0)
    assert instability(3 * new, old) > 2 * instability(old, 3 * new) > 0
