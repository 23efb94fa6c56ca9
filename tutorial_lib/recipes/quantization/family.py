"""The records of chapter 36's family, read: lists over seeds, and all systems in one table.

Taught in chapter 36.
"""

import statistics

from tutorial_lib.measuring import records
from tutorial_lib.recipes.quantization import slb

STRAIGHT = dict(method="straight through", lr=slb.LR["straight through"])
SEARCHED = dict(method="searched", lr=slb.LR["searched"], cold=slb.COLD)
BLOCKS = [  # of lines: record, what is shown, the rows that are meant; the first is the baseline
    [
        ("slb", "CNN in floats", dict(method="float", lr=slb.LR["float"])),
        ("slb", "straight through, 2 bits", STRAIGHT | dict(bits=2)),
        ("slb", "SLB, 2 bits", SEARCHED | dict(bits=2)),
        ("slb", "straight through, 1 bit", STRAIGHT | dict(bits=1)),
        ("slb", "SLB, 1 bit", SEARCHED | dict(bits=1)),
        ("riptide", "Riptide, activations 2 bits", dict(method="fused glue")),
    ],
    [
        ("prox-quant", "CNN in floats, trained on", dict(method="float")),
        ("prox-quant", "BinaryConnect, 1 bit", dict(method="BinaryConnect", lr=4e-2)),
        ("prox-quant", "ProxQuant, 1 bit", dict(method="ProxQuant", lr=0.1)),
    ],
    [
        ("transformers-zip", "ViT in floats, trained on", dict(method="floats")),
        ("transformers-zip", "k-means, 4 bits", dict(method="k-means")),
        ("transformers-zip", "four fifths pruned", dict(method="pruned")),
        ("transformers-zip", "pruned, then k-means", dict(method="pruned, k-means")),
        ("transformers-zip", "binary, 1 bit", dict(method="binary")),
    ],
]


def of(record: str, what: str = "accuracy", **setting) -> list:
    """What was measured in the rows of a record that have this setting, by seed:
    `of("slb", method="searched", bits=1)`. Raises LookupError if there are none."""
    rows = [r for r in records.recorded(record)[0]["rows"] if setting.items() <= r.items()]
    if not rows:
        raise LookupError(f"the record {record!r} has no rows with {setting}")
    return [row[what] for row in sorted(rows, key=lambda row: row["seed"])]


def table() -> str:
    """All systems beside the floats that they began from: kB, accuracy (mean, least and largest of
    the seeds), and how many times as long a training step takes."""
    lines = [f"{'':<30} {'kB':>6}  {'accuracy':<21} step"]
    for block in BLOCKS:
        base = statistics.median(of(block[0][0], "seconds_per_step", **block[0][2]))
        lines.append("")
        for record, shown, setting in block:
            size, accuracy, seconds = (
                of(record, what, **setting) for what in ("bytes", "accuracy", "seconds_per_step")
            )
            lines.append(
                f"{shown:<30} {statistics.mean(size) / 1000:6.1f}  {statistics.mean(accuracy):.1%} "
                f"({min(accuracy):.1%} … {max(accuracy):.1%})  "
                f"{statistics.median(seconds) / base:4.1f}"
            )
    return "\n".join(lines)
