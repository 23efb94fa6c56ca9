"""Searching for low-bit weights: a weight is a choice among a few values. Taught in chapter 36.

Yang et al., Searching for Low-Bit Weights in Quantized Neural Networks (NeurIPS 2020, 2009.08695).
Each weight has a logit A_k for every value v_k that it may take. In training it is their mean under
a softmax with temperature τ, in deployment the one with the largest logit:

    w = Σ_k v_k softmax(A / τ)_k          w_q = v_k with k = argmax A

τ falls, so that at the end both are nearly the same. What difference remains would shift what the
batch norms have averaged, so each keeps a memory for both states (state batch normalization).
"""

import contextlib

import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.models.efficient.binary_connect import levels
from tutorial_lib.models.efficient.inner_layers import inner_layers


def soft_selection(logits, values, temperature):
    """The mean of the values under softmax(logits / temperature).

    logits (..., K), values (K,), temperature > 0, or ValueError  ->  weights (...)
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, expected more than 0")
    return (logits / temperature).softmax(dim=-1) @ values


def hard_selection(logits, values):
    """logits (..., K), values (K,)  ->  weights (...): the value with the largest logit."""
    return values[logits.argmax(dim=-1)]


class Searched(nn.Module):
    """A parametrization: the weight of a layer as a choice among values (K,).

    What it is given as a start, a float weight, becomes the logits −(w − v_k)² / 2, whose largest
    belongs to the nearest value.
    """

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.register_buffer("values", values)
        self.temperature, self.hard = 1.0, False

    def forward(self, logits):
        """logits (..., K)  ->  weights (...)"""
        if self.hard:
            return hard_selection(logits, self.values)
        return soft_selection(logits, self.values, self.temperature)

    def right_inverse(self, weight):
        """float weights (...)  ->  logits (..., K)"""
        return -((weight[..., None] - self.values) ** 2) / 2


class StateBatchNorm(nn.Module):
    """A batch norm with a memory for each state: mean and variance are those of the soft weights or
    of the hard ones, gain and shift the same for both."""

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        self.soft_norm, self.hard_norm = norm, nn.BatchNorm2d(norm.num_features, norm.eps)
        self.hard_norm.weight, self.hard_norm.bias = norm.weight, norm.bias
        self.hard = False

    def forward(self, x):
        return (self.hard_norm if self.hard else self.soft_norm)(x)


def search(model: nn.Module, bits: int) -> nn.Module:
    """Make the weights of a model's inner layers choices among 2^bits values, and its batch norms
    ones of two states: in place, and returned."""
    for layer in inner_layers(model).values():
        parametrize.register_parametrization(layer, "weight", Searched(levels(bits)))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and not isinstance(parent, StateBatchNorm):
                setattr(parent, name, StateBatchNorm(child))
    return model


def set_temperature(model: nn.Module, temperature: float) -> None:
    """For every searched weight of the model."""
    for module in model.modules():
        if isinstance(module, Searched):
            module.temperature = temperature


@contextlib.contextmanager
def hard(model: nn.Module, weights: bool = True, norms: bool = True):
    """Inside, the model has the weights and the batch statistics of deployment, or one of both."""
    parts = [(m, weights) for m in model.modules() if isinstance(m, Searched)]
    parts += [(m, norms) for m in model.modules() if isinstance(m, StateBatchNorm)]
    for part, wanted in parts:
        part.hard = wanted
    try:
        yield model
    finally:
        for part, _ in parts:
            part.hard = False
