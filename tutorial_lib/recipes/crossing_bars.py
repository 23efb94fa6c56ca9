"""Short bars across the borders of patches: T2T against a hard split, without and with noise.

Taught in chapter 09, after Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986). Measure again,
a few minutes on two cores:

    python -m tutorial_lib.recipes.crossing_bars [--out FILE]
"""

import math
from itertools import product

import torch
import torch.nn.functional as F

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenTransformer
from tutorial_lib.recipes.recording import record
from tutorial_lib.training import train

SIDE, PATCH, LENGTH = 28, 7, 5  # pixels
STEPS, BATCH, LR, NOISES, SEEDS = 120, 48, 2e-3, (0.0, 0.1), range(3)

HARD = ((7, 7, 0),)  # window, stride, padding of each split: both make 16 tokens
SOFT = ((7, 4, 2), (3, 2, 1), (3, 1, 1))
MODELS = {"hard split": (HARD, 3), "T2T": (SOFT, 2)}  # splits, and layers: about equal in size


def centres(count, crossing, generator):
    """Middles of bars, as (row, column): on a border between two patches and anywhere along it, or
    in the middle of a patch; half a pixel of jitter each way  ->  (count, 2)."""
    jitter = torch.rand(count, 2, generator=generator) - 0.5
    if not crossing:
        return torch.randint(4, (count, 2), generator=generator) * PATCH + 3 + jitter
    border = torch.randint(1, 4, (count, 2), generator=generator) * PATCH - 0.5 + jitter
    along = 3 + 21 * torch.rand(count, 2, generator=generator)
    is_row = torch.randint(2, (count, 1), generator=generator) == torch.arange(2)
    return torch.where(is_row, border, along)


def bars(count, crossing, generator, noise=0.0):
    """Bars in one of four directions, 0, 45, 90 or 135 degrees, on black.

    ->  images float32 (count, 1, 28, 28), white is 1; which direction, int64 (count,)
    """
    direction = torch.randint(4, (count,), generator=generator)
    cos, sin = (f(direction * math.pi / 4)[:, None, None] for f in (torch.cos, torch.sin))
    pixels = torch.arange(float(SIDE))
    row, column = centres(count, crossing, generator).unbind(1)
    dy, dx = pixels[:, None] - row[:, None, None], pixels - column[:, None, None]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin  # (count, 28, 28)
    images = torch.exp(-((across / 0.7) ** 2)) * torch.sigmoid(4 * (LENGTH / 2 - along.abs()))
    return (images + noise * torch.randn(images.shape, generator=generator))[:, None], direction


def learn(name, crossing, noise, seed, steps=STEPS, label="training"):
    """A trained model, and its accuracy on 1,000 fresh bars. Training bars are fresh too."""
    torch.manual_seed(seed)
    splits, depth = MODELS[name]
    embed = T2TModule(1, splits, 16, 48, TokenTransformer)
    model = T2TViT(embed, [EncoderLayer(48, 4, 96) for _ in range(depth)], 48, 4)

    def draw(generator):
        return bars(BATCH, crossing, generator, noise)

    def loss_of(model, images, direction):
        return F.cross_entropy(model(images), direction)

    train(model, draw, loss_of, steps=steps, lr=LR, seed=seed, label=label)
    images, direction = bars(1000, crossing, torch.Generator().manual_seed(10_000 + seed), noise)
    model.cpu().eval()
    with torch.no_grad():
        return model, (model(images).argmax(-1) == direction).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    torch.set_num_threads(1)
    return row | {"accuracy": learn(row["model"], True, row["noise"], row["seed"])[1]}


def plan():
    return [
        {"model": name, "noise": noise, "seed": seed}
        for seed, noise, name in product(SEEDS, NOISES, MODELS)
    ]


if __name__ == "__main__":
    record("crossing-bars", plan(), measure, steps=STEPS, batch=BATCH)
