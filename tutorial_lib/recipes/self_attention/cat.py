"""The first picture of chapter 01: patches of a cat, described by their colour alone, attend to
each other. Nothing is trained."""

import numpy as np

from tutorial_lib.data.photos import photo, to_patches
from tutorial_lib.from_scratch.attention import attention

ROWS, COLUMNS = 28, 42  # patches of 8 × 8 pixels
LEFT_EYE, RIGHT_EYE = np.s_[9:18, 10:18], np.s_[13:20, 28:35]  # patches of the two eyes


def cat():
    """The photograph, (224, 336, 3)."""
    return photo("chelsea")[10:234, 60:396]


def colours():
    """(1176, 3) the mean colour of each patch, along the three directions in which the colours of
    the picture differ, each with variance one."""
    colour = to_patches(cat(), 8).mean(axis=(1, 2))
    directions, _, _ = np.linalg.svd(colour - colour.mean(axis=0), full_matrices=False)
    return directions * len(colour) ** 0.5


def looks(rows):
    """How patches, given by their numbers, look at all others: (n, 1176)."""
    tokens = colours()
    return attention(tokens[rows], tokens, tokens)[1]


def share_of_the_other_eye():
    """How much of its attention each patch of the left eye gives to the right one."""
    asking = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[LEFT_EYE].ravel()
    weights = looks(asking).reshape(-1, ROWS, COLUMNS)
    return weights[:, RIGHT_EYE[0], RIGHT_EYE[1]].sum(axis=(1, 2))


def number(row, column):
    """Of a patch, counted row by row."""
    return row * COLUMNS + column


def spotlight(ax, weights, row, column, title):
    """Show the cat lit by the weights (1, 1176) of one patch, which is marked by a ring."""
    weights = weights.reshape(ROWS, COLUMNS)
    light = np.kron(weights / weights.max(), np.ones((8, 8)))
    ax.imshow(cat() * (0.25 + 0.75 * light[..., None] ** 0.35))
    ax.plot(8 * column + 4, 8 * row + 4, "o", mfc="none", mec="white", ms=11, mew=2)
    ax.set(title=title, xticks=[], yticks=[])
