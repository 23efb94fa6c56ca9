"""A map of tokens cut into windows, and attention inside each of them. Taught in chapter 07.

Chu et al., Twins (NeurIPS 2021, 2104.13840), section 3.2, where it is locally-grouped attention;
Liu et al., Swin Transformer (ICCV 2021, 2103.14030), where windows also move. Windows are numbered
row by row, and so are the tokens in each.
"""

from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import RelativeBias
from tutorial_lib.layers.transformer import EncoderLayer


def check_map(x, size):
    """ValueError unless x is a map of tokens (B, H, W, dim) that windows of size × size cover."""
    if x.ndim != 4:
        raise ValueError(f"the map of tokens is {tuple(x.shape)}, expected (B, H, W, dim)")
    height, width = x.shape[1:3]
    if height % size or width % size:
        raise ValueError(f"{height} × {width} tokens do not divide into windows of {size} × {size}")


def to_windows(x, size):
    """x (B, H, W, dim), H and W multiples of size  ->  (B, n, size², dim), n windows. ValueError
    for a map that does not divide."""
    check_map(x, size)
    x = x.unflatten(2, (-1, size)).unflatten(1, (-1, size))  # (B, rows, size, columns, size, dim)
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(windows, height, width):
    """The inverse of `to_windows`: (B, n, size², dim)  ->  (B, height, width, dim)."""
    size = round(windows.shape[2] ** 0.5)
    x = windows.unflatten(2, (size, size)).unflatten(1, (height // size, width // size))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class WindowAttention(MultiHeadAttention):
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
            raise ValueError("WindowAttention takes no mask of tokens, expected None")
        windows = to_windows(x, self.window)  # (B, n, window², dim)
        bias = None if self.relative is None else self.relative()
        heard = super().forward(windows.flatten(0, 1), score_bias=bias)
        return from_windows(heard.view_as(windows), *x.shape[1:3])


class MapLayer(EncoderLayer):
    """An encoder layer with an attention of one's own, for maps of tokens as well as for rows.

    attention  a module from what the layer reads to the same shape, called with mask=None
    dim, hidden, eps  as in EncoderLayer
    """

    def __init__(self, attention: nn.Module, dim: int, hidden: int, eps: float = 1e-5):
        super().__init__(dim, 1, hidden, eps=eps)
        self.attention = attention
