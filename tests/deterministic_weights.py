"""Weights and images that are the same on every machine, to compare with recorded numbers."""

import zlib

import numpy as np
import torch


def numbers(name, shape):
    """Normal numbers float64 that depend on the name alone; NumPy keeps this stream for good."""
    draws = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    return torch.from_numpy(draws)


@torch.no_grad()
def filled(model):
    """The model in float64, every weight moved away from its usual start, by its name."""
    model = model.double()
    for name, parameter in model.named_parameters():
        near = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.copy_(near + 0.3 * numbers(name, parameter.shape))
    return model


def answers(model, images):
    """logits (B, classes) and the gradient of their weighted sum at the images, summed over rows"""
    images = images.clone().requires_grad_()
    logits = model(images)
    (logits * numbers("dlogits", logits.shape)).sum().backward()
    return logits.detach(), images.grad.sum(dim=(1, 2))
