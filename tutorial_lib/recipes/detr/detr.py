"""DETR and its two-stage variant on scenes of garments: the recipe of their checkpoints.

Taught in chapter 14, after Carion et al., End-to-End Object Detection with Transformers (ECCV 2020,
2005.12872), and Zhu et al., Deformable DETR (ICLR 2021, 2010.04159). Train again:

    python -m tutorial_lib.recipes.detr.detr two-stage [--out FILE]
"""

import argparse
import time
from functools import lru_cache
from pathlib import Path

import torch

from tutorial_lib.data.scenes import KINDS, batch, scene
from tutorial_lib.layers.boxes import cxcywh_to_xyxy
from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.models.detection.detr import DETR, TinyBackbone
from tutorial_lib.models.detection.two_stage import TwoStageDETR
from tutorial_lib.recipes import shipped
from tutorial_lib.training.average_precision import average_precision, detections, nms
from tutorial_lib.training.loop import train

FOLDER = Path(__file__).parent
MODELS = {"plain": DETR, "two-stage": TwoStageDETR}
SIZES = dict(classes=len(KINDS), queries=10, dim=64, depth=2, heads=4, hidden=128)
CHANNELS = 64  # of the backbone
BATCH, LR = 16, 2e-3
# Scenes to learn from, to be tested on, and to be tested on that had no part in the choice of LOSS.
COUNT = {"train": 20_000, "test": 400, "fresh": 800}
STEPS = 20_000
# The paper has 100 queries for about 7 objects, here there are 10 for 2.4. With its weights, 0.1
# for "no object" and 1 for classes, too many queries answer, and many right boxes have the class of
# another thing.
LOSS = dict(no_object=0.4, weights=(2.0, 5.0, 2.0))
SURE = 0.5  # a box with this probability is taken for an answer


@lru_cache
def scenes(split: str, count: int, **settings):
    """images, classes and boxes of the first `count` scenes; settings as `scene` takes them"""
    return batch([scene(split, 0, i, **settings) for i in range(count)])


def draw(images, classes, boxes, size=BATCH):
    """A function for `train`: `size` of these scenes at random."""

    def drawn(generator):
        chosen = torch.randint(len(images), (size,), generator=generator)
        return images[chosen], classes[chosen], boxes[chosen]

    return drawn


def set_loss(model, images, classes, boxes):
    """The loss of `train`, all layers of the decoder in it."""
    loss = SetLoss(SIZES["classes"], **LOSS).to(images.device)
    return loss(model(images), classes, boxes)


def fresh(name: str, seed: int, channels=CHANNELS, **changes):
    """A model before its training: of MODELS, with SIZES but for the changes."""
    torch.manual_seed(seed)
    return MODELS[name](TinyBackbone(channels), **SIZES | changes)


@torch.no_grad()
def answers(model, images, layer=-1):
    """boxes xyxy (n, N, 4), scores (n, N) and classes (n, N) of a layer of the decoder, the last"""
    model.eval()
    device = next(model.parameters()).device
    outputs = [model(part.to(device))[layer] for part in images.split(100)]
    return detections(*(torch.cat(part).float().cpu() for part in zip(*outputs)))


def quality(model, images, classes, boxes, areas=None, layer=-1) -> dict:
    """AP50 and AP on these scenes, with and without non-maximum suppression, and how many boxes of
    a scene it removes from those that are sure; AP50 by size for areas, name -> (least, most)."""
    found, true = answers(model, images, layer), (cxcywh_to_xyxy(boxes), classes)
    suppressed = nms(*found)
    plain = average_precision(*found, *true)
    with_nms = average_precision(*found[:2], suppressed, *true)
    sure = found[2].where(found[1] > SURE, -1)
    removed = (sure >= 0) & (nms(*found[:2], sure) < 0)
    result = {
        "ap50": plain[0],
        "ap": plain.mean(),
        "ap50_nms": with_nms[0],
        "ap_nms": with_nms.mean(),
        "duplicates": removed.sum().item() / len(images),
        "objects": (classes >= 0).sum().item() / len(images),
        "answers": (sure >= 0).sum().item() / len(images),
    }
    for name, limits in (areas or {}).items():
        result[f"ap50_{name}"] = average_precision(*found, *true, ious=[0.5], areas=limits)[0]
    return {name: float(value) for name, value in result.items()}


def load(name: str, path: Path | None = None):
    """A trained model of MODELS, and what is recorded of its training."""
    return shipped.load(path or file_of(name), fresh(name, seed=0))


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace('-', '_')}.safetensors"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="detr", description=__doc__.partition("\n")[0])
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the checkpoint to write")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    settings = dict(steps=options.steps, lr=LR, warmup=options.steps // 20, seed=options.seed)
    model, began = fresh(options.model, options.seed), time.process_time()
    batches = draw(*scenes("train", COUNT["train"]))
    train(model, batches, set_loss, label=options.model, **settings)
    seconds = time.process_time() - began

    measured = quality(model, *scenes("test", COUNT["test"]))
    all_tests = scenes("test", COUNT["test"] + COUNT["fresh"])
    measured["ap50_fresh"] = quality(model, *(part[COUNT["test"] :] for part in all_tests))["ap50"]
    record = {"recipe": "tutorial_lib.recipes.detr.detr", "kind": options.model}
    record |= settings | {"batch": BATCH, "count": COUNT["train"], "cpu_seconds": f"{seconds:.0f}"}
    path = options.out or file_of(options.model)
    shipped.save(path, model, **record, **{k: f"{v:.4f}" for k, v in measured.items()})
    print(f"{path}: AP50 {measured['ap50']:.3f}, {seconds:.0f} s of CPU")


if __name__ == "__main__":
    main()
