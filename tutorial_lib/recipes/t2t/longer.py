"""Ability or speed? Comparisons of chapter 09 once more, four times as long or at other rates.

Half an hour on one core:

    python -m tutorial_lib.recipes.t2t.longer [bars-longer] [channel-longer] ...
"""

import sys
from functools import partial
from itertools import product

import torch

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.t2t import announced_channel, crossing_bars, t2t_variants
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

SEEDS = range(3)
BARS = ("hard split", "hard split, LayerNorm", "T2T", "T2T, no LayerNorm")
SPLITS = ("plain", "no LayerNorm", "no overlap", "no overlap, no LayerNorm", "hard split")
IN_A_CNN = ("plain", "dense", "squeeze-excitation", "ghost")


def t2t():
    return t2t_variants.t2t([EncoderLayer(64, 4, 128) for _ in range(4)], 64)


BACKBONES = {  # as in benchmarks/backbones.py
    "T2T-ViT": t2t,
    "ViT, patch 7": partial(ViT, 28, 7, 1, 10, dim=64, depth=4, heads=4, hidden=128),
}


def bars():
    """Clean bars 480 steps, noisy ones 1,440; T2T with noise also at twice the rate."""
    cases = [(name, noise, crossing_bars.LR) for noise, name in product((0.1, 0.0), BARS)]
    cases.append(("T2T", 0.1, 2 * crossing_bars.LR))
    return [
        dict(
            model=name,
            places=crossing_bars.ACROSS,
            noise=noise,
            pixels=crossing_bars.NORMALISED,
            steps=4 * crossing_bars.STEPS[noise],
            lr=lr,
            seed=seed,
        )  # fmt: skip
        for seed, (name, noise, lr) in product(SEEDS, cases)
    ]


def channel():
    """Three distractors, 3,200 steps."""
    models, steps = announced_channel.MODELS, 4 * announced_channel.STEPS
    return [
        dict(model=name, channels=4, lr=lr, steps=steps, seed=seed)
        for seed, name, lr in product(SEEDS, models, (1e-2, 2e-2))
    ]


def splits():
    """How tokens are made: 200 steps at twice the usual rate, and 800 at the usual one."""
    cases = product(SEEDS, SPLITS, ((200, 4e-3), (800, 2e-3)))
    return [
        dict(family="T2T-ViT", variant=name, lr=lr, steps=steps, seed=seed)
        for seed, name, (steps, lr) in cases
    ]


def cnns():
    """Four CNNs, 800 steps."""
    lr, steps = t2t_variants.RATES["CNN"], 4 * t2t_variants.STEPS
    return [
        dict(family="CNN", variant=name, lr=lr, steps=steps, seed=seed)
        for seed, name in product(SEEDS, IN_A_CNN)
    ]


def against_vit():
    """The two of section 5, on 20,000 pictures, at the rates beside the one of the backbones."""
    return [
        dict(model=name, lr=lr, steps=1000, seed=seed)
        for seed, name, lr in product(SEEDS, BACKBONES, (1e-3, 4e-3))
    ]


def learn_clothes(row):
    """One row of that record: accuracy on the 2,000 test pictures."""
    torch.manual_seed(row["seed"])
    model, steps = BACKBONES[row["model"]](), row["steps"]
    settings = dict(steps=steps, lr=row["lr"], warmup=steps // 10, seed=row["seed"])
    train(model, draw(*pictures("train")), loss_of, **settings)
    return row | {"accuracy": accuracy(model, *pictures("test"))}


RECORDS = {  # name -> what is trained, and by what
    "bars-longer": (bars, crossing_bars.measure),
    "channel-longer": (channel, announced_channel.measure),
    "splits-longer": (splits, t2t_variants.measure),
    "cnns-longer": (cnns, t2t_variants.measure),
    "t2t-against-vit": (against_vit, learn_clothes),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or RECORDS:
        plan, measure = RECORDS[name]
        record(name, plan(), measure, ["--processes", "1"])
