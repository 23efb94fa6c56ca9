"""A quantized linear map as one Triton kernel: int8 product, scales, zero point and bias together.

The product of int8 matrices is quick; what surrounds it (sums in 32 bits written to memory, read
again to be scaled, written, read for the bias) soon takes longer than the product itself. Here a
program keeps its tile of sums on chip, walks over the inner axis a tile at a time, and writes the
finished floats once.

    out = s_x s_w (q_x q_w - z_x sum(q_w)) + bias,   the sum over the inner axis, for each output

Names: N rows, K inner, M outputs; n = BLOCK_N, k = BLOCK_K, m = BLOCK_M rows and columns of a tile.

Runs on CUDA tensors, or on CPU tensors in Triton's interpreter (TRITON_INTERPRET=1 in the
environment before Triton is first imported). Taught in chapter 36.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", arXiv 1712.05877, section 2.4.
"""

import torch

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError(
        "tutorial_lib.kernels.int8_matmul needs Triton, which is not installed here; it exists for "
        "Linux only. torch._int_mm computes the product."
    ) from error

# Whether @triton.jit below will hand the kernel to the interpreter or to the compiler.
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
if INTERPRETED and isinstance(tl.sum, triton.JITFunction):  # Triton's own functions chose earlier
    raise ImportError("TRITON_INTERPRET=1 was set after Triton was imported; set it before that")


@triton.jit
def _load_tile(X, rows, columns, row_stride, column_stride, height, width):
    """A tile of a matrix X (height, width); cells outside of it read as 0."""
    cells = X + rows[:, None] * row_stride + columns[None, :] * column_stride
    inside = (rows[:, None] < height) & (columns[None, :] < width)
    return tl.load(cells, mask=inside, other=0)


@triton.jit(do_not_specialize=["N"])  # one compilation serves every batch
def _linear_kernel(X, W, scale, shift, out, N, K, M, x_row, x_column, w_row, w_column,
                   BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
                   BLOCK_M: tl.constexpr):  # fmt: skip
    """One tile of out (N, M) float32: all of K, then scale and shift (M,)."""
    across = tl.cdiv(M, BLOCK_M)  # neighbours share their rows of X
    rows = (tl.program_id(0) // across).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    columns = tl.program_id(0) % across * BLOCK_M + tl.arange(0, BLOCK_M)

    sums = tl.zeros((BLOCK_N, BLOCK_M), tl.int32)
    for start in range(0, K, BLOCK_K):
        inner = start + tl.arange(0, BLOCK_K)
        x = _load_tile(X, rows, inner, x_row, x_column, N, K)  # (n, k) int8
        w = _load_tile(W, inner, columns, w_row, w_column, K, M)  # (k, m) int8
        sums = tl.dot(
            x, w, sums, out_dtype=tl.int32
        )  # exact, however long K is: 131,071 products of -128 and -128 fit

    of_column = columns < M
    s = tl.load(scale + columns, mask=of_column, other=0.0)  # (m,)
    b = tl.load(shift + columns, mask=of_column, other=0.0)  # (m,)
    cells = out + rows[:, None] * M + columns[None, :]
    inside = (rows[:, None] < N) & of_column[None, :]
    tl.store(cells, sums.to(tl.float32) * s[None, :] + b[None, :], mask=inside)


def int8_linear(q_x, q_w, scale, shift):
    """scale · (q_x q_w) + shift, the product of integers exact.

    q_x    (N, K) int8, N and K ≥ 1; q_w (K, M) int8, in any memory layout
    scale  (M,) float32, what one step of the product is worth for each output
    shift  (M,) float32, the bias and what the inputs' zero point takes off
    ->     (N, M) float32

    Raises TypeError for another dtype, ValueError for a wrong shape or device, RuntimeError for
        CPU tensors without Triton's interpreter.
    """
    _check(q_x, q_w, scale, shift)
    (N, K), M = q_x.shape, q_w.shape[1]
    out = torch.empty(N, M, device=q_x.device)
    # int8 wants 32 or more of the inner axis at once; small tiles in the interpreter have tails.
    n, k, m = (16, 32, 16) if INTERPRETED else (64, 64, 64)
    programs = triton.cdiv(N, n) * triton.cdiv(M, m)
    with torch.cuda.device_of(q_x):  # Triton launches on the current device
        _linear_kernel[(programs,)](
            q_x, q_w, scale.contiguous(), shift.contiguous(), out, N, K, M,
            *q_x.stride(), *q_w.stride(), BLOCK_N=n, BLOCK_K=k, BLOCK_M=m,
        )  # fmt: skip
    return out


def _check(q_x, q_w, scale, shift):
    wanted = {"q_x": torch.int8, "q_w": torch.int8, "scale": torch.float32, "shift": torch.float32}
    given = {"q_x": q_x, "q_w": q_w, "scale": scale, "shift": shift}
    for name, x in given.items():
        found = getattr(x, "dtype", type(x).__name__)
        if found != wanted[name]:
            raise TypeError(f"{name} is {found}; expected {wanted[name]}")
        if x.device != q_x.device:
            raise ValueError(f"{name} is on {x.device}; expected {q_x.device}, the device of q_x")
    for name, x in (("q_x", q_x), ("q_w", q_w)):
        if x.ndim != 2 or 0 in x.shape:
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected two axes, no 0")
    K, M = q_w.shape
    if q_x.shape[1] != K:
        raise ValueError(f"q_x has shape {tuple(q_x.shape)}; expected (N, {K}), as q_w is {(K, M)}")
    for name, x in (("scale", scale), ("shift", shift)):
        if x.shape != (M,):
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {(M,)}")
    if not INTERPRETED and q_x.device.type != "cuda":
        raise RuntimeError(
            f"q_x is on {q_x.device}; expected cuda. To run the kernel on the CPU, in Triton's "
            "interpreter, set TRITON_INTERPRET=1 in the environment before Triton is imported, "
            "which this module does (in a notebook: restart the kernel, set it, then import)."
        )
