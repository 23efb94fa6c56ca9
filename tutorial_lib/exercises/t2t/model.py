"""The whole T2T-ViT as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.t2t.cutting import SoftSplit as split_exercise
from tutorial_lib.exercises.t2t.token_layer import TokenTransformer as token_layer_exercise
from tutorial_lib.from_scratch.soft_split import token_count
from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.layers.soft_split import restructure
from tutorial_lib.layers.transformer import EncoderLayer

SoftSplit, TokenTransformer = split_exercise.reference, token_layer_exercise.reference


class T2TViT(nn.Module):
    """Images to tokens in steps, a class token in front, positions, encoder layers, a norm, a head.

    channels, classes    of the images; how many there are to choose from
    splits               list of (k, s, p): window, stride and padding of each soft split
    token_dim            features of a token that leaves a token layer
    dim, heads, hidden   of every `EncoderLayer(dim, heads, hidden)`; depth  how many of them

    Its parts are named splits (a list of `SoftSplit`), layers (a list: a `TokenTransformer` after
    each split but the last), project (a linear map, after the last), class_token (1, dim), which
    begins normal with standard deviation 0.02, encoder (a list), norm (a LayerNorm) and head (a
    linear map). Positions are not learned: `sinusoidal(n, dim)` is a table (n, dim) for n tokens,
    the class token among them. Images need not be square.
    """

    def __init__(
        self,
        channels: int,
        splits: list,
        token_dim: int,
        classes: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
    ):
        """Make the parts. How many features has a window of the first image, and how many one of
        an image that is made of tokens?"""
        super().__init__()
        self.splits = nn.ModuleList(SoftSplit(k, s, p) for k, s, p in splits)
        depths = [channels] + [token_dim] * (len(splits) - 1)  # channels that each split cuts
        sizes = [k * k * d for (k, _, _), d in zip(splits, depths)]
        self.layers = nn.ModuleList(TokenTransformer(size, token_dim) for size in sizes[:-1])
        self.project = nn.Linear(sizes[-1], dim)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, dim))
        self.encoder = nn.ModuleList(EncoderLayer(dim, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes), read from the class token"""
        for split, layer in zip(self.splits, self.layers):
            rows, columns = token_count(*images.shape[2:], split.k, split.s, split.p)
            images = restructure(layer(split(images)), rows, columns)
        x = self.project(self.splits[-1](images))  # (B, n, dim)
        x = torch.cat([self.class_token.expand(x.shape[0], 1, -1), x], dim=1)
        x = x + sinusoidal(x.shape[1], x.shape[2])
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x[:, 0]))


def sizes_and_images(rng):
    for B, channels, H, W, splits, token_dim, classes, dim, depth, heads, hidden in [
        (1, 1, 4, 6, [(2, 2, 0), (2, 1, 0)], 3, 2, 4, 1, 1, 4),
        (3, 2, 7, 9, [(3, 2, 1), (3, 1, 0), (2, 2, 1)], 3, 5, 6, 2, 3, 8),
        (2, 2, 6, 6, [(3, 2, 1), (2, 1, 0)], 4, 3, 6, 1, 1, 5),
        (2, 1, 4, 6, [(2, 2, 0)], 3, 4, 4, 1, 2, 6),
    ]:
        arguments = dict(
            channels=channels, splits=splits, token_dim=token_dim, classes=classes, dim=dim,
            depth=depth, heads=heads, hidden=hidden,
        )  # fmt: skip
        images = torch.from_numpy(rng.normal(size=(B, channels, H, W)))
        yield dict(arguments=arguments, images=images)


T2TViT = ModuleExercise(
    T2TViT,
    level=4,
    minutes=18,
    cases=sizes_and_images,
    initial={"class_token": (0, 0.02)},
    hints=(
        "Write the round first, image to image: cut, attend, back on the grid. Then loop over all "
        "splits but the last. Below it, everything is chapter 05's.",
        "A window has k · k · (channels of what is cut) features: the image's own for the first "
        "split, token_dim for all others. `zip(self.splits, self.layers)` ends with the shorter "
        "list.",
        "In the loop: `rows, columns = token_count(*images.shape[2:], k, s, p)`, then `images = "
        "restructure(layer(split(images)), rows, columns)`. After it "
        "`self.project(self.splits[-1](images))`, the class token by `torch.cat`, the sinusoids, "
        "the layers, `self.head(self.norm(x[:, 0]))`.",
    ),
)


class _Parts(T2TViT.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        return self.read(self.encode(self.tokens(self.embed(images))))

    def embed(self, images):
        for split, layer in zip(self.splits, self.layers):
            images = self.image(layer(split(images)), *self.grid(split, images))
        return self.project(self.last(images))

    def grid(self, split, images):
        return token_count(*images.shape[2:], split.k, split.s, split.p)

    def image(self, tokens, rows, columns):
        return restructure(tokens, rows, columns)

    def last(self, images):
        return self.splits[-1](images)

    def tokens(self, x):
        x = torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)
        return x + sinusoidal(*x.shape[1:])

    def encode(self, x):
        for layer in self.encoder:
            x = layer(x)
        return x

    def read(self, x):
        return self.head(self.norm(x[:, 0]))


@T2TViT.mistake(
    """You reshape (B, n, C) to (B, C, rows, columns) in one go. The shape is right, and every
    channel is a mixture of features of a few tokens: neighbours in the image are none. What did you
    find in `restructure`?"""
)
class ReshapesInOneGo(_Parts):
    def image(self, tokens, rows, columns):
        return tokens.reshape(len(tokens), -1, rows, columns)


@T2TViT.mistake(
    """Your grid has rows and columns exchanged. What comes first, the height or the width?"""
)
class SwapsTheGrid(_Parts):
    def grid(self, split, images):
        return super().grid(split, images)[::-1]


@T2TViT.mistake(
    """You take every grid for square, with √n tokens a side. An image that is wider than high has
    another grid. What says how many rows and columns a split makes?"""
)
class SquareGrids(_Parts):
    def grid(self, split, images):
        rows, columns = super().grid(split, images)
        side = int((rows * columns) ** 0.5)
        return side, side


@T2TViT.mistake(
    """Your image lies on its side, (B, C, columns, rows): on a square grid no shape complains and
    the picture is mirrored. Which of the last two axes does the next split take for the rows?"""
)
class LiesOnItsSide(_Parts):
    def image(self, tokens, rows, columns):
        return restructure(tokens, rows, columns).mT


@T2TViT.mistake(
    """You cut the picture you were given again and again: the tokens of one round never become the
    image of the next. Which name should hold what `restructure` gives?"""
)
class CutsTheFirstImageAgain(_Parts):
    def embed(self, images):
        for split, layer in zip(self.splits, self.layers):
            restructure(layer(split(images)), *self.grid(split, images))
        return self.project(self.last(images))


@T2TViT.mistake(
    """No positions are added. The windows carry neighbourhood, but nothing says where in the
    picture a token stands. What does the schematic add in front of the encoder?"""
)
class WithoutPositions(_Parts):
    def tokens(self, x):
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)


@T2TViT.mistake(
    """Your class token gets no position, so every other token has that of the one before it. How
    many rows has the table?"""
)
class ClassTokenWithoutPosition(_Parts):
    def tokens(self, x):
        x = x + sinusoidal(*x.shape[1:])
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)


@T2TViT.mistake(
    """The class token stands behind the others and has the last position; you read it there. The
    schematic puts it in front."""
)
class ClassTokenLast(_Parts):
    def tokens(self, x):
        x = torch.cat([x, self.class_token.expand(len(x), 1, -1)], dim=1)
        return x + sinusoidal(*x.shape[1:])

    def read(self, x):
        return self.head(self.norm(x[:, -1]))


@T2TViT.mistake(
    """The class token stands behind the others, and you read row 0, which is then a window. Where
    does the schematic put it?"""
)
class ClassTokenLastAndFirstRead(_Parts):
    def tokens(self, x):
        x = torch.cat([x, self.class_token.expand(len(x), 1, -1)], dim=1)
        return x + sinusoidal(*x.shape[1:])


@T2TViT.mistake(
    """You read the last token, a window at the lower right. Which row is the class token's?"""
)
class ReadsTheLastToken(_Parts):
    def read(self, x):
        return self.head(self.norm(x[:, -1]))


@T2TViT.mistake(
    """You read the mean of all tokens. That works too, but the task reads the class token: which
    row of the sequence is it?"""
)
class ReadsTheMean(_Parts):
    def read(self, x):
        return self.head(self.norm(x).mean(dim=1))


@T2TViT.mistake(
    """The last norm is missing. The encoder's layers are Pre-LN: what they add up has passed no
    norm yet when it reaches the head."""
)
class SkipsTheLastNorm(_Parts):
    def read(self, x):
        return self.head(x[:, 0])


@T2TViT.mistake(
    """Right with one layer: only one of the encoder's layers is used, again and again. Each has
    weights of its own and is meant to be called."""
)
class UsesOneLayer(_Parts):
    def encode(self, x):
        for _ in self.encoder:
            x = self.encoder[0](x)
        return x


@T2TViT.mistake(
    """Right with one layer: each layer of your encoder reads the tokens as they came in, so all but
    the last work for nothing. What should layer 2 read?"""
)
class EachLayerReadsTheTokens(_Parts):
    def encode(self, x):
        return self.encoder[-1](x)


@T2TViT.mistake(
    """You end in a softmax. The loss, `F.cross_entropy`, takes logits and does that itself: of
    probabilities it would take the softmax once more."""
)
class ReturnsProbabilities(_Parts):
    def read(self, x):
        return super().read(x).softmax(dim=-1)
