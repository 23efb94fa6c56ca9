"""Ghost features: some are computed, the rest are cheap copies of them. Taught in chapter 09.

Han et al., GhostNet: More Features from Cheap Operations (CVPR 2020, 1911.11907), section 3.1, for
maps; Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.2 and code, for tokens.
"""

import torch
from torch import nn


def _check_ratio(out, ratio, what):
    if ratio < 2:
        raise ValueError(f"expected a ratio of 2 or more, got {ratio}")
    if out % ratio:
        raise ValueError(f"{out} {what} are not a multiple of the ratio {ratio}")


class GhostModule(nn.Module):
    """A convolution whose first n / s maps are computed, each of which then makes s − 1 ghosts.

    channels  c of the input; out  n, of the output, a multiple of ratio
    kernel    k of the computed part; cheap_kernel  d of the convolutions within one map; both odd
    ratio     s, 2 or more: about s times fewer operations than a full convolution

    Raises ValueError for other kernels and ratios.

    Linear, as in the paper's equations 3 and 4. The authors' code adds BatchNorm and ReLU to both
    parts.
    """

    def __init__(self, channels: int, out: int, kernel: int, cheap_kernel: int, ratio: int):
        super().__init__()
        _check_ratio(out, ratio, "channels")
        if not (kernel % 2 and cheap_kernel % 2):  # k // 2 on each side keeps the size only if odd
            raise ValueError(f"expected odd kernels, got {kernel} and {cheap_kernel}")
        m = out // ratio
        self.primary = nn.Conv2d(channels, m, kernel, padding=kernel // 2, bias=False)
        self.cheap = nn.Conv2d(
            m, out - m, cheap_kernel, padding=cheap_kernel // 2, groups=m, bias=False
        )

    def forward(self, x):
        """(B, c, H, W)  ->  (B, n, H, W): the computed maps, then the ghosts of the first, …"""
        y = self.primary(x)  # (B, n / s, H, W)
        return torch.cat([y, self.cheap(y)], dim=1)


class GhostLinear(nn.Module):
    """The same for tokens, where "within one map" leaves one number: a ghost is a scaled feature.

    dim, out    features of a token before and after; out is a multiple of ratio
    ratio       s, 2 or more: one feature in s is computed, and scaled and bent s − 1 times. Another
                raises ValueError
    activation  the bend, after the computed features and again after the scaled ones. If not
                given, the layer is a linear map of rank out / ratio at most: a ghost is a multiple
                of its feature. As a query or key it can still be of use, in another head, where the
                same features are weighted in another way

    Scales begin as N(0, 1). The published code has a convolution of one weight a feature there,
    which PyTorch begins evenly between −1 and 1.
    """

    def __init__(self, dim: int, out: int, ratio: int, activation=None):
        super().__init__()
        _check_ratio(out, ratio, "features")
        self.primary = nn.Linear(dim, out // ratio)
        self.scales = nn.Parameter(torch.randn(ratio - 1, out // ratio))
        self.activation = activation or nn.Identity()

    def forward(self, x):
        """(..., dim)  ->  (..., out): the computed features, then one block of ghosts per scale"""
        y = self.activation(self.primary(x))  # (..., out / s)
        ghosts = self.activation(y.unsqueeze(-2) * self.scales)  # (..., s − 1, out / s)
        return torch.cat([y, ghosts.flatten(-2)], dim=-1)
