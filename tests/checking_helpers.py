"""A small exercise, and the message that a wrong answer to it gets: for the tests of the checks."""

import numpy as np
import pytest

from tutorial_lib.checking import Exercise, NotYet


def centre(x):
    """Subtract each row's mean.

    x (..., d)  ->  the same shape and dtype
    """
    return x - x.mean(axis=-1, keepdims=True)


def rows(rng):
    yield dict(x=np.array([[1.0, 3.0]]))
    yield dict(x=rng.normal(size=(2, 3)))
    yield dict(x=rng.normal(size=(3, 3)))
    yield dict(x=rng.normal(size=(2, 3)).astype(np.float32))


def make(reference=centre, cases=rows, **options):
    settings = dict(level=1, minutes=5, hints=("first", "second", "third"), seconds=0.5)
    return Exercise(reference, cases=cases, **{**settings, **options})


def message(answer, exercise=None):
    with pytest.raises(NotYet) as caught:
        (exercise or make()).check(answer)
    return str(caught.value)
