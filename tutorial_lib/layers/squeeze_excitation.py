"""Squeeze-and-excitation: an image decides which of its channels count. Taught in chapter 09.

Hu et al., Squeeze-and-Excitation Networks (CVPR 2018, 1709.01507), section 3.
"""

from torch import nn


class SqueezeExcitation(nn.Module):
    """ũ_c = s_c u_c with s = σ(W_2 δ(W_1 z)): z_c is the mean of channel c, δ is ReLU.

    channels   C
    reduction  r, from 1 to C (or ValueError): W_1 maps C means to ⌊C / r⌋ numbers, W_2 maps back

    The maps have no biases, as in T2T-ViT's code (which reduces 16 times); timm's have.

    For maps (B, C, H, W); tokens (B, N, C) come as x.mT, (B, C, N), and go back the same way.
    """

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        if reduction < 1:
            raise ValueError(f"expected a reduction of 1 or more, got {reduction}")
        if channels < reduction:
            raise ValueError(f"{channels} channels cannot be reduced {reduction} times")
        self.down = nn.Linear(channels, channels // reduction, bias=False)
        self.up = nn.Linear(channels // reduction, channels, bias=False)

    def gate(self, u):
        """u (B, C, ...)  ->  s (B, C), each in (0, 1), the same for all positions of a channel"""
        z = u.flatten(2).mean(dim=2)  # (B, C)
        return self.up(self.down(z).relu()).sigmoid()

    def forward(self, u):
        """u (B, C, ...)  ->  the same shape"""
        s = self.gate(u)
        return u * s.view(*s.shape, *[1] * (u.ndim - 2))
