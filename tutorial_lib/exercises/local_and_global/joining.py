"""From the pixels of a patch to the patch, as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise


class PixelsToPatch(nn.Module):
    """What a patch learns from its pixel tokens: LN(FC(LN(vec(Y)))).

    pixels     pixel tokens in a patch; inner_dim  features of each
    dim        features of a patch

    Its parts are named norm_in, norm_out (LayerNorms) and project (a linear map with a bias). vec
    puts the features of a patch's pixel tokens side by side, those of token 0 first.
    """

    def __init__(self, pixels: int, inner_dim: int, dim: int):
        """Make the parts."""
        super().__init__()
        self.norm_in = nn.LayerNorm(pixels * inner_dim)
        self.project = nn.Linear(pixels * inner_dim, dim)
        self.norm_out = nn.LayerNorm(dim)

    def forward(self, y):
        """y (B, n, pixels, inner_dim)  ->  (B, n, dim)"""
        return self.norm_out(self.project(self.norm_in(y.flatten(2))))


def sizes_and_pixels(rng):
    for B, n, pixels, inner_dim, dim in [(1, 2, 3, 2, 4), (2, 4, 4, 3, 5), (2, 3, 1, 4, 4),
                                         (3, 1, 2, 5, 6), (2, 3, 4, 4, 8)]:  # fmt: skip
        y = torch.from_numpy(rng.normal(size=(B, n, pixels, inner_dim)))
        arguments = dict(pixels=pixels, inner_dim=inner_dim, dim=dim)
        yield dict(arguments=arguments, y=y)


PixelsToPatch = ModuleExercise(
    PixelsToPatch,
    level=1,
    minutes=6,
    cases=sizes_and_pixels,
    hints=(
        "Read the formula from the inside: vec, then a norm, then the map, then a norm. How long "
        "is the vector in front of each norm?",
        "vec makes one long row of each patch's tokens and leaves B and n alone: which two axes "
        "become one?",
        "`y.flatten(2)` is (B, n, pixels · inner_dim). The first norm has that width, the second "
        "one dim.",
    ),
)


class _Parts(PixelsToPatch.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, y):
        return self.after(self.project(self.before(self.vec(y))))

    def vec(self, y):
        return y.flatten(2)

    def before(self, v):
        return self.norm_in(v)

    def after(self, t):
        return self.norm_out(t)


@PixelsToPatch.mistake(
    """Feature 0 of all pixel tokens stands first in your vector, then feature 1. It would learn as
    well, and no weights of others fit it. Which axis varies faster in the task?"""
)
class FeaturesFirst(_Parts):
    def vec(self, y):
        return y.mT.flatten(2)


@PixelsToPatch.mistake(
    """Patches and pixel tokens have changed places before you made the rows: each patch is told of
    pixels of other patches. Which axis has to stay where it is?"""
)
class MixesPatches(_Parts):
    def vec(self, y):
        return y.transpose(1, 2).reshape(*y.shape[:2], -1)


@PixelsToPatch.mistake(
    """The first norm is made and not called. Which number does a loud patch get, and which a quiet
    one?"""
)
class WithoutTheFirstNorm(_Parts):
    def before(self, v):
        return v


@PixelsToPatch.mistake(
    """The last norm is made and not called: how loud the pixels are may drown the patch that they
    are added to."""
)
class WithoutTheLastNorm(_Parts):
    def after(self, t):
        return t


@PixelsToPatch.mistake(
    """You normalise each pixel token by itself, and the task the whole vector of a patch: how loud
    a pixel is beside its neighbours would be lost. Over how many numbers does the norm run?"""
)
class NormOfEachToken(_Parts):
    def before(self, v):
        tokens = v.unflatten(-1, (self.norm_in.normalized_shape[0] // self.width, self.width))
        scaled = nn.functional.layer_norm(tokens, tokens.shape[-1:]).flatten(2)
        return scaled * self.norm_in.weight + self.norm_in.bias

    def vec(self, y):
        self.width = y.shape[-1]
        return y.flatten(2)


@PixelsToPatch.mistake(
    """A GELU has come between the map and the norm. The formula has none: what bends is inside the
    inner layer already."""
)
class WithAGelu(_Parts):
    def after(self, t):
        return self.norm_out(nn.functional.gelu(t))


@PixelsToPatch.mistake(
    """Your first norm runs over all patches of an image together: how loud one patch is changes
    what the others become. Over which numbers does a LayerNorm of this width run?"""
)
class NormOfTheImage(_Parts):
    def before(self, v):
        scaled = nn.functional.layer_norm(v, v.shape[1:])
        return scaled * self.norm_in.weight + self.norm_in.bias
