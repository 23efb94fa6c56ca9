"""What T2T-ViT is compared with: five ideas from convolutional networks on its backbone, and its
token layer without the first norm. Taught in chapter 09.

Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.2. Each idea is another list of
layers for T2TViT. Two of them need no code: the wide one has fewer and wider EncoderLayers, the
ResNeXt-like one has EncoderLayers with more and smaller heads.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.ghost import GhostLinear
from tutorial_lib.layers.squeeze_excitation import SqueezeExcitation
from tutorial_lib.layers.transformer import EncoderLayer, FeedForward
from tutorial_lib.models.backbones.t2t import TokenTransformer


class BareTokenTransformer(TokenTransformer):
    """A token layer without its first LayerNorm, which takes from each window its brightness and
    its contrast. It starts from the same weights for the same seed."""

    def __init__(self, dim_in: int, dim: int):
        super().__init__(dim_in, dim)
        self.norm = nn.Identity()


class DenseLayer(nn.Module):
    """An encoder layer that keeps what it was given and adds `growth` features of its own.

    Huang et al., Densely Connected Convolutional Networks (CVPR 2017, 1608.06993).
    dim, heads, hidden  of the encoder layer
    """

    def __init__(self, dim: int, heads: int, hidden: int, growth: int):
        super().__init__()
        self.layer = EncoderLayer(dim, heads, hidden)
        self.shrink = nn.Linear(dim, growth)

    def forward(self, x):
        """x (B, N, dim)  ->  (B, N, dim + growth)"""
        return torch.cat([x, self.shrink(self.layer(x))], dim=-1)


class Transition(nn.Module):
    """What stands between two dense blocks: it halves the features."""

    def __init__(self, dim: int):
        super().__init__()
        self.shrink = nn.Linear(dim, dim // 2)

    def forward(self, x):
        """x (B, N, dim)  ->  (B, N, dim / 2)"""
        return F.gelu(self.shrink(x))


def dense_layers(dim: int, heads: int, growth: int, blocks):
    """The layers of a dense backbone, and the features of a token that leaves the last.

    dim, growth  multiples of heads, and so must be what a transition leaves; blocks  layers of each
    block, with a transition between two blocks
    """
    layers = []
    for i, depth in enumerate(blocks):
        if i > 0:
            layers.append(Transition(dim))
            dim = dim // 2
        for _ in range(depth):
            layers.append(DenseLayer(dim, heads, 2 * dim, growth))
            dim = dim + growth
    return layers, dim


class SqueezeExcitationLayer(EncoderLayer):
    """An encoder layer with a gate on each feature that its attention gives.

    Hu et al., Squeeze-and-Excitation Networks (CVPR 2018, 1709.01507).
    dim, heads, hidden  as in EncoderLayer; reduction  as in SqueezeExcitation
    """

    def __init__(self, dim: int, heads: int, hidden: int, reduction: int):
        super().__init__(dim, heads, hidden)
        self.excite = SqueezeExcitation(dim, reduction)

    def forward(self, x):
        """x (B, N, dim)  ->  (B, N, dim)"""
        x = self.around_attention(x, lambda y: self.excite(self.attention(y).mT).mT)
        return self.around_feed_forward(x, self.feed_forward)


class GhostLayer(EncoderLayer):
    """An encoder layer that computes half of its queries, keys and values, and one in `ratio` of
    the features inside its feed-forward network. The rest are ghosts.

    Han et al., GhostNet (CVPR 2020, 1911.11907).
    dim, heads, hidden  as in EncoderLayer; dim even, hidden a multiple of ratio
    """

    def __init__(self, dim: int, heads: int, hidden: int, ratio: int):
        super().__init__(dim, heads, hidden)
        for projection in ("to_q", "to_k", "to_v"):
            setattr(self.attention, projection, GhostLinear(dim, dim, 2))
        self.feed_forward = FeedForward(dim, hidden, activation=nn.Identity())
        self.feed_forward.up = GhostLinear(dim, hidden, ratio, F.gelu)
