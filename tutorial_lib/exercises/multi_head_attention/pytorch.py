"""All heads at once in PyTorch."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads


def batched_heads(q, k, v, heads):
    """Attention in all heads without a loop.

    q (B, N, D), k and v (B, M, D) tensors, projected already, heads: a divisor of D
    ->  (B, N, D), the heads' outputs side by side; head i works on features i·d to (i + 1)·d,
    d = D / heads, and weighs with softmax(q_i k_iᵀ / √d)
    """
    B, N, D = q.shape
    q, k, v = (x.reshape(B, -1, heads, D // heads).transpose(1, 2) for x in (q, k, v))
    p = (q @ k.mT / (D // heads) ** 0.5).softmax(dim=-1)  # (B, heads, N, M)
    return (p @ v).transpose(1, 2).reshape(B, N, D)


def projected_tokens(rng):
    for batch, n, m, width, heads in [
        (1, 1, 2, 2, 2),
        (1, 2, 2, 6, 2),
        (1, 2, 3, 4, 2),
        (2, 3, 1, 6, 3),
        (2, 4, 3, 6, 2),
        (2, 3, 3, 4, 1),
    ]:
        shapes = dict(q=(batch, n, width), k=(batch, m, width), v=(batch, m, width))
        tensors = {name: torch.from_numpy(rng.normal(size=s)) for name, s in shapes.items()}
        yield {**{name: t.requires_grad_() for name, t in tensors.items()}, "heads": heads}
    single = {name: torch.from_numpy(rng.normal(size=(2, 3, 6))).float() for name in "qkv"}
    yield {**{name: t.requires_grad_() for name, t in single.items()}, "heads": 2}


batched_heads = Exercise(
    batched_heads,
    level=2,
    minutes=10,
    cases=projected_tokens,
    hints=(
        "`@` works on the last two axes and treats all others as a batch. Bring the tensors to a "
        "shape in which the heads are one more axis of the batch.",
        "(B, N, D) to (B, N, heads, d) is a reshape, to (B, heads, N, d) a transpose more. The way "
        "back is the same two steps in the other order.",
        "`x.reshape(B, -1, heads, d).transpose(1, 2)` for each of q, k, v; softmax over `dim=-1`; "
        "`.transpose(1, 2).reshape(B, N, D)` at the end.",
    ),
)


def _attend(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v


@batched_heads.mistake(
    """`view(B, heads, N, d)` on the way in: the shape is right, but a view never moves a number,
    so head 0 gets the first tokens whole and the last head the last ones. Which step moves the
    heads in front of the tokens?"""
)
def views_on_the_way_in(q, k, v, heads):
    B, _, D = q.shape
    q, k, v = (x.reshape(B, heads, -1, D // heads) for x in (q, k, v))
    return merge_heads(_attend(q, k, v))


@batched_heads.mistake(
    """`view(B, N, D)` on the way out, straight from (B, heads, N, d): a row of the result then
    holds several tokens of one head. What has to be undone before the axes are joined?"""
)
def views_on_the_way_out(q, k, v, heads):
    return _attend(*(split_heads(x, heads) for x in (q, k, v))).reshape(q.shape)


@batched_heads.mistake(
    """In and out by `view` alone: the two errors do not cancel. The output looks sensible, since it
    is attention among pieces of tokens. Print a tensor of numbered features before and after the
    split: whose features does head 0 hold?"""
)
def views_both_ways(q, k, v, heads):
    B, _, D = q.shape
    split = (x.reshape(B, heads, -1, D // heads) for x in (q, k, v))
    return _attend(*split).reshape(q.shape)


@batched_heads.mistake(
    """`view` right after `transpose`: the numbers no longer lie in memory in the order of the axes,
    and a view cannot move them. Which function views where it can and copies where it must?"""
)
def view_after_transpose(q, k, v, heads):
    z = _attend(*(split_heads(x, heads) for x in (q, k, v)))
    return z.transpose(1, 2).view(q.shape)


@batched_heads.mistake(
    """The heads never came in front of the tokens: with (B, N, heads, d) each token's heads attend
    to one another, no token sees another, and where N and M differ PyTorch refuses. Which two axes
    does `@` work on?"""
)
def attends_among_the_heads(q, k, v, heads):
    B, _, D = q.shape
    return _attend(*(x.reshape(B, -1, heads, D // heads) for x in (q, k, v))).reshape(q.shape)


@batched_heads.mistake(
    """You deal the features out: head i gets i, i + heads, i + 2·heads, …. Which of the two new
    axes comes first in the reshape, the heads or the features of a head?"""
)
def deals_out_features(q, k, v, heads):
    B, _, D = q.shape
    dealt = (x.reshape(B, -1, D // heads, heads).permute(0, 3, 1, 2) for x in (q, k, v))
    return _attend(*dealt).permute(0, 2, 3, 1).reshape(q.shape)


@batched_heads.mistake(
    """`softmax(dim=1)` is over the heads: for each pair of tokens they share out one unit of
    weight. Which axis of (B, heads, N, M) holds the keys?"""
)
def softmax_over_heads(q, k, v, heads):
    q, k, v = (split_heads(x, heads) for x in (q, k, v))
    return merge_heads((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=1) @ v)


@batched_heads.mistake(
    """`softmax(dim=-2)` is over the queries: for each *key* the weights add up to one, and a query
    can go away with nearly nothing. Which sums must be one in (B, heads, N, M)?"""
)
def softmax_over_queries(q, k, v, heads):
    q, k, v = (split_heads(x, heads) for x in (q, k, v))
    return merge_heads((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-2) @ v)


@batched_heads.mistake(
    """There is no scale. A dot product of d features grows like √d, so the softmax gets too sharp
    and its gradient small. What are scores divided by, and how wide is a head?"""
)
def no_scale(q, k, v, heads):
    q, k, v = (split_heads(x, heads) for x in (q, k, v))
    return merge_heads((q @ k.mT).softmax(dim=-1) @ v)


@batched_heads.mistake(
    """You divide by √D. After the split a score adds up d = D / heads products: which D is in your
    line, the one before the split or after?"""
)
def scales_by_the_whole_width(q, k, v, heads):
    return merge_heads(_attend(*(split_heads(x, heads) for x in (q / heads**0.5, k, v))))


@batched_heads.mistake(
    """You divide by d, not by its root: the weights come out too even, the more so the wider a head
    is. A dot product adds up d terms with signs of their own: what grows like its size?"""
)
def scales_by_the_square(q, k, v, heads):
    q = q / (q.shape[-1] // heads) ** 0.5
    return merge_heads(_attend(*(split_heads(x, heads) for x in (q, k, v))))


@batched_heads.mistake(
    """There are no heads in it: one softmax for all D features. Compare the shape of your weights
    with (B, heads, N, M)."""
)
def one_wide_head(q, k, v, heads):
    return _attend(q, k, v)


@batched_heads.mistake(
    """`torch.sqrt(torch.tensor(d))` is a float32 tensor: with float64 queries the root is right to
    seven digits only, and so is all that follows. Which kind of number takes the precision of what
    it divides?"""
)
def takes_the_root_in_float32(q, k, v, heads):
    q, k, v = (split_heads(x, heads) for x in (q, k, v))
    return merge_heads((q @ k.mT / torch.sqrt(torch.tensor(q.shape[-1]))).softmax(dim=-1) @ v)
