"""Boxes that the exercises of this chapter are tried on."""

import numpy as np


def random_boxes(rng, n, smallest=0.1):
    """(n, 4) as cx, cy, w, h, each within the picture."""
    size = rng.uniform(smallest, 0.7, size=(n, 2))
    return np.concatenate([rng.uniform(size / 2, 1 - size / 2), size], axis=1)


# Each with [0.5, 0.5, 0.4, 0.2]: inside of it, around it, across it, to its left, to its right,
# above, below, apart on both axes, overlapping at each of its corners. No two
# edges are on one line.
PLACES = np.array(
    [
        [0.52, 0.49, 0.2, 0.1],
        [0.49, 0.52, 0.8, 0.6],
        [0.52, 0.49, 0.2, 0.5],
        [0.1, 0.52, 0.15, 0.11],
        [0.9, 0.48, 0.17, 0.3],
        [0.52, 0.1, 0.2, 0.13],
        [0.47, 0.9, 0.5, 0.11],
        [0.1, 0.15, 0.15, 0.2],
        [0.3, 0.4, 0.25, 0.15],
        [0.7, 0.42, 0.25, 0.15],
        [0.28, 0.6, 0.25, 0.17],
        [0.72, 0.58, 0.22, 0.15],
    ]
)
MIDDLE = np.array([[0.5, 0.5, 0.4, 0.2]])
