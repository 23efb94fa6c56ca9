"""A training step of our ViT against Hugging Face's, at the same configuration and weights.

    python -m benchmarks.vit [--device cpu|cuda] [--quick] [--out FILE]

A step is forward, cross-entropy and backward. The methods take turns, one step each, so that what
else the machine does hits them all; seconds are the median over the turns, and `times_ours` is the
median of a turn's seconds over ours in the same turn. Logits and gradients are compared first, and
the script stops if they disagree.

CPU: a small ViT, float32, one thread. CUDA: ViT-B/16, float32 and bfloat16 under autocast, also
compiled. Writes results/vit-<device>.json.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import trange
from transformers import ViTConfig, ViTForImageClassification

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.backbones.vit import ViT, from_huggingface
from tutorial_lib.training.device import best_device

SIZES = {  # ViT's arguments without the heads, which have 64 features each
    "cpu": dict(image_size=96, patch=16, channels=3, classes=10, dim=192, depth=6, hidden=768),
    "cuda": dict(
        image_size=224, patch=16, channels=3, classes=1000, dim=768, depth=12, hidden=3072
    ),
}
BATCH = {"cpu": 8, "cuda": 64}


def both(size):
    """Hugging Face's model, freshly initialised, and ours with its weights."""
    heads = size["dim"] // 64
    config = ViTConfig(
        image_size=size["image_size"],
        patch_size=size["patch"],
        num_channels=size["channels"],
        num_labels=size["classes"],
        hidden_size=size["dim"],
        num_hidden_layers=size["depth"],
        num_attention_heads=heads,
        intermediate_size=size["hidden"],
        attn_implementation="sdpa",
    )
    theirs = ViTForImageClassification(config)
    ours = ViT(heads=heads, eps=config.layer_norm_eps, **size)
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    return ours, theirs


def training_step(forward, images, labels, autocast):
    """Forward and backward; return the loss. Gradients add up, as nobody reads them."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=autocast):
        loss = F.cross_entropy(forward(images), labels)
    loss.backward()
    return loss


def agree(ours, theirs, images, labels):
    """Stop the script unless logits and the gradient of the patch embedding agree."""
    with torch.no_grad():
        pairs = [(ours(images), theirs(images).logits)]
    found = []
    for model, forward in [(ours, ours), (theirs, lambda x: theirs(x).logits)]:
        training_step(forward, images, labels, autocast=False)
        embed = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
        found.append(embed[0].weight.grad.clone())
        model.zero_grad()
    pairs.append(tuple(found))
    error = max(((a - b).norm() / b.norm()).item() for a, b in pairs)
    tolerance = 1e-2 if images.is_cuda else 1e-4  # TF32 on CUDA
    if not error < tolerance:
        sys.exit(f"the models differ by {error:.1e} of their norm")


def turns(steps, repeats, device):
    """name -> the seconds of each turn, after one turn that is not counted"""
    seconds = {name: [] for name in steps}
    for turn in trange(repeats + 1, desc="taking turns"):
        for name, step in sorted(steps.items(), reverse=turn % 2):  # nobody is always first
            found = benchmarking.median_seconds(step, repeats=1, warmup=0, device=device)
            if turn:
                seconds[name].append(found)
    return seconds


def measure(device, dtype, repeats):
    """A row for each method."""
    size, batch = SIZES[device.type], BATCH[device.type]
    torch.manual_seed(0)
    ours, theirs = (model.to(device).train() for model in both(size))
    images = torch.randn(batch, size["channels"], *2 * [size["image_size"]], device=device)
    labels = torch.randint(size["classes"], (batch,), device=device)
    agree(ours, theirs, images, labels)
    forwards = {"ours": ours, "Hugging Face": lambda x: theirs(x).logits}
    if device.type == "cuda":
        forwards["ours, compiled"] = torch.compile(ours)
    rest = dict(images=images, labels=labels, autocast=dtype == "bfloat16")
    steps = {name: partial(training_step, forward, **rest) for name, forward in forwards.items()}
    seconds = turns(steps, repeats, device)
    for name, found in seconds.items():
        median = statistics.median(found)
        yield {
            "method": name,
            "dtype": dtype,
            "seconds": median,
            "images_per_second": batch / median,
            "times_ours": statistics.median(a / b for a, b in zip(found, seconds["ours"])),
            "peak_bytes": benchmarking.peak_bytes(steps[name], device),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=tuple(SIZES), default=best_device().type)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    args = parser.parse_args()
    device = torch.device(args.device)
    if args.device == "cpu":
        torch.set_num_threads(1)
    rows = []
    for dtype in ["float32", "bfloat16"] if args.device == "cuda" else ["float32"]:
        rows += measure(device, dtype, repeats=5 if args.quick else 60)
    machine = benchmarking.machine(device)
    path = args.out or records.result_file("vit", machine)
    shape = SIZES[args.device] | {"batch": BATCH[args.device]}
    records.save(path, rows, machine, size=shape, quick=args.quick)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
