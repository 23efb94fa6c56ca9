"""Attention in NumPy: identities, brute force, extreme values, finite differences."""

import numpy as np
import pytest

from tutorial_lib.from_scratch.attention import (
    attention,
    attention_backward,
    causal_mask,
    cross_attention,
    masked_softmax,
    padding_mask,
    scores,
    softmax,
    softmax_backward,
)
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.online_softmax import online_attention


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_by_hand_example_of_chapter_01():
    q = np.array([[1.0, 1, 1, 1]])
    k = np.array([[2.0, 0, 0, 0], [1, -1, 0, 0], [-1, -1, 0, 0]])
    Z, P = attention(q, k, np.array([[10.0], [20], [30]]))
    np.testing.assert_allclose(P, [[0.665, 0.245, 0.090]], atol=5e-4)
    np.testing.assert_allclose(Z, [[14.25]], atol=5e-3)


@pytest.mark.parametrize("n, m, d, d_v", [(1, 1, 1, 1), (2, 3, 4, 5), (5, 2, 1, 3), (4, 4, 7, 1)])
def test_equals_the_definition_number_by_number(rng, n, m, d, d_v):
    Q, K, V = (rng.normal(size=shape) for shape in [(n, d), (m, d), (m, d_v)])
    Z, P = attention(Q, K, V)
    for i in range(n):
        e = [np.exp(sum(Q[i, c] * K[j, c] for c in range(d)) / d**0.5) for j in range(m)]
        for j in range(m):
            assert P[i, j] == pytest.approx(e[j] / sum(e))
        for c in range(d_v):
            assert Z[i, c] == pytest.approx(sum(e[j] * V[j, c] for j in range(m)) / sum(e))


def test_softmax_ignores_a_shift_and_survives_any_size(rng):
    S = rng.normal(size=(3, 4))
    np.testing.assert_allclose(softmax(S + 1e4), softmax(S), rtol=1e-9)
    for large in (1e4, -1e4, 1e300):
        P = softmax(np.array([[large, large, 0.0]]))
        assert np.isfinite(P).all() and P.sum() == pytest.approx(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(rng, dtype):
    Q, K, V, dZ = (rng.normal(size=(3, 4)).astype(dtype) for _ in range(4))
    Z, P = attention(Q, K, V, causal_mask(3))
    assert Z.dtype == P.dtype == dtype
    gradients = attention_backward(dZ, Q, K, V, causal_mask(3))
    assert all(gradient.dtype == dtype for gradient in gradients.values())


def test_masks(rng):
    S = rng.normal(size=(2, 3, 3))
    mask = causal_mask(3) & padding_mask([3, 1], 3)
    P = masked_softmax(S, mask)
    assert (P[~np.broadcast_to(mask, P.shape)] == 0).all()
    np.testing.assert_allclose(P.sum(-1), 1)
    np.testing.assert_array_equal(padding_mask([2, 0], 3)[:, 0], [[1, 1, 0], [0, 0, 0]])
    nobody = masked_softmax(S, np.zeros((3, 3), dtype=bool))
    assert (nobody == 0).all()
    np.testing.assert_allclose(masked_softmax(S, np.ones((3, 3), bool)), softmax(S), rtol=1e-12)


def test_the_future_does_not_matter_under_a_causal_mask(rng):
    Q, K, V = (rng.normal(size=(5, 3)) for _ in range(3))
    Z, _ = attention(Q, K, V, causal_mask(5))
    K[3:], V[3:] = 99.0, -99.0
    changed, _ = attention(Q, K, V, causal_mask(5))
    np.testing.assert_array_equal(Z[:3], changed[:3])
    assert not np.allclose(Z[3:], changed[3:])


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 1), (2, 3, 4)])
def test_softmax_backward_agrees_with_finite_differences(rng, shape):
    S, dP = rng.normal(size=shape), rng.normal(size=shape)
    numerical = numerical_gradient(lambda S: float((dP * softmax(S)).sum()), S)
    assert relative_error(softmax_backward(dP, softmax(S)), numerical) < 1e-6
    np.testing.assert_allclose(softmax_backward(dP, softmax(S)).sum(-1), 0, atol=1e-12)


@pytest.mark.parametrize("n, m, d, d_v", [(1, 1, 1, 1), (2, 3, 4, 2), (3, 3, 2, 3), (3, 1, 2, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_backward_agrees_with_finite_differences(rng, n, m, d, d_v, masked):
    Q, K, V = (rng.normal(size=shape) for shape in [(n, d), (m, d), (m, d_v)])
    dZ = rng.normal(size=(n, d_v))
    mask = rng.random((n, m)) < 0.5 if masked else None
    gradients = attention_backward(dZ, Q, K, V, mask)

    def loss(Q, K, V):
        return float((dZ * attention(Q, K, V, mask)[0]).sum())

    for name, numerical in {
        "dQ": numerical_gradient(lambda x: loss(x, K, V), Q),
        "dK": numerical_gradient(lambda x: loss(Q, x, V), K),
        "dV": numerical_gradient(lambda x: loss(Q, K, x), V),
    }.items():
        np.testing.assert_allclose(gradients[name], numerical, atol=1e-8)
        if np.abs(numerical).max() > 1e-6:
            assert relative_error(gradients[name], numerical) < 1e-6


@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_online_attention_equals_attention(rng, block):
    q, K, V = rng.normal(size=3), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    for shift in (0, 300, -300):
        expected, _ = attention(q[None], K + shift, V)
        np.testing.assert_allclose(online_attention(q, K + shift, V, block), expected[0])


def test_cross_attention_has_a_row_for_each_that_asks(rng):
    W = [rng.normal(size=(4, 3)) for _ in range(3)]
    X, memory = rng.normal(size=(2, 4)), rng.normal(size=(5, 4))
    assert cross_attention(X, memory, *W).shape == (2, 3)
    shuffled = memory[rng.permutation(5)]
    np.testing.assert_allclose(cross_attention(X, shuffled, *W), cross_attention(X, memory, *W))


def test_scores_of_unit_vectors_have_unit_variance(rng):
    S = scores(rng.normal(size=(2000, 64)), rng.normal(size=(2000, 64)))
    assert S.var() == pytest.approx(1, rel=0.05)


def test_gradcheck_finds_a_wrong_gradient(rng):
    x = rng.normal(size=4)
    numerical = numerical_gradient(lambda x: float((x**3).sum()), x)
    assert relative_error(3 * x**2, numerical) < 1e-8
    assert relative_error(2 * x**2, numerical) > 0.1
    assert relative_error(np.zeros(3), np.zeros(3)) == 0


def test_what_is_not_finite_passes_no_bound_and_shapes_must_be_equal():
    for bad in (np.nan, np.inf):
        assert max(1e-11, relative_error(np.array([1.0, bad]), np.ones(2))) == np.inf
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(3,\)"):
        relative_error(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_large_scores_do_not_overflow(dtype):
    q = np.full((2, 64), 40, dtype)  # q · k is 102,400, and float16 ends at 65,504
    V = np.array([[1, 2], [3, 4]], dtype)
    Z, P = attention(q, q, V)
    assert (P == 0.5).all() and Z.dtype == P.dtype == dtype
    np.testing.assert_array_equal(online_attention(q[0], q, V, 1), Z[0])


def test_a_mask_that_is_to_be_added_is_refused():
    """0 where a query may look and −∞ elsewhere would be read the other way round."""
    with pytest.raises(TypeError, match="mask is float64, expected bool"):
        masked_softmax(np.zeros((2, 2)), np.where(causal_mask(2), 0, -np.inf))


@pytest.mark.parametrize("length", [-1, 5])
def test_lengths_that_no_padded_text_has_are_refused(length):
    with pytest.raises(ValueError, match=f"lengths are .2, {length}., expected 0 to 4"):
        padding_mask([2, length], 4)
