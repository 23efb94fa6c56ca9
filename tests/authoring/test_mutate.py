"""Mutants of a reference: those that the cases notice, and the one that they cannot tell."""

import numpy as np

from tutorial_lib.authoring import mutate
from tutorial_lib.checking import Exercise


def shifted(x, y, eps):
    """x times y, plus eps, but nothing below zero."""
    if eps < 0:
        raise ValueError(f"eps is {eps}")
    return np.maximum(x * y + eps, 0)


def exercise(*all_eps):
    def cases(rng):
        for eps in all_eps:
            yield dict(x=rng.normal(size=3), y=rng.normal(size=3), eps=eps)

    return Exercise(shifted, level=1, minutes=1, cases=cases, hints=("", "", ""))


def test_a_case_that_is_missing_shows_as_a_survivor():
    found = mutate.survivors(exercise(0.0))
    assert "line 5: x * y + eps -> x * y" in found and "line 3: eps < 0 -> eps <= 0" not in found
    left = mutate.survivors(exercise(0.0, 0.5, -1.0))
    assert left == [], left


def test_every_mutant_differs_from_the_reference_in_one_place():
    changed = [said for said, _ in mutate.mutants(exercise(0.0))]
    assert len(changed) == len(set(changed)) > 10
    assert "line 5: x * y -> x / y" in changed and "line 5: y -> eps" in changed
