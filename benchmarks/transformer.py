"""What the parts of a Transformer cost: heads, an encoder in training, writing with a cache.

    python -m benchmarks.transformer [--device cpu|cuda] [--quick] [--out FILE]

Three kinds of rows, by their "what", all medians; every pair of methods is compared first, and the
script stops if they disagree.

heads       a multi-head layer, forward and backward, against the number of heads: in a loop over
            heads, all at once, and torch.nn.MultiheadAttention
encoder     a training step (forward and backward) of a pre-norm encoder: ours and PyTorch's, in
            float32 and, on CUDA, in bfloat16 under autocast, and compiled. flops_per_second counts
            the products of the formula 24 N D² + 4 N² D for each layer and sequence, three times
generation  writing a sequence greedily with the key-value cache and without it

CPU: small sizes, float32, one thread. CUDA: the size of ViT-B. Writes
results/transformer-<device>.json.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding

SIZES = {
    "cpu": {"batch": 8, "tokens": 64, "width": 128, "depth": 2, "write": (8, 16, 32, 64)},
    "cuda": {"batch": 64, "tokens": 197, "width": 768, "depth": 12, "write": (32, 64, 128, 256)},
}


def agree(name, a, b, tolerance=1e-4):
    """Stop the script unless two tensors are equal up to rounding."""
    error = ((a - b).abs().max() / b.abs().max()).item()
    if not error < tolerance:
        sys.exit(f"{name}: off by {error:.1e} of the largest number")


def looped(layer, x):
    """A multi-head layer head by head."""
    q, k, v = (to(x).chunk(layer.heads, dim=-1) for to in (layer.to_q, layer.to_k, layer.to_v))
    return layer.to_out(torch.cat(list(map(F.scaled_dot_product_attention, q, k, v)), dim=-1))


def training_step(forward, x, autocast):
    """Forward and backward. Gradients add up, as nobody reads them."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
        y = forward(x)
    y.float().square().mean().backward()


def heads(device, size, repeats):
    """Time against the number of heads."""
    cuda = device.type == "cuda"
    for count in (1, 2, 4, 8, 16):
        x = torch.randn(size["batch"], size["tokens"], size["width"], device=device)
        ours = MultiHeadAttention(size["width"], count).to(device)
        theirs = nn.MultiheadAttention(size["width"], count, batch_first=True).to(device)
        methods = {
            "a loop over heads": partial(looped, ours),
            "all heads at once": ours,
            "torch.nn.MultiheadAttention": lambda x, f=theirs: f(x, x, x, need_weights=False)[0],
        }
        agree("heads", looped(ours, x), ours(x), 1e-2 if cuda else 1e-4)  # CUDA sums otherwise
        for method, forward in methods.items():
            step = partial(training_step, forward, x, autocast=cuda)
            seconds = benchmarking.median_seconds(step, repeats=repeats, device=device)
            yield {"what": "heads", "method": method, "heads": count, "seconds": seconds}


def encoders(device, size):
    """Name -> encoder of our layers and of PyTorch's, with the same numbers of everything."""
    width, depth = size["width"], size["depth"]
    count = width // 64
    ours = nn.Sequential(*(EncoderLayer(width, count, 4 * width) for _ in range(depth)))
    options = {"activation": "gelu", "norm_first": True, "batch_first": True, "dropout": 0.0}
    layer = nn.TransformerEncoderLayer(width, count, 4 * width, **options)
    theirs = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    return {"ours": ours.to(device), "PyTorch": theirs.to(device)}


def encoder(device, size, repeats):
    """Time and memory of a training step."""
    batch, n, width = size["batch"], size["tokens"], size["width"]
    flops = 3 * size["depth"] * batch * (24 * n * width**2 + 4 * n**2 * width)
    x = torch.randn(batch, n, width, device=device)
    for dtype in ["float32", "bfloat16"] if device.type == "cuda" else ["float32"]:
        methods = encoders(device, size)
        if device.type == "cuda":
            methods["ours, compiled"] = torch.compile(methods["ours"])
        for method, forward in methods.items():
            step = partial(training_step, forward, x, autocast=dtype == "bfloat16")
            seconds = benchmarking.median_seconds(step, repeats, device=device)
            peak = benchmarking.peak_bytes(step, device)
            row = {"what": "encoder", "method": method, "dtype": dtype, "seconds": seconds}
            yield row | {"peak_bytes": peak, "flops_per_second": flops / seconds}


@torch.no_grad()
def write_again(model, memory, begin, length):
    """Greedy writing that reads everything written so far at every step."""
    words = torch.full((len(memory), 1), begin, device=memory.device)
    for _ in range(length):
        new = model.decode(words, memory)[:, -1].argmax(-1, keepdim=True)
        words = torch.cat([words, new], dim=1)
    return words[:, 1:]


@torch.no_grad()
def write_cached(model, memory, begin, length):
    """The same with the cache."""
    words, written = torch.full((len(memory),), begin, device=memory.device), []
    caches = model.start(memory)
    for position in range(length):
        words = model.step(words, position, caches).argmax(-1)
        written.append(words)
    return torch.stack(written, dim=1)


def generation(device, size, repeats):
    """Time against the length of what is written."""
    torch.manual_seed(0)
    width = min(size["width"], 512)
    model = Transformer(WordEmbedding(100, width), 100, width, width // 64, 4 * width, 6).to(device)
    memory = torch.randn(size["batch"], 16, width, device=device)
    methods = {"without a cache": write_again, "with a cache": write_cached}
    a, b = (write(model, memory, 0, 8) for write in methods.values())
    if not torch.equal(a, b):
        sys.exit("generation: the words with and without a cache differ")
    for length in size["write"]:
        for method, write in methods.items():
            run = partial(write, model, memory, 0, length)
            seconds = benchmarking.median_seconds(run, repeats=repeats, warmup=1, device=device)
            row = {"what": "generation", "method": method, "length": length, "seconds": seconds}
            yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=tuple(SIZES), default=benchmarking.cuda_or_cpu())
    parser.add_argument("--quick", action="store_true", help="few repeats")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    args = parser.parse_args()
    device, size = torch.device(args.device), SIZES[args.device]
    if args.device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(0)

    rows, repeats = [], 3 if args.quick else 9
    for measure in (heads, encoder, generation):
        for row in tqdm(measure(device, size, repeats), desc=measure.__name__):
            rows.append(row)
    machine = benchmarking.machine(device)
    path = args.out or records.result_file("transformer", machine)
    records.save(path, rows, machine, size=size, quick=args.quick)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
