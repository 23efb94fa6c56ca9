"""CSWin Transformer: half of the heads look along columns, half along rows. Taught in chapter 08.

Dong et al., CSWin Transformer: A General Vision Transformer Backbone with Cross-Shaped Windows
(CVPR 2022, 2107.00652). There is no dropout and no stochastic depth.
"""

import torch
from torch import nn

from tutorial_lib.layers.multi_head_attention import fused_attention, merge_heads, split_heads
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import window_partition, window_reverse
from tutorial_lib.models.backbones.pyramid import ConvEmbedding, ConvMerging, Pyramid


class CrossShapedAttention(nn.Module):
    """Attention in stripes: the first half of the heads in upright ones, which are as high as the
    grid, the second half in level ones.

    dim, heads  as in MultiHeadAttention, heads even; width  tokens, of a stripe

    Where a token stands is said by LePE, locally enhanced positional encoding: a depthwise
    convolution of 3 × 3 over the values of a stripe, added to what attention gives.
    """

    def __init__(self, dim: int, heads: int, width: int):
        super().__init__()
        if heads < 2 or heads % 2 or dim % heads:
            raise ValueError(
                f"{dim} features among {heads} heads: expected an even number of heads that "
                "divides the features"
            )
        self.heads, self.width, half = heads, width, dim // 2
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
        self.upright_lepe = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.level_lepe = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x):
        """x (B, H, W, dim), H and W multiples of the stripes' width  ->  (B, H, W, dim)"""
        height, width = x.shape[1:3]
        halves = (to(x).chunk(2, dim=-1) for to in (self.to_q, self.to_k, self.to_v))
        upright, level = zip(*halves)  # q, k, v (B, H, W, dim / 2) of each half
        upright = self.in_stripes(*upright, self.upright_lepe, height, self.width)
        level = self.in_stripes(*level, self.level_lepe, self.width, width)
        return self.to_out(torch.cat([upright, level], dim=-1))

    def in_stripes(self, q, k, v, lepe, rows, columns):
        """q, k, v (B, H, W, dim / 2), stripes of rows × columns  ->  (B, H, W, dim / 2)"""
        batch, *grid = q.shape[:3]
        q, k, v = (window_partition(t, rows, columns).flatten(0, 1) for t in (q, k, v))
        z = merge_heads(fused_attention(*(split_heads(t, self.heads // 2) for t in (q, k, v))))
        pictures = v.unflatten(1, (rows, columns)).movedim(-1, 1)  # (B · stripes, dim / 2, …)
        z = z + lepe(pictures).flatten(2).mT  # zeros around each stripe, not what is beyond it
        return window_reverse(z.unflatten(0, (batch, -1)), rows, columns, *grid)


class CSWinBlock(nn.Module):
    """Cross-shaped attention, then a feed-forward network. dim, heads, hidden as in EncoderLayer,
    width of a stripe in tokens."""

    def __init__(self, dim: int, heads: int, hidden: int, width: int):
        super().__init__()
        self.attention = CrossShapedAttention(dim, heads, width)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H, W, dim)"""
        x = self.around_attention(x, self.attention)
        return self.around_feed_forward(x, self.feed_forward)


class CSWin(Pyramid):
    """Stages of blocks whose stripes become wider as the grid becomes coarser.

    patch              pixels from one token to the next; each sees a square of 2 · patch − 1
    channels, classes  of the image; how many there are to choose from
    dim                features of a token in the first stage, doubled by every merge
    depths, heads      blocks and heads of each stage: (1, 2, 21, 1) and (2, 4, 8, 16) in CSWin-T
    widths             tokens, of the stripes of each stage: (1, 2, 7, 7) in the paper. A stripe as
                       wide as the grid is the grid, as in the paper's last stage.
    """

    def __init__(
        self,
        patch: int,
        channels: int,
        classes: int,
        dim: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        widths: tuple[int, ...],
    ):
        if not len(depths) == len(heads) == len(widths):
            raise ValueError(
                f"depths of {len(depths)} stages, heads of {len(heads)}, widths of {len(widths)}"
            )
        dims = [dim * 2**i for i in range(len(depths))]
        stages = [
            [CSWinBlock(d, h, 4 * d, width) for _ in range(depth)]
            for d, h, width, depth in zip(dims, heads, widths, depths)
        ]
        merges = [ConvMerging(d, 2 * d) for d in dims[:-1]]
        embed = ConvEmbedding(channels, dim, 2 * patch - 1, patch, patch // 2)
        super().__init__(
            embed, stages, merges, nn.LayerNorm(dims[-1]), nn.Linear(dims[-1], classes)
        )
