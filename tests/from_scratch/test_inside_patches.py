"""Squares inside patches against plain slicing; what pixels tell their patch against PyTorch, and
its way back against finite differences."""

import numpy as np
import pytest
import torch
from torch import nn

from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.inside_patches import (
    pixel_tokens,
    pixels_to_patch,
    pixels_to_patch_backward,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("P, s", [(6, 2), (6, 3), (3, 1), (6, 6)])
def test_squares_stand_where_slices_find_them(rng, P, s):
    images = rng.normal(size=(2, 6, 12, 2)).astype(np.float32)
    tokens = pixel_tokens(images, P, s)
    side = P // s
    assert tokens.shape == (2, 72 // P**2, side**2, s * s * 2) and tokens.dtype == np.float32
    for patch, square in np.ndindex(tokens.shape[1:3]):
        top, left = (P * i for i in divmod(patch, 12 // P))
        y, x = (s * i for i in divmod(square, side))
        found = images[:, top + y : top + y + s, left + x : left + x + s]
        assert (tokens[:, patch, square] == found.reshape(2, -1)).all()


@pytest.mark.parametrize("P, s", [(6, 4), (4, 2), (5, 5)])
def test_what_does_not_divide_is_refused(P, s):
    with pytest.raises(ValueError, match=f"6 × 12 pixels, patches of {P}, squares of {s}"):
        pixel_tokens(np.zeros((1, 6, 12, 1)), P, s)


def layer_and_weights(seed, pixels, c, dim):
    torch.manual_seed(seed)
    layer = nn.Sequential(nn.LayerNorm(pixels * c), nn.Linear(pixels * c, dim), nn.LayerNorm(dim))
    layer.double()
    with torch.no_grad():
        for p in layer.parameters():
            p += 0.3 * torch.randn_like(p)
    names = ("gamma_in", "beta_in", "W", "b", "gamma_out", "beta_out")
    weights = {name: p.detach().numpy().T for name, p in zip(names, layer.parameters())}
    return layer, weights


def test_pixels_tell_their_patch_what_pytorch_says(rng):
    layer, weights = layer_and_weights(0, 4, 3, 5)
    Y, dA = rng.normal(size=(2, 3, 4, 3)), rng.normal(size=(2, 3, 5))
    y = torch.from_numpy(Y).requires_grad_()
    out = layer(y.flatten(2))
    out.backward(torch.from_numpy(dA))
    np.testing.assert_allclose(pixels_to_patch(Y, weights), out.detach(), atol=1e-12)
    back = pixels_to_patch_backward(dA, Y, weights)
    np.testing.assert_allclose(back.pop("dY"), y.grad, atol=1e-12)
    for (name, gradient), p in zip(sorted(back.items()), sorted_parameters(layer)):
        np.testing.assert_allclose(gradient, p.grad.numpy().T, atol=1e-12, err_msg=name)


def sorted_parameters(layer):
    norm_in, project, norm_out = layer
    named = {
        "dW": project.weight,
        "db": project.bias,
        "dgamma_in": norm_in.weight,
        "dbeta_in": norm_in.bias,
        "dgamma_out": norm_out.weight,
        "dbeta_out": norm_out.bias,
    }
    return [p for _, p in sorted(named.items())]


def test_the_way_back_agrees_with_finite_differences(rng):
    _, weights = layer_and_weights(1, 2, 2, 3)
    Y, dA = rng.normal(size=(1, 2, 2, 2)), rng.normal(size=(1, 2, 3))
    judged = numerical_gradient(lambda y: float((dA * pixels_to_patch(y, weights)).sum()), Y)
    assert relative_error(pixels_to_patch_backward(dA, Y, weights)["dY"], judged) < 1e-6
