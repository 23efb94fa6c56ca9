"""Cross-entropy in NumPy: brute force, finite differences, extreme values."""

import math

import numpy as np
import pytest

from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.transformer import cross_entropy, cross_entropy_backward


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1), (4,), (3, 4), (2, 3, 5)], ids=str)
def test_cross_entropy_by_brute_force_and_by_finite_differences(rng, shape):
    logits, targets = rng.normal(size=shape), rng.integers(shape[-1], size=shape[:-1])
    surprises = [
        -math.log(math.exp(logits[*place, targets[place]]) / sum(map(math.exp, logits[place])))
        for place in np.ndindex(shape[:-1])
    ]
    assert cross_entropy(logits, targets) == pytest.approx(sum(surprises) / len(surprises))
    found = cross_entropy_backward(logits, targets)
    numerical = numerical_gradient(lambda logits: cross_entropy(logits, targets), logits)
    assert found.shape == logits.shape and relative_error(found, numerical) < 1e-6
    np.testing.assert_allclose(found.sum(axis=-1), 0, atol=1e-12)


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_their_number():
    assert cross_entropy(np.full((2, 10), 1e4), np.array([3, 9])) == pytest.approx(math.log(10))


def test_cross_entropy_survives_logits_of_any_size():
    logits = np.array([[1e4, 0.0, -1e4]])
    for target, surprise, gradient in [(0, 0, [0, 0, 0]), (2, 2e4, [1, 0, -1])]:
        assert cross_entropy(logits, np.array([target])) == surprise
        np.testing.assert_array_equal(
            cross_entropy_backward(logits, np.array([target])), [gradient]
        )
    far_apart = np.array([[1e4, 0.0], [-1e4, -1e4]])  # each row needs a maximum of its own
    assert cross_entropy(far_apart, np.array([0, 1])) == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize("target", [-1, 3])
def test_cross_entropy_says_which_target_is_none(target):
    with pytest.raises(ValueError, match=f"{target}.*expected 0 to 2"):
        cross_entropy(np.zeros((2, 3)), np.array([0, target]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_backward_keeps_the_dtype(rng, dtype):
    logits = rng.normal(size=(3, 4)).astype(dtype)
    assert cross_entropy_backward(logits, np.array([0, 3, 1])).dtype == dtype


def test_fewer_targets_than_places_are_refused():
    for function in (cross_entropy, cross_entropy_backward):
        with pytest.raises(ValueError, match=r"targets are \(1,\), expected \(3,\)"):
            function(np.zeros((3, 4)), np.array([2]))
