"""Pre-LN against Post-LN, with and without warm-up, at several learning rates: a recorded figure.

Taught in chapter 03, after Xiong et al., On Layer Normalization in the Transformer Architecture
(ICML 2020, 2002.04745). A small encoder learns to sort digits. Measure again:

    python -m tutorial_lib.recipes.transformer.warmup [--out FILE]
"""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.records import record
from tutorial_lib.training.loop import Diverged, train

DIGITS, LENGTH, DIM, HEADS, DEPTH, BATCH, STEPS = 10, 12, 32, 4, 6, 32, 120
RATES, SEEDS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), range(5)


class Sorter(nn.Module):
    """An encoder that says for each place which digit stands there once all are sorted."""

    def __init__(self, norm_first: bool, depth: int = DEPTH):
        super().__init__()
        self.embed = nn.Embedding(DIGITS, DIM)
        layers = (EncoderLayer(DIM, HEADS, 2 * DIM, norm_first) for _ in range(depth))
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(DIM) if norm_first else nn.Identity()
        self.head = nn.Linear(DIM, DIGITS)
        for p in self.layers.parameters():
            if p.ndim == 2:
                nn.init.xavier_uniform_(p)  # as the paper's experiments do

    def forward(self, digits):
        """digits int (B, LENGTH)  ->  logits (B, LENGTH, DIGITS)"""
        x = self.embed(digits)  # (B, LENGTH, DIM)
        x = x + sinusoidal(LENGTH, DIM).to(x)
        return self.head(self.norm(self.layers(x)))


def draw(generator):
    digits = torch.randint(DIGITS, (BATCH, LENGTH), generator=generator)
    return digits, digits.sort(dim=1).values


def loss_of(model, digits, answer):
    return F.cross_entropy(model(digits).flatten(0, 1), answer.flatten())


def final_loss(
    norm_first: bool,
    warmup: int,
    lr: float,
    seed: int,
    steps: int = STEPS,
    label: str = "sorting",
    scale: float = 1.0,
    depth: int = DEPTH,
) -> float:
    """The mean loss of the last ten steps, in nats; infinite if training diverged. Guessing gives
    log 10 = 2.3. Gradients are not clipped: that would hide what warm-up is for. `scale` multiplies
    the loss that is trained on, and so every gradient, but not the loss that is returned."""
    torch.manual_seed(seed)
    model = Sorter(norm_first, depth)
    settings = dict(steps=steps, lr=lr, warmup=warmup, seed=seed)
    try:
        losses = train(
            model,
            draw,
            lambda *batch: scale * loss_of(*batch),
            weight_decay=0.0,
            clip=math.inf,
            label=label,
            **settings,
        )
    except Diverged:
        return math.inf
    return sum(losses[-10:]) / len(losses[-10:]) / scale


def measure(row):
    """One row of the record, in a process of its own."""
    return row | {"loss": final_loss(**row)}


def plan():
    names = "norm_first", "warmup", "lr", "seed"
    settings = product((True, False), (0, STEPS // 2), RATES, SEEDS)
    return [dict(zip(names, setting)) for setting in settings]


if __name__ == "__main__":
    record("warmup", plan(), measure, steps=STEPS, depth=DEPTH)
