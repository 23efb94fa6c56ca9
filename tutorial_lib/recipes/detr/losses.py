"""What the loss of DETR brings: without the earlier layers', and with every object listed twice.

Taught in chapter 14, after Carion et al., End-to-End Object Detection with Transformers (ECCV 2020,
2005.12872), sections 3.1 and 3.2. Beside the rows stands the variant "plain" of `sets.py`, which
differs in nothing else. An object that is listed twice is matched with two queries, as in
detectors before DETR, whose objects had many boxes. Measure again:

    python -m tutorial_lib.recipes.detr.losses [--out FILE]
"""

from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.detr.detr import LOSS, LR, SIZES, draw, fresh, quality, scenes, set_loss
from tutorial_lib.recipes.detr.sets import COUNT, LONG, QUERIES, SCENES, SEEDS
from tutorial_lib.training.loop import train


def last_layer_alone(model, images, classes, boxes):
    """The loss of `train`, the last layer of the decoder in it alone."""
    loss = SetLoss(SIZES["classes"], **LOSS).to(images.device)
    return loss(model(images)[-1:], classes, boxes)


def objects_twice(model, images, classes, boxes):
    """The loss of `train`, every object listed twice."""
    return set_loss(model, images, classes.repeat(1, 2), boxes.repeat(1, 2, 1))


VARIANTS = {"objects twice": objects_twice, "last layer alone": last_layer_alone}


def measure(row):
    """One row of the record, in a process of its own."""
    model, steps = fresh("plain", row["seed"], queries=QUERIES), row["steps"]
    batches = draw(*scenes("train", COUNT["train"], **SCENES))
    settings = dict(steps=steps, lr=LR, warmup=steps // 20, seed=row["seed"])
    train(model, batches, VARIANTS[row["variant"]], label=row["variant"], **settings)
    return row | quality(model, *scenes("test", COUNT["test"], **SCENES))


def plan():
    return [dict(variant=v, steps=LONG, seed=seed) for seed in SEEDS for v in VARIANTS]


if __name__ == "__main__":
    record("detr-losses", plan(), measure, scenes=SCENES, queries=QUERIES)
