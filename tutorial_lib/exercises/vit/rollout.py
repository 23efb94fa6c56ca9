"""What a trained ViT looks at through all its layers, in PyTorch."""

import math

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.vit.weights import attention_weights
from tutorial_lib.layers import rollout as torch_rollout


def layers_of_weights(rng):
    for depth, batch, heads, n in [
        (1, 1, 1, 2),
        (2, 1, 1, 2),
        (1, 1, 2, 2),
        (2, 2, 2, 3),
        (3, 1, 4, 3),
        (4, 2, 3, 5),
    ]:
        yield dict(weights=[attention_weights(rng, batch, heads, n, n) for _ in range(depth)])
    yield dict(weights=[attention_weights(rng, 1, 2, 3, 3, sharpness=20) for _ in range(2)])
    yield dict(weights=[attention_weights(rng, 2, 2, 3, 3).float() for _ in range(2)])


attention_rollout = Exercise(
    torch_rollout.attention_rollout,
    level=3,
    minutes=15,
    cases=layers_of_weights,
    hints=(
        "What token i is made of after one layer: half of itself, which the residual carries, and "
        "half of what the attention mixes. Write that as a matrix.",
        "If Z_1 = Â_1 Z_0 and Z_2 = Â_2 Z_1, what is Z_2 in terms of Z_0? On which side does the "
        "next layer's matrix go?",
        "Start from the identity. For each layer: mean over the heads' axis, plus the identity, "
        "divided by the sum of each row; multiply it from the left to what you have.",
    ),
)


def _layer(p, heads=torch.mean, identity=1.0, axis=-1):
    """Â of one layer, with a step of it changed."""
    pooled = heads(p, dim=1) if heads is torch.mean else heads(p)
    A = pooled + identity * torch.eye(p.shape[-1], dtype=p.dtype)
    return A if axis is None else A / A.sum(dim=axis, keepdim=True)


def _product(matrices):
    """The later matrix on the left."""
    found = matrices[0]
    for matrix in matrices[1:]:
        found = matrix @ found
    return found


@attention_rollout.mistake(
    """The identity is missing: this is a layer without its residual, in which a token forgets
    itself. After a few layers all rows are alike. How does a token pass a layer?"""
)
def without_identity(weights):
    return _product([_layer(p, identity=0.0) for p in weights])


@attention_rollout.mistake(
    """Rows of A + I sum to two, and after L layers to 2^L. What is a token's share, if all shares
    should sum to one?"""
)
def not_normalized(weights):
    return _product([_layer(p, axis=None) for p in weights])


@attention_rollout.mistake(
    """The layers are multiplied in the wrong order. The output of layer 1 is the input of layer 2:
    Z_2 = Â_2 Z_1. Which matrix stands next to Z_0? (With one layer there is no telling.)"""
)
def wrong_order(weights):
    return _product([_layer(p) for p in reversed(weights)])


@attention_rollout.mistake(
    """You take the largest weight of all heads. Some later work does; in rollout as published the
    heads are averaged."""
)
def largest_head(weights):
    return _product([_layer(p, heads=lambda p: p.amax(dim=1)) for p in weights])


@attention_rollout.mistake(
    """You divide by the sum of the columns. A row says of what one token is made: which sums should
    be one?"""
)
def columns_normalized(weights):
    return _product([_layer(p, axis=-2) for p in weights])


@attention_rollout.mistake(
    """You multiply number by number. Two layers are two steps of a path: from i to k and from k to
    j, over every k. Which product adds up over k?"""
)
def number_by_number(weights):
    return math.prod(_layer(p) for p in weights)


@attention_rollout.mistake(
    """This is the last layer alone. What its tokens are made of was mixed by the layers before."""
)
def last_layer_alone(weights):
    return _layer(weights[-1])


@attention_rollout.mistake(
    """This is the first layer alone. It says of what *its* tokens are made; which layers come after
    it, and what do they do with those tokens?"""
)
def first_layer_alone(weights):
    return _layer(weights[0])


@attention_rollout.mistake(
    """The first layer is left out: with one layer yours is the identity, as if a token were made of
    itself alone. Which layers does the product run over?"""
)
def first_layer_left_out(weights):
    one = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype).expand_as(weights[0][:, 0])
    return _product([one, *(_layer(p) for p in weights[1:])])


@attention_rollout.mistake(
    """You add the heads up. A token then gets as many units from the attention as there are heads,
    and one from itself. Right with one head. What keeps the two halves equal?"""
)
def heads_added_up(weights):
    return _product([_layer(p, heads=lambda p: p.sum(dim=1)) for p in weights])


@attention_rollout.mistake(
    """You multiply bare attention and add the identity once at the end. Every layer has its
    residual: how many ways past the attention are there in two layers?"""
)
def identity_at_the_end(weights):
    found = _product([p.mean(dim=1) for p in weights])
    return (found + torch.eye(found.shape[-1], dtype=found.dtype)) / 2


@attention_rollout.mistake(
    """Each head of yours is followed through all layers by itself, and the mean comes at the end.
    What head 1 of a layer has mixed is read by every head of the next, for their results are joined
    in between. When must the heads meet?"""
)
def each_head_alone(weights):
    one = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    return _product([(p + one) / 2 for p in weights]).mean(dim=1)


@attention_rollout.mistake(
    """You average over the images as well. Each image has paths of its own: which axis holds the
    heads?"""
)
def images_averaged(weights):
    return torch_rollout.attention_rollout(weights).mean(dim=0)
