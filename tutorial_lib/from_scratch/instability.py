"""Activation instability by weight quantization, AIWQ. Taught in chapter 36.

Park, Yoo, PROFIT: A Novel Training Method for sub-4-bit MobileNet Models (ECCV 2020, 2008.04693),
section 3.
"""

import numpy as np


def instability(new, old):
    """How far the channels of a layer's output have moved, taken as normal distributions.

    new, old  float (B, C, H, W): the same input, through the weights after a step and before it
    ->  a number: the mean over the channels of KL(N(μ, σ²) ‖ N(μ_old, σ_old²)),

            ln(σ_old / σ) + (σ² + (μ − μ_old)²) / (2 σ_old²) − ½,

        μ and σ being mean and standard deviation (with n − 1) of a channel over all images and
        places. A channel that is constant in one of the two has no divergence and is left out; 0.0
        if there is no other.
    """
    axes = (0, 2, 3)
    mean, old_mean = new.mean(axis=axes), old.mean(axis=axes)  # (C,)
    std, old_std = new.std(axis=axes, ddof=1), old.std(axis=axes, ddof=1)
    varies = (std > 0) & (old_std > 0)
    if not varies.any():
        return 0.0
    mean, old_mean, std, old_std = (x[varies] for x in (mean, old_mean, std, old_std))
    divergence = np.log(old_std / std) + (std**2 + (mean - old_mean) ** 2) / (2 * old_std**2) - 0.5
    return float(divergence.mean())
