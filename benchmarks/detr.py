"""A training step of our DETR and its set loss against Hugging Face's, with the same weights.

    python -m benchmarks.detr [--device cpu|cuda] [--quick] [--out FILE]

A step is forward, matching, loss and backward. The methods take turns, one step each, so that what
else the machine does hits them all; seconds are the median over the turns, and `times_ours` is the
median of a turn's seconds over ours in the same turn. Loss and gradients are compared first, and
the script stops if they disagree.

Both have the same backbone, a small ResNet of Hugging Face's, so what is compared is the
transformer and the loss. It is that of the last layer: with auxiliary losses their decoder computes
something else (`tests/parity/test_detr_model.py`). A small DETR on the CPU, float32, one thread;
the paper's size on CUDA, float32 and bfloat16 under autocast. Writes results/detr-<device>.json.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

import torch
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from benchmarks.vit import turns
from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.detection.hugging_face import from_huggingface
from tutorial_lib.training.device import best_device

SIZES = {
    "cpu": dict(image_size=128, classes=20, queries=50, dim=128, depth=3, heads=4, hidden=512),
    "cuda": dict(image_size=512, classes=91, queries=100, dim=256, depth=6, heads=8, hidden=2048),
}
BATCH = {"cpu": 4, "cuda": 16}
OBJECTS = 7  # a picture, as many as COCO has on average


def both(size):
    """Hugging Face's model, freshly initialised, and ours with its weights and its backbone."""
    backbone = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32, 64],
        depths=[1, 1, 1],
        layer_type="basic",
        out_features=["stage3"],
    )
    config = DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=backbone,
        num_labels=size["classes"],
        num_queries=size["queries"],
        d_model=size["dim"],
        encoder_layers=size["depth"],
        decoder_layers=size["depth"],
        encoder_attention_heads=size["heads"],
        decoder_attention_heads=size["heads"],
        encoder_ffn_dim=size["hidden"],
        decoder_ffn_dim=size["hidden"],
        dropout=0.0,
    )
    theirs = DetrForObjectDetection(config)
    # As in the paper's code. From theirs all queries answer alike, and rounding would match them.
    torch.nn.init.normal_(theirs.model.query_position_embeddings.weight)
    return from_huggingface(theirs), theirs


def training_step(loss_of, images, autocast):
    """Forward and backward; return the loss. Gradients add up, as nobody reads them."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=autocast):
        loss = loss_of(images)
    loss.backward()
    return loss


def agree(ours, theirs, losses, images):
    """Stop the script unless the losses and the gradients of the queries agree."""
    found = []
    for name, model in (("ours", ours), ("Hugging Face", theirs)):
        loss = training_step(losses[name], images, autocast=False).detach()
        queries = model.queries if model is ours else model.model.query_position_embeddings.weight
        found.append((loss, queries.grad.clone()))
        model.zero_grad()
    error = max(((a - b).norm() / b.norm()).item() for a, b in zip(*found))
    tolerance = 2e-2 if images.is_cuda else 1e-3  # TF32 on CUDA
    if not error < tolerance:
        sys.exit(f"the models differ by {error:.1e} of their norm")


def measure(device, dtype, repeats):
    """A row for each method."""
    size, batch = SIZES[device.type], BATCH[device.type]
    torch.manual_seed(0)
    ours, theirs = (model.to(device).train() for model in both(size))
    images = torch.randn(batch, 3, *2 * [size["image_size"]], device=device)
    classes = torch.randint(size["classes"], (batch, OBJECTS), device=device)
    boxes = 0.2 + 0.3 * torch.rand(batch, OBJECTS, 4, device=device)
    labels = [{"class_labels": c, "boxes": b} for c, b in zip(classes, boxes)]
    set_loss = SetLoss(size["classes"]).to(device)
    losses = {
        "ours": lambda x: set_loss(ours(x)[-1:], classes, boxes),
        "Hugging Face": lambda x: theirs(x, labels=labels).loss,
    }
    agree(ours, theirs, losses, images)
    rest = dict(images=images, autocast=dtype == "bfloat16")
    steps = {name: partial(training_step, loss_of, **rest) for name, loss_of in losses.items()}
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
    path = args.out or records.result_file("detr", machine)
    shape = SIZES[args.device] | {"batch": BATCH[args.device], "objects": OBJECTS}
    records.save(path, rows, machine, size=shape, quick=args.quick)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
