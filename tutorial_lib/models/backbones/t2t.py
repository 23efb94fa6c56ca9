"""T2T-ViT: tokens grow out of overlapping windows, step by step. Taught in chapter 09.

Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986). At 224 × 224 pixels the paper cuts three
times, to 56², 28² and 14² tokens, and the tokens look at each other before each cut but the first.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.performer import performer_attention, random_directions
from tutorial_lib.layers.positions import sinusoidal, table
from tutorial_lib.layers.soft_split import SoftSplit, restructure
from tutorial_lib.layers.transformer import FeedForward, Residual

PAPER = ((7, 4, 2), (3, 2, 1), (3, 2, 1))  # window, stride, padding of each split, at 224 × 224
SMALL = ((7, 2, 3), (3, 2, 1), (3, 1, 1))  # the same for 28 × 28: 14², 7², 7² tokens


class TokenTransformer(nn.Module):
    """Attention with one head that also makes long tokens short.

    dim_in  features of a token that comes from a split; dim  features of the tokens that leave

    What enters and what leaves differ in size, so nothing can be added to the input; the residual
    starts at the values instead.
    """

    def __init__(self, dim_in: int, dim: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim_in)
        self.to_q = nn.Linear(dim_in, dim, bias=False)
        self.to_k = nn.Linear(dim_in, dim, bias=False)
        self.to_v = nn.Linear(dim_in, dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        self.feed_forward = FeedForward(dim, dim)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def attend(self, q, k, v):
        """q, k, v (B, N, dim)  ->  (B, N, dim)

        On a CPU the fused kernel has no second derivative; within
        `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)` the plain one runs, which has.
        """
        q, k, v = (x.unsqueeze(1) for x in (q, k, v))  # (B, 1, N, dim): fused only with heads
        return F.scaled_dot_product_attention(q, k, v).squeeze(1)

    def forward(self, x):
        """x (B, N, dim_in)  ->  (B, N, dim)"""
        x = self.norm(x)
        v = self.to_v(x)  # (B, N, dim)
        x = v + self.to_out(self.attend(self.to_q(x), self.to_k(x), v))
        return self.around_feed_forward(x, self.feed_forward)


class TokenPerformer(TokenTransformer):
    """The same with weights estimated by dim / 2 random features: at 56² tokens the matrix of
    weights would have ten million entries.

    The paper's main models do so too, with these differences: their scores are not divided by a
    root of d, their directions are shorter (√(dim / 2) where a Gaussian one has √dim), their
    queries, keys and values have biases, they drop out at 0.1 behind the attention and behind the
    feed-forward network, and they add 1e-8 to a denominator that nothing keeps from being smaller
    (features are not scaled, see `performer_attention`). With its weights shuffled that moved the
    published model's logits by 8e-3, and with larger weights by 5.8.
    """

    def __init__(self, dim_in: int, dim: int):
        super().__init__(dim_in, dim)
        # Drawn once and kept in the checkpoint: the trained weights fit these directions.
        self.register_buffer("directions", random_directions(max(1, dim // 2), dim))

    def attend(self, q, k, v):
        return performer_attention(q, k, v, self.directions)


class T2TModule(nn.Module):
    """Images to tokens: split, then as often as splits are left: attend, re-structure, split again.

    channels     of the images
    splits       (window, stride, padding) of each split
    token_dim    features of the tokens on the way
    dim          features of the tokens that leave
    token_layer  TokenTransformer or TokenPerformer

    With the one split (P, P, 0) nothing overlaps and nothing attends: it is ViT's hard split.
    """

    def __init__(self, channels: int, splits, token_dim: int, dim: int, token_layer):
        super().__init__()
        self.splits = nn.ModuleList(SoftSplit(k, s, p) for k, s, p in splits)
        depths = [channels] + [token_dim] * (len(splits) - 1)  # channels that each split cuts
        sizes = [split.k**2 * depth for split, depth in zip(self.splits, depths)]
        self.layers = nn.ModuleList(token_layer(size, token_dim) for size in sizes[:-1])
        self.project = nn.Linear(sizes[-1], dim)

    def forward(self, images):
        """images (B, channels, H, W)  ->  tokens (B, n, dim)"""
        *earlier, last = self.splits
        for split, layer in zip(earlier, self.layers):
            tokens = layer(split(images))  # (B, rows · columns, token_dim)
            images = restructure(tokens, *split.grid(*images.shape[-2:]))
        return self.project(last(images))


class T2TViT(nn.Module):
    """Tokens, a class token in front, fixed sinusoids, encoder layers, a head on the class token.

    embed    module from images (B, C, H, W) to tokens (B, n, dim), such as T2TModule
    layers   the encoder: modules from tokens to tokens, such as EncoderLayer
    dim      features of a token; dim_out  features after the last layer, if the layers change them
    classes  how many

    The published encoder has no biases in its queries, keys and values, and its pretrained models
    divide scores by the root of the whole width, where EncoderLayer has that of a head's.
    """

    def __init__(self, embed: nn.Module, layers, dim: int, classes: int, dim_out=None):
        super().__init__()
        self.dim = dim  # a number of its own: under torch.jit.trace a shape's is a tensor
        self.embed, self.encoder = embed, nn.ModuleList(layers)
        self.class_token = table(1, 1, dim)
        self.norm = nn.LayerNorm(dim_out or dim)
        self.head = nn.Linear(dim_out or dim, classes)

    def forward(self, images):
        """images (B, C, H, W)  ->  logits (B, classes)"""
        x = self.embed(images)  # (B, n, dim)
        # len(x) would be a plain number, which torch.export takes for the size of every batch.
        first = self.class_token.expand(x.shape[0], -1, -1)
        x = torch.cat([first, x], dim=1)  # (B, 1 + n, dim)
        x = x + sinusoidal(x.shape[1], self.dim).to(x)
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])
