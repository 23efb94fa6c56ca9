"""Attention inside patches, the patches as a batch: a bug to find."""

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import attention


def inner_attention(Y, W_Q, W_K, W_V):
    """Self-attention of the pixel tokens of every patch among themselves.

    Y (B, n, m, c): m pixel tokens in each of n patches; W_Q, W_K, W_V (c, d)
    ->  (B, n, m, d), in which no token has heard of another patch

    `attention(Q, K, V)`, chapter 01's, takes Q (..., N, d), K and V (..., M, d), and gives
    softmax(Q Kᵀ / √d) V and its weights; all axes before the last two are batches to it.
    """
    B, n, m, c = Y.shape
    rows = Y.reshape(B * n, m, c)
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(B, n, m, -1)


def buggy_inner_attention(Y, W_Q, W_K, W_V):
    """Self-attention of the pixel tokens of every patch among themselves.

    Y (B, n, m, c): m pixel tokens in each of n patches; W_Q, W_K, W_V (c, d)
    ->  (B, n, m, d), in which no token has heard of another patch

    `attention(Q, K, V)`, chapter 01's, takes Q (..., N, d), K and V (..., M, d), and gives
    softmax(Q Kᵀ / √d) V and its weights; all axes before the last two are batches to it.

    This version trains, its shapes are right, and with 16 patches of 16 pixel tokens so are its
    numbers. Then somebody takes larger pictures. Find the one wrong line.
    """
    B, n, m, c = Y.shape
    rows = Y.reshape(B * m, n, c)
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(B, n, m, -1)


def tokens_in_patches(rng):
    for B, n, m, c, d in [(1, 2, 3, 2, 1), (2, 3, 3, 2, 4), (1, 1, 4, 3, 2), (2, 4, 1, 2, 3),
                          (3, 2, 4, 3, 5), (2, 6, 4, 4, 4)]:  # fmt: skip
        maps = {f"W_{name}": rng.normal(size=(c, d)) for name in "QKV"}
        yield dict(Y=rng.normal(size=(B, n, m, c)), **maps)


inner_attention = Exercise(
    inner_attention,
    start=buggy_inner_attention,
    level=2,
    minutes=6,
    cases=tokens_in_patches,
    hints=(
        "Take two patches of three tokens and write down which numbers stand in row 0, 1 and 2 of "
        "`rows`. A reshape keeps the order of all numbers.",
        "Who may hear each other must stand on the axis before the last. All else is the batch.",
        "Two axes of Y are a batch here, and they stand side by side already: which two numbers "
        "does `rows` multiply, and which one stays?",
    ),
)


@inner_attention.mistake(
    """Now the tokens at one place of all patches hear each other, and those of a patch do not: that
    is attention *between* patches. Which axis should stand before the features?"""
)
def between_patches(Y, W_Q, W_K, W_V):
    Y = Y.swapaxes(1, 2)
    return attention(Y @ W_Q, Y @ W_K, Y @ W_V)[0].swapaxes(1, 2)


@inner_attention.mistake(
    """All tokens of an image hear each other, across the borders of the patches. That is what a
    transformer with pixels for tokens would do, and what TNT avoids. What is the batch?"""
)
def all_tokens(Y, W_Q, W_K, W_V):
    rows = Y.reshape(len(Y), -1, Y.shape[-1])
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(*Y.shape[:3], -1)


@inner_attention.mistake(
    """Tokens of different images hear each other: your rows run over the batch. Right with one
    image. Which axes are a batch, and which one is asked?"""
)
def across_images(Y, W_Q, W_K, W_V):
    B, n, m, c = Y.shape
    rows = Y.swapaxes(0, 1).reshape(n, B * m, c)
    Z, _ = attention(rows @ W_Q, rows @ W_K, rows @ W_V)
    return Z.reshape(n, B, m, -1).swapaxes(0, 1)


@inner_attention.mistake(
    """The way in is right and the way out is not: the tokens come back in another order. With which
    sizes does the last reshape take the batch apart again?"""
)
def wrong_way_back(Y, W_Q, W_K, W_V):
    B, n, m, c = Y.shape
    Z, _ = attention(Y @ W_Q, Y @ W_K, Y @ W_V)
    return Z.reshape(n, B, m, -1).swapaxes(0, 1)


@inner_attention.mistake(
    """The weights are right, and what they average is the tokens themselves: W_V is never used.
    What does a token say?"""
)
def without_values(Y, W_Q, W_K, W_V):
    return attention(Y @ W_Q, Y @ W_K, Y)[0]


@inner_attention.mistake(
    """Queries and keys have changed places: your rows belong to who is asked. In Q Kᵀ, which of the
    two gives the rows?"""
)
def keys_ask(Y, W_Q, W_K, W_V):
    return attention(Y @ W_K, Y @ W_Q, Y @ W_V)[0]


@inner_attention.mistake(
    """All tokens of all images hear each other: your rows have no batch left. Who may hear whom?"""
)
def one_sentence_for_all(Y, W_Q, W_K, W_V):
    rows = Y.reshape(-1, Y.shape[-1])
    return attention(rows @ W_Q, rows @ W_K, rows @ W_V)[0].reshape(*Y.shape[:3], -1)


@inner_attention.mistake(
    """The scores are divided by √d twice: `attention` does that itself, and your queries or keys
    have been divided before."""
)
def divides_twice(Y, W_Q, W_K, W_V):
    return attention(Y @ W_Q / W_Q.shape[1] ** 0.5, Y @ W_K, Y @ W_V)[0]


@inner_attention.mistake(
    """The scores are divided by √c, the width of what comes in. Which vectors are multiplied, and
    how long are they?"""
)
def divides_by_the_width_of_tokens(Y, W_Q, W_K, W_V):
    c, d = W_Q.shape
    return attention(Y @ W_Q * (d / c) ** 0.5, Y @ W_K, Y @ W_V)[0]


@inner_attention.mistake(
    """Keys and values have changed places: what should be compared with the queries is averaged.
    In which order does `attention` take its three?"""
)
def keys_for_values(Y, W_Q, W_K, W_V):
    return attention(Y @ W_Q, Y @ W_V, Y @ W_K)[0]
