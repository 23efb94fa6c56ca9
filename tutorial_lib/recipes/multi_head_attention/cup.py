"""The first picture of chapter 02: patches of a cup, compared by their colour and by their place.
Nothing is trained."""

import numpy as np

from tutorial_lib.data.photos import photo, to_patches
from tutorial_lib.from_scratch.positions import sinusoidal_2d

ROWS, COLUMNS = 50, 75  # patches of 8 × 8 pixels
D = 24  # features of a head
SLOW = np.r_[4:16, 20:32]  # of 32 sinusoids for each patch, those that turn slowly
OTHER_SIDE = np.s_[20:30, 45:60]  # patches of the saucer, across the cup from the ringed one


def _unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def tokens():
    """(3750, 27): of each patch 3 numbers for its colour, then 24 for its place."""
    colour = to_patches(photo("coffee"), 8).mean(axis=(1, 2))  # (3750, 3)
    directions, _, _ = np.linalg.svd(colour - colour.mean(axis=0), full_matrices=False)
    place = sinusoidal_2d(ROWS, COLUMNS, 32)[:, SLOW]
    return np.concatenate([_unit(directions), _unit(place)], axis=1)


def projections():
    """W, written by hand, of two heads of 24 features. Every head's block of columns meets all 27
    numbers of a token: that of head 0 keeps its colour, that of head 1 its place."""
    sharp = np.zeros((27, 2 * D))
    sharp[:3, :3] = 15.1 * np.eye(3)  # head 0: columns 0 to 23, of which 21 stay zero
    sharp[3:, D:] = 17 * np.eye(D)  # head 1: columns 24 to 47
    return {"W_Q": sharp / 2, "W_K": sharp, "W_V": sharp, "W_O": np.eye(2 * D)}


def number(row, column):
    """Of a patch, counted row by row."""
    return row * COLUMNS + column


def spotlight(ax, weights, row, column, title):
    """Show the cup lit by the weights (3750,) of one patch, which is marked by a ring."""
    weights = weights.reshape(ROWS, COLUMNS)
    light = np.kron(weights / weights.max(), np.ones((8, 8)))
    ax.imshow(photo("coffee") * (0.12 + 0.88 * light[..., None] ** 0.5))
    ax.plot(8 * column + 4, 8 * row + 4, "o", mfc="none", mec="white", ms=9, mew=2)
    ax.set(title=title, xticks=[], yticks=[])
