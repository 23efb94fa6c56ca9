"""Flash attention as a Triton kernel, tile by tile."""

import torch

from tutorial_lib.checking.kernels import KernelExercise
from tutorial_lib.kernels.language import jit, launch, load_rows, store_rows, tl, why_not


def flash_tile(Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    """One program of flash attention: a tile of queries meets all keys, a block at a time.

    Q, Z     pointers to (N, D) float32 arrays: queries, and where the output goes
    K, V     pointers to (M, D) arrays: keys and values
    BLOCK_N  queries in a tile; BLOCK_M  keys in a block. Program i owns the i-th tile.

    `load_rows(X, rows, length, D)` gives rows of an array by their numbers (n,), zeros past the
    end; `store_rows(X, rows, length, values, D)` writes them and leaves out what lies past the end.
    N and M need not be multiples of the blocks. Kept between two blocks, for each query: the
    highest score so far, the sum of exponentials and the sum with values, as in
    `online_attention`.
    """
    queries = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    q = load_rows(Q, queries, N, D) / D**0.5  # (n, D)
    m = tl.full((BLOCK_N,), float("-inf"), tl.float32)
    l = tl.zeros((BLOCK_N,), tl.float32)
    o = tl.zeros((BLOCK_N, D), tl.float32)
    for start in range(0, M, BLOCK_M):
        keys = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, keys, M, D)))  # (n, m)
        s = tl.where(keys[None, :] < M, s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, axis=1))  # (n,)
        stale = tl.exp(m - m_new)
        w = tl.exp(s - m_new[:, None])  # (n, m)
        l = stale * l + tl.sum(w, axis=1)
        o = stale[:, None] * o + tl.dot(w, load_rows(V, keys, M, D))  # (n, D)
        m = m_new
    store_rows(Z, queries, N, o / l[:, None], D)


def launch_tiles(kernel, Q, K, V, block_n, block_m):
    """Attention of queries (N, D) to keys and values (M, D), by a kernel."""
    (N, D), M = Q.shape, len(K)
    constants = dict(D=D, BLOCK_N=block_n, BLOCK_M=block_m)
    Z, outside = launch(kernel, -(-N // block_n), [Q, K, V], Q.shape, N, M, **constants)
    return {"Z": Z, "numbers changed outside Z": outside}


def tiles(rng):
    for N, M, larger, D, block_n, block_m in [
        (16, 32, 1, 64, 16, 32),  # one tile, one block, both full
        (5, 35, 1, 64, 16, 32),  # the second block holds three keys
        (50, 7, 1, 16, 32, 64),  # two tiles, one block that is not full
        (3, 70, 30, 16, 64, 32),  # scores far apart: the maximum rises from block to block
    ]:
        Q, K, V = (torch.from_numpy(rng.normal(size=(rows, D))).float() for rows in (N, M, M))
        K = K * torch.linspace(1, larger, M)[:, None]
        yield dict(Q=Q, K=K, V=V, block_n=block_n, block_m=block_m)
    ones = torch.ones(34, 16)  # all scores −400; then +400 in the first block and −400 in the next
    for signs in (torch.ones(2), torch.tensor([-1.0] * 16 + [1.0] * 2)):
        M = len(signs)
        V = torch.from_numpy(rng.normal(size=(M, 16))).float()
        yield dict(Q=-10 * ones, K=10 * signs[:, None] * ones[:M], V=V, block_n=32, block_m=16)


flash_tile = KernelExercise(
    flash_tile,
    launch=launch_tiles,
    why_not=why_not,
    level=4,
    minutes=30,
    cases=tiles,
    hints=(
        "It is `online_attention` with a whole tile of queries: m and l become (BLOCK_N,), o "
        "becomes (BLOCK_N, D). Which rows of Q does program i own?",
        "`tl.dot(a, tl.trans(b))` is a product with a transpose; `tl.max(s, axis=1)` is one number "
        "a query, and `m[:, None]` stands beside (n, m). Keys past the end read as zeros: which "
        "score must they have?",
        "Start from `tl.full((BLOCK_N,), float('-inf'), tl.float32)` and `tl.zeros`; in the loop "
        "`tl.where(keys[None, :] < M, s, float('-inf'))`, `tl.maximum(m, tl.max(s, axis=1))`, and "
        "both sums times `tl.exp(m - m_new)`; behind it `o / l[:, None]`.",
    ),
)


@jit
def _wrong_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
    SLIP: tl.constexpr,
):  # fmt: skip
    """`flash_tile` with one slip, by its name."""
    tile = 0 if SLIP == "first tile" else tl.program_id(0)
    queries = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    q = load_rows(Q, queries, N, D) / (1 if SLIP == "no scale" else D if SLIP == "by d" else D**0.5)
    m = tl.full((BLOCK_N,), 0.0 if SLIP == "from zero" else float("-inf"), tl.float32)
    l = tl.zeros((BLOCK_N,), tl.float32)
    o = tl.zeros((BLOCK_N, D), tl.float32)
    end = M // BLOCK_M * BLOCK_M if SLIP == "full blocks" else M
    for start in range(0, BLOCK_M if SLIP == "one block" else end, BLOCK_M):
        keys = start + tl.arange(0, BLOCK_M)
        s = tl.dot(q, tl.trans(load_rows(K, keys, M, D)))
        if SLIP != "tail":
            s = tl.where(keys[None, :] < M, s, float("-inf"))
        highest = tl.max(s, axis=1)
        if SLIP == "one maximum":
            highest = tl.full((BLOCK_N,), tl.max(highest, axis=0), tl.float32)
        m_new = highest if SLIP == "newest" else tl.maximum(m, highest)
        stale = tl.exp(m_new - m if SLIP == "upwards" else m - m_new)
        w = tl.exp(s - m_new[:, None])
        l = (l if SLIP == "stale" or SLIP == "stale l" else stale * l) + tl.sum(w, axis=1)
        o = o if SLIP == "stale" or SLIP == "stale o" else stale[:, None] * o
        o += tl.dot(w, load_rows(V, keys, M, D))
        m = m_new
    store_rows(Z, queries, N, o if SLIP == "no division" else o / l[:, None], D)


@flash_tile.mistake(
    """The scores are not divided by √d. It is the same attention in another order: what stood
    between q·k and the exponential?"""
)
def unscaled_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "no scale")


@flash_tile.mistake(
    """You divide by d where its root is due, and the weights come out nearly equal."""
)
def tile_divided_by_d(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "by d")


@flash_tile.mistake(
    """Keys past the end read as zeros, so their scores are 0, and each of them takes exp(0) of the
    weight. Right only where M is a multiple of the block. Which score must they have?"""
)
def reads_the_tail(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "tail")


@flash_tile.mistake(
    """What you summed before a new maximum stays as it was: neither l nor o is rescaled. Right as
    long as one block holds all keys. By which factor are the old terms off?"""
)
def never_rescales_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "stale")


@flash_tile.mistake(
    """You rescale the denominator l and forget the numerator o. Both hold terms measured from the
    old maximum."""
)
def rescales_only_l_of_the_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "stale o")


@flash_tile.mistake(
    """You rescale the numerator o and forget the denominator l. Both hold terms measured from the
    old maximum."""
)
def rescales_only_o_of_the_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "stale l")


@flash_tile.mistake(
    """The factor is turned round, exp(m_new − m). In the first block m is −∞ and it is infinite:
    infinity times zero is NaN. When the maximum rises, do old terms become larger or smaller?"""
)
def rescales_the_tile_upwards(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "upwards")


@flash_tile.mistake(
    """You take the maximum of the newest block for the maximum so far. Where scores fall from one
    block to the next, exp(m − m_new) grows without bound. Over which scores is m the highest?"""
)
def newest_maximum(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "newest")


@flash_tile.mistake(
    """You start the maximum at 0. Where all scores lie far below it, every exponential underflows,
    and 0 / 0 is NaN. Where should a maximum start?"""
)
def starts_the_tile_at_zero(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "from zero")


@flash_tile.mistake(
    """You take one maximum for the whole tile. A query whose scores lie far below it underflows.
    Along which axis does one query have its scores?"""
)
def one_maximum_for_the_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "one maximum")


@flash_tile.mistake(
    """The last block is left out where it is not full. How many blocks hold M keys, if M is no
    multiple of the block?"""
)
def drops_the_last_block_of_keys(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "full blocks")


@flash_tile.mistake(
    """Only the first block of keys is read. Which loop takes you through all of them?"""
)
def reads_one_block(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "one block")


@flash_tile.mistake(
    """All programs work on the first tile, and later queries get nothing. How does a program know
    which tile is its own?"""
)
def always_the_first_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "first tile")


@flash_tile.mistake(
    """The last division is missing: o is the sum of exp(s − m) v, and l the sum of exp(s − m)."""
)
def never_divides_the_tile(
    Q, K, V, Z, N, M, D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    _wrong_tile(Q, K, V, Z, N, M, D, BLOCK_N, BLOCK_M, "no division")
