"""Which mistake is it? Questions made from an exercise's bank of known mistakes.

A question shows a case, what was expected and what a mistake gives instead, and four causes to
choose from: that mistake and three others, each of which gives something clearly else on this very
case. So it can be decided, with pencil and paper if need be.
"""

import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tutorial_lib.checking.comparing import as_array, other_container, parts
from tutorial_lib.checking.running import call

CHOICES = 4
MOST = {"case": 48, "value": 36}  # numbers that a reader can take in
APART = 0.02  # of the largest number: what a reader with rounded numbers can tell apart
SECONDS = 2  # for a mistake on a case that is so small


@dataclass(frozen=True)
class Choice:
    """One of the causes: a known mistake and what it gives on the question's case."""

    name: str  # of the mistake in the bank
    cause: str  # what it does, in a sentence or two
    message: str  # all that the exercise's check would say
    value: object
    right: bool


@dataclass(frozen=True)
class Question:
    exercise: str  # its key: "self_attention.softmax"
    case: dict  # the arguments by name
    expected: object
    choices: tuple[Choice, ...]  # in the order in which they are shown

    @property
    def answer(self) -> int:
        """The place of the right choice."""
        return next(i for i, choice in enumerate(self.choices) if choice.right)


def questions(exercise, count: int, seed: int = 0) -> list[Question]:
    """Up to `count` questions on an exercise, each about another mistake; [] where its bank, or the
    size of its cases, allows none. The same seed gives the same questions."""
    if not _is_plain_function(exercise):
        return []
    rng = np.random.default_rng([seed, zlib.crc32(f"{exercise.slug}.{exercise.name}".encode())])
    found, used = [], set()
    for case, expected, given in _telling_cases(exercise):
        for mistake in rng.permutation(np.array(list(given), dtype=object)):
            if len(found) == count:
                return found
            if mistake not in used:
                used.add(mistake)
                found.append(_question(exercise, case, expected, given, mistake, rng))
    return found


def _is_plain_function(exercise) -> bool:
    """Whether an answer is called with the case as it is shown, as a module or a kernel is not."""
    return exercise.as_function(exercise.reference) is exercise.reference


def _telling_cases(exercise) -> Iterator[tuple]:
    """(case, expected, mistakes by name and what they give) for each case that can be shown and on
    which enough mistakes give something of their own; first those whose axes can be told apart."""
    cases = [case for case in exercise.all_cases() if _can_be_shown(case, MOST["case"])]
    for case in sorted(cases, key=lambda case: (_axes_of_one(case), _numbers(case))):
        expected = _quietly(exercise.reference, case)
        if expected.error or not _can_be_shown(expected.value):
            continue
        given = {}
        for mistake in exercise.mistakes:
            outcome = _quietly(mistake.answer, case)
            if outcome.error or outcome.changed or not _can_be_shown(outcome.value):
                continue
            if other_container(expected.value, outcome.value):
                continue  # it may hold the right numbers, and would be seen at a glance
            seen = [expected.value, *(value for _, value in given.values())]
            if all(told_apart(value, outcome.value) for value in seen):
                given[mistake.name] = mistake, outcome.value
        if len(given) >= CHOICES:
            yield case, expected.value, given


def _quietly(function, case: dict):
    """What a call gives, without the warnings that a mistake may well cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(function, case, seconds=SECONDS)


def _question(exercise, case, expected, given, name, rng) -> Question:
    others = [other for other in given if other != name]
    chosen = [name, *rng.choice(others, CHOICES - 1, replace=False)]
    choices = tuple(
        Choice(mistake.name, cause_of(mistake.message), mistake.message, value, key == name)
        for key in rng.permutation(chosen)
        for mistake, value in [given[key]]
    )
    return Question(f"{exercise.slug}.{exercise.name}", case, expected, choices)


def cause_of(message: str) -> str:
    """What a mistake does: the first sentence of its message, or the first two where that one only
    says where it does no harm. What follows are questions that lead on."""
    message = re.sub(r" \(look at [^)]*\)", "", message)  # which is another case than this one
    sentences = re.split(r"(?<=[.?!]) (?=[A-Z`|])", message)
    if sentences[0].startswith("Right ") and ":" not in sentences[0]:
        return " ".join(sentences[:2])
    return sentences[0]


def _numbers(value) -> int:
    """How many numbers a case or a value shows."""
    if isinstance(value, (dict, tuple, list)):
        return sum(_numbers(part) for part in parts(value).values())
    return int(np.prod(getattr(value, "shape", ())))


def _axes_of_one(case: dict) -> int:
    """How many axes hold a single number: along them a sum or a softmax tells nothing."""
    return sum(getattr(value, "shape", ()).count(1) for value in case.values())


def _can_be_shown(value, most: int = MOST["value"]) -> bool:
    """Whether it is numbers and words throughout, and few enough."""
    if isinstance(value, (dict, tuple, list)):
        return _numbers(value) <= most and all(
            _can_be_shown(x, most) for x in parts(value).values()
        )
    if value is None or isinstance(value, str):
        return True
    return as_array(value) is not None and _numbers(value) <= most


def told_apart(a, b) -> bool:
    """Whether a reader can tell two values apart, who computes with the rounded numbers shown."""
    if isinstance(a, (dict, tuple, list)) and isinstance(b, (dict, tuple, list)):
        a, b = parts(a), parts(b)
        return a.keys() != b.keys() or any(told_apart(a[name], b[name]) for name in a)
    x, y = as_array(a), as_array(b)
    if x is None or y is None:
        return type(a) is not type(b) or a != b
    if x.shape != y.shape or x.dtype.kind != "f":  # whole numbers can be computed exactly
        return not np.array_equal(x, y)
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return True
    x, y = x[finite], y[finite]
    return x.size > 0 and np.abs(x - y).max() > APART * max(np.abs(x).max(), np.abs(y).max())


def number(x) -> str:
    """A number in three or four digits, whole numbers in full."""
    x = x.item() if isinstance(x, np.generic) else x
    if isinstance(x, bool):
        return str(x)
    if isinstance(x, complex):
        return f"{number(x.real)} + {number(x.imag)}i"
    if not np.isfinite(x):
        return {"nan": "NaN", "inf": "∞", "-inf": "−∞"}[str(float(x))]
    size = abs(x)
    if x == int(x) and size < 1e7:
        text = str(int(x))
    elif size >= 1e5 or size < 5e-4:
        text = f"{x:.1e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    else:
        text = f"{x:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return text.replace("-", "−")
