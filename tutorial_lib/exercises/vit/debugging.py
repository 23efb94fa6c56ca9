"""A bug to find."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.normalization import layer_norm


def class_probabilities(Z, W_head, b_head):
    """From the encoder's last tokens to a probability for each class.

    Z (B, 1 + n, D) tokens, class token first; W_head (D, K); b_head (K,)
    ->  (B, K), positive, rows summing to one

    The class token is given mean 0 and variance 1 (a LayerNorm without scale and shift, eps 1e-6),
    then comes the head, then softmax.

    This version reaches a good accuracy. And yet, with ten classes, its loss never gets below
    0.278, however long it trains. Two steps are in the wrong order. Which?
    """
    y = Z[:, 0]  # (B, D)
    y = (y - y.mean(axis=-1, keepdims=True)) / np.sqrt(y.var(axis=-1, keepdims=True) + 1e-6)
    y = y @ W_head + b_head  # (B, K)
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def buggy_class_probabilities(Z, W_head, b_head):
    """From the encoder's last tokens to a probability for each class.

    Z (B, 1 + n, D) tokens, class token first; W_head (D, K); b_head (K,)
    ->  (B, K), positive, rows summing to one

    The class token is given mean 0 and variance 1 (a LayerNorm without scale and shift, eps 1e-6),
    then comes the head, then softmax.

    This version reaches a good accuracy. And yet, with ten classes, its loss never gets below
    0.278, however long it trains. Two steps are in the wrong order. Which?
    """
    y = Z[:, 0]  # (B, D)
    y = y @ W_head + b_head  # (B, K)
    y = (y - y.mean(axis=-1, keepdims=True)) / np.sqrt(y.var(axis=-1, keepdims=True) + 1e-6)
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def tokens_and_heads(rng):
    for B, N, D, K in [
        (1, 2, 2, 2),
        (1, 3, 2, 3),
        (2, 2, 3, 2),
        (2, 3, 4, 10),
        (3, 1, 2, 2),
    ]:
        yield dict(
            Z=rng.normal(size=(B, N, D)), W_head=rng.normal(size=(D, K)), b_head=rng.normal(size=K)
        )
    large = dict(Z=(2, 2, 3), W_head=(3, 2), b_head=(2,))
    small = {name: rng.normal(size=shape) for name, shape in large.items()}
    yield small | {"Z": 1e-3 * small["Z"]}  # a variance about as large as eps
    yield {name: 30 * rng.normal(size=shape) for name, shape in large.items()}
    # Logits whose exponential overflows, were the largest not subtracted first.
    yield {name: 2000 * rng.normal(size=shape) for name, shape in large.items()}
    yield {name: rng.normal(size=shape).astype(np.float32) for name, shape in large.items()}


class_probabilities = Exercise(
    class_probabilities,
    start=buggy_class_probabilities,
    level=3,
    minutes=10,
    cases=tokens_and_heads,
    hints=(
        "A loss near zero needs a probability near one, and that needs one logit far above the "
        "others. Print the largest logits of this version: what keeps them small?",
        "Ten numbers with mean 0 and variance 1: how large can the largest be? Then the largest "
        "possible probability is 0.757, and −log 0.757 is 0.278.",
        "What is normalized here are the logits. Normalize the class token, and let the head make "
        "of it logits of any size.",
    ),
)


def _normalized(y, axis=-1):
    return (y - y.mean(axis=axis, keepdims=True)) / np.sqrt(y.var(axis=axis, keepdims=True) + 1e-6)


@class_probabilities.mistake(
    """Now there is no norm at all. The floor under the loss is gone, but a Pre-LN encoder ends
    with a sum that no norm has seen, so the logits depend on how large the tokens have grown."""
)
def without_a_norm(Z, W_head, b_head):
    return softmax(Z[:, 0] @ W_head + b_head)


@class_probabilities.mistake(
    """Both are normalized now, the token and the logits. The second norm is the one that sets a
    floor under the loss."""
)
def both_normalized(Z, W_head, b_head):
    return softmax(_normalized(_normalized(Z[:, 0]) @ W_head + b_head))


@class_probabilities.mistake(
    """You normalize between the head's matrix and its bias. The scores are still squeezed to
    variance one. What should be normalized, the scores or the token?"""
)
def normalized_before_the_bias(Z, W_head, b_head):
    return softmax(_normalized(Z[:, 0] @ W_head) + b_head)


@class_probabilities.mistake(
    """The mean and the variance run over the batch (`axis=0`). An image's answer then depends on
    which other images came with it, and an image alone always gets the same one. Over which axis
    does a LayerNorm run?"""
)
def over_the_batch(Z, W_head, b_head):
    return softmax(_normalized(Z[:, 0], axis=0) @ W_head + b_head)


@class_probabilities.mistake(
    """You normalize over tokens and features together. In a LayerNorm each token has a mean and a
    variance of its own."""
)
def over_tokens_and_features(Z, W_head, b_head):
    return softmax(_normalized(Z, axis=(1, 2))[:, 0] @ W_head + b_head)


@class_probabilities.mistake(
    """The order is right now, but the head reads the mean of all tokens instead of the class token.
    Which line did you change besides?"""
)
def mean_of_the_tokens(Z, W_head, b_head):
    return softmax(_normalized(Z.mean(axis=1)) @ W_head + b_head)


@class_probabilities.mistake(
    """These are logits: they are not positive, and rows do not sum to one. The order is right now;
    which step has gone missing on the way?"""
)
def logits(Z, W_head, b_head):
    return _normalized(Z[:, 0]) @ W_head + b_head


@class_probabilities.mistake(
    """Your softmax runs over the batch: columns sum to one, and an image alone gets probability 1
    for every class. The order is right now. Among what does an image have to choose?"""
)
def softmax_over_the_batch(Z, W_head, b_head):
    return softmax((_normalized(Z[:, 0]) @ W_head + b_head).T).T


@class_probabilities.mistake(
    """Your eps stands outside the root, `sqrt(var) + eps`. It makes a difference where the variance
    is small. The order is right now. To what does LayerNorm add eps?"""
)
def eps_outside_the_root(Z, W_head, b_head):
    y = Z[:, 0]
    y = (y - y.mean(axis=-1, keepdims=True)) / (y.std(axis=-1, keepdims=True) + 1e-6)
    return softmax(y @ W_head + b_head)


@class_probabilities.mistake(
    """Your eps is another one: the course's `layer_norm` takes 1e-5 unless it is told. The order is
    right now. Which eps does the task give?"""
)
def another_eps(Z, W_head, b_head):
    return softmax(layer_norm(Z[:, 0], 1.0, 0.0) @ W_head + b_head)


@class_probabilities.mistake(
    """Your variance divides by D − 1 (`ddof=1`, or PyTorch's `var`), as for a sample. The order is
    right now. By what does a LayerNorm divide?"""
)
def variance_of_a_sample(Z, W_head, b_head):
    y = Z[:, 0] - Z[:, 0].mean(axis=-1, keepdims=True)
    variance = (y * y).sum(axis=-1, keepdims=True) / (Z.shape[-1] - 1)
    return softmax(y / np.sqrt(variance + 1e-6) @ W_head + b_head)
