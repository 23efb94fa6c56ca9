"""How the course's figures look, and the two figures that several chapters draw."""

import html

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

# Colours that people with any colour vision can tell apart: Okabe and Ito 2008, "Color Universal
# Design". Their yellow is left out: as a line on white paper it is too faint.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # so that colour is never the only difference


def style():
    """Set Matplotlib's defaults for every figure of the course. Call once, at a chapter's top."""
    plt.rcParams.update({
        "font.size": 10,
        "figure.dpi": 90,
        "savefig.dpi": 90,
        "figure.facecolor": "white",  # a ground of its own: readable on a dark page
        "savefig.facecolor": "white",
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": plt.cycler(color=OKABE_ITO),
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "image.cmap": "viridis",
    })  # fmt: skip


# What only a screen reader finds: JupyterLab puts no `alt` on a picture, though the output has it.
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


def show(alt, figure=None):
    """Display a figure (the current one if not given) in a notebook, with `alt` for those who do
    not see it: what the figure shows, and what is to be seen in it."""
    figure = figure or plt.gcf()
    display(figure, metadata={"image/png": {"alt": alt}})
    display(HTML(f'<p style="{HIDDEN}">Figure: {html.escape(alt)}</p>'))
    plt.close(figure)  # or the notebook would show it a second time


def roofline(ax, limits, points):
    """Draw what a device can reach at each arithmetic intensity, and what was reached.

    ax: Matplotlib axes, made log-log.
    limits: dict with "flops_per_second" and "bytes_per_second", as `benchmarking.device_limits`
        gives it, and if it has one its "dtype".
    points: dict of label -> (intensity in FLOP/byte, speed in FLOP/s).
    Raises ValueError if there are no points or a number is not above 0.
    Source: Williams, Waterman and Patterson 2009, doi 10.1145/1498765.1498785.
    """
    peak, width = limits["flops_per_second"], limits["bytes_per_second"]
    found = np.array([*points.values()], dtype=float).reshape(-1, 2)
    if len(found) == 0 or found.min() <= 0 or min(peak, width) <= 0:
        raise ValueError("expected at least one point and only numbers above 0")
    ridge = peak / width  # where the slope meets the roof
    low, high = min(found[:, 0].min(), ridge) / 4, max(found[:, 0].max(), ridge) * 4
    ax.plot([low, ridge, high], [low * width, peak, peak], color="0.35", zorder=1)
    ax.annotate(f"{_si(peak)}FLOP/s {limits.get('dtype', '')}".strip(), (high, peak), (0, 4),
                textcoords="offset points", ha="right", color="0.35")  # fmt: skip
    ax.annotate(f"memory {_si(width)}B/s", (low, low * width), (10, 0),
                textcoords="offset points", color="0.35",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    ax.axvline(ridge, color="0.8", linestyle=":", zorder=0)

    for i, (label, (intensity, speed)) in enumerate(points.items()):
        share = speed / min(peak, intensity * width)
        ax.plot(intensity, speed, MARKERS[i % 7], color=OKABE_ITO[i % 7], markersize=8,
                linestyle="none", label=f"{label}: {share:.0%} of the roof")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlim=(low, high))
    slowest = min(found[:, 1].min() / 2, low * width)
    ax.set_ylim(10 ** np.floor(np.log10(slowest)), max(found[:, 1].max(), peak) * 2)
    ax.yaxis.set_minor_formatter("")  # whole powers of ten only
    ax.set(xlabel="arithmetic intensity (FLOP/byte)", ylabel="speed (FLOP/s)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))  # below, clear of every label


def growth(ax, series, quantity="time (s)", last=4):
    """Draw time or memory against length, with the power of N that each method grows by.

    ax: Matplotlib axes, made log-log.
    series: dict of label -> (lengths, values), each of at least two points above 0.
    quantity: label of the vertical axis, with its unit.
    last: the slope is fitted on this many of the longest lengths, because short ones measure the
        cost of starting rather than of growing.
    """
    for i, (label, (lengths, values)) in enumerate(series.items()):
        slope = fitted_slope(lengths, values, last)
        ax.plot(lengths, values, f"{MARKERS[i % 7]}-", color=OKABE_ITO[i % 7], markersize=5,
                label=rf"{label}: $\sim N^{{{slope:.2f}}}$")  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.set(xlabel="sequence length N (tokens)", ylabel=quantity)
    ax.grid(True, color="0.92")
    ax.legend()


def fitted_slope(lengths, values, last=None):
    """The p of values ~ lengths^p: a least-squares line through the logarithms.

    last: use only this many of the longest lengths; all if None. Raises ValueError if fewer than
    two different lengths are left, or if a number is not above 0.
    """
    lengths, values = np.asarray(lengths, dtype=float), np.asarray(values, dtype=float)
    if lengths.shape != values.shape or lengths.min(initial=1) <= 0 or values.min(initial=1) <= 0:
        raise ValueError("expected as many values as lengths, all above 0")
    order = np.argsort(lengths)[-last if last else None :]
    if len(set(lengths[order])) < 2:
        raise ValueError(f"expected at least 2 different lengths, got {len(set(lengths[order]))}")
    return float(np.polyfit(np.log(lengths[order]), np.log(values[order]), 1)[0])


def _si(number):
    """1.37e11 -> "137 G": at most three digits and a prefix."""
    for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g} "
