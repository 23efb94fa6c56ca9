"""A soft split as a module."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise


class SoftSplit(nn.Module):
    """Images to tokens: windows of k × k pixels, s apart, with p zeros around the image. It has no
    weights.

    k, s, p  side of a window, stride, padding, all in pixels
    """

    def __init__(self, k: int, s: int, p: int):
        """Keep what `forward` needs."""
        super().__init__()
        self.k, self.s, self.p = k, s, p

    def forward(self, images):
        """images (B, C, H, W)  ->  tokens (B, n, C · k · k), windows row by row, the features of a
        window in the order channel, row, column. Raises ValueError for a single image (C, H, W)."""
        if images.ndim != 4:
            raise ValueError(f"images are {tuple(images.shape)}, expected (B, C, H, W)")
        return F.unfold(images, self.k, padding=self.p, stride=self.s).mT


def windows_and_images(rng):
    for k, s, p, *shape in [
        (3, 2, 1, 1, 1, 4, 6),
        (2, 1, 0, 2, 3, 4, 3),
        (4, 3, 2, 3, 2, 6, 5),
        (5, 2, 1, 2, 3, 7, 4),
        (2, 2, 0, 2, 2, 4, 6),
    ]:
        images = torch.from_numpy(rng.normal(size=shape)).float()
        yield dict(arguments=dict(k=k, s=s, p=p), images=images)
    single = torch.from_numpy(rng.normal(size=(3, 4, 6))).float()
    yield dict(arguments=dict(k=2, s=1, p=0), images=single)


SoftSplit = ModuleExercise(
    SoftSplit,
    level=2,
    minutes=6,
    cases=windows_and_images,
    hints=(
        "`F.unfold` cuts; look at the shape that it gives and at the one that is asked for.",
        "`F.unfold(images, k, dilation, padding, stride)`: name what you pass. It gives the tokens "
        "last, (B, C · k · k, n); which two axes change places?",
        "`F.unfold(images, self.k, padding=self.p, stride=self.s).mT`, behind a look at "
        "`images.ndim`.",
    ),
)


class _Cut(SoftSplit.reference):
    """The reference with another way to cut images (B, C, H, W)."""

    def forward(self, images):
        if images.ndim != 4:
            raise ValueError("expected (B, C, H, W)")
        return self.cut(images)

    def cut(self, images):
        return F.unfold(images, self.k, padding=self.p, stride=self.s).mT


@SoftSplit.mistake(
    """Tokens come last in yours, (B, C · k · k, n), as `F.unfold` gives them. Which axis of the
    tokens should be the second?"""
)
class TokensLast(_Cut):
    def cut(self, images):
        return super().cut(images).mT


@SoftSplit.mistake(
    """You reshape where two axes should change places: each of your tokens is a row of numbers from
    many windows. Does a reshape ever move a number?"""
)
class Reshapes(_Cut):
    def cut(self, images):
        columns = super().cut(images).mT
        return columns.reshape(columns.shape[0], columns.shape[2], columns.shape[1])


@SoftSplit.mistake(
    """The stride does not reach `F.unfold`, which then steps from pixel to pixel: there are far too
    many tokens. How is the stride passed?"""
)
class StepsByOne(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k, padding=self.p).mT


@SoftSplit.mistake(
    """The padding does not reach `F.unfold`: the windows that hang over the border are missing. How
    is the padding passed?"""
)
class WithoutPadding(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k, stride=self.s).mT


@SoftSplit.mistake(
    """Neither stride nor padding reach `F.unfold`, which takes 1 and 0. How are they passed?"""
)
class WindowAlone(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k).mT


@SoftSplit.mistake(
    """Your windows lie side by side: the stride is k, which is ViT's hard split. By how many pixels
    should a window move?"""
)
class HardSplit(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k, padding=self.p, stride=self.k).mT


@SoftSplit.mistake(
    """You pass k, s and p by their places, and the third argument of `F.unfold` is the dilation:
    your windows have holes. What are its arguments called?"""
)
class ByPlace(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k, self.s, self.p).mT


@SoftSplit.mistake(
    """Window and stride are exchanged: which of the two is the size of what is cut out?"""
)
class WindowForStride(_Cut):
    def cut(self, images):
        return F.unfold(images, self.s, padding=self.p, stride=self.k).mT


@SoftSplit.mistake("""Padding and stride are exchanged. Which of the two may be zero?""")
class PaddingForStride(_Cut):
    def cut(self, images):
        return F.unfold(images, self.k, padding=self.s, stride=self.p).mT


@SoftSplit.mistake(
    """The features of your tokens go pixel by pixel, as in our NumPy. PyTorch's order, and that of
    published weights, is channel, row, column. Right for grey images. Which of them varies
    slowest?"""
)
class PixelByPixel(_Cut):
    def cut(self, images):
        return super().cut(images).unflatten(-1, (images.shape[1], -1)).mT.flatten(-2)


@SoftSplit.mistake(
    """A single image (C, H, W) gives tokens without a batch, and nobody is told: the error comes
    much later and speaks of something else. What does the task want to happen?"""
)
class TakesASingleImage(_Cut):
    def forward(self, images):
        return self.cut(images)


@SoftSplit.mistake(
    """Your windows are numbered column by column: height and width have changed places on the way.
    Which window comes after the first?"""
)
class ColumnByColumn(_Cut):
    def cut(self, images):
        k = self.k
        windows = super().cut(images.mT).unflatten(-1, (images.shape[1], k, k))
        return windows.mT.flatten(-3)


@SoftSplit.mistake(
    """You pad by repeating the border. The task wants zeros around the image, as `F.unfold` puts
    them there by itself: how is it told of p?"""
)
class RepeatsTheBorder(_Cut):
    def cut(self, images):
        padded = F.pad(images, 4 * (self.p,), mode="replicate")
        return F.unfold(padded, self.k, stride=self.s).mT
