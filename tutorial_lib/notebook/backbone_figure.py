"""The figure to which every chapter with backbones adds its own. Taught in chapter 05.

`benchmarks/backbones.py` measures what is drawn here.
"""

import numpy as np
from matplotlib import ticker

from tutorial_lib.notebook.plotting import MARKERS, OKABE_ITO

COSTS = {  # of a backbone, as benchmarks/backbones.py records them, and what the axis says
    "flops": "operations for one image (FLOP)",
    "images_per_second": "speed (images/s)",
    "parameters": "parameters",
}


def accuracy_against_cost(ax, rows, cost):
    """Draw how well backbones do against what they cost: the mean over seeds and their range.

    ax: Matplotlib axes; the axis of the cost is made logarithmic.
    rows: a dict for each backbone, with "name", "accuracy" (a number for each seed) and the cost.
    cost: one of COSTS. Raises ValueError for another, and if there are no rows.
    """
    if cost not in COSTS:
        raise ValueError(f"expected one of {', '.join(COSTS)}, got {cost!r}")
    if not rows:
        raise ValueError("expected rows, got none")
    for i, row in enumerate(rows):
        place, found, color = row[cost], row["accuracy"], OKABE_ITO[i % 7]
        ax.vlines(place, min(found), max(found), color=color)
        # Colours come back after seven, and then with another mark.
        ax.plot(place, np.mean(found), MARKERS[(i + i // 7) % 7], color=color)
    ax.set(xscale="log", xlabel=COSTS[cost], ylabel="accuracy")
    ax.margins(x=0.3, y=0.1)  # for the names
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(ticker.EngFormatter(sep=" "))  # 20 M
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.grid(True, color="0.92")
    _write_names(ax, rows, cost)


# Where a name may stand beside its point: offset to the right and up, in points of a printer.
BESIDE = [np.array([x, y]) for y in (5, -4, -12, 13, -20, 21, -28, 29) for x in (6, -6)]
LETTER, LINE = 4.6, 9  # the width and the height of a letter of size 8


def _write_names(ax, rows, cost):
    """Each name in the first place where it covers no point and no name before it."""
    ax.autoscale_view()  # else it is put off until something is drawn
    scale = 72 / ax.figure.dpi
    frame = ax.bbox.extents * scale  # left, low, right, high
    places = [(row[cost], np.mean(row["accuracy"])) for row in rows]
    spots = ax.transData.transform(places) * scale
    taken = [np.concatenate([spot - 4, spot + 4]) for spot in spots]
    for i, (row, place, spot) in enumerate(zip(rows, places, spots)):
        size = np.array([LETTER * len(row["name"]), LINE])
        boxes = [_box(spot, size, offset) for offset in BESIDE]
        good = [_inside(b, frame) and not any(_overlap(b, t) for t in taken) for b in boxes]
        chosen = good.index(True) if any(good) else 0
        taken.append(boxes[chosen])
        side = "left" if BESIDE[chosen][0] > 0 else "right"
        style = dict(textcoords="offset points", fontsize=8, ha=side, color=OKABE_ITO[i % 7])
        ax.annotate(row["name"], place, tuple(BESIDE[chosen]), **style)


def _box(spot, size, offset):
    """(left, low, right, high) of a name of this size; one with an offset to the left ends there"""
    corner = spot + offset - (size * (1, 0) if offset[0] < 0 else 0)
    return np.concatenate([corner, corner + size])


def _overlap(a, b):
    return (a[:2] < b[2:]).all() and (b[:2] < a[2:]).all()


def _inside(a, b):
    return (a[:2] >= b[:2]).all() and (a[2:] <= b[2:]).all()
