"""Causal linear attention in PyTorch: at once, step by step, in chunks. Taught in chapter 38.

Katharopoulos et al., Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention
(ICML 2020, 2006.16236), section 3. The form in chunks is that of Hua et al., Transformer Quality in
Linear Time (ICML 2022, 2202.10447), and of most models since.

    phi_q, phi_k (..., N, r) positive features of queries and keys, v (..., N, m)
    S (..., r, m), Z (..., r)  sums of φ(k) vᵀ and of φ(k) over all tokens so far: the state

Attention without a mask, `linear_attention(phi_q, phi_k, v)`, is in `layers/performer.py`.
"""

import torch
from torch import nn

from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads


def phi(x):
    """The paper's feature map: x + 1 above zero, exp(x) below; any shape. (PyTorch's own elu is
    exp(x) − 1 there: below −17 nothing of it is left in float32 when one is added again.)"""
    return torch.where(x > 0, x + 1, x.clamp(max=0).exp())


def empty_state(phi_k, v):
    """S and Z before the first token, zeros: for phi_k (..., N, r), v (..., N, m)."""
    S = v.new_zeros(*v.shape[:-2], phi_k.shape[-1], v.shape[-1])
    return S, phi_k.new_zeros(*phi_k.shape[:-2], phi_k.shape[-1])


def cumulative_attention(phi_q, phi_k, v):
    """All tokens at once, by PyTorch's own functions, with every S_i in memory, N · r · m numbers.

    phi_q, phi_k (..., N, r), v (..., N, m)  ->  y (..., N, m)
    """
    S = (phi_k[..., :, None] * v[..., None, :]).cumsum(dim=-3)  # (..., N, r, m)
    Z = phi_k.cumsum(dim=-2)  # (..., N, r)
    numerator = (phi_q[..., None, :] @ S).squeeze(-2)
    return numerator / (phi_q * Z).sum(dim=-1, keepdim=True)


def recurrent_step(phi_q, phi_k, v, S, Z):
    """One more token, as a recurrent network takes it in.

    phi_q, phi_k (..., r), v (..., m) of this token; S (..., r, m), Z (..., r) of those before it
    ->  y (..., m), S, Z with this token in them: new tensors, the old ones stay as they are
    """
    S = S + phi_k[..., :, None] * v[..., None, :]
    Z = Z + phi_k
    numerator = (phi_q[..., None, :] @ S).squeeze(-2)
    return numerator / (phi_q * Z).sum(dim=-1, keepdim=True), S, Z


def attend_chunk(phi_q, phi_k, v, S, Z):
    """The next C tokens together.

    phi_q, phi_k (..., C, r), v (..., C, m); S (..., r, m), Z (..., r) of all tokens before them
    ->  y (..., C, m), S, Z with these tokens in them

    Token i of the chunk hears what came before the chunk, and tokens 0 … i of the chunk itself. One
    product of C × C is allowed, and no loop.
    """
    A = (phi_q @ phi_k.mT).tril()  # (..., C, C)
    numerator = phi_q @ S + A @ v  # (..., C, m)
    denominator = phi_q @ Z[..., None] + A.sum(dim=-1, keepdim=True)  # (..., C, 1)
    return numerator / denominator, S + phi_k.mT @ v, Z + phi_k.sum(dim=-2)


def attend_in_chunks(phi_q, phi_k, v, S=None, Z=None, chunk: int = 32):
    """N tokens, a chunk at a time: a chunk of 1 is the recurrent network, one of N the definition.

    S, Z  the state that earlier tokens have left, both or neither  ->  y (..., N, m), S, Z
    """
    if S is None:
        S, Z = empty_state(phi_k, v)
    parts = []
    for q, k, of_chunk in zip(*(x.split(chunk, dim=-2) for x in (phi_q, phi_k, v))):
        y, S, Z = attend_chunk(q, k, of_chunk, S, Z)
        parts.append(y)
    return torch.cat(parts, dim=-2), S, Z


class LinearAttention(nn.Module):
    """Causal self-attention whose memory of the past has one size, however long the past is.

    dim    features of a token; a multiple of heads
    heads  each works on dim / heads features, with a state S, Z of its own

    Its parts are four linear maps with bias, to_q, to_k, to_v and to_out. φ is elu + 1.
    """

    def __init__(self, dim: int, heads: int):
        """Make the parts."""
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_v, self.to_out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, S=None, Z=None):
        """x (B, N, dim), the next N tokens; S (B, heads, d, d) and Z (B, heads, d), with d =
        dim / heads, are what the tokens before them have left, or None where there were none
        ->  y (B, N, dim), S, Z with these N in them"""
        q, k, v = (split_heads(to(x), self.heads) for to in (self.to_q, self.to_k, self.to_v))
        z, S, Z = attend_in_chunks(phi(q), phi(k), v, S, Z)
        return self.to_out(merge_heads(z)), S, Z


def delta_step(q, k, v, beta, S):
    """One more token by the delta rule: what is filed under a key is corrected, not added to.

    q, k (..., r), k of length 1; v (..., m); beta (..., 1) from 0 to 1, how much is corrected
    S (..., r, m)  ->  y (..., m) = Sᵀ q with the new S, and the new S = S + β k (v − Sᵀ k)ᵀ

    Schlag et al., Linear Transformers Are Secretly Fast Weight Programmers (ICML 2021, 2102.11174),
    section 4.2. There is no denominator.
    """
    held = (k[..., None, :] @ S).squeeze(-2)  # (..., m), what is filed under k now
    S = S + k[..., :, None] * (beta * (v - held))[..., None, :]
    return (q[..., None, :] @ S).squeeze(-2), S
