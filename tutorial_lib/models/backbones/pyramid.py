"""What the backbones with windows have in common: stages on coarser and coarser grids.

Taught in chapter 08. Liu et al., Swin Transformer (ICCV 2021, 2103.14030), section 3.1.
"""

from torch import nn


class Pyramid(nn.Module):
    """Tokens of an image, stages of blocks with a merge between each two, the mean token, a head.

    embed   images (B, channels, H, W)  ->  tokens (B, rows, columns, dim)
    stages  lists of blocks, each (B, rows, columns, dim)  ->  the same shape
    merges  one fewer: (B, rows, columns, dim)  ->  half the rows and columns, more features
    norm    of the last tokens; head  (B, dim)  ->  logits (B, classes)
    """

    def __init__(self, embed, stages, merges, norm, head):
        super().__init__()
        if len(stages) != len(merges) + 1:
            raise ValueError(f"{len(stages)} stages with {len(merges)} merges between them")
        self.embed = embed
        self.stages = nn.ModuleList(nn.Sequential(*blocks) for blocks in stages)
        self.merges = nn.ModuleList(merges)
        self.norm, self.head = norm, head

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        return self.head(self.features(images)[-1].mean(dim=(1, 2)))

    def features(self, images):
        """images (B, channels, H, W)  ->  what each stage gives, a list of (B, rows, columns, dim),
        the last one after the norm"""
        x, found = self.stages[0](self.embed(images)), []
        for merge, stage in zip(self.merges, self.stages[1:]):
            found.append(x)
            x = stage(merge(x))
        return [*found, self.norm(x)]


class ConvEmbedding(nn.Module):
    """A convolution and a LayerNorm: tokens at the start of a pyramid, or of its next stage.

    channels, dim  features before and after; kernel, stride, padding  of the convolution
    """

    def __init__(self, channels: int, dim: int, kernel: int, stride: int, padding: int = 0):
        super().__init__()
        self.project = nn.Conv2d(channels, dim, kernel, stride, padding)
        self.norm = nn.LayerNorm(dim)

    def forward(self, images):
        """(B, channels, H, W)  ->  (B, rows, columns, dim)"""
        return self.norm(self.project(images).movedim(1, -1))


class ConvMerging(ConvEmbedding):
    """Half the rows and columns by a convolution of 3 × 3 with stride 2: the tokens of a merge
    overlap, unlike those of PatchMerging. dim, dim_out  features before and after."""

    def __init__(self, dim: int, dim_out: int):
        super().__init__(dim, dim_out, 3, 2, 1)

    def forward(self, x):
        """(B, rows, columns, dim)  ->  (B, rows / 2, columns / 2, dim_out), rounded up"""
        return super().forward(x.movedim(-1, 1))
