"""A transformer in a transformer built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.data.textures import textures
from tutorial_lib.notebook.claims import steps

SMALL = dict(side=16, patch=8, copies=1)  # four patches, one motif in each


def random_images(count):
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def each_alone(model):
    """Whether a picture's logits stay when other pictures are in the batch."""
    images = random_images(4)
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


@torch.no_grad()
def hears_its_own_patch(model):
    """Whether a pixel in a corner of patch 1 moves all pixel tokens of that patch and no other."""
    images = random_images(8)
    changed = images.clone()
    changed[:, :, 0, 15] += 3
    moved = (model.pixels(images) != model.pixels(changed)).any(-1).any(0)  # (4, tokens)
    return moved.shape[1] > 1 and bool(moved[1].all()) and int(moved.sum()) == moved.shape[1]


@torch.no_grad()
def reads_its_pixels_alone(model):
    """Whether all pictures look the same to the model when its pixel tokens do."""
    images = random_images(4)
    same = model.pixels(images[:1]).expand(4, -1, -1, -1)
    model.pixels = lambda images: same  # hides the class's own
    try:
        logits = model(images)
    finally:
        del model.pixels
    return torch.allclose(logits[:1].expand_as(logits), logits, atol=1e-4)


@torch.no_grad()
def accuracy(model):
    images, labels = textures(1000, torch.Generator().manual_seed(1), **SMALL)
    return (model(images).argmax(-1) == labels).float().mean().item()


def tnt_from_nothing():
    """Build a transformer in a transformer from an empty cell and train it on textures.
    `textures(64, generator, side=16, patch=8, copies=1)` draws images (64, 1, 16, 16) of four
    patches and labels (64,) in 0 … 3, new ones each time. It gives logits (B, 4), has 10,000 to
    200,000 parameters, and is right for at least 80 % of the test pictures, which you do not see.
    It has a method `pixels(images)` that gives pixel tokens (B, 4, tokens of a patch, features),
    two or more in each patch: each has heard of all pixels of its own patch, and of no other patch.
    `forward` calls `pixels`, and all that follows starts from these tokens alone: let `pixels` end
    behind the first inner layer. Fifteen seconds of training are enough. How you build it is
    yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def layer(dim):
        return nn.TransformerEncoderLayer(
            dim, 2, 4 * dim, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )

    class TNTFromNothing(nn.Module):
        def __init__(self, c=16, dim=48):
            super().__init__()
            self.look = nn.Conv2d(1, c, 7, stride=4, padding=3)
            self.inside = nn.Parameter(0.02 * torch.randn(4, c))
            self.inner = layer(c)
            norms = nn.LayerNorm(4 * c), nn.LayerNorm(dim)
            self.join = nn.Sequential(norms[0], nn.Linear(4 * c, dim), norms[1])
            self.first = nn.Parameter(0.02 * torch.randn(1, 1, dim))
            self.places = nn.Parameter(0.02 * torch.randn(5, dim))
            self.outer = nn.Sequential(layer(dim), layer(dim))
            self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4))

        def pixels(self, images):
            patches = images.reshape(-1, 2, 8, 2, 8).transpose(2, 3).reshape(-1, 1, 8, 8)
            y = self.look(patches).flatten(2).mT + self.inside  # (B · 4, 4, c)
            return self.inner(y).unflatten(0, (-1, 4))

        def forward(self, images):
            x = self.join(self.pixels(images).flatten(2))  # (B, 4, dim)
            x = torch.cat([self.first.expand(len(x), -1, -1), x], dim=1) + self.places
            return self.out(self.outer(x)[:, 0])

    torch.manual_seed(0)
    built, generator = TNTFromNothing(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(built.parameters(), lr=3e-3)
    for _ in range(steps(300)):
        images, labels = textures(64, generator, side=16, patch=8, copies=1)
        loss = F.cross_entropy(built(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


tnt_from_nothing = FromNothing(
    tnt_from_nothing,
    minutes=20,
    shapes=(torch.zeros(2, 1, 16, 16), (2, 4)),
    parameters=(10_000, 200_000),
    properties={
        "each picture is judged alone": each_alone,
        "a pixel token has heard of its whole patch, and of no other": hears_its_own_patch,
        "the logits are made of the pixel tokens alone": reads_its_pixels_alone,
    },
    accuracy=accuracy,
    wanted=0.8,
)
