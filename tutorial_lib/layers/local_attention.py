"""Attention inside the windows of a map of tokens, with weights of its own. Taught in chapter 07.

Chu et al., Twins (NeurIPS 2021, 2104.13840), section 3.2, where it is locally-grouped attention;
Lin et al., CAT (ICME 2022, 2106.05786), where it is inner-patch attention. How a map is cut into
windows stands in `layers/windows.py`, where windows also move.
"""

from torch import nn

from tutorial_lib.from_scratch.windows import window_counts
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import RelativeBias
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.layers.windows import window_partition, window_reverse


def check_map(x, size):
    """ValueError unless x is a map of tokens (B, H, W, dim) that windows of size × size cover."""
    if x.ndim != 4:
        raise ValueError(f"the map of tokens is {tuple(x.shape)}, expected (B, H, W, dim)")
    window_counts(*x.shape[1:3], size, size)


class LocalAttention(MultiHeadAttention):
    """Self-attention in several heads, of each token among those of its own window.

    dim, heads  as in MultiHeadAttention
    window      tokens, the side of a window
    relative    whether each head adds a learned bias for the offset of two tokens
    """

    def __init__(self, dim: int, heads: int, window: int, relative: bool):
        super().__init__(dim, heads)
        self.window = window
        self.relative = RelativeBias(window, window, heads) if relative else None

    def forward(self, x, mask=None):
        """x (B, H, W, dim), H and W multiples of the window  ->  (B, H, W, dim). mask, which an
        EncoderLayer hands on, must be None."""
        if mask is not None:
            raise ValueError("LocalAttention takes no mask of tokens, expected None")
        check_map(x, self.window)
        windows = window_partition(x, self.window, self.window)  # (B, n, window², dim)
        bias = None if self.relative is None else self.relative()
        heard = super().forward(windows.flatten(0, 1), score_bias=bias)
        return window_reverse(heard.view_as(windows), self.window, self.window, *x.shape[1:3])


class MapLayer(EncoderLayer):
    """An encoder layer with an attention of one's own, for maps of tokens as well as for rows.

    attention  a module from what the layer reads to the same shape, called with mask=None
    dim, hidden, eps  as in EncoderLayer
    """

    def __init__(self, attention: nn.Module, dim: int, hidden: int, eps: float = 1e-5):
        super().__init__(dim, 1, hidden, eps=eps)
        self.attention = attention
