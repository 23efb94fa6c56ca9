"""Time and memory of causal linear attention and of softmax attention, against length.

    python benchmarks/linear_attention.py [--device cpu|cuda] [--quick] [--out FILE]

Every method is first compared with its definition in float64, results and gradients, and the script
stops if one is wrong. CPU: float32, one thread. CUDA: bfloat16, and also our Triton kernel. Writes
results/linear-attention-<device>.json, with rows of two kinds:

what "sequence"  all N tokens at once: method, n, mode ("forward" or "forward+backward"), seconds
                 (median; on a CPU of the thread's work), peak_bytes (beyond the inputs)
what "step"      one token more after N: attention, n, seconds, state_bytes (what is kept of the N)

A row of what does not fit in the device's memory has "out of memory" under "error".
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from tutorial_lib.layers.linear_attention import (
    LinearAttention,
    attend_in_chunks,
    cumulative_attention,
    phi,
)
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.efficient.pixels import SoftmaxAttention

HEADS, D, BATCH = 4, 64, 16  # of "step": 16 sequences at a time
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 5e-2}  # relative to the largest number


def softmax_definition(q, k, v):
    scores = (q * D**-0.5) @ k.mT
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v


def linear_definition(q, k, v):
    A = (phi(q) @ phi(k).mT).tril()
    return A @ v / A.sum(-1, keepdim=True)


def methods(device):
    """Name -> (function of q, k, v; its definition)"""
    found = {
        "softmax, plain": (softmax_definition, softmax_definition),
        "softmax, fused": (
            lambda *x: F.scaled_dot_product_attention(*x, is_causal=True),
            softmax_definition,
        ),
        "linear, N × N": (linear_definition, linear_definition),
        "linear, cumulative": (
            lambda q, k, v: cumulative_attention(phi(q), phi(k), v),
            linear_definition,
        ),
        "linear, chunks": (
            lambda q, k, v: attend_in_chunks(phi(q), phi(k), v)[0],
            linear_definition,
        ),
    }
    if device.type == "cuda":
        from tutorial_lib.kernels.linear_attention import linear_attention

        found["linear, our kernel"] = (
            lambda q, k, v: linear_attention(phi(q), phi(k), v),
            linear_definition,
        )
    return found


def inputs(n, dtype, device):
    """q, k, v that want gradients, and the gradient of the output, each (1, HEADS, n, D)"""
    draw = torch.Generator().manual_seed(n)
    q, k, v, dy = (torch.randn(1, HEADS, n, D, generator=draw).to(device, dtype) for _ in range(4))
    return [x.requires_grad_() for x in (q, k, v)], dy


def forward(method, qkv, dy):
    with torch.no_grad():
        return method(*qkv)


def forward_and_backward(method, qkv, dy):
    return torch.autograd.grad(method(*qkv), qkv, dy)


MODES = {"forward": forward, "forward+backward": forward_and_backward}


def check(name, method, definition, dtype, device):
    """Stop the script unless the result and the gradients agree with float64."""
    qkv, dy = inputs(200, dtype, device)
    exact = [x.detach().double().requires_grad_() for x in qkv]
    found = [forward(method, qkv, dy), *forward_and_backward(method, qkv, dy)]
    wanted = [forward(definition, exact, dy), *forward_and_backward(definition, exact, dy.double())]
    for part, a, e in zip(("y", "dq", "dk", "dv"), found, wanted, strict=True):
        error = ((a.double() - e).abs().max() / e.abs().max()).item()
        if not error < TOLERANCE[dtype]:
            sys.exit(f"{name}: {part} is off by {error:.1e} of its largest number")


def median_seconds(run, device, repeats):
    """Of this thread's work, on a CPU."""
    return benchmarking.median_seconds(run, repeats, 1, device, clock=time.thread_time)


def measured(run, device, repeats):
    try:
        seconds = median_seconds(run, device, repeats)
        return {"seconds": seconds, "peak_bytes": benchmarking.peak_bytes(run, device)}
    except torch.OutOfMemoryError:
        return {"error": "out of memory"}


@torch.no_grad()
def step(attention, n, device, repeats):
    """One token more after n, for BATCH sequences: seconds, and what is kept of the n."""
    layer = attention(HEADS * D, HEADS).to(device)
    x = torch.randn(BATCH, n, HEADS * D, generator=torch.Generator().manual_seed(n)).to(device)
    _, *state = layer(x)
    seconds = median_seconds(lambda: layer(x[:, :1], *state), device, repeats)
    return {"seconds": seconds, "state_bytes": sum(s.numel() * s.element_size() for s in state)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default=benchmarking.cuda_or_cpu())
    parser.add_argument("--quick", action="store_true", help="short lengths and few repeats")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    args = parser.parse_args()
    device = torch.device(args.device)
    cuda = device.type == "cuda"
    dtype = torch.bfloat16 if cuda else torch.float32
    if not cuda:
        torch.set_num_threads(1)
    longest, repeats = 512 if args.quick else 65536 if cuda else 4096, 3 if args.quick else 5
    lengths = [n for n in (2**i for i in range(6, 17)) if n <= longest]
    enough = {"softmax, plain": 2048, "linear, N × N": 2048, "linear, cumulative": 2048}

    found, rows = methods(device), []
    for name, (method, definition) in found.items():
        check(name, method, definition, dtype, device)
    plan = [(name, n, mode) for n in lengths for mode in MODES for name in found]
    for name, n, mode in (progress := tqdm(plan)):
        if not cuda and n > enough.get(
            name, n
        ):  # gigabytes and minutes: the slope is known by then
            continue
        progress.set_description(f"{name}, {mode}, N = {n}")
        run = partial(MODES[mode], found[name][0], *inputs(n, dtype, device))
        row = {"what": "sequence", "method": name, "n": n, "mode": mode}
        rows.append(row | measured(run, device, repeats))
    for attention in (LinearAttention, SoftmaxAttention):
        for n in lengths:
            row = {"what": "step", "attention": attention.__name__, "n": n}
            rows.append(row | step(attention, n, device, 3 * repeats))

    machine = benchmarking.machine(device)
    path = args.out or records.result_file("linear-attention", machine)
    shape = {"heads": HEADS, "d": D, "batch_of_steps": BATCH}
    dtype = str(dtype).removeprefix("torch.")
    records.save(path, rows, machine, shape=shape, dtype=dtype, quick=args.quick)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
