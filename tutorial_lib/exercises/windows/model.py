"""A whole Swin as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.windows.block import SwinBlock as block_exercise
from tutorial_lib.layers.windows import PatchMerging

SwinBlock = block_exercise.reference


class Swin(nn.Module):
    """Patches, stages of blocks with a merge between every two, the mean token, a head.

    channels, classes  of the images; how many there are to choose from
    patch, window      sides of a patch, in pixels, and of a window, in tokens
    dim                features of a token in the first stage, doubled by every merge
    depths, heads      lists: blocks and heads of each stage

    Its parts are embed (a convolution whose kernel and stride are the patch), embed_norm (a
    LayerNorm), stages (a list of lists of `SwinBlock`), merges (a list of `PatchMerging(features)`,
    one fewer), norm (a LayerNorm) and head (a linear map). Every second block of a stage, from the
    second one on, is moved by half a window, rounded down; the feed-forward networks have a hidden
    size of four times their tokens' features.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        patch: int,
        window: int,
        dim: int,
        depths: list,
        heads: list,
    ):
        """Make the parts. How many features has a token in stage i?"""
        super().__init__()
        self.embed = nn.Conv2d(channels, dim, patch, patch)
        self.embed_norm = nn.LayerNorm(dim)
        dims = [dim * 2**i for i in range(len(depths))]
        self.stages = nn.ModuleList(
            nn.ModuleList(
                SwinBlock(d, h, 4 * d, window, window // 2 * (i % 2)) for i in range(depth)
            )
            for d, h, depth in zip(dims, heads, depths)
        )
        self.merges = nn.ModuleList(PatchMerging(d) for d in dims[:-1])
        self.norm = nn.LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes), of the mean of the last tokens
        after their norm"""
        x = self.embed_norm(self.embed(images).movedim(1, -1))  # (B, rows, columns, dim)
        for i, stage in enumerate(self.stages):
            if i > 0:
                x = self.merges[i - 1](x)
            for block in stage:
                x = block(x)
        return self.head(self.norm(x).mean(dim=(1, 2)))


def sizes_and_images(rng):
    for B, channels, H, W, classes, patch, window, dim, depths, heads in [
        (1, 1, 4, 8, 2, 2, 2, 4, [1], [1]),
        (2, 2, 8, 16, 3, 1, 2, 4, [1, 1, 1], [1, 2, 4]),
        (1, 1, 8, 8, 4, 1, 4, 4, [3], [2]),
        (3, 3, 12, 18, 5, 2, 3, 4, [2], [2]),
    ]:
        arguments = dict(
            channels=channels, classes=classes, patch=patch, window=window, dim=dim, depths=depths,
            heads=heads,
        )  # fmt: skip
        images = torch.from_numpy(rng.normal(size=(B, channels, H, W)))
        yield dict(arguments=arguments, images=images)


Swin = ModuleExercise(
    Swin,
    level=3,
    minutes=10,
    cases=sizes_and_images,
    hints=(
        "Write down the features of each stage first, [dim, 2 dim, 4 dim, ...]. Everything else in "
        "`__init__` is made from that list.",
        "A convolution gives (B, dim, rows, columns); the blocks want the features last: "
        "`movedim(1, -1)`. There is one merge less than there are stages: before which stage is "
        "none?",
        "Blocks: `SwinBlock(d, h, 4 * d, window, window // 2 if i % 2 else 0)`, lists in "
        "`nn.ModuleList`. In `forward`: embed, norm, then for each stage its merge (not for the "
        "first) and its blocks, then `self.head(self.norm(x).mean(dim=(1, 2)))`.",
    ),
)


class _Steps(Swin.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        x = self.tokens(images)
        for i, stage in enumerate(self.stages):
            x = self.through(stage, self.merged(x, i))
        return self.read(x)

    def tokens(self, images):
        return self.embed_norm(self.embed(images).movedim(1, -1))

    def merged(self, x, i):
        return self.merges[i - 1](x) if i else x

    def through(self, stage, x):
        for block in stage:
            x = block(x)
        return x

    def read(self, x):
        return self.head(self.norm(x).mean(dim=(1, 2)))


def _with_shifts(shift_of):
    """A Swin whose blocks are moved by shift_of(window, number of the block)."""

    class Moved(_Steps):
        def __init__(self, channels, classes, patch, window, dim, depths, heads):
            super().__init__(channels, classes, patch, window, dim, depths, heads)
            for stage in self.stages:
                for i, block in enumerate(stage):
                    block.shift = shift_of(window, i)

    return Moved


@Swin.mistake(
    """No block is moved: nothing ever leaves its window but by a merge. Which blocks should be?"""
)
class NoShifts(_with_shifts(lambda window, i: 0)):
    pass


@Swin.mistake(
    """Every block of yours is moved. Two moved blocks after each other have the same windows: who
    sits in the next one then never meets you either."""
)
class AllShifted(_with_shifts(lambda window, i: window // 2)):
    pass


@Swin.mistake(
    """The first block is moved and the second is not; the task begins with one that is not. Which
    remainder of i do the moved ones have?"""
)
class ShiftsTheFirst(_with_shifts(lambda window, i: window // 2 * (1 - i % 2))):
    pass


@Swin.mistake(
    """Height and width are exchanged: the features have been brought to the end by `.mT` or
    `.permute(0, 3, 2, 1)`. On a square grid the image is mirrored. Which axis moves, and which two
    keep their order?"""
)
class Mirrored(_Steps):
    def tokens(self, images):
        return super().tokens(images).transpose(1, 2)


@Swin.mistake(
    """The features are brought to the end by a reshape, which moves no number: a token is now a mix
    of many places. Which axis has to move?"""
)
class ReshapesTheFeatures(_Steps):
    def tokens(self, images):
        x = self.embed(images)
        B, D, H, W = x.shape
        return self.embed_norm(x.reshape(B, H, W, D))


@Swin.mistake("""The first norm is missing: what stands behind the convolution?""")
class WithoutTheFirstNorm(_Steps):
    def tokens(self, images):
        return self.embed(images).movedim(1, -1)


@Swin.mistake(
    """The last norm is missing. The blocks are Pre-LN: what they add up has passed no norm yet when
    it reaches the head."""
)
class WithoutTheLastNorm(_Steps):
    def read(self, x):
        return self.head(x.mean(dim=(1, 2)))


@Swin.mistake(
    """You take the mean first and the norm after it. The task asks for the mean of normalised
    tokens: which of the two does each token pass by itself?"""
)
class MeanBeforeTheNorm(_Steps):
    def read(self, x):
        return self.head(self.norm(x.mean(dim=(1, 2))))


@Swin.mistake(
    """You read one token, the upper left one. There is no class token here: what does the task read
    instead?"""
)
class ReadsOneToken(_Steps):
    def read(self, x):
        return self.head(self.norm(x)[:, 0, 0])


@Swin.mistake(
    """You add the tokens up instead of taking their mean: the logits grow with the image."""
)
class AddsTheTokensUp(_Steps):
    def read(self, x):
        return self.head(self.norm(x).sum(dim=(1, 2)))


@Swin.mistake(
    """You end in a softmax. The loss, `F.cross_entropy`, takes logits and does that itself: of
    probabilities it would take the softmax once more."""
)
class ReturnsProbabilities(_Steps):
    def read(self, x):
        return super().read(x).softmax(dim=-1)


@Swin.mistake(
    """Right with one block: only the first block of a stage is used, again and again. Each has
    weights of its own."""
)
class UsesOneBlock(_Steps):
    def through(self, stage, x):
        for _ in stage:
            x = stage[0](x)
        return x


@Swin.mistake(
    """Your blocks move by one token. Half a window, rounded down, is that only if its side is 2
    or 3."""
)
class ShiftsByOne(_with_shifts(lambda window, i: i % 2)):
    pass


@Swin.mistake("""Half a window is rounded up in yours. The task rounds it down.""")
class RoundsUp(_with_shifts(lambda window, i: (window + 1) // 2 * (i % 2))):
    pass


@Swin.mistake(
    """You count blocks through all stages: after a stage with an odd number of blocks, the next
    one begins moved. The task counts anew in each stage."""
)
class CountsThrough(_Steps):
    def __init__(self, channels, classes, patch, window, dim, depths, heads):
        super().__init__(channels, classes, patch, window, dim, depths, heads)
        for i, block in enumerate(block for stage in self.stages for block in stage):
            block.shift = window // 2 * (i % 2)


@Swin.mistake(
    """Your patches overlap: the convolution moves on by one pixel, and there are far too many
    tokens. Which argument says how far a kernel moves?"""
)
class OverlappingPatches(_Steps):
    def __init__(self, channels, classes, patch, window, dim, depths, heads):
        super().__init__(channels, classes, patch, window, dim, depths, heads)
        self.embed.stride = (1, 1)
