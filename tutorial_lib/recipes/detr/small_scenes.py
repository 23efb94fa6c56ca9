"""Small scenes that a model learns within seconds, and a DETR that has learned them for longer.

Taught in chapter 14. Train the checkpoint again, which takes a minute:

    python -m tutorial_lib.recipes.detr.small_scenes [--steps N] [--out FILE]
"""

import argparse
from pathlib import Path

import torch

from tutorial_lib.layers.boxes import cxcywh_to_xyxy
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.detr.detr import BATCH, LR, draw, fresh, scenes, set_loss
from tutorial_lib.training.average_precision import average_precision, detections
from tutorial_lib.training.loop import train

SIDE, MOST = 32, 2  # pixels; garments in a scene
SHOWN = ("trouser", "shoe", "bag")
QUERIES, COUNT, STEPS = 5, 6000, 2000
FILE = Path(__file__).parent / "small.safetensors"


def small_scenes(split: str, count: int):
    """images (count, 3, 32, 32) of one or two garments of three kinds, classes (count, 2), −1 for
    none, and boxes (count, 2, 4) as cx, cy, w, h."""
    return scenes(split, count, kinds=SHOWN, most=MOST, side=SIDE)


@torch.no_grad()
def ap50(model, images, classes, true_boxes) -> float:
    """Average precision at an IoU of 0.5 of a model that gives logits (B, N, C + 1) and boxes
    (B, N, 4), or pairs of them of which the last counts, in evaluation mode."""
    was_training = model.training
    out = model.eval()(images)
    model.train(was_training)
    found = detections(*(out[-1] if isinstance(out, list) else out))
    return float(average_precision(*found, cxcywh_to_xyxy(true_boxes), classes, ious=[0.5])[0])


def load(path: Path = FILE):
    """The DETR that has learned small scenes, and what is recorded of its training."""
    return shipped.load(path, fresh("plain", seed=0, queries=QUERIES))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="small_scenes", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=FILE, help="the checkpoint to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = fresh("plain", seed=0, queries=QUERIES)
    settings = dict(steps=options.steps, lr=LR, warmup=options.steps // 20, seed=0)
    train(model, draw(*small_scenes("train", COUNT)), set_loss, label="small scenes", **settings)
    reached = ap50(model, *small_scenes("test", 400))
    record = {"recipe": "tutorial_lib.recipes.detr.small_scenes", "ap50": f"{reached:.4f}"}
    shipped.save(options.out, model, **record, **settings, batch=BATCH, count=COUNT)
    print(f"{options.out}: AP50 {reached:.3f}")


if __name__ == "__main__":
    main()
