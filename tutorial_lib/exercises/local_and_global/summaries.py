"""Twins: every token asks, one summary for each window answers, as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.local_and_global.maps import normal
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention


class SubsampledAttention(nn.Module):
    """Global sub-sampled attention (GSA): every token hears one summary of each window.

    dim, heads  as in MultiHeadAttention; k  tokens, the side of a window

    Its parts are named attention (chapter 02's `MultiHeadAttention(dim, heads)`, called with the
    tokens that ask, then the tokens that answer), summarize (a convolution of k × k with stride k,
    from dim to dim features) and norm (a LayerNorm, through which summaries pass). A summary is
    made from all k · k tokens of its window. Nothing is added: the residual is the layer's.
    """

    def __init__(self, dim: int, heads: int, k: int):
        """Make the three parts."""
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.summarize = nn.Conv2d(dim, dim, k, stride=k)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        """x (B, H, W, dim), H and W multiples of k  ->  (B, H, W, dim)"""
        maps = self.summarize(x.permute(0, 3, 1, 2))  # (B, dim, H / k, W / k)
        summaries = self.norm(maps.flatten(2).mT)  # (B, H · W / k², dim)
        return self.attention(x.flatten(1, 2), summaries).view_as(x)


def sizes_and_a_map(rng):
    for B, rows, columns, dim, heads, k in [
        (1, 1, 2, 2, 1, 2),
        (2, 2, 1, 4, 2, 3),
        (1, 2, 3, 6, 2, 1),
        (3, 3, 2, 4, 4, 2),
    ]:
        arguments = dict(dim=dim, heads=heads, k=k)
        yield dict(arguments=arguments, x=normal(rng, B, k * rows, k * columns, dim))


SubsampledAttention = ModuleExercise(
    SubsampledAttention,
    level=3,
    minutes=12,
    cases=sizes_and_a_map,
    hints=(
        "Two lists of tokens: who asks, and who answers. Which of the two is as long as the map?",
        "A convolution wants channels second, attention wants them last, and a list where the map "
        "had rows and columns. `permute` there, `flatten` and `mT` back.",
        "`maps = self.summarize(x.permute(0, 3, 1, 2))`, then the norm of `maps.flatten(2).mT`. "
        "`x.flatten(1, 2)` asks, and `view_as(x)` makes a map of the answer.",
    ),
)


class _Parts(SubsampledAttention.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x):
        return self.back(self.attend(x.flatten(1, 2), self.summaries(x)), x)

    def summaries(self, x):
        return self.norm(self.listed(self.summarize(self.as_image(x))))

    def as_image(self, x):
        return x.permute(0, 3, 1, 2)

    def listed(self, maps):
        return maps.flatten(2).mT

    def attend(self, tokens, summaries):
        return self.attention(tokens, summaries)

    def back(self, heard, x):
        return heard.view_as(x)


@SubsampledAttention.mistake(
    """The map is reshaped into an image: what your convolution takes for a channel is a mixture of
    places and features. How do axes change their places without tearing tokens apart?"""
)
class ReshapesIntoAnImage(_Parts):
    def as_image(self, x):
        B, H, W, dim = x.shape
        return x.reshape(B, dim, H, W)


@SubsampledAttention.mistake(
    """The summaries are reshaped into a list: a token of yours holds one feature of many places.
    Which two axes have to change places after `flatten(2)`?"""
)
class ReshapesIntoAList(_Parts):
    def listed(self, maps):
        return maps.flatten(2).reshape(len(maps), -1, maps.shape[1])


@SubsampledAttention.mistake(
    """Rows and columns of the image are exchanged, and so is what a kernel of k × k reads: its
    weights meet the window mirrored. In which order does a convolution want the last two axes?"""
)
class ColumnsBeforeRows(_Parts):
    def as_image(self, x):
        return x.permute(0, 3, 2, 1)


@SubsampledAttention.mistake(
    """norm is made and never called. Through what do summaries pass before they answer?"""
)
class WithoutTheNorm(_Parts):
    def summaries(self, x):
        return self.listed(self.summarize(self.as_image(x)))


@SubsampledAttention.mistake(
    """The norm stands before the convolution: tokens are normalised, and summaries are not."""
)
class NormBeforeTheSummary(_Parts):
    def summaries(self, x):
        return self.listed(self.summarize(self.as_image(self.norm(x))))


@SubsampledAttention.mistake(
    """The tokens that ask pass the norm too. It belongs to the summaries; a layer's own norm stands
    outside of this module."""
)
class NormalisesWhoAsks(_Parts):
    def attend(self, tokens, summaries):
        return self.attention(self.norm(tokens), summaries)


@SubsampledAttention.mistake(
    """All tokens answer: that is attention of all with all, and your summaries are never used. What
    is the second argument of the attention?"""
)
class EverybodyAnswers(_Parts):
    def attend(self, tokens, summaries):
        return self.attention(tokens)


@SubsampledAttention.mistake(
    """The summaries ask as well: the answers are as few as the windows, and you hand each to its
    whole window, so all its tokens hear the same. Who asks in GSA?"""
)
class SummariesAsk(_Parts):
    def forward(self, x):
        summaries, k = self.summaries(x), self.summarize.stride[0]
        heard = self.attention(summaries)
        heard = heard.unflatten(1, (x.shape[1] // k, -1))
        return heard.repeat_interleave(k, dim=1).repeat_interleave(k, dim=2)


@SubsampledAttention.mistake(
    """Your summaries ask and the tokens answer, and what a summary heard is handed to its whole
    window. Who asks in GSA, and who answers?"""
)
class TokensAnswerSummaries(_Parts):
    def forward(self, x):
        k = self.summarize.stride[0]
        heard = self.attention(self.summaries(x), x.flatten(1, 2))
        heard = heard.unflatten(1, (x.shape[1] // k, -1))
        return heard.repeat_interleave(k, dim=1).repeat_interleave(k, dim=2)


@SubsampledAttention.mistake(
    """Your summaries are the means of their windows, and summarize is never called. A convolution
    can weigh the k · k places differently; a mean cannot."""
)
class MeansOfWindows(_Parts):
    def summaries(self, x):
        k = self.summarize.stride[0]
        return self.norm(self.listed(nn.functional.avg_pool2d(self.as_image(x), k)))


@SubsampledAttention.mistake(
    """A token of yours hears the summary of its own window alone, and nothing from farther away.
    Over whom is the softmax?"""
)
class OnlyItsOwnSummary(_Parts):
    def forward(self, x):
        k = self.summarize.stride[0]
        own = self.summaries(x).unflatten(1, (x.shape[1] // k, -1))
        own = own.repeat_interleave(k, dim=1).repeat_interleave(k, dim=2).flatten(1, 2)
        tokens = x.flatten(1, 2)
        return self.back(
            self.attention(tokens.flatten(0, 1)[:, None], own.flatten(0, 1)[:, None]), x
        )


@SubsampledAttention.mistake(
    """Tokens and summaries answer together. The tokens alone make the list as long as in attention
    of all with all; what is saved then?"""
)
class TokensAnswerToo(_Parts):
    def attend(self, tokens, summaries):
        return self.attention(tokens, torch.cat([tokens, summaries], dim=1))


@SubsampledAttention.mistake(
    """x is added to what was heard. The task leaves the residual to the layer, which would add it
    once more."""
)
class AddsTheToken(_Parts):
    def back(self, heard, x):
        return x + super().back(heard, x)


@SubsampledAttention.mistake(
    """There is an activation behind the convolution. A summary is a linear map of its window, and a
    norm."""
)
class BendsTheSummary(_Parts):
    def summaries(self, x):
        return self.norm(self.listed(self.summarize(self.as_image(x)).relu()))


@SubsampledAttention.mistake(
    """The answers come back as a list of tokens. The next layer wants the map: which shape has
    x?"""
)
class StaysAList(_Parts):
    def back(self, heard, x):
        return heard


@SubsampledAttention.mistake(
    """Your answers are laid out column by column on the map, and they come row by row: the tokens
    have changed places."""
)
class LaidOutByColumns(_Parts):
    def back(self, heard, x):
        B, H, W, dim = x.shape
        return heard.view(B, W, H, dim).transpose(1, 2)


@SubsampledAttention.mistake(
    """The tokens ask column by column, and their answers are laid out row by row: they have changed
    places. Which axis of the map varies fastest in your list?"""
)
class AsksByColumns(_Parts):
    def attend(self, tokens, summaries):
        tokens = tokens.unflatten(1, self.size).transpose(1, 2).flatten(1, 2)
        return self.attention(tokens, summaries)

    def forward(self, x):
        self.size = x.shape[1:3]
        return super().forward(x)


@SubsampledAttention.mistake(
    """Your windows overlap: the convolution goes on by one token at a time, and there are nearly as
    many summaries as tokens. What does the task say of its stride?"""
)
class OverlappingWindows(_Parts):
    def summaries(self, x):
        maps = nn.functional.conv2d(
            self.as_image(x), self.summarize.weight, self.summarize.bias, stride=1
        )
        return self.norm(self.listed(maps))


@SubsampledAttention.mistake(
    """There is an activation behind the norm. A summary is a linear map of its window, and a
    norm."""
)
class BendsSmoothly(_Parts):
    def summaries(self, x):
        return nn.functional.gelu(super().summaries(x))
