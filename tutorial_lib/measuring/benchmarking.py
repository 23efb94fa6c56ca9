"""Measuring time and memory, and predicting them for attention from a count of FLOPs and bytes.

FLOP: one floating-point addition or multiplication. Intensity: FLOPs for each byte moved to or from
memory. A device that computes F FLOP/s and moves W byte/s cannot exceed min(F, intensity * W): the
roofline of Williams, Waterman and Patterson 2009, doi 10.1145/1498765.1498785.
"""

import contextlib
import datetime
import gc
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from tutorial_lib.measuring.machine import installed


def median_seconds(fn, repeats=7, warmup=2, device="cpu", clock=time.perf_counter):
    """Median time of `fn()` in seconds, over `repeats` calls after `warmup` calls not counted.

    On CUDA the time passes between two events on the device, waits for the host included; the cache
    is left as the previous call left it. On a CPU `clock` tells the time: with one thread,
    `time.thread_time` counts what this thread works, which a busy machine hardly disturbs.
    Raises ValueError if `repeats` < 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; expected at least 1")
    for _ in range(warmup):
        fn()
    kind = torch.device(device).type
    if kind == "cuda":
        return statistics.median(_cuda_seconds(fn) for _ in range(repeats))
    wait = torch.mps.synchronize if kind == "mps" else None
    return statistics.median(_host_seconds(fn, clock, wait) for _ in range(repeats))


def _host_seconds(fn, clock, wait):
    """By the host's clock; an Apple GPU is waited for before and after."""
    if wait:
        wait()
    start = clock()
    fn()
    if wait:
        wait()
    return clock() - start


def _cuda_seconds(fn):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()  # nothing of what came before may still be running
    start.record()
    fn()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3  # it answers in milliseconds


def peak_bytes(fn, device="cpu"):
    """Most bytes of tensors alive at one time during `fn()`, beyond those alive before it.

    CUDA: the high-water mark of PyTorch's allocator. CPU: the running sum of the allocations and
    frees that PyTorch's profiler records, which includes buffers inside an operator but not what
    libraries such as MKL allocate for themselves, and does not count what `fn` frees that is older
    than itself. What `fn` returns counts.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        kept = fn()  # the allocator counts when the host asks, so there is nothing to wait for
        peak = torch.cuda.max_memory_allocated(device) - before
    else:
        # The profiler below `torch.profiler.profile`, which would import the compiler: seconds.
        profile = torch.autograd.profiler.profile(profile_memory=True)
        collects = gc.isenabled()
        gc.disable()  # or what an earlier measurement left may be freed inside this one
        try:
            with _stderr_dropped():
                profile.__enter__()
            try:
                kept = fn()
            finally:
                with _stderr_dropped():
                    profile.__exit__(None, None, None)
        finally:
            if collects:
                gc.enable()
        peak = _peak_of(profile.kineto_results.experimental_event_tree())
    del kept  # held until here, so that freeing it cannot fall inside the measurement
    return peak


def _peak_of(tree):
    """Peak of the running sum of allocations and frees in a profile's tree of events."""
    memory, below = [], list(tree)
    while below:
        event = below.pop()
        below += event.children
        if event.name == "[memory]":
            memory.append((event.start_time_ns, event.extra_fields))
    sizes, alive, peak = {}, 0, 0
    for _, block in sorted(memory, key=lambda pair: pair[0]):
        if block.alloc_size > 0:
            sizes[block.ptr] = block.alloc_size
            alive += block.alloc_size
        else:  # the profiler takes a block at an address of an earlier profile for that one's
            alive -= sizes.pop(block.ptr, 0)
        peak = max(peak, alive)
    return peak


@contextlib.contextmanager
def _stderr_dropped():
    """For the lines that the profiler's C++ side writes at every start and stop."""
    with os.fdopen(os.dup(2)) as stderr, open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr.fileno(), 2)


def cuda_or_cpu():
    """The kind of device for a measurement that knows these two."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def machine(device="cpu"):
    """What a measurement must be shown with: device, processor, date, versions, threads."""
    cuda = torch.device(device).type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "cpu": _processor(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": installed("triton"),
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
    }


def _processor():
    """The processor's name: Linux keeps it in a file, elsewhere Python knows something like it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def device_limits(device="cpu", dtype=torch.float32, clock=time.perf_counter):
    """What this device reaches now, measured: the two numbers that a roofline is drawn from;
    `clock` as in `median_seconds`.

    flops_per_second: 2 n^3 over the time of an (n, n) matrix product in `dtype`; float32 is
        computed as float32 (no TF32) unless the caller has allowed otherwise.
    bytes_per_second: bytes read plus bytes written over the time of a copy far beyond any cache.
    """
    n, copied = (8192, 2**30) if torch.device(device).type == "cuda" else (1024, 2**27)
    # Random and not constant: a GPU multiplying equal numbers draws less power and clocks higher,
    # and a CPU's untouched zeros are one page of memory, read again and again from the cache.
    a = torch.rand(n, n, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    product = torch.empty_like(a)
    source = torch.ones(copied, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    matmul = median_seconds(lambda: torch.matmul(a, a, out=product), device=device, clock=clock)
    copy = median_seconds(lambda: target.copy_(source), device=device, clock=clock)
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "flops_per_second": 2 * n**3 / matmul,
        "bytes_per_second": 2 * copied / copy,
    }


@dataclass(frozen=True)
class AttentionCost:
    """Predictions for one attention of `batch` x `heads` heads; FLOPs and bytes in all."""

    forward_flops: int
    backward_flops: int  # with P kept from the forward
    fused_backward_flops: int  # with P computed again
    naive_bytes: int  # forward, scores written and read
    fused_bytes: int  # forward, scores never in memory
    naive_score_bytes: int  # peak memory for scores
    fused_score_bytes: int  # what replaces it: the logsumexp
    naive_intensity: float  # forward, FLOPs for each byte
    fused_intensity: float


def attention_cost(batch, heads, n, m, d, bytes_per_element=4):
    """Predicted cost of attention of n queries to m keys of d numbers -> AttentionCost.

    With b = batch * heads and e = bytes_per_element; one product of (n, d) by (d, m) is 2 n m d:
    forward_flops         4 b n m d    Q K^T and P V; softmax adds about 5 n m, left out
    backward_flops        8 b n m d    dV, dP, dQ, dK
    fused_backward_flops 10 b n m d    Q K^T again (14 in our two kernels: each needs P and dP)
    naive_bytes          e b (2 n d + 2 m d + 4 n m)   Q, K, V, O once; S and P written and read
    fused_bytes          e b (2 n d + 2 m d) + 4 b n   Q, K, V, O once; logsumexp written
    naive_score_bytes    2 e b n m     S and P at the same time
    fused_score_bytes    4 b n
    Bytes are a lower bound: all that must cross between memory and chip, each tensor once. A fused
    kernel reads K and V again for each tile of queries, if the cache does not hold them.
    Source: Dao et al. 2022, "FlashAttention", arXiv 2205.14135, section 3.2.
    """
    b, e = batch * heads, bytes_per_element
    product = 2 * b * n * m * d
    ends = e * b * (2 * n * d + 2 * m * d)
    naive, fused = ends + 4 * e * b * n * m, ends + 4 * b * n
    return AttentionCost(
        forward_flops=2 * product,
        backward_flops=4 * product,
        fused_backward_flops=5 * product,
        naive_bytes=naive,
        fused_bytes=fused,
        naive_score_bytes=2 * e * b * n * m,
        fused_score_bytes=4 * b * n,
        naive_intensity=2 * product / naive,
        fused_intensity=2 * product / fused,
    )
