"""ViT in PyTorch and its baseline: NumPy, brute force, identities, errors."""

import math

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.exercises import vit as exercise
from tutorial_lib.from_scratch.vit import vit, vit_backward
from tutorial_lib.layers.patches import PatchEmbedding, interpolate_positions
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.vit import ViT


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def small_vit(**changes):
    sizes = dict(image_size=6, patch=2, channels=3, classes=5, dim=8, depth=2, heads=2, hidden=12)
    return ViT(**{**sizes, **changes})


# Patches


@pytest.mark.parametrize(
    "channels, patch, rows, columns", [(1, 1, 1, 1), (3, 2, 3, 2), (2, 4, 1, 3)]
)
def test_patch_embedding_is_a_linear_map_of_each_patch(channels, patch, rows, columns):
    embed = PatchEmbedding(channels, patch, 5).double()
    images = torch.randn(2, channels, rows * patch, columns * patch, dtype=torch.float64)
    tokens = embed(images)
    assert tokens.shape == (2, rows * columns, 5) and embed.grid(images) == (rows, columns)
    for row in range(rows):
        for column in range(columns):
            y, x = row * patch, column * patch
            window = images[:, :, y : y + patch, x : x + patch].flatten(1)
            expected = window @ embed.project.weight.flatten(1).T + embed.project.bias
            torch.testing.assert_close(tokens[:, row * columns + column], expected)


def test_pixels_that_would_be_cut_off_are_refused():
    for height, width in [(5, 4), (4, 5)]:
        with pytest.raises(ValueError, match=f"{height} × {width} pixels do not divide"):
            PatchEmbedding(1, 2, 3)(torch.zeros(1, 1, height, width))
    with pytest.raises(ValueError, match="7 pixels do not divide into patches of 2"):
        small_vit(image_size=7)


def cubic(t):
    """Keys's kernel with a = −3/4, which PyTorch uses."""
    t, a = abs(t), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def resized(table, size):
    """(n, D) -> (size, D) by cubic interpolation along the first axis, place by place."""
    n, out = len(table), []
    for i in range(size):
        x = (i + 0.5) * n / size - 0.5
        near = range(math.floor(x) - 1, math.floor(x) + 3)
        out.append(sum(cubic(x - j) * table[min(max(j, 0), n - 1)] for j in near))
    return np.array(out)


@pytest.mark.parametrize(
    "grid, new_grid", [((1, 1), (2, 3)), ((2, 3), (4, 6)), ((4, 2), (3, 5)), ((3, 3), (1, 2))]
)
def test_interpolated_positions_equal_the_definition_in_loops(grid, new_grid):
    positions = torch.randn(1 + grid[0] * grid[1], 4, dtype=torch.float64)
    found = interpolate_positions(positions, grid, new_grid)
    picture = positions[1:].numpy().reshape(*grid, 4)
    picture = resized(picture, new_grid[0])  # the rows,
    picture = resized(picture.swapaxes(0, 1), new_grid[1]).swapaxes(0, 1)  # then the columns
    np.testing.assert_allclose(found[1:], picture.reshape(-1, 4), atol=1e-12)
    assert torch.equal(found[0], positions[0])


def test_interpolation_to_the_same_grid_changes_nothing_and_a_constant_stays():
    positions = torch.randn(7, 4)
    torch.testing.assert_close(interpolate_positions(positions, (2, 3), (2, 3)), positions)
    constant = torch.ones(7, 1)
    torch.testing.assert_close(interpolate_positions(constant, (2, 3), (5, 4)), torch.ones(21, 1))
    with pytest.raises(ValueError, match="6 positions for a grid of 2 × 3, expected 7"):
        interpolate_positions(torch.randn(6, 4), (2, 3), (4, 6))


# ViT


def numpy_weights(model, get):
    """The weights of a `ViT` with one layer in the names of the NumPy version, or what else `get`
    takes from a parameter; attention has no biases there."""
    layer = model.encoder[0]
    attention, feed = layer.attention, layer.feed_forward
    norms = layer.around_attention.norm, layer.around_feed_forward.norm
    projections = zip("QKVO", (attention.to_q, attention.to_k, attention.to_v, attention.to_out))
    found = {f"W_{name}": get(linear.weight).T for name, linear in projections}
    for i, (linear, norm) in enumerate(zip((feed.up, feed.down), norms), 1):
        found |= {f"W_{i}": get(linear.weight).T, f"b_{i}": get(linear.bias)}
        found |= {f"gamma_{i}": get(norm.weight), f"beta_{i}": get(norm.bias)}
    kernel = get(model.embed.project.weight)  # (D, C, p, p)
    return {
        "E": kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)),
        "b": get(model.embed.project.bias),
        "x_class": get(model.class_token)[0],
        "E_pos": get(model.positions.table),
        "layer": found,
        "gamma": get(model.norm.weight),
        "beta": get(model.norm.bias),
        "W_head": get(model.head.weight).T,
        "b_head": get(model.head.bias),
    }


@pytest.mark.parametrize("channels, patch, heads", [(1, 2, 1), (3, 2, 4), (2, 3, 2)])
def test_pytorch_equals_numpy_forward_and_backward(channels, patch, heads):
    model = small_vit(channels=channels, patch=patch, heads=heads, depth=1, eps=1e-5).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_bias_of_attention = ".attention." in name and name.endswith("bias")
            parameter.copy_(0 if is_bias_of_attention else torch.randn_like(parameter))
    images = torch.randn(2, channels, 6, 6, dtype=torch.float64).requires_grad_()
    logits = model(images)
    dlogits = torch.randn_like(logits)
    logits.backward(dlogits)

    weights = numpy_weights(model, lambda parameter: parameter.detach().numpy())
    channels_last = images.detach().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(
        logits.detach().numpy(), vit(channels_last, weights, patch, heads), rtol=1e-10, atol=1e-10
    )
    found = vit_backward(dlogits.numpy(), channels_last, weights, patch, heads)
    expected = numpy_weights(model, lambda parameter: parameter.grad.numpy())
    layer = expected.pop("layer")
    np.testing.assert_allclose(
        found["dimages"], images.grad.permute(0, 2, 3, 1).numpy(), rtol=1e-8, atol=1e-9
    )
    for theirs, ours in [(layer, found["layer"]), (expected, found)]:
        for name, gradient in theirs.items():
            np.testing.assert_allclose(ours[f"d{name}"], gradient, rtol=1e-8, atol=1e-9)


def test_vit_b_16_has_the_paper_s_86_million_parameters():
    with torch.device("meta"):
        model = ViT(224, 16, 3, 1000, dim=768, depth=12, heads=12, hidden=3072)
    assert parameters(model) == 86_567_656


@pytest.mark.parametrize("image_size, patch, depth", [(6, 2, 2), (6, 3, 1), (4, 4, 3)])
def test_predicted_cost_is_what_pytorch_counts(image_size, patch, depth):
    model = small_vit(image_size=image_size, patch=patch, depth=depth)
    cost = exercise.vit_cost.reference(image_size, patch, 3, 5, 8, depth, 12)
    assert cost["patch_embedding"] == parameters(model.embed)
    assert cost["encoder"] == parameters(model.encoder)
    assert cost["head"] == parameters(model.norm) + parameters(model.head)
    assert cost["parameters"] == parameters(model)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.randn(1, 3, image_size, image_size))
    assert cost["flops"] == counter.get_total_flops()


def test_predicted_cost_of_vit_b_16():
    cost = exercise.vit_cost.reference(224, 16, 3, 1000, 768, 12, 3072)
    assert cost["parameters"] == 86_567_656
    assert round(cost["flops"] / 2e9, 1) == 17.6  # as in tables that count multiply-adds


def test_normalized_logits_put_a_floor_of_0278_under_the_loss():
    """What the buggy start of the exercise claims, for a head as sure as can be."""
    sure = 1e3 * np.eye(10)
    p = exercise.class_probabilities.start(np.eye(10)[:, None], sure, np.zeros(10))
    np.testing.assert_allclose(-np.log(np.diag(p)), 0.278, atol=5e-4)
    Z, W_head = np.random.default_rng(0).normal(size=(1000, 1, 8)), 1e3 * sure[:8]
    assert -np.log(exercise.class_probabilities.start(Z, W_head, np.zeros(10)).max()) > 0.278


def test_logits_come_from_the_class_token_after_the_last_norm():
    model, images = small_vit(), torch.randn(2, 3, 6, 6)
    features = model.features(images)
    assert features.shape == (2, 10, 8)
    torch.testing.assert_close(features.mean(-1), torch.zeros(2, 10), atol=1e-5, rtol=0)
    torch.testing.assert_close(model(images), model.head(features[:, 0]))


def test_class_token_ends_the_same_for_every_order_of_patches_without_positions():
    model, images = small_vit(), torch.randn(2, 3, 6, 6)
    turned = images.unflatten(-1, (3, 2)).flip(-2).flatten(-2)  # columns of patches in reverse
    assert not torch.allclose(model(turned), model(images), atol=1e-4)
    torch.nn.init.zeros_(model.positions.table)
    torch.testing.assert_close(model(turned), model(images))


def test_an_image_of_another_size_gets_interpolated_positions():
    model = small_vit()
    tokens = model.tokens(torch.zeros(1, 3, 4, 10))
    positions = interpolate_positions(model.positions.table, (3, 3), (2, 5))
    torch.testing.assert_close(tokens[0, 1:], model.embed.project.bias + positions[1:])
    assert model(torch.randn(2, 3, 4, 10)).shape == (2, 5)


def test_weights_are_those_that_the_features_are_made_with():
    model, images = small_vit(), torch.randn(2, 3, 6, 6)
    weights = model.weights(images)
    assert [tuple(p.shape) for p in weights] == [(2, 2, 10, 10)] * 2
    x = model.tokens(images)
    for layer, p in zip(model.encoder, weights):
        torch.testing.assert_close(p.sum(-1), torch.ones(2, 2, 10))
        _, v = layer.attention.keys_values(layer.around_attention.norm(x))
        x = x + layer.attention.to_out((p @ v).transpose(1, 2).flatten(-2))
        x = layer.around_feed_forward(x, layer.feed_forward)
    torch.testing.assert_close(model.norm(x), model.features(images))


def test_every_parameter_gets_a_gradient_and_a_small_set_is_learned():
    model, images = small_vit(), torch.randn(10, 3, 6, 6)
    labels = torch.arange(10) % 5
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(40):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for name, parameter in model.named_parameters():
                # A key's bias adds the same number to all scores of a query: softmax ignores it.
                assert parameter.grad.abs().max() > 1e-8 or name.endswith("to_k.bias"), name
        optimizer.step()
    assert loss < 0.1


# The baseline


@pytest.mark.parametrize("width, low, high", [(32, 60_000, 70_000), (46, 130_000, 140_000)])
def test_small_cnn_has_the_size_it_says(width, low, high):
    model = SmallCNN(1, 10, width)
    assert low < parameters(model) < high
    assert model(torch.randn(2, 1, 28, 28)).shape == (2, 10)
    assert model(torch.randn(3, 1, 9, 5)).shape == (3, 10)


def test_a_single_image_is_refused():
    """Its channels would be the rows of a grid, and its tokens the features."""
    with pytest.raises(ValueError, match=r"images are \(1, 4, 4\), expected \(B, C, H, W\)"):
        PatchEmbedding(1, 2, 3)(torch.zeros(1, 4, 4))
