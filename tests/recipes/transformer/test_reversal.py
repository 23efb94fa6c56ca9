"""The recipes of two records of chapter 03: digits in reverse, and the depth of a stack."""

import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.measuring import records
from tutorial_lib.recipes.transformer import reversal, stack_depth


@pytest.mark.parametrize("length", [1, 2, 5])
def test_what_is_read_and_what_is_to_be_written(length):
    source, target, wanted = reversal.reversal(3, length, torch.Generator().manual_seed(0))
    digits = source[:, :-1]
    assert (source[:, -1] == reversal.END).all() and (target[:, 0] == reversal.BEGIN).all()
    assert torch.equal(wanted, torch.cat([digits.flip(1), source[:, -1:]], dim=1))
    assert torch.equal(target[:, 1:], wanted[:, :-1])


def test_a_model_that_reverses_is_right_everywhere_and_one_that_copies_is_not():
    def reverses(source, target):
        turned = torch.cat([source[:, :-1].flip(1), source[:, -1:]], dim=1)
        return F.one_hot(turned, 12).float()

    def copies(source, target):
        return F.one_hot(source, 12).float()

    assert reversal.exact_match(reverses) == [1.0] * len(reversal.LENGTHS)
    assert max(reversal.exact_match(copies)) < 0.2  # a palindrome of two digits is one in ten


def test_the_three_models_are_of_about_the_same_size():
    sizes = [sum(p.numel() for p in make().parameters()) for make in reversal.MAKERS.values()]
    assert max(sizes) < 1.05 * min(sizes)


def test_a_row_is_measured_with_every_length():
    row = reversal.measure({"model": "GRU", "seed": 0}, steps=1)
    assert len(row["exact_match"]) == len(reversal.LENGTHS) and row["parameters"] > 10_000


@pytest.mark.parametrize(
    "name, recipe, keys",
    [
        ("reversal", reversal, ("model", "seed")),
        ("stack-depth", stack_depth, ("norm_first", "depth", "seed")),
    ],
)
def test_the_record_holds_what_the_recipe_plans(name, recipe, keys):
    (record,) = records.recorded(name)
    kept = [{key: row[key] for key in keys} for row in record["rows"]]
    assert sorted(map(str, kept)) == sorted(map(str, recipe.plan()))
    assert record["steps"] == recipe.STEPS
