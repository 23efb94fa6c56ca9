"""A causal transformer that writes a picture pixel by pixel. Taught in chapter 38.

Katharopoulos et al., Transformers are RNNs (ICML 2020, 2006.16236), section 4.2, with gray levels
as words and a cross-entropy where the paper has a mixture of logistics.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.linear_attention import LinearAttention
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.positions import LearnedPositions2D
from tutorial_lib.layers.transformer import FeedForward, Residual


class SoftmaxAttention(MultiHeadAttention):
    """Causal softmax attention, called as `LinearAttention` is. What it keeps of the past are all
    keys and values, so it grows with every token."""

    def forward(self, x, k=None, v=None):
        """x (B, N, dim), the next N tokens; k, v (B, heads, M, d) of the M before them, or None
        ->  y (B, N, dim), k and v (B, heads, M + N, d)"""
        q, (new_k, new_v) = self.queries(x), self.keys_values(x)
        if k is None:
            z = F.scaled_dot_product_attention(q, new_k, new_v, is_causal=True)
            k, v = new_k, new_v
        else:
            k, v = torch.cat([k, new_k], dim=-2), torch.cat([v, new_v], dim=-2)
            N, M = x.shape[-2], k.shape[-2]
            seen = None if N == 1 else torch.ones(N, M, dtype=torch.bool).tril(M - N)
            z = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.to_out(z.transpose(-3, -2).flatten(-2)), k, v


class PixelLayer(nn.Module):
    """An encoder layer (Pre-LN) whose attention hands its memory of the past on."""

    def __init__(self, dim: int, heads: int, hidden: int, attention):
        super().__init__()
        self.attention = attention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.norm = nn.LayerNorm(dim)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x, state=()):
        """x (B, N, dim), state: what the attention gave beside y  ->  (B, N, dim), the new state"""
        y, *state = self.attention(self.norm(x), *state)
        return self.around_feed_forward(x + y, self.feed_forward), state


class PixelModel(nn.Module):
    """Says how likely each gray level is for the next pixel.

    rows, columns       of a picture; its pixels are numbered row by row
    levels              gray levels, 0 … levels − 1; `levels` itself stands for the beginning
    dim, depth, heads, hidden  of its layers
    attention           a class, made as attention(dim, heads) and called as `LinearAttention` is
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        levels: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
        attention=LinearAttention,
    ):
        super().__init__()
        self.levels, self.pixels = levels, rows * columns
        self.embed = nn.Embedding(levels + 1, dim)
        self.positions = LearnedPositions2D(rows, columns, dim)
        self.layers = nn.ModuleList(PixelLayer(dim, heads, hidden, attention) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, levels)
        nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, before):
        """before int (B, N): at place i the pixel that comes before pixel i, `levels` at place 0
        ->  logits (B, N, levels): place i speaks of pixel i and has seen those before it"""
        return self.read(before)[0]

    def read(self, before, start: int = 0, states=None):
        """The next N places, from place `start` on; states: what `read` gave for those before
        ->  logits (B, N, levels), states"""
        places = self.positions()[start : start + before.shape[1]]
        x, after = self.embed(before) + places, []
        for i, layer in enumerate(self.layers):
            x, state = layer(x, states[i] if states else ())
            after.append(state)
        return self.head(self.norm(x)), after


def shifted(pixels, levels: int):
    """What the model reads to speak of pixels int (B, N): `levels`, then all but the last."""
    return F.pad(pixels[:, :-1], (1, 0), value=levels)


@torch.no_grad()
def complete(model: PixelModel, beginning, generator=None, temperature: float = 1.0):
    """Go on with pictures, a pixel drawn after the other.

    beginning int (B, M), the first M pixels, M may be 0; temperature divides the logits
    ->  pixels int (B, N), all of a picture, the first M as they were
    """
    last = F.pad(beginning, (1, 0), value=model.levels)  # (B, 1 + M)
    states, written = None, [beginning]
    for place in range(beginning.shape[1], model.pixels):
        logits, states = model.read(last, place + 1 - last.shape[1], states)
        p = (logits[:, -1] / temperature).softmax(dim=-1)
        last = torch.multinomial(p, 1, generator=generator)  # (B, 1)
        written.append(last)
    return torch.cat(written, dim=1)
