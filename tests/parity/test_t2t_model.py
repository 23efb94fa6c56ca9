"""T2T-ViT against independent formulations: loops, einsum, PyTorch's own layers and counters."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.exercises import t2t as exercise
from tutorial_lib.from_scratch import soft_split as np_soft_split
from tutorial_lib.layers import performer
from tutorial_lib.layers.ghost import GhostLinear, GhostModule
from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.t2t import (
    PAPER,
    SMALL,
    T2TModule,
    T2TViT,
    TokenPerformer,
    TokenTransformer,
)
from tutorial_lib.models.backbones.t2t_variants import GhostLayer, SqueezeExcitationLayer


@pytest.fixture(autouse=True)
def in_double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def shuffle(module):
    """No weight at its start value: norms start at one and would hide being left out."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


# Token layers and the module


def softmax_weights(q, k, layer):
    return torch.einsum("if,jf->ij", q, k).div(math.sqrt(q.shape[-1])).softmax(dim=-1)


def random_feature_weights(q, k, layer):
    """One number at a time, as the paper's equation has it."""
    w, d = layer.directions, q.shape[-1]
    kernel = torch.zeros(len(q), len(k))
    for i in range(len(q)):
        for j in range(len(k)):
            a, b = q[i] / d**0.25, k[j] / d**0.25
            of_query = [torch.exp(x @ a - a @ a / 2) for x in w]
            of_key = [torch.exp(x @ b - b @ b / 2) for x in w]
            kernel[i, j] = sum(f * g for f, g in zip(of_query, of_key)) / len(w)
    return kernel / kernel.sum(dim=1, keepdim=True)


def token_layer_by_einsum(layer, x, weights):
    """x (N, dim_in), one image."""
    y = F.layer_norm(x, x.shape[-1:], layer.norm.weight, layer.norm.bias)
    q, k, v = (
        torch.einsum("ni,oi->no", y, to.weight) for to in (layer.to_q, layer.to_k, layer.to_v)
    )
    z = v + torch.einsum("ij,jf->if", weights(q, k, layer), v) @ layer.to_out.weight.T
    z = z + layer.to_out.bias
    norm, net = layer.around_feed_forward.norm, layer.feed_forward
    y = F.layer_norm(z, z.shape[-1:], norm.weight, norm.bias)
    return z + F.gelu(y @ net.up.weight.T + net.up.bias) @ net.down.weight.T + net.down.bias


KINDS = pytest.mark.parametrize(
    "token_layer, weights",
    [(TokenTransformer, softmax_weights), (TokenPerformer, random_feature_weights)],
    ids=["transformer", "performer"],
)


@KINDS
@pytest.mark.parametrize("n, dim_in, dim", [(1, 3, 2), (4, 9, 4), (5, 2, 6)])
def test_token_layers_by_einsum(token_layer, weights, n, dim_in, dim):
    layer = shuffle(token_layer(dim_in, dim))
    x = torch.randn(2, n, dim_in)
    expected = torch.stack([token_layer_by_einsum(layer, image, weights) for image in x])
    torch.testing.assert_close(layer(x), expected)


@KINDS
def test_module_by_hand(token_layer, weights):
    """Every window cut out by itself, every token put on its pixel by itself."""
    module = shuffle(T2TModule(2, ((3, 2, 1), (3, 2, 1), (2, 1, 0)), 4, 5, token_layer))
    images = torch.randn(2, 2, 7, 9)
    expected = []
    for image in images:
        for split, layer in zip(module.splits, [*module.layers, None]):
            k, s, p = split.k, split.s, split.p
            padded = F.pad(image, (p, p, p, p))
            rows = range(0, padded.shape[1] - k + 1, s)
            columns = range(0, padded.shape[2] - k + 1, s)
            windows = [padded[:, y : y + k, x : x + k].flatten() for y in rows for x in columns]
            tokens = torch.stack(windows)
            if layer is not None:
                tokens = token_layer_by_einsum(layer, tokens, weights)
                image = torch.empty(tokens.shape[1], len(rows), len(columns))
                for i, token in enumerate(tokens):
                    image[:, i // len(columns), i % len(columns)] = token
        expected.append(tokens @ module.project.weight.T + module.project.bias)
    torch.testing.assert_close(module(images), torch.stack(expected))


def test_model_with_pytorchs_encoder_layers():
    model = shuffle(
        T2TViT(T2TModule(1, SMALL, 4, 8, TokenTransformer), [EncoderLayer(8, 2, 24)] * 1, 8, 3)
    )
    theirs = nn.TransformerEncoderLayer(
        8, 2, 24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    ours, a = model.encoder[0], model.encoder[0].attention
    with torch.no_grad():
        projections = [a.to_q, a.to_k, a.to_v]
        theirs.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    for mine, other in [
        (a.to_out, theirs.self_attn.out_proj),
        (ours.around_attention.norm, theirs.norm1),
        (ours.around_feed_forward.norm, theirs.norm2),
        (ours.feed_forward.up, theirs.linear1),
        (ours.feed_forward.down, theirs.linear2),
    ]:
        other.load_state_dict(mine.state_dict())
    images = torch.randn(2, 1, 16, 12)
    tokens = torch.cat([model.class_token.expand(2, 1, 8), model.embed(images)], dim=1)
    angle = torch.arange(tokens.shape[1])[:, None] / 10000 ** (torch.arange(0, 8, 2) / 8)
    tokens = tokens + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
    first = F.layer_norm(theirs(tokens), (8,), model.norm.weight, model.norm.bias)[:, 0]
    torch.testing.assert_close(model(images), first @ model.head.weight.T + model.head.bias)


# Squeeze-and-excitation, ghosts


@pytest.mark.parametrize("shape, r", [((1, 2, 1, 1), 1), ((2, 6, 3, 4), 2), ((3, 4, 5), 4)])
def test_squeeze_excitation_channel_by_channel(shape, r):
    module, u = SqueezeExcitation(shape[1], r), torch.randn(shape)
    expected = torch.empty_like(u)
    for b in range(shape[0]):
        z = [u[b, c].sum() / u[b, c].numel() for c in range(shape[1])]
        hidden = [max(0, sum(w * x for w, x in zip(row, z))) for row in module.down.weight]
        for c, row in enumerate(module.up.weight):
            s = 1 / (1 + torch.exp(-sum(w * x for w, x in zip(row, hidden))))
            expected[b, c] = s * u[b, c]
    torch.testing.assert_close(module(u), expected)


def test_squeeze_excitation_layer_gates_features_over_all_tokens():
    layer, x = shuffle(SqueezeExcitationLayer(6, 2, 12, 3)), torch.randn(2, 5, 6)
    branch = layer.attention(layer.around_attention.norm(x))
    z = torch.einsum("bnc->bc", branch) / 5
    s = torch.sigmoid(F.relu(z @ layer.excite.down.weight.T) @ layer.excite.up.weight.T)
    y = x + torch.einsum("bnc,bc->bnc", branch, s)
    y = y + layer.feed_forward(layer.around_feed_forward.norm(y))
    torch.testing.assert_close(layer(x), y)


@pytest.mark.parametrize("c, n, k, d, s", [(1, 2, 1, 1, 2), (3, 6, 3, 5, 3), (2, 8, 5, 3, 4)])
def test_ghost_module_map_by_map(c, n, k, d, s):
    module, x = GhostModule(c, n, k, d, s), torch.randn(2, c, 4, 3)
    m = n // s
    columns = F.unfold(x, k, padding=k // 2)  # (2, c · k · k, 12)
    intrinsic = torch.einsum("of,bfn->bon", module.primary.weight.flatten(1), columns)
    intrinsic = intrinsic.unflatten(-1, (4, 3))
    ghosts = []
    for i in range(m):
        padded = F.pad(intrinsic[:, i], [d // 2] * 4)
        for j in range(s - 1):
            kernel, ghost = module.cheap.weight[i * (s - 1) + j, 0], torch.zeros(2, 4, 3)
            for y in range(d):
                for z in range(d):
                    ghost += kernel[y, z] * padded[:, y : y + 4, z : z + 3]
            ghosts.append(ghost)
    torch.testing.assert_close(module(x), torch.cat([intrinsic, torch.stack(ghosts, dim=1)], dim=1))


@pytest.mark.parametrize("ratio", [2, 3, 6])
@pytest.mark.parametrize("activation", [None, F.gelu])
def test_ghost_linear_is_a_pointwise_depthwise_convolution(ratio, activation):
    module, x = GhostLinear(5, 6, ratio, activation), torch.randn(2, 7, 5)
    bend = activation or (lambda y: y)
    y = bend(F.linear(x, module.primary.weight, module.primary.bias))
    m = 6 // ratio
    blocks = [y] + [
        bend(F.conv1d(y.mT, scale.view(m, 1, 1), groups=m).mT) for scale in module.scales
    ]
    torch.testing.assert_close(module(x), torch.cat(blocks, dim=-1))


def test_ghost_layer_has_ghosts_where_the_official_code_has_them():
    layer = GhostLayer(6, 2, 18, 3)
    x = torch.randn(2, 4, 6)
    q = layer.attention.to_q(x)
    torch.testing.assert_close(q[..., 3:], q[..., :3] * layer.attention.to_q.scales[0])
    up = layer.feed_forward.up(x)
    torch.testing.assert_close(up[..., 6:12], F.gelu(up[..., :6] * layer.feed_forward.up.scales[0]))
    torch.testing.assert_close(layer.feed_forward(x), layer.feed_forward.down(up))


# The exercises against the library


def test_exercises_agree_with_the_library():
    u = torch.randn(2, 6, 3, 4)
    gate, ghost = SqueezeExcitation(6, 2), GhostModule(6, 6, 3, 5, 3)
    torch.testing.assert_close(
        exercise.squeeze_excitation.reference(u, gate.down.weight, gate.up.weight), gate(u)
    )
    torch.testing.assert_close(
        exercise.ghost_module.reference(u, ghost.primary.weight, ghost.cheap.weight), ghost(u)
    )
    x, w = torch.randn(2, 3, 4), torch.randn(5, 4)
    torch.testing.assert_close(
        exercise.positive_features.reference(x, w), performer.positive_features(x, w)
    )
    T = torch.randn(2, 6, 3)
    np.testing.assert_array_equal(
        exercise.restructure.reference(T, 2, 3).movedim(1, -1),
        np_soft_split.restructure(T.numpy(), 2, 3),
    )


def test_the_exercises_model_is_the_librarys():
    size = dict(dim=6, classes=5)
    theirs = T2TModule(2, SMALL, 3, 6, TokenTransformer)
    theirs = shuffle(T2TViT(theirs, [EncoderLayer(6, 2, 8) for _ in range(2)], **size))
    ours = exercise.T2TViT.reference(2, SMALL, 3, depth=2, heads=2, hidden=8, **size)
    state = {name.removeprefix("embed."): x for name, x in theirs.state_dict().items()}
    ours.load_state_dict(state | {"class_token": state["class_token"][0]})
    images = torch.randn(2, 2, 12, 16)
    torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize(
    "size, channels, splits, token_dim, dim",
    [(28, 1, SMALL, 16, 48), (28, 1, ((4, 4, 0),), 16, 48), (56, 3, PAPER, 8, 12)],
)
def test_cost_equals_what_a_profiler_counts(size, channels, splits, token_dim, dim):
    module = T2TModule(channels, splits, token_dim, dim, TokenTransformer)
    predicted = exercise.t2t_cost.reference(size, size, channels, splits, token_dim, dim)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        tokens = module(torch.randn(1, channels, size, size))
    assert tokens.shape[1] == predicted["tokens"]
    assert counter.get_total_flops() == predicted["linear"] + predicted["attention"]
