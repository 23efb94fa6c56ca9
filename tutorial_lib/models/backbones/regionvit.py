"""RegionViT: a regional token speaks for the local tokens of its region. Taught in chapter 07.

Chen, Panda, Fan, RegionViT: Regional-to-Local Attention for Vision Transformers (ICLR 2022,
2106.02689), section 3.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.positions import RelativeBias
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import window_partition, window_reverse

EPS = 1e-6  # of the norms in and after the layers; those between stages have 1e-5


class RegionalToLocal(nn.Module):
    """R2L attention and a feed-forward network.

    First the regional tokens attend to each other. Then each of them and the local tokens of its
    region attend to one another, the local ones with a bias for their offset. Both attentions have
    the same weights.

    dim, heads, hidden  as in EncoderLayer; window  local tokens, the side of a region
    """

    def __init__(self, dim: int, heads: int, hidden: int, window: int):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.relative = RelativeBias(window, window, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_regional = Residual(dim, norm_first=True, eps=EPS)
        self.around_local = Residual(dim, norm_first=True, eps=EPS)
        self.around_feed_forward = Residual(dim, norm_first=True, eps=EPS)

    def forward(self, regional, local):
        """regional (B, n, dim), one for each region; local (B, n, window², dim)  ->  the same"""
        regional = self.around_regional(regional, self.attention)
        x = torch.cat([regional.unsqueeze(2), local], dim=2)  # (B, n, 1 + window², dim)
        bias = F.pad(self.relative(), (1, 0, 1, 0))  # none for the regional token
        regions = x.flatten(0, 1)
        regions = self.around_local(regions, lambda y: self.attention(y, score_bias=bias))
        x = self.around_feed_forward(regions, self.feed_forward).view_as(x)
        return x[:, :, 0], x[:, :, 1:]


class Shrink(nn.Module):
    """Maps of half the side and more features: each output reads one input channel, 3 × 3, after a
    norm and a GELU. dim_out is a multiple of dim (or ValueError)."""

    def __init__(self, dim: int, dim_out: int):
        super().__init__()
        if dim_out % dim:
            raise ValueError(f"{dim_out} features are no multiple of the {dim} before them")
        self.norm = nn.LayerNorm(dim)
        self.convolve = nn.Conv2d(dim, dim_out, 3, stride=2, padding=1, groups=dim)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, ⌈H / 2⌉, ⌈W / 2⌉, dim_out)"""
        x = F.gelu(self.norm(x)).permute(0, 3, 1, 2)
        return self.convolve(x).permute(0, 2, 3, 1)


class RegionViT(nn.Module):
    """Two maps of tokens, regional and local, through stages of R2L layers; the mean of the
    regional tokens is classified.

    channels, classes  of the images; how many there are to choose from
    patch    pixels from one local token to the next, at least 2; a token sees 2 · patch pixels a
             side, and a regional one window · patch, its region
    window   local tokens, the side of a region, in all stages
    dims, depths, heads  a number for each stage; each of dims a multiple of the one before
    ratio    features between the maps of a feed-forward network, for one of a token

    RegionViT-B is (3, 1000, patch=4, window=7, dims=(128, 256, 512, 1024), depths=(2, 2, 14, 2),
    heads=(4, 8, 16, 32)) for 224 × 224 pixels. The smaller published ones cut local tokens with
    three 3 × 3 convolutions.
    """

    def __init__(self, channels, classes, patch, window, dims, depths, heads, ratio=4):
        super().__init__()
        if patch < 2:
            raise ValueError(f"patch is {patch}, expected 2 pixels or more")
        if not len(dims) == len(depths) == len(heads):
            lengths = [len(x) for x in (dims, depths, heads)]
            raise ValueError(f"dims, depths and heads speak of {lengths} stages")
        self.window = window
        self.embed_local = nn.Conv2d(channels, dims[0], 2 * patch, patch, padding=patch - 1)
        self.embed_regional = PatchEmbedding(channels, patch * window, dims[0])
        self.shrink = nn.ModuleList(Shrink(a, b) for a, b in zip(dims, dims[1:]))
        self.stages = nn.ModuleList(
            nn.ModuleList(RegionalToLocal(dim, n, ratio * dim, window) for _ in range(depth))
            for dim, depth, n in zip(dims, depths, heads)
        )
        self.norm = nn.LayerNorm(dims[-1], EPS)
        self.head = nn.Linear(dims[-1], classes)

    def forward(self, images):
        """images (B, channels, H, W), H and W multiples of patch · window · 2^(stages − 1)
        ->  logits (B, classes)"""
        regional = self.embed_regional(images).unflatten(1, self.embed_regional.grid(images))
        local = self.embed_local(images).permute(0, 2, 3, 1)  # (B, H / patch, W / patch, dim)
        for i, stage in enumerate(self.stages):
            if i:
                regional, local = self.shrink[i - 1](regional), self.shrink[i - 1](local)
            regional, local = self.run_stage(stage, regional, local)
        return self.head(self.norm(regional).mean(dim=(1, 2)))

    def run_stage(self, stage, regional, local):
        """The layers of one stage: maps (B, rows, columns, dim) and (B, rows · window,
        columns · window, dim)  ->  the same"""
        tokens, locals_ = regional.flatten(1, 2), window_partition(local, self.window, self.window)
        if tokens.shape[1] != locals_.shape[1]:
            raise ValueError(f"{tokens.shape[1]} regional tokens for {locals_.shape[1]} regions")
        for layer in stage:
            tokens, locals_ = layer(tokens, locals_)
        local = window_reverse(locals_, self.window, self.window, *local.shape[1:3])
        return tokens.view_as(regional), local
