"""Ways to be wrong that are the same in every exercise: sign, factor, offset, order, axis, type.

An exercise's own known mistakes are asked first. These catch the slips nobody foresaw: an answer
that is the right one negated, scaled, shifted, turned round or with its axes swapped, always in the
same way.
"""

import math

import numpy as np

from tutorial_lib.checking.comparing import as_array, compare, parts

NEARLY = (
    "Nearly right: the difference is far below one in a thousand. Does a small constant, an eps, "
    "stand somewhere else, or is a step done in a lower precision?"
)


def family_resemblance(wrong: list[tuple]) -> str:
    """What all these wrong (expected, actual) pairs have in common; "" if nothing.

    A pair of single numbers resembles in many ways, so every pair names all its stories and the
    first one that all of them share is told.
    """
    told = [stories for pair in wrong if (stories := _stories(*pair)) is not None]
    if told:
        shared = [story for story in told[0] if all(story in stories for stories in told)]
        if shared:
            return shared[0]
    return _constant_factor(wrong)


def _stories(expected, actual) -> list[str] | None:
    """The ways in which the first wrong part resembles the right one; None if too small to say."""
    if isinstance(expected, (tuple, list)) and isinstance(actual, (tuple, list)):
        if _same_values_in_another_order(expected, actual):
            return ["The values are right, but they are returned in another order."]
    elif isinstance(actual, (tuple, list)):
        if any(not compare(expected, part) for part in actual):
            return ["The right value is among those that you return; return it alone."]
    elif isinstance(expected, (tuple, list)):
        if any(not compare(part, actual) for part in expected):
            return [f"You return one of the {len(expected)} values that the task asks for."]
    for (name, a), b in zip(parts(expected).items(), parts(actual).values()):
        if differences := compare(a, b):
            of_another_type = differences[0].kind == "type"
            stories = _array_stories(as_array(a), as_array(b), of_another_type)
            if stories and name:
                return [f"{name}: {story}" for story in stories]
            return stories
    return []


def _array_stories(a, b, of_another_type) -> list[str] | None:
    if a is None or b is None or a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
        return []
    if a.shape != b.shape:
        return _shape_stories(a, b)
    if a.size < 2 or a.shape[-1] < 2:
        return None
    if _close(a, b):
        if of_another_type:
            return ["The right numbers in another kind of container: an array, a tensor, a number?"]
        return [NEARLY]
    if a.dtype.kind == "b":
        candidates = {"Yours is the right answer inverted: True and False are swapped.": ~a}
    else:
        candidates = _changed(a)
    for axis in range(a.ndim):
        candidates[f"The right numbers in reverse order along axis {axis - a.ndim}."] = np.flip(
            a, axis
        )
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2]:
        candidates["Yours is the transpose of the right answer."] = np.swapaxes(a, -1, -2)
    stories = [story for story, candidate in candidates.items() if _close(candidate, b)]
    return stories + (_row_stories(a, b) if a.dtype.kind == "f" else [])


def _changed(a) -> dict:
    """The right answer after one step too many or too few."""
    with np.errstate(all="ignore"):
        return {
            "The sign is wrong: yours is minus the right answer.": -a,
            "Yours is the right answer squared.": a**2,
            "Yours is the right answer's absolute value: a sign got lost.": np.abs(a),
            "Yours is one divided by the right answer.": 1.0 / a,
            "Yours is the exponential of the right answer.": np.exp(a),
            "Yours is the logarithm of the right answer.": np.log(a),
        }


def _shape_stories(a, b) -> list[str]:
    """Stories about the shape, with the numbers looked at."""
    stories = []
    if a.ndim >= 2 and _close(np.swapaxes(a, -1, -2), b):
        stories.append("Yours is the transpose of the right answer.")
    if a.size == b.size and _close(a.ravel(), b.ravel()):
        stories.append("The right numbers in the wrong shape.")
    for axis in range(a.ndim):
        for what, reduced in {"summed": a.sum(axis), "averaged": a.mean(axis)}.items():
            if _close(reduced, b):
                stories.append(f"Yours is the right answer {what} over axis {axis - a.ndim}.")
    if a.ndim == b.ndim and all(x in (1, y) for x, y in zip(a.shape, b.shape)):
        stories.append(
            "Broadcasting made your result larger than it should be. Did an axis of size 1 get "
            "lost on the way, for want of `keepdims=True`?"
        )
    if a.ndim == b.ndim and sorted(a.shape) == sorted(b.shape):
        stories.append("The right shape with its axes in another order: which is a row of yours?")
    return stories


def _row_stories(a, b) -> list[str]:
    """Is each row right up to a factor or an offset of its own?"""
    if a.ndim < 2 or a.shape[-1] < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return []
    if np.allclose(b - a, (b - a)[..., :1], rtol=1e-6, atol=1e-9):
        return ["Each row is right but for a number added to the whole row."]
    if (np.abs(a) > 1e-12).all():
        ratio = b / a
        if np.allclose(ratio, ratio[..., :1], rtol=1e-6) and not np.allclose(
            ratio, ratio.ravel()[0], rtol=1e-6
        ):
            return ["Each row is right but for a factor of its own: how is a row scaled?"]
    return []


def _constant_factor(wrong: list[tuple]) -> str:
    """One factor for all numbers of all cases, or one factor per case.

    Any wrong number is some factor times the right one, so single numbers say nothing until at
    least two different ones are off by the same factor.
    """
    factors, numbers = [], set()
    for expected, actual in wrong:
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
    if all(as_array(expected).size == 1 for expected, _ in wrong):
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


def _same_values_in_another_order(expected, actual) -> bool:
    if len(expected) != len(actual) or len(expected) < 2:
        return False
    left = list(actual)
    for value in expected:
        match = next((i for i, other in enumerate(left) if not compare(value, other)), None)
        if match is None:
            return False
        left.pop(match)
    return True


def _close(a, b) -> bool:
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=1e-5, atol=1e-9, equal_nan=True))
