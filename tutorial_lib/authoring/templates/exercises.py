"""Chapter <number>, <title>: what is asked, how it is tried, and what people get wrong."""

import numpy as np

from tutorial_lib.checking import Exercise


def unit_rows(x):
    """Make each row of a matrix one long, and keep its direction.

    x (n, d), no row of zeros  ->  (n, d), every row of Euclidean length 1
    """
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


def matrices(rng):
    yield dict(x=np.array([[3.0, 4.0]]))
    for n, d in [(1, 1), (3, 2), (3, 3), (4, 5)]:
        yield dict(x=rng.normal(size=(n, d)))
    yield dict(x=1e6 * rng.normal(size=(2, 3)))


unit_rows = Exercise(
    unit_rows,
    level=1,
    minutes=10,
    cases=matrices,
    hints=(
        "How long is the vector (3, 4), and what must it be divided by to be one long?",
        "Square, sum along a row, take the root: one length for each row.",
        "`keepdims=True` keeps the lengths a column of shape (n, 1), which divides row by row.",
    ),
)


@unit_rows.mistake(
    """You divide by the squared length: rows longer than one come out too short, shorter ones too
    long. What is the length of (3, 4)?"""
)
def forgets_the_root(x):
    return x / (x**2).sum(axis=1, keepdims=True)


@unit_rows.mistake(
    """Your columns are one long where the rows should be. Along which axis does a row run, and
    which axis must the sum remove?"""
)
def columns(x):
    return x / np.sqrt((x**2).sum(axis=0, keepdims=True))


@unit_rows.mistake(
    """You divide the whole matrix by one number, so long rows stay longer than short ones. How many
    lengths does a matrix of n rows have?"""
)
def one_length_for_all(x):
    return x / np.sqrt((x**2).sum())


@unit_rows.mistake(
    """You measure a row by the sum of its absolute values, so (3, 4) comes out as (3/7, 4/7). Is
    that vector one long by Pythagoras?"""
)
def sums_absolute_values(x):
    return x / np.abs(x).sum(axis=1, keepdims=True)
