"""A bug to find."""

import numpy as np

from tutorial_lib.checking import Exercise


def packed_attention(X, W_QKV, W_O, heads):
    """Self-attention with all heads at once and the three projections in one product.

    X (B, N, D), W_QKV (D, 3 D) for queries, keys and values side by side, W_O (D, D), heads: a
    divisor of D  ->  Y (B, N, D)

    With one head this version is right. With many it trains more slowly, and published weights give
    maps that are too even. Find the one wrong line.
    """
    B, N, D = X.shape
    QKV = (X @ W_QKV).reshape(B, N, 3, heads, D // heads)
    Q, K, V = QKV.transpose(2, 0, 3, 1, 4)  # (B, heads, N, D / heads) each
    S = Q @ K.mT / (D // heads) ** 0.5
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    Z = (e / e.sum(axis=-1, keepdims=True)) @ V  # (B, heads, N, D / heads)
    return Z.transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


def buggy_packed_attention(X, W_QKV, W_O, heads):
    """Self-attention with all heads at once and the three projections in one product.

    X (B, N, D), W_QKV (D, 3 D) for queries, keys and values side by side, W_O (D, D), heads: a
    divisor of D  ->  Y (B, N, D)

    With one head this version is right. With many it trains more slowly, and published weights give
    maps that are too even. Find the one wrong line.
    """
    B, N, D = X.shape
    QKV = (X @ W_QKV).reshape(B, N, 3, heads, D // heads)
    Q, K, V = QKV.transpose(2, 0, 3, 1, 4)  # (B, heads, N, D / heads) each
    S = Q @ K.mT / D**0.5
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    Z = (e / e.sum(axis=-1, keepdims=True)) @ V  # (B, heads, N, D / heads)
    return Z.transpose(0, 2, 1, 3).reshape(B, N, D) @ W_O


def packed_projections(rng):
    for batch, n, width, heads in [
        (1, 3, 2, 1),
        (1, 3, 4, 2),
        (1, 4, 6, 3),
        (2, 4, 6, 2),
        (2, 1, 4, 4),
        (3, 2, 8, 2),
    ]:
        yield dict(
            X=rng.normal(size=(batch, n, width)),
            W_QKV=rng.normal(size=(width, 3 * width)),
            W_O=rng.normal(size=(width, width)),
            heads=heads,
        )
    # Scores whose exponential overflows, were the largest not subtracted first.
    yield dict(
        X=40 * rng.normal(size=(2, 3, 4)),
        W_QKV=rng.normal(size=(4, 12)),
        W_O=rng.normal(size=(4, 4)),
        heads=2,
    )


packed_attention = Exercise(
    packed_attention,
    start=buggy_packed_attention,
    level=2,
    minutes=10,
    cases=packed_projections,
    hints=(
        "Right with one head and wrong with several: which line does not know that there are "
        "heads?",
        "Maps that are too even come from scores that are too small. What is the variance of the "
        "dot product of one head's query and key?",
        "A score is a sum of D / heads products. Compare with what S is divided by.",
    ),
)


def _scaled_by(X, W_QKV, W_O, heads, scale):
    """The buggy version with Q rescaled, so that the scores are divided by `scale`."""
    D = X.shape[-1]
    W_QKV = W_QKV * np.repeat([D**0.5 / scale, 1, 1], D)
    return buggy_packed_attention(X, W_QKV, W_O, heads)


@packed_attention.mistake(
    """Now you divide by the number of a head's features, not by its root. The variance of the dot
    product grows like D / heads: what grows like its size?"""
)
def divides_by_head_features(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, X.shape[-1] / heads)


@packed_attention.mistake(
    """You divide the root of D by the number of heads: the bracket is missing. Of what should the
    root be taken?"""
)
def root_before_heads(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, X.shape[-1] ** 0.5 / heads)


@packed_attention.mistake(
    """A power binds tighter than a division: you divide by D / √heads, the scores get far too small
    and the maps still more even. Of what should the root be taken?"""
)
def root_of_the_divisor(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, X.shape[-1] / heads**0.5)


@packed_attention.mistake(
    """Here `//` waits for `**`: you divide by D // √heads, the scores get far too small and the
    maps still more even. Of what should the root be taken?"""
)
def root_of_the_divisor_rounded(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, X.shape[-1] // heads**0.5)


@packed_attention.mistake(
    """You divide by the root of the number of heads. That corrects something, but a score does not
    add up heads: what are the terms of the sum that makes one score?"""
)
def root_of_heads(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, heads**0.5)


@packed_attention.mistake(
    """You divide by √(D · heads): the scores shrink even more. Are they too small or too large in
    the version with the bug?"""
)
def the_wrong_way(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, (X.shape[-1] * heads) ** 0.5)


@packed_attention.mistake(
    """You took the scale out. The maps are less even now, and too sharp: the scores still grow with
    the number of features that a dot product adds up."""
)
def no_scale(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, 1)


@packed_attention.mistake(
    """You divide by the root of the number of tokens. It can come close by accident; but a dot
    product runs over features, and its scale must not change with the length of the text."""
)
def root_of_tokens(X, W_QKV, W_O, heads):
    return _scaled_by(X, W_QKV, W_O, heads, X.shape[-2] ** 0.5)
