"""PointNet's core in NumPy: identities, finite differences, brute force."""

import numpy as np
import pytest

from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
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
            for number, (W, bias) in enumerate(layers):
                x = np.maximum(x, 0) if number else x
                x = np.array([float(x @ W[:, j] + bias[j]) for j in range(len(bias))])
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
        for left_out in keep:
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
