"""DETR: detection as a set that is predicted at once. Taught in chapter 14.

Carion et al., End-to-End Object Detection with Transformers (ECCV 2020, 2005.12872). There is no
dropout, the backbone is a small one, and all images of a batch have one size.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import (
    MultiHeadAttention,
    fused_attention,
    merge_heads,
    split_heads,
)
from tutorial_lib.layers.positions import sine_positions_2d
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.models.backbones.cnn import block


class TinyBackbone(nn.Sequential):
    """Four convolutions of which three halve the picture: (B, 3, H, W)  ->  (B, channels, h, w),
    h and w an eighth. channels: a multiple of 4."""

    def __init__(self, channels: int):
        super().__init__(
            block(3, channels // 4, stride=2),
            block(channels // 4, channels // 2, stride=2),
            block(channels // 2, channels, stride=2),
            block(channels, channels, stride=1),
        )
        self.channels = channels


class PlacedAttention(MultiHeadAttention):
    """Attention in which positions help to find, and are not part of what is found: they are added
    to queries and keys, and not to values."""

    def forward(self, x, memory, x_place, memory_place):
        """x (B, N, dim) asks, memory (B, M, dim) answers; x_place (N, dim), memory_place (M, dim)
        or with the batch's axis  ->  (B, N, dim)"""
        q = split_heads(self.to_q(x + x_place), self.heads)  # (B, heads, N, d)
        k = split_heads(self.to_k(memory + memory_place), self.heads)
        v = split_heads(self.to_v(memory), self.heads)
        return self.to_out(merge_heads(fused_attention(q, k, v)))

    @torch.no_grad()
    def weights(self, x, memory, x_place, memory_place):
        """The weights (B, heads, N, M) that `forward` uses."""
        return super().weights(x + x_place, memory + memory_place)


class DETREncoderLayer(nn.Module):
    """Self-attention among the places of the picture, then a feed-forward network, Post-LN."""

    def __init__(self, dim: int, heads: int, hidden: int):
        super().__init__()
        self.attention = PlacedAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, F.relu)
        self.around_attention = Residual(dim, norm_first=False)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def forward(self, x, places):
        """x (B, M, dim), places (M, dim)  ->  (B, M, dim)"""
        x = self.around_attention(x, lambda y: self.attention(y, y, places, places))
        return self.around_feed_forward(x, self.feed_forward)


class DETRDecoderLayer(nn.Module):
    """Attention among the queries, attention to the picture, a feed-forward network, Post-LN."""

    def __init__(self, dim: int, heads: int, hidden: int):
        super().__init__()
        self.attention = PlacedAttention(dim, heads)
        self.cross_attention = PlacedAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, F.relu)
        self.around_attention = Residual(dim, norm_first=False)
        self.around_cross_attention = Residual(dim, norm_first=False)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def forward(self, x, memory, queries, places):
        """x (B, N, dim) with queries (N, dim) for places; memory (B, M, dim) with places (M, dim)
        ->  (B, N, dim). All queries see each other and the whole picture."""
        x = self.around_attention(x, lambda y: self.attention(y, y, queries, queries))
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, queries, places)
        )
        return self.around_feed_forward(x, self.feed_forward)


class BoxHead(nn.Sequential):
    """Three linear maps with ReLU between them: (..., dim)  ->  (..., 4), before the sigmoid."""

    def __init__(self, dim: int):
        super().__init__(
            nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 4)
        )


class DETR(nn.Module):
    """N learned queries ask an encoded picture for objects, all at once.

    backbone             a module (B, 3, H, W)  ->  (B, backbone.channels, h, w)
    classes, queries     kinds of objects, without "no object"; N, more than a picture has objects
    dim, heads, hidden   of every layer; dim a multiple of 4 and of heads
    depth                layers of the encoder, and of the decoder
    """

    def __init__(
        self,
        backbone: nn.Module,
        classes: int,
        queries: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
    ):
        super().__init__()
        self.backbone = backbone
        self.project = nn.Conv2d(backbone.channels, dim, 1)
        self.queries = nn.Parameter(torch.randn(queries, dim))
        layer = dim, heads, hidden
        self.encoder = nn.ModuleList(DETREncoderLayer(*layer) for _ in range(depth))
        self.decoder = nn.ModuleList(DETRDecoderLayer(*layer) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.class_head = nn.Linear(dim, classes + 1)
        self.box_head = BoxHead(dim)
        # As the paper's code: scores that start larger than PyTorch's own tell places apart sooner.
        for parameter in [*self.encoder.parameters(), *self.decoder.parameters()]:
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, images):
        """images (B, 3, H, W)  ->  a list of pairs, one for each layer of the decoder: logits
        (B, N, classes + 1), the last for "no object", and boxes (B, N, 4), cxcywh in 0 … 1. The
        last pair is the answer, the others are there for the loss."""
        features = self.project(self.backbone(images))  # (B, dim, h, w)
        memory, places = self.encode(features)
        x = memory.new_zeros(len(images), *self.queries.shape)  # (B, N, dim)
        outputs = []
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
            y = self.norm(x)
            outputs.append((self.class_head(y), self.box_head(y).sigmoid()))
        return outputs

    def encode(self, features):
        """features (B, dim, h, w)  ->  memory (B, M, dim) and places (M, dim), M = h · w"""
        dim, h, w = features.shape[1:]
        places = sine_positions_2d(h, w, dim).to(self.queries)
        memory = features.flatten(2).mT
        for layer in self.encoder:
            memory = layer(memory, places)
        return memory, places
