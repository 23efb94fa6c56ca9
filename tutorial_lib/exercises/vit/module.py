"""The whole Vision Transformer as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.positions import LearnedPositions
from tutorial_lib.layers.transformer import EncoderLayer


class VisionTransformer(nn.Module):
    """A ViT: patches, a class token in front, positions, encoder layers, one more norm, a head.

    image_size, patch    pixels, the side of a square image and of a patch
    channels, classes    of the image; how many there are to choose from
    dim, heads, hidden   of every `EncoderLayer(dim, heads, hidden, eps=...)`, which is Pre-LN
    depth                how many of them

    Its parts are named embed (`PatchEmbedding(channels, patch, dim)`), class_token (1, dim), which
    begins normal with standard deviation 0.02, positions (`LearnedPositions(n, dim)`, which gives
    its (n, dim) table when it is called), encoder (a list of layers), norm (a LayerNorm) and head
    (a linear map). As in the paper's code, every norm has eps = 1e-6, the layers' own too.
    """

    def __init__(
        self,
        image_size: int,
        patch: int,
        channels: int,
        classes: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
    ):
        """Make the parts. How many tokens does an image become, the class token included?"""
        super().__init__()
        n = (image_size // patch) ** 2
        self.embed = PatchEmbedding(channels, patch, dim)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, dim))
        self.positions = LearnedPositions(1 + n, dim)
        layers = (EncoderLayer(dim, heads, hidden, eps=1e-6) for _ in range(depth))
        self.encoder = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim, 1e-6)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes), read from the class token"""
        x = self.embed(images)  # (B, n, dim)
        first = self.class_token.expand(len(x), 1, -1)  # (B, 1, dim)
        x = torch.cat([first, x], dim=1) + self.positions()  # (B, 1 + n, dim)
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x[:, 0]))


def sizes_and_images(rng):
    for B, side, patch, channels, classes, dim, depth, heads, hidden in [
        (1, 2, 1, 1, 2, 3, 1, 1, 4),
        (2, 4, 2, 1, 3, 4, 2, 2, 5),
        (3, 6, 2, 3, 4, 6, 2, 3, 8),
        (2, 5, 5, 2, 5, 4, 1, 1, 6),
    ]:
        arguments = dict(
            image_size=side, patch=patch, channels=channels, classes=classes, dim=dim,
            depth=depth, heads=heads, hidden=hidden,
        )  # fmt: skip
        images = torch.from_numpy(rng.normal(size=(B, channels, side, side))).float()
        yield dict(arguments=arguments, images=images)


VisionTransformer = ModuleExercise(
    VisionTransformer,
    level=3,
    minutes=20,
    cases=sizes_and_images,
    initial={"class_token": (0, 0.02), "positions.table": (0, 0.02)},
    hints=(
        "Follow the schematic from left to right: every blue or orange box is a line of "
        "`__init__`, every arrow a line of `forward`.",
        "One class token serves the whole batch: `expand` repeats it without copying. Layers in a "
        "plain list are invisible to PyTorch; `nn.ModuleList` is not.",
        "`torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1) + self.positions()`, then "
        "the layers in a loop, then `self.head(self.norm(x)[:, 0])`. The class token is "
        "`nn.Parameter(0.02 * torch.randn(1, dim))`.",
    ),
)
_Reference = VisionTransformer.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        return self.read(self.encode(self.tokens(images)))

    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1) + self.positions()

    def encode(self, x):
        for layer in self.encoder:
            x = layer(x)
        return x

    def read(self, x):
        return self.head(self.norm(x)[:, 0])


@VisionTransformer.mistake(
    """No positions are added: your model gives the same answer for an image whose patches are
    shuffled. Where do the tokens learn where they stand?"""
)
class ForgetsThePositions(_Parts):
    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)


@VisionTransformer.mistake(
    """You read the last token, which is the last patch. Where in the sequence does the class token
    stand?"""
)
class ReadsTheLastToken(_Parts):
    def read(self, x):
        return self.head(self.norm(x)[:, -1])


@VisionTransformer.mistake(
    """You take the mean of all tokens and then its norm. The task reads one row of the sequence,
    the class token's: which one is it?"""
)
class NormOfTheMean(_Parts):
    def read(self, x):
        return self.head(self.norm(x.mean(dim=1)))


@VisionTransformer.mistake(
    """The class token stands behind the patches, and you read row 0, which is then a patch. Where
    does the schematic put the class token?"""
)
class ClassTokenLastAndFirstRead(_Parts):
    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([x, self.class_token.expand(len(x), 1, -1)], dim=1) + self.positions()


@VisionTransformer.mistake(
    """You read the mean of all tokens. That works too, but the task reads the class token: which
    row of the sequence is it?"""
)
class ReadsTheMean(_Parts):
    def read(self, x):
        return self.head(self.norm(x).mean(dim=1))


@VisionTransformer.mistake(
    """You read the mean of the patches and leave the class token out. That works too, but nothing
    that it has collected reaches the head. What does the task read?"""
)
class ReadsTheMeanOfThePatches(_Parts):
    def read(self, x):
        return self.head(self.norm(x[:, 1:].mean(dim=1)))


@VisionTransformer.mistake(
    """The last norm is missing. The layers are Pre-LN: what they add up has passed no norm yet when
    it reaches the head."""
)
class SkipsTheLastNorm(_Parts):
    def read(self, x):
        return self.head(x[:, 0])


@VisionTransformer.mistake(
    """The norm stands in front of the encoder instead of behind it. What does a Pre-LN layer do to
    its input first, and what has nothing done to its output yet?"""
)
class NormComesFirst(_Parts):
    def encode(self, x):
        return super().encode(self.norm(x))

    def read(self, x):
        return self.head(x[:, 0])


@VisionTransformer.mistake(
    """Your class token gets no position. The table has 1 + n rows: for which token is the first
    one?"""
)
class ClassTokenWithoutPosition(_Parts):
    def tokens(self, images):
        x = self.embed(images) + self.positions()[1:]
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1)


@VisionTransformer.mistake(
    """The class token stands behind the patches, so every token gets another one's position. The
    schematic puts it in front."""
)
class ClassTokenLast(_Parts):
    def tokens(self, images):
        x = self.embed(images)
        return torch.cat([x, self.class_token.expand(len(x), 1, -1)], dim=1) + self.positions()

    def read(self, x):
        return self.head(self.norm(x)[:, -1])


@VisionTransformer.mistake(
    """Only one of the layers is used: each of them has weights of its own and is meant to be
    called."""
)
class UsesOneLayer(_Parts):
    def encode(self, x):
        for _ in self.encoder:
            x = self.encoder[0](x)
        return x


@VisionTransformer.mistake(
    """Right with one layer: of several, only the first is called. What should the others read, and
    which of them is the last before the head?"""
)
class CallsTheFirstLayer(_Parts):
    def encode(self, x):
        return self.encoder[0](x)


@VisionTransformer.mistake(
    """Right with one layer: each of yours reads the tokens as they came in, so all but the last
    work for nothing. What should layer 2 read?"""
)
class EachLayerReadsTheTokens(_Parts):
    def encode(self, x):
        return self.encoder[-1](x)


@VisionTransformer.mistake(
    """You add each layer's input to what it gives. An `EncoderLayer` has its residuals inside: how
    often does the input arrive then?"""
)
class AddsTheInputAgain(_Parts):
    def encode(self, x):
        for layer in self.encoder:
            x = x + layer(x)
        return x


@VisionTransformer.mistake(
    """Positions are added once in front of every layer. They belong to the tokens: how often does
    the schematic add them?"""
)
class AddsPositionsInEveryLayer(_Parts):
    def encode(self, x):
        for i, layer in enumerate(self.encoder):
            x = layer(x + self.positions() if i else x)
        return x


@VisionTransformer.mistake(
    """You end in a softmax. The loss, `F.cross_entropy`, takes logits and does that itself: of
    probabilities it would take the softmax once more."""
)
class ReturnsProbabilities(_Parts):
    def read(self, x):
        return super().read(x).softmax(dim=-1)


@VisionTransformer.mistake(
    """Your last norm has PyTorch's eps of 1e-5. It shows where the class token varies little. Which
    eps does the task give?"""
)
class LastNormWithPyTorchsEps(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names)
        self.norm.eps = 1e-5


@VisionTransformer.mistake(
    """All your norms have PyTorch's eps of 1e-5. It shows where a token varies little. Which eps
    does the task give?"""
)
class AllNormsWithPyTorchsEps(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names)
        for norm in (part for part in self.modules() if isinstance(part, nn.LayerNorm)):
            norm.eps = 1e-5
