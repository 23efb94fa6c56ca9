"""Attention among chosen blocks, by gathering them: cost grows with N. Taught in chapter 38.

Zaheer et al., Big Bird: Transformers for Longer Sequences (NeurIPS 2020, 2007.14062), appendix D.
Which block looks at which is a mask of `from_scratch/big_bird.py`.
"""

import torch
import torch.nn.functional as F

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention, merge_heads, split_heads


def gathered_attention(q, k, v, mask):
    """softmax(q kᵀ / √d) v over the keys of the blocks that a query's block may look at.

    q, k, v (B, heads, N, d); mask bool (1 or heads, n, n), True where block i of N / n queries may
    look at block j of N / n keys; every block must look somewhere  ->  (B, heads, N, d)

    No array of N × N is made. Rows of blocks that look at all keys, Big Bird's global ones, are
    computed as they are; all others look at K blocks at most, and their keys are copied side by
    side, K N rows.
    """
    n, heads = mask.shape[-1], q.shape[1]
    if q.shape[2] % n:
        raise ValueError(f"{q.shape[2]} tokens do not divide into {n} blocks")
    if not mask.any(dim=-1).all():
        raise ValueError("a block of the mask may look nowhere")
    mask = mask.expand(heads, n, n)
    in_blocks = [x.unflatten(2, (n, -1)) for x in (q, k, v)]  # (B, heads, n, size, d)
    sees_all = mask.all(dim=-1).all(dim=0)  # (n,)
    out = torch.empty_like(in_blocks[0])
    out[:, :, sees_all] = _look_everywhere(in_blocks[0][:, :, sees_all], k, v)
    out[:, :, ~sees_all] = _look_at_some(*in_blocks, mask, ~sees_all)
    return out.flatten(2, 3)


def _look_everywhere(q, k, v):
    """q (B, heads, g, size, d) of global blocks, k and v (B, heads, N, d)  ->  as q"""
    return F.scaled_dot_product_attention(q.flatten(2, 3), k, v).view_as(q)


def _look_at_some(q, k, v, mask, rows):
    """q, k, v (B, heads, n, size, d), mask (heads, n, n), rows bool (n,): those that are asked for
    ->  (B, heads, R, size, d), R of the n blocks"""
    size, count = q.shape[3], mask.sum(dim=-1)[:, rows]  # (heads, R), blocks that each looks at
    if not rows.any():
        return q[:, :, rows]
    index = mask[:, rows].int().argsort(dim=-1, descending=True)[..., : count.max()]  # those first
    seen = torch.arange(index.shape[-1], device=q.device) < count[..., None]  # (heads, R, K)
    head = torch.arange(len(mask), device=q.device)[:, None, None]
    k, v = (x[:, head, index].flatten(3, 4) for x in (k, v))  # (B, heads, R, K · size, d)
    seen = seen.repeat_interleave(size, dim=-1)[..., None, :]  # (heads, R, 1, K · size)
    return F.scaled_dot_product_attention(q[:, :, rows], k, v, attn_mask=seen)


class BigBirdAttention(MultiHeadAttention):
    """Self-attention in several heads, each block of tokens among the blocks of a mask.

    dim, heads  as in MultiHeadAttention
    mask        bool (1 or heads, n, n), as in `gathered_attention`; not trained and not saved
    """

    def __init__(self, dim: int, heads: int, mask):
        super().__init__(dim, heads)
        self.register_buffer("mask", torch.as_tensor(mask), persistent=False)

    def forward(self, x, mask=None):
        """x (B, N, dim), N a multiple of n  ->  (B, N, dim). The argument mask, which an
        EncoderLayer hands on, must be None: hiding single tokens is left out here."""
        if mask is not None:
            raise ValueError("BigBirdAttention takes no mask of tokens, expected None")
        q, k, v = (split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, self.to_v))
        return self.to_out(merge_heads(gathered_attention(q, k, v, self.mask)))
