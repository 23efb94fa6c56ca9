"""The recipes of records of chapter 03: digits in reverse, a stack's depth, the scales of norms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.measuring import records
from tutorial_lib.recipes.transformer import (
    fresh_stacks,
    norm_scales,
    reversal,
    stack_depth,
    turned,
)


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
    row = reversal.measure({"model": "GRU", "steps": 1, "lr": 1e-2, "seed": 0})
    assert len(row["exact_match"]) == len(reversal.LENGTHS) and row["parameters"] > 10_000


@pytest.mark.parametrize(
    "name, recipe, keys",
    [
        ("reversal", reversal, ("model", "steps", "lr", "seed")),
        ("stack-depth", stack_depth, ("norm_first", "depth", "seed")),
        ("norm-scales", norm_scales, ("norm_first", "lr", "steps", "seed")),
    ],
)
def test_the_record_holds_what_the_recipe_plans(name, recipe, keys):
    (record,) = records.recorded(name)
    kept = [{key: row[key] for key in keys} for row in record["rows"]]
    assert sorted(map(str, kept)) == sorted(map(str, recipe.plan()))
    if recipe is stack_depth:
        assert record["steps"] == recipe.STEPS


def test_the_best_rate_is_that_of_the_highest_mean():
    rows = [
        {"model": "GRU", "steps": steps, "lr": lr, "exact_match": match}
        for steps, lr, match in [
            (1, 0.1, [1.0, 0.0]),
            (1, 0.1, [0.0, 0.0]),
            (1, 0.2, [0.4, 0.3]),
            (1, 0.2, [0.5, 0.2]),
            (4, 0.1, [1.0, 1.0]),
        ]
    ]
    rate, matches = reversal.at_its_best_rate(rows, "GRU", 1)
    assert rate == 0.2 and matches.tolist() == [[0.4, 0.3], [0.5, 0.2]]
    assert reversal.at_its_best_rate(rows, "GRU", 4)[0] == 0.1


def test_a_row_of_scales_has_one_for_each_norm():
    row = norm_scales.measure({"norm_first": True, "lr": 1e-3, "steps": 12, "seed": 0})
    assert len(row["scales"]) == 13 and row["learned_at"] is None
    assert all(abs(scale - 1) < 0.02 for scale in row["scales"])
    assert abs(row["loss"] - math.log(10)) < 0.5


def test_a_text_says_a_row_and_the_row_from_its_end():
    words = turned.texts(50, torch.Generator().manual_seed(0))
    assert words.shape == (50, 11) and (words[:, 5] == turned.EQUALS).all()
    assert torch.equal(words[:, :5], words[:, 6:].flip(1)) and len(words.unique(dim=0)) == 50


def test_a_writer_that_turns_is_always_right_and_one_that_repeats_seldom():
    def turns(words):
        following = torch.zeros_like(words)
        following[:, 5:] = words[:, :5].flip(1)  # what comes after "=" and after each digit then
        return F.one_hot(following, 11).float()

    def repeats(words):
        following = torch.zeros_like(words)
        following[:, 5:] = words[:, :5]
        return F.one_hot(following, 11).float()

    assert turned.right_texts(turns) == 1.0
    assert turned.right_texts(repeats) < 0.05  # a palindrome is one in a hundred


def test_what_is_measured_in_a_fresh_stack_has_an_entry_for_each_layer():
    found = fresh_stacks.fresh(3, True, seed=0)
    assert [len(found[key]) for key in ("gradient", "size", "cosine", "flat")] == [3, 4, 3, 3]
    post = fresh_stacks.fresh(2, False, seed=0)
    assert all(abs(size - 1) < 1e-3 for size in post["size"][1:])  # after each layer a norm
    assert fresh_stacks.power(np.sqrt(fresh_stacks.DEPTHS)[:, None]) == pytest.approx(0.5)
