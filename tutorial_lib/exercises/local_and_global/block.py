"""A TNT block as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.local_and_global.joining import PixelsToPatch as join_exercise
from tutorial_lib.layers.transformer import EncoderLayer

PixelsToPatch = join_exercise.reference


class TNTBlock(nn.Module):
    """The pixel tokens of each patch among themselves, then into their patch, then the patches.

    dim, heads, hidden       of the outer layer, `EncoderLayer(dim, heads, hidden)`
    inner_dim, inner_heads   of the inner one, whose hidden size is 4 · inner_dim
    pixels                   pixel tokens in a patch

    Its parts are named inner, outer (`EncoderLayer`s) and join (`PixelsToPatch(pixels, inner_dim,
    dim)`). An EncoderLayer takes tokens (batch, N, features). The class token has no pixels.
    """

    def __init__(
        self, dim: int, heads: int, hidden: int, inner_dim: int, inner_heads: int, pixels: int
    ):
        """Make the parts."""
        super().__init__()
        self.inner = EncoderLayer(inner_dim, inner_heads, 4 * inner_dim)
        self.join = PixelsToPatch(pixels, inner_dim, dim)
        self.outer = EncoderLayer(dim, heads, hidden)

    def forward(self, y, z):
        """y (B, n, pixels, inner_dim) pixel tokens, z (B, 1 + n, dim) class token and patches
        ->  both after the block, of the same shapes. Neither y nor z is changed in place."""
        y = self.inner(y.flatten(0, 1)).view_as(y)
        patches = z[:, 1:] + self.join(y)
        return y, self.outer(torch.cat([z[:, :1], patches], dim=1))


def sizes_and_tokens(rng):
    for B, n, pixels, inner_dim, inner_heads, dim, heads, hidden in [
        (1, 2, 3, 2, 1, 4, 1, 4),
        (2, 3, 4, 4, 2, 6, 3, 5),
        (3, 4, 4, 2, 2, 4, 2, 8),
        (2, 1, 2, 3, 1, 3, 1, 12),
        (2, 4, 1, 4, 2, 8, 2, 6),
    ]:
        arguments = dict(
            dim=dim, heads=heads, hidden=hidden,
            inner_dim=inner_dim, inner_heads=inner_heads, pixels=pixels,
        )  # fmt: skip
        y = torch.from_numpy(rng.normal(size=(B, n, pixels, inner_dim)))
        z = torch.from_numpy(rng.normal(size=(B, 1 + n, dim)))
        yield dict(arguments=arguments, y=y, z=z)


TNTBlock = ModuleExercise(
    TNTBlock,
    level=3,
    minutes=12,
    cases=sizes_and_tokens,
    hints=(
        "Three steps, in the schematic from left to right. For the first: to the inner layer every "
        "patch of every image is a sentence of its own. What is its batch?",
        "`y.flatten(0, 1)` goes in, and what comes out must get its four axes back. The patches "
        "get what the *new* pixels tell them, and the first row of z gets nothing.",
        "`z[:, 1:] + self.join(y)` are the patches; `torch.cat([z[:, :1], patches], dim=1)` puts "
        "the class token in front again, for the outer layer.",
    ),
)


class _Parts(TNTBlock.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, y, z):
        new = self.inside(y)
        return self.leaves(y, new), self.outside(self.told(y, new, z))

    def inside(self, y):
        return self.inner(y.flatten(0, 1)).view_as(y)

    def leaves(self, old, new):
        return new

    def told(self, old, new, z):
        return torch.cat([z[:, :1], z[:, 1:] + self.join(new)], dim=1)

    def outside(self, z):
        return self.outer(z)


@TNTBlock.mistake(
    """All pixel tokens of an image hear each other: your inner layer takes them as one long
    sentence. Who is meant to hear whom, and what is the batch?"""
)
class OneSentenceForAll(_Parts):
    def inside(self, y):
        return self.inner(y.flatten(1, 2)).view_as(y)


@TNTBlock.mistake(
    """Your inner layer lets the tokens at one place of all patches hear each other, and those of a
    patch not. Which axis is the sentence?"""
)
class BetweenPatches(_Parts):
    def inside(self, y):
        t = y.transpose(1, 2)
        return self.inner(t.flatten(0, 1)).view_as(t).transpose(1, 2)


@TNTBlock.mistake(
    """The patches are told what the pixels were *before* the inner layer. It has found something
    out: which y does `join` get?"""
)
class TellsTheOldPixels(_Parts):
    def told(self, old, new, z):
        return super().told(old, old, z)


@TNTBlock.mistake(
    """You return the pixel tokens that came in: the next block begins with the same ones again, and
    the inner layers of a model do not build on each other."""
)
class ReturnsTheOldPixels(_Parts):
    def leaves(self, old, new):
        return old


@TNTBlock.mistake(
    """You add what the pixels tell to all of z. The class token has no pixels: z has one row more
    than there are patches. Which rows are theirs?"""
)
class AddsToAllRows(_Parts):
    def told(self, old, new, z):
        return z + self.join(new)


@TNTBlock.mistake(
    """The pixels replace their patch. In the paper they are *added* to it: what the patch has heard
    from others in the blocks before is lost."""
)
class ReplacesThePatch(_Parts):
    def told(self, old, new, z):
        return torch.cat([z[:, :1], self.join(new)], dim=1)


@TNTBlock.mistake(
    """The pixels are added behind the outer layer, so what the patches tell each other does not
    know of them until the next block. In the schematic, what comes first?"""
)
class TellsAfterwards(_Parts):
    def told(self, old, new, z):
        self.found = self.join(new)
        return z

    def outside(self, z):
        z = self.outer(z)
        return torch.cat([z[:, :1], z[:, 1:] + self.found], dim=1)


@TNTBlock.mistake(
    """Each patch gets the pixels of its neighbour: the class token stands first, so patch 0 is row
    1, and the last patch of yours gets nothing. Which rows of z are patches?"""
)
class ShiftedByTheClassToken(_Parts):
    def told(self, old, new, z):
        return torch.cat([z[:, :-1] + self.join(new), z[:, -1:]], dim=1)


@TNTBlock.mistake(
    """The class token gets the mean of what the pixels tell. It has no pixels: what is added to it
    is nothing."""
)
class TellsTheClassTokenToo(_Parts):
    def told(self, old, new, z):
        found = self.join(new)
        return z + torch.cat([found.mean(dim=1, keepdim=True), found], dim=1)


@TNTBlock.mistake(
    """The class token has come behind the patches. Row 0 of z is where the head of the model will
    read."""
)
class ClassTokenBehind(_Parts):
    def told(self, old, new, z):
        return super().told(old, new, z).roll(-1, dims=1)


@TNTBlock.mistake(
    """Your pixels are added and the outer layer is never called, so patches do not hear each
    other."""
)
class WithoutTheOuterLayer(_Parts):
    def outside(self, z):
        return z


@TNTBlock.mistake(
    """The inner layer is made and not called: the pixels of a patch do not hear each other, and
    `join` is told what was embedded."""
)
class WithoutTheInnerLayer(_Parts):
    def inside(self, y):
        return y


@TNTBlock.mistake(
    """What the inner layer gives is added to the pixels once more. An EncoderLayer has its
    residuals inside: it gives the new tokens."""
)
class AddsTheInnerLayerTwice(_Parts):
    def inside(self, y):
        return y + super().inside(y)


@TNTBlock.mistake(
    """The class token does not pass the outer layer: it leaves as it came, and the patches do not
    hear it. How many tokens has z?"""
)
class ClassTokenWaits(_Parts):
    def outside(self, z):
        return torch.cat([z[:, :1], self.outer(z[:, 1:])], dim=1)


@TNTBlock.mistake("""You return z first and y second. In which order did they come in?""")
class PatchesFirst(_Parts):
    def forward(self, y, z):
        return super().forward(y, z)[::-1]
