"""The Hungarian algorithm, built step by step in NumPy. Taught in chapter 14.

Kuhn, The Hungarian Method for the Assignment Problem (1955); by shortest paths, as SciPy does it:
Crouse, On implementing 2D rectangular assignment algorithms (2016). Rows want columns, each of its
own, at the least total cost. Symbols and shapes, the same in prose and code:

    cost    (K, N)  what it costs if row i gets column j, K ≤ N
    u, v    (K,), (N,)  what is taken off each row and off each column: prices
    row_of  (N,)    which row has column j, −1 if it is free

With objects as rows and predictions as columns, row_of says which object each prediction answers
for.
"""

import numpy as np


def augment(reduced, row_of, i):
    """Find row i a column, moving rows that have one already where that is cheaper.

    reduced (K, N): costs, none below zero, and zero where a row has its column
    row_of (N,) int: which row has each column, −1 for a free one; i: a row that has none
    ->  row_of (N,) after it, a new array, and lengths (N,)

    A path goes from row i to a column; if another row has it, on from that row to another column,
    and so on. Its length is the sum of the reduced costs of these steps; giving a column up is
    free. Each row on the shortest path to a free column gets the column that it steps to. lengths
    holds the length of the shortest path to every column, and the length of that one where it is
    longer. No two paths of a case are equally long. Raises ValueError if no column is free.
    """
    N = len(row_of)
    if (row_of != -1).all():
        raise ValueError(f"all {N} columns are taken, expected a free one for row {i}")
    lengths, before = np.full(N, np.inf), np.full(N, -1)  # and the column before it on the path
    settled = np.zeros(N, dtype=bool)
    row, column, so_far = i, -1, 0.0
    while row != -1:
        shorter = ~settled & (so_far + reduced[row] < lengths)
        lengths[shorter], before[shorter] = so_far + reduced[row, shorter], column
        column = np.where(settled, np.inf, lengths).argmin()
        settled[column], so_far = True, lengths[column]
        row = row_of[column]
    row_of = row_of.copy()
    while column != -1:  # back along the path: each column goes to the row that came from before
        row_of[column] = i if before[column] == -1 else row_of[before[column]]
        column = before[column]
    return row_of, np.minimum(lengths, so_far)


def solve(cost):
    """All rows, one after the other: cost (K, N), K ≤ N  ->  row_of (N,), u (K,), v (N,).

    u and v prove that nothing is cheaper: u_i + v_j ≤ cost_ij everywhere, with equality where row i
    has column j; v ≤ 0, and 0 where a column is free. Any matching costs at least the sum of all u
    and v, and this one costs just that.
    """
    K, N = cost.shape
    u, v, row_of = np.zeros(K), np.zeros(N), np.full(N, -1)
    for i in range(K):
        u[i] = (cost[i] - v).min()  # so that no reduced cost is below zero
        after, lengths = augment(cost - u[:, None] - v, row_of, i)
        spare = lengths.max() - lengths  # how much nearer than the free column
        v -= spare
        u[i] += lengths.max()
        had = row_of != -1
        u[row_of[had]] += spare[had]
        row_of = after
    return row_of, u, v


def hungarian(cost):
    """The cheapest assignment, as SciPy's `linear_sum_assignment` gives it.

    cost (N, M), finite  ->  (rows, columns): min(N, M) pairs, in the order of the rows

    The time grows with min(N, M)² · max(N, M). Raises ValueError for a cost that is not finite.
    """
    cost = np.asarray(cost, dtype=float)
    if cost.ndim != 2 or not np.isfinite(cost).all():
        raise ValueError(f"expected finite costs (N, M), got shape {cost.shape} with "
                         f"{(~np.isfinite(cost)).sum()} that are not finite")  # fmt: skip
    if len(cost) > cost.shape[1]:
        columns, rows = hungarian(cost.T)
        order = rows.argsort()
        return rows[order], columns[order]
    row_of = solve(cost)[0]
    columns = np.flatnonzero(row_of != -1)
    order = row_of[columns].argsort()
    return row_of[columns][order], columns[order]
