"""Linear against softmax attention in one small model that foretells pixels: a record.

Taught in chapter 38, after Katharopoulos et al., Transformers are RNNs (ICML 2020, 2006.16236),
table 1. Two lengths of training, each at three rates, so that each attention can be judged at its
best, and a third one at the best of before. Measure again, half an hour on one core:

    python -m tutorial_lib.recipes.linear_attention.against_softmax [--out FILE]
"""

from itertools import product

import torch

from tutorial_lib.layers.linear_attention import LinearAttention
from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.pixels import PixelModel, SoftmaxAttention
from tutorial_lib.recipes.linear_attention.pictures import (
    LEVELS,
    SIDE,
    bits_of_places,
    bits_per_pixel,
    draw,
    loss_of,
    pictures,
)
from tutorial_lib.training.loop import train

ATTENTIONS = {"linear": LinearAttention, "softmax": SoftmaxAttention}
SIZE = dict(rows=SIDE, columns=SIDE, levels=LEVELS, dim=48, depth=2, heads=3, hidden=96)
STEPS, RATES, SEEDS = (150, 600), (8e-3, 1.6e-2, 3.2e-2), range(3)
COUNT = 20_000
LONGEST, BEST = 1200, {"linear": 1.6e-2, "softmax": 8e-3}


def measure(row):
    """One row of the record, in a process of its own: bits a pixel on the test pictures."""
    torch.manual_seed(row["seed"])
    model = PixelModel(**SIZE, attention=ATTENTIONS[row["attention"]])
    learnt, unseen = pictures("train", COUNT), pictures("test", 1000)
    untrained = bits_per_pixel(model, unseen)
    settings = dict(steps=row["steps"], lr=row["lr"], warmup=row["steps"] // 10, seed=row["seed"])
    train(model, draw(learnt), loss_of, **settings, label=row["attention"])
    return row | {
        "bits": bits_per_pixel(model, unseen),
        "bits_on_learnt": bits_per_pixel(model, learnt[:1000]),
        "bits_untrained": untrained,
        "bits_of_places": bits_of_places(learnt, unseen),
    }


def plan():
    rows = [*product(ATTENTIONS, STEPS, RATES, SEEDS)]
    rows += [(name, LONGEST, BEST[name], seed) for seed in SEEDS for name in ATTENTIONS]
    return [dict(zip(("attention", "steps", "lr", "seed"), row)) for row in rows]


if __name__ == "__main__":
    record("linear-against-softmax", plan(), measure, count=COUNT)
