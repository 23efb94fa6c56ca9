"""DETR as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.positions import sine_positions_2d
from tutorial_lib.models.detection.detr import (
    BoxHead,
    DETRDecoderLayer,
    DETREncoderLayer,
    TinyBackbone,
)


class DETR(nn.Module):
    """A DETR: convolutions, an encoder, learned queries that a decoder turns into answers, two
    heads.

    channels             features of the backbone's map, a multiple of 4
    classes, queries     kinds of objects, without "no object"; N, how many answers there are
    dim, heads, hidden   of every layer; dim is a multiple of 4 and of heads
    depth                layers of the encoder, and of the decoder

    Its parts are named backbone (`TinyBackbone(channels)`), project (a convolution of 1 × 1, from
    channels to dim), encoder and decoder (lists of `DETREncoderLayer(dim, heads, hidden)` and
    `DETRDecoderLayer(dim, heads, hidden)`), queries (N, dim), which begin normal with standard
    deviation 1, norm (a LayerNorm, for what leaves the decoder), class_head (a linear map) and
    box_head (`BoxHead(dim)`, whose four numbers have any size).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        queries: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
    ):
        """Make the parts. From how many classes does each query choose?"""
        super().__init__()
        self.backbone = TinyBackbone(channels)
        self.project = nn.Conv2d(channels, dim, 1)
        encoder = (DETREncoderLayer(dim, heads, hidden) for _ in range(depth))
        decoder = (DETRDecoderLayer(dim, heads, hidden) for _ in range(depth))
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.queries = nn.Parameter(torch.randn(queries, dim))
        self.norm = nn.LayerNorm(dim)
        self.class_head = nn.Linear(dim, classes + 1)
        self.box_head = BoxHead(dim)

    def forward(self, images):
        """images (B, 3, H, W)  ->  logits (B, N, classes + 1), the last for "no object", and boxes
        (B, N, 4) as cx, cy, w, h, each between 0 and 1"""
        features = self.project(self.backbone(images))  # (B, dim, h, w)
        dim, h, w = features.shape[1:]
        places = sine_positions_2d(h, w, dim).to(features)  # (M, dim), M = h · w
        memory = features.flatten(2).mT  # (B, M, dim)
        for layer in self.encoder:
            memory = layer(memory, places)
        x = torch.zeros_like(self.queries).expand(len(images), -1, -1)  # (B, N, dim)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
        x = self.norm(x)
        return self.class_head(x), self.box_head(x).sigmoid()


def sizes_and_images(rng):
    for B, H, W, channels, classes, queries, dim, depth, heads, hidden in [
        (2, 8, 16, 4, 1, 2, 4, 1, 1, 3),
        (2, 16, 24, 8, 3, 5, 8, 2, 2, 6),
        (3, 24, 16, 4, 2, 4, 12, 1, 3, 8),
        (1, 16, 8, 4, 2, 3, 8, 1, 2, 5),
    ]:
        arguments = dict(
            channels=channels, classes=classes, queries=queries, dim=dim, depth=depth,
            heads=heads, hidden=hidden,
        )  # fmt: skip
        images = torch.from_numpy(rng.uniform(size=(B, 3, H, W)))
        yield dict(arguments=arguments, images=images)


DETR = ModuleExercise(
    DETR,
    level=3,
    minutes=18,
    cases=sizes_and_images,
    initial={"queries": (0, 1)},
    hints=(
        "Follow the schematic: every blue or orange box is a line of `__init__`, every arrow one "
        "of `forward`. The upper row makes the memory, the lower one asks it.",
        "A map (B, dim, h, w) becomes tokens by `.flatten(2).mT`. What goes into the decoder first "
        "is zeros, (B, N, dim): all that makes the answers differ are the queries, which every "
        "layer gets as places. `nn.ModuleList` holds layers.",
        "`x = torch.zeros_like(self.queries).expand(len(images), -1, -1)`; each layer of the "
        "decoder is called as `layer(x, memory, self.queries, places)`; then the norm, then "
        "`self.class_head(x)` with classes + 1 outputs, and `self.box_head(x).sigmoid()`.",
    ),
)
_Reference = DETR.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        features = self.project(self.backbone(images))
        dim, h, w = features.shape[1:]
        places = self.grid(h, w, dim).to(features)
        memory = self.encode(self.tokens(features), places)
        return self.read(self.decode(self.start(memory), memory, places))

    def grid(self, h, w, dim):
        return sine_positions_2d(h, w, dim)

    def tokens(self, features):
        return features.flatten(2).mT

    def encode(self, memory, places):
        for layer in self.encoder:
            memory = layer(memory, places)
        return memory

    def start(self, memory):
        return torch.zeros_like(self.queries).expand(len(memory), -1, -1)

    def decode(self, x, memory, places):
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
        return x

    def read(self, x):
        x = self.norm(x)
        return self.class_head(x), self.box_head(x).sigmoid()


@DETR.mistake(
    """Your boxes have any size, below 0 and above 1: `BoxHead` gives four numbers without bounds.
    Which function brings a number between 0 and 1?"""
)
class BoxesWithoutBounds(_Parts):
    def read(self, x):
        x = self.norm(x)
        return self.class_head(x), self.box_head(x)


@DETR.mistake(
    """You give probabilities. The loss, `F.cross_entropy`, takes logits and does the softmax
    itself."""
)
class ReturnsProbabilities(_Parts):
    def read(self, x):
        logits, boxes = super().read(x)
        return logits.softmax(dim=-1), boxes


@DETR.mistake(
    """The last norm is missing, or only one of the heads gets what it gives. Through what does
    everything that leaves the decoder go?"""
)
class SkipsTheLastNorm(_Parts):
    def read(self, x):
        return self.class_head(x), self.box_head(x).sigmoid()


@DETR.mistake(
    """Your decoder starts from the queries, and every layer adds them again. They are the places of
    the answers, not the answers: what is known of the objects before the first layer?"""
)
class StartsFromTheQueries(_Parts):
    def start(self, memory):
        return self.queries.expand(len(memory), -1, -1)


@DETR.mistake(
    """A reshape alone makes no tokens: it reads the numbers in the order in which they lie, so that
    the first "token" holds one feature of many places. Which axis has to come last?"""
)
class ReshapeAlone(_Parts):
    def tokens(self, features):
        return features.flatten(2).reshape(len(features), -1, features.shape[1])


@DETR.mistake(
    """Right for square pictures: height and width are exchanged in the positions. Which of the two
    is the number of rows?"""
)
class HeightForWidth(_Parts):
    def grid(self, h, w, dim):
        return sine_positions_2d(w, h, dim)


@DETR.mistake(
    """The decoder reads the convolutions' tokens; what the encoder gives is forgotten. Does the
    loop keep what a layer returns?"""
)
class ForgetsTheEncoder(_Parts):
    def encode(self, memory, places):
        return memory


@DETR.mistake(
    """Only one layer of the decoder is used, again and again: each has weights of its own and is
    meant to be called."""
)
class UsesOneDecoderLayer(_Parts):
    def decode(self, x, memory, places):
        for _ in self.decoder:
            x = self.decoder[0](x, memory, self.queries, places)
        return x


@DETR.mistake(
    """Right with one layer: each layer of your decoder starts from zeros again, so all but the last
    work for nothing. What should layer 2 read?"""
)
class EachLayerStartsAnew(_Parts):
    def decode(self, x, memory, places):
        return self.decoder[-1](x, memory, self.queries, places)


@DETR.mistake(
    """The positions are added to the tokens themselves, and the layers add them to queries and keys
    once more. `DETREncoderLayer` and `DETRDecoderLayer` take them beside the tokens: what should
    the values hold?"""
)
class AddsThePositionsToo(_Parts):
    def encode(self, memory, places):
        return super().encode(memory + places, places)


@DETR.mistake(
    """The norm stands behind every layer of your decoder, and the next one reads what it gives. The
    layers have norms of their own; how often does the schematic show this one?"""
)
class NormalizesInEveryLayer(_Parts):
    def decode(self, x, memory, places):
        for layer in self.decoder:
            x = self.norm(layer(x, memory, self.queries, places))
        return x

    def read(self, x):
        return self.class_head(x), self.box_head(x).sigmoid()


@DETR.mistake("""Boxes come first in yours. Which of the two does the task name first?""")
class BoxesFirst(_Parts):
    def read(self, x):
        return super().read(x)[::-1]


@DETR.mistake(
    """The queries are what your decoder starts from, and the layers get no places for them. The
    task starts from zeros and gives the queries to every layer."""
)
class QueriesOnlyAtTheStart(_Parts):
    def start(self, memory):
        return self.queries.expand(len(memory), -1, -1)

    def decode(self, x, memory, places):
        for layer in self.decoder:
            x = layer(x, memory, 0 * self.queries, places)
        return x


@DETR.mistake(
    """Your decoder gets no positions of the picture: it knows what is there, and not where. What is
    the last argument of its layers for?"""
)
class DecoderWithoutPositions(_Parts):
    def decode(self, x, memory, places):
        return super().decode(x, memory, 0 * places)


@DETR.mistake(
    """The positions are added to the tokens, and no layer gets them as places. What do the layers
    take beside the tokens, and what should the values hold?"""
)
class PositionsInTheTokensOnly(_Parts):
    def encode(self, memory, places):
        return super().encode(memory + places, 0 * places)

    def decode(self, x, memory, places):
        return super().decode(x, memory, 0 * places)


@DETR.mistake(
    """Your tokens go down the columns of the map; the positions are counted row by row. In which
    order does `flatten` take the places?"""
)
class TokensColumnByColumn(_Parts):
    def tokens(self, features):
        return features.mT.flatten(2).mT
