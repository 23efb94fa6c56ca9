"""Texts that say a row of digits, and again from its end. Taught in chapter 03.

A text is 5 digits, EQUALS, and the 5 digits in reverse: 3 1 4 1 5 = 5 1 4 1 3.
"""

import torch

DIGITS, EQUALS, WORDS = 5, 10, 11  # digits in a row; the word "=", after the ten digits; all words


def texts(count: int, generator: torch.Generator) -> torch.Tensor:
    """count texts (count, 11) int64"""
    row = torch.randint(10, (count, DIGITS), generator=generator)
    return torch.cat([row, torch.full((count, 1), EQUALS), row.flip(1)], dim=1)


@torch.no_grad()
def right_texts(model) -> float:
    """The share of 1,000 new texts whose second half a model writes without a mistake, given the
    words before each place. model: words (B, N)  ->  logits (B, N, 11) of the word after each"""
    words = texts(1000, torch.Generator().manual_seed(2**31))
    written = model(words[:, :-1]).argmax(-1)[:, DIGITS:]  # (B, 5), the words after "=" and on
    return (written == words[:, DIGITS + 1 :]).all(dim=1).float().mean().item()
