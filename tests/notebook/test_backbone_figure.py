"""The figure of accuracy against cost: what is drawn is what is in the rows."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tutorial_lib.notebook.backbone_figure import accuracy_against_cost


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


BACKBONES = [
    {"name": "A", "flops": 1e7, "images_per_second": 900, "accuracy": [0.8, 0.9, 0.85]},
    {"name": "B", "flops": 2e6, "images_per_second": 4000, "accuracy": [0.7, 0.7, 0.7]},
]


@pytest.mark.parametrize("cost, unit", [("flops", "FLOP"), ("images_per_second", "images/s")])
def test_accuracy_against_cost(ax, cost, unit):
    accuracy_against_cost(ax, BACKBONES, cost)
    assert [text.get_text() for text in ax.texts] == ["A", "B"]
    for row, point, bar in zip(BACKBONES, ax.lines, ax.collections):
        assert point.get_xdata() == [row[cost]]
        assert point.get_ydata() == pytest.approx([np.mean(row["accuracy"])])
        ends = bar.get_segments()[0][:, 1]  # the worst and the best seed
        assert ends == pytest.approx([min(row["accuracy"]), max(row["accuracy"])])
    assert ax.get_xscale() == "log" and unit in ax.get_xlabel() and ax.get_ylabel() == "accuracy"


def test_names_of_many_backbones_are_apart_and_inside(ax):
    """Twelve within a few points of each other, as those with windows are."""
    rows = [
        {"name": f"Backbone {i}", "flops": 1.4e7 * 1.02 ** (i % 5), "accuracy": [0.83 + i / 300]}
        for i in range(12)
    ]
    accuracy_against_cost(ax, rows, "flops")
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    pairs = itertools.combinations(boxes, 2)
    assert not any(a.overlaps(b) for a, b in pairs)
    assert all(ax.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    marks = {(line.get_marker(), line.get_color()) for line in ax.lines}
    assert len(marks) == 12


def test_accuracy_against_cost_needs_rows_and_a_known_cost(ax):
    with pytest.raises(ValueError, match="expected one of flops.*got 'watts'"):
        accuracy_against_cost(ax, BACKBONES, "watts")
    with pytest.raises(ValueError, match="expected rows, got none"):
        accuracy_against_cost(ax, [], "flops")
