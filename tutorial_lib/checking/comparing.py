"""Compare what was expected with what came, and say in words where they part.

Values are what exercises return: arrays, tensors, numbers, strings, None, and tuples, lists and
dicts of them. A `Difference` names the place (`dS`, `[1]`, `dS.q`, or "" for the whole value), the
kind of difference and one sentence about it.
"""

import inspect
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Number

import numpy as np

from tutorial_lib.checking.layouts import is_tensor

# Two right formulas may round differently; these are far above rounding and far below a mistake.
TOLERANCE = {"float64": 1e-7, "float32": 1e-4, "float16": 1e-2, "bfloat16": 2e-2}
LARGE = 10**7  # numbers; a result with more of them and of another size is not looked into


@dataclass
class Difference:
    where: str  # "" or a key or index inside the value
    kind: str  # "type", "missing", "shape", "dtype", "graph", "nan" or "value"
    text: str  # one sentence


def as_array(value):
    """A NumPy array of the value, float64 where it holds floats; None for what is no array of
    numbers in memory."""
    if is_tensor(value):
        if str(value.layout) != "torch.strided" or value.is_meta:
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
    if is_tensor(value) or isinstance(value, np.ndarray):
        kind = "array"
        if is_tensor(value):
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


def other_container(expected, actual) -> str:
    """What to say where the numbers come in another kind of container than the task wants, such as
    a tuple for a dict or a list for an array; "" where they do not."""
    wanted, given = _container(expected), _container(actual)
    alike = [{"tuple", "list"}, {"array", "tensor"}]  # as good as each other, or another story
    if not wanted or not given or wanted == given or {wanted, given} in alike:
        return ""
    if wanted == "dict":
        *names, last = map(str, expected)
        wanted += f" with {', '.join(names)} and {last}" if names else f" with {last}"
    a, an = (f"{'an' if kind[0] == 'a' else 'a'} {kind}" for kind in (wanted, given))
    return f"The task wants {a}; yours is {an}."


def _container(value) -> str:
    if is_tensor(value):
        return "tensor"
    kinds = {dict: "dict", tuple: "tuple", list: "list", set: "set", np.ndarray: "array"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "")


def compare(expected, actual, dtypes: bool = True) -> list[Difference]:
    """Every place where `actual` is not `expected`; empty when they agree.

    Without `dtypes`, float64 is as good as the float32 that is expected.
    """
    return list(_differences(expected, actual, dtypes))


def alike(expected, actual, dtypes: bool = True) -> bool:
    """Whether `compare` finds nothing; it looks no further than the first difference."""
    return next(_differences(expected, actual, dtypes), None) is None


def _differences(expected, actual, dtypes):
    if isinstance(expected, (dict, tuple, list)):
        yield from _in_containers(expected, actual, dtypes)
    elif found := _compare_leaf(expected, actual, dtypes):
        yield found


def _in_containers(expected, actual, dtypes):
    wanted = parts(expected)
    if isinstance(expected, dict) != isinstance(actual, dict) or not isinstance(
        actual, (dict, tuple, list)
    ):
        text = f"expected a {describe(expected)}, got {describe(actual)}"
        yield Difference("", "type", text)
        return
    given = parts(actual)
    for where, value in wanted.items():
        if where not in given:
            yield Difference(where, "missing", f"{where} is missing")
            continue
        for inner in _differences(value, given[where], dtypes):
            place = _inside(where, inner.where)
            text = inner.text.removeprefix(f"{inner.where}: ")
            yield Difference(place, inner.kind, f"{place}: {text}")
    if not isinstance(expected, dict) and len(given) > len(wanted):
        text = f"expected {len(wanted)} values, got {len(given)}"
        yield Difference("", "shape", text)


def _inside(outer: str, inner: str) -> str:
    """A place inside a place: `a` and `b` make `a.b`, `a` and `[1]` make `a[1]`."""
    return f"{outer}.{inner}" if inner and inner[0] != "[" else outer + inner


def within(where: str, name: str) -> bool:
    """Whether a place is the named one or inside it."""
    return where == name or where.startswith((f"{name}.", f"{name}["))


def _compare_leaf(expected, actual, dtypes) -> Difference | None:
    if (size := _size(actual)) != _size(expected) and size > LARGE:  # not to be copied
        return Difference("", "shape", _other_shape(expected, actual))
    a, b = as_array(expected), as_array(actual)
    if a is None or b is None:
        if (
            a is None
            and not is_tensor(expected)
            and type(expected) is type(actual)
            and expected == actual
        ):
            return None
        return Difference("", "type", f"expected {describe(expected)}, got {describe(actual)}")
    if is_tensor(expected) != is_tensor(actual):
        if is_tensor(expected) or isinstance(expected, np.ndarray):
            return Difference("", "type", f"expected {describe(expected)}, got {describe(actual)}")
    if isinstance(actual, bool) and not isinstance(expected, (bool, np.bool_)):
        return Difference("", "type", f"expected {describe(expected)}, got {actual}")
    if a.shape != b.shape:
        return Difference("", "shape", _other_shape(a, b))
    if type(expected) is int and b.dtype.kind in "fc" and not _compare_numbers(a, b, 1e-7):
        return Difference("", "dtype", f"a whole number is expected, yours is the float {actual}")
    if hasattr(expected, "dtype") and dtype_name(expected) != dtype_name(actual):
        wanted, given = dtype_name(expected), dtype_name(actual)
        # A plain number is as good as a NumPy scalar, and whole numbers of any width are alike.
        whole = a.dtype.kind in "iu" and b.dtype.kind in "iu"
        wider = not dtypes and given == "float64" and wanted in ("float32", "float16", "bfloat16")
        if not isinstance(expected, np.generic) and not whole and not wider:
            text = f"the dtype should be {wanted}, yours is {given}"
            rough = max(TOLERANCE.get(wanted, 1e-7), TOLERANCE.get(given, 1e-7))
            if wrong := _compare_numbers(a, b, rough):
                return Difference("", wrong.kind, f"{text}; {wrong.text}")
            return Difference("", "dtype", text)
    if is_tensor(expected) and expected.requires_grad != actual.requires_grad:
        fate = "yours is cut from it" if expected.requires_grad else "yours is part of it"
        if wrong := _compare_numbers(a, b, TOLERANCE.get(dtype_name(expected), 1e-7)):
            return wrong
        return Difference("", "graph", f"right numbers, but of autograd's graph {fate}")
    return _compare_numbers(a, b, TOLERANCE.get(dtype_name(expected), 1e-7), _eps(expected))


def _eps(value) -> float:
    """The relative rounding of a value's dtype."""
    return {"float32": 2**-23, "float16": 2**-10, "bfloat16": 2**-7}.get(dtype_name(value), 2**-52)


def _size(value) -> int:
    return math.prod(getattr(value, "shape", ()))


def _other_shape(expected, actual) -> str:
    wanted, given = (tuple(getattr(value, "shape", ())) for value in (expected, actual))
    return f"the shape should be {wanted}, yours is {given}"


def _compare_numbers(a, b, tolerance, eps=0.0) -> Difference | None:
    if (a == b).all():  # as most are: all the rest is for the others
        return None
    if a.dtype.kind not in "fc":  # counts, places and truth values are right or wrong
        wrong = a != b
    else:
        # Relative to the number itself or to the largest one: a tiny entry of a large array may
        # carry the rounding of its neighbours. What should be zero may be left over from
        # cancelling, hence the last term.
        with np.errstate(all="ignore"):
            finite = a[np.isfinite(a)]
            scale = np.abs(finite).max() if finite.size else 1.0
            allowed = tolerance * np.maximum(np.abs(a), 1e-3 * scale + 1e-3)
            close = np.abs(a - b) <= np.maximum(allowed, 8 * eps * scale)
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
        f"expected {_number(a[first], b[first])}, yours {_number(b[first], a[first])}"
    )
    return Difference("", "value", text)


def _index(index: tuple) -> str:
    return f"[{', '.join(map(str, index))}]" if index else "the number itself"


def _number(x, other) -> str:
    """A number in as many digits as tell it from the other one."""
    if np.asarray(x).dtype.kind != "f" or np.asarray(other).dtype.kind not in "fiub":
        return str(x)
    digits = next((d for d in (6, 9, 12) if f"{x:.{d}g}" != f"{other:.{d}g}"), 17)
    return f"{x:.{digits}g}"


def show(value, indent: str = "", beside=None) -> str:
    """A value as text, short enough for a table: a small array in full, a large one's corners.

    The decimals, three or more, are as many as tell it from the one that it stands beside.
    """
    array = as_array(value)
    if array is None or isinstance(value, (Number, str)):
        return indent + safe_repr(value)
    other = as_array(beside) if beside is not None else None
    texts = [_text(array, digits) for digits in (3, 6, 9, 12)]
    if other is None or other.shape != array.shape or np.array_equal(other, array):
        text = texts[0]
    else:
        others = (_text(other, digits) for digits in (3, 6, 9, 12))
        text = next((ours for ours, theirs in zip(texts, others) if ours != theirs), texts[0])
    return indent + text.replace("\n", "\n" + indent)


def _text(array, decimals: int) -> str:
    with np.printoptions(
        precision=decimals, suppress=True, threshold=60, edgeitems=2, linewidth=90
    ):
        return str(array)
