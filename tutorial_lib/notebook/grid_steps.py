"""Grid steps: tokens of a grid that move, and whom each may hear, in one self-contained HTML string
that a reader steps through.

The page part is `grid_steps.html`. It holds a static picture of all steps for places that strip
scripts; where scripts run, tokens that move take its place. Nothing is loaded from elsewhere.
Taught in chapter 08.
"""

import base64
import hashlib
import html
import io
import json
import re
from dataclasses import dataclass
from importlib import resources

import numpy as np
from IPython.display import HTML
from PIL import Image, ImageDraw

COLOURS = [  # three hues, each in three strengths: black letters can be read on all of them
    (143, 196, 235), (86, 160, 214), (190, 222, 245), (247, 195, 120), (236, 160, 60),
    (252, 224, 180), (150, 214, 190), (70, 180, 145), (205, 238, 226),
]  # fmt: skip
CELL, GAP, ACROSS = 13, 22, 3  # of the static picture: pixels, pixels, boards in a row
CAPTION = (
    "Step with the slider or the buttons (arrow keys, after a click). Click a token, or move the"
    " outline with the arrow keys, to ask for another one; those whom it may hear stay in full"
    " colour."
)


@dataclass
class Step:
    """One step: text under the grid; place (N,) int, where each token stands now, counted row by
    row; windows, (row, column, height, width) each, in tokens; heard bool (N, N), whom each token
    may hear."""

    text: str
    place: np.ndarray
    windows: list[tuple[int, int, int, int]]
    heard: np.ndarray


def grid_steps(side, groups, steps, title="Steps", caption=CAPTION, asked=0):
    """Show a square grid of tokens that moves in steps.

    Args:
        side: tokens a side, at most 12; N = side².
        groups: (N,) int, 0 to 8: a colour and a letter for each token.
        steps: list of `Step`.
        title, caption: plain text above and below.
        asked: the token that is asked about at first.

    Returns:
        IPython.display.HTML. The same input gives the same bytes; 8 kB for 64 tokens in 6 steps.

    Raises:
        ValueError: a size or a number is not as above; the message says which.
    """
    groups = np.asarray(groups)
    _check(side, groups, steps, asked)
    data = {
        "side": side,
        "asked": int(asked),
        "letters": "".join(chr(ord("A") + g) for g in groups),
        "colours": [COLOURS[g] for g in groups],
        "steps": [
            {
                "text": step.text,
                "place": [int(p) for p in step.place],
                "windows": [[int(v) for v in window] for window in step.windows],
                "heard": _base64(np.packbits(step.heard, bitorder="little").tobytes()),
            }
            for step in steps
        ],
    }
    buffer = io.BytesIO()
    _static_picture(side, groups, steps, asked).save(buffer, "png", optimize=True)
    told = " ".join(f"{i}: {step.text}" for i, step in enumerate(steps, 1))
    parts = {
        "@TITLE@": html.escape(title),
        "@CAPTION@": html.escape(caption),
        "@ALT@": html.escape(f"A grid of {side} by {side} tokens in {len(steps)} steps. {told}"),
        "@PICTURE@": f"data:image/png;base64,{_base64(buffer.getvalue())}",
        "@DATA@": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    key = hashlib.sha256("\0".join(parts.values()).encode()).hexdigest()[:12]
    page = resources.files(__package__).joinpath("grid_steps.html").read_text(encoding="utf-8")
    page = re.sub(r"\n +", "\n", page)
    parts["@ID@"] = f"grid-steps-{key}"
    return HTML(re.sub("|".join(parts), lambda mark: parts[mark[0]], page))


def _check(side, groups, steps, asked):
    n = side * side
    if not 1 <= side <= 12:
        raise ValueError(f"side is {side}; expected 1 to 12")
    if groups.shape != (n,) or groups.min() < 0 or groups.max() >= len(COLOURS):
        raise ValueError(f"groups are {groups.shape}; expected ({n},), numbers from 0 to 8")
    if not steps:
        raise ValueError("there are no steps; expected at least one")
    for number, step in enumerate(steps, 1):
        if sorted(step.place) != list(range(n)):
            raise ValueError(f"place of step {number} is no order of 0 to {n - 1}")
        if np.shape(step.heard) != (n, n) or np.asarray(step.heard).dtype != bool:
            raise ValueError(f"heard of step {number} is {np.shape(step.heard)}; expected bool "
                             f"({n}, {n})")  # fmt: skip
    if not 0 <= asked < n:
        raise ValueError(f"asked is {asked}; expected a token, 0 to {n - 1}")


def _static_picture(side, groups, steps, asked):
    """All steps side by side, on a transparent ground."""
    board = side * CELL
    down = -(-len(steps) // ACROSS)
    size = ACROSS * (board + GAP), down * (board + GAP)
    picture = Image.new("RGBA", size)
    pen = ImageDraw.Draw(picture)
    for number, step in enumerate(steps):
        left, top = (number % ACROSS) * (board + GAP), (number // ACROSS) * (board + GAP) + 14
        pen.text((left, top - 13), str(number + 1), fill=(128, 128, 128))
        for token, place in enumerate(step.place):
            x, y = left + place % side * CELL, top + place // side * CELL
            colour = COLOURS[groups[token]]
            if not step.heard[asked, token]:
                colour = tuple((c + 2 * 128) // 3 for c in colour)
            pen.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=colour)
            if token == asked:
                pen.rectangle((x, y, x + CELL - 2, y + CELL - 2), outline=(0, 0, 0), width=2)
        for row, column, height, width in step.windows:
            box = [left + column * CELL - 1, top + row * CELL - 1]
            box += [box[0] + width * CELL, box[1] + height * CELL]
            pen.rectangle(box, outline=(213, 94, 0), width=1)
    return picture.quantize(32)


def _base64(raw):
    return base64.b64encode(raw).decode()
