"""Both questions of the round table, with one head and two, with places and without: a record.

Taught in chapter 02. Measure again, five minutes:

    python -m tutorial_lib.recipes.multi_head_attention.round_table [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.multi_head_attention.tables import (
    FEATURES,
    SEATS,
    right_answers,
    round_tables,
)

STEPS, BATCH, SEEDS, RATES = 400, 64, range(5), (2e-3, 5e-3, 1e-2)
SPREAD = 0.05  # of places at first: about as large as a colour's share of a token


class TableReader(nn.Module):
    """One attention among guests, and a linear reader of two digits.

    guests (B, 8, 80)  ->  scores (B, 8, 2, 10). placed: whether a token knows its seat.
    """

    def __init__(self, heads, dim=64, placed=True):
        super().__init__()
        self.embed = nn.Linear(FEATURES, dim)
        self.seats = nn.Parameter(SPREAD * torch.randn(SEATS, dim)) if placed else 0
        self.attention = MultiHeadAttention(dim, heads, bias=False)
        self.read = nn.Linear(dim, 2 * 10)

    def forward(self, guests):
        return self.read(self.attention(self.embed(guests) + self.seats)).unflatten(-1, (2, 10))


SETTINGS = {
    "2 heads, places": dict(heads=2),
    "1 head, places": dict(heads=1),
    "1 head, twice as wide, places": dict(heads=1, dim=128),
    "2 heads, no places": dict(heads=2, placed=False),
}


def fitted(make, lr, steps, seed):
    """A model that has taken some steps."""
    torch.manual_seed(seed)
    generator, model = torch.Generator().manual_seed(seed), make()
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(steps):
        guests, digits = round_tables(BATCH, generator)
        loss = F.cross_entropy(model(guests).flatten(0, 2), digits.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def measure(row):
    """One row of the record, in a process of its own."""
    settings = SETTINGS[row["setting"]]
    model = fitted(lambda: TableReader(**settings), row["lr"], row["steps"], row["seed"])
    colour, left = right_answers(model)
    return row | {"by_colour": colour, "on_the_left": left}


def plan():
    for setting, lr, seed in product(SETTINGS, RATES, SEEDS):
        yield dict(setting=setting, lr=lr, steps=STEPS, seed=seed)
        if seed < 3:
            yield dict(setting=setting, lr=lr, steps=4 * STEPS, seed=seed)


if __name__ == "__main__":
    record("round-table", list(plan()), measure, batch=BATCH)
