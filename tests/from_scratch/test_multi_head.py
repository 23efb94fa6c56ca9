"""Multi-head attention in NumPy: identities, loops, finite differences of every gradient."""

import numpy as np
import pytest

from tutorial_lib.from_scratch.attention import attention, causal_mask, padding_mask
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.multi_head import (
    merge_heads,
    multi_head_attention,
    multi_head_attention_backward,
    split_heads,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, m, width, width_m, batch=()):
    """X, memory and W of random numbers."""
    W = {"W_Q": (width, width), "W_K": (width_m, width), "W_V": (width_m, width)}
    W = {name: rng.normal(size=shape) for name, shape in {**W, "W_O": (width, width)}.items()}
    return rng.normal(size=(*batch, n, width)), rng.normal(size=(*batch, m, width_m)), W


def test_a_head_gets_a_block_of_neighbouring_features():
    X = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])
    first, second = split_heads(X, 2)
    np.testing.assert_array_equal(first, [[1, 2], [5, 6], [9, 10]])
    np.testing.assert_array_equal(second, [[3, 4], [7, 8], [11, 12]])


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
@pytest.mark.parametrize("n, d, heads", [(1, 1, 1), (3, 2, 1), (1, 2, 3), (5, 1, 4), (2, 3, 2)])
def test_merging_undoes_splitting(rng, batch, n, d, heads):
    X = rng.normal(size=(*batch, n, heads * d))
    parts = split_heads(X, heads)
    assert parts.shape == (*batch, heads, n, d)
    np.testing.assert_array_equal(merge_heads(parts), X)


def test_heads_must_divide_the_features():
    with pytest.raises(ValueError, match="5 features do not divide among 2 heads"):
        split_heads(np.zeros((3, 5)), 2)


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_a_loop_over_heads_with_matrices_of_their_own(rng, heads, masked):
    X, memory, W = draw(rng, 3, 4, 6, 5)
    mask = rng.random((3, 4)) < 0.5 if masked else None
    Y, P = multi_head_attention(X, memory, W, heads, mask)
    d, expected = 6 // heads, np.zeros((3, 6))
    for i in range(heads):
        own = slice(i * d, (i + 1) * d)
        Q, K, V = X @ W["W_Q"][:, own], memory @ W["W_K"][:, own], memory @ W["W_V"][:, own]
        Z, weights = attention(Q, K, V, mask)
        expected += Z @ W["W_O"][own]  # a block of rows of W_O each, added up
        np.testing.assert_allclose(P[i], weights, rtol=1e-12)
    np.testing.assert_allclose(Y, expected, rtol=1e-10, atol=1e-12)


def test_one_head_is_the_attention_of_chapter_01(rng):
    X, memory, W = draw(rng, 3, 4, 5, 2)
    Y, P = multi_head_attention(X, memory, {**W, "W_O": np.eye(5)}, 1)
    Z, weights = attention(X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"])
    np.testing.assert_allclose(Y, Z, rtol=1e-12)
    np.testing.assert_allclose(P, weights[None], rtol=1e-12)


def test_the_order_of_the_heads_does_not_matter(rng):
    X, memory, W = draw(rng, 3, 4, 6, 5)
    order = np.array([2, 0, 1])
    features = np.arange(6).reshape(3, 2)[order].ravel()
    shuffled = {name: W[name][:, features] for name in ("W_Q", "W_K", "W_V")}
    shuffled["W_O"] = W["W_O"][features]
    Y, P = multi_head_attention(X, memory, W, 3)
    again, weights = multi_head_attention(X, memory, shuffled, 3)
    np.testing.assert_allclose(again, Y, rtol=1e-10)
    np.testing.assert_allclose(weights, P[order], rtol=1e-12)


def test_a_batch_is_its_sequences_and_every_head_obeys_the_mask(rng):
    X, memory, W = draw(rng, 2, 3, 4, 4, batch=(2,))  # as many sequences as heads
    mask = padding_mask([3, 1], 3)
    Y, P = multi_head_attention(X, memory, W, 2, mask)
    assert P.shape == (2, 2, 2, 3) and (P[1, :, :, 1:] == 0).all() and (P[0] > 0).all()
    for b in range(2):
        one, _ = multi_head_attention(X[b], memory[b], W, 2, mask[b])
        np.testing.assert_allclose(Y[b], one, rtol=1e-12)


def test_tokens_are_a_set_and_the_future_is_hidden(rng):
    X, _, W = draw(rng, 5, 5, 4, 4)
    order = rng.permutation(5)
    Y, _ = multi_head_attention(X, X, W, 2)
    np.testing.assert_allclose(multi_head_attention(X[order], X[order], W, 2)[0], Y[order])
    causal, _ = multi_head_attention(X, X, W, 2, causal_mask(5))
    X[3:] = 99.0
    changed, _ = multi_head_attention(X, X, W, 2, causal_mask(5))
    np.testing.assert_allclose(changed[:3], causal[:3], rtol=1e-12)


def test_large_scores_and_rows_that_see_nothing_stay_finite(rng):
    X, memory, W = draw(rng, 3, 2, 4, 4)
    nobody = np.zeros((3, 2), dtype=bool)
    for case in [(1e4 * X, memory, W, 2), (X, memory, W, 2, nobody)]:
        Y, P = multi_head_attention(*case)
        gradients = multi_head_attention_backward(np.ones((3, 4)), *case)
        assert all(np.isfinite(x).all() for x in [Y, P, *gradients.values()])
    assert (Y == 0).all() and (gradients["dX"] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(rng, dtype):
    X, memory, W = draw(rng, 3, 2, 4, 5)
    X, memory = X.astype(dtype), memory.astype(dtype)
    W = {name: matrix.astype(dtype) for name, matrix in W.items()}
    Y, P = multi_head_attention(X, memory, W, 2)
    gradients = multi_head_attention_backward(Y, X, memory, W, 2)
    assert all(x.dtype == dtype for x in [Y, P, *gradients.values()])


CASES = {  # n, m, D, D_m, heads, batch, mask
    "size 1": (1, 1, 1, 1, 1, (), None),
    "one head": (2, 3, 2, 3, 1, (), None),
    "a feature a head": (2, 2, 3, 2, 3, (), None),
    "one query": (1, 3, 4, 2, 2, (), None),
    "one key": (3, 1, 4, 2, 2, (), None),
    "causal": (3, 3, 4, 4, 2, (), causal_mask(3)),
    "blind query": (2, 2, 4, 3, 2, (), np.array([[True, False], [False, False]])),
    "batch, padded": (2, 3, 4, 2, 2, (2,), padding_mask([3, 1], 3)),
    "two batch axes": (2, 2, 2, 2, 2, (2, 1), None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_gradient_agrees_with_finite_differences(rng, case):
    n, m, width, width_m, heads, batch, mask = case
    X, memory, W = draw(rng, n, m, width, width_m, batch)
    dY = rng.normal(size=X.shape)
    gradients = multi_head_attention_backward(dY, X, memory, W, heads, mask)

    def loss(X=X, memory=memory, **changed):
        return float((dY * multi_head_attention(X, memory, {**W, **changed}, heads, mask)[0]).sum())

    for name, value in {"X": X, "memory": memory, **W}.items():
        numerical = numerical_gradient(lambda x, name=name: loss(**{name: x}), value)
        assert_same(gradients[f"d{name}"], numerical)


def assert_same(gradient, numerical):
    assert gradient.shape == numerical.shape
    np.testing.assert_allclose(gradient, numerical, atol=1e-7, rtol=1e-6)
    if np.abs(numerical).max() > 1e-6:
        assert relative_error(gradient, numerical) < 1e-6


@pytest.mark.parametrize("heads", [1, 2])
def test_the_gradients_between_the_projections_agree_with_finite_differences(rng, heads):
    X, memory, W = draw(rng, 2, 3, 4, 3)
    dY = rng.normal(size=X.shape)
    gradients = multi_head_attention_backward(dY, X, memory, W, heads)

    def output(Q, K, V):
        return merge_heads(attention(*(split_heads(A, heads) for A in (Q, K, V)))[0])

    parts = {"Q": X @ W["W_Q"], "K": memory @ W["W_K"], "V": memory @ W["W_V"]}
    for name in parts:
        numerical = numerical_gradient(
            lambda x, name=name: float((dY * (output(**{**parts, name: x}) @ W["W_O"])).sum()),
            parts[name],
        )
        assert_same(gradients[f"d{name}"], numerical)
    H = output(**parts)
    assert_same(
        gradients["dH"], numerical_gradient(lambda H: float((dY * (H @ W["W_O"])).sum()), H)
    )


def test_self_attention_adds_both_gradients_of_its_tokens(rng):
    X, _, W = draw(rng, 3, 3, 4, 4)
    dY = rng.normal(size=X.shape)
    gradients = multi_head_attention_backward(dY, X, X, W, 2)
    numerical = numerical_gradient(
        lambda X: float((dY * multi_head_attention(X, X, W, 2)[0]).sum()), X
    )
    assert relative_error(gradients["dX"] + gradients["dmemory"], numerical) < 1e-6
