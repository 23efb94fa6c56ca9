"""Two letters from one attention: with one head or two, a reader with a hidden layer or without.

Taught in chapter 02. Measure again, ten minutes:

    python -m tutorial_lib.recipes.multi_head_attention.one_sum [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring.records import record
from tutorial_lib.training.loop import train

NAMES, LETTERS = 8, 10
ONE_TWICE = 1 / NAMES + (1 - 1 / NAMES) / LETTERS  # accuracy of who gives one letter twice
STEPS, BATCH, SEEDS, RATES = 340, 32, range(3), (3e-3, 1e-2, 2e-2)
SETTINGS = {  # heads, width, hidden
    "2 heads": (2, 32, 0),
    "1 head": (1, 32, 0),
    "1 head, twice as wide": (1, 64, 0),
    "1 head, hidden layer": (1, 32, 128),
    "1 head, twice as wide, hidden layer": (1, 64, 128),
}


class Follower(nn.Module):
    """One attention, and a reader of two letters: linear, or with a hidden layer."""

    def __init__(self, heads, width, hidden):
        super().__init__()
        self.embed = nn.ModuleList(nn.Embedding(n, width) for n in (NAMES, LETTERS, NAMES, NAMES))
        self.attention = MultiHeadAttention(width, heads, bias=False)
        layers = [nn.Linear(width, hidden), nn.GELU()] if hidden else []
        self.read = nn.Sequential(*layers, nn.Linear(hidden or width, 2 * LETTERS))

    def tokens(self, facts):  # (B, 8, 4)
        return sum(embed(fact) for embed, fact in zip(self.embed, facts.unbind(-1)))

    def forward(self, facts):
        return self.read(self.attention(self.tokens(facts))).unflatten(-1, (2, LETTERS))


def relations(size, generator):
    """Name, letter, first and second of 8 tokens (size, 8, 4), and the letters of each one's
    first and second (size, 8, 2)."""
    name = torch.rand(size, NAMES, generator=generator).argsort(1)
    letter = torch.randint(LETTERS, (size, NAMES), generator=generator)
    first, second = torch.randint(NAMES, (2, size, NAMES), generator=generator)  # places
    facts = torch.stack([name, letter, name.gather(1, first), name.gather(1, second)], dim=-1)
    return facts, torch.stack([letter.gather(1, first), letter.gather(1, second)], dim=-1)


def letters_loss(model, facts, answer):
    return F.cross_entropy(model(facts).flatten(0, 2), answer.flatten())


def shares(model, facts):
    """The mean weight of a model's first head on a token's first and on its second, where these
    are two: the smaller, then the larger."""
    name, _, *asked = facts.unbind(-1)  # (B, 8) each; asked: the names of first and second
    weights = model.attention.weights(model.tokens(facts))[:, 0]  # (B, query, key)
    on = [weights[name[:, None] == other[:, :, None]].view_as(other) for other in asked]
    return sorted(w[asked[0] != asked[1]].mean().item() for w in on)


def measure(row):
    """One row of the record, in a process of its own: the accuracy on the harder and the easier of
    the two letters, and the first head's shares."""
    torch.manual_seed(row["seed"])
    model = Follower(*SETTINGS[row["setting"]])
    settings = dict(steps=row["steps"], lr=row["lr"], seed=row["seed"])
    train(model, partial(relations, BATCH), letters_loss, **settings)
    facts, answer = relations(500, torch.Generator().manual_seed(99))
    with torch.no_grad():
        right = (model(facts).argmax(-1) == answer).float()
        harder, easier = sorted(right.mean(dim=(0, 1)).tolist())
        lighter, heavier = shares(model, facts)
    return row | dict(harder=harder, easier=easier, lighter=lighter, heavier=heavier)


def plan():
    for setting, lr, steps, seed in product(SETTINGS, RATES, (STEPS, 4 * STEPS), SEEDS):
        yield dict(setting=setting, lr=lr, steps=steps, seed=seed)


if __name__ == "__main__":
    record("one-sum", list(plan()), measure, batch=BATCH)
