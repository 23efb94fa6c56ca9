"""Scenes: clothes of Fashion-MNIST on a small canvas, with all that is to be known of them.

Taught in chapter 14. A scene has one to four garments of five kinds at random places and sizes, one
over the other where they meet. Its boxes, kinds, masks and depths are exact, as it is made from
them. Scenes to train on are made of garments to train on, scenes to test on of others.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from tutorial_lib.data.fashion_mnist import NAMES, fashion_mnist

KINDS = {  # kind -> what Fashion-MNIST calls it; a kind's number is its place here
    "top": ("T-shirt/top", "pullover", "coat", "shirt"),
    "trouser": ("trouser",),
    "dress": ("dress",),
    "shoe": ("sandal", "sneaker", "ankle boot"),
    "bag": ("bag",),
}
COLORS = {  # red, green and blue in 0 … 1
    "red": (0.86, 0.26, 0.24),
    "orange": (0.95, 0.58, 0.16),
    "green": (0.28, 0.62, 0.32),
    "blue": (0.22, 0.44, 0.80),
    "purple": (0.56, 0.36, 0.72),
    "grey": (0.48, 0.48, 0.50),
}
BACKGROUNDS = (  # the colours of the upper and the lower edge
    ((0.93, 0.95, 0.98), (0.80, 0.86, 0.92)),
    ((0.98, 0.95, 0.89), (0.92, 0.84, 0.74)),
    ((0.93, 0.97, 0.93), (0.78, 0.88, 0.80)),
    ((0.97, 0.93, 0.96), (0.88, 0.80, 0.88)),
)
SPLITS = ("train", "test")
SMALLEST, LARGEST = 0.27, 0.56  # the longer side of a garment, as a share of the canvas's
LEAST_SEEN = 0.5  # of a garment; scenes that hide more of one are drawn again
NO_OBJECT = -1  # the class that fills up a batch, whose scenes have different numbers of garments


class Hidden(ValueError):
    """Nothing is to be seen of an item: it is covered, or off the canvas."""


class Item(NamedTuple):
    """A garment in a scene. x, y: the column and the row of its middle; size: its longer side, all
    in pixels; number: which garment of its kind."""

    kind: str
    x: float
    y: float
    size: float
    color: str = "grey"
    number: int = 0


@dataclass(frozen=True)
class Scene:
    """A picture and its K garments, in the order in which they were put down."""

    image: torch.Tensor  # float32 (3, side, side) in [0, 1]
    boxes: torch.Tensor  # float32 (K, 4): cx, cy, w, h of what is to be seen, 1 is the whole side
    classes: torch.Tensor  # int64 (K,), the kind's place in KINDS
    masks: torch.Tensor  # bool (K, side, side), where it is to be seen; no two overlap
    depth: torch.Tensor  # int64 (K,), 0 for the nearest, which lies over all it meets
    seen: torch.Tensor  # float32 (K,), the share of it that others do not cover
    items: tuple[Item, ...]


def compose(items, split="test", side=64, background=0) -> Scene:
    """The scene of these items: each lies over those before it.

    items       Item, or tuples like it: ("bag", 20, 40, 24) or ("bag", 20, 40, 24, "red", 7)
    split       "train" or "test": whose garments; side: pixels of the square canvas
    background  which of BACKGROUNDS
    Raises ValueError for a kind, color or number that is not there, and Hidden for an item of which
    nothing is to be seen.
    """
    items = tuple(Item(*item) for item in items)
    upper, lower = np.float32(BACKGROUNDS[background])
    slope = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    canvas = np.broadcast_to(upper + slope * (lower - upper), (side, side, 3)).copy()
    whole = np.zeros((len(items), side, side), dtype=bool)
    for item, mask in zip(items, whole):
        shade, opacity = _sized(_garment(split, item.kind, item.number), item.size)
        here, there = _overlap(shade.shape, (item.y, item.x), side)
        shade, opacity = shade[there][..., None], opacity[there][..., None]
        paint = _color(item.color) * (0.35 + 0.75 * shade)
        canvas[here] += opacity * (paint - canvas[here])
        mask[here] = opacity[..., 0] > 0.5
    covered = np.logical_or.accumulate(whole[::-1])[::-1]  # by this one or a later one
    visible = whole.copy()
    visible[:-1] &= ~covered[1:]
    boxes = [_box(mask, item) for mask, item in zip(visible, items)]
    area = whole.sum((1, 2)).clip(1)
    return Scene(
        image=torch.from_numpy(canvas.clip(0, 1).transpose(2, 0, 1).copy()),
        boxes=torch.from_numpy(np.float32(boxes).reshape(-1, 4)),
        classes=torch.tensor([list(KINDS).index(item.kind) for item in items], dtype=torch.int64),
        masks=torch.from_numpy(visible),
        depth=torch.arange(len(items)).flip(0),
        seen=torch.from_numpy((visible.sum((1, 2)) / area).astype(np.float32)),
        items=items,
    )


def scene(split: str, seed: int, index: int, kinds=tuple(KINDS), most=4, side=64) -> Scene:
    """Scene `index` of those of a seed: one to `most` (6 at the most) garments of these kinds at
    random, each of another color. The same arguments give the same scene."""
    if not 1 <= most <= len(COLORS):
        raise ValueError(
            f"most is {most}, expected 1 to {len(COLORS)}, as many as there are colors"
        )
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    rng = np.random.default_rng((SPLITS.index(split), seed, index))
    count, background = rng.integers(1, most + 1), rng.integers(len(BACKGROUNDS))
    while True:
        colors = rng.permutation(list(COLORS))
        items = [_random_item(rng, split, kinds, side, color) for color in colors[:count]]
        try:
            drawn = compose(items, split, side, background)
        except Hidden:
            continue
        if drawn.seen.min() >= LEAST_SEEN:
            return drawn


def batch(scenes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """images (B, 3, side, side), classes int64 (B, K) and boxes (B, K, 4) of B scenes, where K is
    the largest number of garments; scenes with fewer are filled up with NO_OBJECT and zeros."""
    K = max(len(s.classes) for s in scenes)
    classes = torch.full((len(scenes), K), NO_OBJECT)
    boxes = torch.zeros(len(scenes), K, 4)
    for i, s in enumerate(scenes):
        classes[i, : len(s.classes)] = s.classes
        boxes[i, : len(s.boxes)] = s.boxes
    return torch.stack([s.image for s in scenes]), classes, boxes


def _random_item(rng, split, kinds, side, color):
    """One that lies within the canvas, whatever its shape."""
    kind = kinds[rng.integers(len(kinds))]
    size = rng.uniform(SMALLEST, LARGEST) * side
    number = rng.integers(len(_numbers(split, kind)))
    height, width = _extent(_garment(split, kind, number)[0].shape, size)
    y, x = rng.uniform(height / 2, side - height / 2), rng.uniform(width / 2, side - width / 2)
    return Item(kind, x, y, size, str(color), int(number))


@lru_cache
def _pictures(split):
    """All of Fashion-MNIST that is shipped, as bytes, and its labels."""
    images, labels = fashion_mnist(split)
    return (images * 255).round().to(torch.uint8).numpy(), labels.numpy()


@lru_cache
def _numbers(split, kind):
    """Where the garments of a kind are among all pictures."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of garment, expected one of {', '.join(KINDS)}")
    return np.flatnonzero(np.isin(_pictures(split)[1], [NAMES.index(n) for n in KINDS[kind]]))


@lru_cache
def _garment(split, kind, number):
    """Its picture and where it is, both uint8 (h, w), cut to what it covers. A place belongs to it
    that has some of it to the left and right, above and below: a black print is no hole."""
    numbers = _numbers(split, kind)
    if not 0 <= number < len(numbers):
        raise ValueError(f"there is no {kind} {number} to {split}, only 0 to {len(numbers) - 1}")
    picture = _pictures(split)[0][numbers[number]]
    some, reach = picture > 8, np.logical_or.accumulate
    inside = reach(some) & reach(some[::-1])[::-1]
    inside &= reach(some, 1) & reach(some[:, ::-1], 1)[:, ::-1]
    rows, columns = np.flatnonzero(some.any(1)), np.flatnonzero(some.any(0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return picture[cut], inside[cut] * np.uint8(255)


def _extent(shape, size):
    """(rows, columns) of something of this shape whose longer side becomes `size`."""
    return tuple(max(1, round(n * size / max(shape))) for n in shape)


def _sized(garment, size):
    """Shade and opacity of a garment as floats (rows, columns) in [0, 1]."""
    rows, columns = _extent(garment[0].shape, size)
    resized = (Image.fromarray(x).resize((columns, rows), Image.BILINEAR) for x in garment)
    return tuple(np.asarray(x, dtype=np.float32) / 255 for x in resized)


def _overlap(shape, middle, side):
    """Where a picture of this shape is on the canvas, and which part of it is there: two pairs of
    slices."""
    here, there = [], []
    for n, center in zip(shape, middle):
        first = round(center - n / 2)
        start, stop = max(first, 0), max(0, min(first + n, side))
        here.append(slice(start, stop))
        there.append(slice(start - first, max(start, stop) - first))
    return tuple(here), tuple(there)


def _color(name):
    if name not in COLORS:
        raise ValueError(f"{name!r} is no color, expected one of {', '.join(COLORS)}")
    return np.float32(COLORS[name])


def _box(mask, item):
    """cx, cy, w, h around what is True, in shares of the side."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise Hidden(f"nothing is to be seen of {item}: it is covered, or off the canvas")
    (top, bottom), (left, right) = ((i[0], i[-1] + 1) for i in (rows, columns))
    box = np.array([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)])
    return box / (2 * len(mask))
