"""Ideas from convolutional networks on T2T-ViT, and where they come from: a recorded figure.

Taught in chapter 09, after Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.2.
Small models on 2,000 pictures of Fashion-MNIST. Measure again, ten minutes on two cores:

    python -m tutorial_lib.recipes.t2t.t2t_variants [--out FILE]
"""

from functools import partial
from itertools import product

import torch
from torch import nn

from tutorial_lib.layers.ghost import GhostModule
from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.t2t import (
    T2TModule,
    T2TViT,
    TokenPerformer,
    TokenTransformer,
)
from tutorial_lib.models.backbones.t2t_variants import (
    BareTokenTransformer,
    GhostLayer,
    SqueezeExcitationLayer,
    dense_layers,
)
from tutorial_lib.recipes.vit.data_size import BATCH, accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

PICTURES, STEPS, SEEDS = 2000, 200, range(3)

# Window, stride, padding of each split. All give 4 × 4 tokens of 28 × 28 pixels, the first two on
# the same grids: 7 × 7 tokens on the way.
SOFT, APART, HARD = ((7, 4, 2), (3, 2, 1)), ((4, 4, 0), (2, 2, 1)), ((7, 7, 0),)


def t2t(layers, dim=48, dim_out=None, **embedding):
    """A T2T-ViT for Fashion-MNIST with these encoder layers."""
    settings = dict(splits=SOFT, token_dim=16, token_layer=TokenTransformer) | embedding
    return T2TViT(T2TModule(channels=1, dim=dim, **settings), layers, dim, 10, dim_out)


def deep(layer=EncoderLayer, heads=4, embedding=None, **more):
    """Four layers of 48 features."""
    return t2t([layer(48, heads, 96, **more) for _ in range(4)], **(embedding or {}))


def other_tokens(**embedding):
    """The same layers behind tokens that were made in another way."""
    return partial(deep, embedding=embedding)


bare_tokens = partial(other_tokens, token_layer=BareTokenTransformer)


def wide(layers, dim):
    """Fewer and wider layers."""
    return t2t([EncoderLayer(dim, 4, 2 * dim) for _ in range(layers)], dim)


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
    ("T2T-ViT", "no LayerNorm"): bare_tokens(),
    ("T2T-ViT", "no overlap"): other_tokens(splits=APART),
    ("T2T-ViT", "no overlap, no LayerNorm"): bare_tokens(splits=APART),
    ("T2T-ViT", "no overlap, longer tokens"): other_tokens(splits=APART, token_dim=28),
    ("T2T-ViT", "no overlap, longer tokens, no LayerNorm"): bare_tokens(splits=APART, token_dim=28),
    ("T2T-ViT", "hard split"): other_tokens(splits=HARD),
    ("T2T-ViT", "Performer"): other_tokens(token_layer=TokenPerformer),
    ("T2T-ViT", "dense"): dense,
    ("T2T-ViT", "two wide layers"): partial(wide, 2, 68),
    ("T2T-ViT", "one wide layer"): partial(wide, 1, 96),
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


def measure(row):
    """One row of the record, in a process of its own: accuracy on the 2,000 test pictures."""
    torch.manual_seed(row["seed"])
    model = MODELS[row["family"], row["variant"]]()
    batches = draw(*pictures("train", PICTURES))
    steps, lr = row.get("steps", STEPS), row.get("lr", RATES[row["family"]])
    train(model, batches, loss_of, steps=steps, lr=lr, seed=row["seed"])
    parameters = sum(p.numel() for p in model.parameters())
    return row | {"parameters": parameters, "accuracy": accuracy(model, *pictures("test"))}


def plan():
    return [
        {"family": family, "variant": variant, "seed": seed}
        for seed, (family, variant) in product(SEEDS, MODELS)
    ]


if __name__ == "__main__":
    record("t2t-variants", plan(), measure, pictures=PICTURES, steps=STEPS, batch=BATCH)
