"""The whole TNT as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.local_and_global.block import TNTBlock as block_exercise
from tutorial_lib.exercises.local_and_global.joining import PixelsToPatch as join_exercise
from tutorial_lib.models.backbones.tnt import PixelEmbedding

PixelsToPatch, TNTBlock = join_exercise.reference, block_exercise.reference


class TNT(nn.Module):
    """A ViT whose patches are told in every block what their pixels have found out.

    image_size, patch   pixels, the side of the square image and of a patch, which divides it
    channels, classes   of the images; how many there are to choose from
    dim, heads, hidden  of every outer layer; depth  blocks
    stride              pixels from one pixel token to the next; it divides the patch
    inner_dim, inner_heads  of every inner layer

    Its parts are named embed (`PixelEmbedding(channels, patch, stride, inner_dim)`, images ->
    pixel tokens (B, n, m, inner_dim), with their positions inside the patch), first (a
    `PixelsToPatch`, which makes the patches that enter the first block), class_token (1, dim) and
    positions (1 + n, dim), parameters that begin normal with standard deviation 0.02, encoder (a
    list of `TNTBlock`), norm (a LayerNorm) and head (a linear map). The class token stands first.
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
        stride: int,
        inner_dim: int,
        inner_heads: int,
    ):
        """Make the parts. How many patches has an image, and how many pixel tokens a patch?"""
        super().__init__()
        n, pixels = (image_size // patch) ** 2, (patch // stride) ** 2
        self.embed = PixelEmbedding(channels, patch, stride, inner_dim)
        self.first = PixelsToPatch(pixels, inner_dim, dim)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1 + n, dim))
        self.encoder = nn.ModuleList(
            TNTBlock(dim, heads, hidden, inner_dim, inner_heads, pixels) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, image_size, image_size)  ->  logits (B, classes)"""
        y = self.embed(images)
        class_token = self.class_token.expand(len(y), 1, -1)
        z = torch.cat([class_token, self.first(y)], dim=1) + self.positions
        for block in self.encoder:
            y, z = block(y, z)
        return self.head(self.norm(z[:, 0]))


def sizes_and_images(rng):
    for B, *sizes in [
        (1, 4, 2, 1, 2, 4, 1, 1, 4, 1, 2, 1),
        (3, 6, 2, 2, 5, 6, 2, 3, 8, 1, 4, 2),
        (2, 6, 6, 3, 4, 8, 2, 2, 5, 3, 2, 2),
        (2, 8, 4, 1, 3, 4, 1, 2, 6, 2, 2, 1),
    ]:
        names = ("image_size", "patch", "channels", "classes", "dim", "depth", "heads", "hidden",
                 "stride", "inner_dim", "inner_heads")  # fmt: skip
        arguments = dict(zip(names, sizes))
        size, channels = arguments["image_size"], arguments["channels"]
        images = torch.from_numpy(rng.normal(size=(B, channels, size, size)))
        yield dict(arguments=arguments, images=images)


TNT = ModuleExercise(
    TNT,
    level=3,
    minutes=15,
    cases=sizes_and_images,
    initial={"class_token": (0, 0.02), "positions": (0, 0.02)},
    hints=(
        "Two things go through the blocks side by side, y and z. Where does each begin?",
        "z begins as what `first` makes of y, with the class token in front, and then the "
        "positions are added to all of it. n is (image_size / patch)², m is (patch / stride)².",
        "`y = self.embed(images)`; `z = torch.cat([self.class_token.expand(len(y), 1, -1), "
        "self.first(y)], dim=1) + self.positions`; in the loop `y, z = block(y, z)`; the head "
        "reads the norm of `z[:, 0]`.",
    ),
)


class _Parts(TNT.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        y = self.embed(images)
        return self.read(self.encode(y, self.begin(y)))

    def begin(self, y):
        class_token = self.class_token.expand(len(y), 1, -1)
        return torch.cat([class_token, self.first(y)], dim=1) + self.positions

    def encode(self, y, z):
        for block in self.encoder:
            y, z = block(y, z)
        return z

    def read(self, z):
        return self.head(self.norm(z[:, 0]))


@TNT.mistake(
    """Right with one block: every block of yours gets the pixels as they were embedded. What does a
    block return besides z?"""
)
class ForgetsTheNewPixels(_Parts):
    def encode(self, y, z):
        for block in self.encoder:
            _, z = block(y, z)
        return z


@TNT.mistake(
    """Right with one block: each block of yours gets the patches as they began. What should block 2
    read?"""
)
class ForgetsTheNewPatches(_Parts):
    def encode(self, y, z):
        for block in self.encoder:
            y, last = block(y, z)
        return last


@TNT.mistake(
    """Right with one block: only one of the blocks is used, again and again. Each has weights of
    its own and is meant to be called."""
)
class UsesOneBlock(_Parts):
    def encode(self, y, z):
        for _ in self.encoder:
            y, z = self.encoder[0](y, z)
        return z


@TNT.mistake(
    """No positions are added to the patches. The pixel tokens know their place in the patch, and
    nothing says where the patch is."""
)
class WithoutPositions(_Parts):
    def begin(self, y):
        return torch.cat([self.class_token.expand(len(y), 1, -1), self.first(y)], dim=1)


@TNT.mistake(
    """The class token stands behind the patches. The blocks take row 0 for it: they would tell
    patch 1 about the pixels of patch 0."""
)
class ClassTokenLast(_Parts):
    def begin(self, y):
        class_token = self.class_token.expand(len(y), 1, -1)
        return torch.cat([self.first(y), class_token], dim=1) + self.positions


@TNT.mistake(
    """The class token stands behind the patches, and you read it there. The blocks take row 0 for
    it: they would tell patch 1 about the pixels of patch 0."""
)
class ClassTokenLastAndRead(ClassTokenLast):
    def read(self, z):
        return self.head(self.norm(z[:, -1]))


@TNT.mistake(
    """`first` is made and not called: your patches begin at zero, and only the blocks tell them of
    their pixels. Where does z come from?"""
)
class BeginsAtZero(_Parts):
    def begin(self, y):
        class_token = self.class_token.expand(len(y), 1, -1)
        empty = 0 * self.first(y)
        return torch.cat([class_token, empty], dim=1) + self.positions


@TNT.mistake("""You read the last patch. Which row of z is the class token's?""")
class ReadsTheLastPatch(_Parts):
    def read(self, z):
        return self.head(self.norm(z[:, -1]))


@TNT.mistake(
    """You read the mean of all tokens. That works too, but the task reads the class token: which
    row is it?"""
)
class ReadsTheMean(_Parts):
    def read(self, z):
        return self.head(self.norm(z).mean(dim=1))


@TNT.mistake(
    """The last norm is missing. What Pre-LN layers add up has passed no norm yet when it reaches
    the head."""
)
class SkipsTheLastNorm(_Parts):
    def read(self, z):
        return self.head(z[:, 0])


@TNT.mistake(
    """You end in a softmax. The loss, `F.cross_entropy`, takes logits and does that itself."""
)
class ReturnsProbabilities(_Parts):
    def read(self, z):
        return super().read(z).softmax(dim=-1)


@TNT.mistake(
    """The patches get their positions and the class token does not. How many rows has `positions`,
    and what is the first of them for?"""
)
class ClassTokenWithoutPosition(_Parts):
    def begin(self, y):
        class_token = self.class_token.expand(len(y), 1, -1)
        return torch.cat([class_token, self.first(y) + self.positions[1:]], dim=1)


@TNT.mistake(
    """The class token stands first and gets the last row of `positions`; every patch gets the row
    of the one before it. To what are the positions added, and when?"""
)
class PositionsOfTheNeighbour(_Parts):
    def begin(self, y):
        class_token = self.class_token.expand(len(y), 1, -1)
        z = torch.cat([class_token, self.first(y)], dim=1)
        return z + self.positions.roll(1, dims=0)


@TNT.mistake(
    """Right with one block: the positions are added again in front of every block. They travel
    along in z: how often does a token have to be told where it is?"""
)
class PositionsInEveryBlock(_Parts):
    def encode(self, y, z):
        for number, block in enumerate(self.encoder):
            y, z = block(y, z + self.positions if number else z)
        return z


@TNT.mistake(
    """You read the mean of the patches. That works too, but the task reads the class token: which
    row is it?"""
)
class ReadsTheMeanOfPatches(_Parts):
    def read(self, z):
        return self.head(self.norm(z[:, 1:].mean(dim=1)))


@TNT.mistake(
    """You read the mean of the patches, after the norm. That works too, but the task reads the
    class token: which row is it?"""
)
class ReadsTheMeanOfNormalisedPatches(_Parts):
    def read(self, z):
        return self.head(self.norm(z)[:, 1:].mean(dim=1))
