"""Slopes are those of exact power laws, and a reader finds the names, units and shares needed."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tutorial_lib.notebook import plotting  # noqa: E402

LIMITS = {"dtype": "float32", "flops_per_second": 1e11, "bytes_per_second": 1e10}


@pytest.fixture
def ax():
    with plt.rc_context():
        plotting.style()
        figure, axes = plt.subplots()
        yield axes
        plt.close(figure)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.5, 2.0])
def test_slope_of_a_power_law(power):
    lengths = np.array([64, 128, 256, 1024])
    assert plotting.fitted_slope(lengths, 3e-7 * lengths**power) == pytest.approx(power, abs=1e-9)


def test_slope_of_the_longest_only():
    lengths = [1024, 64, 512, 128, 256]  # in any order
    values = [max(n, 256) ** 2 for n in lengths]  # flat first, then N^2
    assert plotting.fitted_slope(lengths, values, last=3) == pytest.approx(2)
    assert plotting.fitted_slope(lengths, values) < 1.9


@pytest.mark.parametrize("lengths, values", [([4], [1]), ([4, 4], [1, 2]), ([], [])])
def test_slope_needs_two_lengths(lengths, values):
    with pytest.raises(ValueError, match="at least 2 different lengths"):
        plotting.fitted_slope(lengths, values)


@pytest.mark.parametrize("lengths, values", [([4, 8], [1]), ([4, 8], [0, 1]), ([0, 8], [1, 1])])
def test_slope_needs_numbers_above_zero(lengths, values):
    with pytest.raises(ValueError, match="all above 0"):
        plotting.fitted_slope(lengths, values)


def test_growth(ax):
    n = np.array([64, 128, 256, 512])
    plotting.growth(ax, {"naive": (n, n**2.0), "fused": (n, n**1.0)}, quantity="memory (byte)")
    assert legend(ax) == [r"naive: $\sim N^{2.00}$", r"fused: $\sim N^{1.00}$"]
    assert ax.get_xlabel() == "sequence length N (tokens)" and ax.get_ylabel() == "memory (byte)"
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert len({line.get_color() for line in ax.lines}) == 2
    assert len({line.get_marker() for line in ax.lines}) == 2


def test_roofline_legend_is_below_the_axes_and_the_memory_label_hides_the_bend(ax):
    plotting.roofline(ax, LIMITS, {"naive": (2.0, 1e10), "fused": (100.0, 5e10)})
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0
    assert next(t for t in ax.texts if "memory" in t.get_text()).get_bbox_patch() is not None


def test_roofline(ax):
    plotting.roofline(ax, LIMITS, {"naive": (2.0, 1e10), "fused": (100.0, 5e10)})
    # At 2 FLOP/byte memory allows 2e10 FLOP/s, at 100 the processor allows 1e11: half of each.
    assert legend(ax) == ["naive: 50% of the roof", "fused: 50% of the roof"]
    assert ax.get_xlabel() == "arithmetic intensity (FLOP/byte)"
    assert ax.get_ylabel() == "speed (FLOP/s)"
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.texts] == ["100 GFLOP/s float32", "memory 10 GB/s"]
    roof = ax.lines[0]
    assert roof.get_xdata()[1] == 10 and roof.get_ydata()[1] == 1e11  # the ridge
    assert np.allclose(roof.get_ydata()[0] / roof.get_xdata()[0], 1e10)  # the slope


@pytest.mark.parametrize("points", [{}, {"a": (0.0, 1.0)}, {"a": (1.0, -1.0)}])
def test_roofline_needs_points_above_zero(ax, points):
    with pytest.raises(ValueError, match="at least one point"):
        plotting.roofline(ax, LIMITS, points)


def test_style():
    with plt.rc_context():
        plotting.style()
        assert plt.rcParams["font.size"] == 10 and plt.rcParams["figure.dpi"] == 90
        assert plt.rcParams["figure.constrained_layout.use"]
        assert not plt.rcParams["axes.spines.top"]


@pytest.mark.parametrize(
    "number, text", [(1.37e11, "137 G"), (9.9e14, "990 T"), (1e3, "1 k"), (12.0, "12 ")]
)
def test_numbers_with_prefixes(number, text):
    assert plotting._si(number) == text
