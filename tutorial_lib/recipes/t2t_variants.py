"""Ideas from convolutional networks on T2T-ViT, and where they come from: a recorded figure.

Taught in chapter 09, after Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.2.
Small models on 2,000 pictures of Fashion-MNIST. Measure again, five minutes on two cores:

    python -m tutorial_lib.recipes.t2t_variants [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.layers.ghost import GhostModule
from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenTransformer
from tutorial_lib.models.backbones.t2t_variants import (
    GhostLayer,
    SqueezeExcitationLayer,
    dense_layers,
)
from tutorial_lib.recipes.recording import record
from tutorial_lib.training import train

PICTURES, STEPS, BATCH, SEEDS = 2000, 200, 64, range(3)
SOFT, HARD = ((7, 4, 2), (3, 2, 1)), ((7, 7, 0),)  # both give 4 × 4 tokens of 28 × 28 pixels


def t2t(layers, dim=48, dim_out=None, splits=SOFT):
    """A T2T-ViT for Fashion-MNIST with these encoder layers."""
    embed = T2TModule(1, splits, 16, dim, TokenTransformer)
    return T2TViT(embed, layers, dim, 10, dim_out)


def deep(layer=EncoderLayer, heads=4, splits=SOFT, **more):
    """Four layers of 48 features."""
    return t2t([layer(48, heads, 96, **more) for _ in range(4)], splits=splits)


def dense():
    layers, dim_out = dense_layers(40, 4, 16, (2, 2))
    return t2t(layers, 40, dim_out)


class DenseUnit(nn.Module):
    """What was given, and the maps that a unit makes of it: (B, c, H, W)  ->  (B, c + g, H, W)."""

    def __init__(self, unit):
        super().__init__()
        self.unit = unit

    def forward(self, x):
        return torch.cat([x, self.unit(x)], dim=1)


def unit(channels, out, convolution, *more):
    """Convolution, batch norm, ReLU: (B, channels, H, W)  ->  (B, out, H, W)."""
    return nn.Sequential(convolution(channels, out), nn.BatchNorm2d(out), nn.ReLU(), *more)


def cnn(make, growth=0):
    """A convolution with stride 2, two stages of two units with a pool between them, the mean.

    make    make(channels, out) -> a unit
    growth  0, or how many channels a unit adds to those it was given
    """
    stem = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1, bias=False)
    layers, c = [unit(1, 24, stem)], 24
    for stage in range(2):
        if stage > 0:
            layers.append(nn.AvgPool2d(2))
        for _ in range(2):
            layers.append(DenseUnit(make(c, growth)) if growth else make(c, c))
            c = c + growth
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


full = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
ghosts = partial(GhostModule, kernel=3, cheap_kernel=3, ratio=2)

MODELS = {  # family and variant -> a fresh model
    ("T2T-ViT", "plain"): deep,
    ("T2T-ViT", "hard split"): partial(deep, splits=HARD),
    ("T2T-ViT", "dense"): dense,
    ("T2T-ViT", "wide"): lambda: t2t([EncoderLayer(96, 4, 192)], 96),
    ("T2T-ViT", "16 heads"): partial(deep, heads=16),
    ("T2T-ViT", "squeeze-excitation"): partial(deep, SqueezeExcitationLayer, reduction=4),
    ("T2T-ViT", "ghost"): partial(deep, GhostLayer, ratio=2),
    ("CNN", "plain"): lambda: cnn(partial(unit, convolution=full)),
    ("CNN", "dense"): lambda: cnn(partial(unit, convolution=full), growth=13),
    ("CNN", "squeeze-excitation"): lambda: cnn(
        lambda c, out: unit(c, out, full, SqueezeExcitation(out, 4))
    ),
    ("CNN", "ghost"): lambda: cnn(partial(unit, convolution=ghosts)),
}
RATES = {"T2T-ViT": 2e-3, "CNN": 5e-3}


def body(model):
    """Parameters of the encoder's layers, or of a CNN: what the variants change."""
    layers = model.encoder if isinstance(model, T2TViT) else model
    return sum(p.numel() for p in layers.parameters())


def measure(row):
    """One row of the record, in a process of its own: accuracy on the 2,000 test pictures."""
    torch.manual_seed(row["seed"])
    images, labels = fashion_mnist("train", PICTURES)
    model = MODELS[row["family"], row["variant"]]()

    def draw(generator):
        chosen = torch.randint(PICTURES, (BATCH,), generator=generator)
        return images[chosen, None], labels[chosen]

    def loss_of(model, images, labels):
        return F.cross_entropy(model(images), labels)

    lr = RATES[row["family"]]
    train(model, draw, loss_of, steps=STEPS, lr=lr, seed=row["seed"])
    model.eval()
    images, labels = fashion_mnist("test")
    device = next(model.parameters()).device
    with torch.no_grad():
        found = model(images[:, None].to(device)).argmax(-1).cpu()
    accuracy = (found == labels).float().mean().item()
    return row | {"parameters": body(model), "accuracy": accuracy}


def plan():
    return [
        {"family": family, "variant": variant, "seed": seed}
        for seed, (family, variant) in product(SEEDS, MODELS)
    ]


if __name__ == "__main__":
    record("t2t-variants", plan(), measure, pictures=PICTURES, steps=STEPS, batch=BATCH)
