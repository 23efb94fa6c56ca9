"""RandAugment: two changes at random, all of one strength. Taught in chapter 06.

Cubuk et al., RandAugment: Practical Automated Data Augmentation with a Reduced Search Space
(NeurIPS 2020, 1909.13719). Of its fourteen changes eleven mean something for a grey picture.
"""

import math

import torch
import torch.nn.functional as F


def _moved(x, matrix):
    """Each picture read at matrix · (place, 1): x (B, C, H, W), matrix (B, 2, 3), zeros outside."""
    grid = F.affine_grid(matrix.to(x), x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="zeros", align_corners=False)


def _matrix(strength, entry, value):
    """The identity (B, 2, 3) with `value` at one place: the places run from −1 to 1."""
    matrix = torch.eye(2, 3).repeat(len(strength), 1, 1)
    matrix[:, entry[0], entry[1]] = value
    return matrix


def rotate(x, strength):
    """By up to 30 degrees."""
    angle = math.radians(30) * strength
    ratio = x.shape[-2] / x.shape[-1]  # the places run from −1 to 1 on the shorter side too
    rows = [angle.cos(), -angle.sin() * ratio], [angle.sin() / ratio, angle.cos()]
    linear = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)  # (B, 2, 2)
    return _moved(x, torch.cat([linear, torch.zeros(len(x), 2, 1)], dim=-1))


def _towards(x, other, strength):
    """A picture pushed away from or drawn to another one, by up to nine tenths."""
    return (other + (1 + 0.9 * strength.view(-1, 1, 1, 1)) * (x - other)).clamp(0, 1)


def sharpen(x, strength):
    """Away from its blurred self, or towards it."""
    blurred = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return _towards(x, blurred, strength)


def autocontrast(x, strength):
    """The darkest pixel becomes 0, the lightest 1."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def posterize(x, strength):
    """Fewer shades of grey: from 256 down to 16."""
    levels = 2 ** (8 - (4 * strength.abs()).round()).view(-1, 1, 1, 1)
    return (x * (levels - 1)).round() / (levels - 1)


def solarize(x, strength):
    """Light pixels turn dark, from a threshold on that falls with the strength."""
    return torch.where(x >= 1 - strength.abs().view(-1, 1, 1, 1), 1 - x, x)


CHANGES = {  # name -> pictures (B, C, H, W) from 0 to 1, strengths (B,) from −1 to 1 -> the same
    "identity": lambda x, s: x,
    "rotate": rotate,
    "shear x": lambda x, s: _moved(x, _matrix(s, (0, 1), 0.3 * s)),
    "shear y": lambda x, s: _moved(x, _matrix(s, (1, 0), 0.3 * s)),
    "translate x": lambda x, s: _moved(x, _matrix(s, (0, 2), 0.9 * s)),
    "translate y": lambda x, s: _moved(x, _matrix(s, (1, 2), 0.9 * s)),
    "brightness": lambda x, s: _towards(x, torch.zeros_like(x), s),
    "contrast": lambda x, s: _towards(x, x.mean((1, 2, 3), keepdim=True), s),
    "sharpness": sharpen,
    "autocontrast": autocontrast,
    "posterize": posterize,
    "solarize": solarize,
}


def rand_augment(x, magnitude: float, generator, times: int = 2):
    """Each picture goes through `times` of CHANGES, drawn for it alone.

    x  (B, C, H, W) from 0 to 1  ->  the same, all changes `magnitude` strong, of 10, with a sign
    by chance. In the paper `times` and `magnitude` are all there is to choose; DeiT has 2 and 9.
    """
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"images are {x.dtype} {tuple(x.shape)}, expected float (B, C, H, W)")
    if not 0 <= magnitude <= 10:
        raise ValueError(f"magnitude is {magnitude}, expected 0 to 10")
    for _ in range(times):
        which = torch.randint(len(CHANGES), (len(x),), generator=generator)
        sign = 2 * torch.randint(2, (len(x),), generator=generator) - 1
        changed = x.clone()
        for number, change in enumerate(CHANGES.values()):
            if (chosen := which == number).any():
                changed[chosen] = change(x[chosen], magnitude / 10 * sign[chosen])
        x = changed
    return x
