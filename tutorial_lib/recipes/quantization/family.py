"""The records of chapter 36's family, read: lists over seeds, and all systems in one table.

Taught in chapter 36.
"""

import statistics

from tutorial_lib.measuring import records
from tutorial_lib.recipes.quantization import slb

STRAIGHT = dict(method="straight through", lr=slb.LR["straight through"])
FAST = STRAIGHT | dict(lr=slb.FAST)  # its better rate with two bits
SEARCHED = dict(method="searched", lr=slb.LR["searched"], cold=slb.COLD)
WARM = SEARCHED | dict(cold=slb.WARM)  # ended early
PTQ = dict(method="similarity, ranking, bias")
BLOCKS = [  # of lines: record, name, bits of weights/inputs, the rows; the first is the baseline
    [
        ("ptq-vit", "ViT in floats", "32/32", dict(method="floats")),
        ("ptq-vit", "min-max", "6/6", dict(method="min-max", bits=6)),
        ("ptq-vit", "PTQ for ViT", "6/6", PTQ | dict(bits=6)),
        ("ptq-vit", "min-max", "4/4", dict(method="min-max", bits=4)),
        ("ptq-vit", "PTQ for ViT", "4/4", PTQ | dict(bits=4)),
    ],
    [
        ("slb", "CNN in floats", "32/32", dict(method="float", lr=slb.LR["float"])),
        ("slb", "straight through", "2/32", FAST | dict(bits=2)),
        ("slb", "SLB", "2/32", SEARCHED | dict(bits=2)),
        ("slb", "straight through", "1/32", STRAIGHT | dict(bits=1)),
        ("slb", "SLB", "1/32", SEARCHED | dict(bits=1)),
        ("riptide", "Riptide", "1/2", dict(method="fused glue")),
    ],
    [
        ("profit", "MobileNet in floats", "32/32", dict(order="floats", longer=1)),
        ("profit", "DuQ, none frozen", "2/2", dict(order="none frozen", longer=3)),
        ("profit", "DuQ, PROFIT", "2/2", dict(order="most unstable first", longer=3)),
    ],
    [
        ("prox-quant", "CNN in floats, trained on", "32/32", dict(method="float")),
        ("prox-quant", "BinaryConnect", "1/32", dict(method="BinaryConnect", lr=4e-2)),
        ("prox-quant", "ProxQuant", "1/32", dict(method="ProxQuant", lr=0.2)),
    ],
    [
        ("transformers-zip", "small ViT, trained on", "32/32", dict(method="floats")),
        ("transformers-zip", "k-means", "4/32", dict(method="k-means")),
        ("transformers-zip", "four fifths pruned", "32/32", dict(method="pruned")),
        ("transformers-zip", "pruned, then k-means", "4/32", dict(method="pruned, k-means")),
        ("transformers-zip", "binary", "1/32", dict(method="binary")),
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
    """All systems beside the floats that they began from: bits of weights/inputs, kB, accuracy
    (mean, least and largest of the seeds), how many seeds, and how many times as long a step of
    training takes; "-" where nothing is trained."""
    lines = [f"{'':<26} {'bits':>5} {'kB':>6}  {'accuracy':<21} seeds  step"]
    for block in BLOCKS:
        lines.append("")
        for record, shown, bits, setting in block:
            size, accuracy = (of(record, what, **setting) for what in ("bytes", "accuracy"))
            lines.append(
                f"{shown:<26} {bits:>5} {statistics.mean(size) / 1000:6.1f}  "
                f"{statistics.mean(accuracy):.1%} ({min(accuracy):.1%} … {max(accuracy):.1%})  "
                f"{len(accuracy):5}  {_times_as_long(record, setting, block[0]):>4}"
            )
    return "\n".join(lines)


def _times_as_long(record, setting, baseline):
    """Seconds of a step over those of the baseline, as text."""
    try:
        ours, theirs = (
            statistics.median(of(name, "seconds_per_step", **rows))
            for name, rows in ((record, setting), (baseline[0], baseline[-1]))
        )
    except KeyError:  # nothing was trained
        return "-"
    return f"{ours / theirs:.1f}"
