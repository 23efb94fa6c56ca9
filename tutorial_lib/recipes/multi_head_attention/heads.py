"""How long a multi-head layer takes in a loop over its heads, and all heads at once. Taught in
chapter 02."""

from functools import partial

import torch
import torch.nn.functional as F

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.notebook.setup import track

COUNTS, SHAPE = (1, 2, 4, 8, 16), (8, 64, 128)
METHODS = ("a loop over heads", "all heads at once")


def looped(layer, x):
    """A multi-head layer, head by head."""
    q, k, v = (to(x).chunk(layer.heads, dim=-1) for to in (layer.to_q, layer.to_k, layer.to_v))
    return layer.to_out(torch.cat(list(map(F.scaled_dot_product_attention, q, k, v)), dim=-1))


def measured():
    """method -> the seconds that a forward pass takes here, for each of COUNTS."""
    x, times = torch.randn(SHAPE), {method: [] for method in METHODS}
    for heads in track(COUNTS, "measuring"):
        layer = MultiHeadAttention(SHAPE[-1], heads)
        for method, run in zip(METHODS, (partial(looped, layer, x), partial(layer, x))):
            times[method].append(benchmarking.median_seconds(run, repeats=5, warmup=2))
    return times


def panels():
    """(title, numbers of heads, method -> seconds): this machine, then what GPUs recorded."""
    found = [(f"this machine, CPU, forward\n{SHAPE}", COUNTS, measured())]
    for result in records.recorded("transformer"):
        if "NVIDIA" not in result["machine"]["device"]:
            continue
        rows = [row for row in result["rows"] if row["what"] == "heads"]
        times = {m: [r["seconds"] for r in rows if r["method"] == m] for m in METHODS}
        shape = tuple(result["size"][name] for name in ("batch", "tokens", "width"))
        device, date = result["machine"]["device"], result["machine"]["date"][:10]
        title = f"{device}, {date}\nforward and backward, {shape}"
        found.append((title, sorted({row["heads"] for row in rows}), times))
    return found
