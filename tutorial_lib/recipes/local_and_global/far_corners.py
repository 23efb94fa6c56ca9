"""The same shape in two far corners? Twins, CAT and RegionViT, and each with its long way cut.

Taught in chapter 07, after Chu et al., Twins (NeurIPS 2021, 2104.13840), Lin et al., CAT (ICME
2022, 2106.05786), and Chen, Panda, Fan, RegionViT (ICLR 2022, 2106.02689). Measure again, a quarter
of an hour on one core:

    python -m tutorial_lib.recipes.local_and_global.far_corners [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.corners import corners
from tutorial_lib.layers.local_attention import LocalAttention, MapLayer
from tutorial_lib.layers.positions import LearnedPositions
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cat import CAT
from tutorial_lib.models.backbones.regionvit import RegionalToLocal, RegionViT
from tutorial_lib.models.backbones.twins import Twins
from tutorial_lib.training.loop import train

IMAGES = dict(side=18, margin=5, noise=0.1)  # of `corners`: shapes always at the same place
PATCH, WINDOW = 3, 2  # pixels, tokens: a shape of 5 × 5 pixels lies within a window
DIM, HEADS, HIDDEN = 32, 4, 64
BATCH, SEEDS, RATES = 64, range(3), (6e-3, 3e-3)
STEPS, LONGER = 300, 1200
HIDDEN_HEAD, CONVOLVED = "LSA only, hidden layer in the head", "LSA only, with the convolution"
FAR = ("Twins-SVT", "CAT", "RegionViT")  # models, and the same without their long way
NEAR = ("Twins, LSA only", "CAT, IPSA only", "RegionViT, regions apart")


def twins(windows=(WINDOW,)):
    """One stage of four layers, so that no later stage has windows as large as the map."""
    shape = dict(dims=(DIM,), depths=(4,), heads=(HEADS,), summary=(WINDOW,), ratio=(2,))
    return Twins(1, 2, PATCH, windows=windows, **shape)


class Table(nn.Module):
    """Positions that tell a token nothing of its neighbours: a learned vector for each place."""

    def __init__(self):
        super().__init__()
        self.positions = LearnedPositions((IMAGES["side"] // PATCH) ** 2, DIM)

    def forward(self, x):
        return x + self.positions().view(x.shape[1:])


def lsa_only(convolve=False):
    """Windows in place of summaries: all four layers are LSA. `convolve`: with Twins' positions,
    whose convolution looks one token over the border of a window; else with a table."""
    model = twins()
    for i in (1, 3):
        inside = LocalAttention(DIM, HEADS, WINDOW, relative=False)
        model.stages[0].layers[i] = MapLayer(inside, DIM, HIDDEN)
    if not convolve:
        model.stages[0].positions = Table()
    return model


def hidden_head():
    """Windows only, and a hidden layer behind the mean of the tokens."""
    model = lsa_only()
    model.head = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 2))
    return model


def cat():
    """Twice inner, cross, inner."""
    return CAT(1, 2, PATCH, DIM, WINDOW, depths=(2,), heads=(HEADS,), ratio=2)


def cat_inner_only():
    """Inner attention in place of the cross attention: all six layers are IPSA."""
    model = cat()
    for i in (1, 4):
        inside = LocalAttention(DIM, HEADS, WINDOW, relative=True)
        model.stages[0][i] = MapLayer(inside, DIM, HIDDEN)
    return model


class Apart(RegionalToLocal):
    """R2L whose regional tokens hear themselves alone in the first step."""

    def forward(self, regional, local):
        each = super().forward(regional.flatten(0, 1)[:, None], local.flatten(0, 1)[:, None])
        return each[0].view_as(regional), each[1].view_as(local)


def regionvit(layer=RegionalToLocal):
    """Four layers."""
    shape = dict(dims=(DIM,), depths=(4,), heads=(HEADS,), ratio=2)
    model = RegionViT(1, 2, PATCH, WINDOW, **shape)
    model.stages[0] = nn.ModuleList(layer(DIM, HEADS, HIDDEN, WINDOW) for _ in range(4))
    return model


MODELS = {  # name -> how it is made
    "Twins-SVT": twins,
    "Twins-PCPVT": partial(twins, None),
    "Twins, LSA only": lsa_only,
    "CAT": cat,
    "CAT, IPSA only": cat_inner_only,
    "RegionViT": regionvit,
    "RegionViT, regions apart": partial(regionvit, Apart),
    HIDDEN_HEAD: hidden_head,
    CONVOLVED: partial(lsa_only, convolve=True),
}


def learn(name, seed, lr, steps, label="training"):
    """A trained model of MODELS; its loss and accuracy on 2,000 fresh images. Training images are
    fresh too."""
    torch.manual_seed(seed)
    model = MODELS[name]()

    def loss_of(model, images, labels):
        return F.cross_entropy(model(images), labels)

    draw = partial(corners, BATCH, **IMAGES)
    train(model, draw, loss_of, steps=steps, lr=lr, seed=seed, label=label)
    images, labels = corners(2000, torch.Generator().manual_seed(10_000 + seed), **IMAGES)
    model.cpu().eval()
    with torch.no_grad():
        logits = model(images)
    right = (logits.argmax(-1) == labels).float().mean().item()
    return model, F.cross_entropy(logits, labels).item(), right


def measure(row):
    """One row of the record, in a process of its own."""
    model, loss, accuracy = learn(row["model"], row["seed"], row["lr"], row["steps"])
    parameters = sum(p.numel() for p in model.parameters())
    return row | {"parameters": parameters, "loss": loss, "accuracy": accuracy}


def plan():
    """With and without a long way; two controls, also four times as long; the other rate; PCPVT."""
    cases = [(name, RATES[0], STEPS) for name in (*FAR, *NEAR, HIDDEN_HEAD)]
    cases += [(CONVOLVED, RATES[0], LONGER)]
    cases += [(name, RATES[1], STEPS) for name in FAR]
    cases += [("Twins-PCPVT", RATES[0], STEPS)]
    cases += [(HIDDEN_HEAD, RATES[1], steps) for steps in (STEPS, LONGER)]
    return [
        dict(model=name, lr=lr, steps=steps, seed=seed)
        for (name, lr, steps), seed in product(cases, SEEDS)
    ]


if __name__ == "__main__":
    record("far-corners", plan(), measure)
