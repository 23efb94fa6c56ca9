"""Multi-head attention as a module."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.attention import dot_product_attention


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, with learned projections.

    dim         features of a token that asks, and of the output; a multiple of heads
    heads       how many attentions; each works with d = dim / heads features
    dim_memory  features of a token that answers

    Its four linear maps are named to_q, to_k, to_v and to_out, and have no bias.
    """

    def __init__(self, dim: int, heads: int, dim_memory: int):
        """Make the four maps. Each serves all heads at once: from how many features to how many?"""
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim_memory, dim, bias=False)
        self.to_v = nn.Linear(dim_memory, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x, memory=None, mask=None):
        """x (B, N, dim) asks, memory (B, M, dim_memory) answers, x itself if there is none; mask
        bool (B or 1, N or 1, M or 1), the same for every head, True where a query may look; or None
        ->  (B, N, dim). Head i works with features i·d to (i + 1)·d of the projected tokens."""
        memory = x if memory is None else memory
        q, k, v = (
            projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, N or M, d)
            for projected in (self.to_q(x), self.to_k(memory), self.to_v(memory))
        )
        mask = None if mask is None else mask[:, None]  # (B, 1, N, M)
        z, _ = dot_product_attention(q, k, v, mask)
        return self.to_out(z.transpose(1, 2).flatten(2))


def sizes_and_tokens(rng):
    def draw(*shape):  # float64: where weights are near 0 or 1, float32 rounds gradients away
        return torch.from_numpy(rng.normal(size=shape))

    for B, N, M, dim, heads, dim_memory in [
        (1, 1, 2, 2, 2, 4),
        (2, 3, 4, 6, 2, 8),
        (3, 2, 5, 8, 4, 4),
        (2, 4, 1, 6, 3, 9),
        (2, 3, 2, 5, 1, 3),
    ]:
        arguments = dict(dim=dim, heads=heads, dim_memory=dim_memory)
        yield dict(arguments=arguments, x=draw(B, N, dim), memory=draw(B, M, dim_memory))
    single = dict(x=draw(2, 3, 8).float(), memory=draw(2, 2, 4).float())
    yield dict(arguments=dict(dim=8, heads=2, dim_memory=4), **single)
    same = dict(dim=6, heads=2, dim_memory=6)  # where a wrong sequence or map would fit
    yield dict(arguments=same, x=draw(2, 6, 6), memory=draw(2, 6, 6))
    yield dict(arguments=same, x=draw(2, 4, 6))  # self-attention
    causal = torch.ones(1, 5, 5).tril().bool()
    yield dict(arguments=same, x=draw(3, 5, 6), memory=None, mask=causal)
    padding = torch.tensor([[[True, True, False, True]], [[True, False, False, False]]])
    arguments = dict(dim=6, heads=2, dim_memory=4)  # as many sequences as heads
    yield dict(arguments=arguments, x=draw(2, 3, 6), memory=draw(2, 4, 4), mask=padding)
    blind = torch.tensor([[[True, False], [False, False], [True, True]]])
    yield dict(arguments=arguments, x=draw(1, 3, 6), memory=draw(1, 2, 4), mask=blind)


MultiHeadAttention = ModuleExercise(
    MultiHeadAttention,
    level=3,
    minutes=20,
    cases=sizes_and_tokens,
    hints=(
        "Follow the schematic from left to right. You have written every step in NumPy; what is "
        "new is that four `nn.Linear` take the place of the four matrices.",
        "After its projection a tensor is (B, N, dim). `unflatten(-1, (heads, d))` or a `reshape` "
        "cuts the last axis, `transpose(1, 2)` brings the heads in front of the tokens. The mask "
        "needs an axis of size 1 where q has the heads.",
        "`q = self.to_q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)`, k and v likewise from "
        "the memory; `z, p = dot_product_attention(q, k, v, mask)`; then "
        "`z.transpose(1, 2).flatten(2)` goes through `self.to_out`.",
    ),
)
_Reference = MultiHeadAttention.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = map(self.split, self.project(x, memory))
        z = self.attend(q, k, v, self.widened(mask))
        return self.out(x, self.merge(z))

    def project(self, x, memory):
        return self.to_q(x), self.to_k(memory), self.to_v(memory)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def widened(self, mask):
        return None if mask is None else mask[:, None]

    def attend(self, q, k, v, mask):
        return dot_product_attention(q, k, v, mask)[0]

    def merge(self, z):
        return z.transpose(1, 2).flatten(2)

    def out(self, x, z):
        return self.to_out(z)


@MultiHeadAttention.mistake(
    """Each head of yours reads only its own block of a token's features, before the projection. It
    is the *projected* vector that is divided: which of a token's numbers may head 0's query depend
    on?"""
)
class HeadsReadTheirOwnBlock(_Parts):
    def project(self, x, memory):
        def in_blocks(to, tokens):
            blocks = zip(
                tokens.chunk(self.heads, dim=-1),
                to.weight.unflatten(0, (self.heads, -1)).unflatten(-1, (self.heads, -1)).unbind(0),
            )
            return torch.cat([F.linear(t, w[:, i]) for i, (t, w) in enumerate(blocks)], dim=-1)

        pairs = (self.to_q, x), (self.to_k, memory), (self.to_v, memory)
        return [in_blocks(*pair) for pair in pairs]


class _SplitsByView(_Parts):
    def split(self, x):
        return x.reshape(len(x), self.heads, -1, x.shape[-1] // self.heads)


class _MergesByView(_Parts):
    def merge(self, z):
        return z.reshape(len(z), z.shape[2], -1)


@MultiHeadAttention.mistake(
    """`view(B, heads, N, d)` on the way in: the shape is right, but a view never moves a number,
    so head 0 gets the first tokens whole and the last head the last ones. Which step moves the
    heads in front of the tokens?"""
)
class ViewsOnTheWayIn(_SplitsByView): ...


@MultiHeadAttention.mistake(
    """`view(B, N, dim)` on the way out, straight from (B, heads, N, d): a row of the result then
    holds several tokens of one head. What has to be undone before the axes are joined?"""
)
class ViewsOnTheWayOut(_MergesByView): ...


@MultiHeadAttention.mistake(
    """In and out by `view` alone: the two errors do not cancel. The output looks sensible, since it
    is attention among pieces of tokens. Print a tensor of numbered features before and after the
    split: whose features does head 0 hold?"""
)
class ViewsBothWays(_SplitsByView, _MergesByView): ...


@MultiHeadAttention.mistake(
    """`view` right after `transpose`: the numbers no longer lie in memory in the order of the axes,
    and a view cannot move them. Which function views where it can and copies where it must?"""
)
class ViewAfterTranspose(_Parts):
    def merge(self, z):
        return z.transpose(1, 2).view(len(z), z.shape[2], -1)


@MultiHeadAttention.mistake(
    """The heads never came in front of the tokens: with (B, N, heads, d) each token's heads attend
    to one another, no token sees another, and where N and M differ PyTorch refuses. Which two axes
    does `dot_product_attention` work on?"""
)
class AttendsAmongTheHeads(_Parts):
    def split(self, x):
        return x.unflatten(-1, (self.heads, -1))

    def merge(self, z):
        return z.flatten(2)


@MultiHeadAttention.mistake(
    """You deal the features out: head i gets i, i + heads, i + 2·heads, …. Trained from the start
    that works as well, but published weights come in blocks. Which of the two new axes comes first,
    the heads or the features of a head?"""
)
class DealsOutFeatures(_Parts):
    def split(self, x):
        return x.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)

    def merge(self, z):
        return z.permute(0, 2, 3, 1).flatten(2)


@MultiHeadAttention.mistake(
    """You divide by √dim. After the split a score adds up d = dim / heads products only: which
    width is in your line, the one before the split or after?"""
)
class RootOfTheWholeWidth(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q / self.heads**0.5, k, v, mask)


@MultiHeadAttention.mistake(
    """The scores are divided by √d twice, so by d in all. `dot_product_attention` has done it: what
    is left for `forward`?"""
)
class ScaledTwice(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q / q.shape[-1] ** 0.5, k, v, mask)


@MultiHeadAttention.mistake(
    """The scores are not divided by √d. Do queries and keys go through `dot_product_attention`, or
    through a product of your own?"""
)
class Unscaled(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q * q.shape[-1] ** 0.5, k, v, mask)


@MultiHeadAttention.mistake(
    """This is one wide head: the features are never split, so every token has one set of weights
    for everything. How many matrices of weights should there be for a sequence?"""
)
class OneWideHead(_Parts):
    def split(self, x):
        return x[:, None]


@MultiHeadAttention.mistake(
    """Your mask has no axis for the heads, or has it in front, as in `mask[None]`. The batch of
    (B, N, M) then meets the heads of (B, heads, N, M): PyTorch refuses, or, with as many heads as
    sequences, masks head 0 with sequence 0. Where must the axis of size 1 go?"""
)
class MaskWithoutHeads(_Parts):
    def widened(self, mask):
        return mask


@MultiHeadAttention.mistake(
    """Right without a mask: yours goes nowhere. Which function knows what to do with it?"""
)
class ForgetsTheMask(_Parts):
    def widened(self, mask):
        return None


@MultiHeadAttention.mistake(
    """You use the mask the wrong way round: each query looks exactly where it may not.
    `nn.MultiheadAttention` has it so; what does True mean here?"""
)
class TurnsTheMaskRound(_Parts):
    def widened(self, mask):
        return None if mask is None else ~mask[:, None]


@MultiHeadAttention.mistake(
    """A query that may look nowhere is NaN. By the course's one convention it hears zeros: does
    your product go through `dot_product_attention`?"""
)
class NaNForWhoMayLookNowhere(_Parts):
    def attend(self, q, k, v, mask):
        s = q @ k.mT / q.shape[-1] ** 0.5
        s = s if mask is None else s.masked_fill(~mask, float("-inf"))
        return s.softmax(dim=-1) @ v


@MultiHeadAttention.mistake(
    """Your softmax runs over the heads: for each pair of tokens they share out one unit of weight.
    Which axis of (B, heads, N, M) holds the keys?"""
)
class SoftmaxOverTheHeads(_Parts):
    def attend(self, q, k, v, mask):
        s = q @ k.mT / q.shape[-1] ** 0.5
        s = s if mask is None else s.masked_fill(~mask, float("-inf"))
        return s.softmax(dim=1).nan_to_num() @ v


@MultiHeadAttention.mistake(
    """`to_out` is made and never used. Without it head 0 can only ever write into the first d
    features: what should the merged heads go through?"""
)
class SkipsTheLastMap(_Parts):
    def out(self, x, z):
        return z


@MultiHeadAttention.mistake(
    """You add x to the output. That residual belongs to the layer around attention (chapter 03);
    attention itself gives only what was found."""
)
class AddsTheInput(_Parts):
    def out(self, x, z):
        return x + self.to_out(z)


@MultiHeadAttention.mistake(
    """The memory is not used: x asks and x answers, whatever is passed. Which of the three
    projections belong to the tokens that answer?"""
)
class IgnoresTheMemory(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_k(x), self.to_v(x)


@MultiHeadAttention.mistake(
    """Your values come from the tokens that ask. As a rule the shapes do not even fit; where they
    do, whatever a query finds, it hears only of its own sequence. Whose tokens have something to
    say?"""
)
class ValuesFromTheAsker(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_k(memory), self.to_v(x)


@MultiHeadAttention.mistake(
    """`to_k` and `to_v` have changed places: you match with what should be said, and say what
    should be matched."""
)
class KeysForValues(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_v(memory), self.to_k(memory)


@MultiHeadAttention.mistake(
    """The output is cut off from the weights: the numbers are right and nothing will learn. Is
    there a `detach` or a `no_grad` on the way?"""
)
class CutOff(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q, k, v, mask).detach()


@MultiHeadAttention.mistake(
    """You return the weights beside the output. Here the module gives what was found, (B, N, dim),
    alone. `dot_product_attention` gives a pair: which of the two goes on?"""
)
class ReturnsThePair(_Parts):
    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = map(self.split, self.project(x, memory))
        z, p = dot_product_attention(q, k, v, self.widened(mask))
        return self.to_out(self.merge(z)), p


@MultiHeadAttention.mistake(
    """Your values go through `to_k`, and `to_v` is made and never used: what is matched and what is
    said are the same. Which map makes the values?"""
)
class KeysAreValues(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_k(memory), self.to_k(memory)
