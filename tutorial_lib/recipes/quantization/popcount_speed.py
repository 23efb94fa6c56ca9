"""How fast are products of packed signs? NumPy's, a compiled loop's and BLAS's of floats: a record.

Taught in chapter 36, after Fromm et al., Riptide (MLSys 2020), whose point this is: fewer
operations are no speed until code is compiled for them. All on one thread, results compared first.
Measure again, seconds; the compiled loop needs a C compiler and is left out without one:

    python -m tutorial_lib.recipes.quantization.popcount_speed [--out FILE]
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from tutorial_lib.from_scratch.packed_bits import pack, xnor_product
from tutorial_lib.measuring.records import record

SIZES = {  # rows of x, rows of w, signs in a row
    "one row, a large matrix": (1, 4096, 4096),
    "a batch, a large matrix": (256, 1024, 1024),
    "a convolution of the small CNN": (196, 32, 288),
}
LOOP = """
#include <stdint.h>
void product(const uint64_t *x, const uint64_t *w, int32_t *out, long M, long N, long W, long K) {
    for (long i = 0; i < M; i++)
        for (long j = 0; j < N; j++) {
            long different = 0;
            for (long k = 0; k < W; k++)
                different += __builtin_popcountll(x[i * W + k] ^ w[j * W + k]);
            out[i * N + j] = K - 2 * different;
        }
}
"""


@cache
def compiled():
    """`xnor_product` as a loop in C, or None where there is no compiler."""
    if not shutil.which("cc"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "loop.c", Path(folder) / "loop.so"
        source.write_text(LOOP, encoding="utf-8")
        options = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run(["cc", *options, source, "-o", library], check=True)
        loop = ctypes.CDLL(str(library)).product
    loop.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_long] * 4

    def product(x, w, K):
        out = np.empty((len(x), len(w)), dtype=np.int32)
        loop(x.ctypes.data, w.ctypes.data, out.ctypes.data, *out.shape, x.shape[1], K)
        return out

    return product


def cpu_seconds(way, least=0.02, repeats=9):
    """The least of `repeats` measurements of a call, each over as many calls as take `least`
    seconds; of this process alone, whatever else the machine does."""
    calls, found = 1, []
    while len(found) < repeats:
        start = time.process_time()
        for _ in range(calls):
            way()
        taken = time.process_time() - start
        if taken < least:
            calls *= 2
        else:
            found.append(taken / calls)
    return min(found)


def measure(row):
    """One row of the record, in a process of its own: seconds of each way, and how many times as
    long floats take."""
    M, N, K = SIZES[row["size"]]
    rng = np.random.default_rng(0)
    x_bits, w_bits = rng.random((M, K)) < 0.5, rng.random((N, K)) < 0.5
    x, w = (np.where(bits, 1, -1).astype(np.float32) for bits in (x_bits, w_bits))
    packed, packed_w = pack(x_bits), pack(w_bits)
    ways = {
        "floats": lambda: x @ w.T,
        "packed, NumPy": lambda: xnor_product(packed, packed_w, K),
        "packed, compiled": lambda: compiled()(packed, packed_w, K),
        "packing x": lambda: pack(x_bits),
    }
    if compiled() is None:
        del ways["packed, compiled"]
    for name, way in ways.items():
        assert name == "packing x" or (way() == x @ w.T).all(), name
    seconds = {name: cpu_seconds(way) for name, way in ways.items()}
    faster = {name: seconds["floats"] / taken for name, taken in seconds.items()}
    bytes_ = {"floats": w.nbytes, "packed": packed_w.nbytes}
    return row | dict(shape=[M, N, K], seconds=seconds, times_faster=faster, bytes_of_w=bytes_)


if __name__ == "__main__":
    record("popcount-speed", [dict(size=size) for size in SIZES], measure)
