"""k-means in one dimension: few values for many numbers. Taught in chapter 36.

Lloyd, Least Squares Quantization in PCM (IEEE Transactions on Information Theory, 1982); for
weights Han, Mao, Dally, Deep Compression (ICLR 2016, 1510.00149), section 3.
"""

import numpy as np


def kmeans(values, k):
    """Sort numbers into k groups, each with its mean as its centre.

    values float (n,); k ≥ 1  ->  centres float (k,), rising; groups int (n,), in 0 … k − 1

    Begins with centres at equal distances, the first at the least value, the last at the largest.
    Then in turns: each number goes to its nearest centre (halfway, to the lower one), each centre
    to the mean of its numbers, until no number changes its group. A centre without numbers stays
    where it is.
    """
    centres = np.linspace(values.min(), values.max(), k, dtype=values.dtype)
    groups = None
    while True:
        borders = (centres[1:] + centres[:-1]) / 2
        nearest = np.searchsorted(borders, values)  # at a border: the lower group
        if groups is not None and (nearest == groups).all():
            return centres, groups
        groups = nearest
        counts = np.bincount(groups, minlength=k)
        sums = np.bincount(groups, weights=values, minlength=k)
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(values.dtype)
