"""A layer of DETR's decoder as a module."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.models.detection.detr import PlacedAttention


class QueryLayer(nn.Module):
    """A layer of DETR's decoder, Post-LN: the queries ask each other, then the picture, then each
    thinks for itself.

    dim, heads  of both attentions; hidden  of the feed-forward network, whose bend is `F.relu`

    Its parts are named attention and cross_attention (`PlacedAttention(dim, heads)`), feed_forward
    (`FeedForward(dim, hidden, F.relu)`), and around each of them, in this order, around_attention,
    around_cross_attention and around_feed_forward (`Residual(dim, norm_first=False)`).

    `PlacedAttention` is called with (who asks, who answers, the places of those who ask, the places
    of those who answer), `Residual` with (x, a function of tokens): it adds what that gives to x,
    then normalizes.
    """

    def __init__(self, dim: int, heads: int, hidden: int):
        """Make the six parts."""
        super().__init__()
        self.attention = PlacedAttention(dim, heads)
        self.cross_attention = PlacedAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, F.relu)
        self.around_attention = Residual(dim, norm_first=False)
        self.around_cross_attention = Residual(dim, norm_first=False)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def forward(self, x, memory, queries, places):
        """x (B, N, dim), what each query knows so far, and queries (B, N, dim), which stand for its
        place; memory (B, M, dim), the encoded picture, and places (B, M, dim) of its tokens
        ->  (B, N, dim)"""
        x = self.around_attention(x, lambda y: self.attention(y, y, queries, queries))
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, queries, places)
        )
        return self.around_feed_forward(x, self.feed_forward)


def sizes_and_tokens(rng):
    for B, N, M, dim, heads, hidden in [
        (1, 2, 3, 4, 1, 3),
        (2, 3, 2, 4, 2, 5),
        (3, 1, 4, 6, 3, 4),
        (2, 5, 5, 4, 2, 8),
    ]:
        shapes = dict(x=(B, N, dim), memory=(B, M, dim), queries=(B, N, dim), places=(B, M, dim))
        tokens = {k: torch.from_numpy(rng.normal(size=shape)) for k, shape in shapes.items()}
        yield dict(arguments=dict(dim=dim, heads=heads, hidden=hidden), **tokens)


QueryLayer = ModuleExercise(
    QueryLayer,
    level=3,
    minutes=15,
    cases=sizes_and_tokens,
    hints=(
        "Three steps, each inside its residual. In which of them is the memory read?",
        "Among themselves the queries ask x and answer x, with `queries` as both places. Of the "
        "picture they ask with the same places; what places do those have who answer?",
        "`x = self.around_attention(x, lambda y: self.attention(y, y, queries, queries))`, then "
        "`around_cross_attention` alike with `memory` and `places`, then "
        "`self.around_feed_forward(x, self.feed_forward)`.",
    ),
)
_Reference = QueryLayer.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x, memory, queries, places):
        x = self.among(x, memory, queries, places)
        return self.think(self.look(x, memory, queries, places))

    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: self.attention(y, y, queries, queries))

    def look(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, queries, places)
        )

    def think(self, x):
        return self.around_feed_forward(x, self.feed_forward)


@QueryLayer.mistake(
    """The queries never ask each other: two of them that see the same object cannot agree who shows
    it. Which of your parts is not used?"""
)
class NoTalkAmongQueries(_Parts):
    def among(self, x, memory, queries, places):
        return x


@QueryLayer.mistake(
    """The queries ask the picture first and each other afterwards. In which order does the task
    have it?"""
)
class PictureFirst(_Parts):
    def forward(self, x, memory, queries, places):
        x = self.look(x, memory, queries, places)
        return self.think(self.among(x, memory, queries, places))


@QueryLayer.mistake(
    """The places of the queries are added to x itself, before or beside the attention, so they
    enter the values and pile up from layer to layer. `PlacedAttention` takes them as places."""
)
class PlacesAddedToX(_Parts):
    def forward(self, x, memory, queries, places):
        return super().forward(x + queries, memory, queries, places)


@QueryLayer.mistake(
    """In the attention to the picture the places are exchanged: right shapes only if there are as
    many queries as tokens. Who asks, and whose places come first?"""
)
class PlacesExchanged(_Parts):
    def look(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, places, queries)
        )


@QueryLayer.mistake(
    """The picture is asked without the queries' places: what is zeros in the first layer asks the
    same for every query. Where do they enter a second time?"""
)
class AsksWithoutPlaces(_Parts):
    def look(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, 0 * queries, places)
        )


@QueryLayer.mistake(
    """The picture's tokens answer without their places: a query can find a shoe, and not the left
    one. What is the last argument for?"""
)
class AnswersWithoutPlaces(_Parts):
    def look(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, queries, 0 * places)
        )


@QueryLayer.mistake(
    """The residuals are left out: each step replaces what was known instead of adding to it. What
    are the three parts around … for?"""
)
class WithoutResiduals(_Parts):
    def forward(self, x, memory, queries, places):
        x = self.attention(x, x, queries, queries)
        x = self.cross_attention(x, memory, queries, places)
        return self.feed_forward(x)


@QueryLayer.mistake(
    """You add x once more than the residual does. `Residual` adds what the function gives to x
    itself: what should the function leave out?"""
)
class AddsXTwice(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: y + self.attention(y, y, queries, queries))

    def look(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: y + self.cross_attention(y, memory, queries, places)
        )

    def think(self, x):
        return self.around_feed_forward(x, lambda y: y + self.feed_forward(y))


@QueryLayer.mistake(
    """The feed-forward network is missing: after the queries have looked, none thinks. Which parts
    are never called?"""
)
class NeverThinks(_Parts):
    def think(self, x):
        return x


@QueryLayer.mistake(
    """Your residuals normalize first, Pre-LN. The task wants LN(x + f(x)): what is the second
    argument of `Residual`?"""
)
class NormalizesFirst(_Parts):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_cross_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)


@QueryLayer.mistake(
    """Both attentions go to the picture: the queries never ask each other. Who answers in the first
    step?"""
)
class AsksThePictureTwice(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: self.attention(y, memory, queries, places))


@QueryLayer.mistake(
    """Among themselves the queries' places are part of the values too: you add them to the tokens
    that answer. `PlacedAttention` adds them to queries and keys alone."""
)
class PlacesInTheValues(_Parts):
    def among(self, x, memory, queries, places):
        none = torch.zeros_like(queries)
        return self.around_attention(
            x, lambda y: self.attention(y + queries, y + queries, none, none)
        )


@QueryLayer.mistake(
    """The places of the picture are part of what is read: you add them to the memory itself.
    `PlacedAttention` adds them to the keys alone."""
)
class PlacesInTheMemory(_Parts):
    def look(self, x, memory, queries, places):
        return super().look(x, memory + places, queries, torch.zeros_like(places))


@QueryLayer.mistake(
    """Among themselves only those who *ask* have places. They answer each other: what places do
    those have who answer?"""
)
class OnlyAskersHavePlaces(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: self.attention(y, y, queries, 0 * queries))


@QueryLayer.mistake(
    """Among themselves only those who *answer* have places. What places do those have who ask?"""
)
class OnlyAnswerersHavePlaces(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: self.attention(y, y, 0 * queries, queries))


@QueryLayer.mistake(
    """The two attentions are exchanged: `attention` is for the queries among themselves,
    `cross_attention` for the picture."""
)
class AttentionsExchanged(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: self.cross_attention(y, y, queries, queries))

    def look(self, x, memory, queries, places):
        return self.around_cross_attention(x, lambda y: self.attention(y, memory, queries, places))


@QueryLayer.mistake(
    """One residual is used for all three steps, with its norm. Which is around which part?"""
)
class OneResidualForAll(_Parts):
    def forward(self, x, memory, queries, places):
        around = self.around_attention
        x = around(x, lambda y: self.attention(y, y, queries, queries))
        x = around(x, lambda y: self.cross_attention(y, memory, queries, places))
        return around(x, self.feed_forward)


@QueryLayer.mistake(
    """The first step adds x once more than its residual does. `Residual` adds what the function
    gives to x: what should the function leave out?"""
)
class AddsXTwiceAtFirst(_Parts):
    def among(self, x, memory, queries, places):
        return self.around_attention(x, lambda y: y + self.attention(y, y, queries, queries))
