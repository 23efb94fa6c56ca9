"""Attention with one head, in PyTorch. Taught in chapter 01.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.2.1.
"""

import torch
import torch.nn.functional as F
from torch import nn


def check_mask(mask, x, m):
    """A mask for tokens x (..., N, dim) that ask m tokens, or None. TypeError if it is not bool:
    PyTorch *adds* a float one to the scores, so zeros and ones would hide nothing. ValueError if it
    does not broadcast to (..., N, m)."""
    if mask is None:
        return
    if getattr(mask, "dtype", None) is not torch.bool:
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"mask is {kind}, expected bool: True where a query may look")
    expected = (*x.shape[:-1], m)
    fits = all(axis in (1, full) for axis, full in zip(mask.shape[::-1], expected[::-1]))
    if mask.ndim > len(expected) or not fits:
        raise ValueError(f"mask is {tuple(mask.shape)}, expected {expected}, or 1 for an axis")


def hide_unseen(x, mask):
    """Zeros for the tokens that no query may look at, so that what lies in padding, even NaN, has
    no way into a sum: 0 · NaN is NaN. x (..., M, d), mask bool (..., N or 1, M or 1)."""
    seen = torch.atleast_2d(mask).any(dim=-2)[..., None]  # (..., M or 1, 1)
    return x.masked_fill(~seen, 0)


def dot_product_attention(q, k, v, mask=None):
    """softmax(q kᵀ / √d) v on any device, with the weights that made it.

    q (..., N, d), k (..., M, d), v (..., M, d_v); mask bool, broadcasts to (..., N, M), True where
    a query may look, or None; a query that may look nowhere gets zeros
    ->  z (..., N, d_v), p (..., N, M)
    """
    s = (q / q.shape[-1] ** 0.5) @ k.mT  # (..., N, M); scaled first, or float16 overflows
    if mask is None:
        p = s.softmax(dim=-1)
    else:  # filled twice: the softmax of a row of −∞ is NaN
        p = s.masked_fill(~mask, float("-inf")).softmax(dim=-1).masked_fill(~mask, 0)
    return p @ v, p


class Attention(nn.Module):
    """Self- or cross-attention with learned projections and one head.

    dim         features of a token that asks, and of the output
    dim_head    features of queries, keys and values; dim if not given
    dim_memory  features of a token that answers; dim if not given
    """

    def __init__(self, dim: int, dim_head: int | None = None, dim_memory: int | None = None):
        super().__init__()
        dim_head, dim_memory = dim_head or dim, dim_memory or dim
        self.to_q = nn.Linear(dim, dim_head, bias=False)
        self.to_k = nn.Linear(dim_memory, dim_head, bias=False)
        self.to_v = nn.Linear(dim_memory, dim_head, bias=False)
        self.to_out = nn.Linear(dim_head, dim, bias=False)

    def forward(self, x, memory=None, mask=None):
        """x (B, N, dim), memory (B, M, dim_memory) or None for x itself, mask as in
        `dot_product_attention`  ->  (B, N, dim). Fused where PyTorch has a kernel for it; such a
        kernel is differentiable once, `dot_product_attention` as often as you like."""
        memory = x if memory is None else memory
        check_mask(mask, x, memory.shape[-2])
        if mask is not None:
            memory = hide_unseen(memory, mask)
            mask = torch.atleast_2d(mask).unsqueeze(-3)
        q, k, v = self.to_q(x), self.to_k(memory), self.to_v(memory)  # (B, N or M, dim_head)
        # PyTorch's fused kernels want an axis of heads: (B, 1, N or M, dim_head).
        q, k, v = (t.unsqueeze(-3) for t in (q, k, v))
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out(z.squeeze(-3))

    @torch.no_grad()
    def weights(self, x, memory=None, mask=None):
        """The weights p (B, N, M) that `forward` would use, which a fused kernel never stores."""
        memory = x if memory is None else memory
        check_mask(mask, x, memory.shape[-2])
        return dot_product_attention(self.to_q(x), self.to_k(memory), self.to_v(memory), mask)[1]
