"""The two look-ups: what is asked has one answer, and where values come from is what it says."""

import torch

from tutorial_lib.recipes.self_attention import reader
from tutorial_lib.recipes.self_attention.completion import METHODS
from tutorial_lib.recipes.self_attention.lookup import questions, right_answers


def generator():
    return torch.Generator().manual_seed(0)


def by_hand(tokens):
    """The digit of the token whose key is asked for."""
    match = (tokens[:, :-1, :16] * tokens[:, -1:, :16]).sum(-1)  # (B, 6)
    return (match[..., None] * tokens[:, :-1, 16:]).sum(1)


def test_each_question_has_one_answer():
    tokens, digits = questions(50, generator())
    assert tokens.shape == (50, 7, 26) and (by_hand(tokens).argmax(-1) == digits).all()
    assert right_answers(by_hand) == 1.0
    assert 0.05 < right_answers(lambda tokens: torch.zeros(len(tokens), 10)) < 0.15


def test_the_batch_asks_for_keys_of_the_memory():
    key, digit, asked, _, answer = reader.lookup_batch(20, generator())
    found = (asked[:, :, None] == key[:, None]).float() @ digit[..., None].float()
    assert (found[..., 0] == answer).all()


def test_values_from_the_decoder_carry_no_digit():
    torch.manual_seed(0)
    key, digit, asked, colour, _ = reader.lookup_batch(4, generator())
    for variant, moves in [("as in the paper", True), ("residual alone, no attention", False)]:
        model = reader.Reader(**reader.VARIANTS[variant])
        changed = model(key, (digit + 1) % 10, asked, colour)[0]
        assert torch.equal(changed, model(key, digit, asked, colour)[0]) != moves


def test_the_own_patch_is_hidden():
    torch.manual_seed(0)
    model = METHODS["guess and own patch hidden"]()
    left, whole = torch.randn(1, 3, 32), torch.randn(1, 3, 64)
    other = whole.clone()
    other[:, 1] = 0
    same = (model(left, whole) == model(left, other)).all(-1)[0]
    assert same.tolist() == [False, True, False]
