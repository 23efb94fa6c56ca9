"""CSWin's positions: what stands beside a token, added to what attention gives."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise


class LePE(nn.Module):
    """Locally enhanced positional encoding: every feature of every value is replaced by a weighted
    sum of that feature over the 3 × 3 tokens around it, in its own stripe.

    dim  features of a value

    Its part is named convolve. Each feature has its own nine weights and a bias.
    """

    def __init__(self, dim: int):
        """Make the part: a depthwise convolution that keeps the size."""
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, v, rows, columns):
        """v (S, rows · columns, dim), the values of S stripes, each read row by row
        ->  the same shape; what lies beyond a stripe counts as 0"""
        pictures = v.mT.unflatten(2, (rows, columns))  # (S, dim, rows, columns)
        return self.convolve(pictures).flatten(2).mT


def sizes_and_values(rng):
    for S, rows, columns, dim in [(1, 2, 3, 2), (2, 5, 2, 3), (3, 1, 6, 4), (2, 4, 4, 2)]:
        v = torch.from_numpy(rng.normal(size=(S, rows * columns, dim)))
        yield dict(arguments=dict(dim=dim), v=v, rows=rows, columns=columns)


LePE = ModuleExercise(
    LePE,
    level=2,
    minutes=7,
    cases=sizes_and_values,
    hints=(
        "`nn.Conv2d` wants pictures, (S, dim, rows, columns). Which axis of v is the channels, and "
        "which one becomes rows and columns?",
        "A convolution in which each channel sees itself alone has as many groups as channels. "
        "With a kernel of 3 and a padding of 1 the size stays.",
        "`v.mT.unflatten(2, (rows, columns))` makes pictures of tokens, and `.flatten(2).mT` "
        "tokens of pictures.",
    ),
)


class _Pictures(LePE.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, v, rows, columns):
        return self.tokens(self.sums(self.pictures(v, rows, columns)), v)

    def pictures(self, v, rows, columns):
        return v.mT.unflatten(2, (rows, columns))

    def sums(self, pictures):
        return self.convolve(pictures)

    def tokens(self, pictures, v):
        return pictures.flatten(2).mT

    def padded(self, pictures, mode):
        pictures = F.pad(pictures, (1, 1, 1, 1), mode=mode)
        return F.conv2d(
            pictures, self.convolve.weight, self.convolve.bias, groups=len(self.convolve.weight)
        )


@LePE.mistake(
    """Your pictures are made by a reshape alone, which moves no number: a channel of yours holds
    different features of neighbouring tokens. In v the features of a token lie beside each other;
    which two axes change places first?"""
)
class ReshapesAlone(_Pictures):
    def pictures(self, v, rows, columns):
        return v.reshape(len(v), -1, rows, columns)


@LePE.mistake(
    """The way back is a reshape alone: tokens of yours hold one feature of several places. The
    way in swapped tokens and features; what undoes that?"""
)
class ReshapesBack(_Pictures):
    def tokens(self, pictures, v):
        return pictures.reshape(v.shape)


@LePE.mistake(
    """You make pictures by a reshape alone, and tokens of them by another. A reshape moves no
    number: what your convolution takes for neighbours are features of one token. In v the
    features of a token lie beside each other; which two axes change places first?"""
)
class ReshapesBothWays(ReshapesAlone):
    def tokens(self, pictures, v):
        return pictures.reshape(v.shape)


@LePE.mistake(
    """Rows and columns have changed places: you lay the stripe down as columns × rows, and the
    token below another is no longer its neighbour. Which number does `unflatten` want first, if a
    stripe is read row by row?"""
)
class Turned(_Pictures):
    def pictures(self, v, rows, columns):
        return v.mT.unflatten(2, (columns, rows))


@LePE.mistake(
    """You add the values themselves. The sum of nine has the token's own value in its middle
    already, with a learned weight; what is asked for is that sum alone."""
)
class AddsTheValues(_Pictures):
    def forward(self, v, rows, columns):
        return v + super().forward(v, rows, columns)


@LePE.mistake(
    """Beyond the border you repeat the last row and column. A stripe ends there: what should its
    rim count as?"""
)
class RepeatsTheRim(_Pictures):
    def sums(self, pictures):
        return self.padded(pictures, "replicate")


@LePE.mistake(
    """Your pictures wrap around: the first column is a neighbour of the last. What should lie
    beyond the border of a stripe?"""
)
class WrapsAround(_Pictures):
    def sums(self, pictures):
        return self.padded(pictures, "circular")


@LePE.mistake(
    """Your picture has shrunk by a row and a column on each side: nothing is put around it. Which
    argument of the convolution keeps the size?"""
)
class Shrinks(_Pictures):
    def sums(self, pictures):
        c = self.convolve
        pictures = F.pad(pictures, (1, 1, 1, 1))[:, :, 1:-1, 1:-1]
        return F.conv2d(pictures, c.weight, c.bias, groups=len(c.weight))


@LePE.mistake(
    """All stripes of yours lie side by side in one picture, and the rim of a stripe sees the next
    one. Which axis should the convolution take for the batch?"""
)
class OneLongPicture(_Pictures):
    def sums(self, pictures):
        S = len(pictures)
        long = torch.cat(list(pictures), dim=-1)[None]  # (1, dim, rows, S · columns)
        return torch.cat(self.convolve(long).chunk(S, dim=-1))


@LePE.mistake(
    """You return pictures, (S, dim, rows, columns). What is added to attention's output must have
    the shape of v."""
)
class ReturnsPictures(_Pictures):
    def tokens(self, pictures, v):
        return pictures


@LePE.mistake(
    """Your pictures have their features last, (S, rows, columns, dim), and the convolution takes
    rows for its channels. PyTorch wants channels as axis 1: what has to move?"""
)
class ChannelsLast(_Pictures):
    def forward(self, v, rows, columns):
        return self.convolve(v.unflatten(1, (rows, columns))).flatten(1, 2)


@LePE.mistake(
    """Your tokens have their places last, (S, dim, rows · columns). Which two axes change places
    on the way back?"""
)
class PlacesLast(_Pictures):
    def tokens(self, pictures, v):
        return pictures.flatten(2)


@LePE.mistake(
    """Your stripes are read column by column. The task's are read row by row: which axis moves
    fastest along the tokens?"""
)
class ReadsDownTheColumns(_Pictures):
    def pictures(self, v, rows, columns):
        return v.mT.unflatten(2, (columns, rows)).mT

    def tokens(self, pictures, v):
        return pictures.mT.flatten(2).mT


@LePE.mistake(
    """All stripes of yours lie one below the other in one picture, and the rim of a stripe sees the
    next one. Which axis should the convolution take for the batch?"""
)
class OneTallPicture(_Pictures):
    def sums(self, pictures):
        S = len(pictures)
        tall = torch.cat(list(pictures), dim=-2)[None]  # (1, dim, S · rows, columns)
        return torch.cat(self.convolve(tall).chunk(S, dim=-2))


@LePE.mistake(
    """Something bends your sums: an activation follows the convolution. A weighted sum is all that
    the task asks for."""
)
class BendsTheSums(_Pictures):
    def sums(self, pictures):
        return F.gelu(self.convolve(pictures))


@LePE.mistake(
    """The bias is missing from your sums, or has been taken out again. What belongs to each feature
    besides its nine weights?"""
)
class WithoutTheBias(_Pictures):
    def sums(self, pictures):
        return F.conv2d(pictures, self.convolve.weight, padding=1, groups=pictures.shape[1])
