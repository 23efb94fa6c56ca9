"""Where an answer fails: the property of the arguments that parts its wrong tries from the right.

What is said is only what was seen, so it is true of every mistake: "Wrong exactly where mask is
None; right on the other tries."
"""

import itertools
import math
import re

import numpy as np

from tutorial_lib.checking.comparing import as_array
from tutorial_lib.checking.trials import Trial

SPECIAL = re.compile(r"None|given|left out|True|False|beyond|finite|is 0|'$")


def where_it_fails(trials: list[Trial]) -> str:
    """The simplest property that every wrong try has and no right one; "" if there is none.

    A single case has many properties that the others lack: of one that is wrong only what is
    special is told, and nothing if only one is right.
    """
    names = {name for trial in trials for name in trial.case}
    wrong = [_properties(trial.case, names) for trial in trials if not trial.right]
    right = [_properties(trial.case, names) for trial in trials if trial.right]
    single = len({trial.number for trial in trials if not trial.right}) == 1
    if not wrong or len({trial.number for trial in trials if trial.right}) < 2:
        return ""
    for name in wrong[0]:
        parts = all(p.get(name) for p in wrong) and all(p.get(name) is False for p in right)
        if parts and not (single and not SPECIAL.search(name)):
            return f"Wrong exactly where {name}; right on the other {len(right)} tries."
    return ""


def _properties(case: dict, names: set[str]) -> dict[str, bool]:
    """Sentence -> whether it is true of a case, the simplest first; `names` are the arguments of
    all cases, some of which may be left out in this one."""
    found = {}
    whole = [name for name, value in case.items() if type(value) is int]
    for a, b in itertools.combinations(whole, 2):
        found[f"{a} and {b} differ"] = case[a] != case[b]
    for name, value in case.items():
        found |= _of_value(name, value)
    for name in sorted(names):
        found[f"{name} is left out"] = name not in case
        found.setdefault(f"{name} is given", name in case)
    arrays = {name: x for name, value in case.items() if (x := _numbers(value)) is not None}
    for name, x in arrays.items():
        found |= _of_array(name, x)
    names = list(arrays)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            found |= _of_two(a, arrays[a], b, arrays[b])
    return found


def _numbers(value):
    array = as_array(value) if hasattr(value, "shape") else None
    return array if array is not None and array.ndim else None


def _of_value(name, value) -> dict:
    if value is None or isinstance(value, bool):
        told = {f"{name} is {x}": value is x for x in (None, True, False)}
        return told | {f"{name} is given": value is not None}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {
            f"{name} is 0": value == 0,
            f"{name} is 1": value == 1,
            f"{name} is not 1": value != 1,
            f"{name} is above 1": value > 1,
            f"{name} is below 1": value < 1,
            f"{name} is odd": value % 2 == 1,
            f"{name} is even": value % 2 == 0,
        }
    if isinstance(value, str):
        return {f"{name} is {value!r}": True}
    return {f"{name} is None": False, f"{name} is given": True}


def _of_array(name, x) -> dict:
    found = {f"{name} has {n} {'axis' if n == 1 else 'axes'}": x.ndim == n for n in range(1, 6)}
    found |= {f"{name} has more than {n} axes": x.ndim > n for n in (2, 3)}
    for axis in range(-min(x.ndim, 4), 0):
        found[f"axis {axis} of {name} has size 1"] = x.shape[axis] == 1
        found[f"axis {axis} of {name} has a size above 1"] = x.shape[axis] > 1
    if x.ndim > 1:
        found[f"{name} is not square"] = x.shape[-1] != x.shape[-2]
        found[f"{name} is square"] = x.shape[-1] == x.shape[-2]
        found[f"{name} is taller than wide"] = x.shape[-2] > x.shape[-1]
    if x.ndim > 2:
        found[f"{name} has a batch of more than one"] = math.prod(x.shape[:-2]) > 1
    if x.dtype.kind == "b" and x.ndim > 1:
        found[f"a row of {name} is all False"] = bool((~x).all(-1).any())
        found[f"{name} is False somewhere"] = bool((~x).any())
    if x.dtype.kind == "f" and x.size:
        finite = x[np.isfinite(x)]
        found[f"{name} is not finite everywhere"] = finite.size < x.size
        found[f"{name} holds numbers beyond 50"] = bool((np.abs(finite) > 50).any())
        found[f"{name} holds negative numbers"] = bool((finite < 0).any())
    return found


def _of_two(a, x, b, y) -> dict:
    if x.ndim < 2 or y.ndim < 2:
        return {f"{a} and {b} have different numbers of axes": x.ndim != y.ndim}
    return {
        f"{a} and {b} have different numbers of rows": x.shape[-2] != y.shape[-2],
        f"{a} and {b} have equal numbers of rows": x.shape[-2] == y.shape[-2],
        f"{a} and {b} have different numbers of columns": x.shape[-1] != y.shape[-1],
        f"{a} and {b} have different numbers of axes": x.ndim != y.ndim,
    }
