"""Twins: attention inside windows, and with one summary of each window. Taught in chapter 07.

Chu et al., Twins: Revisiting the Design of Spatial Attention in Vision Transformers (NeurIPS 2021,
2104.13840), sections 3.1 (PCPVT) and 3.2 (SVT). Positions come from a convolution: Chu et al.,
Conditional Positional Encodings for Vision Transformers (2102.10882). Tokens are maps
(B, H, W, dim) on their whole way.
"""

from torch import nn

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer, check_map
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.patches import PatchEmbedding

EPS = 1e-6  # of the norms in and after the layers; those of summaries and patches have 1e-5


class SubsampledAttention(MultiHeadAttention):
    """Every token asks, one summary for each k × k tokens answers: GSA, and PVT's attention.

    dim, heads  as in MultiHeadAttention; k  tokens, the side of what is summarized; 1 is attention
    of all with all
    """

    def __init__(self, dim: int, heads: int, k: int):
        super().__init__(dim, heads)
        self.k = k
        if k > 1:
            self.summarize, self.norm = nn.Conv2d(dim, dim, k, stride=k), nn.LayerNorm(dim)

    def summaries(self, x):
        """(B, H, W, dim), H and W multiples of k  ->  (B, H · W / k², dim)"""
        check_map(x, self.k)
        if self.k == 1:
            return x.flatten(1, 2)
        return self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)

    def forward(self, x, mask=None):
        """x (B, H, W, dim)  ->  (B, H, W, dim); mask, which an EncoderLayer hands on, is None"""
        if mask is not None:
            raise ValueError("SubsampledAttention takes no mask of tokens, expected None")
        return super().forward(x.flatten(1, 2), self.summaries(x)).view_as(x)


class PositionGenerator(nn.Module):
    """PEG: a token plus a 3 × 3 convolution of its own channel. Zeros around the map tell where its
    border is, so tokens learn where they stand, in maps of any size."""

    def __init__(self, dim: int):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H, W, dim)"""
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Twins(nn.Module):
    """Stages of smaller and smaller maps; the mean of the last one's tokens is classified.

    channels, classes  of the images; how many there are to choose from
    patch     pixels, the side of the first stage's patches; later stages join 2 × 2 tokens
    dims, depths, heads  a number for each stage: features, layers, heads
    summary   for each stage, k of SubsampledAttention
    windows   for each stage, the side of a window. With them layers take turns, windows first: SVT.
              Without, None, all layers have SubsampledAttention: PCPVT
    ratio     features between the maps of a feed-forward network, for one of a token: a number for
              each stage

    Twins-SVT-S is (3, 1000, 4, dims=(64, 128, 256, 512), depths=(2, 2, 10, 4), heads=(2, 4, 8, 16),
    summary=(8, 4, 2, 1), windows=(7, 7, 7, 7), ratio=(4, 4, 4, 4)). Maps must divide into windows;
    the published code adds zeros where they do not.
    """

    def __init__(self, channels, classes, patch, dims, depths, heads, summary, windows, ratio):
        super().__init__()
        windows = windows or [None] * len(dims)
        lengths = [len(x) for x in (dims, depths, heads, summary, windows, ratio)]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"dims, depths, heads, summary, windows and ratio speak of {lengths} stages"
            )
        self.stages, depth_in = nn.ModuleList(), channels
        for i, stage in enumerate(zip(dims, depths, heads, summary, windows, ratio)):
            self.stages.append(Stage(depth_in, patch if i == 0 else 2, *stage))
            depth_in = dims[i]
        self.norm = nn.LayerNorm(depth_in, EPS)
        self.head = nn.Linear(depth_in, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        x = images
        for stage in self.stages:
            x = stage(x).permute(0, 3, 1, 2)  # (B, dim, rows, columns), the next one's image
        return self.head(self.norm(x.flatten(2).mT).mean(dim=1))


class Stage(nn.Module):
    """Patches of a map and the layers on them; positions come in after the first layer."""

    def __init__(self, dim_in, patch, dim, depth, heads, k, window, ratio):
        super().__init__()
        self.embed, self.norm = PatchEmbedding(dim_in, patch, dim), nn.LayerNorm(dim)
        self.positions = PositionGenerator(dim)
        self.layers = nn.ModuleList()
        for i in range(depth):
            if window is not None and i % 2 == 0:
                attention = LocalAttention(dim, heads, window, relative=False)
            else:
                attention = SubsampledAttention(dim, heads, k)
            self.layers.append(MapLayer(attention, dim, ratio * dim, EPS))

    def forward(self, images):
        """(B, dim_in, H, W)  ->  (B, H / patch, W / patch, dim)"""
        x = self.norm(self.embed(images)).unflatten(1, self.embed.grid(images))
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i == 0:
                x = self.positions(x)
        return x
