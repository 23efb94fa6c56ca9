"""A projection for patches whose pixels come in another order."""

import numpy as np

from tutorial_lib.checking import Exercise


def unscrambled(E, order):
    """Change a ViT's projection so that scrambled patches give the tokens that straight ones gave.

    E (P², D) array, a row for each pixel of a patch: a patch x (P²,) becomes the token x E
    order int (P²,), a permutation: the scrambled patch is x[order], so pixel i of it is pixel
      order[i] of the straight one
    ->  a new array (P², D), of E's dtype, such that x[order] times it is x E for every patch x
    """
    return E[order]


def projections(rng):
    for pixels, dim, order in [
        (3, 2, [1, 2, 0]),
        (1, 3, [0]),
        (4, 4, [2, 0, 3, 1]),
        (4, 3, [0, 1, 2, 3]),
        (9, 5, None),
        (16, 16, None),
    ]:
        order = rng.permutation(pixels) if order is None else np.array(order)
        yield dict(E=rng.normal(size=(pixels, dim)), order=order)
    yield dict(E=rng.normal(size=(5, 2)).astype(np.float32), order=np.array([3, 4, 1, 0, 2]))


unscrambled = Exercise(
    unscrambled,
    level=1,
    minutes=5,
    cases=projections,
    hints=(
        "The token is a sum over pixels, each times its own row of E. Pixel i of the scrambled "
        "patch is pixel order[i] of the straight one: by which row of E was that one multiplied?",
        "Row i of the new projection is a row of the old one. Try three pixels on paper, with "
        "order = [1, 2, 0].",
        "An array can be indexed by an array of ints, and gives its rows in that order. What do "
        "you put into the brackets?",
    ),
)


@unscrambled.mistake(
    """You put the rows back, as if the *patch* were to be unscrambled: that is the inverse
    permutation. The patch stays scrambled and the rows go along. Where did pixel i come from?"""
)
def inverts(E, order):
    return E[np.argsort(order)]


@unscrambled.mistake(
    """You permute the columns of E, which are the token's features. Pixels are its rows."""
)
def permutes_features(E, order):
    return E[:, order]


@unscrambled.mistake(
    """Nothing is permuted: pixel i of a scrambled patch still meets the row of pixel i. Whose row
    should it meet?"""
)
def changes_nothing(E, order):
    return E.copy()


@unscrambled.mistake(
    """You turn the rows round. That undoes one permutation, the reverse; `order` says which one
    this is."""
)
def reverses(E, order):
    return E[::-1].copy()


@unscrambled.mistake(
    """You apply the permutation twice. Right where twice leads back to the start; with three
    pixels in a ring it does not. How often were the pixels moved?"""
)
def twice(E, order):
    return E[order][order]


@unscrambled.mistake(
    """You sort E by its numbers, or its rows, and the pixels' rows are lost. Only `order` says
    where a row belongs."""
)
def sorts(E, order):
    return np.sort(E, axis=0)


@unscrambled.mistake(
    """Float32 goes in and float64 comes out. A product with a permutation matrix does that, if the
    matrix is float64; what does the task say of the dtype?"""
)
def through_a_matrix(E, order):
    return np.eye(len(E))[order] @ E
