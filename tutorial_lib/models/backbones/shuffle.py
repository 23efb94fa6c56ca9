"""Shuffle Transformer: windows of neighbours and windows of far tokens, in turns.

Taught in chapter 08. Huang et al., Shuffle Transformer: Rethinking Spatial Shuffle for Vision
Transformer (2106.03650). Its norms are BatchNorm, its bend is ReLU6, as in networks for phones. In
the paper's code queries, keys and values have no bias; ours may learn one.
"""

import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.transformer import FeedForward
from tutorial_lib.layers.windows import WindowAttention, gather, spread
from tutorial_lib.models.backbones.pyramid import Pyramid


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm of tokens (B, H, W, dim)."""

    def forward(self, x):
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


class NeighbourWindows(nn.Conv2d):
    """The neighbour-window connection: a depthwise convolution as large as a window, which reaches
    into the windows beside one's own. dim features; window tokens, its side, odd."""

    def __init__(self, dim: int, window: int):
        if window % 2 == 0:
            raise ValueError(
                f"a window of {window}: expected an odd number, whose middle is a token"
            )
        super().__init__(dim, dim, window, padding=window // 2, groups=dim, bias=False)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H, W, dim)"""
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


class ShuffleBlock(nn.Module):
    """Attention in windows, a connection to the neighbour windows, a feed-forward network.

    dim, heads, hidden  as in EncoderLayer; window  tokens, its side, odd
    shuffled            whether the tokens of a window come from all over the grid
    connected           False leaves the neighbour-window connection out, a control
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        window: int,
        shuffled: bool,
        connected: bool = True,
    ):
        super().__init__()
        self.window, self.shuffled = window, shuffled
        self.attention = WindowAttention(dim, heads, window, window)
        self.neighbours = NeighbourWindows(dim, window) if connected else None
        self.feed_forward = FeedForward(dim, hidden, F.relu6)
        self.attention_norm, self.neighbours_norm, self.feed_forward_norm = (
            BatchNorm(dim) if used else None for used in (True, connected, True)
        )

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H, W, dim)"""
        x = x + self.mix(self.attention_norm(x))
        if self.neighbours is not None:
            x = x + self.neighbours(self.neighbours_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))

    def mix(self, x):
        """Attention, of shuffled tokens or of neighbours: (B, H, W, dim)  ->  (B, H, W, dim)"""
        if not self.shuffled:
            return self.attention(x)
        x = self.attention(spread(x, self.window, self.window))
        return gather(x, self.window, self.window)


class ConvStem(nn.Sequential):
    """Two convolutions of 3 × 3 and a map of each token.

    channels, hidden, dim  features before, between and after
    patch                  pixels from one token to the next: 4 if both convolutions have stride 2,
                           as in the paper; 2 if only the first one has it
    """

    def __init__(self, channels: int, hidden: int, dim: int, patch: int):
        if patch not in (2, 4):
            raise ValueError(f"patch {patch}: expected 2 or 4 pixels")
        super().__init__(
            nn.Conv2d(channels, hidden, 3, 2, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, dim, 3, patch // 2, 1),
            nn.BatchNorm2d(dim),
            nn.ReLU6(),
            nn.Conv2d(dim, dim, 1),
        )

    def forward(self, images):
        """(B, channels, H, W)  ->  (B, H / patch, W / patch, dim)"""
        return super().forward(images).movedim(1, -1)


class NormedMerging(nn.Module):
    """Half the rows and columns, twice the features: BatchNorm and a convolution of 2 × 2 with
    stride 2. dim  features of a token that enters."""

    def __init__(self, dim: int):
        super().__init__()
        self.norm = BatchNorm(dim)
        self.reduce = nn.Conv2d(dim, 2 * dim, 2, 2, bias=False)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H / 2, W / 2, 2 · dim)"""
        return self.reduce(self.norm(x).movedim(-1, 1)).movedim(1, -1)


class Shuffle(Pyramid):
    """Stages of blocks in windows; every second one shuffles.

    patch              pixels from one token to the next, 2 or 4; each sees more than its own
    window             tokens, its side, in all stages, odd
    channels, classes  of the image; how many there are to choose from
    dim                features of a token in the first stage, doubled by every merge
    depths, heads      blocks and heads of each stage: (2, 2, 6, 2) and (3, 6, 12, 24) in Shuffle-T
    shuffled           False is a control: no block shuffles
    connected          False leaves the neighbour-window connections out
    """

    def __init__(
        self,
        patch: int,
        window: int,
        channels: int,
        classes: int,
        dim: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        shuffled: bool = True,
        connected: bool = True,
    ):
        if len(depths) != len(heads):
            raise ValueError(f"depths of {len(depths)} stages, heads of {len(heads)}")
        dims = [dim * 2**i for i in range(len(depths))]
        stages = [
            [
                ShuffleBlock(d, h, 4 * d, window, shuffled and i % 2 == 1, connected)
                for i in range(depth)
            ]
            for d, h, depth in zip(dims, heads, depths)
        ]
        merges = [NormedMerging(d) for d in dims[:-1]]
        embed = ConvStem(channels, max(dim // 3, 1), dim, patch)  # 32 of 96 in the paper's code
        super().__init__(embed, stages, merges, nn.Identity(), nn.Linear(dims[-1], classes))
