"""CAT: attention inside patches, then across them on one channel. Taught in chapter 07.

Lin et al., CAT: Cross Attention in Vision Transformer (ICME 2022, 2106.05786), section 3. Tokens
are maps (B, H, W, dim). What the paper calls a patch is a window of tokens.
"""

from torch import nn

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer, check_map
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.windows import PatchMerging, window_partition, window_reverse


class CrossPatchAttention(MultiHeadAttention):
    """CPSA: in every channel on its own, whole patches attend to each other, with one head.

    patch  tokens, the side of a patch. The patch² numbers of one channel are a patch's vector, so
    the size of the projections does not depend on the number of channels, which share them.
    """

    def __init__(self, patch: int):
        super().__init__(patch**2, heads=1)
        self.patch = patch

    def forward(self, x, mask=None):
        """x (B, H, W, dim), H and W multiples of the patch  ->  (B, H, W, dim); mask, which an
        EncoderLayer hands on, is None"""
        if mask is not None:
            raise ValueError("CrossPatchAttention takes no mask of tokens, expected None")
        check_map(x, self.patch)
        patches = window_partition(x, self.patch, self.patch)  # (B, n, patch², dim)
        patches = patches.permute(0, 3, 1, 2)  # (B, dim, n, patch²)
        heard = super().forward(patches.flatten(0, 1)).view_as(patches)
        return window_reverse(heard.permute(0, 2, 3, 1), self.patch, self.patch, *x.shape[1:3])


class CAT(nn.Module):
    """Stages of smaller and smaller maps, in each `depth` times inner, cross and inner again; the
    mean of the last one's tokens is classified.

    channels, classes  of the images; how many there are to choose from
    pixels   the side of what becomes a token of the first stage; later stages join 2 × 2
    dim      features in the first stage, twice as many in each that follows
    patch    tokens, the side of a patch, which all stages' maps must divide into (or ValueError,
             when an image comes)
    depths, heads  a number for each stage; heads are those of the attention inside patches
    ratio    features between the maps of a feed-forward network, for one of a token

    CAT-S is (3, 1000, pixels=4, dim=96, patch=7, depths=(1, 1, 3, 1), heads=(3, 6, 12, 24)) for
    224 × 224 pixels.
    """

    def __init__(self, channels, classes, pixels, dim, patch, depths, heads, ratio=4):
        super().__init__()
        if len(depths) != len(heads):
            raise ValueError(f"{len(depths)} depths and {len(heads)} heads, expected one a stage")
        self.embed, self.norm_in = PatchEmbedding(channels, pixels, dim), nn.LayerNorm(dim)
        self.stages = nn.ModuleList()
        for i, (depth, count) in enumerate(zip(depths, heads)):
            width = dim * 2**i
            layers = [PatchMerging(width // 2)] if i else []
            for _ in range(depth):
                layers += cat_block(width, count, patch, ratio * width)
            self.stages.append(nn.Sequential(*layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        x = self.norm_in(self.embed(images)).unflatten(1, self.embed.grid(images))
        for stage in self.stages:
            x = stage(x)
        return self.head(self.norm(x).mean(dim=(1, 2)))


def cat_block(dim, heads, patch, hidden):
    """IPSA, CPSA, IPSA, each an encoder layer with its own feed-forward network: three layers"""
    attentions = (
        LocalAttention(dim, heads, patch, relative=True),
        CrossPatchAttention(patch),
        LocalAttention(dim, heads, patch, relative=True),
    )
    return [MapLayer(attention, dim, hidden) for attention in attentions]
