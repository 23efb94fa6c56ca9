"""An image as a sequence of tokens, in PyTorch. Taught in chapter 05.

Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021, 2010.11929), sections 3.1 and 3.2.
Patches are numbered row by row.
"""

import torch
import torch.nn.functional as F
from torch import nn


class PatchEmbedding(nn.Module):
    """Every patch of an image through the same linear map.

    channels  of the image; patch  pixels, the side of a patch; dim  features of a token

    The map is stored as a convolution whose stride is its size: each patch is under the kernel
    exactly once.
    """

    def __init__(self, channels: int, patch: int, dim: int):
        super().__init__()
        self.patch = patch
        self.project = nn.Conv2d(channels, dim, patch, stride=patch)

    def grid(self, images):
        """How many patches images (B, C, H, W) have: (rows, columns). ValueError if H or W is no
        multiple of the patch: a convolution would leave the last pixels out and say nothing; and
        for a single image (C, H, W), whose channels would end as tokens."""
        if images.ndim != 4:
            raise ValueError(f"images are {tuple(images.shape)}, expected (B, C, H, W)")
        height, width = images.shape[-2:]
        if height % self.patch or width % self.patch:
            raise ValueError(
                f"{height} × {width} pixels do not divide into patches of {self.patch} × "
                f"{self.patch}"
            )
        return height // self.patch, width // self.patch

    def forward(self, images):
        """(B, C, H, W), H and W multiples of the patch  ->  (B, n, dim)"""
        self.grid(images)
        return self.project(images).flatten(2).mT  # (B, dim, rows, columns) to (B, n, dim)


def interpolate_positions(positions, grid, new_grid):
    """Positions learned for one grid of patches, for another: an image of another resolution.

    positions  (1 + rows · columns, dim)  that of the class token first, then row by row
    grid       (rows, columns) for which they were learned; new_grid  those that are wanted
    ->  (1 + new rows · new columns, dim)

    The vectors of the patches are a picture with dim channels, which is resized by bicubic
    interpolation, as in DeiT (2012.12877; `F.interpolate` with `align_corners=False`: a position
    stands for the middle of its patch, and what is kept in place is the border of the picture). The
    class token stands nowhere in it and keeps its vector. Raises ValueError if there are not
    1 + rows · columns positions.
    """
    rows, columns = grid
    n, dim = positions.shape
    if n != 1 + rows * columns:
        raise ValueError(
            f"{n} positions for a grid of {rows} × {columns}, expected {1 + rows * columns}: one "
            "for the class token and one for each patch"
        )
    picture = positions[1:].T.reshape(1, dim, rows, columns)
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], picture[0].flatten(1).T])
