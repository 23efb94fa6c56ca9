"""Time, memory and FLOP/s of attention as it is written and as it is fused, against length.

    python benchmarks/attention.py [--device cpu|cuda] [--quick] [--out FILE]

Every method is first compared with float64, results and gradients, and the script stops if one is
wrong. CPU: float32, one thread, N = 64..2048. CUDA: bfloat16 and float32, N = 64..16384, and also
our Triton kernels and the compiled plain version. Writes results/attention-<device>.json.

Each row: method, dtype, n, mode ("forward" or "forward+backward"), seconds (median), peak_bytes
(beyond the inputs) and flops_per_second. The FLOPs are those of the formula, 4 b n^2 d forward and
8 b n^2 d backward, whatever a method recomputes, so that equal figures mean equal times. A row of
what does not fit in the device's memory has "out of memory" under "error" instead of figures.
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from tutorial_lib.measuring import benchmarking, records

D = 64
# Errors allowed relative to the largest number of the exact result: some epsilons of the dtype.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}


def naive(q, k, v):
    """q, k, v (B, H, N, d) -> (B, H, N, d), with the scores (B, H, N, N) in memory."""
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return scores.softmax(-1) @ v


def methods(device):
    """Name -> function of q, k, v."""
    found = {"naive": naive, "PyTorch fused": F.scaled_dot_product_attention}
    if device.type == "cuda":
        found["compiled naive"] = torch.compile(naive, dynamic=False)
        try:
            from tutorial_lib.kernels.flash_attention import flash_attention

            found["our kernel"] = flash_attention
        except ImportError as error:
            print(error, file=sys.stderr)
    return found


def inputs(heads, n, dtype, device, grad):
    """q, k, v and the gradient of the output, each (1, heads, n, D)."""
    draw = torch.Generator().manual_seed(n)
    q, k, v, do = (torch.randn(1, heads, n, D, generator=draw).to(device, dtype) for _ in range(4))
    return [x.requires_grad_(grad) for x in (q, k, v)], do


def forward(method, qkv, do):
    with torch.no_grad():
        return method(*qkv)


def forward_and_backward(method, qkv, do):
    return torch.autograd.grad(method(*qkv), qkv, do)


MODES = {"forward": forward, "forward+backward": forward_and_backward}


def check(name, method, dtype, device):
    """Stop the script unless the result and the gradients agree with float64."""
    qkv, do = inputs(2, 257, dtype, device, grad=True)
    exact_qkv = [x.detach().double().requires_grad_() for x in qkv]
    found = [forward(method, qkv, do), *forward_and_backward(method, qkv, do)]
    exact = [forward(naive, exact_qkv, do), *forward_and_backward(naive, exact_qkv, do.double())]
    for part, a, e in zip(("out", "dq", "dk", "dv"), found, exact, strict=True):
        error = ((a.double() - e).abs().max() / e.abs().max()).item()
        if not error < TOLERANCE[dtype]:
            sys.exit(f"{name}, {dtype}: {part} is off by {error:.1e} of its largest number")


def measure(method, mode, heads, n, dtype, device, repeats):
    """The figures of one row."""
    qkv, do = inputs(heads, n, dtype, device, grad=mode != "forward")
    cost = benchmarking.attention_cost(1, heads, n, n, D, dtype.itemsize)
    flops = cost.forward_flops + (cost.backward_flops if mode != "forward" else 0)

    def run():
        return MODES[mode](method, qkv, do)

    try:
        seconds = benchmarking.median_seconds(run, repeats=repeats, device=device)
        peak = benchmarking.peak_bytes(run, device)
    except torch.OutOfMemoryError:
        return {"error": "out of memory"}
    return {"seconds": seconds, "peak_bytes": peak, "flops_per_second": flops / seconds}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default=benchmarking.cuda_or_cpu())
    parser.add_argument("--quick", action="store_true", help="short lengths and few repeats")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    return parser.parse_args()


def main():
    args = parse()
    device = torch.device(args.device)
    cuda = device.type == "cuda"
    if not cuda:
        torch.set_num_threads(1)
    heads = 16 if cuda else 4
    dtypes = [torch.bfloat16, torch.float32] if cuda else [torch.float32]
    longest = 512 if args.quick else 16384 if cuda else 2048
    lengths = [n for n in (2**i for i in range(6, 15)) if n <= longest]
    repeats = 3 if args.quick else 7

    found = methods(device)
    for dtype in dtypes:
        for name, method in tqdm(found.items(), desc=f"checking {dtype}"):
            check(name, method, dtype, device)

    limits = [benchmarking.device_limits(device, dtype) for dtype in dtypes]
    rows = []
    plan = [(t, n, mode, name) for t in dtypes for n in lengths for mode in MODES for name in found]
    for dtype, n, mode, name in (progress := tqdm(plan)):
        progress.set_description(f"{name}, {mode}, N = {n}")
        if cuda:
            torch._dynamo.reset()  # compile afresh for each shape: it gives up after a few
            torch.cuda.empty_cache()
        row = {"method": name, "dtype": str(dtype).removeprefix("torch."), "n": n, "mode": mode}
        rows.append(row | measure(found[name], mode, heads, n, dtype, device, repeats))

    machine = benchmarking.machine(device)
    path = args.out or records.result_file("attention", machine)
    shape = {"batch": 1, "heads": heads, "d": D}
    records.save(path, rows, machine, shape=shape, limits=limits, quick=args.quick)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
