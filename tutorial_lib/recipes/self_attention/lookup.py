"""Six tokens, each a key and a digit, and a question: which digit hangs on this key? Taught in
chapter 01."""

import torch
import torch.nn.functional as F

KEYS, DIGITS, TOKENS = 16, 10, 6


def questions(count, generator):
    """Tokens (count, 7, 26) and the digits (count,) that answer them.

    Six tokens hold a key and a digit, one-hot (16 and 10 numbers), in any order and with six
    different keys; the seventh holds one of those keys, and zeros for the digit.
    """
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :TOKENS]
    digits = torch.randint(DIGITS, (count, TOKENS), generator=generator)
    asked = torch.randint(TOKENS, (count, 1), generator=generator)
    memory = torch.cat([F.one_hot(keys, KEYS), F.one_hot(digits, DIGITS)], dim=-1)
    question = F.one_hot(keys.gather(1, asked), KEYS)
    tokens = torch.cat([memory, F.pad(question, (0, DIGITS))], dim=1).float()
    return tokens, digits.gather(1, asked)[:, 0]


@torch.no_grad()
def right_answers(model):
    """Share of 2,000 new questions that a model, tokens -> scores (B, 10), answers right."""
    tokens, digits = questions(2000, torch.Generator().manual_seed(99))
    return (model(tokens).argmax(-1) == digits).float().mean().item()
