"""The integer product and the whole quantized linear map against floats, for several sizes.

    python -m benchmarks.int8 [--device cpu|cuda] [--out FILE]

The ways take turns, so that what else the machine does hits them all; seconds are the median over
the turns. Integers are compared with an exact product first, and the script stops if they differ.
Speed is also given as a share of what a large product of floats reaches on the device: float32 on
a CPU, one thread; bfloat16 on CUDA. The Triton kernel takes part on CUDA, where it is compiled.
Writes results/int8-<device>.json.
"""

import argparse
import statistics
import sys
from pathlib import Path

import torch
from torch import nn

from tutorial_lib.layers.quantization import (
    QuantizedLinear,
    affine_scale,
    int8_product,
    symmetric_scale,
)
from tutorial_lib.measuring import benchmarking, records

SIZES = [(3200, 64, 64), (2048, 512, 512), (2048, 1536, 1536)]  # N, K, M
TURNS = 5


def ways(N, K, M, device, dtype):
    """name -> a function that does it once"""
    torch.manual_seed(0)
    x, linear = torch.randn(N, K), nn.Linear(K, M)
    quantized = QuantizedLinear(K, M).take(
        linear, symmetric_scale(linear.weight, 8), *affine_scale(x.flatten(), 8)
    )
    x, linear, quantized = x.to(device), linear.to(device), quantized.to(device)
    q = (x / quantized.input_scale).round().clamp(-128, 127).to(torch.int8)
    exact = q.double() @ quantized.weight.double().mT
    if not (int8_product(q, quantized.weight.mT).double() == exact).all():
        sys.exit(f"torch._int_mm is not exact for {(N, K, M)}")
    half, halves = linear.to(dtype), x.to(dtype)
    found = {
        "floats": lambda: half(halves),
        "int8 product": lambda: int8_product(q, quantized.weight.mT),
        "int8 map": lambda: quantized(x),
    }
    if device.type == "cuda":
        from tutorial_lib.kernels.int8_matmul import int8_linear

        scale = quantized.input_scale * quantized.weight_scale
        sums = quantized.weight.sum(1, dtype=torch.int32)
        shift = quantized.bias - scale * quantized.input_zero * sums
        fused = int8_linear(q, quantized.weight.mT, scale, shift)
        error = ((fused - (exact * scale + shift)).abs().max() / fused.abs().max()).item()
        if not error < 1e-5:
            sys.exit(f"the Triton kernel differs by {error:.1e} for {(N, K, M)}")
        found["int8, fused (Triton)"] = lambda: int8_linear(q, quantized.weight.mT, scale, shift)
    return found


@torch.no_grad()
def measure(sizes, device):
    """A row for each size: seconds of each way, and its speed as a share of the device's limit."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    limit = benchmarking.device_limits(device, dtype)["flops_per_second"]
    for N, K, M in sizes:
        calls = ways(N, K, M, device, dtype)
        seconds = {name: [] for name in calls}
        for turn in range(TURNS):
            for name, call in calls.items():
                taken = benchmarking.median_seconds(
                    call, repeats=3, warmup=2 * (turn == 0), device=device
                )
                seconds[name].append(taken)
        median = {name: statistics.median(found) for name, found in seconds.items()}
        yield dict(
            N=N,
            K=K,
            M=M,
            seconds=median,
            faster={name: median["floats"] / taken for name, taken in median.items()},
            share_of_limit={name: 2 * N * K * M / taken / limit for name, taken in median.items()},
        )


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="int8", description=__doc__.partition("\n")[0])
    parser.add_argument("--device", type=torch.device, default=benchmarking.cuda_or_cpu())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    machine, rows = benchmarking.machine(options.device), []
    for row in measure(SIZES, options.device):
        rows.append(row)
        print(row)
    records.save(options.out or records.result_file("int8", machine), rows, machine)


if __name__ == "__main__":
    main()
