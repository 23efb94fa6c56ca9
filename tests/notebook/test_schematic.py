"""Schematics: what is drawn is where it was put, and what cannot be drawn is refused."""

import io

import pytest
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.notebook.schematic import WIDEST, Schematic


@pytest.fixture
def block():
    """A residual branch in a frame: in -> norm -> attention -> plus."""
    s = Schematic()
    s.box("in", 0, 0, kind="data", width=0.6)
    s.box("norm", 1.5, 0)
    s.box("attention", 3.0, 0, "multi-head\nattention")
    s.plus("sum", 4.2, 0)
    s.arrow("in", "norm", "(B, N, D)")
    s.arrow("norm", "attention")
    s.arrow("attention", "sum")
    s.around("in", "sum", 0.6)
    s.frame(["norm", "sum"], "× L", above=0.4)
    return s


def test_every_text_is_drawn_at_its_place(block):
    (axes,) = block.figure().axes
    texts = {t.get_text(): t.get_position() for t in axes.texts if t.get_text()}
    assert texts["multi-head\nattention"] == (3.0, 0) and texts["+"] == (4.2, 0)
    x, y = texts["(B, N, D)"]
    assert 0.3 < x < 0.925 and 0 < y < 0.25  # above the arrow, between the two boxes
    assert texts["× L"][0] > 4.2
    assert sum(isinstance(p, FancyBboxPatch) for p in axes.patches) == 4  # three boxes, one frame


def test_an_arrow_ends_at_the_edges_of_its_boxes(block):
    (axes,) = block.figure().axes
    first, *_, around = [line.get_xydata().tolist() for line in axes.lines]
    assert first[0] == pytest.approx([0.3, 0]) and first[-1] == pytest.approx([0.925, 0])
    assert max(y for _, y in around) == pytest.approx(0.6)
    assert around[-1] == pytest.approx([4.2, 0.13])  # it comes from above into the circle


def test_a_residual_path_of_a_column_runs_beside_it():
    s = Schematic()
    s.box("a", 0, 0)
    s.box("b", 0, 1)
    s.plus("sum", 0, 2)
    s.around("a", "sum", -0.9)
    (axes,) = s.figure().axes
    path = axes.lines[0].get_xydata()
    assert path[:, 0].min() == pytest.approx(-0.9) and path[-1] == pytest.approx([-0.13, 2])


def test_a_wide_drawing_is_made_to_fit_and_a_figure_is_small(block):
    assert block.figure().get_figwidth() < WIDEST
    block.box("far", 14, 0)
    figure = block.figure()
    assert figure.get_figwidth() == pytest.approx(WIDEST)
    file = io.BytesIO()
    figure.savefig(file)
    assert file.tell() < 60_000


@pytest.mark.parametrize(
    "draw, said",
    [
        (lambda s: s.box("norm", 9, 9), "there is a box 'norm' already"),
        (lambda s: s.box("over", 3.5, 0.2), "lies over 'attention'"),
        (lambda s: s.box("x", 9, 9, kind="blue"), "expected one of data, learned"),
        (lambda s: s.arrow("norm", "mlp"), "no box is named 'mlp'; there are in, norm"),
        (lambda s: s.around("mlp", "norm", 1), "no box is named 'mlp'"),
        (lambda s: s.frame(["mlp"], "× L"), "no box is named 'mlp'"),
        (lambda s: Schematic().figure(), "at least one box"),
    ],
)
def test_what_cannot_be_drawn_is_refused(block, draw, said):
    with pytest.raises(ValueError, match=said):
        draw(block)
