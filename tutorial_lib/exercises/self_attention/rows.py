"""A Triton kernel for rows that do not fill their block."""

import torch

from tutorial_lib.checking.kernels import KernelExercise
from tutorial_lib.kernels.language import launch, tl, why_not


def softmax_row(S, P, M, BLOCK: tl.constexpr):
    """One program of a softmax kernel: it turns one row of scores into weights.

    S, P   pointers to (N, M) float32 arrays, row after row: scores, and where the weights go
    M      how many numbers a row has
    BLOCK  a power of two, at least M: how many numbers a program works on at once

    N programs run; number i reads row i of S and writes row i of P, P_j = exp(S_j) / Σ_k exp(S_k),
    finite for scores of any size. What lies behind a row in memory belongs to somebody else: it
    takes no share of the sum and is not written to.
    """
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


def launch_rows(kernel, S, block):
    """The weights that a kernel makes of scores (N, M)."""
    P, outside = launch(kernel, len(S), [S], S.shape, S.shape[1], BLOCK=block)
    return {"P": P, "numbers changed outside P": outside}


def rows_and_blocks(rng):
    for N, M, block in [(3, 5, 8), (1, 4, 4), (4, 1, 2)]:
        yield dict(S=torch.from_numpy(rng.normal(size=(N, M))).float(), block=block)
    yield dict(S=torch.tensor([[1000.0, 999.0, 990.0], [-1000.0, -999.0, -1001.0]]), block=4)
    yield dict(S=torch.from_numpy(rng.normal(size=(2, 9))).float() + 20, block=16)


softmax_row = KernelExercise(
    softmax_row,
    launch=launch_rows,
    why_not=why_not,
    level=3,
    minutes=15,
    cases=rows_and_blocks,
    hints=(
        "Where does row i begin? `tl.program_id(0)` is i, and a pointer plus a number is the place "
        "that many numbers further on.",
        "`tl.load(places, mask=..., other=...)` reads where the mask is True and gives `other` "
        "elsewhere. Which score has weight zero? `tl.store` takes a mask too.",
        "`columns = tl.arange(0, BLOCK)`, the mask is `columns < M`, `other` is `float('-inf')`; "
        "`tl.max(s, axis=0)`, `tl.exp`, `tl.sum(e, axis=0)` do the rest.",
    ),
)


@softmax_row.mistake(
    """You read past the end of the row: the block is larger than the row, and the numbers behind it
    belong to the next one, or to nobody. They take their share of the sum. What keeps `tl.load`
    from reading them?"""
)
def reads_behind_the_row(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns)
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """What lies behind the row is read as 0, which is an ordinary score: exp(0) = 1, and it takes a
    share. (Without an `other` it may be anything.) Which score has weight zero?"""
)
def zeros_behind_the_row(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=0.0)
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """The sum is right, but the maximum is sought among the zeros behind the row as well. Where all
    scores lie far below zero, every exponential is then zero, and 0 / 0 is NaN. What should stand
    behind the row when you look for the maximum?"""
)
def maximum_among_zeros(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=0.0)
    e = tl.where(columns < M, tl.exp(s - tl.max(s, axis=0)), 0.0)
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """The weights are right, and you write past the end of the row: zeros land on whoever lies
    behind it. On a GPU that may be a row which another program has just finished. `tl.store` takes
    a mask too."""
)
def writes_behind_the_row(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0))


@softmax_row.mistake(
    """Off by one: your mask lets number M through, the first of the next row. A row's numbers are
    counted from 0; which is its last?"""
)
def one_too_many(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns <= M, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns <= M)


@softmax_row.mistake(
    """You step from row to row by BLOCK. That is how much a program can hold; in memory the next
    row begins right behind this one. How many numbers has a row?"""
)
def steps_by_the_block(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * BLOCK
    s = tl.load(S + row + columns, mask=columns < M, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """All programs work on the first row, and the others are never written. How does a program find
    out which one it is?"""
)
def always_the_first_row(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    s = tl.load(S + columns, mask=columns < M, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(P + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """Right for small scores, NaN for large ones: exp(1000) is infinite. As in NumPy: what may be
    subtracted from a whole row?"""
)
def overflows(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=float("-inf"))
    e = tl.exp(s)
    tl.store(P + row + columns, e / tl.sum(e, axis=0), mask=columns < M)


@softmax_row.mistake(
    """You write the exponentials; the division by their sum is missing. What makes weights of
    them?"""
)
def never_divides(S, P, M, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    row = tl.program_id(0) * M
    s = tl.load(S + row + columns, mask=columns < M, other=float("-inf"))
    tl.store(P + row + columns, tl.exp(s - tl.max(s, axis=0)), mask=columns < M)
