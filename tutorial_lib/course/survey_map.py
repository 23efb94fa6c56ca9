"""The map of the survey: every chapter of the course in one picture."""

import textwrap
from itertools import groupby

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

INK, GREY, PANEL, DONE = "#1a1a1a", "#8a8a8a", "#eeeeee", "#8fcdf0"
COLUMNS = (("Start", "1"), ("2",), ("3",), ("4", "5", "6"), ("7", "8"))  # parts, top to bottom
WIDTHS = (1, 1, 2, 1, 1)  # boxes side by side in each column
BOX, STEP = (1.50, 0.525), (1.57, 0.605)  # inches: size of a box, distance to the next one
TOP, HEAD, GAP = 6.40, 0.27, 0.10  # inches: upper edge of the panels, a heading, between panels


def draw(survey, done=()):
    """Draw the parts as panels and the chapters as boxes.

    survey -- from `tutorial_lib.course.survey.load()`
    done   -- numbers of the chapters that the learner has finished, such as ["00", "01"]

    Returns the Figure, closed, so that a notebook shows it once. Raises ValueError when `done`
    names a chapter that does not exist.
    """
    if unknown := sorted(set(done) - {c.number for c in survey.chapters}):
        raise ValueError(f"done has {unknown[0]!r}, expected chapter numbers such as '01'")
    figure = plt.figure(figsize=(10, 7), dpi=100, layout="none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(0, 7))  # one unit is one inch
    axes.set_axis_off()
    count = f"{len(survey.chapters)} chapters, {len(survey.systems)} systems"
    _text(axes, 0.2, 6.7, "The map of the survey", 15, weight="bold")
    _text(axes, 9.8, 6.7, count, 10, ha="right")
    parts = {part: list(chapters) for part, chapters in groupby(survey.chapters, lambda c: c.part)}
    left = 0.2
    for keys, width in zip(COLUMNS, WIDTHS):
        top = TOP
        for key in keys:
            part = next(part for part in parts if part.split(".")[0] == key)
            top = _panel(axes, left, top, width, part, survey, parts[part], done) - GAP
        left += width * STEP[0] + 0.05
    _legend(axes, left=3.53, top=1.95)
    plt.close(figure)
    return figure


def _panel(axes, left, top, width, part, survey, chapters, done):
    """Draw one part, its chapters in `width` columns; returns the lower edge."""
    rows = -(-len(chapters) // width)
    bottom = top - HEAD - rows * STEP[1] - 0.01
    size = width * STEP[0] + 0.02, top - bottom
    axes.add_patch(Rectangle((left - 0.05, bottom), *size, fc=PANEL))
    _text(axes, left, top - HEAD / 2, part, 7.4, weight="bold")
    for i, chapter in enumerate(chapters):
        column, row = divmod(i, rows)
        x, y = left + column * STEP[0], top - HEAD - row * STEP[1] - BOX[1]
        _box(axes, x, y, BOX, chapter.spine, chapter.number in done)
        _text(axes, x + 0.07, y + 0.36, chapter.number, 8.5, weight="bold", va="baseline")
        if chapter.core:
            _text(axes, x + 0.07, y + 0.07, f"{chapter.core}′", 7, va="baseline")
        for k, line in enumerate(textwrap.wrap(chapter.title, 18)):
            _text(axes, x + 0.31, y + 0.36 - 0.13 * k, line, 8, va="baseline")
        for k, system in enumerate(survey.systems_of(chapter.number)):
            _dot(axes, x + 0.36 + 0.12 * k, y + 0.10, system.status == "built")
    return bottom


def _legend(axes, left, top):
    _box(axes, left, top - 0.10, (0.3, 0.2), spine=True, done=False)
    _box(axes, left, top - 0.42, (0.3, 0.2), spine=False, done=True)
    _dot(axes, left + 0.15, top - 0.64, built=True)
    _dot(axes, left + 0.15, top - 0.96, built=False)
    _text(axes, left + 0.15, top - 1.28, "55′", 7, ha="center")
    labels = (
        "spine chapter: read these first",
        "a chapter you have done",
        "a system, built and checked",
        "a system still to be built",
        "minutes of its core, once written",
    )
    for i, label in enumerate(labels):
        _text(axes, left + 0.45, top - 0.32 * i, label, 9)


def _box(axes, x, y, size, spine, done):
    edge, width = (INK, 2.4) if spine else (GREY, 0.7)
    axes.add_patch(Rectangle((x, y), *size, fc=DONE if done else "white", ec=edge, lw=width))
    if done:  # a mark as well as a colour
        _text(axes, x + size[0] - 0.19, y + 0.10, "✓", 9, weight="bold")


def _dot(axes, x, y, built):
    axes.plot(x, y, "o", ms=4.2, mew=0.8, mec=INK, mfc=INK if built else "white")


def _text(axes, x, y, text, size, va="center", **style):
    axes.text(x, y, text, fontsize=size, va=va, color=INK, agg_filter=_few_greys, **style)


def _few_greys(image, dpi):
    """Round the smoothing of the letters to 4 steps: the PNG halves, and the eye sees no change."""
    image = image.copy()
    image[..., 3] = np.round(image[..., 3] * 4) / 4
    return image, 0, 0
