"""A transformer's layers in NumPy: finite differences, identities, brute force, extreme values."""

import math

import numpy as np
import pytest

from tutorial_lib.from_scratch.attention import padding_mask
from tutorial_lib.from_scratch.feed_forward import (
    feed_forward,
    feed_forward_backward,
    gelu,
    gelu_backward,
    linear,
    linear_backward,
)
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.normalization import batch_norm, layer_norm, layer_norm_backward
from tutorial_lib.from_scratch.transformer import (
    decoder_layer,
    decoder_layer_backward,
    encoder_layer,
    encoder_layer_backward,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def layer_weights(rng, dim, hidden, norms=2):
    """Weights of an encoder layer, or of a decoder layer when it has three norms."""
    projections = ("W_Q", "W_K", "W_V", "W_O")
    W = {name: rng.normal(size=(dim, dim)) for name in projections}
    W |= {"W_1": rng.normal(size=(dim, hidden)), "b_1": rng.normal(size=hidden)}
    W |= {"W_2": rng.normal(size=(hidden, dim)), "b_2": rng.normal(size=dim)}
    for i in range(1, norms + 1):
        W |= {f"gamma_{i}": rng.normal(size=dim), f"beta_{i}": rng.normal(size=dim)}
    if norms == 3:
        W["cross"] = {name: rng.normal(size=(dim, dim)) for name in projections}
    return W


def assert_gradient(found, f, x):
    """`found` is the gradient of the number f(x)."""
    numerical = numerical_gradient(f, x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, numerical, atol=1e-8 * max(1, np.abs(numerical).max()))
    if np.abs(numerical).max() > 1e-6:
        assert relative_error(found, numerical) < 1e-6


def assert_weight_gradients(found, f, W):
    """`found` holds the gradient of the number f(W) for every array in the dict W."""
    for name, value in W.items():

        def with_this(w, name=name):
            return f({**W, name: w})

        if isinstance(value, dict):
            assert_weight_gradients(found[name], with_this, value)
        else:
            assert_gradient(found[f"d{name}"], with_this, value)


SHAPES = [(1,), (1, 1), (3, 4), (2, 3, 4), (2, 1, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gelu_equals_the_definition_and_its_gradient_agrees_with_finite_differences(rng, shape):
    x, dy = 2 * rng.normal(size=shape), rng.normal(size=shape)
    for value, result in zip(x.ravel(), gelu(x).ravel()):
        assert result == pytest.approx(value * (1 + math.erf(value / math.sqrt(2))) / 2)
    assert_gradient(gelu_backward(dy, x), lambda x: float((dy * gelu(x)).sum()), x)


def test_gelu_far_from_zero_is_relu():
    x = np.array([-1e300, -40.0, 0.0, 40.0, 1e300])
    with np.errstate(over="ignore"):  # 1e300 squared is infinite, and exp(−∞) is 0
        np.testing.assert_array_equal(gelu(x), [0, 0, 0, 40, 1e300])
        np.testing.assert_array_equal(gelu_backward(np.ones(5), x), [0, 0, 0.5, 1, 1])


def test_gelu_minus_its_mirror_image_is_the_identity(rng):
    x = rng.normal(size=50)
    np.testing.assert_allclose(gelu(x) - gelu(-x), x)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_linear_backward_agrees_with_finite_differences(rng, shape):
    X, W, b = rng.normal(size=shape), rng.normal(size=(shape[-1], 3)), rng.normal(size=3)
    dY = rng.normal(size=(*shape[:-1], 3))
    found = linear_backward(dY, X, W)
    assert_gradient(found["dX"], lambda X: float((dY * linear(X, W, b)).sum()), X)
    assert_gradient(found["dW"], lambda W: float((dY * linear(X, W, b)).sum()), W)
    assert_gradient(found["db"], lambda b: float((dY * linear(X, W, b)).sum()), b)


@pytest.mark.parametrize("hidden", [1, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_feed_forward_backward_agrees_with_finite_differences(rng, shape, hidden):
    X, dY, W = rng.normal(size=shape), rng.normal(size=shape), layer_weights(rng, shape[-1], hidden)
    W = {name: W[name] for name in ("W_1", "b_1", "W_2", "b_2")}
    found = feed_forward_backward(dY, X, W)
    assert_gradient(found["dX"], lambda X: float((dY * feed_forward(X, W)).sum()), X)
    assert_weight_gradients(found, lambda W: float((dY * feed_forward(X, W)).sum()), W)
    U = linear(X, W["W_1"], W["b_1"])
    assert_gradient(
        found["dU"], lambda U: float((dY * linear(gelu(U), W["W_2"], W["b_2"])).sum()), U
    )
    assert_gradient(
        found["dA"], lambda A: float((dY * linear(A, W["W_2"], W["b_2"])).sum()), gelu(U)
    )


def test_feed_forward_treats_every_token_alone(rng):
    W = layer_weights(rng, 4, 7)
    X = rng.normal(size=(2, 3, 4))
    for b, n in np.ndindex(2, 3):
        np.testing.assert_allclose(feed_forward(X[b, n], W), feed_forward(X, W)[b, n])


@pytest.mark.parametrize("eps", [1e-5, 0.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layer_norm_backward_agrees_with_finite_differences(rng, shape, eps):
    X, dY = rng.normal(size=shape), rng.normal(size=shape)
    gamma, beta = rng.normal(size=shape[-1]), rng.normal(size=shape[-1])
    ones, zeros = np.ones(shape[-1]), np.zeros(shape[-1])
    found = layer_norm_backward(dY, X, gamma, eps)
    assert_gradient(found["dX"], lambda X: float((dY * layer_norm(X, gamma, beta, eps)).sum()), X)
    assert_gradient(
        found["dgamma"], lambda g: float((dY * layer_norm(X, g, beta, eps)).sum()), gamma
    )
    assert_gradient(
        found["dbeta"], lambda b: float((dY * layer_norm(X, gamma, b, eps)).sum()), beta
    )
    Xhat = layer_norm(X, ones, zeros, eps)
    assert_gradient(found["dXhat"], lambda Xhat: float((dY * (gamma * Xhat + beta)).sum()), Xhat)


def test_layer_norm_gives_mean_zero_and_variance_one_and_forgets_shift_and_scale(rng):
    X = rng.normal(size=(2, 3, 64))
    Y = layer_norm(X, np.ones(64), np.zeros(64))
    np.testing.assert_allclose(Y.mean(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(Y.var(axis=-1), 1, rtol=1e-4)
    np.testing.assert_allclose(layer_norm(7 * X + 5, np.ones(64), np.zeros(64)), Y, atol=1e-4)


def test_layer_norm_gradient_moves_neither_mean_nor_scale(rng):
    X, dY, gamma = rng.normal(size=(3, 8)), rng.normal(size=(3, 8)), rng.normal(size=8)
    dX = layer_norm_backward(dY, X, gamma, eps=1e-12)["dX"]
    np.testing.assert_allclose(dX.sum(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose((dX * X).sum(axis=-1), 0, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e300])
def test_layer_norm_of_a_constant_row_is_beta(rng, value):
    gamma, beta, X = rng.normal(size=4), rng.normal(size=4), np.full((2, 4), value)
    np.testing.assert_allclose(layer_norm(X, gamma, beta), [beta, beta])
    assert all(np.isfinite(d).all() for d in layer_norm_backward(X * 0 + 1, X, gamma).values())


def test_one_feature_carries_nothing_through_layer_norm(rng):
    X, gamma, beta = rng.normal(size=(5, 1)), rng.normal(size=1), rng.normal(size=1)
    np.testing.assert_array_equal(layer_norm(X, gamma, beta), np.broadcast_to(beta, (5, 1)))
    assert (layer_norm_backward(np.ones((5, 1)), X, gamma)["dX"] == 0).all()


def test_batch_norm_sees_the_rest_of_the_batch_and_layer_norm_does_not(rng):
    gamma, beta = rng.normal(size=4), rng.normal(size=4)
    X, mask = rng.normal(size=(3, 5, 4)), padding_mask([5, 2, 1], 5)[:, 0]
    Y = batch_norm(X, gamma, beta, mask)
    real = (Y[mask] - beta) / gamma
    np.testing.assert_allclose(real.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(real.var(axis=0), 1, rtol=1e-4)
    changed, padded = X.copy(), X.copy()
    changed[1:] += rng.normal(size=(2, 5, 4))
    padded[~mask] = 99.0
    assert not np.allclose(batch_norm(changed, gamma, beta, mask)[0], Y[0])
    np.testing.assert_array_equal(batch_norm(padded, gamma, beta, mask)[mask], Y[mask])
    np.testing.assert_array_equal(
        layer_norm(changed, gamma, beta)[0], layer_norm(X, gamma, beta)[0]
    )


LAYERS = [((1, 1), 1, 1), ((3, 4), 2, 5), ((2, 3, 4), 4, 3), ((2, 1, 3), 1, 3)]  # X, heads, hidden
BOTH_ORDERS = pytest.mark.parametrize("norm_first", [True, False], ids=["pre", "post"])


@BOTH_ORDERS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape, heads, hidden", LAYERS, ids=str)
def test_encoder_layer_backward_agrees_with_finite_differences(
    rng, shape, heads, hidden, masked, norm_first
):
    X, dY, W = rng.normal(size=shape), rng.normal(size=shape), layer_weights(rng, shape[-1], hidden)
    mask = rng.random((*shape[:-1], shape[-2])) < 0.6 if masked else None

    def loss(X, W):
        return float((dY * encoder_layer(X, W, heads, norm_first, mask)).sum())

    found = encoder_layer_backward(dY, X, W, heads, norm_first, mask)
    assert_gradient(found["dX"], lambda X: loss(X, W), X)
    assert_weight_gradients(found, lambda W: loss(X, W), W)


@BOTH_ORDERS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape, heads, hidden", LAYERS, ids=str)
def test_decoder_layer_backward_agrees_with_finite_differences(
    rng, shape, heads, hidden, masked, norm_first
):
    *batch, n, dim = shape
    X, dY, memory = (rng.normal(size=(*batch, rows, dim)) for rows in (n, n, 5))
    W = layer_weights(rng, dim, hidden, norms=3)
    mask = rng.random((*batch, 1, 5)) < 0.6 if masked else None

    def loss(X, memory, W):
        return float((dY * decoder_layer(X, memory, W, heads, norm_first, mask)).sum())

    found = decoder_layer_backward(dY, X, memory, W, heads, norm_first, mask)
    assert_gradient(found["dX"], lambda X: loss(X, memory, W), X)
    assert_gradient(found["dmemory"], lambda memory: loss(X, memory, W), memory)
    assert_weight_gradients(found, lambda W: loss(X, memory, W), W)


@BOTH_ORDERS
def test_layers_whose_branches_give_nothing_pass_their_input_on(rng, norm_first):
    W = layer_weights(rng, 4, 5, norms=3)
    W |= {"W_O": np.zeros((4, 4)), "W_2": np.zeros((5, 4)), "b_2": np.zeros(4)}
    W["cross"]["W_O"] = np.zeros((4, 4))
    X, memory = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    normed, twice = X, X
    if not norm_first:
        normed = layer_norm(layer_norm(X, W["gamma_1"], W["beta_1"]), W["gamma_2"], W["beta_2"])
        twice = layer_norm(normed, W["gamma_3"], W["beta_3"])
    np.testing.assert_allclose(encoder_layer(X, W, 2, norm_first), normed)
    np.testing.assert_allclose(decoder_layer(X, memory, W, 2, norm_first), twice)


@BOTH_ORDERS
def test_pre_ln_ends_in_a_sum_and_post_ln_in_a_norm(rng, norm_first):
    W = layer_weights(rng, 16, 5)
    W["gamma_2"], W["beta_2"] = np.ones(16), np.zeros(16)
    Y = encoder_layer(100 * rng.normal(size=(3, 16)), W, 2, norm_first)
    assert (Y.std(axis=-1) > 50).all() if norm_first else np.allclose(Y.std(axis=-1), 1, atol=1e-3)


@BOTH_ORDERS
def test_the_encoder_treats_tokens_as_a_set_and_the_decoder_its_memory(rng, norm_first):
    W, order = layer_weights(rng, 4, 5, norms=3), rng.permutation(6)
    X, memory = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    np.testing.assert_allclose(
        encoder_layer(X[order], W, 2, norm_first), encoder_layer(X, W, 2, norm_first)[order]
    )
    np.testing.assert_allclose(
        decoder_layer(X, memory[order], W, 2, norm_first),
        decoder_layer(X, memory, W, 2, norm_first),
    )


@BOTH_ORDERS
def test_the_future_does_not_matter_to_the_decoder(rng, norm_first):
    W = layer_weights(rng, 4, 5, norms=3)
    X, memory, dY = rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), np.zeros((5, 4))
    Y = decoder_layer(X, memory, W, 2, norm_first)
    changed = X.copy()
    changed[3:] += 1
    np.testing.assert_array_equal(decoder_layer(changed, memory, W, 2, norm_first)[:3], Y[:3])
    dY[2] = rng.normal(size=4)
    dX = decoder_layer_backward(dY, X, memory, W, 2, norm_first)["dX"]
    assert (dX[3:] == 0).all() and (dX[:3] != 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(rng, dtype):
    def cast(value):
        if isinstance(value, dict):
            return {name: cast(inner) for name, inner in value.items()}
        return value.astype(dtype)

    W = cast(layer_weights(rng, 4, 5, norms=3))
    X, memory, dY = (cast(rng.normal(size=(3, 4))) for _ in range(3))
    for norm_first in (True, False):
        assert encoder_layer(X, W, 2, norm_first).dtype == dtype
        assert decoder_layer(X, memory, W, 2, norm_first).dtype == dtype
        found = encoder_layer_backward(dY, X, W, 2, norm_first)
        assert all(gradient.dtype == dtype for gradient in found.values())
        found = decoder_layer_backward(dY, X, memory, W, 2, norm_first)
        gradients = [*found.pop("cross").values(), *found.values()]
        assert all(gradient.dtype == dtype for gradient in gradients)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gelu_keeps_the_dtype_forward_and_backward(dtype):
    x = np.linspace(-4, 4, 9, dtype=dtype)
    assert gelu(x).dtype == gelu_backward(x, x).dtype == dtype


def test_gelu_of_whole_numbers_is_that_of_floats():
    x = np.arange(-2, 3)
    np.testing.assert_array_equal(gelu(x), gelu(x.astype(float)))
    np.testing.assert_array_equal(gelu_backward(x, x), gelu_backward(x, x.astype(float)))
