"""Is it the depth, that Post-LN needs warm-up? Two layers of it, and 24 of Pre-LN: a record.

Taught in chapter 03. The task, the model and the training are those of `warmup.py`. Measure again:

    python -m tutorial_lib.recipes.transformer.stack_depth [--out FILE]
"""

from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.transformer.warmup import final_loss

LR, STEPS, SEEDS = 1e-2, 50, range(10, 15)


def measure(row):
    """One row of the record, in a process of its own."""
    loss = final_loss(row["norm_first"], 0, LR, row["seed"], STEPS, depth=row["depth"])
    return row | {"loss": loss}


def plan():
    stacks = [(False, 2), (True, 24)]  # Post-LN, Pre-LN
    return [
        {"norm_first": norm_first, "depth": depth, "seed": seed}
        for norm_first, depth in stacks
        for seed in SEEDS
    ]


if __name__ == "__main__":
    record("stack-depth", plan(), measure, steps=STEPS, lr=LR)
