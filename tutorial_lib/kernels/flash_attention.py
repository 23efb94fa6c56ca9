"""Flash attention, forward and backward, as three Triton kernels.

The plain way writes the N x M scores to GPU memory and reads them back, twice. These kernels never
write them: a program keeps one tile of queries, walks over the keys a tile at a time, and corrects
its running softmax whenever it meets a larger score. Memory falls from O(N M) to O(N + M).

    S = scale Q K^T      P = softmax(S)      O = P V            L = logsumexp(S), one number a query
    dV = P^T dO          dP = dO V^T         dS = P * (dP - delta),  delta = rowsum(dO * O)
    dQ = scale dS K      dK = scale dS^T Q

The backward kernels recompute P = exp(S - L) tile by tile, so the forward saves only O and L. Each
program owns the rows it writes: no atomics, so the same inputs always give the same bits.

Names: N queries, M keys, D numbers a head, BLOCK_N and BLOCK_M rows of a tile; the shapes in
comments are those of one tile, with n = BLOCK_N and m = BLOCK_M.

Runs on CUDA tensors, or on CPU tensors in Triton's interpreter (TRITON_INTERPRET=1 in the
environment before Triton is first imported): slow, for reading, stepping through and testing.

Sources: Milakov and Gimelshein 2018 (arXiv 1805.02867) for the running softmax, Dao et al. 2022
(2205.14135) for the tiling and the recomputed backward, Dao 2023 (2307.08691) for the loop order.
"""

import math
from collections import namedtuple

import torch
from torch.autograd.function import once_differentiable

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError(
        "tutorial_lib.kernels.flash_attention needs Triton, which is not installed here; it exists "
        "for Linux only. torch.nn.functional.scaled_dot_product_attention computes the same."
    ) from error

# Whether @triton.jit below will hand the kernels to the interpreter or to the compiler.
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
if INTERPRETED and isinstance(tl.sum, triton.JITFunction):  # Triton's own functions chose earlier
    raise ImportError("TRITON_INTERPRET=1 was set after Triton was imported; set it before that")
HEAD_SIZES = (16, 32, 64, 128)  # tl.arange and tl.dot want powers of two, from 16 up
DTYPES = (torch.float32, torch.float16, torch.bfloat16)

# The hardware computes 2^x, not e^x. With scores multiplied by log2(e), exp2 gives e^x for free.
LOG2_E = tl.constexpr(math.log2(math.e))
LN_2 = tl.constexpr(math.log(2))


@triton.jit
def _load_rows(X, head, rows, length, D: tl.constexpr):
    """Rows of one head of X (heads, length, D) -> (rows, D). Rows past the end read as zeros."""
    cells = X + head * length * D + rows[:, None] * D + tl.arange(0, D)[None, :]
    return tl.load(cells, mask=rows[:, None] < length, other=0.0)


@triton.jit
def _store_rows(X, head, rows, length, values, D: tl.constexpr):
    """Write values (rows, D) to one head of X (heads, length, D). Rows past the end are dropped."""
    cells = X + head * length * D + rows[:, None] * D + tl.arange(0, D)[None, :]
    tl.store(cells, values.to(X.dtype.element_ty), mask=rows[:, None] < length)


@triton.jit
def _dot(a, b):
    """a @ b, summed in float32. "ieee": float32 inputs must not be rounded to TF32 on the way."""
    if INTERPRETED:  # it keeps bfloat16 as raw bits, which its dot would multiply as integers
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, input_precision="ieee")


@triton.jit
def _my_tile(length, BLOCK: tl.constexpr):
    """Which head, and which tile of its rows, this program owns."""
    # A grid of one axis: CUDA allows 2^31 programs along the first but 65535 along the others, and
    # windowed attention can have more heads than that.
    tiles = tl.cdiv(length, BLOCK)
    head = (tl.program_id(0) // tiles).to(tl.int64)  # head * N * D may not fit in 32 bits
    return head, tl.program_id(0) % tiles


@triton.jit
def _visible(queries, keys, M, CAUSAL: tl.constexpr):
    """True where a query may look at a key: the key exists and, if causal, is not in the future.

    `queries` and `keys` are row numbers that broadcast against each other, either way round.
    Queries past the end need no mask: they load as zeros, so what they give is finite, and it is
    either not stored (O, L, dQ) or multiplied by their dO, which is zero (dK, dV).
    """
    return (keys < M) & (keys <= queries) if CAUSAL else keys < M


@triton.jit(do_not_specialize=["N", "M"])  # one compilation serves every length
def _forward_kernel(Q, K, V, O, L, scale, N, M, D: tl.constexpr, CAUSAL: tl.constexpr,
                    BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):  # fmt: skip
    """One tile of queries against all keys. Writes O (heads, N, D) and L (heads, N)."""
    head, tile = _my_tile(N, BLOCK_N)
    queries = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    q = _load_rows(Q, head, queries, N, D)  # (n, D), stays on chip for the whole loop

    largest = tl.full((BLOCK_N,), float("-inf"), tl.float32)  # running max of each query's scores
    total = tl.zeros((BLOCK_N,), tl.float32)  # running sum of 2^(score - largest)
    out = tl.zeros((BLOCK_N, D), tl.float32)  # running sum of 2^(score - largest) * v

    # Causal: keys after this tile's last query are hidden from all of it, so stop before them.
    end = tl.minimum(M, (tile + 1) * BLOCK_N) if CAUSAL else M
    for start in range(0, end, BLOCK_M):
        keys = start + tl.arange(0, BLOCK_M)
        k = _load_rows(K, head, keys, M, D)  # (m, D)
        v = _load_rows(V, head, keys, M, D)  # (m, D)

        s = _dot(q, tl.trans(k)) * (scale * LOG2_E)  # (n, m)
        s = tl.where(_visible(queries[:, None], keys[None, :], M, CAUSAL), s, float("-inf"))

        # Every query sees key 0, which is in the first tile. So `new_largest` is finite from the
        # first turn on, and -inf minus -inf, the NaN of masked softmaxes, cannot occur.
        new_largest = tl.maximum(largest, tl.max(s, axis=1))  # (n,)
        shrink = tl.exp2(largest - new_largest)  # what the old sums are now worth; 0 at the start
        p = tl.exp2(s - new_largest[:, None])  # (n, m)
        total = total * shrink + tl.sum(p, axis=1)
        out = out * shrink[:, None] + _dot(p.to(v.dtype), v)
        largest = new_largest

    _store_rows(O, head, queries, N, out / total[:, None], D)
    logsumexp = (largest + tl.log2(total)) * LN_2  # back from base 2 to base e
    tl.store(L + head * N + queries, logsumexp, mask=queries < N)


@triton.jit(do_not_specialize=["N", "M"])
def _backward_kv_kernel(Q, K, V, dO, L, delta, dK, dV, scale, N, M,
                        D: tl.constexpr, CAUSAL: tl.constexpr,
                        BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):  # fmt: skip
    """One tile of keys against all queries. Writes dK and dV (heads, M, D)."""
    head, tile = _my_tile(M, BLOCK_M)
    keys = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    k = _load_rows(K, head, keys, M, D)  # (m, D)
    v = _load_rows(V, head, keys, M, D)  # (m, D)
    dk, dv = tl.zeros((BLOCK_M, D), tl.float32), tl.zeros((BLOCK_M, D), tl.float32)

    # Causal: queries before this tile's first key cannot see it, so start at the tile it is in.
    first = tile * BLOCK_M // BLOCK_N * BLOCK_N if CAUSAL else 0
    for start in range(first, N, BLOCK_N):
        queries = start + tl.arange(0, BLOCK_N)
        q = _load_rows(Q, head, queries, N, D)  # (n, D)
        do = _load_rows(dO, head, queries, N, D)  # (n, D)
        lse = tl.load(L + head * N + queries, mask=queries < N, other=0.0)  # (n,)
        dl = tl.load(delta + head * N + queries, mask=queries < N, other=0.0)  # (n,)

        # Scores are built transposed, keys down and queries across: then P^T dO and dS^T Q take
        # them as they are, and no tile has to be turned round between two products.
        s = _dot(k, tl.trans(q)) * (scale * LOG2_E)  # (m, n)
        s = tl.where(_visible(queries[None, :], keys[:, None], M, CAUSAL), s, float("-inf"))
        p = tl.exp2(s - lse[None, :] * LOG2_E)  # (m, n), the softmax itself: L holds its sum
        dv += _dot(p.to(do.dtype), do)  # (m, D)
        dp = _dot(v, tl.trans(do))  # (m, n)
        ds = p * (dp - dl[None, :])  # (m, n)
        dk += _dot(ds.to(q.dtype), q)  # (m, D)

    _store_rows(dK, head, keys, M, dk * scale, D)
    _store_rows(dV, head, keys, M, dv, D)


@triton.jit(do_not_specialize=["N", "M"])
def _backward_q_kernel(Q, K, V, dO, L, delta, dQ, scale, N, M,
                       D: tl.constexpr, CAUSAL: tl.constexpr,
                       BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):  # fmt: skip
    """One tile of queries against all keys. Writes dQ (heads, N, D)."""
    head, tile = _my_tile(N, BLOCK_N)
    queries = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    q = _load_rows(Q, head, queries, N, D)  # (n, D)
    do = _load_rows(dO, head, queries, N, D)  # (n, D)
    lse = tl.load(L + head * N + queries, mask=queries < N, other=0.0)  # (n,)
    dl = tl.load(delta + head * N + queries, mask=queries < N, other=0.0)  # (n,)
    dq = tl.zeros((BLOCK_N, D), tl.float32)

    end = tl.minimum(M, (tile + 1) * BLOCK_N) if CAUSAL else M
    for start in range(0, end, BLOCK_M):
        keys = start + tl.arange(0, BLOCK_M)
        k = _load_rows(K, head, keys, M, D)  # (m, D)
        v = _load_rows(V, head, keys, M, D)  # (m, D)
        s = _dot(q, tl.trans(k)) * (scale * LOG2_E)  # (n, m)
        s = tl.where(_visible(queries[:, None], keys[None, :], M, CAUSAL), s, float("-inf"))
        p = tl.exp2(s - lse[:, None] * LOG2_E)  # (n, m)
        dp = _dot(do, tl.trans(v))  # (n, m)
        ds = p * (dp - dl[:, None])  # (n, m)
        dq += _dot(ds.to(k.dtype), k)  # (n, D)

    _store_rows(dQ, head, queries, N, dq * scale, D)


# Rows of a query tile, rows of a key tile, warps a program, tiles being loaded at once.
Tiles = namedtuple("Tiles", "BLOCK_N BLOCK_M num_warps num_stages")


def choose_tiles(d, dtype, backward=False):
    """Tile sizes for head size `d`: a rule, where a library would try many and time them.

    Larger tiles re-read the other side less often; these fit the 99 KiB of shared memory of small
    Ampere cards. float32 needs twice the room, and the backward keeps more tiles at once.
    """
    if INTERPRETED:
        return Tiles(32, 16, 1, 1)  # small and unequal, so that short sequences span several tiles
    if dtype == torch.float32:
        return Tiles(32, 32, 4 if d <= 64 else 8, 1)
    if backward:
        return Tiles(64, 64, 4, 2) if d <= 64 else Tiles(64, 64, 8, 1)
    return Tiles(128, 64, 4, 3) if d <= 64 else Tiles(128, 64, 8, 2)


def _launch(kernel, tensors, q, k, causal, scale, tiles, owns_keys=False):
    """Start one program for each tile of the rows that `kernel` owns: queries, or keys."""
    (B, H, N, d), M = q.shape, k.shape[2]
    programs = triton.cdiv(M, tiles.BLOCK_M) if owns_keys else triton.cdiv(N, tiles.BLOCK_N)
    with torch.cuda.device_of(q):  # Triton launches on the current device, whatever holds the data
        kernel[(B * H * programs,)](*tensors, scale, N, M, D=d, CAUSAL=causal, **tiles._asdict())


def _forward(q, k, v, causal, scale):
    """Contiguous q (B, H, N, d), k, v (B, H, M, d) -> out (B, H, N, d), logsumexp (B, H, N)."""
    out = torch.empty_like(q)
    logsumexp = torch.empty(q.shape[:3], device=q.device, dtype=torch.float32)
    tiles = choose_tiles(q.shape[3], q.dtype)
    _launch(_forward_kernel, (q, k, v, out, logsumexp), q, k, causal, scale, tiles)
    return out, logsumexp


class _FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, causal, scale):
        out, logsumexp = _forward(q, k, v, causal, scale)
        ctx.save_for_backward(q, k, v, out, logsumexp)
        ctx.options = causal, scale
        return out

    @staticmethod
    @once_differentiable  # the backward is a kernel too: autograd cannot look inside it
    def backward(ctx, do):
        q, k, v, out, logsumexp = ctx.saved_tensors
        do = do.contiguous()
        delta = (do.float() * out.float()).sum(-1)  # (B, H, N), equal to rowsum(dP * P)
        inputs = (q, k, v, do, logsumexp, delta)
        tiles = choose_tiles(q.shape[3], q.dtype, backward=True)

        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        if ctx.needs_input_grad[0]:
            _launch(_backward_q_kernel, (*inputs, dq), q, k, *ctx.options, tiles)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            _launch(_backward_kv_kernel, (*inputs, dk, dv), q, k, *ctx.options, tiles, True)
        return dq, dk, dv, None, None  # autograd drops what nobody asked for, filled or not


def flash_attention(q, k, v, causal=False, scale=None):
    """softmax(scale q k^T) v without ever storing the (N, M) scores; differentiable once.

    q: (B, H, N, d) queries. k, v: (B, H, M, d) keys and values. Any N, M >= 1; d 16, 32, 64 or 128;
        all float32, float16 or bfloat16, on one device, in any memory layout. Sums are in float32.
    causal: query i sees keys 0..i only; needs N == M.
    scale: what scores are multiplied by; 1 / sqrt(d) if None.
    Returns (B, H, N, d) in the dtype of q.
    Raises TypeError for a wrong or mixed dtype, ValueError for a wrong shape, device or `causal`,
        RuntimeError for CPU tensors without Triton's interpreter.
    Source: Dao 2023, "FlashAttention-2", arXiv 2307.08691.
    """
    return _FlashAttention.apply(*_prepared(q, k, v, causal, scale))


def flash_attention_forward(q, k, v, causal=False, scale=None):
    """`flash_attention` without gradients -> out (B, H, N, d) and logsumexp (B, H, N), float32."""
    with torch.no_grad():
        return _forward(*_prepared(q, k, v, causal, scale))


def _prepared(q, k, v, causal, scale):
    """The arguments, checked and ready for a kernel: tensors contiguous, `scale` a number."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        found = getattr(x, "dtype", type(x).__name__)
        if found not in DTYPES or x.dtype != q.dtype:
            raise TypeError(f"{name} is {found}; expected q, k, v in one dtype of {DTYPES}")
        if x.ndim != 4 or 0 in x.shape:
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (B, H, rows, d), no 0")
        if x.device != q.device:
            raise ValueError(f"{name} is on {x.device}; expected {q.device}, the device of q")
    (B, H, N, d), M = q.shape, k.shape[2]
    if d not in HEAD_SIZES:
        raise ValueError(f"q has head size d = {d}; expected one of {HEAD_SIZES}")
    for name, x in (("k", k), ("v", v)):
        if x.shape != (B, H, M, d):
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {(B, H, M, d)}")
    if causal and N != M:
        raise ValueError(f"causal=True with {N} queries and {M} keys; expected equal numbers")
    if not INTERPRETED and q.device.type != "cuda":
        raise RuntimeError(
            f"q is on {q.device}; expected cuda. To run the kernels on the CPU, in Triton's "
            "interpreter, set TRITON_INTERPRET=1 in the environment before Triton is imported, "
            "which this module does (in a notebook: restart the kernel, set it, then import)."
        )
    scale = 1 / math.sqrt(d) if scale is None else float(scale)
    return q.contiguous(), k.contiguous(), v.contiguous(), bool(causal), scale
