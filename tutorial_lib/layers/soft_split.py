"""Soft split and re-structurization in PyTorch. Taught in chapter 09.

Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.1.
"""

import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.soft_split import token_count


class SoftSplit(nn.Module):
    """Cut images into windows of k × k pixels, s apart, with p zeros around. s < k overlaps."""

    def __init__(self, k: int, s: int, p: int):
        super().__init__()
        self.k, self.s, self.p = k, s, p

    def grid(self, height, width):
        """height, width of the image  ->  rows and columns of windows. Raises ValueError for an
        image that holds none."""
        return token_count(height, width, self.k, self.s, self.p)

    def forward(self, images):
        """images (B, C, H, W)  ->  tokens (B, rows · columns, C · k · k), their features in the
        order channel, row, column. Raises ValueError for a single image (C, H, W), whose tokens
        unfold would give without their batch."""
        if images.ndim != 4:
            raise ValueError(f"images are {tuple(images.shape)}, expected (B, C, H, W)")
        return F.unfold(images, self.k, padding=self.p, stride=self.s).mT


def restructure(tokens, rows, columns):
    """Put tokens back on their grid: (B, rows · columns, C)  ->  (B, C, rows, columns)."""
    return tokens.mT.unflatten(-1, (rows, columns))
