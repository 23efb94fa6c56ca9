"""One stage of the Hungarian algorithm."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import hungarian as np_hungarian


def stages(rng):
    """The first is small enough for paper; then stages of larger problems, as `solve` has them."""
    yield dict(
        reduced=np.array([[0.0, 2.0, 5.0], [1.0, 4.0, 7.0]]), row_of=np.array([0, -1, -1]), i=1
    )
    yield dict(
        reduced=np.array([[0.0, 6.0, 1.0], [3.0, 0.0, 9.0], [0.5, 2.0, 8.0]]),
        row_of=np.array([0, 1, -1]),
        i=2,
    )
    # From row 0 the step to column 1 is short, and the way there is not.
    yield dict(
        reduced=np.array([[0.0, 2.5, 4.0], [2.0, 3.0, 8.0]]), row_of=np.array([0, -1, -1]), i=1
    )
    for K, N, i in [(1, 1, 0), (1, 3, 0), (2, 2, 1), (3, 3, 2), (4, 6, 2), (5, 5, 4), (6, 7, 5)]:
        yield _stage(rng.uniform(size=(K, N)), i)
    yield dict(reduced=np.array([[0.0], [2.0]]), row_of=np.array([0]), i=1)  # none is free
    for _ in range(3):  # rows that all want the same columns
        yield _stage(np.sort(rng.uniform(size=6)) * rng.uniform(0.5, 2, size=(5, 1)), 4)


def _stage(cost, i):
    """What is there when rows before i have their columns; rows after it are shown as well."""
    row_of, u, v = np_hungarian.solve(cost[:i]) if i else (np.full(cost.shape[1], -1), [], 0)
    u = np.concatenate([u, (cost[i:] - v).min(axis=1)])
    reduced = (cost - u[:, None] - v).clip(0)
    had = row_of != -1
    reduced[row_of[had], np.flatnonzero(had)] = 0.0  # exactly
    return dict(reduced=reduced, row_of=row_of, i=i)


augment = Exercise(
    np_hungarian.augment,
    level=4,
    minutes=25,
    cases=stages,
    hints=(
        "This is Dijkstra's search. The columns are the places; from a column you go on with the "
        "row that has it. Keep for every column the shortest length so far and the column before "
        "it.",
        "Again and again: from the current row, see whether a column is nearer by this way, which "
        "is `so_far + reduced[row]`; then settle the nearest column that is not settled, and take "
        "its row. When it has none, the search is over. Walk back: each column goes to the row "
        "that came to it.",
        "`shorter = ~settled & (so_far + reduced[row] < lengths)`; the next column is "
        "`np.where(settled, np.inf, lengths).argmin()`. Going back, the first column of the path "
        "has no column before it: it is row i's.",
    ),
)


def _search(reduced, row_of, i, add_up=True):
    """The search of `augment`: lengths, the column before each, the last one and its length."""
    N = len(row_of)
    lengths, before, settled = np.full(N, np.inf), np.full(N, -1), np.zeros(N, dtype=bool)
    row, column, so_far = i, -1, 0.0
    _refuse_if_none_is_free(row_of)
    while row != -1:
        reached = reduced[row] + (so_far if add_up else 0)
        shorter = ~settled & (reached < lengths)
        lengths[shorter], before[shorter] = reached[shorter], column
        column = np.where(settled, np.inf, lengths).argmin()
        settled[column], so_far, row = True, lengths[column], row_of[column]
    return lengths, before, column, so_far


def _refuse_if_none_is_free(row_of):
    if (row_of != -1).all():
        raise ValueError("no column is free")


def _handed_on(row_of, i, before, column):
    after = row_of.copy()
    while column != -1:
        after[column] = i if before[column] == -1 else after[before[column]]
        column = before[column]
    return after


@augment.mistake(
    """Row i takes the nearest free column, and nobody moves. That is cheap for it; but another row
    might give up a near column for little. What is the way over a column that is taken?"""
)
def nobody_moves(reduced, row_of, i):
    _refuse_if_none_is_free(row_of)
    after, free = row_of.copy(), row_of == -1
    column = np.where(free, reduced[i], np.inf).argmin()
    after[column] = i
    return after, np.minimum(reduced[i], reduced[i, column])


@augment.mistake(
    """Your steps are not added up: the length of a way is that of its last step. What has it cost
    to come to the row from which you step?"""
)
def steps_not_added(reduced, row_of, i):
    lengths, before, column, so_far = _search(reduced, row_of, i, add_up=False)
    return _handed_on(row_of, i, before, column), np.minimum(lengths, so_far)


@augment.mistake(
    """The last column goes to row i itself, and those on the way stay where they are: the way back
    ends after one column. Which column stands before the last one, and who has it?"""
)
def only_the_last_column_changes(reduced, row_of, i):
    lengths, _, column, so_far = _search(reduced, row_of, i)
    after = row_of.copy()
    after[column] = i
    return after, np.minimum(lengths, so_far)


@augment.mistake(
    """The first column of the path has no column before it, and yours looks it up all the same: at
    place −1, which in Python is the last one. Whose is the first column now?"""
)
def before_the_first_is_the_last(reduced, row_of, i):
    lengths, before, column, so_far = _search(reduced, row_of, i)
    after = row_of.copy()
    while column != -1:
        after[column] = after[before[column]]
        column = before[column]
    return after, np.minimum(lengths, so_far)


@augment.mistake(
    """The matching is right, but the lengths of columns beyond the end of the path are left as they
    were found, some of them infinite. At what does the task cut them?"""
)
def lengths_not_cut(reduced, row_of, i):
    lengths, before, column, _ = _search(reduced, row_of, i)
    return _handed_on(row_of, i, before, column), lengths


@augment.mistake(
    """You move one row at most. The row that was moved away may itself do best by sending a third
    one on: how long may a path be?"""
)
def one_move_at_most(reduced, row_of, i):
    _refuse_if_none_is_free(row_of)
    free = np.flatnonzero(row_of == -1)
    ways = [((), j, reduced[i, j]) for j in free]
    for taken in np.flatnonzero(row_of != -1):
        ways += [((taken,), j, reduced[i, taken] + reduced[row_of[taken], j]) for j in free]
    way, last, length = min(ways, key=lambda way: way[2])
    after = row_of.copy()
    for column in way:
        after[last], last = row_of[column], column
    after[last] = i
    direct = reduced[i]
    over = [reduced[i, j] + reduced[row_of[j]] for j in np.flatnonzero(row_of != -1)]
    return after, np.minimum(np.minimum.reduce([direct, *over]), length)


@augment.mistake(
    """Each row throws out whoever has the column that it likes best, and the search never looks
    back. A way that begins worse may be the shorter one: among which columns do you choose the
    nearest?"""
)
def follows_its_nose(reduced, row_of, i):
    N = len(row_of)
    lengths, before, settled = np.full(N, np.inf), np.full(N, -1), np.zeros(N, dtype=bool)
    _refuse_if_none_is_free(row_of)
    row, column, so_far = i, -1, 0.0
    while row != -1:
        following = np.where(settled, np.inf, reduced[row]).argmin()
        so_far += reduced[row, following]
        lengths[following], before[following], settled[following] = so_far, column, True
        column, row = following, row_of[following]
    return _handed_on(row_of, i, before, column), np.minimum(lengths, so_far)


@augment.mistake(
    """Lengths that are at least as long as the path's are infinite in yours. What does the task put
    there?"""
)
def infinite_beyond_the_end(reduced, row_of, i):
    lengths, before, column, so_far = _search(reduced, row_of, i)
    return _handed_on(row_of, i, before, column), np.where(lengths < so_far, lengths, np.inf)
