"""Digits in patches: as a bag, with a vector for each place, with one for each row and column: a
record.

Taught in chapter 02. Measure again, five minutes:

    python -m tutorial_lib.recipes.multi_head_attention.patches [--out FILE]
"""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.positions import sinusoidal_2d
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import LearnedPositions, LearnedPositions2D
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.multi_head_attention.tables import pictures
from tutorial_lib.training.loop import train

WIDTH, BATCH = 48, 32
PLACES = {
    "no places": None,
    "16 places": lambda: LearnedPositions(16, WIDTH),
    "4 rows + 4 columns": lambda: LearnedPositions2D(4, 4, WIDTH),
}
STEPS, SEEDS, RATES = 220, range(5), (5e-3, 1e-2, 2e-2)


def cut(images):
    """(B, 8, 8)  ->  (B, 16, 4): patches of 2 × 2 pixels, row by row"""
    grid = images.unflatten(2, (4, 2)).unflatten(1, (4, 2)).transpose(2, 3)  # (B, 4, 4, 2, 2)
    return grid.flatten(3).flatten(1, 2)


def joined(patches):
    """(B, 16, 4)  ->  (B, 8, 8), the inverse of `cut`"""
    return patches.view(-1, 4, 4, 2, 2).transpose(2, 3).reshape(-1, 8, 8)


class PatchReader(nn.Module):
    """One attention, one hidden layer, the mean of all tokens, ten classes: patches (B, 16, 4)  ->
    scores (B, 10)."""

    def __init__(self, places):
        super().__init__()
        self.embed = nn.Linear(4, WIDTH)
        self.place = PLACES[places] and PLACES[places]()
        self.attention = MultiHeadAttention(WIDTH, heads=4)
        self.hidden = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 96), nn.GELU())
        self.head = nn.Linear(96, 10)

    def forward(self, patches):
        x = self.embed(2 * patches)  # (B, 16, WIDTH)
        x = x + self.place() if self.place else x
        x = x + self.attention(x)
        return self.head(self.hidden(x).mean(dim=1))


def some_digits(generator):
    images, labels = pictures("train")
    chosen = torch.randint(len(images), (BATCH,), generator=generator)
    return cut(images[chosen]), labels[chosen]


def digit_loss(model, patches, answer):
    return F.cross_entropy(model(patches), answer)


def likeness(table):
    """Cosines (16, 16) of all pairs of a table's vectors (16, WIDTH), their mean taken off."""
    vectors = table - table.mean(axis=0)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def lines_seen(cosines):
    """By how much cosines within a row or column exceed the others, and how often 1,000 random
    arrangements of the 16 vectors do as well."""
    row, column = np.divmod(np.arange(16), 4)
    line = (row[:, None] == row) | (column[:, None] == column)  # (16, 16): one row or one column
    other = ~line
    np.fill_diagonal(line, False)  # a place and itself are no pair
    rng, gaps = np.random.default_rng(0), []
    for places in [np.arange(16)] + [rng.permutation(16) for _ in range(1000)]:
        moved = cosines[np.ix_(places, places)]
        gaps.append(moved[line].mean() - moved[other].mean())
    return float(gaps[0]), float(np.mean(np.array(gaps[1:]) >= gaps[0]))


def measure(row):
    """One row of the record, in a process of its own: the accuracy on test digits and on these with
    their patches shuffled, and how much of rows and columns the places show."""
    if row["places"] == "2-D sinusoids":
        cosines = likeness(sinusoidal_2d(4, 4, WIDTH))
        return row | {"gap": lines_seen(cosines)[0], "cosines": cosines[5].tolist()}
    torch.manual_seed(row["seed"])
    model = PatchReader(row["places"])
    train(model, some_digits, digit_loss, steps=row["steps"], lr=row["lr"], seed=row["seed"])
    images, labels = pictures("test")
    order = torch.randperm(16, generator=torch.Generator().manual_seed(row["seed"]))
    with torch.no_grad():
        for name, x in (("as_they_are", cut(images)), ("shuffled", cut(images)[:, order])):
            row[name] = (model(x).argmax(-1) == labels).float().mean().item()
        if model.place:
            row["numbers"] = sum(p.numel() for p in model.place.parameters())
            cosines = likeness(model.place().numpy())
            row["gap"], row["p"] = lines_seen(cosines)
            row["cosines"] = cosines[5].tolist()  # of row 1, column 1 with all places
    return row


def plan():
    yield dict(places="2-D sinusoids")
    for places, lr, steps, seed in product(PLACES, RATES, (STEPS, 4 * STEPS), SEEDS):
        if steps == STEPS or seed < 3:
            yield dict(places=places, lr=lr, steps=steps, seed=seed)


if __name__ == "__main__":
    record("patches", list(plan()), measure, batch=BATCH)
