"""Who hears whom in the eight systems of chapters 07 and 08, and in a ViT: maps and a figure.

All stand on one grid of 20 × 20 tokens, in windows, patches, regions or summaries of 5 × 5, with
random weights. In TNT the tokens of the grid are its pixels, and who hears is the patch around one.
"""

import itertools

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap
from torch import nn

from tutorial_lib.layers.local_attention import LocalAttention, MapLayer
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.windows import window_partition, window_reverse
from tutorial_lib.measuring.reach import reach
from tutorial_lib.models.backbones.cat import cat_block
from tutorial_lib.models.backbones.cswin import CSWinBlock
from tutorial_lib.models.backbones.msg import MSGBlock
from tutorial_lib.models.backbones.regionvit import RegionalToLocal
from tutorial_lib.models.backbones.shuffle import ShuffleBlock
from tutorial_lib.models.backbones.swin import SwinBlock
from tutorial_lib.models.backbones.tnt import PixelsToPatch, TNTBlock
from tutorial_lib.models.backbones.twins import PositionGenerator, SubsampledAttention

SIDE, WINDOW, DIM = 20, 5, 16  # tokens, the grid and a window; features, 16 parts for MSG's trade
STRIPE = 1  # tokens, of CSWin: a stripe has 20 tokens, the other systems' windows 25


def in_a_row(make):
    """Layers that take a map and give one."""

    def build(depth):
        return nn.Sequential(*(make(i) for i in range(depth))).double().eval()

    return build


def local(window):
    """A layer with attention inside windows; one as large as the map makes it a ViT's."""
    return MapLayer(LocalAttention(DIM, 2, window, relative=False), DIM, DIM)


def twins(i):
    """Windows and summaries in turn; the convolution for positions comes after the first layer."""
    if i % 2:
        return MapLayer(SubsampledAttention(DIM, 2, WINDOW), DIM, DIM)
    layer = local(WINDOW)
    return nn.Sequential(layer, PositionGenerator(DIM)) if i == 0 else layer


class WithOthers(nn.Module):
    """Blocks that carry more than the map: see the three kinds below. Map to map."""

    def __init__(self, depth):
        super().__init__()
        self.blocks = nn.ModuleList(self.block() for _ in range(depth))

    @classmethod
    def build(cls, depth):
        return cls(depth).double().eval()


class WithPatches(WithOthers):
    """TNT: a map of pixels; what leaves is the patch around each."""

    def __init__(self, depth):
        super().__init__(depth)
        self.first = PixelsToPatch(WINDOW**2, DIM, DIM, bias=True, eps=1e-5)

    def block(self):
        return TNTBlock(DIM, 2, DIM, DIM, 2, WINDOW**2)

    def forward(self, x):
        y = window_partition(x, WINDOW, WINDOW)  # (B, n, m, dim)
        z = self.first(y)
        z = torch.cat([torch.zeros_like(z[:, :1]), z], dim=1)  # a class token in front
        for block in self.blocks:
            y, z = block(y, z)
        return window_reverse(z[:, 1:, None].expand_as(y), WINDOW, WINDOW, *x.shape[1:3])


class WithRegions(WithOthers):
    """RegionViT: a regional token is made of its region's tokens, as the paper's is of pixels."""

    def __init__(self, depth):
        super().__init__(depth)
        self.embed = PatchEmbedding(DIM, WINDOW, DIM)

    def block(self):
        return RegionalToLocal(DIM, 2, DIM, WINDOW)

    def forward(self, x):
        regional, local = self.embed(x.movedim(-1, 1)), window_partition(x, WINDOW, WINDOW)
        for block in self.blocks:
            regional, local = block(regional, local)
        return window_reverse(local, WINDOW, WINDOW, *x.shape[1:3])


class WithMessengers(WithOthers):
    """MSG: messengers that know nothing of the map when they start."""

    def block(self):
        return MSGBlock(DIM, 2, DIM, WINDOW, SIDE // WINDOW)

    def forward(self, x):
        messengers = torch.ones_like(x[:, ::WINDOW, ::WINDOW])
        for block in self.blocks:
            x, messengers = block(x, messengers)
        return x


SYSTEMS = {  # name -> a function of a depth, which gives so many layers, from maps to maps
    "ViT": in_a_row(lambda i: local(SIDE)),
    "TNT": WithPatches.build,
    "Twins-SVT": in_a_row(twins),
    "CAT": in_a_row(lambda i: cat_block(DIM, 2, WINDOW, DIM)[i % 3]),
    "RegionViT": WithRegions.build,
    "Swin": in_a_row(lambda i: SwinBlock(DIM, 2, DIM, WINDOW, (0, WINDOW // 2)[i % 2])),
    "CSWin": in_a_row(lambda i: CSWinBlock(DIM, 2, DIM, STRIPE)),
    "Shuffle": in_a_row(lambda i: ShuffleBlock(DIM, 2, DIM, WINDOW, i % 2 == 1)),
    "MSG": WithMessengers.build,
}


def heard(name, depth, row, column):
    """What one token hears after so many layers of a system: bool (SIDE, SIDE)."""
    return all_heard(name, depth, slice(row, row + 1), slice(column, column + 1))[0, 0]


def all_heard(name, depth, rows=slice(None), columns=slice(None)):
    """The same for several tokens: bool (rows, columns, SIDE, SIDE)."""
    torch.manual_seed(0)
    layers = SYSTEMS[name](depth)
    x = torch.randn(1, SIDE, SIDE, DIM, dtype=torch.float64)
    return reach(lambda x: layers(x)[:, rows, columns], x)


def layers_of(name, row, column):
    """After how many layers one token has heard all."""
    return next(d for d in itertools.count(1) if heard(name, d, row, column).all())


def figure(row, column, depths=(1, 2, 3, 4)):
    """Maps of what the token at (row, column) hears, a column for each system, a row for each
    number of layers: dark what it hears for the first time, pale what it had heard before."""
    colours = ListedColormap(["#f4f4f4", "#9ecae1", "#08519c"])
    fig, axes = plt.subplots(
        len(depths), len(SYSTEMS), figsize=(9.5, 1.12 * len(depths) + 0.45), squeeze=False,
        gridspec_kw={"wspace": 0.06, "hspace": 0.06},
    )  # fmt: skip
    for name, down in zip(SYSTEMS, axes.T):
        before = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        for depth, ax in zip(depths, down):
            now = heard(name, depth, row, column)
            ax.imshow((now.int() + (now & ~before).int()).numpy(), cmap=colours, vmin=0, vmax=2)
            ax.plot(column, row, "s", ms=4, color="#e69f00", mec="black", mew=0.6)
            ax.set_xticks([i - 0.5 for i in range(WINDOW, SIDE, WINDOW)], [])
            ax.set_yticks([i - 0.5 for i in range(WINDOW, SIDE, WINDOW)], [])
            ax.grid(color="#888888", lw=0.5)
            ax.tick_params(length=0)
            ax.spines[:].set_visible(True)
            before = now
        down[0].set_title(name, fontsize=9)
    for depth, ax in zip(depths, axes[:, 0]):
        ax.set_ylabel(f"{depth} layer" + "s" * (depth > 1), fontsize=9)
    return fig
