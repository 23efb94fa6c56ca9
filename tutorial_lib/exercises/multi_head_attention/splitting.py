"""From one wide token to several narrow ones and back."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import multi_head as np_multi_head

SHAPES = [  # batch, tokens, features, heads
    ((), 1, 4, 2),
    ((), 2, 3, 1),
    ((), 2, 4, 2),
    ((), 3, 6, 3),
    ((), 2, 6, 2),
    ((3,), 2, 4, 2),
    ((2, 1), 3, 8, 2),
]


def numbered_tokens(rng):
    """Tokens whose features are numbered through, so that each can be followed by eye."""
    for batch, n, width, heads in SHAPES:
        shape = (*batch, n, width)
        yield dict(X=np.arange(np.prod(shape), dtype=float).reshape(shape), heads=heads)
    yield dict(X=rng.normal(size=(2, 2, 4)).astype(np.float32), heads=2)
    yield dict(X=np.zeros((2, 3)), heads=2)


split_heads = Exercise(
    np_multi_head.split_heads,
    level=1,
    minutes=10,
    cases=numbered_tokens,
    hints=(
        "Cut each token's features into `heads` blocks first; only then bring the axis of the "
        "heads in front of that of the tokens.",
        "`reshape` may cut the last axis in two, (..., N, heads, d). It cannot swap axes: that is "
        "another step.",
        "`*batch, n, width = X.shape`, then "
        "`X.reshape(*batch, n, heads, width // heads).swapaxes(-3, -2)`.",
    ),
)


@split_heads.mistake(
    """You reshape straight to (heads, N, d). The shape is right and the numbers are not: a reshape
    only cuts the list of numbers anew, so with several tokens head 0 gets whole tokens and head 1
    the others. Which numbers of token 0 should head 1 see?"""
)
def reshapes_directly(X, heads):
    *batch, n, width = X.shape
    return X.reshape(*batch, heads, n, width // heads)


@split_heads.mistake(
    """Head i gets the features i, i + heads, i + 2·heads, …: they are dealt out like cards. A model
    trained so works, but weights from elsewhere do not fit it. Which features are *neighbours* in
    the block that the task describes?"""
)
def deals_out_features(X, heads):
    *batch, n, width = X.shape
    return np.moveaxis(X.reshape(*batch, n, width // heads, heads), -1, -3)


@split_heads.mistake(
    """The features are cut and the axes not swapped: (..., N, heads, d). Attention would then run
    among the heads of a token, not among the tokens of a head. Which two axes must come last?"""
)
def does_not_swap(X, heads):
    *batch, n, width = X.shape
    return X.reshape(*batch, n, heads, width // heads)


@split_heads.mistake(
    """Right for one sequence, wrong for a batch: the heads have become the very first axis. How
    many axes may stand before (N, D), and where among them do the heads belong?"""
)
def heads_before_the_batch(X, heads):
    return np.moveaxis(np_multi_head.split_heads(X, heads), -3, 0)


@split_heads.mistake(
    """Each of your heads sees all D features. In the formula every head has a projection of its
    own, of D / heads columns; X here holds what all these projections gave, side by side. What is
    one head's share?"""
)
def copies_for_every_head(X, heads):
    return np.repeat(X[..., None, :, :], heads, axis=-3)


@split_heads.mistake(
    """Each head's matrix lies on its side: (..., heads, d, N). That is what keys look like inside
    the product Q Kᵀ, but `scores` transposes by itself. Which axis comes last, features or
    tokens?"""
)
def transposed(X, heads):
    return np_multi_head.split_heads(X, heads).mT


def numbered_heads(rng):
    for batch, n, width, heads in SHAPES:
        shape = (*batch, heads, n, width // heads)
        yield dict(X=np.arange(np.prod(shape), dtype=float).reshape(shape))
    yield dict(X=rng.normal(size=(2, 2, 3, 2)).astype(np.float32))


merge_heads = Exercise(
    np_multi_head.merge_heads,
    level=1,
    minutes=5,
    cases=numbered_heads,
    hints=(
        "Do the steps of `split_heads` backwards, the last one first.",
        "First swap the heads and the tokens back, (..., N, heads, d); then the last two axes can "
        "become one.",
        "`*batch, heads, n, d = X.shape`, then `X.swapaxes(-3, -2).reshape(*batch, n, heads * d)`.",
    ),
)


@merge_heads.mistake(
    """You reshape without swapping the axes back. The shape is right, but a row now holds several
    tokens of one head instead of one token of all heads. What should row 0 be made of?"""
)
def merges_without_swapping(X):
    return X.reshape(np_multi_head.merge_heads(X).shape)


@merge_heads.mistake(
    """The heads' features are shuffled together: feature 0 of every head, then feature 1 of every
    head. W_O expects the blocks as `split_heads` cut them: which axis should run fastest, the
    heads or the features of a head?"""
)
def shuffles_features(X):
    *batch, heads, n, d = X.shape
    return np.moveaxis(X, -3, -1).reshape(*batch, n, d * heads)


@merge_heads.mistake(
    """You stack the heads' tokens under one another, (..., heads · N, d), so there are more tokens
    than before. Heads add *features* to a token: which axis grows?"""
)
def stacks_tokens(X):
    *batch, heads, n, d = X.shape
    return X.reshape(*batch, heads * n, d)


@merge_heads.mistake(
    """You add the heads up, and can no longer tell which of them said what. The paper concatenates
    them; mixing is W_O's work. How wide should a token be?"""
)
def adds_heads(X):
    return X.sum(axis=-3)


@merge_heads.mistake(
    """You average the heads, and can no longer tell which of them said what. The paper
    concatenates them; mixing is W_O's work. How wide should a token be?"""
)
def averages_heads(X):
    return X.mean(axis=-3)


@merge_heads.mistake(
    """Right for one sequence, wrong for a batch: you concatenate along the *first* axis of X, which
    then counts the sequences. Where do the heads stand, counted from the end?"""
)
def merges_the_first_axis(X):
    return np.concatenate(list(X), axis=-1)
