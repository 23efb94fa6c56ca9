"""Attention in one pass over the keys, without ever holding a row of scores. Taught in chapter 01.

Milakov and Gimelshein, Online normalizer calculation for softmax (2018, 1805.02867), for the sum;
Rabe and Staats (2021, 2112.05682) carry the output along; Dao et al., FlashAttention (NeurIPS 2022,
2205.14135) builds on it.
"""

import numpy as np


def online_attention(q, K, V, block):
    """Attention of one query, reading keys and values in blocks and each block once.

    q (d,), K (M, d), V (M, d_v), block: how many keys are read at a time  ->  z (d_v,)

    Between blocks only three things are kept: of the scores s = K q / √d so far the highest, m, the
    sum l of exp(s − m), and the same sum with values, o. When a block raises m, what was
    summed under the old m is out of date by a known factor. (A check sees what comes out and not
    how: that no whole row of scores is ever held is up to you.)
    """
    m, l, o = -np.inf, 0.0, np.zeros(V.shape[-1])
    for start in range(0, len(K), block):
        s = K[start : start + block] @ (q / len(q) ** 0.5)  # (block,)
        m_new = max(m, s.max())
        stale = np.exp(m - m_new)
        w = np.exp(s - m_new)  # (block,)
        l = stale * l + w.sum()
        o = stale * o + w @ V[start : start + block]
        m = m_new
    return o / l
