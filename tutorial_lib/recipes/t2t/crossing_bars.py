"""Short bars across the borders of patches: hard and soft splits, clean and with noise.

Taught in chapter 09, after Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986). Measure again,
a few minutes on two cores:

    python -m tutorial_lib.recipes.t2t.crossing_bars [--out FILE]
"""

import math
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.soft_split import SoftSplit
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenTransformer
from tutorial_lib.models.backbones.t2t_variants import BareTokenTransformer
from tutorial_lib.training.loop import train

SIDE, PATCH, LENGTH = 28, 7, 5  # pixels
MEAN, STD = 0.0079, 0.0706  # of the bars' pixels, without noise
BATCH, LR, SEEDS = 48, 2e-3, range(3)
STEPS = {0.0: 120, 0.1: 360}  # noise -> steps of training
ACROSS, FEW, INSIDE = "across", "across, few places", "inside"  # where bars stand, see `centres`
NORMALISED, SCALED, CENTRED, RAW = "normalised", "scaled", "centred", "raw"

HARD = ((7, 7, 0),)  # window, stride, padding of each split: all make 16 tokens
SOFT = ((7, 4, 2), (3, 2, 1), (3, 1, 1))
APART = ((4, 4, 0), (2, 2, 1), (1, 1, 0))  # the grids of SOFT, and nothing overlaps


def t2t(splits, token_dim=16, token_layer=TokenTransformer):
    """Images (B, 1, 28, 28) to 16 tokens of 48 features."""
    return T2TModule(1, splits, token_dim, 48, token_layer)


def normed():
    """The hard split with what a token layer begins with: every patch to mean 0, variance 1."""
    return nn.Sequential(SoftSplit(PATCH, PATCH, 0), nn.LayerNorm(49), nn.Linear(49, 48))


MODELS = {  # name -> how tokens are made, and how many layers follow: about equal in size
    "hard split": (partial(t2t, HARD), 3),
    "hard split, LayerNorm": (normed, 3),
    "T2T, no overlap": (partial(t2t, APART, 32), 2),
    "T2T, no overlap, no LayerNorm": (partial(t2t, APART, 32, BareTokenTransformer), 2),
    "T2T": (partial(t2t, SOFT), 2),
    "T2T, no LayerNorm": (partial(t2t, SOFT, token_layer=BareTokenTransformer), 2),
}


def centres(count, places, generator):
    """Middles of bars, as (row, column), with half a pixel of jitter  ->  (count, 2).

    places  INSIDE: in the middle of one of the 16 patches, which a bar of 5 pixels does not leave.
            ACROSS: on a border between two patches, anywhere along it. FEW: on a border at only 16
            places, on two of the three borders each way and along them in the middle of a patch.
    """
    jitter = torch.rand(count, 2, generator=generator) - 0.5
    if places == INSIDE:
        return torch.randint(4, (count, 2), generator=generator) * PATCH + PATCH // 2 + jitter
    last = 2 if places == FEW else 3
    border = torch.randint(1, last + 1, (count, 2), generator=generator) * PATCH - 0.5 + jitter
    if places == FEW:
        along = torch.randint(4, (count, 2), generator=generator) * PATCH + PATCH // 2 + jitter
    else:
        along = 3 + 21 * torch.rand(count, 2, generator=generator)
    is_row = torch.randint(2, (count, 1), generator=generator) == torch.arange(2)
    return torch.where(is_row, border, along)


def bars(count, places, generator, noise=0.0):
    """Bars in one of four directions, 0, 45, 90 or 135 degrees, on black.

    ->  images float32 (count, 1, 28, 28), white is 1; which direction, int64 (count,)
    """
    direction = torch.randint(4, (count,), generator=generator)
    cos, sin = (f(direction * math.pi / 4)[:, None, None] for f in (torch.cos, torch.sin))
    pixels = torch.arange(float(SIDE))
    row, column = centres(count, places, generator).unbind(1)
    dy, dx = pixels[:, None] - row[:, None, None], pixels - column[:, None, None]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin  # (count, 28, 28)
    images = torch.exp(-((across / 0.7) ** 2)) * torch.sigmoid(4 * (LENGTH / 2 - along.abs()))
    return (images + noise * torch.randn(images.shape, generator=generator))[:, None], direction


def normalise(images, noise, pixels=NORMALISED):
    """Pictures of bars with this noise to mean 0 (NORMALISED and CENTRED) and to standard deviation
    1 (NORMALISED and SCALED). RAW: as they are."""
    mean = MEAN if pixels in (NORMALISED, CENTRED) else 0
    std = math.hypot(STD, noise) if pixels in (NORMALISED, SCALED) else 1
    return (images - mean) / std


def learn(name, places, noise, seed, pixels=NORMALISED, steps=None, lr=LR, label="training"):
    """A trained model, and its accuracy on 1,000 fresh bars. Training bars are fresh too.

    name, places, noise  a model of MODELS, see `centres`, see `bars`
    pixels               what the model reads, see `normalise`
    steps, lr            of training: those of STEPS if not given; peak of the learning rate
    """
    torch.manual_seed(seed)
    embed, depth = MODELS[name]
    model = T2TViT(embed(), [EncoderLayer(48, 4, 96) for _ in range(depth)], 48, 4)

    def fresh(count, generator):
        images, direction = bars(count, places, generator, noise)
        return normalise(images, noise, pixels), direction

    def loss_of(model, images, direction):
        return F.cross_entropy(model(images), direction)

    steps = STEPS[noise] if steps is None else steps
    train(model, partial(fresh, BATCH), loss_of, steps=steps, lr=lr, seed=seed, label=label)
    images, direction = fresh(1000, torch.Generator().manual_seed(10_000 + seed))
    model.cpu().eval()
    with torch.no_grad():
        return model, (model(images).argmax(-1) == direction).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    settings = ("places", "noise", "seed", "pixels", "steps", "lr")
    model, accuracy = learn(row["model"], **{key: row[key] for key in settings if key in row})
    parameters = sum(p.numel() for p in model.parameters())
    return row | {"parameters": parameters, "accuracy": accuracy}


def plan():
    """All models across borders, and the hard split inside patches; places in few steps with noise;
    what the models read: two read raw pixels, T2T also those half-way to normalised."""
    settings = [
        (name, ACROSS, noise, NORMALISED, STEPS[noise]) for noise, name in product(STEPS, MODELS)
    ]
    settings += [("hard split", INSIDE, noise, NORMALISED, STEPS[noise]) for noise in STEPS]
    settings += [
        ("hard split", places, 0.1, NORMALISED, steps)
        for steps, places in product((30, 120), (ACROSS, FEW, INSIDE))
    ]
    settings += [(name, ACROSS, 0.0, RAW, 120) for name in ("hard split", "T2T")]
    settings += [("T2T", ACROSS, 0.0, pixels, 120) for pixels in (SCALED, CENTRED)]
    names = ("model", "places", "noise", "pixels", "steps")
    return [dict(zip(names, setting), seed=seed) for seed, setting in product(SEEDS, settings)]


if __name__ == "__main__":
    record("crossing-bars", plan(), measure)
