"""Products of one-bit and few-bit numbers, 64 at a time. Taught in chapter 36.

Rastegari et al., XNOR-Net (ECCV 2016, 1603.05279); for more bits Fromm et al., Riptide (MLSys
2020). A bit b stands for the number 2b − 1: 1 for 1, 0 for −1. Two signs multiply to 1 where their
bits agree, so a product of two rows of K signs is K − 2 · (bits that differ).
"""

import numpy as np

WORD = 64


def pack(bits):
    """Bits into words: bool (..., K)  ->  uint64 (..., ⌈K / 64⌉), bit k of a row at place k mod 64
    of word k // 64; places behind the last bit are 0."""
    bits = np.asarray(bits)
    if bits.dtype != bool:
        raise TypeError(f"bits are {bits.dtype}, expected bool: True for +1, False for −1")
    if bits.ndim == 0:
        raise ValueError("bits are a single one, expected an array with them on its last axis")
    missing = -bits.shape[-1] % WORD
    bits = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def xnor_product(x, w, K):
    """x wᵀ of signs, from their bits: x uint64 (M, W), w uint64 (N, W), K signs in a row of each
    ->  int32 (M, N), between −K and K

    What `pack` puts behind the last bit is equal in both and counts as no difference.
    """
    different = np.zeros((len(x), len(w)), dtype=np.int32)
    for a, b in zip(x.T, w.T):  # a word of every row at a time: no array of (M, N, W)
        different += np.bitwise_count(a[:, None] ^ b)
    return K - 2 * different


def bit_planes(levels, bits):
    """Whole numbers by their digits: int (..., K) in 0 … 2^bits − 1  ->  bool (bits, ..., K), the
    digit of 1 first."""
    levels = np.asarray(levels)
    if levels.size and not 0 <= levels.min() <= levels.max() < 2**bits:
        raise ValueError(
            f"levels are {levels.min()} to {levels.max()}, expected 0 to {2**bits - 1} for {bits} "
            "bits"
        )
    return np.stack([levels >> i & 1 for i in range(bits)]).astype(bool)


def bitserial_product(planes, w):
    """x wᵀ of whole numbers from zero on and of signs: planes uint64 (bits, M, W) of x, packed;
    w uint64 (N, W) packed  ->  int32 (M, N)

    Digit i of x has the worth 2^i. A digit that is 1 adds it where the sign is 1, and takes it away
    where the sign is −1: |x_i ∧ w| − |x_i ∧ ¬w| = 2 |x_i ∧ w| − |x_i| bits.
    """
    total = np.zeros((planes.shape[1], len(w)), dtype=np.int32)
    for i, plane in enumerate(planes):
        ones = np.bitwise_count(plane).sum(axis=1, dtype=np.int32)  # (M,)
        both = np.zeros_like(total)
        for a, b in zip(plane.T, w.T):
            both += np.bitwise_count(a[:, None] & b)
        total += (2 * both - ones[:, None]) << i
    return total


def fused_glue(sums, mean, shift, bits):
    """The sums of a binary convolution to levels, by integers alone.

    sums int (..., C); mean int (C,); shift int (C,), 1 or more; bits of a level
    ->  int like sums: (sums − mean) / 2^shift, rounded, halves up, and clipped to 0 … 2^bits − 1

    Raises ValueError for a shift below 1.
    """
    if shift.min() < 1:
        raise ValueError(f"shift is {shift.min()} somewhere, expected 1 or more")
    half = np.left_shift(1, shift - 1)  # a shift to the right rounds down; with it, half up
    return np.clip((sums - mean + half) >> shift, 0, 2**bits - 1)
