"""Riptide: products on packed bits."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.packed_bits import pack


def xnor_product(x, w, K):
    """All products of the rows of two matrices of signs, 64 signs at a time.

    x (M, W), w (N, W) unsigned integers of 64 bits: a row holds K signs, 1 for +1 and 0 for −1, 64
    to a word; behind the last sign its last word is filled with 0
    ->  int (M, N): Σ_k x_k w_k of the signs, between −K and K

    Two signs multiply to +1 where their bits are the same, to −1 where they are not.
    `np.bitwise_count(a)` counts the ones of every number of a, as 8-bit numbers.
    """
    different = np.bitwise_count(x[:, None] ^ w).sum(axis=-1, dtype=np.int32)  # (M, N)
    return K - 2 * different


def rows_of_signs(rng):
    for M, N, K in [(1, 2, 3), (2, 1, 64), (1, 1, 65), (3, 2, 130), (2, 4, 100), (3, 3, 700)]:
        bits = rng.random((M, K)) < 0.5, rng.random((N, K)) < 0.4
        yield dict(x=pack(bits[0]), w=pack(bits[1]), K=K)
    bits = rng.random((2, 200)) < 0.5
    yield dict(x=pack(bits), w=pack(~bits), K=200)


xnor_product = Exercise(
    xnor_product,
    level=2,
    minutes=10,
    cases=rows_of_signs,
    hints=(
        "Of K products some are +1 and the others −1. If d of them are −1, what is their sum?",
        "The bits that differ are the ones of x XOR w, `^`. For all pairs of rows at once x needs "
        "an axis for the rows of w.",
        "`x[:, None] ^ w` is (M, N, W). Count the ones, sum over the words into a type that can be "
        "negative; then K minus twice that.",
    ),
)


def _count(words, dtype=np.int64):
    return np.bitwise_count(words).sum(axis=-1, dtype=dtype)


@xnor_product.mistake(
    """Right where K is a multiple of 64: what the last word is filled with is the same in both and
    counts as agreement. Is there something to count that the filling has none of?"""
)
def counts_the_filling(x, w, K):
    return 2 * _count(~(x[:, None] ^ w)) - K


@xnor_product.mistake(
    """You give how many signs agree. Those that do not agree are products too: what are they
    worth?"""
)
def agreeing_signs(x, w, K):
    return K - _count(x[:, None] ^ w)


@xnor_product.mistake(
    """You give how many signs differ, which is large where the product is small."""
)
def differing_signs(x, w, K):
    return _count(x[:, None] ^ w)


@xnor_product.mistake(
    """The sign is the other one: equal rows should give K. Which of the two does XOR find, the bits
    that are the same or those that differ?"""
)
def sign_turned(x, w, K):
    return 2 * _count(x[:, None] ^ w) - K


@xnor_product.mistake("""AND finds where both are +1. Two that are −1 multiply to +1 as well.""")
def and_for_xnor(x, w, K):
    return 2 * _count(x[:, None] & w) - K


@xnor_product.mistake(
    """Negative products come out as huge numbers: NumPy sums unsigned numbers to unsigned ones, and
    K minus too much starts again from the top. Which type should the sum have?"""
)
def unsigned(x, w, K):
    return np.uint64(K) - np.uint64(2) * _count(x[:, None] ^ w, np.uint64)


@xnor_product.mistake(
    """The sum has 8 bits like the counts, so it starts again at 256. How large can it get?"""
)
def eight_bits(x, w, K):
    return K - 2 * _count(x[:, None] ^ w, np.uint8).astype(int)


@xnor_product.mistake(
    """Your rows and columns are exchanged: (N, M). A row of the result belongs to a row of x."""
)
def transposed(x, w, K):
    return K - 2 * _count(w[:, None] ^ x)


@xnor_product.mistake(
    """You sum over the rows of w too: one number for each row of x. Which axis holds the words?"""
)
def sums_over_rows(x, w, K):
    return K - 2 * _count(x[:, None] ^ w).sum(axis=1)


@xnor_product.mistake("""The ones are not counted: you add the words themselves up, as numbers.""")
def adds_words(x, w, K):
    return K - 2 * (x[:, None] ^ w).sum(axis=-1).astype(int)


@xnor_product.mistake("""Only the first 64 signs of each row count. What is the last axis?""")
def first_word_alone(x, w, K):
    return K - 2 * np.bitwise_count(x[:, None, 0] ^ w[:, 0]).astype(int)


@xnor_product.mistake(
    """You begin from 64 for each word: what the last word is filled with counts as +1. How many
    signs are there?"""
)
def filling_is_plus_one(x, w, K):
    return 64 * x.shape[1] - 2 * _count(x[:, None] ^ w)


@xnor_product.mistake(
    """You count where both bits are 1, as a product of 0 and 1 would. Here a 0 is −1: what do two
    of them make?"""
)
def bits_as_numbers(x, w, K):
    return _count(x[:, None] & w)


@xnor_product.mistake(
    """You begin from K for each word, and a row of several words has K signs in all of them
    together."""
)
def k_for_each_word(x, w, K):
    return (K - 2 * np.bitwise_count(x[:, None] ^ w).astype(int)).sum(-1)
