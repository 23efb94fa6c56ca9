"""Labels and the distillation token, each at its own best rate: a record.

Taught in chapter 06. In `deit.py` every student learns at one rate. Is what the teacher brings
there still there when each chooses its own? Pictures are shifted and cut (CutMix). Measure again,
a quarter of an hour on one core:

    python -m tutorial_lib.recipes.deit.own_rate [--out FILE]
"""

from itertools import product

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.deit import deit

RATES = (2e-3, 4e-3)
LESSONS = "labels", "hard, own token", "sharper labels"
SEEN = ("shift", "CutMix")


def measure(row):
    """One row of the record, in a process of its own."""
    student = deit.learn(row["lesson"], SEEN, row["seed"], row["steps"], lr=row["lr"])
    return row | {"accuracy": deit.accuracy(student)}


def plan():
    return [
        dict(lesson=lesson, lr=lr, steps=deit.STEPS, seed=seed)
        for seed, lr, lesson in product(deit.SEEDS, RATES, LESSONS)
    ]


if __name__ == "__main__":
    record("deit-own-rate", plan(), measure, pictures=deit.PICTURES, augmentations=SEEN)
