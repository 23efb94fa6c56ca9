"""PointNet's core and the neighbourhoods in NumPy: identities, finite differences, brute force."""

from itertools import combinations

import numpy as np
import pytest

from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.neighbourhoods import (
    ball_query,
    farthest_point_sampling,
    interpolate,
    voxel_centers,
    voxelize,
)
from tutorial_lib.from_scratch.point_sets import (
    critical_points,
    global_feature,
    global_feature_backward,
    max_pool_backward,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def layers_of(rng, *sizes):
    return [(rng.normal(size=(a, b)), rng.normal(size=b)) for a, b in zip(sizes, sizes[1:])]


def test_the_global_feature_is_the_largest_of_each_feature_in_loops(rng):
    X, layers = rng.normal(size=(2, 5, 3)), layers_of(rng, 3, 4, 6)
    found = global_feature(X, layers)
    for b, c in np.ndindex(2, 6):
        of_points = []
        for x in X[b]:
            for W, bias in layers:
                x = np.array([max(0, float(x @ W[:, j] + bias[j])) for j in range(len(bias))])
            of_points.append(x[c])
        np.testing.assert_allclose(found["H"][b, :, c], of_points)
        assert found["G"][b, c] == pytest.approx(max(of_points))


def test_it_is_a_function_of_the_set(rng):
    X, layers = rng.normal(size=(1, 7, 3)), layers_of(rng, 3, 8, 16)
    found = global_feature(X, layers)["G"]
    # BLAS sums a row in another order for another number of rows, so to the last digits only.
    for order in (rng.permutation(7), np.r_[0:7, 3, 3, 5]):
        np.testing.assert_allclose(global_feature(X[:, order], layers)["G"], found, rtol=1e-12)


def test_critical_points_are_enough_and_each_is_needed(rng):
    layers = layers_of(rng, 3, 8, 5)
    for X in rng.normal(size=(4, 1, 30, 3)):
        found = global_feature(X, layers)
        keep = critical_points(found["H"][0])
        assert len(keep) <= 5 and list(keep) == sorted(set(keep))
        only = global_feature(X[:, keep], layers)["G"]
        np.testing.assert_allclose(only, found["G"], rtol=1e-12)
        alive = found["G"][0] > 0  # where all points give 0, none is needed
        for left_out in keep:
            if (found["H"][0].argmax(0)[alive] == left_out).any():
                less = global_feature(np.delete(X, left_out, axis=1), layers)["G"]
                assert (less < found["G"] - 1e-12).any()


def test_critical_points_of_equal_numbers_are_the_first():
    H = np.array([[1.0, 0, 5], [2, 0, 5], [2, 0, 1]])
    np.testing.assert_array_equal(critical_points(H), [0, 1])


@pytest.mark.parametrize("B, N, D", [(1, 1, 1), (2, 5, 3), (3, 2, 4)])
def test_max_pool_backward_agrees_with_finite_differences(rng, B, N, D):
    H, dG = rng.normal(size=(B, N, D)), rng.normal(size=(B, D))
    expected = numerical_gradient(lambda x: float((dG * x.max(axis=1)).sum()), H)
    assert relative_error(max_pool_backward(dG, H), expected) < 1e-8


def test_of_equal_numbers_the_first_gets_the_whole_gradient():
    H = np.array([[[0.0, 2], [0, 1], [0, 2]]])
    expected = np.array([[[7.0, 3], [0, 0], [0, 0]]])
    np.testing.assert_array_equal(max_pool_backward(np.array([[7.0, 3]]), H), expected)


@pytest.mark.parametrize("sizes", [(3, 4), (3, 5, 2), (2, 3, 4, 3)])
def test_every_gradient_of_the_global_feature_agrees_with_finite_differences(rng, sizes):
    X, layers = rng.normal(size=(2, 4, sizes[0])), layers_of(rng, *sizes)
    dG = rng.normal(size=(2, sizes[-1]))

    def loss(X, layers):
        return float((dG * global_feature(X, layers)["G"]).sum())

    found = global_feature_backward(dG, X, layers)
    pairs = [(found["dX"], numerical_gradient(lambda x: loss(x, layers), X))]
    for i, (W, b) in enumerate(layers):
        for part, value in enumerate((W, b)):

            def with_this(value, i=i, part=part):
                layer = tuple(value if part == j else layers[i][j] for j in range(2))
                return loss(X, [*layers[:i], layer, *layers[i + 1 :]])

            pairs.append((found["dlayers"][i][part], numerical_gradient(with_this, value)))
    assert max(relative_error(a, b) for a, b in pairs) < 1e-7


def test_dtypes_are_kept(rng):
    X = rng.normal(size=(2, 4, 3)).astype(np.float32)
    layers = [(W.astype(np.float32), b.astype(np.float32)) for W, b in layers_of(rng, 3, 5)]
    G = global_feature(X, layers)["G"]
    found = global_feature_backward(G, X, layers)
    assert {G.dtype, found["dX"].dtype, found["dlayers"][0][0].dtype} == {np.dtype(np.float32)}


# Neighbourhoods


def spread(points, chosen):
    """How far the worst point is from its nearest chosen one."""
    apart = np.linalg.norm(points[:, None] - points[chosen], axis=-1)
    return apart.min(1).max()


def test_farthest_points_are_each_farthest_and_at_most_twice_as_spread_as_the_best(rng):
    points = rng.normal(size=(9, 3))
    chosen = farthest_point_sampling(points, 4)
    assert chosen[0] == 0 and len(set(chosen)) == 4
    for k in range(1, 4):
        apart = np.linalg.norm(points[:, None] - points[chosen[:k]], axis=-1).min(1)
        assert apart[chosen[k]] == apart.max()
    best = min(spread(points, list(other)) for other in combinations(range(9), 4))
    assert spread(points, chosen) <= 2 * best


def test_ball_query_keeps_the_order_pads_with_the_first_and_counts_the_border():
    points = np.array([[3.0, 0, 0], [1, 0, 0], [0, 0, 0], [2, 0, 0]])
    assert ball_query(points, points[2:3], 2.0, 5) == [[1, 2, 3, 1, 1]]
    assert ball_query(points, points[:2], 1.0, 2) == [[0, 3], [1, 2]]
    with pytest.raises(ValueError, match="no point lies within 0.5"):
        ball_query(points, np.array([[9.0, 0, 0]]), 0.5, 2)


def test_interpolation_keeps_what_is_known_and_stays_between(rng):
    points, features = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    np.testing.assert_array_equal(interpolate(points, points, features), features)
    np.testing.assert_allclose(interpolate(rng.normal(size=(4, 3)), points, np.ones((6, 1))), 1)
    corners = np.array([[0.0, 0, 0], [3, 0, 0], [9, 9, 9], [0, 6, 0]])
    found = interpolate(np.array([[1.0, 0, 0]]), corners, np.array([[1.0], [0], [5], [0]]))
    assert found.item() == pytest.approx(1 / (1 + 1 / 4 + 1 / 37))


@pytest.mark.parametrize("cells", [1, 2, 7])
def test_every_point_lies_in_its_cell_and_near_its_center(rng, cells):
    points = np.concatenate([rng.uniform(-1, 1, (200, 3)), [[1, 1, 1]], [[-1, 1, 0]]])
    grid = voxelize(points, cells)
    assert grid.shape == (cells,) * 3 and grid.sum() <= len(points)
    centers = voxel_centers(grid)
    apart = np.abs(points[:, None] - centers).max(-1).min(1)
    assert apart.max() <= 1 / cells + 1e-12  # half a side, along every axis


def test_voxels_of_known_points_and_outside():
    grid = voxelize(np.array([[-1.0, 0, 0.99], [-0.01, 0, 1]]), 2)
    np.testing.assert_array_equal(np.argwhere(grid), [[0, 1, 1]])
    with pytest.raises(ValueError, match="a coordinate of 1.5"):
        voxelize(np.array([[0.0, -1.5, 0]]), 2)
