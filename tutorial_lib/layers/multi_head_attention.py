"""Multi-head attention in PyTorch. Taught in chapter 02.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.2.2.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.attention import check_mask, hide_unseen


def split_heads(x, heads):
    """(B, N, heads · d)  ->  (B, heads, N, d): head h gets features h·d to (h + 1)·d."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(x):
    """(B, heads, N, d)  ->  (B, N, heads · d), the inverse of `split_heads`."""
    return x.transpose(-3, -2).flatten(-2)


def fused_attention(q, k, v, mask=None, score_bias=None):
    """q (B, heads, N, d), k and v (B, heads, M, d); mask bool, broadcasts to (B, N, M), the same
    for every head, or None; score_bias float, broadcasts to (B, heads, N, M), or None
    ->  (B, heads, N, d), by the kernel that PyTorch chooses. Raises TypeError for a score_bias that
    is not float."""
    if score_bias is not None:
        if not score_bias.is_floating_point():  # bool would be a mask
            found = score_bias.dtype
            raise TypeError(f"score_bias is {found}, expected float: it is added to scores")
        score_bias = score_bias[(None,) * (4 - score_bias.ndim)]  # fused kernels want four axes
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=score_bias)
    mask = torch.atleast_2d(mask)[..., None, :, :]  # (..., 1, N or 1, M or 1)
    k, v = hide_unseen(k, mask), hide_unseen(v, mask)
    added = mask if score_bias is None else torch.where(mask, score_bias, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=added)


class MultiHeadAttention(nn.Module):
    """Self- or cross-attention in several subspaces at once.

    dim         features of a token that asks, and of the output; a multiple of heads
    heads       how many attentions run side by side, each on dim / heads features
    dim_memory  features of a token that answers; dim if not given
    bias        whether the four projections add a bias

    The methods take two ways of saying where tokens stand, both optional: score_bias (heads, N, M)
    is added to the scores, and rotate, a function of (B, heads, N, d), turns queries and keys.
    """

    def __init__(self, dim: int, heads: int, dim_memory: int | None = None, bias: bool = True):
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"{dim} features do not divide among {heads} heads")
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias)
        self.to_k = nn.Linear(dim_memory or dim, dim, bias)
        self.to_v = nn.Linear(dim_memory or dim, dim, bias)
        self.to_out = nn.Linear(dim, dim, bias)

    def queries(self, x, rotate=None):
        """x (B, N, dim)  ->  q (B, heads, N, d)"""
        q = split_heads(self.to_q(x), self.heads)
        return q if rotate is None else rotate(q)

    def keys_values(self, memory, rotate=None):
        """memory (B, M, dim_memory)  ->  k, v (B, heads, M, d), all that attention keeps of it."""
        k, v = (split_heads(to(memory), self.heads) for to in (self.to_k, self.to_v))
        return k if rotate is None else rotate(k), v

    def attend(self, x, k, v, mask=None, score_bias=None, rotate=None):
        """x (B, N, dim) asks, k and v (B, heads, M, d) answer  ->  (B, N, dim). The keys have been
        rotated already; rotate turns the queries."""
        check_mask(mask, x, k.shape[-2])
        z = fused_attention(self.queries(x, rotate), k, v, mask, score_bias)  # (B, heads, N, d)
        return self.to_out(merge_heads(z))

    def forward(self, x, memory=None, mask=None, score_bias=None, rotate=None):
        """x (B, N, dim), memory (B, M, dim_memory) or None for x itself; mask bool, broadcasts to
        (B, N, M), True where a query may look; one that may look nowhere hears zeros
        ->  (B, N, dim). Fused where PyTorch has a kernel for it; such a kernel is differentiable
        once, and as often as you like inside `with sdpa_kernel(SDPBackend.MATH):`."""
        memory = x if memory is None else memory
        check_mask(mask, x, memory.shape[-2])
        if mask is not None:  # hidden before the projections, whose gradient sums over it
            memory = hide_unseen(memory, mask)
        k, v = self.keys_values(memory, rotate)
        return self.attend(x, k, v, mask, score_bias, rotate)

    @torch.no_grad()
    def weights(self, x, memory=None, mask=None, score_bias=None, rotate=None):
        """The weights p (B, heads, N, M) that `forward` would use, which a fused kernel never
        stores."""
        memory = x if memory is None else memory
        check_mask(mask, x, memory.shape[-2])
        k, _ = self.keys_values(memory, rotate)
        units = torch.eye(k.shape[-2], dtype=k.dtype, device=k.device)
        units = units.expand(*k.shape[:-1], -1)  # as values: each comes back as its weight, p I = p
        return fused_attention(self.queries(x, rotate), k, units, mask, score_bias)
