"""Compare what was expected with what came, and say in words where they part.

Values are what exercises return: arrays, tensors, numbers, strings, None, and tuples, lists and
dicts of them. A `Difference` names the place (`dS`, `[1]`, `dS.q`, or "" for the whole value), the
kind of difference and one sentence about it.
"""

import inspect
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Number

import numpy as np
import torch

# Two right formulas may round differently; these are far above rounding and far below a mistake.
TOLERANCE = {"float64": 1e-7, "float32": 1e-4, "float16": 1e-2, "bfloat16": 2e-2}


@dataclass
class Difference:
    where: str  # "" or a key or index inside the value
    kind: str  # "type", "missing", "shape", "dtype", "graph", "nan" or "value"
    text: str  # one sentence


def as_array(value):
    """A NumPy array of the value, float64 where it holds floats; None for what is no array of
    numbers in memory."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_meta:
            return None
        value = value.detach().cpu()
        return value.double().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, (Fraction, Decimal)):
        value = float(value)
    if not isinstance(value, (np.ndarray, np.generic, Number)):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "fiubc":  # objects, strings, dates, or a whole number beyond 64 bits
        return None
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def dtype_name(value) -> str:
    return str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")


def describe(value) -> str:
    """`array (2, 3) float64`, `list of 4`, `None`: what a value is, in a few words."""
    if value is None:
        return "None"
    if isinstance(value, (np.ndarray, torch.Tensor)):
        kind = "array"
        if isinstance(value, torch.Tensor):
            layout = str(value.layout).removeprefix("torch.").replace("strided", "")
            kind = f"{'meta' if value.is_meta else layout} tensor".strip()
        return f"{kind} {tuple(value.shape)} {dtype_name(value)}"
    if is_plain(value):
        return f"dict({', '.join(f'{name}={part!r}' for name, part in value.items())})"
    if isinstance(value, dict):
        return "dict with " + ", ".join(map(str, value))
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    if inspect.isfunction(value):
        return f"function {value.__name__}"
    return f"{type(value).__name__} {safe_repr(value)}"


def safe_repr(value) -> str:
    """`repr`, short, and also of an object whose own raises."""
    try:
        text = repr(value)
    except Exception as error:
        return f"(its repr raises {type(error).__name__})"
    return text if len(text) <= 200 else f"{text[:200]}..."


def is_plain(value) -> bool:
    """Whether a value is a dict of names and plain numbers or words, which fits into one line."""
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(part, (bool, int, float, str))
        for name, part in value.items()
    )


def parts(value) -> dict:
    """A value's named parts: the entries of a dict or tuple, or the value itself under ""."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (tuple, list)):
        return {f"[{i}]": part for i, part in enumerate(value)}
    return {"": value}


def compare(expected, actual) -> list[Difference]:
    """Every place where `actual` is not `expected`; empty when they agree."""
    if isinstance(expected, (dict, tuple, list)):
        return _compare_containers(expected, actual)
    found = _compare_leaf(expected, actual)
    return [found] if found else []


def _compare_containers(expected, actual) -> list[Difference]:
    wanted = parts(expected)
    if isinstance(expected, dict) != isinstance(actual, dict) or not isinstance(
        actual, (dict, tuple, list)
    ):
        return [Difference("", "type", f"expected a {describe(expected)}, got {describe(actual)}")]
    given = parts(actual)
    found = []
    for where, value in wanted.items():
        if where not in given:
            found.append(Difference(where, "missing", f"{where} is missing"))
            continue
        for inner in compare(value, given[where]):
            place = _inside(where, inner.where)
            text = inner.text.removeprefix(f"{inner.where}: ")
            found.append(Difference(place, inner.kind, f"{place}: {text}"))
    if not isinstance(expected, dict) and len(given) > len(wanted):
        text = f"expected {len(wanted)} values, got {len(given)}"
        found.append(Difference("", "shape", text))
    return found


def _inside(outer: str, inner: str) -> str:
    """A place inside a place: `a` and `b` make `a.b`, `a` and `[1]` make `a[1]`."""
    return f"{outer}.{inner}" if inner and inner[0] != "[" else outer + inner


def within(where: str, name: str) -> bool:
    """Whether a place is the named one or inside it."""
    return where == name or where.startswith((f"{name}.", f"{name}["))


def _compare_leaf(expected, actual) -> Difference | None:
    a, b = as_array(expected), as_array(actual)
    if a is None or b is None:
        if a is None and type(expected) is type(actual) and expected == actual:
            return None
        return Difference("", "type", f"expected {describe(expected)}, got {describe(actual)}")
    if isinstance(expected, torch.Tensor) != isinstance(actual, torch.Tensor):
        if isinstance(expected, (torch.Tensor, np.ndarray)):
            return Difference("", "type", f"expected {describe(expected)}, got {describe(actual)}")
    if isinstance(actual, bool) and not isinstance(expected, (bool, np.bool_)):
        return Difference("", "type", f"expected {describe(expected)}, got {actual}")
    if a.shape != b.shape:
        return Difference("", "shape", f"the shape should be {a.shape}, yours is {b.shape}")
    if type(expected) is int and b.dtype.kind in "fc" and not _compare_numbers(a, b, 1e-7):
        return Difference("", "dtype", f"a whole number is expected, yours is the float {actual}")
    if hasattr(expected, "dtype") and dtype_name(expected) != dtype_name(actual):
        wanted, given = dtype_name(expected), dtype_name(actual)
        # A plain number is as good as a NumPy scalar, and whole numbers of any width are alike.
        whole = a.dtype.kind in "iu" and b.dtype.kind in "iu"
        if not isinstance(expected, np.generic) and not whole:
            text = f"the dtype should be {wanted}, yours is {given}"
            rough = max(TOLERANCE.get(wanted, 1e-7), TOLERANCE.get(given, 1e-7))
            if wrong := _compare_numbers(a, b, rough):
                return Difference("", wrong.kind, f"{text}; {wrong.text}")
            return Difference("", "dtype", text)
    if isinstance(expected, torch.Tensor) and expected.requires_grad != actual.requires_grad:
        fate = "yours is cut from it" if expected.requires_grad else "yours is part of it"
        if wrong := _compare_numbers(a, b, TOLERANCE.get(dtype_name(expected), 1e-7)):
            return wrong
        return Difference("", "graph", f"right numbers, but of autograd's graph {fate}")
    return _compare_numbers(a, b, TOLERANCE.get(dtype_name(expected), 1e-7))


def _compare_numbers(a, b, tolerance) -> Difference | None:
    if a.dtype.kind not in "fc":  # counts, places and truth values are right or wrong
        wrong = a != b
    else:
        # Relative to the number itself or to the largest one: a tiny entry of a large array may
        # carry the rounding of its neighbours. What should be zero may be left over from
        # cancelling, hence the last term.
        with np.errstate(all="ignore"):
            finite = a[np.isfinite(a)]
            scale = np.abs(finite).max() if finite.size else 1.0
            close = np.abs(a - b) <= tolerance * np.maximum(np.abs(a), 1e-3 * scale + 1e-3)
            close &= np.isfinite(a)  # or any number is near an infinite one: inf <= inf
        wrong = ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))
    if not wrong.any():
        return None
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    nan = np.isnan(b) & ~np.isnan(a) if b.dtype.kind == "f" and a.dtype.kind == "f" else None
    if nan is not None and nan.any():
        first = tuple(int(i) for i in np.argwhere(nan)[0])
        text = f"NaN in {int(nan.sum())} of {a.size} numbers, first at {_index(first)}"
        return Difference("", "nan", text)
    text = (
        f"{int(wrong.sum())} of {a.size} numbers differ, first at {_index(first)}: "
        f"expected {_number(a[first])}, yours {_number(b[first])}"
    )
    return Difference("", "value", text)


def _index(index: tuple) -> str:
    return f"[{', '.join(map(str, index))}]" if index else "the number itself"


def _number(x) -> str:
    return f"{x:.6g}" if np.asarray(x).dtype.kind == "f" else str(x)


def show(value, indent: str = "") -> str:
    """A value as text, short enough for a table: a small array in full, a large one's corners."""
    array = as_array(value)
    if array is None or isinstance(value, (Number, str)):
        return indent + (describe(value) if isinstance(value, (torch.nn.Module,)) else repr(value))
    with np.printoptions(precision=3, suppress=True, threshold=60, edgeitems=2, linewidth=90):
        text = str(array)
    return indent + text.replace("\n", "\n" + indent)
