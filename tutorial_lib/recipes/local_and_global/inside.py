"""What is written inside large patches: a TNT, and ViTs with as many operations.

Taught in chapter 07, after Han et al., Transformer in Transformer (NeurIPS 2021, 2103.00112).
Textures of 32 × 32 pixels have four patches of 16, a motif of 3 × 3 anywhere in each. Measure
again, half an hour on one core:

    python -m tutorial_lib.recipes.local_and_global.inside [textures] [weights] ...
"""

import sys
from functools import partial
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.data.textures import MOTIFS, textures
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.tnt import TNT
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes import shipped
from tutorial_lib.training.loop import train

SIDE, PATCH, BATCH, STEPS = 32, 16, 64, 1600
SETTINGS = dict(side=SIDE, patch=PATCH, copies=1, noise=0.3)
SEEDS = range(3)
CHECKPOINT = Path(__file__).with_name("inside.safetensors")


class Silent(nn.Module):
    """An attention that hears nobody and says nothing."""

    def forward(self, x, mask=None):
        return torch.zeros_like(x)


class Still(nn.Module):
    """An encoder layer that changes nothing."""

    def forward(self, x):
        return x


def tnt(inner=None):
    """16 pixel tokens of 16 features in a patch of 48; `inner` changes an inner layer."""
    model = TNT(SIDE, PATCH, 1, len(MOTIFS), 48, 2, 4, 96, stride=4, inner_dim=16, inner_heads=2)
    for block in model.encoder if inner else ():
        inner(block)
    return model


def silence(block):
    block.inner.attention = Silent()


def remove(block):
    block.inner = Still()


def vit(patch, dim):
    return ViT(SIDE, patch, 1, len(MOTIFS), dim, 2, 4, 2 * dim)


MODELS = {
    "TNT": tnt,
    "ViT": partial(vit, PATCH, 96),
    "ViT, patches of 8": partial(vit, 8, 52),
    "TNT, no inner attention": partial(tnt, silence),
    "TNT, no inner layers": partial(tnt, remove),
}
RIVALS = ("TNT", "ViT", "ViT, patches of 8")
CONTROLS = ("TNT, no inner attention", "TNT, no inner layers", "TNT, pixels scrambled")


def operations(model):
    """Floating-point operations for one picture."""
    plain = sdpa_kernel(SDPBackend.MATH)  # the counter cannot see into a fused kernel
    with FlopCounterMode(display=False) as counter, plain, torch.no_grad():
        model(torch.zeros(1, 1, SIDE, SIDE))
    return counter.get_total_flops()


def loss_of(model, images, labels):
    return F.cross_entropy(model(images), labels)


def share_right(model, images, labels):
    """The share of these pictures that a model tells right."""
    model.cpu().eval()
    with torch.no_grad():
        return (model(images).argmax(-1) == labels).float().mean().item()


def scrambled(images, patch=PATCH, seed=0):
    """Images (B, 1, H, W) with the pixels of every patch in another order, the same for all."""
    B, _, H, W = images.shape
    order = torch.randperm(patch * patch, generator=torch.Generator().manual_seed(seed))
    x = images.reshape(B, H // patch, patch, W // patch, patch).transpose(2, 3)
    x = x.flatten(3)[..., order].unflatten(3, (patch, patch))
    return x.transpose(2, 3).reshape(B, 1, H, W)


def learn(name, lr, steps, seed):
    """A model trained on fresh textures, and its accuracy on 2,000 more."""
    torch.manual_seed(seed)
    name, _, pixels = name.partition(", pixels ")
    model = MODELS[name]()

    def draw(generator, count=BATCH):
        images, labels = textures(count, generator, **SETTINGS)
        return (scrambled(images) if pixels else images), labels

    train(model, draw, loss_of, steps=steps, lr=lr, seed=seed)
    return model, share_right(model, *draw(torch.Generator().manual_seed(10_000 + seed), 2000))


def measure(row):
    """One row of the record, in a process of its own."""
    model, found = learn(row["model"], row["lr"], row["steps"], row["seed"])
    size = sum(p.numel() for p in model.parameters())
    return row | dict(operations=operations(model), parameters=size, accuracy=found)


def load(path=CHECKPOINT):
    """A trained TNT, and what is recorded of its training."""
    return shipped.load(path, tnt())


def ship(path=CHECKPOINT):
    """Train it and save it, a minute."""
    settings = dict(lr=2e-3, steps=STEPS, seed=0)
    model, found = learn("TNT", **settings)
    recipe = "tutorial_lib.recipes.local_and_global.inside"
    shipped.save(path, model, recipe=recipe, accuracy=f"{found:.4f}", **settings)


def rows(models, rates, steps):
    return [
        dict(model=name, lr=lr, steps=steps, seed=seed)
        for seed, name, lr in product(SEEDS, models, rates)
    ]


RECORDS = {
    "textures": rows(("TNT", "ViT, patches of 8"), (1e-3, 2e-3), STEPS)
    + rows(("ViT",), (5e-4, 1e-3, 2e-3), STEPS),
    "textures-controls": rows(CONTROLS, (1e-3,), STEPS),
    "textures-longer": rows(("TNT", "ViT"), (1e-3,), 4 * STEPS),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or (*RECORDS, "weights"):
        if name == "weights":
            ship()
        else:
            record(name, RECORDS[name], measure, ["--processes", "1"])
