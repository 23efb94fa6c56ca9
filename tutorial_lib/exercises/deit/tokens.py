"""Two tokens: how their heads answer together, and how alike they are."""

import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import distillation as np_distillation
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.models.backbones import deit


def logits_of_two_heads(rng):
    for n, k in [(1, 2), (2, 3), (5, 4), (6, 10)]:
        Z_cls, Z_dist = 3 * rng.normal(size=(2, n, k))
        yield dict(Z_cls=Z_cls, Z_dist=Z_dist)
    # One head is sure of class 0, the other excludes it and cannot tell 1 from 2; and an easy one.
    yield dict(
        Z_cls=np.array([[3.0, 0, -1], [2, 0, 0]]), Z_dist=np.array([[-9.0, 0, 0.1], [1, 0, 2]])
    )
    yield dict(Z_cls=np.array([[900.0, 0, -900]]), Z_dist=np.array([[0.0, 1, 2]]))
    Z_cls, Z_dist = rng.normal(size=(2, 3, 4)).astype(np.float32)
    yield dict(Z_cls=Z_cls, Z_dist=Z_dist)


predict_with_two_heads = Exercise(
    np_distillation.predict_with_two_heads,
    level=1,
    minutes=5,
    cases=logits_of_two_heads,
    hints=(
        "The same two operations, a mean and a softmax, in one order and in the other.",
        "`softmax(Z)` turns each row into probabilities. Class and picture: over which axis is the "
        "largest sought?",
        "The mean of two softmaxes; the softmax of a mean; and how often the argmax over the last "
        "axis of the one is not that of the other.",
    ),
)


def _answers(by_probabilities, by_logits):
    differ = (by_probabilities.argmax(axis=-1) != by_logits.argmax(axis=-1)).mean()
    return {"by_probabilities": by_probabilities, "by_logits": by_logits, "differ": float(differ)}


@predict_with_two_heads.mistake(
    """The two rules are exchanged. Adding what comes out of two softmaxes is the paper's;
    averaging logits is the code's."""
)
def rules_exchanged(Z_cls, Z_dist):
    found = np_distillation.predict_with_two_heads(Z_cls, Z_dist)
    return _answers(found["by_logits"], found["by_probabilities"])


@predict_with_two_heads.mistake(
    """by_logits adds the logits without halving them. The chosen class is the same, but the
    probabilities are too sure: that is temperature ½."""
)
def logits_added(Z_cls, Z_dist):
    return _answers((softmax(Z_cls) + softmax(Z_dist)) / 2, softmax(Z_cls + Z_dist))


@predict_with_two_heads.mistake(
    """Rows of by_probabilities sum to two. What is the mean of two distributions?"""
)
def probabilities_added(Z_cls, Z_dist):
    return _answers(softmax(Z_cls) + softmax(Z_dist), softmax((Z_cls + Z_dist) / 2))


@predict_with_two_heads.mistake(
    """by_logits is the mean of the logits themselves, before the softmax. The class is the same;
    asked for are probabilities."""
)
def logits_not_probabilities(Z_cls, Z_dist):
    return _answers((softmax(Z_cls) + softmax(Z_dist)) / 2, (Z_cls + Z_dist) / 2)


@predict_with_two_heads.mistake(
    """by_logits is a softmax of probabilities: a second softmax on numbers between 0 and 1 makes
    all classes nearly equal. Of what should the softmax be taken?"""
)
def softmax_twice(Z_cls, Z_dist):
    by_probabilities = (softmax(Z_cls) + softmax(Z_dist)) / 2
    return _answers(by_probabilities, softmax(by_probabilities))


@predict_with_two_heads.mistake(
    """differ counts where the two *heads* choose different classes. Asked is how often the two
    *rules* do, which is much rarer."""
)
def heads_differ(Z_cls, Z_dist):
    found = np_distillation.predict_with_two_heads(Z_cls, Z_dist)
    return {**found, "differ": float((Z_cls.argmax(axis=-1) != Z_dist.argmax(axis=-1)).mean())}


@predict_with_two_heads.mistake(
    """You take the surer of the two heads, class by class. DeiT's rules use both."""
)
def surer_head(Z_cls, Z_dist):
    surer = np.maximum(softmax(Z_cls), softmax(Z_dist))
    return _answers(surer, softmax((Z_cls + Z_dist) / 2))


@predict_with_two_heads.mistake(
    """differ is a number of pictures; asked is their share. By what should the count be divided?"""
)
def counts_pictures(Z_cls, Z_dist):
    found = np_distillation.predict_with_two_heads(Z_cls, Z_dist)
    return {**found, "differ": found["differ"] * len(Z_cls)}


@predict_with_two_heads.mistake(
    """differ is the share of pictures for which the rules *agree*. Which comparison says that they
    do not?"""
)
def share_that_agrees(Z_cls, Z_dist):
    found = np_distillation.predict_with_two_heads(Z_cls, Z_dist)
    return {**found, "differ": 1 - found["differ"]}


def tokens_of_layers(rng):
    for depth, B, n, D in [
        (1, 1, 1, 2),
        (2, 1, 2, 2),
        (1, 3, 1, 2),
        (3, 2, 3, 4),
        (4, 3, 2, 3),
    ]:
        yield dict(layers=[_layer(rng, B, 2 + n, D) for _ in range(depth)])
    yield dict(layers=[_layer(rng, 2, 4, 3, scale=scale) for scale in (1e-6, 1e6)])
    yield dict(layers=[_layer(rng, 2, 3, 5, dtype=torch.float32) for _ in range(2)])


def _layer(rng, B, N, D, scale=1.0, dtype=torch.float64):
    # A mean that is not zero, so that centring shows, and lengths that differ between pictures.
    lengths = scale * rng.uniform(0.2, 3, size=(B, N, 1))
    return torch.tensor(lengths * (0.5 + rng.normal(size=(B, N, D))), dtype=dtype)


token_similarity = Exercise(
    deit.token_similarity,
    level=2,
    minutes=5,
    cases=tokens_of_layers,
    hints=(
        "One layer first: which two vectors of each picture are compared? What is their shape for "
        "the whole batch?",
        "A product number by number and a sum over the features is the dot product of each "
        "picture. Divide each by its own two lengths, and average last.",
        "For `a = x[:, 0]` and `b = x[:, 1]`: the dot product of each picture over the product of "
        "the two norms, both over the last axis; the mean of that; `torch.stack` of the layers'.",
    ),
)


def _for_each(layers, similarity):
    return torch.stack([similarity(x[:, 0], x[:, 1]) for x in layers])


@token_similarity.mistake(
    """The dot products are not divided by the lengths. They grow with the tokens, and a residual
    network's tokens grow from layer to layer. What makes a cosine stay below one?"""
)
def without_lengths(layers):
    return _for_each(layers, lambda a, b: (a * b).sum(dim=-1).mean())


@token_similarity.mistake(
    """You compare the mean class token with the mean distillation token. What all pictures share
    then hides how the tokens of one picture differ. When should the mean be taken?"""
)
def cosine_of_means(layers):
    return _for_each(layers, lambda a, b: F.cosine_similarity(a.mean(0), b.mean(0), dim=-1))


@token_similarity.mistake(
    """You compare the first token with the last, which is a patch. Where does the distillation
    token stand?"""
)
def with_the_last_token(layers):
    return torch.stack([F.cosine_similarity(x[:, 0], x[:, -1], dim=-1).mean() for x in layers])


@token_similarity.mistake(
    """Your cosine runs over the pictures (axis 0): it compares, feature by feature, how the batch
    varies. Over which axis does a token extend?"""
)
def over_the_batch(layers):
    return _for_each(layers, lambda a, b: F.cosine_similarity(a, b, dim=0).mean())


@token_similarity.mistake(
    """You divide the sum of all dot products by the length of everything: long tokens count more
    than short ones. Each picture should have its own cosine first."""
)
def one_cosine_for_the_batch(layers):
    return _for_each(layers, lambda a, b: F.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@token_similarity.mistake(
    """You divide by the squared length of the class token alone. That is the length of a
    projection, and it is not the same both ways round."""
)
def projection(layers):
    return _for_each(layers, lambda a, b: ((a * b).sum(-1) / (a * a).sum(-1)).mean())


@token_similarity.mistake(
    """You average over the layers too. Asked is one number for each: the point is how they
    change."""
)
def averaged_over_layers(layers):
    return _for_each(layers, lambda a, b: F.cosine_similarity(a, b, dim=-1).mean()).mean()


@token_similarity.mistake(
    """You take the absolute value of each cosine. Two tokens that point in opposite directions are
    then as alike as two copies. What does a cosine of −1 say?"""
)
def absolute_value(layers):
    return _for_each(layers, lambda a, b: F.cosine_similarity(a, b, dim=-1).abs().mean())


@token_similarity.mistake(
    """You divide by the squared lengths: a root is missing, and longer tokens seem less alike. What
    is the cosine of a vector with itself?"""
)
def by_squared_lengths(layers):
    return _for_each(
        layers, lambda a, b: ((a * b).sum(-1) / (a * a).sum(-1) / (b * b).sum(-1)).mean()
    )


@token_similarity.mistake(
    """Your 1e-8 in the denominator is larger than the lengths of tiny tokens, and their cosine
    becomes nearly zero. No token here is all zeros: what is it for?"""
)
def a_small_number_added(layers):
    def similarity(a, b):
        return ((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1) + 1e-8)).mean()

    return _for_each(layers, similarity)


@token_similarity.mistake(
    """You take each token's mean away first: that is a correlation. Two tokens with the same sign
    everywhere can then seem opposed. Between which two vectors is the angle?"""
)
def correlation(layers):
    def centred(a):
        return a - a.mean(dim=-1, keepdim=True)

    return _for_each(
        layers, lambda a, b: F.cosine_similarity(centred(a), centred(b), dim=-1).mean()
    )
