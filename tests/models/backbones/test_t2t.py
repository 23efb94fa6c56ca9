"""T2T-ViT: tokens, what a token can hear of, gradients everywhere, positions."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring.benchmarking import peak_bytes
from tutorial_lib.models.backbones.t2t import (
    PAPER,
    SMALL,
    T2TModule,
    T2TViT,
    TokenPerformer,
    TokenTransformer,
)
from tutorial_lib.models.backbones.t2t_variants import (
    GhostLayer,
    SqueezeExcitationLayer,
    dense_layers,
)

HARD = ((4, 4, 0),)
EITHER = pytest.mark.parametrize("token_layer", [TokenTransformer, TokenPerformer])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@EITHER
@pytest.mark.parametrize(
    "splits, channels, size, n",
    [
        (SMALL, 1, (28, 28), 49),
        (SMALL, 3, (32, 20), 40),
        (HARD, 1, (28, 28), 49),
        (SMALL, 1, (2, 2), 1),
    ],
)
def test_tokens_of_the_module(token_layer, splits, channels, size, n):
    module = T2TModule(channels, splits, 4, 6, token_layer)
    tokens = module(torch.randn(2, channels, *size))
    assert tokens.shape == (2, n, 6)
    tokens.square().sum().backward()
    for name, parameter in module.named_parameters():
        # A token that is alone looks at itself, whatever its query and key are.
        assert parameter.grad.abs().sum() > 0 or (n == 1 and "to_v" not in name), name


def test_the_paper_makes_196_tokens_of_224_pixels():
    module = T2TModule(3, PAPER, 4, 6, TokenPerformer)
    with torch.no_grad():
        assert module(torch.randn(1, 3, 224, 224)).shape == (1, 14 * 14, 6)


def test_one_split_without_overlap_is_a_convolution_with_stride():
    module = T2TModule(3, HARD, 8, 5, TokenTransformer)
    images = torch.randn(2, 3, 12, 8)
    kernel = module.project.weight.unflatten(1, (3, 4, 4))
    expected = F.conv2d(images, kernel, module.project.bias, stride=4).flatten(2).mT
    torch.testing.assert_close(module(images), expected)


@EITHER
def test_token_layer_starts_its_residual_at_the_values(token_layer):
    layer = token_layer(9, 4)
    for part in (layer.to_out, layer.feed_forward.down):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    x = torch.randn(2, 5, 9)
    torch.testing.assert_close(layer(x), layer.to_v(layer.norm(x)))


@EITHER
def test_token_layers_store_no_matrix_of_weights(token_layer):
    n, layer = 1024, token_layer(9, 8)
    q, k, v = torch.randn(3, 2, n, 8)
    assert peak_bytes(lambda: layer.attend(q, k, v)) < 4 * 2 * n * n / 2


def test_a_performers_directions_travel_with_its_weights():
    torch.manual_seed(0)
    one, other, x = TokenPerformer(6, 4), TokenPerformer(6, 4), torch.randn(2, 5, 6)
    assert not torch.equal(one(x), other(x))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))


def test_attention_of_the_token_transformer_is_softmax_attention():
    layer = TokenTransformer(9, 4)
    q, k, v = torch.randn(3, 2, 5, 4)
    expected = (q @ k.mT / 2).softmax(dim=-1) @ v
    torch.testing.assert_close(layer.attend(q, k, v), expected)


@EITHER
def test_a_far_pixel_changes_a_token_only_through_attention(token_layer):
    module = T2TModule(1, SMALL, 4, 6, token_layer)
    images = torch.randn(1, 1, 28, 28)
    changed = images.clone()
    changed[..., -1, -1] += 3
    moved = (module(images) - module(changed)).abs().sum(-1)[0]
    assert moved[0] > 1e-6  # the token of the opposite corner
    for layer in module.layers:
        nn.init.zeros_(layer.to_out.weight)
    moved = (module(images) - module(changed)).abs().sum(-1)[0]
    assert moved[0] == 0 and moved[-1] > 1e-6


def layers_of(kind):
    if kind == "dense":
        return dense_layers(8, 2, 4, (2, 1))
    layer = {
        "plain": lambda: EncoderLayer(8, 2, 16),
        "heads": lambda: EncoderLayer(8, 8, 16),
        "gate": lambda: SqueezeExcitationLayer(8, 2, 16, 4),
        "ghost": lambda: GhostLayer(8, 2, 24, 3),
    }[kind]
    return [layer(), layer()], 8


@pytest.mark.parametrize("kind", ["plain", "heads", "gate", "ghost", "dense"])
def test_every_variant_classifies_and_learns_everywhere(kind):
    layers, dim_out = layers_of(kind)
    model = T2TViT(T2TModule(1, SMALL, 4, 8, TokenTransformer), layers, 8, 5, dim_out)
    logits = model(torch.randn(3, 1, 14, 10))
    assert logits.shape == (3, 5)
    logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        # A bias of the keys moves all scores of a row alike, and the softmax does not care.
        assert parameter.grad.abs().sum() > 0 or name.endswith("to_k.bias"), name


def test_the_order_of_tokens_matters_through_the_positions_alone():
    model = T2TViT(nn.Identity(), [EncoderLayer(8, 2, 16)], 8, 3).double()
    tokens = torch.randn(1, 6, 8, dtype=torch.float64)
    assert not torch.allclose(model(tokens), model(tokens.flip(1)))
    table = torch.zeros(7, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tutorial_lib.models.backbones.t2t.sinusoidal", lambda n, d: table)
        torch.testing.assert_close(model(tokens), model(tokens.flip(1)))
