"""A small ViT pruned, with shared values, with one bit, and both pruned and shared: a record.

Taught in chapter 36, after Cheong, Daniel, transformers.zip (Stanford CS224N, 2019). All begin from
the same ViT in floats and train on for as many steps. Measure again, some minutes on one core:

    python -m tutorial_lib.recipes.quantization.transformers_zip [--out FILE]
"""

import copy
from functools import cache
from itertools import product

import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.models.efficient.inner_layers import inner_layers, size_in_bytes
from tutorial_lib.models.efficient.transformers_zip import (
    Binary,
    Pruned,
    SharedValues,
    magnitude_mask,
    stored_bytes,
)
from tutorial_lib.recipes.quantization.small_cnn import SEEDS, STEPS, learn, right

FLOAT_LR, LR = 2e-3, 1e-3
SHARED = 4  # bits of a shared value's number


@cache
def _trained(seed):
    torch.manual_seed(seed)
    model = ViT(28, 7, 1, 10, dim=64, depth=2, heads=4, hidden=128)
    learn(model, seed, lr=FLOAT_LR, label="floats")
    return model


def pruned_to(sparsity):
    return lambda weight: Pruned(magnitude_mask(weight, sparsity))


def shared(weight):
    return SharedValues(weight, SHARED)


ROUNDS = [pruned_to(sparsity) for sparsity in (0.4, 0.65, 0.8)]
METHODS = {  # name -> what is done to every weight, one after the other, with a training after each
    "floats": [lambda weight: nn.Identity()],
    "k-means": [shared],
    "binary": [lambda weight: Binary()],
    "pruned at once": ROUNDS[-1:],
    "pruned": ROUNDS,
    "pruned, k-means": [*ROUNDS, shared],
}


def measure(row):
    """One row of the record, in a process of its own: accuracies of each change, at once and after
    the training that follows it. All methods train for STEPS steps in all."""
    model, changes = copy.deepcopy(_trained(row["seed"])), METHODS[row["method"]]
    layers = inner_layers(model).values()
    at_once, after, seconds = [], [], []
    for i, change in enumerate(changes):
        for layer in layers:
            weight = layer.weight.detach().clone()
            if parametrize.is_parametrized(layer):
                parametrize.remove_parametrizations(layer, "weight")
            parametrize.register_parametrization(layer, "weight", change(weight))
        at_once.append(right(model))
        seconds.append(learn(model, row["seed"] + 10 * i, lr=LR, steps=STEPS // len(changes)))
        after.append(right(model))
    return row | dict(
        accuracy_at_once=at_once,
        accuracy_after=after,
        accuracy=after[-1],
        bits=SHARED if changes[-1] is shared else 1 if row["method"] == "binary" else 32,
        bytes=size(row["method"], _trained(row["seed"]), [layer.weight for layer in layers]),
        seconds_per_step=sum(seconds) / len(seconds),
    )


def size(method, plain, weights):
    """Bytes of a model whose inner weights are these; `plain` is the model in floats."""
    if method in ("floats", "binary"):
        return size_in_bytes(plain, 32 if method == "floats" else 1)
    bits = SHARED if "k-means" in method else 32
    others = size_in_bytes(plain, 0)
    return others + sum(stored_bytes(w, bits, sparse="pruned" in method) for w in weights)


def plan():
    return [dict(method=method, seed=seed) for method, seed in product(METHODS, SEEDS)]


if __name__ == "__main__":
    record("transformers-zip", plan(), measure, steps=STEPS, lr=LR)
