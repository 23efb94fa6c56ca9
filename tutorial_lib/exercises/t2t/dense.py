"""An idea of convolutional networks about connections: every layer reads all before it."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


def dense_block(x, weights):
    """Layers that each read all that came before and add a few features (DenseNet).

    x (B, N, D) tensor; weights: a list of matrices, one a layer: W_0 (D, g), W_1 (D + g, g), …
    ->  (B, N, D + L g) for L layers: x, then the new features of each layer in order

    Layer i gives x_{i+1} = [x_i, GELU(x_i W_i)], where [ , ] puts features side by side. (In
    DenseNet a layer is a convolution and in T2T-ViT-Dense a transformer layer; the connections are
    these.)
    """
    for W in weights:
        new = F.gelu(x @ W)  # (B, N, g)
        x = torch.cat([x, new], dim=-1)
    return x


def tokens_and_growth(rng):
    for batch, n, features, growth, layers in [
        (1, 1, 2, 1, 2),
        (1, 2, 2, 2, 2),
        (1, 3, 3, 3, 3),
        (2, 3, 4, 5, 3),
        (2, 2, 3, 1, 0),
    ]:
        widths = [features + i * growth for i in range(layers)]
        weights = [normal(rng, width, growth, wanted=batch > 1) for width in widths]
        yield dict(x=normal(rng, batch, n, features, wanted=batch > 1), weights=weights)


dense_block = Exercise(
    dense_block,
    level=2,
    minutes=10,
    cases=tokens_and_growth,
    hints=(
        "What is the shape of W_1? It says how many features layer 1 reads.",
        "After each layer the tokens are longer by g. What a layer was given is never changed.",
        "In a loop over the weights: the new features are `F.gelu(x @ W)`; `torch.cat` puts them "
        "beside x, and the result is the next layer's x.",
    ),
)


def _dense(x, weights, layer):
    """`dense_block` with another layer."""
    for W in weights:
        x = torch.cat([x, layer(x, W)], dim=-1)
    return x


@dense_block.mistake(
    """You return the last layer's features alone. The next block, or the head, should hear from
    every layer directly. What happened to x and to the layers in between?"""
)
def only_the_newest(x, weights):
    new = x
    for W in weights:
        new = F.gelu(x @ W)
        x = torch.cat([x, new], dim=-1)
    return new


@dense_block.mistake(
    """You put the new features in front of the old ones. Then W_1's first rows meet what layer 0
    made, though they were meant for x. In which order does the docstring write [ , ]?"""
)
def newest_first(x, weights):
    for W in weights:
        x = torch.cat([F.gelu(x @ W), x], dim=-1)
    return x


@dense_block.mistake(
    """Each layer of yours reads the block's input and not what the layers before it made. These are
    branches side by side. What are the rows of W_1 below the first D for?"""
)
def layers_side_by_side(x, weights):
    new = [F.gelu(x @ W[: x.shape[-1]]) for W in weights]
    return torch.cat([x, *new], dim=-1)


@dense_block.mistake(
    """You bend the whole token after each layer, old features too. After L layers x has passed L
    bends, and the direct way back for its gradient is gone. To what does GELU belong?"""
)
def bends_the_old_too(x, weights):
    for W in weights:
        x = F.gelu(torch.cat([x, x @ W], dim=-1))
    return x


@dense_block.mistake(
    """You add instead of putting side by side: that is a residual connection, and the number of
    features never grows. For most shapes the sum does not even exist. Which does DenseNet do?"""
)
def adds_the_new(x, weights):
    for W in weights:
        x = x + F.gelu(x @ W)
    return x


@dense_block.mistake(
    """More tokens come out, and not longer ones: you put the new features below the old, which the
    next W cannot read. Which axis of (B, N, D) holds the features?"""
)
def more_tokens(x, weights):
    for W in weights:
        x = torch.cat([x, F.gelu(x @ W)], dim=1)
    return x


@dense_block.mistake(
    """The GELU is missing: without a bend all layers together are one linear map of x."""
)
def without_a_bend(x, weights):
    return _dense(x, weights, lambda x, W: x @ W)


@dense_block.mistake(
    """A ReLU in place of the GELU: below zero yours is flat. Which function does the formula
    name?"""
)
def relu_for_gelu(x, weights):
    return _dense(x, weights, lambda x, W: F.relu(x @ W))


@dense_block.mistake(
    """Nearly: your GELU is the approximation by a tanh, which differs in the fourth digit. What
    does `F.gelu` take if it is not told otherwise?"""
)
def gelu_by_tanh(x, weights):
    return _dense(x, weights, lambda x, W: F.gelu(x @ W, approximate="tanh"))


@dense_block.mistake(
    """You bend x and not what W makes of it: GELU comes before the product. In the formula,
    GELU(x W), what is inside the brackets?"""
)
def bends_before_the_product(x, weights):
    return _dense(x, weights, lambda x, W: F.gelu(x) @ W)


@dense_block.mistake(
    """The new features of all layers are there, and x is gone. What does [x, …] begin with?"""
)
def without_the_input(x, weights):
    return dense_block.reference(x, weights)[..., x.shape[-1] :]
