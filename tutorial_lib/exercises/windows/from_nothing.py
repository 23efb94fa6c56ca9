"""Windows that move, built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.data.marks import far_marks
from tutorial_lib.notebook.claims import steps

SIDE, WINDOW, TOKENS = 8, 4, 4  # pixels, pixels, tokens a side


def unseen(count):
    return far_marks(count, SIDE, WINDOW, torch.Generator().manual_seed(10_000))


def each_alone(model):
    """Whether a picture's logits stay when other pictures are in the batch."""
    images, _ = unseen(4)
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


@torch.no_grad()
def hearers(tokens_of, row, column):
    """Which tokens change with the pixel at (row, column): bool (TOKENS, TOKENS)."""
    images, _ = unseen(4)
    changed = images.clone()
    changed[..., row, column] += 3
    found = tokens_of(changed) != tokens_of(images)
    if found.ndim != 4 or found.shape[:3] != (4, TOKENS, TOKENS):
        raise ValueError(f"tokens are {tuple(found.shape)}, expected (4, {TOKENS}, {TOKENS}, dim)")
    return found.any(-1).any(0)


def stays_inside(model):
    """Whether each of some pixels is heard by all tokens of its own window and by no other."""
    half = WINDOW * TOKENS // SIDE
    for row, column in [(0, 0), (3, 4), (4, 3), (7, 7)]:
        own = torch.zeros(TOKENS, TOKENS, dtype=torch.bool)
        top, left = (half * (place // WINDOW) for place in (row, column))
        own[top : top + half, left : left + half] = True
        if not torch.equal(hearers(model.first, row, column), own):
            return False
    return True


def crosses(model):
    """Whether a pixel beside a border is heard in all four windows that meet near it."""
    half = TOKENS // 2
    heard = hearers(model.second, 3, 3)
    return all(bool(heard[i, j]) for i in (half - 1, half) for j in (half - 1, half))


def stays_apart(model):
    """Whether opposite corners and opposite edges of the picture are apart for two layers."""
    top, left = hearers(model.second, 0, 2), hearers(model.second, 2, 0)
    corner = hearers(model.second, 7, 7)
    return not (bool(top[-1].any()) or bool(left[:, -1].any()) or bool(corner[0, 0]))


def swin_from_nothing():
    """Build a model that attends in windows which move, from an empty cell, and train it on
    `far_marks(count, 8, 4, generator)`: images (count, 1, 8, 8) and labels, 1 where the two marks
    are the same. It takes images (B, 1, 8, 8) and gives logits (B, 2), has 5,000 to 200,000
    parameters, and is right for at least 90 % of new images. It has two methods that give tokens on
    their grid, (B, 4, 4, features): `first(images)`, those after the first layer, where a token has
    heard all pixels of its own window of 4 × 4 pixels and no other; and `second(images)`, those
    after the second layer, where tokens on both sides of a border have heard each other, and
    opposite edges of the picture have not. A few seconds of training are enough. How you build it
    is yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class WindowsFromNothing(nn.Module):
        def __init__(self, dim=32, heads=4):
            super().__init__()
            self.heads = heads
            self.patches = nn.Conv2d(1, dim, 2, 2)
            self.places = nn.Parameter(0.02 * torch.randn(4, 4, dim))
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(
                    dim, heads, 4 * dim, 0.0, F.gelu, batch_first=True, norm_first=True
                )
                for _ in range(2)
            )
            self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2))
            row = (torch.arange(4) > 2).int()  # those that come round with a roll by 1
            names = self.cut((2 * row[:, None] + row)[None, :, :, None])[..., 0]  # (4, 4)
            self.register_buffer("apart", names[:, :, None] != names[:, None])  # (4, 4, 4)

        def cut(self, x):
            B, _, _, C = x.shape
            return x.view(B, 2, 2, 2, 2, C).transpose(2, 3).reshape(B * 4, 4, C)

        def attend(self, layer, x, s):
            B, _, _, C = x.shape
            x = self.cut(x.roll((-s, -s), (1, 2)))
            apart = self.apart.repeat_interleave(self.heads, 0).repeat(B, 1, 1) if s else None
            x = layer(x, src_mask=apart).view(B, 2, 2, 2, 2, C).transpose(2, 3)
            return x.reshape(B, 4, 4, C).roll((s, s), (1, 2))

        def first(self, images):
            x = self.patches(images).movedim(1, -1) + self.places
            return self.attend(self.layers[0], x, 0)

        def second(self, images):
            return self.attend(self.layers[1], self.first(images), 1)

        def forward(self, images):
            return self.out(self.second(images)).mean(dim=(1, 2))

    torch.manual_seed(0)
    built, generator = WindowsFromNothing(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(built.parameters(), lr=5e-3)
    length = steps(300)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, length, pct_start=0.1)
    for _ in range(length):
        images, labels = far_marks(64, 8, 4, generator)
        loss = F.cross_entropy(built(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return built


@torch.no_grad()
def right(model):
    images, labels = unseen(1000)
    return (model(images).argmax(-1) == labels).float().mean().item()


swin_from_nothing = FromNothing(
    swin_from_nothing,
    minutes=20,
    shapes=(torch.zeros(2, 1, SIDE, SIDE), (2, 2)),
    parameters=(5_000, 200_000),
    properties={
        "each picture is judged alone": each_alone,
        "after the first layer a token has heard its own window, all of it, and no other": (
            stays_inside
        ),
        "after the second, tokens on both sides of a border have heard each other": crosses,
        "and opposite edges of the picture have not": stays_apart,
    },
    accuracy=right,
    wanted=0.9,
)
