"""k-means against scikit-learn and by what must hold of its result."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from tutorial_lib.from_scratch.kmeans import kmeans


@pytest.mark.parametrize("k", [1, 2, 4, 16])
def test_it_is_scikit_learns_from_the_same_start(k):
    values = np.random.default_rng(k).normal(size=500)
    start = np.linspace(values.min(), values.max(), k)
    theirs = KMeans(k, init=start[:, None], n_init=1, tol=0, max_iter=1000).fit(values[:, None])
    centres, groups = kmeans(values, k)
    np.testing.assert_allclose(centres, theirs.cluster_centers_[:, 0])
    np.testing.assert_array_equal(groups, theirs.labels_)


def test_each_number_is_at_its_nearest_centre_and_each_centre_at_its_mean():
    values = np.random.default_rng(1).normal(size=300) ** 3
    centres, groups = kmeans(values, 8)
    np.testing.assert_array_equal(groups, abs(values[:, None] - centres).argmin(axis=1))
    for group in np.unique(groups):
        assert centres[group] == pytest.approx(values[groups == group].mean())


def test_a_centre_without_numbers_stays_and_halfway_is_the_lower_group():
    centres, groups = kmeans(np.array([0.0, 0.1, 9.9, 10.0]), 3)
    assert centres.tolist() == pytest.approx([0.05, 5.0, 9.95])
    assert groups.tolist() == [0, 0, 2, 2]
    assert kmeans(np.array([0.0, 1.0, 2.0]), 2)[1].tolist() == [0, 0, 1]


def test_the_error_is_smaller_than_with_equal_steps():
    values = np.random.default_rng(2).normal(size=1000).astype(np.float32)
    equal = np.linspace(values.min(), values.max(), 8)
    centres, groups = kmeans(values, 8)
    assert centres.dtype == np.float32
    of_equal = (abs(values[:, None] - equal).min(axis=1) ** 2).mean()
    assert ((values - centres[groups]) ** 2).mean() < 0.8 * of_equal
