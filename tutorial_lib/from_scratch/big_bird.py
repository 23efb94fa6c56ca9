"""Which blocks may look at which: Big Bird's pattern as a graph, in NumPy. Taught in chapter 38.

Zaheer et al., Big Bird: Transformers for Longer Sequences (NeurIPS 2020, 2007.14062), section 2. A
sequence is cut into n blocks of equal size; `mask` bool (n, n) is True where the queries of block i
may look at the keys of block j. Read as a graph it has an edge from j to i: what j knows, i hears.
"""

import numpy as np


def draw_random_blocks(n, count, rng):
    """count different blocks for each of n, never itself: int (n, count)."""
    return np.array(
        [rng.choice(np.delete(np.arange(n), i), count, replace=False) for i in range(n)]
    )


def big_bird_mask(n, window, ends, random_blocks):
    """Big Bird's three patterns in one mask.

    n              blocks
    window         odd; block i looks at the window blocks around it, itself in the middle, as far
                   as there are any: nothing wraps around
    ends           True if the first and the last block are global: they look at all blocks, and
                   all blocks look at them
    random_blocks  int (n, r): block i also looks at blocks random_blocks[i]; r may be 0
    ->  bool (n, n), True where block i (row) looks at block j (column)
    """
    place = np.arange(n)
    mask = np.abs(place[:, None] - place) <= window // 2
    if ends:
        mask[[0, -1]] = mask[:, [0, -1]] = True
    mask[place[:, None], random_blocks] = True
    return mask


def heard(mask, layers):
    """bool (n, n): True where i knows of j after so many layers. In each, a block hears what all
    blocks that it looks at knew before."""
    known = np.eye(len(mask), dtype=bool)
    for _ in range(layers):
        known = mask @ known  # a product of bools: any over the blocks in between
    return known


def diameter(mask):
    """The number of layers after which every block has heard of every other one.

    mask bool (n, n), True where block i looks at block j; every block looks at itself
    ->  int, the longest of all shortest ways in the graph; np.inf if some never hear of others
    """
    known, layers = np.eye(len(mask), dtype=bool), 0
    while not known.all():
        more = mask @ known
        if (more == known).all():
            return np.inf
        known, layers = more, layers + 1
    return layers


def spectral_gap(mask):
    """How fast a random walk forgets where it began: 1 minus the second largest |eigenvalue| of the
    walk that takes each edge, in either direction, with the same probability; 1 is at once."""
    edges = (mask | mask.T).astype(float)
    root = np.sqrt(edges.sum(axis=1))
    return 1 - np.sort(np.abs(np.linalg.eigvalsh(edges / root / root[:, None])))[-2]
