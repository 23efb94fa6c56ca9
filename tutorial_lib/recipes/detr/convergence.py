"""How slowly DETR learns, and what it finds last: small objects. A record.

Taught in chapter 14: AP50 against steps, by the size of objects, for plain DETR and for the variant
whose queries come from the picture. Measure again:

    python -m tutorial_lib.recipes.detr.convergence [--out FILE]
"""

from itertools import product

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.detr.detr import MODELS, draw, fresh, quality, scenes, set_loss
from tutorial_lib.recipes.detr.sets import COUNT, LR, SCENES, SIZES
from tutorial_lib.training.loop import train

STEPS, SEEDS = (500, 1000, 2000, 4000), range(3)
AREAS = {"small": (0, 0.06), "medium": (0.06, 0.12), "large": (0.12, 1)}  # of the picture


def measure(row):
    """One row of the record, in a process of its own: a training of its own for each length, since
    the rate falls to zero at its end."""
    model = fresh(row["model"], row["seed"], **SIZES)
    batches = draw(*scenes("train", COUNT["train"], **SCENES))
    settings = dict(steps=row["steps"], lr=LR, warmup=row["steps"] // 20, seed=row["seed"])
    train(model, batches, set_loss, label=row["model"], **settings)
    return row | quality(model, *scenes("test", COUNT["test"], **SCENES), AREAS)


def plan():
    rows = product(SEEDS, STEPS, MODELS)
    return [dict(model=model, steps=steps, seed=seed) for seed, steps, model in rows]


if __name__ == "__main__":
    record("detr-convergence", plan(), measure, scenes=SCENES, sizes=SIZES)
