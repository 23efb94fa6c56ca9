"""The layers of a transformer in PyTorch. Taught in chapter 03.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3, with LayerNorm
after the sum (Post-LN); Xiong et al., On Layer Normalization in the Transformer Architecture
(ICML 2020, 2002.04745), with LayerNorm inside the branch (Pre-LN).
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention


class FeedForward(nn.Module):
    """Two linear maps with a bend between them, the same for every token.

    dim  features of a token; hidden  features between the maps, often 4 · dim
    activation  GELU as in the survey and in ViT, or F.relu as in the first paper
    """

    def __init__(self, dim: int, hidden: int, activation=F.gelu):
        super().__init__()
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.activation = activation

    def forward(self, x):
        """(..., dim)  ->  (..., dim)"""
        return self.down(self.activation(self.up(x)))


class Residual(nn.Module):
    """x + f(x) with one LayerNorm: in the branch, x + f(LN(x)), or after the sum, LN(x + f(x))."""

    def __init__(self, dim: int, norm_first: bool, eps: float = 1e-5):
        super().__init__()
        self.norm, self.norm_first = nn.LayerNorm(dim, eps), norm_first

    def forward(self, x, f):
        """x (..., dim), f a function of tokens  ->  (..., dim)"""
        return x + f(self.norm(x)) if self.norm_first else self.norm(x + f(x))


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network, each inside a residual.

    dim, heads  of the attention; hidden, activation  of the feed-forward network
    norm_first  True for Pre-LN, False for Post-LN
    eps         of both norms. Published weights need the one they were trained with: where the
                features of a token hardly differ, another eps gives other numbers.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        norm_first=True,
        activation=F.gelu,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, activation)
        self.around_attention = Residual(dim, norm_first, eps)
        self.around_feed_forward = Residual(dim, norm_first, eps)

    def forward(self, x, mask=None):
        """x (B, N, dim), mask as in MultiHeadAttention  ->  (B, N, dim)"""
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return self.around_feed_forward(x, self.feed_forward)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's memory, a feed-forward network.

    The arguments are those of EncoderLayer, without eps.
    """

    def __init__(self, dim: int, heads: int, hidden: int, norm_first=True, activation=F.gelu):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, activation)
        self.around_attention = Residual(dim, norm_first)
        self.around_cross_attention = Residual(dim, norm_first)
        self.around_feed_forward = Residual(dim, norm_first)

    def forward(self, x, memory, memory_mask=None):
        """x (B, N, dim), memory (B, M, dim), memory_mask bool, broadcasts to (B, N, M)
        ->  (B, N, dim); token i of x sees tokens 0 … i and the whole memory."""
        n = x.shape[-2]
        causal = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
        x = self.around_attention(x, lambda y: self.attention(y, mask=causal))
        x = self.around_cross_attention(x, lambda y: self.cross_attention(y, memory, memory_mask))
        return self.around_feed_forward(x, self.feed_forward)

    def start(self, memory):
        """A cache for `step`: the memory's keys and values, and those of no token yet."""
        return {"memory": self.cross_attention.keys_values(memory), "past": None}

    def step(self, x, cache, memory_mask=None):
        """The next token alone: x (B, 1, dim) and the cache  ->  (B, 1, dim), what `forward` gives
        for it after all tokens before it. The cache keeps the token's keys and values. Raises
        ValueError for several tokens: they would see each other, the later ones too."""
        if x.shape[-2] != 1:
            raise ValueError(f"{x.shape[-2]} tokens in one step, expected 1 in x (B, 1, dim)")

        def attend(y):
            k, v = self.attention.keys_values(y)  # (B, heads, 1, d)
            if cache["past"] is not None:
                k, v = (torch.cat(pair, dim=-2) for pair in zip(cache["past"], (k, v)))
            cache["past"] = k, v
            return self.attention.attend(y, k, v)

        x = self.around_attention(x, attend)
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention.attend(y, *cache["memory"], memory_mask)
        )
        return self.around_feed_forward(x, self.feed_forward)


def select_rows(cache, rows):
    """The cache of a decoder layer for other rows of the batch: rows (K,) int, which old row each
    new one continues; a row may be taken several times or not at all."""
    return {  # `past` is None before the first step
        name: None if pair is None else tuple(x[rows] for x in pair) for name, pair in cache.items()
    }
