"""TNT: a transformer inside every patch of a transformer. Taught in chapter 07.

Han et al., Transformer in Transformer (NeurIPS 2021, 2103.00112), section 2.2.
"""

import torch
from torch import nn

from tutorial_lib.layers.positions import LearnedPositions, table
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.layers.windows import window_partition


class PixelEmbedding(nn.Module):
    """Every patch as m "pixel" tokens, which see nothing outside of it.

    channels  of the image; patch  pixels, the side of a patch; dim  features of a pixel token
    stride    pixels from one token to the next, which divide the patch (or ValueError)

    A token is a convolution of 2 · stride − 1 pixels a side, 7 at the paper's stride of 4. It runs
    over one patch at a time, with zeros around it.
    """

    def __init__(self, channels: int, patch: int, stride: int, dim: int):
        super().__init__()
        if patch % stride:
            raise ValueError(f"patches of {patch} pixels do not divide into steps of {stride}")
        self.patch, self.tokens = patch, (patch // stride) ** 2
        self.project = nn.Conv2d(channels, dim, 2 * stride - 1, stride, padding=stride - 1)
        self.positions = LearnedPositions(self.tokens, dim)

    def forward(self, images):
        """images (B, channels, H, W), multiples of the patch  ->  (B, n, m, dim)"""
        images = images.permute(0, 2, 3, 1)
        patches = window_partition(images, self.patch, self.patch)  # (B, n, patch², channels)
        alone = patches.flatten(0, 1).mT.unflatten(2, (self.patch, self.patch))
        tokens = self.project(alone).flatten(2).mT + self.positions()  # (B · n, m, dim)
        return tokens.unflatten(0, patches.shape[:2])


class PixelsToPatch(nn.Module):
    """What a patch learns from its pixels: LN(FC(LN(vec(Y)))), all of them side by side.

    pixels, inner_dim  tokens in a patch and features of each; dim  features of a patch
    """

    def __init__(self, pixels: int, inner_dim: int, dim: int, bias: bool, eps: float):
        super().__init__()
        self.norm_in, self.norm_out = nn.LayerNorm(pixels * inner_dim, eps), nn.LayerNorm(dim, eps)
        self.project = nn.Linear(pixels * inner_dim, dim, bias)

    def forward(self, y):
        """(B, n, m, inner_dim)  ->  (B, n, dim)"""
        return self.norm_out(self.project(self.norm_in(y.flatten(2))))


class TNTBlock(nn.Module):
    """The pixels of each patch among themselves, then into their patch, then the patches.

    dim, heads, hidden  of the outer encoder layer; inner_dim, inner_heads  of the inner one, whose
    feed-forward network has 4 · inner_dim; pixels  tokens in a patch
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        inner_dim: int,
        inner_heads: int,
        pixels: int,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.inner = EncoderLayer(inner_dim, inner_heads, 4 * inner_dim, eps=eps)
        self.join = PixelsToPatch(pixels, inner_dim, dim, bias=False, eps=eps)
        self.outer = EncoderLayer(dim, heads, hidden, eps=eps)

    def forward(self, y, z):
        """y (B, n, m, inner_dim) pixels, z (B, 1 + n, dim) class token and patches  ->  the same"""
        y = self.inner(y.flatten(0, 1)).view_as(y)
        patches = z[:, 1:] + self.join(y)  # the class token has no pixels
        return y, self.outer(torch.cat([z[:, :1], patches], dim=1))


class TNT(nn.Module):
    """A ViT whose patches are told at every block what their pixels have found out.

    image_size, patch, channels, classes, dim, depth, heads, hidden, eps  as in ViT
    stride       pixels from one pixel token to the next, see PixelEmbedding
    inner_dim, inner_heads  of the pixel tokens

    The published models, TNT-S with (224, 16, 3, 1000, dim=384, depth=12, heads=6, hidden=1536,
    stride=4, inner_dim=24, inner_heads=4), have no biases in queries, keys and values.
    """

    def __init__(
        self,
        image_size: int,
        patch: int,
        channels: int,
        classes: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
        stride: int,
        inner_dim: int,
        inner_heads: int,
        eps: float = 1e-5,
    ):
        super().__init__()
        if image_size % patch:
            raise ValueError(f"{image_size} pixels do not divide into patches of {patch}")
        self.embed = PixelEmbedding(channels, patch, stride, inner_dim)
        pixels = self.embed.tokens
        self.first = PixelsToPatch(pixels, inner_dim, dim, bias=True, eps=eps)
        self.class_token = table(1, dim)
        self.positions = LearnedPositions(1 + (image_size // patch) ** 2, dim)
        self.encoder = nn.ModuleList(
            TNTBlock(dim, heads, hidden, inner_dim, inner_heads, pixels, eps) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, image_size, image_size)  ->  logits (B, classes)"""
        y = self.embed(images)  # (B, n, m, inner_dim)
        class_token = self.class_token.expand(y.shape[0], 1, -1)
        z = torch.cat([class_token, self.first(y)], dim=1) + self.positions()  # (B, 1 + n, dim)
        for block in self.encoder:
            y, z = block(y, z)
        return self.head(self.norm(z)[:, 0])
