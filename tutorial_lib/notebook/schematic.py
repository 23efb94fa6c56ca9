"""Schematics: boxes and arrows with shapes on them, in the same look in every chapter.

    s = Schematic()
    s.box("image", 0, 0, "image", kind="data")
    s.box("patches", 2, 0, "patchify")
    s.arrow("image", "patches", "(B, 1, 28, 28)")
    plotting.show("An image is cut into patches.", s.figure())

Places are in inches, x to the right and y up; nothing is laid out but what the author places.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

INK, FAINT = "#1a1a1a", "#8a8a8a"
KINDS = {  # what a box is -> its colour, pale enough for black letters
    "data": "#ececec",  # goes in or comes out
    "learned": "#cbe3f5",  # has weights
    "fixed": "#ffffff",  # computes, and has none
    "added": "#fbe0c8",  # a learned table or token that is added or put in front
}
WIDEST = 9.5  # inches: what a notebook shows without making it smaller


class Schematic:
    """Collects boxes, sums and arrows; `figure()` draws them."""

    def __init__(self):
        self.places = {}  # name -> (x, y, width, height) of a box, or of the square around a plus
        self.texts, self.kinds = {}, {}
        self.arrows, self.frames = [], []

    def box(self, name, x, y, text=None, kind="learned", width=1.15, height=0.5):
        """A box around (x, y) with a text (its name if not given). kind: one of KINDS.

        Raises ValueError for a name that is taken, another kind, and a box over another one.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
        self._place(name, x, y, width, height)
        self.texts[name], self.kinds[name] = text or name, kind

    def plus(self, name, x, y, sign="+"):
        """A sum (or another sign) in a small circle, where arrows meet."""
        self._place(name, x, y, 0.26, 0.26)
        self.texts[name] = sign

    def arrow(self, start, end, shape="", via=()):
        """From one box to another, with the shape of what passes. It leaves towards the next point:
        those of `via`, (x, y) each, then the end."""
        self._there(start, end)
        self.arrows.append((start, end, shape, list(via)))

    def around(self, start, end, distance, shape=""):
        """A residual path: it branches off behind `start`, passes what lies between, and meets
        `end`. `distance` inches above a row of boxes (below: negative), or to the right of a
        column of boxes."""
        (x0, y0, w, h), (x1, y1, *_) = self._there(start, end)
        if abs(x0 - x1) > abs(y0 - y1):
            branch = x0 + (w / 2 + 0.13) * (1 if x1 > x0 else -1)
            via = [(branch, y0), (branch, y0 + distance), (x1, y1 + distance)]
        else:
            branch = y0 + (h / 2 + 0.11) * (1 if y1 > y0 else -1)
            via = [(x0, branch), (x0 + distance, branch), (x1 + distance, y1)]
        self.arrow(start, end, shape, via)

    def frame(self, names, label, room=0.2, above=0.0):
        """A dashed frame around boxes, with a label such as "× L". room: inches around them;
        above: inches more at the top, for what goes around."""
        boxes = self._there(*names)
        left = min(x - w / 2 for x, _, w, _ in boxes) - room
        right = max(x + w / 2 for x, _, w, _ in boxes) + room
        bottom = min(y - h / 2 for _, y, _, h in boxes) - room
        top = max(y + h / 2 for _, y, _, h in boxes) + room + above
        self.frames.append((left, bottom, right, top, label))

    def figure(self):
        """The drawing, a Matplotlib figure. Raises ValueError if there is no box."""
        if not self.places:
            raise ValueError("expected at least one box")
        left, bottom, right, top = self._extent()
        scale = min(1.0, WIDEST / (right - left))
        size = (right - left) * scale, (top - bottom) * scale
        figure = plt.figure(figsize=size, layout="none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
        axes.set_axis_off()
        letters = 9.0 * max(scale, 0.8)
        for x0, y0, x1, y1, label in self.frames:
            _rounded(axes, x0, y0, x1 - x0, y1 - y0, fc="#fafafa", ec=FAINT, ls="--", zorder=0)
            axes.text(x1 - 0.06, y0 + 0.05, label, fontsize=letters + 1, ha="right", color=INK)
        for arrow in self.arrows:
            self._draw_arrow(axes, *arrow, letters)
        for name, (x, y, w, h) in self.places.items():
            if name in self.kinds:
                _rounded(axes, x - w / 2, y - h / 2, w, h, fc=KINDS[self.kinds[name]], ec=INK)
            else:
                axes.add_patch(Circle((x, y), w / 2, fc="white", ec=INK, lw=1, zorder=3))
            axes.text(x, y, self.texts[name], fontsize=letters, ha="center", va="center",
                      color=INK, zorder=4, linespacing=1.15)  # fmt: skip
        return figure

    def _there(self, *names):
        """The places of boxes; ValueError for a name that none has."""
        for name in names:
            if name not in self.places:
                raise ValueError(f"no box is named {name!r}; there are {', '.join(self.places)}")
        return [self.places[name] for name in names]

    def _place(self, name, x, y, width, height):
        if name in self.places:
            raise ValueError(f"there is a box {name!r} already")
        for other, (a, b, w, h) in self.places.items():
            if abs(x - a) < (width + w) / 2 and abs(y - b) < (height + h) / 2:
                raise ValueError(f"box {name!r} at ({x}, {y}) lies over {other!r} at ({a}, {b})")
        self.places[name] = (x, y, width, height)

    def _extent(self):
        """Left, bottom, right and top of everything, with a margin."""
        points = [p for *_, via in self.arrows for p in via]
        points += [(x + i * w / 2, y + i * h / 2) for x, y, w, h in self.places.values()
                   for i in (-1, 1)]  # fmt: skip
        points += [p for x0, y0, x1, y1, _ in self.frames for p in ((x0, y0), (x1, y1))]
        xs, ys = zip(*points)
        return min(xs) - 0.12, min(ys) - 0.2, max(xs) + 0.12, max(ys) + 0.2

    def _draw_arrow(self, axes, start, end, shape, via, letters):
        corners = [self.places[start][:2], *via, self.places[end][:2]]
        corners[0] = _edge(self.places[start], corners[1])
        corners[-1] = _edge(self.places[end], corners[-2])
        axes.plot(*zip(*corners), color=INK, lw=1.1, zorder=1, solid_joinstyle="round")
        axes.annotate("", corners[-1], corners[-2], zorder=2,
                      arrowprops=dict(arrowstyle="-|>", color=INK, lw=1.1,
                                      shrinkA=0, shrinkB=0))  # fmt: skip
        if shape:
            (x0, y0), (x1, y1) = max(zip(corners, corners[1:]), key=_length)
            flat = abs(x1 - x0) >= abs(y1 - y0)
            place = ((x0 + x1) / 2 + (0 if flat else 0.06), (y0 + y1) / 2 + (0.05 if flat else 0))
            axes.text(*place, shape, fontsize=letters - 1.5, color="#0b5394", zorder=4,
                      ha="center" if flat else "left",
                      va="bottom" if flat else "center",
                      bbox={"fc": "white", "ec": "none", "pad": 0.5, "alpha": 0.8})  # fmt: skip


def _rounded(axes, x, y, width, height, **style):
    style = {"lw": 1, "zorder": 3, **style}
    axes.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=0.07", **style))


def _edge(place, towards):
    """Where the line from the middle of a box to a point leaves the box."""
    x, y, w, h = place
    dx, dy = towards[0] - x, towards[1] - y
    if dx == dy == 0:
        return x, y
    t = min(w / 2 / abs(dx) if dx else float("inf"), h / 2 / abs(dy) if dy else float("inf"))
    return x + t * dx, y + t * dy


def _length(segment):
    (x0, y0), (x1, y1) = segment
    return abs(x1 - x0) + abs(y1 - y0)
