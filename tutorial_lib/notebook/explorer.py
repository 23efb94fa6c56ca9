"""Attention explorer: a photo and its attention matrix, linked, in one self-contained HTML string.

The page part is `explorer.html`. It holds a static picture for places that strip scripts; where
scripts run, the picture is replaced by the interactive explorer. Nothing is loaded from elsewhere.
"""

import base64
import hashlib
import html
import io
import json
import math
import re
import zlib
from importlib import resources

import numpy as np
from IPython.display import HTML
from PIL import Image, ImageDraw

LEVELS = 64  # steps between 0 and the row's maximum: an error of at most 1/128 of that maximum
LONG_SIDE = 280  # pixels of the embedded photo's longer side
STATIC_SIDE = 200  # pixels of the static picture's longer side
HEAT = (242, 112, 12)  # orange: one hue, told apart from the blue query by colour-blind readers
QUERY = (30, 136, 229)  # blue
CAPTION = (
    "Blue outline: the query patch. Orange: the weight that the query gives to each patch, from"
    " none (grey) to the largest weight of its row (full colour)."
)


def attention_explorer(
    image, weights, grid, title="Attention explorer", head_names=None, caption=CAPTION, query=None
):
    """Show which patches a chosen query patch attends to, for several heads or variants.

    Args:
        image: (H, W, 3), uint8 in 0..255 or float in [0, 1].
        weights: (V, N, N) array or tensor, `weights[v, i, j]` = weight that query i gives to key j
            in head or variant v. Rows sum to 1. N = grid[0] * grid[1], patches in row-major order.
        grid: (rows, columns) of the patch grid.
        title: plain text above the picture.
        head_names: V plain-text names, one a button. Default: "head 0", "head 1", ...
        caption: plain text below the picture.
        query: (row, column) of the first query, counted from 0. Default: the middle of the grid.

    Returns:
        IPython.display.HTML. The same input gives the same bytes. Weights are stored in steps of
        1/64 of their row's maximum. Three heads of 196 patches make 70 kB (peaked attention) to
        150 kB (flat and noisy); the size grows with V * N * N.

    Raises:
        ValueError: a shape, type, range, sum or count is not as above; the message says which.
    """
    rows, cols = _check_grid(grid)
    photo = _check_image(image)
    weights = _check_weights(weights, rows, cols)
    names = _check_names(head_names, len(weights))
    row, col = _check_query(query, rows, cols)
    photo = _shrink(Image.fromarray(photo), LONG_SIDE)
    start = row * cols + col
    blob, order = _pack(weights)
    data = {
        "grid": [rows, cols],
        "names": names,
        "title": title,
        "query": start,
        "levels": LEVELS,
        "order": order,
        "weights": blob,
        "photo": _data_uri(photo, "jpeg", quality=75, optimize=True),
        "size": list(photo.size),
        "heat": HEAT,
        "blue": QUERY,
    }
    fallback = _static_picture(_shrink(photo, STATIC_SIDE), weights[0, start], rows, cols, start)
    alt = _describe(weights[0, start], cols, start, names[0])
    parts = {
        "@TITLE@": html.escape(title),
        "@CAPTION@": html.escape(caption),
        "@ALT@": html.escape(alt),
        "@FALLBACK@": _data_uri(fallback, "png", optimize=True),
        # "<" is escaped so that no text can close the script element.
        "@DATA@": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    key = hashlib.sha256("\0".join(parts.values()).encode()).hexdigest()[:12]
    page = resources.files(__package__).joinpath("explorer.html").read_text(encoding="utf-8")
    parts["@ID@"] = f"attention-explorer-{key}"
    return HTML(re.sub("|".join(parts), lambda mark: parts[mark[0]], page))


def entropy_bits(weights):
    """Entropy of each row in bits, (..., N) -> (...); 0 log 0 counts as 0, log2 N is the most."""
    logs = np.log2(np.where(weights > 0, weights, 1.0))
    return -(weights * logs).sum(-1)


def _check_grid(grid):
    ok = np.ndim(grid) == 1 and len(grid) == 2 and all(int(n) == n and n > 0 for n in grid)
    if not ok:
        raise ValueError(f"grid is {grid!r}; expected two positive whole numbers (rows, columns)")
    return int(grid[0]), int(grid[1])


def _check_image(image):
    """Return the image as a uint8 (H, W, 3) array, or say what is wrong with it."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image has shape {image.shape}; expected (H, W, 3), channels last")
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"image has dtype {image.dtype}; expected uint8 or a float type")
    low, high = image.min(), image.max()
    if not (low >= 0 and high <= 1):  # also catches nan
        raise ValueError(f"float image has values from {low:.4g} to {high:.4g}; expected 0 to 1")
    return np.round(image * 255).astype(np.uint8)


def _check_weights(weights, rows, cols):
    """Return the weights as float64 (V, N, N), or say what is wrong with them."""
    if hasattr(weights, "detach"):  # a tensor, perhaps on a GPU, perhaps bfloat16
        weights = weights.detach().cpu().double()
    weights = np.asarray(weights, dtype=np.float64)
    n = rows * cols
    if weights.ndim != 3 or weights.shape[0] == 0:
        raise ValueError(
            f"weights has shape {weights.shape}; expected (V, N, N) = (V, {n}, {n}), V >= 1"
        )
    if weights.shape[1:] != (n, n):
        raise ValueError(
            f"weights has {weights.shape[1]} queries and {weights.shape[2]} keys; expected {n} of"
            f" each for a {rows} x {cols} grid (is a class token still in it?)"
        )
    if not np.isfinite(weights).all():
        raise ValueError(f"weights{_first(~np.isfinite(weights))} is not finite; expected numbers")
    if weights.min() < 0:
        at = _first(weights < 0)
        raise ValueError(f"weights{at} is {weights.min():.4g} at the lowest; expected 0 or more")
    sums = weights.sum(-1)
    wrong = np.abs(sums - 1) > 1e-2  # bfloat16 rows are off by a few thousandths
    if wrong.any():
        at = _first(wrong)
        raise ValueError(
            f"weights{at} sums to {sums[wrong][0]:.4g}; expected 1 (softmax over the last axis)"
        )
    return weights


def _check_names(names, count):
    names = [f"head {i}" for i in range(count)] if names is None else [str(n) for n in names]
    if len(names) != count:
        raise ValueError(f"head_names has {len(names)} names; expected {count}, one for each head")
    return names


def _check_query(query, rows, cols):
    row, col = (rows // 2, cols // 2) if query is None else query
    if not (0 <= row < rows and 0 <= col < cols):
        raise ValueError(f"query is {query}; expected row 0..{rows - 1} and column 0..{cols - 1}")
    return int(row), int(col)


def _first(mask):
    """Index of the first true entry, printed as in code: [0, 3]."""
    return str([int(i) for i in np.argwhere(mask)[0]])


def _pack(weights):
    """Pack weights (V, N, N) as base64 text, and say in which order the steps are stored.

    The text is a deflated run of bytes, little-endian: V*N row maxima (float32), their keys
    (uint16: two weights may share a step), V*N row entropies in thousandths of a bit (uint16),
    V*N*N steps (uint8). The order of the steps is "head" (as the weights) or "key" (the heads side
    by side for each query and key), whichever is the smaller.
    """
    peak = weights.max(-1)
    steps = np.round(weights / peak[..., None] * LEVELS).astype(np.uint8)
    bits = np.round(1000 * entropy_bits(weights))
    fields = peak.astype("<f4"), weights.argmax(-1).astype("<u2"), bits.astype("<u2")
    rows = b"".join(field.tobytes() for field in fields)
    orders = {"head": steps, "key": steps.transpose(1, 2, 0)}
    packed = {name: zlib.compress(rows + s.tobytes(), 9) for name, s in orders.items()}
    order = min(packed, key=lambda name: len(packed[name]))
    return base64.b64encode(packed[order]).decode(), order


def _shrink(photo, side):
    photo = photo.copy()
    photo.thumbnail((side, side), Image.Resampling.LANCZOS)  # never enlarges
    return photo


def _data_uri(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _static_picture(photo, row, rows, cols, start):
    """The grey photo under one query's heat: a small palette picture with the query outlined."""
    width, height = photo.size
    y, x = np.arange(height) * rows // height, np.arange(width) * cols // width
    alpha = 0.9 * (row / row.max()).reshape(rows, cols)[y][:, x, None]
    grey = 0.85 * np.asarray(photo.convert("L"), dtype=float)[..., None]
    mixed = (1 - alpha) * grey + alpha * np.array(HEAT)
    picture = Image.fromarray(np.round(mixed).astype(np.uint8))
    picture = picture.quantize(24, dither=Image.Dither.NONE)
    picture.putpalette(picture.getpalette()[: 3 * 24] + list(QUERY))  # colour 24, for the outline
    top, left = start // cols * height / rows, start % cols * width / cols
    box = (left, top, left + width / cols, top + height / rows)
    ImageDraw.Draw(picture).rectangle(box, outline=24, width=3)
    return picture


def _describe(row, cols, start, name):
    """Alternative text of the static picture."""
    best = int(row.argmax())
    return (
        f"Photo cut into patches, shaded by the attention of the patch in row {start // cols},"
        f" column {start % cols} ({name}): most to row {best // cols}, column {best % cols},"
        f" weight {row.max():.3f}; entropy {float(entropy_bits(row)):.2f} of"
        f" {math.log2(row.size):.2f} bits."
    )
