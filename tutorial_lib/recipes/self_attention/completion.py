"""Missing halves of patches, found by attention and by what has less of it: a record.

Taught in chapter 01. Measure again, three minutes:

    python -m tutorial_lib.recipes.self_attention.completion [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.attention import Attention, dot_product_attention
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.self_attention.halves import (
    HALF,
    TRAIN,
    decibels,
    finds_itself,
    grey,
    halves,
    nearest_left_half,
)

STEPS, BATCH, SEEDS = 300, 12, range(3)
RATES = (2e-3, 5e-3, 1e-2)  # the two smaller ones also for four times as many steps


class OneMap(nn.Linear):
    """A linear map from a left half to a right half."""

    def __init__(self):
        super().__init__(HALF, HALF)

    def forward(self, left, whole):
        return super().forward(left)


class Looking(Attention):
    """Attention of left halves to whole patches; `factor` multiplies the scores, and `hidden` hides
    each patch from itself."""

    def __init__(self, dim_head=64, factor=1.0, hidden=False):
        super().__init__(HALF, dim_head, 2 * HALF)
        self.factor, self.hidden = factor, hidden

    def forward(self, left, whole):
        mask = ~torch.eye(left.shape[-2], dtype=torch.bool) if self.hidden else None
        q = self.factor * self.to_q(left)
        return self.to_out(dot_product_attention(q, self.to_k(whole), self.to_v(whole), mask)[0])


class GuessAndLook(nn.Module):
    """A linear guess, corrected by attention."""

    def __init__(self, **settings):
        super().__init__()
        self.guess, self.look = OneMap(), Looking(**settings)

    def forward(self, left, whole):
        return self.guess(left, whole) + self.look(left, whole)


METHODS = {
    "linear": OneMap,
    "attention": Looking,
    "guess and equal weights": lambda: GuessAndLook(factor=0.0),
    "guess and own patch hidden": lambda: GuessAndLook(hidden=True),
    "attention, no scale": lambda: Looking(factor=64**0.5),
    "attention of 256": lambda: Looking(256),
    "attention of 256, no scale": lambda: Looking(256, factor=256**0.5),
}


def measure(row):
    """One row of the record, in a process of its own."""
    image = grey("chelsea")
    if row["method"] == "nearest left half":
        return row | {"decibels": decibels(nearest_left_half, image)}
    torch.manual_seed(row["seed"])
    generator = torch.Generator().manual_seed(row["seed"])
    model, images = METHODS[row["method"]](), [grey(name) for name in TRAIN]
    optimizer = torch.optim.Adam(model.parameters(), row["lr"])
    for _ in range(row["steps"]):
        left, whole, right = halves(images, BATCH, generator)
        loss = F.mse_loss(model(left, whole), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = {"decibels": decibels(model, image)}
    if row["method"] == "attention":
        found |= {"finds_itself": finds_itself(model, image)}
    return row | found


def plan():
    rows = [{"method": "nearest left half"}]
    rows += [dict(method="attention", lr=0.0, steps=0, seed=seed) for seed in SEEDS]  # untrained
    for method, lr, seed in product(METHODS, RATES, SEEDS):
        only_short = "256" in method or "no scale" in method or lr == RATES[-1]
        lengths = (STEPS,) if only_short else (STEPS, 4 * STEPS)
        rows += [dict(method=method, lr=lr, steps=steps, seed=seed) for steps in lengths]
    return rows


if __name__ == "__main__":
    record("completion", plan(), measure, batch=BATCH, train=list(TRAIN), test="chelsea")
