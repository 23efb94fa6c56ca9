"""Patches and a one-layer ViT in NumPy: brute force, identities, finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.data.photos import to_patches
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.patches import (
    patch_embedding,
    patch_embedding_backward,
    patchify,
    unpatchify,
)
from tutorial_lib.from_scratch.vit import (
    prepend_class_token,
    prepend_class_token_backward,
    vit,
    vit_backward,
)

SHAPES = [  # B, H, W, C, p
    (1, 1, 1, 1, 1),
    (1, 2, 2, 1, 2),
    (2, 4, 6, 3, 2),
    (3, 3, 9, 1, 3),
    (1, 5, 2, 4, 1),
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def assert_gradient(found, f, x):
    """`found` is the gradient of the number f(x)."""
    numerical = numerical_gradient(f, x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, numerical, atol=1e-8 * max(1, np.abs(numerical).max()))
    if np.abs(numerical).max() > 1e-6:
        assert relative_error(found, numerical) < 1e-6


@pytest.mark.parametrize("B, H, W, C, p", SHAPES)
def test_patchify_puts_every_pixel_where_the_definition_says(rng, B, H, W, C, p):
    images = rng.normal(size=(B, H, W, C))
    patches = patchify(images, p)
    assert patches.shape == (B, H * W // p**2, p * p * C)
    for b, y, x, c in np.ndindex(images.shape):
        n = y // p * (W // p) + x // p
        assert patches[b, n, (y % p * p + x % p) * C + c] == images[b, y, x, c]


@pytest.mark.parametrize("B, H, W, C, p", SHAPES)
def test_patchify_equals_to_patches_and_unfold_and_unpatchify_undoes_it(rng, B, H, W, C, p):
    images = rng.normal(size=(B, H, W, C))
    patches = patchify(images, p)
    np.testing.assert_array_equal(patches, to_patches(images, p).reshape(patches.shape))
    np.testing.assert_array_equal(unpatchify(patches, p, W // p), images)
    channels_first = torch.from_numpy(images).permute(0, 3, 1, 2)
    columns = F.unfold(channels_first, p, stride=p)  # (B, C·p·p, n), channels before pixels
    columns = columns.unflatten(1, (C, p * p)).permute(0, 3, 2, 1).flatten(2)
    np.testing.assert_array_equal(patches, columns.numpy())


def test_what_does_not_divide_is_refused(rng):
    for shape in [(1, 5, 4, 3), (1, 4, 5, 3)]:
        with pytest.raises(ValueError, match="do not divide into patches of 2 × 2"):
            patchify(rng.normal(size=shape), 2)
    with pytest.raises(ValueError, match="6 patches of 12 features are no rows of 4 patches"):
        unpatchify(rng.normal(size=(1, 6, 12)), 2, 4)
    with pytest.raises(ValueError, match="6 patches of 10 features"):
        unpatchify(rng.normal(size=(1, 6, 10)), 2, 3)
    with pytest.raises(ValueError, match="4 positions for 4 patches and a class token, expected 5"):
        prepend_class_token(np.zeros((2, 4, 3)), np.zeros(3), np.zeros((4, 3)))


@pytest.mark.parametrize("B, H, W, C, p", SHAPES)
def test_patch_embedding_equals_a_convolution_in_loops(rng, B, H, W, C, p):
    images, E, b = (
        rng.normal(size=(B, H, W, C)),
        rng.normal(size=(p * p * C, 2)),
        rng.normal(size=2),
    )
    kernel = E.reshape(p, p, C, 2)
    X = patch_embedding(images, E, b, p)
    for i, y, x in np.ndindex(B, H // p, W // p):
        window = images[i, y * p : (y + 1) * p, x * p : (x + 1) * p]  # (p, p, C)
        token = (window[..., None] * kernel).sum(axis=(0, 1, 2)) + b
        np.testing.assert_allclose(X[i, y * (W // p) + x], token, atol=1e-12)


@pytest.mark.parametrize("B, H, W, C, p", SHAPES)
def test_patch_embedding_backward_agrees_with_finite_differences(rng, B, H, W, C, p):
    images, E, b = (
        rng.normal(size=(B, H, W, C)),
        rng.normal(size=(p * p * C, 2)),
        rng.normal(size=2),
    )
    dX = rng.normal(size=(B, H * W // p**2, 2))
    found = patch_embedding_backward(dX, images, E, p)
    assert list(found) == ["dE", "db", "dpatches", "dimages"]

    def loss(images, E, b):
        return float((dX * patch_embedding(images, E, b, p)).sum())

    assert_gradient(found["dE"], lambda x: loss(images, x, b), E)
    assert_gradient(found["db"], lambda x: loss(images, E, x), b)
    assert_gradient(found["dimages"], lambda x: loss(x, E, b), images)
    np.testing.assert_array_equal(found["dpatches"], patchify(found["dimages"], p))


@pytest.mark.parametrize("B, n, D", [(1, 1, 1), (2, 3, 4), (3, 1, 2)])
def test_class_token_stands_first_and_its_backward_agrees_with_finite_differences(rng, B, n, D):
    X, x_class, E_pos = rng.normal(size=(B, n, D)), rng.normal(size=D), rng.normal(size=(n + 1, D))
    dZ_0 = rng.normal(size=(B, n + 1, D))
    Z_0 = prepend_class_token(X, x_class, E_pos)
    for b in range(B):
        np.testing.assert_array_equal(Z_0[b, 0], x_class + E_pos[0])
        np.testing.assert_array_equal(Z_0[b, 1:], X[b] + E_pos[1:])
    found = prepend_class_token_backward(dZ_0)

    def loss(X, x_class, E_pos):
        return float((dZ_0 * prepend_class_token(X, x_class, E_pos)).sum())

    assert_gradient(found["dX"], lambda x: loss(x, x_class, E_pos), X)
    assert_gradient(found["dx_class"], lambda x: loss(X, x, E_pos), x_class)
    assert_gradient(found["dE_pos"], lambda x: loss(X, x_class, x), E_pos)


def vit_weights(rng, n, features, D, hidden, K):
    """Weights of a whole ViT, none of them at a start value."""
    layer = {name: rng.normal(size=(D, D)) for name in ("W_Q", "W_K", "W_V", "W_O")}
    layer |= {"W_1": rng.normal(size=(D, hidden)), "b_1": rng.normal(size=hidden)}
    layer |= {"W_2": rng.normal(size=(hidden, D)), "b_2": rng.normal(size=D)}
    layer |= {name: rng.normal(size=D) for name in ("gamma_1", "beta_1", "gamma_2", "beta_2")}
    return {
        "E": rng.normal(size=(features, D)),
        "b": rng.normal(size=D),
        "x_class": rng.normal(size=D),
        "E_pos": rng.normal(size=(1 + n, D)),
        "layer": layer,
        "gamma": rng.normal(size=D),
        "beta": rng.normal(size=D),
        "W_head": rng.normal(size=(D, K)),
        "b_head": rng.normal(size=K),
    }


@pytest.mark.parametrize(
    "B, H, W, C, p, D, heads, K",
    [(1, 1, 1, 1, 1, 2, 1, 1), (2, 2, 4, 1, 2, 4, 2, 3), (1, 4, 2, 3, 2, 3, 3, 2)],
)
def test_vit_backward_agrees_with_finite_differences(rng, B, H, W, C, p, D, heads, K):
    images = rng.normal(size=(B, H, W, C))
    weights = vit_weights(rng, H * W // p**2, p * p * C, D, 3, K)
    dlogits = rng.normal(size=(B, K))
    found = vit_backward(dlogits, images, weights, p, heads)

    def loss(images, weights):
        return float((dlogits * vit(images, weights, p, heads)).sum())

    assert_gradient(found["dimages"], lambda x: loss(x, weights), images)
    for name, value in weights.items():
        if name != "layer":
            assert_gradient(
                found[f"d{name}"], lambda x, name=name: loss(images, {**weights, name: x}), value
            )
    for name, value in weights["layer"].items():

        def with_this(x, name=name):
            return loss(images, {**weights, "layer": {**weights["layer"], name: x}})

        assert_gradient(found["layer"][f"d{name}"], with_this, value)


def test_vit_sees_places_only_through_the_positions(rng):
    images = rng.normal(size=(2, 4, 4, 1))
    weights = vit_weights(rng, 4, 4, 4, 5, 3)
    patches = patchify(images, 2)
    shuffled = unpatchify(patches[:, [2, 0, 3, 1]], 2, 2)
    logits = vit(images, weights, 2, 2)
    assert not np.allclose(vit(shuffled, weights, 2, 2), logits)
    nowhere = {**weights, "E_pos": np.zeros((5, 4))}
    np.testing.assert_allclose(vit(shuffled, nowhere, 2, 2), vit(images, nowhere, 2, 2), atol=1e-12)


def test_dtypes_are_kept_and_large_pixels_give_finite_logits(rng):
    weights = vit_weights(rng, 4, 4, 4, 5, 3)
    assert np.isfinite(vit(1e6 * rng.normal(size=(2, 4, 4, 1)), weights, 2, 2)).all()

    def single(value):
        if isinstance(value, dict):
            return {name: single(inner) for name, inner in value.items()}
        return value.astype(np.float32)

    images, dlogits = single(rng.normal(size=(2, 4, 4, 1))), single(rng.normal(size=(2, 3)))
    assert vit(images, single(weights), 2, 2).dtype == np.float32
    found = vit_backward(dlogits, images, single(weights), 2, 2)
    for value in [*found.pop("layer").values(), *found.values()]:
        assert value.dtype == np.float32
