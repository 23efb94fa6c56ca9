"""Turntable: point clouds side by side that are turned together, in one self-contained HTML string.

The page part is `turntable.html`. It holds a static picture of each cloud for places that strip
scripts; where scripts run, a canvas takes its place. Nothing is loaded from elsewhere. Taught in
chapter 19.
"""

import base64
import hashlib
import html
import io
import json
import re
from importlib import resources

import numpy as np
from IPython.display import HTML
from PIL import Image, ImageDraw

STEPS = 255  # of a coordinate, from one side of the ball around the largest cloud to the other
VIEW = (-0.6, 0.35)  # how far the clouds are turned and tilted at first, radians
STATIC_SIDE = 84  # pixels of the static picture of a cloud
PLAIN, MARKED = (0, 114, 178), (213, 94, 0)  # blue and orange, told apart by colour-blind readers
STATIC = (48, 143, 200)  # a blue between, for a picture that cannot know its ground
CAPTION = (
    "Drag a cloud to turn them all, or use the arrow keys after a click; Home turns them back."
    " What is nearer to you is larger and stronger."
)


def turntable(clouds, marks=None, title="Point clouds", caption=CAPTION):
    """Show point clouds that a reader can turn, side by side, all by the same angles.

    Args:
        clouds: dict of plain-text name -> (N, 3) array or tensor: x to the right, y to the back, z
            up. N may differ. All are drawn at one scale, each around the middle of its own box.
        marks: dict of name -> (N,) bool, the points to draw larger and in orange; the others of
            that cloud are then small and faint. Names may be left out.
        title, caption: plain text above and below.

    Returns:
        IPython.display.HTML. The same input gives the same bytes. Coordinates are stored in steps
        of 1/255 of the largest cloud: 4 bytes a point, beside 6 kB for the page and about 3 kB for
        each static picture.

    Raises:
        ValueError: a shape, a name or a number is not as above; the message says which.
    """
    clouds = {str(name): _check_points(points, name) for name, points in clouds.items()}
    if not clouds:
        raise ValueError("there are no clouds; expected at least one")
    marks = _check_marks(marks or {}, clouds)
    clouds = {name: x - (x.max(0) + x.min(0)) / 2 for name, x in clouds.items()}
    radius = max(np.linalg.norm(x, axis=1).max() for x in clouds.values()) or 1.0
    data = {"view": VIEW, "steps": STEPS, "plain": PLAIN, "marked": MARKED, "clouds": []}
    views = []
    for name, points in clouds.items():
        right, back, up = points.T / radius
        seen = np.stack([right, up, -back], axis=1)  # as on a screen: the last towards you
        steps = np.round((seen + 1) / 2 * STEPS).astype(np.uint8)
        packed = {"points": _base64(steps.tobytes())}
        if name in marks:
            packed["marks"] = _base64(np.packbits(marks[name], bitorder="little").tobytes())
        data["clouds"].append(packed)
        picture = _static_picture(seen, marks.get(name))
        views.append(_view(name, len(points), marks.get(name), picture))
    parts = {
        "@TITLE@": html.escape(title),
        "@CAPTION@": html.escape(caption),
        "@VIEWS@": "\n".join(views),
        "@DATA@": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    key = hashlib.sha256("\0".join(parts.values()).encode()).hexdigest()[:12]
    page = resources.files(__package__).joinpath("turntable.html").read_text(encoding="utf-8")
    page = re.sub(r"\n +", "\n", page)  # a sixth of it is indentation
    parts["@ID@"] = f"turntable-{key}"
    return HTML(re.sub("|".join(parts), lambda mark: parts[mark[0]], page))


def _check_points(points, name):
    """Return a cloud as float64 (N, 3), or say what is wrong with it."""
    points = np.asarray(points.detach().cpu() if hasattr(points, "detach") else points, float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"{name!r} has shape {points.shape}; expected (N, 3), a point a row")
    if not np.isfinite(points).all():
        raise ValueError(f"{name!r} has a coordinate that is not finite; expected numbers")
    return points


def _check_marks(marks, clouds):
    """Return the marks as bool arrays, or say what is wrong with them."""
    found = {}
    for name, mark in marks.items():
        mark = np.asarray(mark)
        if name not in clouds:
            raise ValueError(f"marks are given for {name!r}; the clouds are {', '.join(clouds)}")
        if mark.dtype != bool or mark.shape != clouds[name].shape[:1]:
            raise ValueError(
                f"the marks of {name!r} are {mark.dtype} {mark.shape}; expected bool "
                f"({len(clouds[name])},), one for each point"
            )
        found[name] = mark
    return found


def _static_picture(points, marks):
    """One cloud in the unit ball in the first view: (side, side) with a transparent ground."""
    turn, tilt = VIEW
    x, y, z = points.T
    x, z = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
    y, z = y * np.cos(tilt) - z * np.sin(tilt), z * np.cos(tilt) + y * np.sin(tilt)
    side = 3 * STATIC_SIDE  # drawn larger and made smaller again, for smooth edges
    picture = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(picture)
    given = np.zeros(len(z), bool) if marks is None else marks
    for i in np.lexsort((z, given)):  # from far to near, what is marked last
        near = (z[i] + 1.5) / 3  # about 0 to 1, as in the page
        marked, faint = given[i], marks is not None and not given[i]
        size = side / 150 * (1 + near) * (1.6 if marked else 0.6 if faint else 1)
        alpha = int(255 * np.clip((0.25 if faint else 1) * (0.3 + 0.7 * near), 0, 1))
        at = side / 2 + side * 0.45 * np.array([x[i], -y[i]])
        pen.ellipse((*(at - size), *(at + size)), fill=(*(MARKED if marked else STATIC), alpha))
    return picture.resize((STATIC_SIDE, STATIC_SIDE), Image.Resampling.LANCZOS).quantize(12)


def _view(name, count, marks, picture):
    """The page's part for one cloud: its picture with an alternative text, and its name."""
    alt = f"{name}: a cloud of {count} points"
    if marks is not None:
        alt += f", {int(marks.sum())} of them marked"
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    uri = f"data:image/png;base64,{_base64(buffer.getvalue())}"
    label = f'<span style="display:block">{html.escape(name)}</span>'
    return f'<div class="ttb-view"><img alt="{html.escape(alt)}" src="{uri}">{label}</div>'


def _base64(raw):
    return base64.b64encode(raw).decode()
