"""Multi-head attention put together."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.multi_head_attention.cases import tokens_memory_weights
from tutorial_lib.from_scratch import attention as np_attention
from tutorial_lib.from_scratch import multi_head as np_multi_head

multi_head_attention = Exercise(
    np_multi_head.multi_head_attention,
    level=2,
    minutes=15,
    cases=tokens_memory_weights,
    hints=(
        "Project, split, attend, merge, project. You have every piece: `split_heads`, `attention` "
        "of chapter 01, `merge_heads`.",
        "`attention` works on the last two axes, so all heads go through it in one call, and its "
        "own √d is that of a head. The mask needs an axis for the heads: (..., 1, N, M).",
        "`Q = split_heads(X @ W['W_Q'], heads)`, K and V likewise from the memory; "
        "`mask[..., None, :, :]` if there is one; then `merge_heads(Z) @ W['W_O']`.",
    ),
)


def _multi_head(
    X,
    memory,
    W,
    heads,
    mask,
    *,
    split=np_multi_head.split_heads,
    merge=np_multi_head.merge_heads,
    attend=np_attention.attention,
    out=True,
):
    """`multi_head_attention` with one of its parts exchanged."""
    Q, K, V = (split(A, heads) for A in (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"]))
    if mask is not None:
        mask = mask[..., None, :, :]
    Z, P = attend(Q, K, V, mask)
    return merge(Z) @ W["W_O"] if out else merge(Z), P


def _split_by_reshape(A, heads):
    return A.reshape(np_multi_head.split_heads(A, heads).shape)


def _merge_by_reshape(Z):
    return Z.reshape(np_multi_head.merge_heads(Z).shape)


@multi_head_attention.mistake(
    """W_O is missing. Without it the heads stand side by side and never mix: feature 0 of the
    output can only come from head 0. Which matrix have you not used?"""
)
def forgets_w_o(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, W, heads, mask, out=False)


@multi_head_attention.mistake(
    """You split by a reshape to (heads, N, d) alone. Every shape fits, the loss falls, and yet each
    head attends among pieces of a few tokens instead of among all. Does `split_heads` of yours
    swap axes?"""
)
def splits_by_reshape(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, W, heads, mask, split=_split_by_reshape)


@multi_head_attention.mistake(
    """The weights are right and the output is not: you merge by a reshape alone, so a row of H
    holds several tokens of one head. Which axes must be swapped back first?"""
)
def merges_by_reshape(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, W, heads, mask, merge=_merge_by_reshape)


@multi_head_attention.mistake(
    """You split and merge by reshapes alone, and the two errors do not undo each other: in between,
    each head attends among pieces of a few tokens. Take X with numbered features, project with the
    identity, and look at what head 0 holds."""
)
def reshapes_both_ways(X, memory, W, heads, mask=None):
    parts = dict(split=_split_by_reshape, merge=_merge_by_reshape)
    return _multi_head(X, memory, W, heads, mask, **parts)


@multi_head_attention.mistake(
    """You deal the features out, i, i + heads, i + 2·heads, … for head i. Trained from the start
    this works as well, but a model's published weights come in blocks: head i owns the columns
    from i·d to (i + 1)·d of W_Q."""
)
def deals_out_features(X, memory, W, heads, mask=None):
    def split(A, heads):
        *batch, n, width = A.shape
        return np.moveaxis(A.reshape(*batch, n, width // heads, heads), -1, -3)

    def merge(Z):
        *batch, heads, n, d = Z.shape
        return np.moveaxis(Z, -3, -1).reshape(*batch, n, d * heads)

    return _multi_head(X, memory, W, heads, mask, split=split, merge=merge)


@multi_head_attention.mistake(
    """You divide by √D, the width of all heads together. A head's score is a sum of d = D / heads
    products only: with 8 heads yours are 2.8 times too small and the weights too even. How many
    features does one dot product add up?"""
)
def scales_by_the_whole_width(X, memory, W, heads, mask=None):
    def attend(Q, K, V, mask):
        return np_attention.attention(Q / heads**0.5, K, V, mask)

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """The scores are divided by √d twice, so by d in all, and the weights come out too even: the
    more so the wider a head is. `attention` of chapter 01 takes queries and keys as they are. What
    does it do with their product before the softmax?"""
)
def scales_twice(X, memory, W, heads, mask=None):
    def attend(Q, K, V, mask):
        return np_attention.attention(Q / Q.shape[-1] ** 0.5, K, V, mask)

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """You multiply by W_O's transpose. W_O is square, so every shape fits, and a model trained so
    would even work; with anybody else's weights the output is wrong. Feature r of H is to meet one
    line of W_O: row r or column r?"""
)
def w_o_transposed(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, {**W, "W_O": W["W_O"].T}, heads, mask)


@multi_head_attention.mistake(
    """Your softmax runs over the heads: for each pair of tokens the heads share out one unit of
    weight. Each head has a softmax of its own. Which axis of (..., heads, N, M) holds the keys?"""
)
def softmax_over_heads(X, memory, W, heads, mask=None):
    def attend(Q, K, V, mask):
        S = np_attention.scores(Q, K)
        S = S if mask is None else np.where(mask, S, -1e30)
        P = np_attention.softmax(np.moveaxis(S, -3, -1))
        P = np.moveaxis(P, -1, -3)
        return P @ V, P

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """Your mask has no axis for the heads. For (N, M) it does no harm, but in (B, N, M) the batch's
    axis lands on the heads: NumPy refuses, or, with as many heads as sequences, masks head 0
    with sequence 0. Where must an axis of size 1 go?"""
)
def mask_without_heads(X, memory, W, heads, mask=None):
    def attend(Q, K, V, with_heads):
        return np_attention.attention(Q, K, V, mask)

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """`mask[:, None]` puts the axis for the heads in the right place for a mask (B, N, M) only. For
    (N, M) it stands between queries and keys. Counted from which end is its place always the
    same?"""
)
def axis_for_the_heads_from_the_front(X, memory, W, heads, mask=None):
    def attend(Q, K, V, with_heads):
        return np_attention.attention(Q, K, V, None if mask is None else mask[:, None])

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """Your mask is turned round: each query sees just what it may not, and with a causal mask it
    looks at the future alone. Libraries differ here. What does True say in this task's mask?"""
)
def mask_inverted(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, W, heads, mask if mask is None else ~mask)


@multi_head_attention.mistake(
    """The mask comes after your softmax: weights are struck out, and a row no longer adds up to
    one, since the hidden keys took part in the sum below the fraction. Which step has to know what
    is hidden?"""
)
def mask_after_the_softmax(X, memory, W, heads, mask=None):
    def attend(Q, K, V, mask):
        _, P = np_attention.attention(Q, K, V)
        P = P if mask is None else P * mask
        return P @ V, P

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """Hidden scores become a large negative number, which is a score like others. Where all that a
    query may look at scores lower still, it looks where it may not. Which score loses against
    every number?"""
)
def fills_with_a_finite_number(X, memory, W, heads, mask=None):
    def attend(Q, K, V, mask):
        S = np_attention.scores(Q, K)
        P = np_attention.softmax(S if mask is None else np.where(mask, S, -1e4))
        return P @ V, P

    return _multi_head(X, memory, W, heads, mask, attend=attend)


@multi_head_attention.mistake(
    """The heads still stand behind the tokens, (..., N, heads, d), when you attend: in every token
    the heads look at each other, and no token sees another. On which two axes does `attention`
    work?"""
)
def attends_among_the_heads(X, memory, W, heads, mask=None):
    def split(A, heads):
        return A.reshape(*A.shape[:-1], heads, -1)

    def merge(Z):
        return Z.reshape(*Z.shape[:-2], -1)

    return _multi_head(X, memory, W, heads, mask, split=split, merge=merge)


@multi_head_attention.mistake(
    """W_K and W_V are swapped: you match with what should be said, and say what should be
    matched."""
)
def keys_for_values(X, memory, W, heads, mask=None):
    swapped = {**W, "W_K": W["W_V"], "W_V": W["W_K"]}
    return np_multi_head.multi_head_attention(X, memory, swapped, heads, mask)


@multi_head_attention.mistake(
    """This is self-attention: X asks and X answers. Where the memory has another width than X,
    NumPy refuses; which argument have you not read?"""
)
def ignores_the_memory(X, memory, W, heads, mask=None):
    return np_multi_head.multi_head_attention(X, X, W, heads, mask)


@multi_head_attention.mistake("""You do not use the mask: right without one, wrong with one.""")
def ignores_mask(X, memory, W, heads, mask=None):
    return _multi_head(X, memory, W, heads, None)


@multi_head_attention.mistake(
    """This is one wide head: the features are never split, so every token gets one set of weights
    for everything. How many matrices of weights should P hold?"""
)
def one_wide_head(X, memory, W, heads, mask=None):
    return np_multi_head.multi_head_attention(X, memory, W, 1, mask)


@multi_head_attention.mistake(
    """All heads of yours have the same weights: one softmax over all D features, said `heads`
    times. What does each head look at that no other does?"""
)
def one_wide_head_repeated(X, memory, W, heads, mask=None):
    Y, P = np_multi_head.multi_head_attention(X, memory, W, 1, mask)
    return Y, np.repeat(P, heads, axis=-3)
