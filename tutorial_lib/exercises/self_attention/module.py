"""Attention as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.attention import dot_product_attention


class Attention(nn.Module):
    """Self- or cross-attention with one head and learned projections.

    dim         features of a token that asks, and of the output
    dim_head    features of a query, of a key and of a value
    dim_memory  features of a token that answers

    Its four linear maps are named to_q, to_k, to_v and to_out, and have no bias.
    """

    def __init__(self, dim: int, dim_head: int, dim_memory: int):
        """Make the four maps. From which features to which does each lead?"""
        super().__init__()
        self.to_q = nn.Linear(dim, dim_head, bias=False)
        self.to_k = nn.Linear(dim_memory, dim_head, bias=False)
        self.to_v = nn.Linear(dim_memory, dim_head, bias=False)
        self.to_out = nn.Linear(dim_head, dim, bias=False)

    def forward(self, x, memory=None, mask=None):
        """x (B, N, dim) asks, memory (B, M, dim_memory) answers, x itself if there is none; mask
        as in `dot_product_attention`  ->  (B, N, dim)"""
        memory = x if memory is None else memory
        q, k, v = self.to_q(x), self.to_k(memory), self.to_v(memory)  # (B, N or M, dim_head)
        z, _ = dot_product_attention(q, k, v, mask)
        return self.to_out(z)


def sizes_and_tokens(rng):
    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    for B, N, M, dim, dim_head, dim_memory in [(2, 3, 4, 5, 2, 3), (1, 4, 1, 2, 3, 5)]:
        arguments = dict(dim=dim, dim_head=dim_head, dim_memory=dim_memory)
        yield dict(arguments=arguments, x=draw(B, N, dim), memory=draw(B, M, dim_memory))
    same = dict(dim=4, dim_head=4, dim_memory=4)  # where a wrong sequence or map would fit
    yield dict(arguments=same, x=draw(2, 3, 4), memory=draw(2, 3, 4))
    alone = dict(dim=4, dim_head=2, dim_memory=4)
    yield dict(arguments=alone, x=draw(2, 3, 4))  # self-attention
    causal = torch.ones(1, 3, 3).tril().bool()
    yield dict(arguments=alone, x=draw(1, 3, 4), memory=None, mask=causal)
    padding = torch.tensor([[[True, True, False, True]], [[True, False, False, False]]])
    arguments = dict(dim=3, dim_head=5, dim_memory=2)
    yield dict(arguments=arguments, x=draw(2, 3, 3), memory=draw(2, 4, 2), mask=padding)
    blind = torch.tensor([[[True, False], [False, False], [True, True]]])
    yield dict(arguments=arguments, x=draw(1, 3, 3), memory=draw(1, 2, 2), mask=blind)


Attention = ModuleExercise(
    Attention,
    level=2,
    minutes=15,
    cases=sizes_and_tokens,
    hints=(
        "Follow the schematic: every blue box is a line of `__init__`. Who is mapped by which, the "
        "tokens that ask or those that answer?",
        "`nn.Linear(features in, features out, bias=False)`. `memory if memory is not None else x` "
        "says who answers.",
        "`z, p = dot_product_attention(self.to_q(x), self.to_k(memory), self.to_v(memory), mask)`, "
        "and z goes through `self.to_out`.",
    ),
)
_Reference = Attention.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        return self.out(x, self.attend(*self.project(x, memory), mask))

    def project(self, x, memory):
        return self.to_q(x), self.to_k(memory), self.to_v(memory)

    def attend(self, q, k, v, mask):
        return dot_product_attention(q, k, v, mask)[0]

    def out(self, x, z):
        return self.to_out(z)


@Attention.mistake(
    """Your values come from the tokens that ask. As a rule the shapes do not even fit; where they
    do, whatever a query finds, it hears only of its own sequence. Whose tokens have something to
    say?"""
)
class ValuesFromTheAsker(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_k(memory), self.to_v(x)


@Attention.mistake(
    """The memory is not used: x asks and x answers, whatever is passed. Which of the three
    projections belong to the tokens that answer?"""
)
class IgnoresTheMemory(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_k(x), self.to_v(x)


@Attention.mistake(
    """The memory asks and x answers: your output has a row for each token of the memory. For whom
    should there be one?"""
)
class TheMemoryAsks(_Parts):
    def project(self, x, memory):
        return self.to_q(memory), self.to_k(x), self.to_v(x)


@Attention.mistake(
    """Right without a mask: yours goes nowhere. Which function knows what to do with it?"""
)
class ForgetsTheMask(_Parts):
    def attend(self, q, k, v, mask):
        return dot_product_attention(q, k, v)[0]


@Attention.mistake(
    """`to_out` is made and never used. It mixes what was found and brings it back from dim_head to
    dim features: what should go through it?"""
)
class SkipsTheLastMap(_Parts):
    def out(self, x, z):
        return z


@Attention.mistake(
    """You add x to the output. That residual belongs to the layer around attention (chapter 03);
    attention itself gives only what was found."""
)
class AddsTheInput(_Parts):
    def out(self, x, z):
        return x + self.to_out(z)


@Attention.mistake(
    """`to_k` and `to_v` have changed places: you match with what should be said, and say what
    should be matched."""
)
class KeysForValues(_Parts):
    def project(self, x, memory):
        return self.to_q(x), self.to_v(memory), self.to_k(memory)


@Attention.mistake(
    """The scores are not divided by √d. Do queries and keys go through `dot_product_attention`, or
    through a product of your own?"""
)
class Unscaled(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q * q.shape[-1] ** 0.5, k, v, mask)


@Attention.mistake(
    """You divide by the root of `dim`, the width of a token. A score is a sum over the features of
    a *query*: how many has it behind `to_q`?"""
)
class RootOfTheTokensWidth(_Parts):
    def attend(self, q, k, v, mask):
        dim = self.to_q.in_features
        return super().attend(q * (q.shape[-1] / dim) ** 0.5, k, v, mask)


@Attention.mistake(
    """The scores are divided by √d twice. `dot_product_attention` has done it: what is left for
    `forward`?"""
)
class ScaledTwice(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q / q.shape[-1] ** 0.5, k, v, mask)


@Attention.mistake(
    """You return the weights beside the output. Here the module gives what was found, (B, N, dim),
    alone. `dot_product_attention` gives a pair: which of the two goes on?"""
)
class ReturnsThePair(_Parts):
    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        z, p = dot_product_attention(*self.project(x, memory), mask)
        return self.to_out(z), p


@Attention.mistake(
    """A query that may look nowhere is NaN. By the chapter's one convention it gets zeros: does
    your product go through `dot_product_attention`?"""
)
class NaNForWhoMayLookNowhere(_Parts):
    def attend(self, q, k, v, mask):
        s = q @ k.mT / q.shape[-1] ** 0.5
        s = s if mask is None else s.masked_fill(~mask, float("-inf"))
        return s.softmax(dim=-1) @ v


@Attention.mistake(
    """You use the mask the wrong way round: each query looks exactly where it may not. What does
    True mean?"""
)
class TurnsTheMaskRound(_Parts):
    def attend(self, q, k, v, mask):
        return dot_product_attention(q, k, v, None if mask is None else ~mask)[0]


@Attention.mistake(
    """The output is cut off from the weights: the numbers are right and nothing will learn. Is
    there a `detach` or a `no_grad` on the way?"""
)
class CutOff(_Parts):
    def attend(self, q, k, v, mask):
        return super().attend(q, k, v, mask).detach()
