"""Missing halves of patches, found by attention and by what has less of it: a record.

Taught in chapter 01. Measure again, a minute:

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
RATES, LONG_RATE = (2e-3, 5e-3, 1e-2), 5e-3  # that of four times as many steps


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
}


def fitted(make, lr, steps, seed):
    """A model that has taken some steps, and what it reaches on the cat."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model, images = make(), [grey(name) for name in TRAIN]
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(steps):
        left, whole, right = halves(images, BATCH, generator)
        loss = F.mse_loss(model(left, whole), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, {"decibels": decibels(model, grey("chelsea"))}


def measure(row):
    """One row of the record, in a process of its own."""
    if row["method"] == "nearest left half":
        return row | {"decibels": decibels(nearest_left_half, grey("chelsea"))}
    model, found = fitted(METHODS[row["method"]], row["lr"], row["steps"], row["seed"])
    if row["method"] == "attention":
        found |= {"finds_itself": finds_itself(model, grey("chelsea"))}
    return row | found


def plan():
    rows = [{"method": "nearest left half"}]
    rows += [dict(method="attention", lr=0.0, steps=0, seed=seed) for seed in SEEDS]  # untrained
    for method, lr, seed in product(METHODS, RATES, SEEDS):
        lengths = (STEPS, 4 * STEPS) if lr == LONG_RATE else (STEPS,)
        rows += [dict(method=method, lr=lr, steps=steps, seed=seed) for steps in lengths]
    return rows


if __name__ == "__main__":
    record("completion", plan(), measure, batch=BATCH, train=list(TRAIN), test="chelsea")
