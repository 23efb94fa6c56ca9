"""Four ways from a window to another, side by side: how loud one arrives, and how much of it.

Taught in chapter 07, whose figure is drawn from this.
"""

import torch
from torch import nn

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer
from tutorial_lib.layers.windows import window_partition, window_reverse
from tutorial_lib.models.backbones.cat import cat_block
from tutorial_lib.models.backbones.regionvit import RegionalToLocal
from tutorial_lib.models.backbones.tnt import TNTBlock
from tutorial_lib.models.backbones.twins import SubsampledAttention

DIM, HEADS, SIDE, WINDOW = 4, 2, 8, 4  # a map of 8 × 8 tokens: four windows of 16 tokens


class Regions(nn.Module):
    """R2L layers, from a map of local tokens to the next; regional tokens begin at random."""

    def __init__(self, depth):
        super().__init__()
        self.layers = nn.ModuleList(
            RegionalToLocal(DIM, HEADS, 2 * DIM, WINDOW) for _ in range(depth)
        )
        self.register_buffer("regional", torch.randn(1, (SIDE // WINDOW) ** 2, DIM))

    def forward(self, x):
        regional, local = self.regional, window_partition(x, WINDOW, WINDOW)
        for layer in self.layers:
            regional, local = layer(regional, local)
        return window_reverse(local, WINDOW, WINDOW, SIDE, SIDE)


class PixelsAndPatches(nn.Module):
    """A block of TNT, from the map of all pixel tokens to that of the patches, or of the pixels."""

    def __init__(self, patches: bool):
        super().__init__()
        self.block = TNTBlock(DIM, HEADS, 2 * DIM, DIM, HEADS, WINDOW**2)
        self.register_buffer("z", torch.randn(1, 1 + (SIDE // WINDOW) ** 2, DIM))
        self.patches = patches

    def forward(self, x):
        y, z = self.block(window_partition(x, WINDOW, WINDOW), self.z)
        if self.patches:
            return z[:, 1:].view(1, SIDE // WINDOW, SIDE // WINDOW, DIM)
        return window_reverse(y, WINDOW, WINDOW, SIDE, SIDE)


def lsa(window=WINDOW):
    return MapLayer(LocalAttention(DIM, HEADS, window, relative=False), DIM, 2 * DIM)


def gsa():
    return MapLayer(SubsampledAttention(DIM, HEADS, WINDOW), DIM, 2 * DIM)


def systems(seed=0):
    """Name -> layers, maps (1, 8, 8, 4) to maps, with random weights in float64: first those that
    hear what is near alone, then those of the same systems that hear all, at last a ViT's."""
    torch.manual_seed(seed)
    inner, cross, last = cat_block(DIM, HEADS, WINDOW, 2 * DIM)
    made = {
        "TNT: pixels": PixelsAndPatches(patches=False),
        "Twins: LSA twice": nn.Sequential(lsa(), lsa()),
        "CAT: IPSA twice": nn.Sequential(inner, last),
        "RegionViT: one R2L": Regions(1),
        "TNT: patches": PixelsAndPatches(patches=True),
        "Twins: LSA, GSA": nn.Sequential(lsa(), gsa()),
        "CAT: IPSA, CPSA, IPSA": nn.Sequential(inner, cross, last),
        "RegionViT: two R2L": Regions(2),
        "ViT: twice": nn.Sequential(lsa(SIDE), lsa(SIDE)),
    }
    for layers in made.values():
        for parameter in layers.parameters():  # none is zero, or as small as it begins
            parameter.data += 0.2 * torch.randn_like(parameter)
    return {name: layers.double() for name, layers in made.items()}


def a_map(seed=1):
    """(1, 8, 8, 4), at random"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, SIDE, SIDE, DIM, generator=generator, dtype=torch.float64)


def gradients(layers, x):
    """By how much every number of the last window moves with every number that came in:
    (numbers, 8, 8, 4), where a last window of one token has 4 numbers."""
    x = x.detach().clone().requires_grad_()
    out = layers(x)[0]
    rows, columns = out.shape[0] // 2, out.shape[1] // 2
    asked = out[rows:, columns:].flatten()
    return torch.stack([torch.autograd.grad(n, x, retain_graph=True)[0][0] for n in asked])


def arriving(found):
    """Of the numbers of the first window, how many independent ones arrive in the last: the rank
    of the gradients between them. 0 is exact."""
    between = found[:, :WINDOW, :WINDOW].flatten(1)  # (numbers, 64)
    strengths = torch.linalg.svdvals(between)
    return int((strengths > 1e-9 * found.abs().max()).sum())
