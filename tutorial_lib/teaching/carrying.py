"""Values brought from one process to another as plain bytes: nothing that is read can run.

An answer's process is not trusted, so its results are no pickles. What is compared travels:
numbers, words, arrays, tensors, and lists, tuples and dicts of them. Of anything else its type's
name does.
"""

import io
import json
import sys
from collections.abc import Callable

import numpy as np

LONG = 1000  # letters; no right answer holds a longer word
DEEP = 20  # containers within containers
LARGE = 2 * 10**7  # bytes; no right answer has more


class Other:
    """What stands for a value of another kind: it equals nothing."""

    def __init__(self, kind: str):
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def pack(value) -> bytes:
    """Any value as bytes: a tree in JSON, then the numbers of its arrays."""
    blobs = []
    tree = json.dumps(_tree(value, blobs, 0)).encode()
    return b"".join([len(tree).to_bytes(8, "big"), tree, *blobs])


def unpack(data: bytes):
    """The value again. Raises ValueError for bytes that `pack` has not made."""
    size = int.from_bytes(data[:8], "big")
    stream = io.BytesIO(data[8 + size :])
    try:
        return _value(json.loads(data[8 : 8 + size]), stream.read, 0)
    except (KeyError, TypeError, AttributeError, RecursionError, RuntimeError) as error:
        raise ValueError(f"not to be read: {error}") from error


def _tree(value, blobs: list, depth: int):
    torch = sys.modules.get("torch")
    if getattr(value, "nbytes", 0) > LARGE:
        return {"other": f"{type(value).__name__} of {value.nbytes:,} bytes"}
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str:
        return {"word": value[:LONG]}
    if torch is not None and isinstance(value, torch.Tensor):
        if value.is_meta or str(value.layout) != "torch.strided":
            return {"other": f"{'meta' if value.is_meta else value.layout} tensor"}
        data = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        blobs.append(data.reshape(-1).view(torch.uint8).numpy().tobytes())
        return {"tensor": str(value.dtype)[6:], "shape": [*value.shape], "bytes": len(blobs[-1]),
                "graph": value.requires_grad}  # fmt: skip
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
        blobs.append(value.tobytes())
        return {"array": value.dtype.str, "shape": [*value.shape], "bytes": len(blobs[-1]),
                "single": isinstance(value, np.generic)}  # fmt: skip
    if depth < DEEP and isinstance(value, dict):
        rows = [[_tree(k, blobs, DEEP), _tree(x, blobs, depth + 1)] for k, x in value.items()]
        return {"dict": rows}
    for kind in (list, tuple, set):
        if depth < DEEP and isinstance(value, kind):
            parts = sorted(value, key=repr) if kind is set else value
            return {kind.__name__: [_tree(part, blobs, depth + 1) for part in parts]}
    return {"other": getattr(value, "kind", type(value).__name__)[:60]}


def _value(tree, read: Callable[[int], bytes], depth: int):
    if tree is None or isinstance(tree, (bool, int, float)):
        return tree
    if "word" in tree:
        return str(tree["word"])
    if "tensor" in tree:
        import torch

        value = torch.empty(tree["shape"], dtype=getattr(torch, tree["tensor"]))
        if value.numel():
            numbers = torch.frombuffer(bytearray(read(tree["bytes"])), dtype=torch.uint8)
            value = numbers.view(value.dtype).view(value.shape)
        return value.requires_grad_(bool(tree["graph"]) and value.is_floating_point())
    if "array" in tree:
        value = np.frombuffer(read(tree["bytes"]), np.dtype(tree["array"])).reshape(tree["shape"])
        return value[()] if tree["single"] else value
    if depth > DEEP:
        raise ValueError("too deep")
    if "dict" in tree:
        rows = tree["dict"]
        return {_key(_value(k, read, depth)): _value(x, read, depth + 1) for k, x in rows}
    for kind in (list, tuple, set):
        if kind.__name__ in tree:
            return kind(_value(part, read, depth + 1) for part in tree[kind.__name__])
    return Other(str(tree["other"])[:60])


def _key(key):
    return key if isinstance(key, (str, int, float, bool, tuple, type(None))) else str(key)
