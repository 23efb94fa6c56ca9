"""What attention costs: measured here, and as `python -m benchmarks.attention` has recorded it.
Taught in chapter 01."""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from tutorial_lib.layers.attention import dot_product_attention
from tutorial_lib.measuring import benchmarking
from tutorial_lib.notebook import plotting
from tutorial_lib.notebook.claims import steps
from tutorial_lib.notebook.setup import track

METHODS = {
    "plain": lambda q, k, v: dot_product_attention(q, k, v)[0],
    "fused": F.scaled_dot_product_attention,
}


SIZES = (256, 512, 1024, 2048)


def time_and_memory():
    """Numbers of tokens (SIZES, and fewer in quick mode), and seconds and peak bytes of 4 heads of
    64: method -> one for each of them."""
    sizes = SIZES[: steps(len(SIZES))]
    seconds, memory = {name: [] for name in METHODS}, {name: [] for name in METHODS}
    for n in track(sizes, "measuring"):
        q, k, v = (torch.randn(1, 4, n, 64) for _ in range(3))
        for name, method in METHODS.items():

            def run(method=method, q=q, k=k, v=v):
                return method(q, k, v)

            seconds[name].append(benchmarking.median_seconds(run, repeats=3, warmup=1))
            memory[name].append(benchmarking.peak_bytes(run))
    return sizes, seconds, memory


def parts_of_plain_attention(n=2048):
    """What plain attention does, step by step: name -> seconds; 4 heads of 64."""
    q, k, v = (torch.randn(1, 4, n, 64) for _ in range(3))
    s, p = q @ k.mT, (q @ k.mT / 8).softmax(-1)
    there = torch.empty_like(s)
    parts = {
        "Q Kᵀ": lambda: q @ k.mT,
        "scale": lambda: s / 8,
        "softmax": lambda: s.softmax(-1),
        "P V": lambda: p @ v,
        "Q Kᵀ, into old memory": lambda: torch.matmul(q, k.mT, out=there),
        "scale, into old memory": lambda: torch.div(s, 8, out=there),
        "softmax, into old memory": lambda: torch.softmax(s, -1, out=there),
        "fused, all of it": lambda: F.scaled_dot_product_attention(q, k, v),
    }
    return {
        name: benchmarking.median_seconds(part, repeats=2, warmup=1) for name, part in parts.items()
    }


def draw_rooflines(recorded):
    """A roofline for each recorded device, with each method at its longest input."""
    count = len(recorded)
    fig, axes = plt.subplots(1, count, figsize=(4.0 * count, 4.1), squeeze=False)
    for ax, result in zip(axes[0], recorded):
        limits, shape = result["limits"][0], result["shape"]
        rows = [r for r in result["rows"] if r["mode"] == "forward"]
        rows = [r for r in rows if r["dtype"] == limits["dtype"] and "error" not in r]
        n = max(r["n"] for r in rows if r["method"] == "naive")
        size = 4 if limits["dtype"] == "float32" else 2
        cost = benchmarking.attention_cost(shape["batch"], shape["heads"], n, n, shape["d"], size)
        points = {}
        for r in (r for r in rows if r["n"] == n):
            fused = "naive" not in r["method"]
            intensity = cost.fused_intensity if fused else cost.naive_intensity
            method = r["method"].replace("naive", "plain")
            points[f"{method}, N = {n}"] = (intensity, r["flops_per_second"])
        plotting.roofline(ax, limits, points)
        machine = result["machine"]
        ax.set_title(f"{machine['device']}, {machine['date'][:10]}", fontsize=9)
    return fig
