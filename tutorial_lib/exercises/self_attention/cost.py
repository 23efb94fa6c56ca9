"""Attention without its matrix of weights, and what attention costs."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import attention as np_attention
from tutorial_lib.from_scratch import online_softmax as np_online


def one_query(rng):
    for m, d, block in [(2, 1, 1), (3, 2, 2), (4, 3, 4), (7, 4, 3), (6, 2, 10)]:
        yield dict(
            q=rng.normal(size=d), K=rng.normal(size=(m, d)), V=rng.normal(size=(m, 2)), block=block
        )
    K = rng.normal(size=(4, 2))
    yield dict(q=np.array([9.0, 9.0]), K=K - 100, V=rng.normal(size=(4, 2)), block=1)
    yield dict(q=np.array([9.0, 9.0]), K=K + 100, V=rng.normal(size=(4, 2)), block=2)
    for K in ([[100.0, 100.0], [-100.0, -100.0]], [[-100.0, -100.0], [100.0, 100.0]]):
        yield dict(q=np.array([9.0, 9.0]), K=np.array(K), V=np.eye(2), block=1)


online_attention = Exercise(
    np_online.online_attention,
    level=4,
    minutes=30,
    cases=one_query,
    hints=(
        "Suppose o and l were summed with exp(s − m), and now the maximum is m_new. Which single "
        "factor makes both up to date?",
        "exp(s − m_new) = exp(s − m) · exp(m − m_new). Multiply l and o by exp(m − m_new), then "
        "add the new block's terms.",
        "Start with m = −∞, l = 0, o = 0: the first factor is exp(−∞) = 0, so nothing special is "
        "needed. Return o / l at the end.",
    ),
    memory=(
        dict(q=np.ones(8), K=np.ones((20_000, 8)), V=np.ones((20_000, 8)), block=16),
        "It holds all scores at once. How many does one block need?",
    ),
)


def _online(
    q,
    K,
    V,
    block,
    *,
    start=-np.inf,
    rescale_l=True,
    rescale_o=True,
    divide=True,
    running=True,
    sign=1,
    newest=True,
    guarded=True,
):
    """`online_attention` with one of its steps left out or changed."""
    m, l, o = start, 0.0, np.zeros(V.shape[-1])
    with np.errstate(all="ignore"):
        for first in range(0, len(K), block):
            s = K[first : first + block] @ q / len(q) ** 0.5
            m_new = max(m, s.max()) if running else s.max()
            first_block = guarded and m == -np.inf
            stale = 0.0 if first_block else np.exp(sign * (m - m_new))
            w = np.exp(s - (m_new if newest or first_block else m))
            l = (stale * l if rescale_l else l) + w.sum()
            o = (stale * o if rescale_o else o) + w @ V[first : first + block]
            m = m_new
        return o / l if divide else o


@online_attention.mistake(
    """What you summed before a new maximum stays as it was: neither l nor o is rescaled. Those
    terms were measured from the old maximum; by which factor are they off?"""
)
def never_rescales(q, K, V, block):
    return _online(q, K, V, block, rescale_l=False, rescale_o=False)


@online_attention.mistake(
    """You rescale the denominator l and forget the numerator o. Both hold terms exp(s − m) with
    the old m."""
)
def rescales_only_l(q, K, V, block):
    return _online(q, K, V, block, rescale_o=False)


@online_attention.mistake(
    """You rescale the numerator o and forget the denominator l. Both hold terms exp(s − m) with
    the old m."""
)
def rescales_only_o(q, K, V, block):
    return _online(q, K, V, block, rescale_l=False)


@online_attention.mistake(
    """The last division is missing: o is the sum of exp(s − m) v, and l the sum of exp(s − m). A
    weighted mean is one by the other."""
)
def never_divides(q, K, V, block):
    return _online(q, K, V, block, divide=False)


@online_attention.mistake(
    """You take the maximum of the newest block for the maximum so far. When scores fall from one
    block to the next, exp(m − m_new) overflows. Over which scores does m have to be the highest?"""
)
def forgets_the_old_maximum(q, K, V, block):
    return _online(q, K, V, block, running=False)


@online_attention.mistake(
    """NaN from the first block on. There m is still −∞; with exp(m_new − m), or with new terms
    exp(s − m), it makes an infinite number. Which maximum do all terms of o and l belong to after
    this block, and which factor takes the old ones there?"""
)
def infinite_from_the_first_block(q, K, V, block):
    return _online(q, K, V, block, sign=-1, guarded=False)


@online_attention.mistake(
    """The factor is turned round: you multiply by exp(m_new − m), which grows what should shrink.
    When the maximum rises, do terms measured from it become larger or smaller?"""
)
def rescales_upwards(q, K, V, block):
    return _online(q, K, V, block, sign=-1)


@online_attention.mistake(
    """The new block's terms are measured from the old maximum, exp(s − m), though o and l have
    just been brought to the new one. From which maximum must all terms of one sum be measured?"""
)
def new_terms_from_the_old_maximum(q, K, V, block):
    return _online(q, K, V, block, newest=False)


@online_attention.mistake(
    """You start the maximum at 0. As long as some score is positive nobody notices; when all are
    far below zero, every exponential underflows and you divide 0 by 0. Where should a maximum
    start?"""
)
def starts_at_zero(q, K, V, block):
    return _online(q, K, V, block, start=0.0)


@online_attention.mistake(
    """The last block is left out when it is not full. How many blocks hold M keys if M is not a
    multiple of the block? (A slice past the end is simply shorter.)"""
)
def drops_the_last_block(q, K, V, block):
    full = len(K) // block * block
    with np.errstate(all="ignore"):
        return _online(q, K[:full], V[:full], block)


@online_attention.mistake(
    """You average the blocks: each block has a softmax of its own, and all blocks count the
    same. But a block with low scores should hardly count. What must a block remember about
    its scores?"""
)
def mean_of_blocks(q, K, V, block):
    parts = [
        np_attention.attention(q[None], K[i : i + block], V[i : i + block])[0][0]
        for i in range(0, len(K), block)
    ]
    return np.mean(parts, axis=0)


@online_attention.mistake(
    """The scores are not divided by √d. This is the same attention as before, read in another
    order: what stood between q·k and the softmax?"""
)
def online_unscaled(q, K, V, block):
    return _online(q * len(q) ** 0.5, K, V, block)


@online_attention.mistake(
    """The maximum so far is never moved on: it is still −∞ at each block, so exp(m − m_new) is zero
    and throws away what was summed before. What has to happen at the end of each turn?"""
)
def never_moves_the_maximum(q, K, V, block):
    last = (len(K) - 1) // block * block
    return _online(q, K[last:], V[last:], block)


def attention_flops(n, m, d, d_v):
    """Predict the floating-point operations of the two matrix products of attention.

    n queries, m keys, d features of a query or key, d_v features of a value  ->  int

    Count Q Kᵀ and P V, a multiplication and an addition as two operations, as papers and profilers
    do. The softmax and the scale, a few operations a score, are left out.
    """
    return 2 * n * m * d + 2 * n * m * d_v


attention_flops = Exercise(
    attention_flops,
    level=1,
    minutes=5,
    cases=lambda rng: (
        dict(n=n, m=m, d=d, d_v=d_v)
        for n, m, d, d_v in [(2, 3, 5, 7), (7, 1, 3, 2), (6, 6, 2, 3), (196, 196, 64, 64)]
    ),
    hints=(
        "One entry of Q Kᵀ is a sum of d products. How many operations is that, and how many "
        "entries are there?",
        "A product of (n, d) with (d, m) takes 2·n·m·d operations.",
        "The second product is (n, m) with (m, d_v).",
    ),
)


@attention_flops.mistake(
    """You count a multiplication and its addition as one (that is the unit MAC, also seen in
    papers: a common source of factors of two). Here they count as two."""
)
def counts_macs(n, m, d, d_v):
    return n * m * d + n * m * d_v


@attention_flops.mistake("Only Q Kᵀ is counted. There is a second product behind the softmax.")
def only_scores(n, m, d, d_v):
    return 2 * n * m * d


@attention_flops.mistake("Only P V is counted. What made P?")
def only_values(n, m, d, d_v):
    return 2 * n * m * d_v


@attention_flops.mistake(
    """You square the number of queries. That is self-attention; here keys may be more or fewer
    than queries, and each of the n·m pairs costs."""
)
def always_square(n, m, d, d_v):
    return 2 * n * n * d + 2 * n * n * d_v


@attention_flops.mistake(
    """You take the values to be as wide as the keys. They often are, but the second product is
    (n, m) with (m, d_v)."""
)
def values_as_wide_as_keys(n, m, d, d_v):
    return 4 * n * m * d


@attention_flops.mistake(
    """Your second product has no m: each entry of P V is a sum over all keys that a query looks at.
    How many terms does that sum have?"""
)
def second_product_without_keys(n, m, d, d_v):
    return 2 * n * m * d + 2 * n * d_v


@attention_flops.mistake(
    """You count the features squared: that is the cost of the projections, which grows with
    n·d². Attention itself grows with the number of pairs."""
)
def projections(n, m, d, d_v):
    return 2 * n * d * d + 2 * m * d * d_v


@attention_flops.mistake(
    """You count exactly: d products need only d − 1 additions. The task, as everybody does, counts
    each multiplication with an addition. How many operations is one entry then?"""
)
def one_addition_less(n, m, d, d_v):
    return n * m * (2 * d - 1) + n * d_v * (2 * m - 1)
