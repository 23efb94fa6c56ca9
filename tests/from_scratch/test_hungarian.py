"""The Hungarian algorithm: SciPy's totals, all permutations, and a proof for every answer."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tutorial_lib.from_scratch.hungarian import augment, hungarian, solve
from tutorial_lib.from_scratch.matching import cheapest_matching, matching_cost

SIZES = [(1, 1), (1, 4), (4, 1), (3, 3), (2, 5), (5, 2), (7, 9), (20, 12)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", SIZES)
def test_the_pairs_are_scipy_s(rng, size):
    for _ in range(10):
        cost = rng.normal(size=size)
        for found, expected in zip(hungarian(cost), linear_sum_assignment(cost)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", SIZES)
def test_with_ties_the_total_is_scipy_s(rng, size):
    for _ in range(10):
        cost = rng.integers(-2, 3, size=size)
        rows, columns = hungarian(cost)
        assert len(set(rows)) == len(set(columns)) == min(size)
        assert cost[rows, columns].sum() == cost[linear_sum_assignment(cost)].sum()


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 3), (2, 5), (7, 9), (4, 30)])
def test_prices_prove_that_nothing_is_cheaper(rng, size):
    for cost in (rng.normal(size=size), rng.integers(-2, 3, size=size) / 1.0):
        row_of, u, v = solve(cost)
        reduced, columns = cost - u[:, None] - v, np.flatnonzero(row_of != -1)
        assert reduced.min() > -1e-12
        np.testing.assert_allclose(reduced[row_of[columns], columns], 0, atol=1e-12)
        assert v.max() <= 0 and not v[row_of == -1].any()
        total = cost[row_of[columns], columns].sum()
        np.testing.assert_allclose(u.sum() + v.sum(), total)


@pytest.mark.parametrize("size", [(1, 1), (4, 1), (3, 3), (5, 3), (6, 4)])
def test_trying_all_gives_the_same(rng, size):
    cost = rng.normal(size=size)
    assigned = cheapest_matching(cost)
    rows, columns = hungarian(cost)
    np.testing.assert_array_equal(np.flatnonzero(assigned != -1), rows)
    np.testing.assert_array_equal(assigned[rows], columns)


def test_nothing_to_match():
    for size in [(0, 0), (0, 3), (3, 0)]:
        assert [len(found) for found in hungarian(np.zeros(size))] == [0, 0]


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="finite"):
        hungarian(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="expected a free one for row 1"):
        augment(np.zeros((2, 1)), np.array([0]), 1)


def test_a_new_row_moves_others_on_the_shortest_path():
    """Row 2 would pay 9 for the free column; that 0 and 1 each move on costs 1 + 2 + 3."""
    reduced = np.array([[0.0, 2, 9], [8, 0, 3], [1, 7, 9]])
    row_of, lengths = augment(reduced, np.array([0, 1, -1]), 2)
    assert list(row_of) == [2, 0, 1]
    assert list(lengths) == [1, 3, 6]


def test_a_surer_and_a_nearer_prediction_cost_less():
    p = np.array([[0.9, 0.1], [0.4, 0.6]])
    boxes = np.array([[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2]])
    cost = matching_cost(p, boxes, np.array([0]), boxes[:1])
    np.testing.assert_allclose(cost[:, 0], [-0.9 - 2, -0.4 - 2])
    moved = matching_cost(p, boxes + [0.1, 0, 0, 0], np.array([0]), boxes[:1])
    assert (moved > cost).all()
