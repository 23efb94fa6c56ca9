"""Riptide: a binary network that stays in integers from layer to layer. Taught in chapter 36.

Fromm, Cowan, Philipose, Ceze, Patel, Riptide: Fast End-to-End Binarized Neural Networks (MLSys
2020), sections 3 and 4. Weights are signs, activations whole numbers of `bits` bits from zero on.
What stands between two convolutions in other binary networks, a weight scale, batch norm and a
quantizer, all in floats, is here one subtraction and one shift ("fused glue"): both scales are
rounded to powers of two, the mean to the grid on which the sums lie.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.packed_bits import bit_planes, bitserial_product, fused_glue, pack
from tutorial_lib.layers.quantization import straight_through


def power_of_two(x):
    """The power of two nearest to each number > 0 in the exponent, "AP2": 2^round(log₂ x)."""
    return x.log2().round().exp2()


def to_levels(x, bits):
    """Round half up to 0 … 2^bits − 1, with the gradient of the clipping: a tensor like x."""
    x = x.clamp(0, 2**bits - 1)
    return straight_through(x, (x + 0.5).floor())


class BinaryBlock(nn.Module):
    """A 3 × 3 convolution of levels with signs, and the glue that makes levels of its sums.

    channels, width, stride  of the convolution, padding 1
    bits                     of a level: whole numbers in 0 … n, n = 2^bits − 1, that stand for
                             0, 1/n, …, 1

    Batch statistics in training, their running averages in evaluation, as nn.BatchNorm2d has them,
    without a learned scale and shift.
    """

    def __init__(self, channels: int, width: int, stride: int, bits: int):
        super().__init__()
        self.stride, self.bits = stride, bits
        self.weight = nn.Parameter(torch.randn(width, channels, 3, 3) / (9 * channels) ** 0.5)
        self.norm = nn.BatchNorm2d(width, affine=False)  # its running averages; the glue divides

    def forward(self, levels):
        """levels (B, channels, H, W)  ->  levels (B, width, H / stride, W / stride), rounded up"""
        signs = straight_through(self.weight, torch.where(self.weight >= 0, 1.0, -1.0))
        sums = F.conv2d(levels, signs, None, self.stride, padding=1)  # whole numbers
        alpha = self.weight_scale()
        x = alpha * sums
        if self.training:
            self.norm(x.detach())  # updates the running averages
            variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        else:
            variance, mean = self.norm.running_var, self.norm.running_mean
        mean, scale = mean[:, None, None], self.shift_scale(variance)[:, None, None]
        mean = straight_through(mean, alpha * (mean / alpha).round())
        return to_levels((x - mean) * scale, self.bits)

    def weight_scale(self):
        """α (width, 1, 1): the size of a filter's weights, a power of two, and no gradient."""
        return power_of_two(self.weight.detach().abs().mean(dim=(1, 2, 3)))[:, None, None]

    def shift_scale(self, variance):
        """n / σ of each channel as a power of two (width,): what has the size σ becomes n levels;
        its gradient is that of n / σ."""
        exact = (2**self.bits - 1) / (variance + self.norm.eps).sqrt()
        return straight_through(exact, power_of_two(exact))

    @torch.no_grad()
    def integers(self):
        """All that deployment needs: signs, packed uint64 (width, ⌈9 channels / 64⌉); mean int32
        (width,) on the grid of the sums; shift int32 (width,), bits to the right."""
        alpha = self.weight_scale().flatten()
        scale = self.shift_scale(self.norm.running_var)
        return (
            pack(self.weight.flatten(1).numpy() >= 0),
            (self.norm.running_mean / alpha).round().int().numpy(),
            (-(alpha * scale).log2()).int().numpy(),
        )


def integer_block(levels, signs, mean, shift, stride, bits):
    """`BinaryBlock` in evaluation without a float: levels int (B, C, H, W), and what `integers`
    gives  ->  levels int (B, width, H / stride, W / stride)"""
    padded = np.pad(levels, [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5)  # (B, h, w, C, 3, 3)
    B, h, w = windows.shape[:3]
    rows = windows.reshape(B * h * w, -1)  # (B h w, 9 C)
    sums = bitserial_product(pack(bit_planes(rows, bits)), signs)  # (B h w, width)
    return fused_glue(sums, mean, shift, bits).reshape(B, h, w, -1).transpose(0, 3, 1, 2)


class Riptide(nn.Module):
    """The course's small CNN with three of its four convolutions binary; the first, whose input is
    a picture, and the head stay in floats.

    channels, classes  of the image; how many there are to choose from
    width              features of the first two convolutions, half of the last two's
    bits               of an activation
    """

    Block = BinaryBlock

    def __init__(self, channels: int, classes: int, width: int, bits: int):
        super().__init__()
        self.bits = bits
        self.first = nn.Conv2d(channels, width, 3, 2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            self.Block(width, width, 1, bits),
            self.Block(width, 2 * width, 2, bits),
            self.Block(2 * width, 2 * width, 1, bits),
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        return self.read(self.blocks(self.levels(images)))

    def levels(self, images):
        """What the first binary convolution reads: (B, width, H / 2, W / 2) whole numbers."""
        return to_levels((2**self.bits - 1) * self.norm(self.first(images)), self.bits)

    def read(self, levels):
        """The mean over all places, levels as shares of the largest one, and the head."""
        return self.head(levels.mean(dim=(-2, -1)) / (2**self.bits - 1))

    @torch.no_grad()
    def forward_integers(self, images):
        """`forward` in evaluation, all blocks on packed words: the same logits."""
        levels = self.levels(images).int().numpy()
        for block in self.blocks:
            levels = integer_block(levels, *block.integers(), block.stride, self.bits)
        return self.read(torch.from_numpy(levels).float())
