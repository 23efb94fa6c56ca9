"""Which letter stands three to the left? Five ways to know where a token is: a record.

Taught in chapter 02. Measure again, eight minutes:

    python -m tutorial_lib.recipes.multi_head_attention.looking_back [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers import positions
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring.records import record
from tutorial_lib.training.loop import train

LETTERS, BACK, BATCH = 10, 3, 16
SHORT, LONG = 16, 128  # letters in training; positions that the tables provide
KINDS = ("none", "sinusoidal", "learned", "relative bias", "rotary")
STEPS, SEEDS, RATES = 220, range(3), (5e-3, 1e-2, 2e-2)
TESTS = {  # name -> letters, and the reach of a query, None if it may look anywhere
    "16": (16, None),
    "32": (32, None),
    "32, near": (32, 16),
    "128": (128, None),
    "128, near": (128, 16),
}


class Looker(nn.Module):
    """One attention with one way of knowing positions, and a linear read-out."""

    def __init__(self, kind, width=64, heads=2):
        super().__init__()
        self.kind = kind
        self.letter, self.read = nn.Embedding(LETTERS, width), nn.Linear(width, LETTERS)
        self.attention = MultiHeadAttention(width, heads, bias=False)
        self.learned = positions.LearnedPositions(LONG, width)
        self.relative = positions.RelativeBias(1, LONG, heads)

    def forward(self, letters, reach=None):
        """letters (B, n); reach: a query may look less than so far, or anywhere if None."""
        x, n, how = self.letter(letters), letters.shape[1], {}
        place = torch.arange(n)
        if reach is not None:
            how["mask"] = (place[:, None] - place).abs() < reach  # (n, n)
        if self.kind == "sinusoidal":
            x = x + positions.sinusoidal(n, x.shape[-1])
        elif self.kind == "learned":
            x = x + self.learned()[:n]
        elif self.kind == "relative bias":
            how["score_bias"] = self.relative()[:, :n, :n]
        elif self.kind == "rotary":
            how["rotate"] = lambda t: positions.rotary(t, place)
        return self.read(self.attention(x, **how))


def letters(size, n, generator):
    x = torch.randint(LETTERS, (size, n), generator=generator)
    return x, x[:, :-BACK]  # from place 3 on, the answer is three to the left


def letter_loss(model, x, answer):
    return F.cross_entropy(model(x)[:, BACK:].flatten(0, 1), answer.flatten())


@torch.no_grad()
def accuracy(model, n, reach):
    """On 3,200 letters in sequences of n; of longer ones than in training only the places beyond
    it are asked."""
    x, answer = letters(3200 // n, n, torch.Generator().manual_seed(99))
    asked = slice(SHORT if n > SHORT else BACK, None)
    found = model(x, reach)[:, asked].argmax(-1)
    return (found == answer[:, -found.shape[1] :]).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    torch.manual_seed(row["seed"])
    model, draw = Looker(row["kind"]), partial(letters, BATCH, SHORT)
    train(model, draw, letter_loss, steps=row["steps"], lr=row["lr"], seed=row["seed"])
    return row | {name: accuracy(model, *test) for name, test in TESTS.items()}


def plan():
    for kind, lr, steps, seed in product(KINDS, RATES, (STEPS, 4 * STEPS), SEEDS):
        yield dict(kind=kind, lr=lr, steps=steps, seed=seed)


if __name__ == "__main__":
    record("looking-back", list(plan()), measure, batch=BATCH)
