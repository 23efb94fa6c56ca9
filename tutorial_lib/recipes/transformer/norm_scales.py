"""What becomes of a LayerNorm's learned scale, and which order learns faster: a record.

Taught in chapter 03. The task and the models are those of `warmup.py`, with warm-up, each order at
several rates and two lengths of training. Measure again:

    python -m tutorial_lib.recipes.transformer.norm_scales [--out FILE]
"""

import math
from itertools import product

import torch
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.transformer.warmup import Sorter, draw, loss_of
from tutorial_lib.training.loop import train

STEPS, SEEDS = (120, 480), range(5)
RATES = {False: (3e-3, 5e-3, 1e-2), True: (5e-3, 1e-2, 3e-2)}  # Post-LN, Pre-LN
LEARNED = 1.0  # nats: well below guessing, log 10


def measure(row):
    """One row of the record, in a process of its own: the last loss, the step at which ten losses
    in a row first had a mean below LEARNED (None: never), and the mean scale of each LayerNorm, in
    the order of the layers. Each starts as ones."""
    torch.manual_seed(row["seed"])
    model = Sorter(row["norm_first"])
    settings = {name: row[name] for name in ("steps", "lr", "seed")} | {"weight_decay": 0.0}
    warmup = row["steps"] // 2
    losses = train(model, draw, loss_of, warmup=warmup, clip=math.inf, label="sorting", **settings)
    means = torch.tensor(losses).unfold(0, 10, 1).mean(dim=1)  # (steps - 9,)
    below = (means < LEARNED).nonzero()
    norms = [part for part in model.modules() if isinstance(part, nn.LayerNorm)]
    return row | {
        "loss": means[-1].item(),
        "learned_at": int(below[0]) + 9 if len(below) else None,
        "scales": [norm.weight.mean().item() for norm in norms],
    }


def plan():
    names = "norm_first", "lr", "steps", "seed"
    rates = [(first, rate) for first in RATES for rate in RATES[first]]
    return [
        dict(zip(names, (*rate, steps, seed))) for rate, steps, seed in product(rates, STEPS, SEEDS)
    ]


if __name__ == "__main__":
    record("norm-scales", plan(), measure, learned=LEARNED)
