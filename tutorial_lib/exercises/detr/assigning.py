"""A bug to find: what SciPy's assignment gives, and how it is read."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.matching import costs
from tutorial_lib.from_scratch.hungarian import hungarian


def assign(cost):
    """Which object each prediction answers for, at the least total cost.

    cost (N, K): what it costs if prediction i answers for object k
    ->  int (N,): the object of each prediction, −1 for none; with N < K every prediction has one

    `linear_sum_assignment(cost)` gives two lists of equal length: the rows of the pairs, in rising
    order, and their columns.

    A model can learn by this version: its loss falls, and it finds some objects, but less than half
    of what it could. The assignment is right where the objects happen to stand in the order of
    their predictions. One line is wrong. Which?
    """
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = columns
    return assigned


def buggy_assign(cost):
    """Which object each prediction answers for, at the least total cost.

    cost (N, K): what it costs if prediction i answers for object k
    ->  int (N,): the object of each prediction, −1 for none; with N < K every prediction has one

    `linear_sum_assignment(cost)` gives two lists of equal length: the rows of the pairs, in rising
    order, and their columns.

    A model can learn by this version: its loss falls, and it finds some objects, but less than half
    of what it could. The assignment is right where the objects happen to stand in the order of
    their predictions. One line is wrong. Which?
    """
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = np.arange(len(columns))
    return assigned


def any_costs(rng):
    """With fewer predictions than objects too, and none of either."""
    yield from costs(rng)
    for N, K in [(2, 3), (1, 4), (3, 0), (9, 7)]:
        yield dict(cost=rng.normal(size=(N, K)))


assign = Exercise(
    assign,
    start=buggy_assign,
    level=2,
    minutes=5,
    cases=any_costs,
    hints=(
        "Print `rows` and `columns` for `np.array([[1.0, 2.0], [1.5, 4.0]])`. Which prediction has "
        "which object?",
        "Pair number j is (rows[j], columns[j]). `np.arange` says that pair j has object j: when "
        "is that so?",
        "What prediction rows[j] answers for is columns[j].",
    ),
)


@assign.mistake(
    """Rows and columns are exchanged: you write the *prediction* at the place of an object. What
    does the array that you return have a place for?"""
)
def rows_and_columns_exchanged(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[columns] = rows
    return assigned


@assign.mistake(
    """You return the columns alone: that is one number for each *pair*. There are as many as
    predictions only where no prediction is left over. Where do the others get their −1?"""
)
def columns_alone(cost):
    return linear_sum_assignment(cost)[1]


@assign.mistake(
    """You sort the columns. Rows come sorted because it is easy to read; which column stands beside
    which row is what was found out."""
)
def columns_sorted(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = np.sort(columns)
    return assigned


@assign.mistake(
    """You take the order in which the columns would be sorted (`argsort`). That is the right answer
    to another question: where the pair of each object stands in the list."""
)
def order_of_the_columns(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = columns.argsort()
    return assigned


@assign.mistake(
    """You write the row at its own place, so prediction i has object i. What stands in
    `columns`?"""
)
def rows_at_their_own_place(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = rows
    return assigned


@assign.mistake(
    """Now the pairs are right, but they are the dearest ones: you look for the largest total."""
)
def largest_total(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost, maximize=True)
    assigned[rows] = columns
    return assigned


@assign.mistake(
    """The pairs are right, but predictions without an object get 0, which is an object."""
)
def zero_for_none(cost):
    assigned = np.zeros(len(cost), dtype=int)
    rows, columns = hungarian(cost)
    assigned[rows] = columns
    return assigned


@assign.mistake(
    """The first places get the columns, in the order of the pairs, whichever rows were chosen. What
    does `rows` say?"""
)
def first_places_get_the_columns(cost):
    assigned = np.full(len(cost), -1)
    columns = linear_sum_assignment(cost)[1]
    assigned[: len(columns)] = columns
    return assigned


@assign.mistake(
    """Right where every object has a prediction. With fewer predictions than objects, pair number j
    is taken for object j once more, now in the transposed table: the objects are its rows."""
)
def the_bug_transposed(cost):
    assigned = np.full(len(cost), -1)
    things, queries = linear_sum_assignment(cost.T)
    assigned[queries] = np.arange(len(things))
    return assigned
