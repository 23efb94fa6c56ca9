"""The missing halves again, by attention without its scale, in narrow and in wide heads: a record.

Taught in chapter 01. Measure again, a minute:

    python -m tutorial_lib.recipes.self_attention.unscaled [--out FILE]
"""

from functools import partial
from itertools import product

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.self_attention.completion import RATES, SEEDS, STEPS, Looking, fitted

WIDTHS = (64, 256)


def measure(row):
    """One row of the record, in a process of its own."""
    factor = 1.0 if row["scaled"] else row["dim_head"] ** 0.5  # undoes the division
    make = partial(Looking, row["dim_head"], factor)
    return row | fitted(make, row["lr"], STEPS, row["seed"])[1]


if __name__ == "__main__":
    rows = [
        dict(dim_head=width, scaled=scaled, lr=lr, seed=seed)
        for width, scaled, lr, seed in product(WIDTHS, (True, False), RATES, SEEDS)
    ]
    record("unscaled", rows, measure, steps=STEPS)
