"""Which channel counts is said far from where it counts: what squeeze-and-excitation is for.

Taught in chapter 09, after Hu et al., Squeeze-and-Excitation Networks (CVPR 2018, 1709.01507). An
image has one channel of signal among distractors, each with stripes in one of four directions at
the bottom; a white band at the top of one channel says whose stripes are asked for. Measure again,
a few minutes on two cores:

    python -m tutorial_lib.recipes.t2t.announced_channel [--out FILE]
"""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.measuring.records import record
from tutorial_lib.training.loop import train

SIDE, BAND, GAP, DIRECTIONS, WIDTH = 14, 2, 5, 4, 16  # pixels; channels inside the network
STEPS, BATCH, CHANNELS, SEEDS = 800, 32, (2, 4), range(3)
RATES = (3e-3, 1e-2, 2e-2, 4e-2)  # of learning: what suits one model does not suit another
MODELS = ("plain", "a hidden layer in the head", "squeeze-excitation")


def striped(count, channels, generator):
    """Images float32 (count, channels, 14, 14): a band in one channel, nothing, stripes of period
    4 pixels; the direction of the stripes in the channel with the band, int64 (count,)."""
    direction = torch.randint(DIRECTIONS, (count, channels), generator=generator)
    chosen = torch.randint(channels, (count, 1), generator=generator)
    angle = (direction * math.pi / DIRECTIONS)[..., None, None]
    phase = 2 * math.pi * torch.rand(count, channels, 1, 1, generator=generator)
    pixels = torch.arange(float(SIDE))
    position = pixels[:, None] * angle.sin() + pixels * angle.cos()  # (count, channels, 14, 14)
    images = torch.sin(math.pi / 2 * position + phase)
    images[:, :, : BAND + GAP] = 0
    images[:, :, :BAND] = 2.0 * (chosen == torch.arange(channels))[..., None, None]
    return images, direction.gather(1, chosen)[:, 0]


class Reader(nn.Module):
    """Two 3 × 3 convolutions, so a feature sees 5 × 5 pixels: band or stripes, never both. Then the
    mean over all places: without a gate, a linear head adds up what the places say."""

    def __init__(self, kind: str, channels: int):
        super().__init__()
        layers = []
        for c in (channels, WIDTH):
            layers += [nn.Conv2d(c, WIDTH, 3, padding=1), nn.ReLU()]
            if kind == "squeeze-excitation":
                layers.append(SqueezeExcitation(WIDTH, 1))
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(WIDTH, DIRECTIONS)
        if kind == "a hidden layer in the head":
            self.head = nn.Sequential(nn.Linear(WIDTH, 36), nn.ReLU(), nn.Linear(36, DIRECTIONS))

    def forward(self, images):
        """images (B, channels, 14, 14)  ->  logits (B, 4)"""
        return self.head(self.layers(images).mean(dim=(2, 3)))


def measure(row):
    """One row of the record, in a process of its own: accuracy on 2,000 fresh images."""
    torch.manual_seed(row["seed"])
    channels = row["channels"]
    model = Reader(row["model"], channels)

    def draw(generator):
        return striped(BATCH, channels, generator)

    def loss_of(model, images, direction):
        return F.cross_entropy(model(images), direction)

    steps = row.get("steps", STEPS)
    train(model, draw, loss_of, steps=steps, lr=row["lr"], seed=row["seed"])
    images, direction = striped(2000, channels, torch.Generator().manual_seed(10_000))
    with torch.no_grad():
        accuracy = (model.cpu()(images).argmax(-1) == direction).float().mean().item()
    parameters = sum(p.numel() for p in model.parameters())
    return row | {"parameters": parameters, "accuracy": accuracy}


def plan():
    return [
        {"model": name, "channels": channels, "lr": lr, "seed": seed}
        for seed, channels, name, lr in product(SEEDS, CHANNELS, MODELS, RATES)
    ]


if __name__ == "__main__":
    record("announced-channel", plan(), measure, steps=STEPS, batch=BATCH)
