"""Who hears of a marked word, far away? Window, random and global blocks: a record.

Taught in chapter 38, after Zaheer et al., Big Bird (NeurIPS 2020, 2007.14062). Of 64 words one is
marked, and at every place the model is to say which. What can be heard in so many layers is a
question of the graph alone: where no way leads from the mark, only a guess is left. Measure again,
some five minutes on one core:

    python -m tutorial_lib.recipes.linear_attention.far_copy [--out FILE]
"""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.big_bird import big_bird_mask, draw_random_blocks, heard
from tutorial_lib.layers.big_bird import BigBirdAttention
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.records import record
from tutorial_lib.training.loop import train

BLOCKS, SIZE, WORDS = 32, 2, 8  # blocks of so many words; how many different words there are
PATTERNS = {  # name -> global ends, random blocks of each
    "window": (False, 0),
    "window + random": (False, 2),
    "window + global": (True, 0),
    "window + global + random": (True, 2),
}
LAYERS, SEEDS, STEPS, LR, BATCH = (2, 4), range(3), 300, 3e-3, 32


def mask_of(pattern: str, seed: int = 0) -> np.ndarray:
    """bool (BLOCKS, BLOCKS), with a window of 3."""
    ends, count = PATTERNS[pattern]
    drawn = draw_random_blocks(BLOCKS, count, np.random.default_rng(seed))
    return big_bird_mask(BLOCKS, 3, ends, drawn)


def foretold(mask, layers: int) -> float:
    """The best accuracy that the graph allows: sure where the mark is heard, a guess elsewhere."""
    reach = heard(mask, layers).mean()
    return float(reach + (1 - reach) / WORDS)


class Reader(nn.Module):
    """words int (B, N), marks int (B, N), 1 at the marked word  ->  logits (B, N, WORDS)"""

    def __init__(self, mask, layers: int, dim: int = 48, heads: int = 4):
        super().__init__()
        self.word, self.mark = nn.Embedding(WORDS, dim), nn.Embedding(2, dim)
        self.positions = nn.Embedding(BLOCKS * SIZE, dim)
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, 2 * dim) for _ in range(layers))
        for layer in self.layers:
            layer.attention = BigBirdAttention(dim, heads, mask[None])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, WORDS)

    def forward(self, words, marks):
        x = self.word(words) + self.mark(marks) + self.positions.weight
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def draw(generator, count: int = BATCH):
    """words, marks (count, N), and the marked word (count, N), the same at every place"""
    words = torch.randint(WORDS, (count, BLOCKS * SIZE), generator=generator)
    place = torch.randint(BLOCKS * SIZE, (count, 1), generator=generator)
    marks = torch.zeros_like(words).scatter(1, place, 1)
    return words, marks, words.gather(1, place).expand_as(words)


def loss_of(model, words, marks, wanted):
    return F.cross_entropy(model(words, marks).mT, wanted)


@torch.no_grad()
def accuracy(model) -> float:
    """The share of places that name the marked word, over 1,000 sequences."""
    words, marks, wanted = draw(torch.Generator().manual_seed(10**6), 1000)
    return (model.eval()(words, marks).argmax(-1) == wanted).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    mask = mask_of(row["pattern"], row["seed"])
    model = Reader(mask, row["layers"])
    untrained = accuracy(model)
    train(model, draw, loss_of, steps=STEPS, lr=LR, warmup=30, seed=row["seed"], label="far copy")
    foreseen = foretold(mask, row["layers"])
    return row | {"accuracy": accuracy(model), "foretold": foreseen, "untrained": untrained}


def plan():
    return [
        dict(pattern=pattern, layers=layers, seed=seed)
        for pattern, layers, seed in product(PATTERNS, LAYERS, SEEDS)
    ]


if __name__ == "__main__":
    record("far-copy", plan(), measure, steps=STEPS)
