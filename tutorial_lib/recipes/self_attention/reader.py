"""What values from the encoder and the residual carry: a record.

Taught in chapter 01. The memory holds six tokens, each a key and a digit; six tokens of a decoder
each ask for a key and have a colour. One cross-attention, and two read-outs: the digit, which only
the memory knows, and the colour, which only the decoder knows. Measure again, a minute:

    python -m tutorial_lib.recipes.self_attention.reader [--out FILE]
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.attention import dot_product_attention
from tutorial_lib.measuring.records import record

KEYS, DIGITS, COLOURS, TOKENS, WIDTH = 16, 10, 4, 6, 32
SEEDS = range(3)


def read_out(classes, hidden):
    """A linear map to the classes, or a small network if `hidden` is not 0."""
    if not hidden:
        return nn.Linear(WIDTH, classes)
    first = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, hidden), nn.GELU())
    return nn.Sequential(first, nn.Linear(hidden, classes))


class Reader(nn.Module):
    """One cross-attention between two embeddings and two read-outs."""

    def __init__(self, values_from="memory", residual=True, attend=True, hidden=0):
        super().__init__()
        self.values_from, self.residual, self.attend = values_from, residual, attend
        sizes = {"key": KEYS, "digit": DIGITS, "asked": KEYS, "colour": COLOURS}
        self.embed = nn.ModuleDict({name: nn.Embedding(n, WIDTH) for name, n in sizes.items()})
        self.to_q, self.to_k, self.to_v = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.to_out = nn.Linear(WIDTH, WIDTH)
        self.read_digit, self.read_colour = (read_out(n, hidden) for n in (DIGITS, COLOURS))

    def forward(self, key, digit, asked, colour):  # (B, TOKENS) each
        memory = self.embed["key"](key) + self.embed["digit"](digit)  # (B, TOKENS, WIDTH)
        x = self.embed["asked"](asked) + self.embed["colour"](colour)
        values = self.to_v(memory if self.values_from == "memory" else x)
        z, _ = dot_product_attention(self.to_q(x), self.to_k(memory), values)
        y = self.attend * self.to_out(z) + self.residual * x
        return self.read_digit(y), self.read_colour(y)


VARIANTS = {
    "as in the paper": {},
    "no residual": {"residual": False},
    "values from the decoder": {"values_from": "decoder"},
    "residual alone, no attention": {"attend": False},
}
LENGTHS = {  # steps, rate, hidden features of the read-outs
    "linear": (220, 1e-2, 0),
    "linear, longer": (700, 3e-3, 0),
    "hidden layer, longer": (700, 3e-3, 128),
    "hidden layer, longest": (2100, 3e-3, 128),
}


def lookup_batch(size, generator):
    """Memory (keys, digits), questions (keys, colours), and the digits that answer them."""
    key = torch.rand(size, KEYS, generator=generator).argsort(1)[:, :TOKENS]
    digit = torch.randint(DIGITS, (size, TOKENS), generator=generator)
    colour = torch.randint(COLOURS, (size, TOKENS), generator=generator)
    order = torch.rand(size, TOKENS, generator=generator).argsort(1)
    return key, digit, key.gather(1, order), colour, digit.gather(1, order)


def measure(row):
    """One row of the record: the shares of digits and of colours told right on fresh data."""
    steps, lr, hidden = LENGTHS[row["read_out"]]
    torch.manual_seed(row["seed"])
    generator = torch.Generator().manual_seed(row["seed"])
    model = Reader(**VARIANTS[row["variant"]], hidden=hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        *inputs, answer = lookup_batch(32, generator)
        digits, colours = model(*inputs)
        loss = F.cross_entropy(digits.flatten(0, 1), answer.flatten())
        loss = loss + F.cross_entropy(colours.flatten(0, 1), inputs[3].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    *inputs, answer = lookup_batch(500, generator)
    with torch.no_grad():
        digits, colours = (logits.argmax(-1) for logits in model(*inputs))
    return row | {
        "digit": (digits == answer).float().mean().item(),
        "colour": (colours == inputs[3]).float().mean().item(),
    }


def plan():
    asked_again = ("no residual", "values from the decoder")
    return [
        dict(variant=variant, read_out=read_out, seed=seed)
        for variant in VARIANTS
        for read_out in (LENGTHS if variant in asked_again else ["linear"])
        for seed in SEEDS
    ]


if __name__ == "__main__":
    record("reader", plan(), measure, tokens=TOKENS)
