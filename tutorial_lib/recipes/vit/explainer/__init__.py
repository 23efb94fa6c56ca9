"""A Vision Transformer that runs in a page: one HTML file, the shipped model inside it.

Taught in chapter 05. The page shows what happens between a picture of 28 × 28 pixels and ten
logits: patches, tokens, attention by layer and head. It asks for nothing from elsewhere. Make it:

    python -m tutorial_lib.recipes.vit.explainer [--out FILE]

page.html, page.css  what stands on the page
vit.js               the model's forward pass in plain JavaScript, which the page also shows
drawing.js  pictures of its numbers
show.js, controls.js, tries.js  what is shown in which state; what changes it; experiments
"""

import base64
import json
import re
from importlib import resources

import torch

from tutorial_lib.data.fashion_mnist import NAMES, fashion_mnist
from tutorial_lib.layers.quantization import fake_quantize, integer_range, symmetric_scale
from tutorial_lib.recipes.vit import vit
from tutorial_lib.recipes.vit.data_size import MEAN, STD

PARTS = {
    "@CSS@": "page.css",
    "@VIT@": "vit.js",
    "@DRAWING@": "drawing.js",
    "@SHOW@": "show.js",
    "@CONTROLS@": "controls.js",
    "@TRIES@": "tries.js",
}


def page() -> str:
    """The whole page, the same text each time."""
    model, record = vit.load()
    settings = {
        "side": 28,
        "patch": model.embed.patch,
        "grid": model.grid[0],
        "heads": model.encoder[0].attention.heads,
        "depth": len(model.encoder),
        "mean": MEAN,
        "std": STD,
        "eps": model.norm.eps,
        "classes": NAMES,
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": float(record["accuracy"]),
        "learned": int(record["count"]),
    }
    data = settings | {"weights": pack(model), "gallery": gallery(model)}
    here = resources.files(__package__)
    texts = {mark: here.joinpath(name).read_text(encoding="utf-8") for mark, name in PARTS.items()}
    # "<" is escaped so that no text can close the script element.
    texts["@DATA@"] = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    html = here.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub("|".join(texts), lambda mark: texts[mark[0]], html)


def in_rows(tensor):
    """A table of weights with a row for each number that it makes: (rows, columns)."""
    return tensor.flatten(1)


def in_int8(model):
    """Round a model's matrices to what 8 bits can say, row by row, in place  ->  the model."""
    for tensor in model.state_dict().values():
        if tensor.ndim > 1:
            rows = in_rows(tensor)
            rounded = fake_quantize(rows, symmetric_scale(rows, bits=8)[:, None])
            tensor.copy_(rounded.reshape(tensor.shape))
    return model


def pack(model) -> dict:
    """A model's weights for the page: matrices as int8 with a scale for each row, vectors as
    float32.

    ->  {"tables": {name: [rows, columns]}, "vectors": {name: length}, "floats": base64 of
    little-endian float32, the scales of all tables and then all vectors, "bytes": base64 of int8,
    the tables}, each in the order in which they are named
    """
    state = model.state_dict()
    tables = {name: in_rows(tensor) for name, tensor in state.items() if tensor.ndim > 1}
    vectors = {name: tensor for name, tensor in state.items() if tensor.ndim == 1}
    scales = {name: symmetric_scale(rows, bits=8) for name, rows in tables.items()}
    steps = [(rows / scales[name][:, None]).round().flatten() for name, rows in tables.items()]
    floats = torch.cat([*scales.values(), *vectors.values()])
    return {
        "tables": {name: list(rows.shape) for name, rows in tables.items()},
        "vectors": {name: len(vector) for name, vector in vectors.items()},
        "floats": _base64(floats.numpy().astype("<f4")),
        "bytes": _base64(torch.cat(steps).clamp(*integer_range(8)).to(torch.int8).numpy()),
    }


@torch.no_grad()
def gallery(model) -> dict:
    """Test pictures to choose from, three of each kind: the first two that the model tells right,
    and the first that it does not.

    ->  {"labels": [...], "bytes": base64 of 28 · 28 grey values for each}, kind by kind
    """
    images, labels = fashion_mnist("test")
    found = model((images[:, None] - MEAN) / STD).argmax(-1)
    chosen = []
    for kind in range(len(NAMES)):
        right = ((labels == kind) & (found == kind)).nonzero()[:2, 0]
        wrong = ((labels == kind) & (found != kind)).nonzero()[:1, 0]
        chosen += [*right.tolist(), *wrong.tolist()]
    pixels = (images[chosen] * 255).round().to(torch.uint8)
    return {"labels": labels[chosen].tolist(), "bytes": _base64(pixels.numpy())}


def _base64(array) -> str:
    return base64.b64encode(array.tobytes()).decode()
