"""The NumPy parts of a transformer against PyTorch's and against the course's own PyTorch layers.

Everything runs in float64, forward and backward.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.attention import padding_mask
from tutorial_lib.from_scratch.feed_forward import gelu, gelu_backward
from tutorial_lib.from_scratch.normalization import batch_norm, layer_norm, layer_norm_backward
from tutorial_lib.from_scratch.transformer import (
    cross_entropy,
    cross_entropy_backward,
    decoder_layer,
    decoder_layer_backward,
    encoder_layer,
    encoder_layer_backward,
)
from tutorial_lib.layers.transformer import DecoderLayer, EncoderLayer

BATCH, N, M, DIM, HEADS, HIDDEN = 2, 5, 7, 8, 4, 12
PROJECTIONS = ("W_Q", "W_K", "W_V", "W_O")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def leaf(array):
    return torch.from_numpy(np.array(array)).requires_grad_()


def assert_close(ours, theirs):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(1,), (3, 4), (2, 3, 5)], ids=str)
def test_gelu(rng, shape):
    x, dy = 5 * rng.normal(size=shape), rng.normal(size=shape)
    theirs = leaf(x)
    y = F.gelu(theirs)
    y.backward(torch.from_numpy(dy))
    assert_close(gelu(x), y)
    assert_close(gelu_backward(dy, x), theirs.grad)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("shape", [(1,), (3, 1), (3, 4), (2, 3, 5)], ids=str)
def test_layer_norm(rng, shape, eps):
    X, dY = rng.normal(size=shape), rng.normal(size=shape)
    gamma, beta = rng.normal(size=shape[-1]), rng.normal(size=shape[-1])
    theirs = {"dX": leaf(X), "dgamma": leaf(gamma), "dbeta": leaf(beta)}
    Y = F.layer_norm(theirs["dX"], shape[-1:], theirs["dgamma"], theirs["dbeta"], eps)
    Y.backward(torch.from_numpy(dY))
    assert_close(layer_norm(X, gamma, beta, eps), Y)
    gradients = layer_norm_backward(dY, X, gamma, eps)
    for name, value in theirs.items():
        assert_close(gradients[name], value.grad)


def test_batch_norm_over_the_real_tokens(rng):
    X, gamma, beta = rng.normal(size=(3, 5, 4)), rng.normal(size=4), rng.normal(size=4)
    mask = padding_mask([5, 2, 1], 5)[:, 0]
    real, weight, bias = (torch.from_numpy(x) for x in (X[mask], gamma, beta))
    expected = F.batch_norm(real, None, None, weight, bias, training=True)
    assert_close(batch_norm(X, gamma, beta, mask)[mask], expected)


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (2, 3, 5)], ids=str)
def test_cross_entropy(rng, shape, scale):
    logits, targets = scale * rng.normal(size=shape), rng.integers(shape[-1], size=shape[:-1])
    theirs = leaf(logits)
    rows = theirs.reshape(-1, shape[-1])
    loss = F.cross_entropy(rows, torch.from_numpy(targets.ravel()))
    loss.backward()
    assert_close(cross_entropy(logits, targets), loss)
    assert_close(cross_entropy_backward(logits, targets), theirs.grad)


def layer_weights(rng, norms):
    """Weights of an encoder layer (two norms) or of a decoder layer (three), near one in size."""
    W = {name: rng.normal(size=(DIM, DIM)) / DIM**0.5 for name in PROJECTIONS}
    W |= {"W_1": rng.normal(size=(DIM, HIDDEN)) / DIM**0.5, "b_1": rng.normal(size=HIDDEN)}
    W |= {"W_2": rng.normal(size=(HIDDEN, DIM)) / HIDDEN**0.5, "b_2": rng.normal(size=DIM)}
    for i in range(1, norms + 1):
        W |= {f"gamma_{i}": rng.normal(size=DIM), f"beta_{i}": rng.normal(size=DIM)}
    if norms == 3:
        W["cross"] = {name: rng.normal(size=(DIM, DIM)) / DIM**0.5 for name in PROJECTIONS}
    return W


def parameters_of_course(layer, norms):
    """Our names -> the parameters of the course's layer, in PyTorch's orientation."""
    around = [layer.around_attention, layer.around_feed_forward]
    if norms == 3:
        around.insert(1, layer.around_cross_attention)
    named = {"W_1": layer.feed_forward.up.weight, "b_1": layer.feed_forward.up.bias}
    named |= {"W_2": layer.feed_forward.down.weight, "b_2": layer.feed_forward.down.bias}
    for i, residual in enumerate(around, 1):
        named |= {f"gamma_{i}": residual.norm.weight, f"beta_{i}": residual.norm.bias}

    def projections(attention):
        maps = (attention.to_q, attention.to_k, attention.to_v, attention.to_out)
        return {name: module.weight for name, module in zip(PROJECTIONS, maps)}

    named |= projections(layer.attention)
    if norms == 3:
        named["cross"] = projections(layer.cross_attention)
    return named


def parameters_of_pytorch(layer, norms):
    """Our names -> the parameters of nn.TransformerEncoderLayer or nn.TransformerDecoderLayer.

    PyTorch stacks W_Q, W_K and W_V, so an entry may be a pair: the parameter and the rows of it.
    """
    named = {"W_1": layer.linear1.weight, "b_1": layer.linear1.bias}
    named |= {"W_2": layer.linear2.weight, "b_2": layer.linear2.bias}
    for i in range(1, norms + 1):
        norm = getattr(layer, f"norm{i}")
        named |= {f"gamma_{i}": norm.weight, f"beta_{i}": norm.bias}

    def projections(attention):
        rows = {name: slice(i * DIM, (i + 1) * DIM) for i, name in enumerate(PROJECTIONS[:3])}
        stacked = {name: (attention.in_proj_weight, part) for name, part in rows.items()}
        return {**stacked, "W_O": attention.out_proj.weight}

    named |= projections(layer.self_attn)
    if norms == 3:
        named["cross"] = projections(layer.multihead_attn)
    return named


def each(named, W):
    """Pairs of a parameter (or its gradient) and the array of the same name, as PyTorch lays it."""
    for name, array in W.items():
        key = name.removeprefix("d")
        if isinstance(array, dict):
            yield from each(named[key], array)
        elif key in named:
            yield named[key], array.T  # a linear layer holds (out, in); a vector is its own .T


@torch.no_grad()
def load(layer, named, W):
    """Copy W into the layer; the attentions of the paper have no biases."""
    for module in layer.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if "bias" in name:
                parameter.zero_()
    for parameter, array in each(named, W):
        target = parameter if torch.is_tensor(parameter) else parameter[0][parameter[1]]
        target.copy_(torch.from_numpy(array))


def compare_gradients(named, gradients):
    pairs = list(each(named, gradients))
    assert len(pairs) == (18 if "cross" in named else 12)
    for parameter, gradient in pairs:
        if torch.is_tensor(parameter):
            assert_close(gradient, parameter.grad)
        else:
            assert_close(gradient, parameter[0].grad[parameter[1]])


BOTH_ORDERS = pytest.mark.parametrize("norm_first", [True, False], ids=["pre", "post"])
PYTORCH = dict(dropout=0.0, activation="gelu", batch_first=True, dtype=torch.float64)


@BOTH_ORDERS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("whose", ["PyTorch's", "the course's"])
def test_encoder_layer(rng, whose, masked, norm_first):
    W, X, dY = layer_weights(rng, 2), *(rng.normal(size=(BATCH, N, DIM)) for _ in range(2))
    mask = padding_mask([N, 3], N) if masked else None
    x = leaf(X)
    if whose == "PyTorch's":
        layer = nn.TransformerEncoderLayer(DIM, HEADS, HIDDEN, norm_first=norm_first, **PYTORCH)
        named = parameters_of_pytorch(layer, 2)
        load(layer, named, W)
        padded = torch.from_numpy(~mask[:, 0]) if masked else None  # True where there is nothing
        y = layer(x, src_key_padding_mask=padded)
    else:
        layer = EncoderLayer(DIM, HEADS, HIDDEN, norm_first).double()
        named = parameters_of_course(layer, 2)
        load(layer, named, W)
        y = layer(x, torch.from_numpy(mask) if masked else None)
    y.backward(torch.from_numpy(dY))
    assert_close(encoder_layer(X, W, HEADS, norm_first, mask), y)
    gradients = encoder_layer_backward(dY, X, W, HEADS, norm_first, mask)
    assert_close(gradients["dX"], x.grad)
    compare_gradients(named, gradients)


@BOTH_ORDERS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("whose", ["PyTorch's", "the course's"])
def test_decoder_layer(rng, whose, masked, norm_first):
    W, X, dY = layer_weights(rng, 3), *(rng.normal(size=(BATCH, N, DIM)) for _ in range(2))
    memory = rng.normal(size=(BATCH, M, DIM))
    mask = padding_mask([M, 2], M) if masked else None
    x, m = leaf(X), leaf(memory)
    if whose == "PyTorch's":
        layer = nn.TransformerDecoderLayer(DIM, HEADS, HIDDEN, norm_first=norm_first, **PYTORCH)
        named = parameters_of_pytorch(layer, 3)
        load(layer, named, W)
        padded = torch.from_numpy(~mask[:, 0]) if masked else None
        forbidden = torch.ones(N, N, dtype=torch.bool).triu(1)
        y = layer(x, m, tgt_mask=forbidden, memory_key_padding_mask=padded)
    else:
        layer = DecoderLayer(DIM, HEADS, HIDDEN, norm_first).double()
        named = parameters_of_course(layer, 3)
        load(layer, named, W)
        y = layer(x, m, torch.from_numpy(mask) if masked else None)
    y.backward(torch.from_numpy(dY))
    assert_close(decoder_layer(X, memory, W, HEADS, norm_first, mask), y)
    gradients = decoder_layer_backward(dY, X, memory, W, HEADS, norm_first, mask)
    assert_close(gradients["dX"], x.grad)
    assert_close(gradients["dmemory"], m.grad)
    compare_gradients(named, gradients)
