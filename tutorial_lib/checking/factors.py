"""Is all right but for a factor: one for all tries, one for each, or one that is nearly 1?"""

import math

import numpy as np

from tutorial_lib.checking.comparing import as_array

NEARLY = (
    "Nearly right: the difference is far below one in a thousand. Does a small constant, an eps, "
    "stand somewhere else, or is a step done in a lower precision?"
)


def constant_factor(wrong: list[tuple]) -> str:
    """One factor for all numbers of all cases, or one factor per case.

    Any wrong number is some factor times the right one, so single numbers say nothing until at
    least two different ones are off by the same factor.
    """
    factors, numbers = [], set()
    if len({id(case) for *_, case in wrong}) < 2:  # of one case any factor may be chance
        return ""
    for expected, actual, _ in wrong:
        a, b = as_array(expected), as_array(actual)
        if a is None or b is None or a.shape != b.shape or a.dtype.kind != "f":
            return ""
        if b.dtype.kind not in "fiu" or not (np.isfinite(a).all() and np.isfinite(b).all()):
            return ""
        largest = np.unravel_index(np.abs(a).argmax(), a.shape) if a.size else None
        if largest is None or a[largest] == 0:
            return ""
        factor = float(b[largest] / a[largest])
        if not np.allclose(b, factor * a, rtol=1e-6, atol=1e-9):
            return ""
        factors.append(factor)
        numbers.update([float(a[largest])] if a.size == 1 else [0.0, 1.0])  # a row tells by itself
    if not factors:
        return ""
    if max(abs(factor - 1) for factor in factors) < 1e-4:
        return NEARLY
    if max(map(abs, factors)) < 1e-12:
        return "Where it fails, yours is zero everywhere."
    if max(factors) - min(factors) < 1e-6 * max(map(abs, factors)):
        if len(numbers) < 2:
            return ""
        return f"Wherever it fails, yours is {_name_factor(factors[0])} times the right answer."
    if all(as_array(expected).size == 1 for expected, *_ in wrong):
        return ""
    shown = ", ".join(f"{factor:.4g}" for factor in factors[:3])
    return (
        "Yours is the right answer times a factor that changes from case to case "
        f"({shown}, ...): which size of the arguments does it follow?"
    )


def _name_factor(factor: float) -> str:
    for name, value in (("√2", math.sqrt(2)), ("1/√2", math.sqrt(0.5)), ("ln 2", math.log(2))):
        if math.isclose(factor, value, rel_tol=1e-6):
            return name
    return f"{factor:.6g}"
