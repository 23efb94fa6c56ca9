"""From tokens back to an image: a bug to find."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


def restructure(tokens, rows, columns):
    """Put tokens back on their grid, their features as channels.

    tokens (B, rows · columns, C) tensor, numbered row by row  ->  image (B, C, rows, columns)
    """
    B, _, C = tokens.shape
    image = tokens.mT
    return image.reshape(B, C, rows, columns)


def buggy_restructure(tokens, rows, columns):
    """Put tokens back on their grid, their features as channels.

    tokens (B, rows · columns, C) tensor, numbered row by row  ->  image (B, C, rows, columns)

    This version trains and all its shapes are right, but what the next split takes for neighbours
    are none. Find the one wrong line.
    """
    B, _, C = tokens.shape
    image = tokens
    return image.reshape(B, C, rows, columns)


def tokens_on_grids(rng):
    for batch, rows, columns, features in [
        (1, 2, 2, 2),
        (1, 2, 3, 2),
        (1, 1, 3, 2),
        (3, 4, 2, 5),
        (2, 4, 4, 1),
    ]:
        tokens = normal(rng, batch, rows * columns, features, wanted=batch > 1)
        yield dict(tokens=tokens, rows=rows, columns=columns)
    yield dict(tokens=torch.arange(12.0).reshape(1, 6, 2), rows=3, columns=2)


restructure = Exercise(
    restructure,
    start=buggy_restructure,
    level=2,
    minutes=8,
    cases=tokens_on_grids,
    hints=(
        "Number the entries of a small tensor, such as `torch.arange(12.0).reshape(1, 6, 2)`, and "
        "look at channel 0 of the image. Is it feature 0 of every token?",
        "A reshape never moves a number. In memory the features of a token are neighbours; in an "
        "image (C, rows, columns) the pixels of a channel are.",
        "Bring the features in front of the tokens before the reshape: which two axes change "
        "places?",
    ),
)


@restructure.mistake(
    """Now rows and columns have changed places: token 1 lies below token 0 and not beside it. On a
    square grid the image is mirrored along its diagonal. Which of the two new axes varies faster
    when tokens are numbered row by row?"""
)
def mirrored(tokens, rows, columns):
    return tokens.mT.reshape(*tokens.mT.shape[:2], columns, rows).mT


@restructure.mistake(
    """The image is right with its channels last, (B, rows, columns, C), as in our NumPy. PyTorch's
    unfold and convolutions read the channels from axis 1. What is missing?"""
)
def channels_last(tokens, rows, columns):
    return tokens.reshape(len(tokens), rows, columns, -1)


@restructure.mistake(
    """The numbers are in place and the last two axes are not: (B, C, columns, rows). Your `permute`
    turns all of (rows, columns, C) round. Which of the three has to move?"""
)
def permutes_too_much(tokens, rows, columns):
    return tokens.unflatten(1, (rows, columns)).permute(0, 3, 2, 1)


@restructure.mistake(
    """The tokens run backwards: the last one has become pixel (0, 0). Where did you turn their
    order round?"""
)
def backwards(tokens, rows, columns):
    return tokens.flip(1).mT.reshape(len(tokens), -1, rows, columns)


@restructure.mistake(
    """You reshape to (B, rows, C, columns) and then swap the first two: still nothing has moved a
    token's features apart. Where in memory are feature 0 of token 0 and feature 0 of token 1?"""
)
def swaps_after_reshape(tokens, rows, columns):
    return tokens.reshape(len(tokens), rows, -1, columns).transpose(1, 2)


@restructure.mistake(
    """One image alone comes out right, and images of a batch are mixed: `.T` turns all three axes
    round, the batch too. Which two should change places?"""
)
def turns_the_batch_too(tokens, rows, columns):
    return tokens.permute(2, 1, 0).reshape(len(tokens), -1, rows, columns)
