"""Causal linear attention, forward and backward, as three Triton kernels.

The definition needs N x N weights; the running sums of the paper need one state for each token, if
a GPU is to have them all at once. Here a program owns one head, keeps the state on chip, and walks
over the tokens a tile at a time: inside a tile by the definition, to all tokens before it by the
state. Memory beyond inputs and outputs is O(N), time O(N).

    A = tril(Q K^T) of a tile           S, z = sums of k v^T and of k over all tiles before
    den = A 1 + Q z                     O = (A V + Q S) / den
    G = dO / den,  h = -rowsum(G * O)   gradients of numerator and denominator, one h a token
    dQ = tril(G V^T + h) K + G S^T + h z               walks forward, S and z made once more
    dK = tril(G V^T + h)^T Q + V R^T + r               walks backward: R, r = sums of q g^T, q h
    dV = A^T G + K R                                   over all tiles behind

Names: Q and K are positive features phi(q), phi(k) already, `D` numbers a head, as V; `BLOCK` rows
of a tile. The shapes in comments are those of one tile, with n = BLOCK.

One program for each head is the simple way, and few programs for a GPU when batch and heads are
few; libraries cut the sequence too, compute the tiles' sums in parallel and add them up in a pass
of its own. Runs on CUDA tensors, or on CPU tensors in Triton's interpreter, as `flash_attention`.

Sources: Katharopoulos et al. 2020 (arXiv 2006.16236), section 3.3.1, for the gradients; Yang et al.
2023 (2312.06635) for the walk in tiles.
"""

import torch
from torch.autograd.function import once_differentiable

from tutorial_lib.kernels import flash_attention as flash
from tutorial_lib.kernels.flash_attention import _dot, _load_rows, _store_rows, tl, triton


@triton.jit
def _tile(start, N, BLOCK: tl.constexpr):
    """Row numbers of the tile, and True (n, n) where row i may look at row j."""
    rows = start + tl.arange(0, BLOCK)
    return rows, rows[:, None] >= rows[None, :]


@triton.jit(do_not_specialize=["N"])  # one compilation serves every length
def _forward_kernel(Q, K, V, O, den, N, D: tl.constexpr, BLOCK: tl.constexpr):
    """All tiles of one head, first to last. Writes O (heads, N, D) and den (heads, N)."""
    head = tl.program_id(0).to(tl.int64)  # head * N * D may not fit in 32 bits
    s, z = tl.zeros((D, D), tl.float32), tl.zeros((D,), tl.float32)
    for start in range(0, N, BLOCK):
        rows, seen = _tile(start, N, BLOCK)
        q = _load_rows(Q, head, rows, N, D)  # (n, D); rows past the end read as zeros, add nothing
        k = _load_rows(K, head, rows, N, D)
        v = _load_rows(V, head, rows, N, D)
        a = tl.where(seen, _dot(q, tl.trans(k)), 0.0)  # (n, n)
        numerator = _dot(a.to(v.dtype), v) + _dot(q, s.to(q.dtype))  # (n, D)
        total = tl.sum(a, axis=1) + tl.sum(q.to(tl.float32) * z[None, :], axis=1)  # (n,)
        total = tl.where(rows < N, total, 1.0)
        _store_rows(O, head, rows, N, numerator / total[:, None], D)
        tl.store(den + head * N + rows, total, mask=rows < N)
        s += _dot(tl.trans(k), v)
        z += tl.sum(k.to(tl.float32), axis=0)


@triton.jit(do_not_specialize=["N"])
def _backward_q_kernel(K, V, G, h, dQ, N, D: tl.constexpr, BLOCK: tl.constexpr):
    """All tiles of one head, first to last. Writes dQ (heads, N, D)."""
    head = tl.program_id(0).to(tl.int64)
    s, z = tl.zeros((D, D), tl.float32), tl.zeros((D,), tl.float32)
    for start in range(0, N, BLOCK):
        rows, seen = _tile(start, N, BLOCK)
        k = _load_rows(K, head, rows, N, D)  # (n, D)
        v = _load_rows(V, head, rows, N, D)
        g = _load_rows(G, head, rows, N, D)
        hs = tl.load(h + head * N + rows, mask=rows < N, other=0.0)  # (n,)
        da = tl.where(seen, _dot(g, tl.trans(v)) + hs[:, None], 0.0)  # (n, n)
        dq = _dot(da.to(k.dtype), k) + _dot(g, tl.trans(s).to(g.dtype))
        _store_rows(dQ, head, rows, N, dq + hs[:, None] * z[None, :], D)
        s += _dot(tl.trans(k), v)
        z += tl.sum(k.to(tl.float32), axis=0)


@triton.jit(do_not_specialize=["N"])
def _backward_kv_kernel(Q, K, V, G, h, dK, dV, N, D: tl.constexpr, BLOCK: tl.constexpr):
    """All tiles of one head, last to first. Writes dK and dV (heads, N, D)."""
    head = tl.program_id(0).to(tl.int64)
    later, later_z = tl.zeros((D, D), tl.float32), tl.zeros((D,), tl.float32)  # R and r
    tiles = tl.cdiv(N, BLOCK)
    for i in range(0, tiles):
        rows, seen = _tile((tiles - 1 - i) * BLOCK, N, BLOCK)
        q = _load_rows(Q, head, rows, N, D)  # (n, D)
        k = _load_rows(K, head, rows, N, D)
        v = _load_rows(V, head, rows, N, D)
        g = _load_rows(G, head, rows, N, D)
        hs = tl.load(h + head * N + rows, mask=rows < N, other=0.0)  # (n,)
        # Transposed, keys down and queries across: no tile has to be turned between two products.
        at = tl.where(tl.trans(seen), _dot(k, tl.trans(q)), 0.0)  # (n, n)
        dv = _dot(at.to(g.dtype), g) + _dot(k, later.to(k.dtype))
        dat = tl.where(tl.trans(seen), _dot(v, tl.trans(g)) + hs[None, :], 0.0)  # (n, n)
        dk = _dot(dat.to(q.dtype), q) + _dot(v, tl.trans(later).to(v.dtype)) + later_z[None, :]
        _store_rows(dK, head, rows, N, dk, D)
        _store_rows(dV, head, rows, N, dv, D)
        later += _dot(tl.trans(q), g)
        later_z += tl.sum(q.to(tl.float32) * hs[:, None], axis=0)


def _launch(kernel, tensors, shape):
    B, H, N, d = shape
    block = 16 if flash.INTERPRETED else 64 if d <= 64 else 32  # rows of a tile
    with torch.cuda.device_of(tensors[0]):  # Triton launches on the current device otherwise
        kernel[(B * H,)](*tensors, N, D=d, BLOCK=block, num_warps=4 if d <= 64 else 8)


class _LinearAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        out, den = torch.empty_like(v), v.new_empty(v.shape[:3], dtype=torch.float32)
        _launch(_forward_kernel, (q, k, v, out, den), v.shape)
        ctx.save_for_backward(q, k, v, out, den)
        return out

    @staticmethod
    @once_differentiable  # the backward is a kernel too: autograd cannot look inside it
    def backward(ctx, do):
        q, k, v, out, den = ctx.saved_tensors
        g = do.float() / den[..., None]  # (B, H, N, d)
        h = -(g * out.float()).sum(-1)  # (B, H, N)
        g = g.to(v.dtype).contiguous()
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        if ctx.needs_input_grad[0]:
            _launch(_backward_q_kernel, (k, v, g, h, dq), v.shape)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            _launch(_backward_kv_kernel, (q, k, v, g, h, dk, dv), v.shape)
        return dq, dk, dv  # autograd drops what nobody asked for, filled or not


def linear_attention(phi_q, phi_k, v):
    """Causal linear attention without N x N weights and without a state for each token.

    phi_q, phi_k: (B, H, N, d) positive features of queries and keys. v: (B, H, N, d) values. Any
        N >= 1; d 16, 32, 64 or 128; all float32, float16 or bfloat16, on one device, in any memory
        layout. Sums are in float32.
    Returns (B, H, N, d) in the dtype of v; differentiable once.
    Raises TypeError for a wrong or mixed dtype, ValueError for a wrong shape or device,
        RuntimeError for CPU tensors without Triton's interpreter.
    Source: Katharopoulos et al. 2020, arXiv 2006.16236, section 3.3.
    """
    # The demands are those of causal flash attention: equal shapes, dtypes and devices.
    phi_q, phi_k, v, *_ = flash._prepared(phi_q, phi_k, v, causal=True, scale=None)
    return _LinearAttention.apply(phi_q, phi_k, v)
