"""Triton for kernels that are written in a notebook: compiled on a GPU, interpreted without one.

Triton decides at its first import whether it interprets, so this module is imported before anything
that imports Triton. Where Triton is missing (it is published for Linux only) the names are there
all the same, so that a kernel can be read and defined, and `why_not` says why none can run. Taught
in chapter 01.
"""

import os
from types import SimpleNamespace

import numpy as np
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

try:
    import triton
    import triton.language as tl
    from triton.runtime.errors import InterpreterError
except ImportError:
    triton, tl, InterpreterError = None, SimpleNamespace(constexpr=int), None

ROOM = 1 << 14  # numbers around each array: a kernel that reads or writes beyond it meets these
FILLER = 7.0


def why_not() -> str:
    """Why no kernel can run here; "" where one can."""
    if triton is None:
        return "Triton is not installed here; it exists for Linux only"
    if not torch.cuda.is_available() and isinstance(tl.sum, triton.JITFunction):
        return "Triton was imported before its interpreter was asked for; restart the kernel"
    return ""


def jit(function):
    """`triton.jit`, or the function as it is where Triton is missing."""
    return triton.jit(function) if triton else function


@jit
def load_rows(X, rows, length, D: tl.constexpr):
    """Rows of X (length, D), given by their numbers (n,)  ->  (n, D). Rows past the end are zeros.

    X is a pointer: the place in memory of an array's first number.
    """
    cells = X + rows[:, None] * D + tl.arange(0, D)[None, :]
    return tl.load(cells, mask=rows[:, None] < length, other=0.0)


@jit
def store_rows(X, rows, length, values, D: tl.constexpr):
    """Write values (n, D) to rows of X (length, D). Rows past the end are left out."""
    cells = X + rows[:, None] * D + tl.arange(0, D)[None, :]
    tl.store(cells, values, mask=rows[:, None] < length)


def launch(kernel, programs: int, inputs, shape, *numbers, **constants):
    """Run kernel(*inputs, out, *numbers, **constants), decorated with `triton.jit` or not.

    programs  how many are started, numbered from 0
    inputs    float32 tensors
    shape     of the output
    ->  out, and how many numbers were changed outside it

    Around every array there is room, so that a wrong place is noticed and does no harm. What a
    kernel raises comes through as it is. RuntimeError where no kernel can run.
    """
    if why_not():
        raise RuntimeError(why_not())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    arrays = [x.detach() for x in inputs] + [torch.full(shape, FILLER)]
    buffers = [torch.full((x.numel() + 2 * ROOM,), FILLER, device=device) for x in arrays]
    inner = [buffer[ROOM : ROOM + x.numel()] for buffer, x in zip(buffers, arrays)]
    for place, x in zip(inner, arrays):
        place.copy_(x.flatten())
    before = [buffer.clone() for buffer in buffers]
    if device == "cuda":  # products as exact as a CPU's
        constants = constants | {"default_dot_input_precision": "ieee"}
    try:
        jitted = triton.jit(getattr(kernel, "fn", kernel))
        with np.errstate(all="ignore"):  # which the interpreter computes with
            jitted[(programs,)](*inner, *numbers, **constants)
    except InterpreterError as error:
        raise error.__cause__ from None
    out = inner[-1].clone()
    inner[-1].copy_(arrays[-1].flatten())  # what is left now was changed elsewhere
    outside = sum(int((a != b).sum()) for a, b in zip(buffers, before))
    return out.view(shape).cpu(), outside
