"""What the losses of the earlier layers bring: DETR with that of the last one alone. A record.

Taught in chapter 14, after Carion et al., End-to-End Object Detection with Transformers (ECCV 2020,
2005.12872), section 3.2. Beside it stands the variant "plain" of `sets.py`, which differs in
nothing else, and the same with twice the steps: is it ability or speed? Measure again:

    python -m tutorial_lib.recipes.detr.last_layer [--out FILE]
"""

from itertools import product

from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.detr.detr import LOSS, LR, SIZES, draw, fresh, quality, scenes
from tutorial_lib.recipes.detr.sets import COUNT, LONG, QUERIES, SCENES, SEEDS
from tutorial_lib.training.loop import train


def loss_of_the_last(model, images, classes, boxes):
    """The loss of `train`, the last layer of the decoder in it alone."""
    loss = SetLoss(SIZES["classes"], **LOSS).to(images.device)
    return loss(model(images)[-1:], classes, boxes)


def measure(row):
    """One row of the record, in a process of its own."""
    model, steps = fresh("plain", row["seed"], queries=QUERIES), row["steps"]
    batches = draw(*scenes("train", COUNT["train"], **SCENES))
    settings = dict(steps=steps, lr=LR, warmup=steps // 20, seed=row["seed"])
    train(model, batches, loss_of_the_last, label="last layer alone", **settings)
    return row | quality(model, *scenes("test", COUNT["test"], **SCENES))


def plan():
    return [dict(steps=LONG * times, seed=seed) for times, seed in product((1, 2), SEEDS)]


if __name__ == "__main__":
    record("detr-last-layer", plan(), measure, scenes=SCENES, queries=QUERIES)
