"""Does a figure still look like the reference?

Exact bytes differ between versions of Matplotlib and of its fonts, so both figures are shrunk to
32 x 32 greys, in which a wrong curve still differs and a smoothed letter does not.
"""

import base64
import io

import numpy as np
from PIL import Image

SIZE_TOLERANCE = 3  # pixels, on each side
# How far the greys may differ on average, as a share of the ink. Measured on line plots: another
# font 0.08, a curve with 2 % of other noise 0.17; a curve left out 0.26, moved 0.5; a blank page 1.
INK_TOLERANCE = 0.2
FLOOR = 0.1  # of 255 greys: rounding, on a figure that is almost empty


def pictures(outputs: list) -> list[str]:
    """The images among a cell's outputs, in base64; the build turns photographs into JPEG."""
    data = [output.get("data", {}) for output in outputs]
    found = [one.get("image/png") or one.get("image/jpeg") for one in data]
    return [image for image in found if image]


def first_difference(reference: list[str], new: list[str]) -> str | None:
    """What is wrong with the new figures, in words; None if nothing is."""
    if len(reference) != len(new):
        return f"figures: {len(new)}, the reference has {len(reference)}"
    for number, (old, now) in enumerate(zip(reference, new), 1):
        problem = _difference(_load(old), _load(now))
        if problem:
            return f"figure {number} {problem}"
    return None


def _difference(old: Image.Image, new: Image.Image) -> str | None:
    if any(abs(a - b) > SIZE_TOLERANCE for a, b in zip(old.size, new.size)):
        return "is {}x{} pixels, the reference {}x{}".format(*new.size, *old.size)
    greys, others = _shrink(old), _shrink(new)
    ink = max(np.abs(g - np.median(g)).mean() for g in (greys, others))
    off = np.abs(greys - others).mean()
    if off > max(INK_TOLERANCE * ink, FLOOR):
        return f"looks different: {off / ink:.0%} of its ink is elsewhere"
    return None


def _load(image: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("L")


def _shrink(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX), dtype=float)
