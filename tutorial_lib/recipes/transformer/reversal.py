"""Digits in reverse: the Transformer, a GRU, and a GRU that attends, at several rates: a record.

Taught in chapter 03. Vaswani et al. (NeurIPS 2017, 1706.03762); attention between two recurrent
networks is that of Bahdanau et al. (ICLR 2015, 1409.0473), in the form of Luong et al. (EMNLP
2015, 1508.04025). Measure again:

    python -m tutorial_lib.recipes.transformer.reversal [--out FILE]
"""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.measuring.records import record
from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding
from tutorial_lib.training.loop import train

LENGTHS, BEGIN, END = range(2, 9), 10, 11  # their ids follow the digits'
STEPS, RATES, SEEDS = (240, 960), (5e-3, 1e-2, 2e-2, 4e-2), range(3)


class GRUSeq2Seq(nn.Module):
    """One GRU reads; its last state is all that a second one gets to write from."""

    def __init__(self, dim):
        super().__init__()
        self.embed = nn.Embedding(12, dim)
        self.reader, self.writer = (nn.GRU(dim, dim, batch_first=True) for _ in range(2))
        self.head = nn.Linear(dim, 12)

    def forward(self, source, target):
        """source (B, M), target (B, N)  ->  logits (B, N, 12)"""
        _, state = self.reader(self.embed(source))  # (1, B, dim)
        return self.head(self.writer(self.embed(target), state)[0])


class GRUWithAttention(GRUSeq2Seq):
    """The writer looks at all states of the reader, with the attention of chapter 01, and mixes in
    what it finds."""

    def __init__(self, dim):
        super().__init__(dim)
        self.to_q, self.mix = nn.Linear(dim, dim, bias=False), nn.Linear(2 * dim, dim)

    def forward(self, source, target):
        memory, state = self.reader(self.embed(source))  # (B, M, dim), (1, B, dim)
        x = self.writer(self.embed(target), state)[0]  # (B, N, dim)
        found = F.scaled_dot_product_attention(self.to_q(x), memory, memory)  # (B, N, dim)
        return self.head(torch.tanh(self.mix(torch.cat([x, found], dim=-1))))


def transformer():
    """One layer each, as in the first paper: Post-LN and ReLU."""
    size = dict(dim=32, heads=4, hidden=64, depth=1, norm_first=False, activation=F.relu)
    return Transformer(WordEmbedding(12, 32), 12, **size)


MAKERS = {
    "Transformer": transformer,
    "GRU": lambda: GRUSeq2Seq(42),
    "GRU with attention": lambda: GRUWithAttention(37),
}


def reversal(size, length, generator):
    """source: digits, END; target: BEGIN, digits in reverse; wanted: digits in reverse, END."""
    x = torch.randint(10, (size, length), generator=generator)
    turned = x.flip(1)
    return (
        F.pad(x, (0, 1), value=END),
        F.pad(turned, (1, 0), value=BEGIN),
        F.pad(turned, (0, 1), value=END),
    )


def draw(generator):
    length = int(torch.randint(LENGTHS[0], LENGTHS[-1] + 1, (), generator=generator))
    return reversal(32, length, generator)


def loss_of(model, source, target, wanted):
    return F.cross_entropy(model(source, target).flatten(0, 1), wanted.flatten())


@torch.no_grad()
def exact_match(model):
    """Share of 300 new sequences of each length that are reversed without a mistake. Fed with the
    true digits before each place: if all its choices are right, it would have written the same."""
    generator = torch.Generator().manual_seed(99)
    tests = (reversal(300, length, generator) for length in LENGTHS)
    return [(model(s, t).argmax(-1) == w).all(1).float().mean().item() for s, t, w in tests]


def measure(row):
    """One row of the record, in a process of its own. A fifth of the steps is warm-up."""
    torch.manual_seed(row["seed"])
    model = MAKERS[row["model"]]()
    settings = {name: row[name] for name in ("steps", "lr", "seed")}
    train(model, draw, loss_of, warmup=row["steps"] // 5, label=row["model"], **settings)
    size = sum(p.numel() for p in model.parameters())
    return row | {"exact_match": exact_match(model), "parameters": size}


def plan():
    names = "model", "steps", "lr", "seed"
    return [dict(zip(names, of)) for of in product(MAKERS, STEPS, RATES, SEEDS)]


def at_its_best_rate(rows, model, steps):
    """(rate, the exact matches (seeds, lengths) of a model): the rate whose mean is the highest."""
    of = {}
    for row in rows:
        if (row["model"], row["steps"]) == (model, steps):
            of.setdefault(row["lr"], []).append(row["exact_match"])
    rate = max(of, key=lambda rate: np.mean(of[rate]))
    return rate, np.array(of[rate])


if __name__ == "__main__":
    record("reversal", plan(), measure, lengths=list(LENGTHS))
