"""Twins: positions from a convolution, as a module."""

import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.local_and_global.maps import normal


class PositionGenerator(nn.Module):
    """Positional encoding generator (PEG): a token plus what a 3 × 3 convolution says of it.

    dim  features of a token

    Its only part is named convolve: depthwise, which means that a feature of the result reads the
    same feature of nine tokens, and no other; with zeros around the map, which keep its size.
    """

    def __init__(self, dim: int):
        """Make the convolution. How many groups?"""
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, x):
        """x (B, H, W, dim)  ->  (B, H, W, dim)"""
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def maps(rng):
    for B, H, W, dim in [(1, 1, 3, 2), (2, 3, 1, 4), (2, 4, 3, 3), (1, 5, 5, 5)]:
        yield dict(arguments=dict(dim=dim), x=normal(rng, B, H, W, dim))


PositionGenerator = ModuleExercise(
    PositionGenerator,
    level=2,
    minutes=6,
    cases=maps,
    hints=(
        "One convolution and one sum. What does `groups` have to be, so that no feature reads "
        "another?",
        "`groups=dim` and `padding=1`. The convolution wants (B, dim, H, W): the features' axis "
        "travels there, and back.",
        "`self.convolve(x.permute(0, 3, 1, 2))` is (B, dim, H, W); `.permute(0, 2, 3, 1)` brings "
        "it back. Add x.",
    ),
)


class _Parts(PositionGenerator.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x):
        return self.add(x, self.last(self.convolved(self.second(x))))

    def second(self, x):
        return x.permute(0, 3, 1, 2)

    def convolved(self, image):
        return self.convolve(image)

    def last(self, image):
        return image.permute(0, 2, 3, 1)

    def add(self, x, found):
        return x + found

    def padded(self, image, mode):
        around = F.pad(image, (1, 1, 1, 1), mode)
        return F.conv2d(around, self.convolve.weight, self.convolve.bias, groups=image.shape[1])


@PositionGenerator.mistake(
    """The token itself is missing: what you return is a blur of the map. To what is the
    convolution's answer added?"""
)
class WithoutTheToken(_Parts):
    def add(self, x, found):
        return found


@PositionGenerator.mistake(
    """The map is reshaped into an image, or back: channel and place are mixed up. All shapes are
    right, and no convolution of yours sees neighbours. Which call moves an axis?"""
)
class Reshapes(_Parts):
    def second(self, x):
        B, H, W, dim = x.shape
        return x.reshape(B, dim, H, W)

    def last(self, image):
        B, dim, H, W = image.shape
        return image.reshape(B, H, W, dim)


@PositionGenerator.mistake(
    """The way there is right, and the way back is a reshape: features and places are mixed up."""
)
class ReshapesBack(_Parts):
    def last(self, image):
        B, dim, H, W = image.shape
        return image.reshape(B, H, W, dim)


@PositionGenerator.mistake(
    """Rows and columns change places on both ways: the kernel reads the map mirrored. In which
    order does a convolution want the last two axes?"""
)
class ColumnsBeforeRows(_Parts):
    def second(self, x):
        return x.permute(0, 3, 2, 1)

    def last(self, image):
        return image.permute(0, 3, 2, 1)


@PositionGenerator.mistake(
    """Beyond the border you go on at the opposite side. So no token can tell where the border is,
    and that is all the position there is. What does the task put around the map?"""
)
class AroundTheBorder(_Parts):
    def convolved(self, image):
        return self.padded(image, "circular")


@PositionGenerator.mistake(
    """Beyond the border you repeat the tokens at it. The task has zeros there: it is by them that
    a token hears of the border."""
)
class RepeatsTheBorder(_Parts):
    def convolved(self, image):
        return self.padded(image, "replicate")


@PositionGenerator.mistake(
    """There is a ReLU behind the convolution; the task has no activation."""
)
class Bends(_Parts):
    def convolved(self, image):
        return super().convolved(image).relu()


@PositionGenerator.mistake(
    """There is a GELU behind the convolution; the task has no activation."""
)
class BendsSmoothly(_Parts):
    def convolved(self, image):
        return F.gelu(super().convolved(image))


@PositionGenerator.mistake(
    """The result comes out with features second, as the convolution left it. What comes in is a map
    (B, H, W, dim), and so is what leaves."""
)
class StaysAnImage(_Parts):
    def forward(self, x):
        image = self.second(x)
        return image + self.convolved(image)


@PositionGenerator.mistake(
    """Rows and columns change places on the way back: what the convolution says of a token is added
    to another one. In which order do the axes stand after the convolution?"""
)
class ColumnsBeforeRowsOnTheWayBack(_Parts):
    def last(self, image):
        return image.permute(0, 3, 2, 1)


@PositionGenerator.mistake(
    """Nothing stands around the map: the convolution gives a smaller one, and there is no sum. What
    does the task put there?"""
)
class WithoutTheBorder(_Parts):
    def convolved(self, image):
        w, b = self.convolve.weight, self.convolve.bias
        return F.conv2d(image, w, b, groups=image.shape[1])
