"""Causal linear attention with heads, as a module."""

import torch

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers import linear_attention as layers
from tutorial_lib.layers.linear_attention import attend_in_chunks, phi
from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads


def sizes_and_tokens(rng):
    for B, N, dim, heads, past in [
        (1, 2, 2, 1, 0),
        (2, 3, 6, 2, 0),
        (3, 1, 6, 3, 2),
        (2, 4, 8, 2, 3),
        (2, 35, 4, 2, 2),
    ]:
        inputs = dict(x=torch.from_numpy(rng.normal(size=(B, N, dim))).float())
        if past:
            d = dim // heads
            k = torch.from_numpy(rng.random(size=(B, heads, past, d))).float() + 0.1
            v = torch.from_numpy(rng.normal(size=(B, heads, past, d))).float()
            inputs |= dict(S=k.mT @ v, Z=k.sum(dim=-2))
        yield dict(arguments=dict(dim=dim, heads=heads)) | inputs


LinearAttention = ModuleExercise(
    layers.LinearAttention,
    level=3,
    minutes=20,
    cases=sizes_and_tokens,
    hints=(
        "Follow the schematic: three maps, heads, φ on two of the three, attention, heads back, "
        "one map.",
        "`split_heads(x, heads)` makes (B, heads, N, d) of (B, N, dim), `merge_heads` the way "
        "back; `attend_in_chunks(phi_q, phi_k, v, S, Z)` gives y, S, Z and takes None for S and "
        "Z.",
        "`q, k, v = (split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, "
        "self.to_v))`, then attend with phi(q), phi(k), v, S, Z; `self.to_out(merge_heads(y))`, "
        "S, Z come back.",
    ),
)
_Reference = LinearAttention.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x, S=None, Z=None):
        y, S, Z = self.attend(*self.project(x), S, Z)
        return self.close(y), S, Z

    def project(self, x):
        return [split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, self.to_v)]

    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(phi(q), phi(k), v, S, Z)

    def close(self, y):
        return self.to_out(merge_heads(y))


@LinearAttention.mistake(
    """There is no feature map in it: queries and keys go into the sums as they are. Their
    products can be negative, and a denominator can be nearly zero. What must pass through φ?"""
)
class WithoutAFeatureMap(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(q, k, v, S, Z)


@LinearAttention.mistake(
    """The values pass through φ too, so nothing negative can be said. Which of the three does the
    feature map belong to?"""
)
class FeaturesOfTheValues(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(phi(q), phi(k), phi(v), S, Z)


@LinearAttention.mistake(
    """Only the keys pass through φ; the queries are used as they are. Both must be positive for
    the weights to be."""
)
class FeaturesOfTheKeysAlone(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(q, phi(k), v, S, Z)


@LinearAttention.mistake(
    """Right from the beginning of a sequence; in the middle of one, what earlier tokens have left
    is not used. Where do S and Z go?"""
)
class ForgetsThePast(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(phi(q), phi(k), v)


@LinearAttention.mistake(
    """The last map is missing: the heads' results stand side by side and are never mixed. Which
    part of yours is not called?"""
)
class WithoutTheLastMap(_Parts):
    def close(self, y):
        return merge_heads(y)


@LinearAttention.mistake(
    """The heads are cut by a reshape alone, straight to (B, heads, N, d): head 0 gets pieces of
    the first tokens. Right for one head. Which step moves the heads in front of the tokens?"""
)
class SplitsByReshape(_Parts):
    def project(self, x):
        B, N, dim = x.shape
        maps = (self.to_q, self.to_k, self.to_v)
        return [to(x).reshape(B, self.heads, N, dim // self.heads) for to in maps]


@LinearAttention.mistake(
    """The heads are joined by a reshape alone, from (B, heads, N, d): a row then holds several
    tokens of one head. What has to be undone before the axes are joined?"""
)
class MergesByReshape(_Parts):
    def close(self, y):
        B, heads, N, d = y.shape
        return self.to_out(y.reshape(B, N, heads * d))


@LinearAttention.mistake(
    """Your scores are divided by √d inside φ. That tames a softmax; here a factor in front of φ
    only moves the queries to where φ is another function. Does the task ask for it?"""
)
class ScalesTheQueries(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(phi(q / q.shape[-1] ** 0.5), phi(k), v, S, Z)


@LinearAttention.mistake(
    """Queries and keys are exchanged: to_q makes what is filed, to_k what looks up. Which of the
    two goes into the sums?"""
)
class QueriesAndKeysExchanged(_Parts):
    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(phi(k), phi(q), v, S, Z)


@LinearAttention.mistake(
    """All tokens hear all, later ones too. This module writes pictures pixel by pixel: what would
    it read from a pixel that is not there yet?"""
)
class HearsTheFuture(_Parts):
    def attend(self, q, k, v, S, Z):
        _, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return phi(q) @ S / (phi(q) @ Z[..., None]), S, Z


@LinearAttention.mistake(
    """You add x to the output. The residual belongs to the layer around the attention: how often
    does the input arrive then?"""
)
class AddsTheInput(_Parts):
    def forward(self, x, S=None, Z=None):
        y, S, Z = super().forward(x, S, Z)
        return x + y, S, Z


@LinearAttention.mistake(
    """φ is applied to x, before the linear maps, which make what is positive negative again.
    Between which two steps does the schematic show it?"""
)
class FeaturesOfTheTokens(_Parts):
    def project(self, x):
        maps = (self.to_q, phi(x)), (self.to_k, phi(x)), (self.to_v, x)
        return [split_heads(to(y), self.heads) for to, y in maps]

    def attend(self, q, k, v, S, Z):
        return attend_in_chunks(q, k, v, S, Z)


@LinearAttention.mistake(
    """You return y alone. Whoever writes token by token needs S and Z as well: the task asks for
    three values."""
)
class ReturnsTheOutputAlone(_Parts):
    def forward(self, x, S=None, Z=None):
        return super().forward(x, S, Z)[0]


@LinearAttention.mistake(
    """There is one head, as wide as the token: nothing cuts the features into heads, and S is
    (dim, dim). Which two helpers go around the attention?"""
)
class OneHead(_Parts):
    def project(self, x):
        return [to(x)[:, None] for to in (self.to_q, self.to_k, self.to_v)]


@LinearAttention.mistake(
    """The module keeps S and Z for itself: the next sequence begins with what the last one has
    left. The state comes in as an argument and goes out as a result."""
)
class KeepsTheState(_Parts):
    kept = (None, None)

    def attend(self, q, k, v, S, Z):
        S, Z = self.kept if S is None else (S, Z)
        y, *self.kept = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return y, *self.kept
