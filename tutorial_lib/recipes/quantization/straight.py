"""Training with few bits: a ViT learns through the rounding of its weights, a record.

Taught in chapter 36, after Bengio et al., Estimating or Propagating Gradients Through Stochastic
Neurons (1308.3432), and Courbariaux et al., BinaryConnect (NeurIPS 2015, 1511.00363), whose float
weights behind the discrete ones these are. All begin from the course's trained ViT. Measure again,
some minutes on one core:

    python -m tutorial_lib.recipes.quantization.straight [--out FILE]
"""

import contextlib
from itertools import product

import torch
from torch import nn

from tutorial_lib.layers.quantization import fake_quantize, integer_range
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.recipes.vit.vit import load

BITS, SEEDS, STEPS, LR = (2,), range(3), 200, 3e-4
METHODS = ("rounded", "trained in floats, then rounded", "trained straight through")


def few_bits(weights, bits):
    """Weights (outputs, inputs) to a few values in each row, with the scale with which learned step
    sizes begin (Esser et al., 1902.08153): 2 · mean |w| / √(largest integer)."""
    scale = 2 * weights.abs().mean(-1, keepdim=True) / integer_range(bits)[1] ** 0.5
    return fake_quantize(weights, scale, bits=bits)


def matrices(model) -> list[torch.Tensor]:
    """The weights of all linear maps of a model."""
    return [part.weight for part in model.modules() if isinstance(part, nn.Linear)]


@contextlib.contextmanager
def rounded(model, bits):
    """Within it the model's matrices have few bits, and gradients are taken there; afterwards they
    are what they were."""
    kept = [w.detach().clone() for w in matrices(model)]
    with torch.no_grad():
        for w in matrices(model):
            w.copy_(few_bits(w, bits))
    try:
        yield model
    finally:
        with torch.no_grad():
            for w, before in zip(matrices(model), kept):
                w.copy_(before)


def train(model, bits, seed, steps=STEPS):
    """Steps of AdamW whose gradient is taken at the rounded weights (None: at the weights)."""
    batches, optimizer = draw(*pictures("train")), torch.optim.AdamW(model.parameters(), LR)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        images, labels = batches(generator)
        optimizer.zero_grad()
        with rounded(model, bits) if bits else contextlib.nullcontext():
            loss_of(model, images, labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def measure(row):
    """One row of the record, in a process of its own."""
    model, _ = load()
    if row["method"] != METHODS[0]:
        train(model, row["bits"] if row["method"] == METHODS[2] else None, row["seed"])
    with rounded(model, row["bits"]):
        return row | dict(accuracy=accuracy(model, *pictures("test")))


def plan():
    rows = product(METHODS, BITS, SEEDS)
    return [dict(method=method, bits=bits, seed=seed) for method, bits, seed in rows]


if __name__ == "__main__":
    record("straight-through", plan(), measure, steps=STEPS, lr=LR)
