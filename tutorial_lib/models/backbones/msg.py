"""MSG-Transformer: a messenger in each window, and messengers that trade. Taught in chapter 08.

Fang et al., MSG-Transformer: Exchanging Local Spatial Information by Manipulating Messenger Tokens
(CVPR 2022, 2105.15168). There is no dropout and no stochastic depth.
"""

import torch
from torch import nn

from tutorial_lib.from_scratch.windows import window_counts
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import RelativeBias, table
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import window_partition, window_reverse
from tutorial_lib.models.backbones.pyramid import ConvEmbedding, ConvMerging


def trade(messengers, region: int):
    """Messengers of a region of region × region windows trade parts of their features.

    messengers (B, rows, columns, dim), one for each window; G = region² of them stand in a region
    ->  the same shape: features are cut into G parts, and part j of messenger i goes to messenger j
        as its part i. Done twice, it is undone. ValueError if regions do not fill the grid, or G
        does not divide dim.
    """
    group = region * region
    if messengers.shape[-1] % group:
        raise ValueError(f"{messengers.shape[-1]} features do not divide into {group} parts")
    parts = window_partition(messengers, region, region).unflatten(-1, (group, -1))
    return window_reverse(parts.transpose(2, 3).flatten(3), region, region, *messengers.shape[1:3])


class MessengerAttention(nn.Module):
    """Attention inside each window among its tokens and its messenger.

    dim, heads  as in MultiHeadAttention; window  tokens, its side

    The bias of two tokens is learned for their offset. A messenger stands nowhere: each head has
    one number for all who look at it, and one for all at whom it looks.
    """

    def __init__(self, dim: int, heads: int, window: int):
        super().__init__()
        self.window = window
        self.attention = MultiHeadAttention(dim, heads)
        self.bias = RelativeBias(window, window, heads)
        self.to_messenger, self.from_messenger = table(heads, 1, 1), table(heads, 1, 1)

    def score_bias(self):
        """->  (heads, 1 + N, 1 + N), query by key, the messenger first"""
        bias = self.bias()
        bias = torch.cat([self.to_messenger.expand(-1, bias.shape[1], -1), bias], dim=2)
        return torch.cat([self.from_messenger.expand(-1, -1, bias.shape[2]), bias], dim=1)

    def forward(self, x, messengers):
        """x (B, H, W, dim), messengers (B, H / window, W / window, dim)  ->  both, changed"""
        grid, rows_columns = x.shape[1:3], messengers.shape[1:3]
        windows = window_partition(x, self.window, self.window)  # (B, windows, N, dim)
        tokens = torch.cat([messengers.flatten(1, 2)[:, :, None], windows], dim=2)
        batch = tokens.shape[:2]  # one axis for the attention, whose fused kernels want it so
        tokens = self.attention(tokens.flatten(0, 1), score_bias=self.score_bias())
        tokens = tokens.unflatten(0, batch)
        x = window_reverse(tokens[:, :, 1:], self.window, self.window, *grid)
        return x, tokens[:, :, 0].unflatten(1, rows_columns)


class MSGBlock(nn.Module):
    """Attention in windows, a trade among the messengers, a feed-forward network for all tokens.

    dim, heads, hidden  as in EncoderLayer; window  tokens, its side
    region              windows, the side of a region in which messengers trade; 1: they do not
    """

    def __init__(self, dim: int, heads: int, hidden: int, window: int, region: int):
        super().__init__()
        self.region = region
        self.attention = MessengerAttention(dim, heads, window)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x, messengers):
        """x (B, H, W, dim), messengers (B, H / window, W / window, dim)  ->  both, changed"""
        heard = self.attention(self.attention_norm(x), self.attention_norm(messengers))
        x, messengers = x + heard[0], trade(messengers + heard[1], self.region)
        return tuple(self.around_feed_forward(t, self.feed_forward) for t in (x, messengers))


class MSG(nn.Module):
    """Stages of blocks in windows with messengers, which the head reads.

    patch, window      pixels from one token to the next, of which each sees 2 · patch − 1; tokens,
                       the side of a window, in all stages
    channels, classes  of the image; how many there are to choose from
    dim                features of a token in the first stage, doubled by every merge
    depths, heads      blocks and heads of each stage: (2, 4, 12, 4) and (2, 4, 8, 16) in MSG-T
    regions            windows, the side of the regions in each stage: (4, 4, 2, 1) in the paper;
                       all 1 is a control: messengers do not trade

    Merges halve the grid of the tokens and that of the messengers by the same convolution.
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
        regions: tuple[int, ...],
    ):
        super().__init__()
        if not len(depths) == len(heads) == len(regions):
            raise ValueError(
                f"depths of {len(depths)} stages, heads of {len(heads)}, regions of {len(regions)}"
            )
        dims = [dim * 2**i for i in range(len(depths))]
        self.window = window
        self.embed = ConvEmbedding(channels, dim, 2 * patch - 1, patch, patch // 2)
        self.messengers = table(regions[0], regions[0], dim)
        self.stages = nn.ModuleList(
            nn.ModuleList(MSGBlock(d, h, 4 * d, window, region) for _ in range(depth))
            for d, h, region, depth in zip(dims, heads, regions, depths)
        )
        self.merges = nn.ModuleList(ConvMerging(d, 2 * d) for d in dims[:-1])
        self.norm = nn.LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        return self.head(self.features(images)[1].mean(dim=(1, 2)))

    def features(self, images):
        """images (B, channels, H, W)  ->  tokens (B, rows, columns, dim of the last stage) and
        messengers (B, rows / window, columns / window, the same), after the last norm"""
        x = self.embed(images)
        messengers = self.first_messengers(x)
        for i, stage in enumerate(self.stages):
            if i > 0:
                x, messengers = self.merges[i - 1](x), self.merges[i - 1](messengers)
            for block in stage:
                x, messengers = block(x, messengers)
        return self.norm(x), self.norm(messengers)

    def first_messengers(self, x):
        """The learned ones of a region, repeated over the grid: x (B, H, W, dim)
        ->  (B, H / window, W / window, dim)"""
        down, across = window_counts(*x.shape[1:3], self.window, self.window)
        region = self.messengers.shape[0]
        times = window_counts(down, across, region, region)
        return self.messengers.tile(*times, 1).expand(len(x), -1, -1, -1)
