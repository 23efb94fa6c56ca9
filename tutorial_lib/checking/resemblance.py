"""Ways to be wrong that are the same in every exercise: sign, factor, offset, order, axis, type.

An exercise's own known mistakes are asked first. These catch the slips nobody foresaw: an answer
that is the right one negated, scaled, shifted, turned round or with its axes swapped, always in the
same way.
"""

import re
from collections import Counter

import numpy as np

from tutorial_lib.checking.comparing import as_array, compare, other_container, parts
from tutorial_lib.checking.factors import NEARLY, constant_factor
from tutorial_lib.checking.shapes import shape_stories

# What is seen, but may have many causes: told after a known mistake that fits most of the tries.
WEAK = re.compile("other places|only at the|only on the diagonal|[Aa]xis|axes|many numbers")


def family_resemblance(wrong: list[tuple]) -> str:
    """What all these wrong (expected, actual, case) have in common; "" if nothing.

    A pair of single numbers resembles in many ways, so every pair names all its stories, and the
    first one that all of them share is told.
    """
    told, shared = _shared_stories(wrong)
    whole = [story for story, count in shared.items() if count == told and not WEAK.search(story)]
    return whole[0] if whole else constant_factor(wrong)


def resemblance_of_most(wrong: list[tuple]) -> str:
    """What more than half of them have in common, with how many they are; "" if nothing."""
    told, shared = _shared_stories(wrong)
    most = [
        story for story, count in shared.items() if 2 * count > told and (count > 1 or told == 1)
    ]
    if not most:
        return ""
    count = shared[most[0]]
    return most[0] if count == told else f"On {count} of {len(wrong)} wrong tries: {most[0]}"


def _shared_stories(wrong: list[tuple]) -> tuple[int, Counter]:
    """How many pairs are large enough to say something, and story -> how many of them tell it."""
    told = [stories for pair in wrong if (stories := _stories(*pair)) is not None]
    return len(told), Counter(story for stories in told for story in dict.fromkeys(stories))


def _stories(expected, actual, case) -> list[str] | None:
    """The ways in which the first wrong part resembles the right one; None if too small to say."""
    if isinstance(expected, (tuple, list)) and isinstance(actual, (tuple, list)):
        if _same_values_in_another_order(expected, actual):
            return ["The values are right, but they are returned in another order."]
    elif isinstance(actual, (tuple, list)):
        if any(not compare(expected, part) for part in actual):
            return ["The right value is among those that you return; return it alone."]
    elif isinstance(expected, (tuple, list)):
        if any(_tells(part) and not compare(part, actual) for part in expected):
            return [f"You return one of the {len(expected)} values that the task asks for."]
    if story := other_container(expected, actual):
        return [story]
    if isinstance(expected, dict) and isinstance(actual, dict):
        if set(expected) - set(actual):
            return [_missing_names(expected, actual)]
        if exchanged := _exchanged(expected, actual):
            return [exchanged]
    for (name, a), b in zip(parts(expected).items(), parts(actual).values()):
        if differences := compare(a, b):
            of_another_type = differences[0].kind == "type"
            a, b = as_array(a), as_array(b)
            stories = _array_stories(a, b, of_another_type)
            if a is not None and b is not None and a.shape == b.shape and not of_another_type:
                more = _of_arguments(a, b, case)
                stories = (stories or []) + more if more else stories
            if stories and name:
                return [f"{name}: {story}" for story in stories]
            return stories
    return []


def _tells(part) -> bool:
    """Whether agreeing with it can be no chance: more than one number."""
    return getattr(part, "size", 1) != 1 and hasattr(part, "shape") or isinstance(part, str)


def _missing_names(expected, actual) -> str:
    lacking = ", ".join(map(repr, (name for name in expected if name not in actual)))
    more = ", ".join(map(repr, (name for name in actual if name not in expected)))
    return f"Your dict lacks {lacking}" + (f" and has {more}." if more else ".")


def _exchanged(expected, actual) -> str:
    """Are two named results each other's?"""
    wrong = [name for name in expected if compare(expected[name], actual[name])]
    if len(wrong) != 2:
        return ""
    a, b = wrong
    if actual[a] is actual[b] and hasattr(actual[a], "shape"):
        return (
            f"{a} and {b} are one array: `x = y` copies nothing, and what changes one changes both."
        )
    swapped = not compare(expected[a], actual[b]) and not compare(expected[b], actual[a])
    return f"{a} and {b} are exchanged." if swapped else ""


def _of_arguments(a, b, case) -> list[str]:
    """Is yours one of the arguments, or the right answer and one of them?"""
    stories = []
    for name, value in case.items():
        x = as_array(value) if hasattr(value, "shape") else None
        if x is None or x.dtype.kind not in "fiu" or a.dtype.kind != "f" or not x.any():
            continue
        if x.shape == a.shape and _close(b, x):
            stories.append(f"Yours is {name} as it came in.")
        if x.ndim > a.ndim or not _spreads(x.shape, a.shape):
            continue
        for sign, y in {"plus": a + x, "minus": a - x, "times": a * x}.items():
            if _close(y, b):
                stories.append(f"Yours is the right answer {sign} {name}.")
    return stories


def _spreads(small: tuple, large: tuple) -> bool:
    return all(s in (1, n) for s, n in zip(small[::-1], large[::-1]))


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
    stories += _row_stories(a, b) if a.dtype.kind == "f" else []
    return stories + _places(a, b)


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
            "Yours is the right answer with its negative numbers made zero.": np.maximum(a, 0),
        }


def _shape_stories(a, b) -> list[str]:
    """Stories about the shape, with the numbers looked at."""
    stories = []
    if a.ndim >= 2 and _close(np.swapaxes(a, -1, -2), b):
        stories.append("Yours is the transpose of the right answer.")
    if a.size == b.size and _close(a.ravel(), b.ravel()):
        stories.append("The right numbers in the wrong shape.")
    for axis in range(b.ndim):
        if a.shape == b.shape[:axis] + b.shape[axis + 1 :]:
            if _close(b.sum(axis), a) or _close(b.mean(axis), a):
                how = "sum" if _close(b.sum(axis), a) else "mean"
                stories.append(f"The {how} of yours over its axis {axis - b.ndim} is the answer.")
    for axis in range(a.ndim):
        for what, reduced in {"summed": a.sum(axis), "averaged": a.mean(axis)}.items():
            if _close(reduced, b):
                stories.append(f"Yours is the right answer {what} over axis {axis - a.ndim}.")
    if a.ndim == b.ndim and all(x in (1, y) for x, y in zip(a.shape, b.shape)):
        stories.append(
            "Broadcasting made your result larger than it should be. Did an axis of size 1 get "
            "lost on the way, for want of `keepdims=True`?"
        )
    return stories + shape_stories(a.shape, b.shape)


def _places(a, b) -> list[str]:
    """Where the wrong numbers lie, if it is at one end of an axis or on the diagonal."""
    with np.errstate(all="ignore"):
        wrong = ~np.isclose(a, b, rtol=1e-5, atol=1e-9, equal_nan=True)
    stories = []
    for axis in range(a.ndim):
        others = tuple(i for i in range(a.ndim) if i != axis)
        at = np.flatnonzero(wrong.any(axis=others))
        if a.shape[axis] > 2 and at.tolist() in ([0], [a.shape[axis] - 1]):
            place = "first" if at[0] == 0 else "last"
            stories.append(f"Wrong only at the {place} place along axis {axis - a.ndim}.")
    if a.ndim > 1 and a.shape[-1] == a.shape[-2] > 2:
        diagonal = np.broadcast_to(np.eye(a.shape[-1], dtype=bool), a.shape)
        if not wrong[~diagonal].any():
            stories.append("Wrong only on the diagonal.")
        elif not wrong[diagonal].any() and wrong[~diagonal].all():
            stories.append("Right only on the diagonal.")
    if not stories and a.size > 3 and a.dtype.kind == "f" and len(np.unique(a)) > 3:
        if _close(np.sort(a, axis=None), np.sort(b, axis=None)):
            stories.append("The right numbers, but in other places.")
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
