"""The figure to which every chapter with backbones adds its own. Taught in chapter 05.

`benchmarks/backbones.py` measures what is drawn here.
"""

import numpy as np

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
        ax.plot(place, np.mean(found), MARKERS[i % 7], color=color)
        ax.annotate(row["name"], (place, np.mean(found)), (6, 5), textcoords="offset points",
                    fontsize=8)  # fmt: skip
    ax.set(xscale="log", xlabel=COSTS[cost], ylabel="accuracy")
    ax.margins(x=0.25)  # for the names
    ax.grid(True, color="0.92")
