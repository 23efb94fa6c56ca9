"""Try an answer on every case of an exercise, in two memory layouts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tutorial_lib.checking.comparing import Difference, compare, describe
from tutorial_lib.checking.running import Outcome, OutOfTime, call, duplicate, strided

LAYOUTS = {"": duplicate, "the same numbers as a strided view": strided}


@dataclass
class Trial:
    """One case in one layout: what was expected, what came, and where they differ."""

    number: int
    case: dict
    layout: str
    expected: object  # a value, or the error the reference raises
    outcome: Outcome
    differences: list[Difference]

    @property
    def right(self) -> bool:
        return not (self.outcome.error or self.outcome.changed or self.differences)

    @property
    def size(self) -> int:
        """How many numbers the arguments hold; the learner is shown the smallest failing case."""
        return sum(int(np.prod(getattr(value, "shape", ()))) for value in self.case.values())


def try_all(reference: Callable, answer: Callable, cases: list[dict], seconds: float):
    """A `Trial` per case and layout. An answer that runs out of time is not tried further."""
    trials = []
    for number, case in enumerate(cases, 1):
        for name, layout in LAYOUTS.items():
            expected = call(reference, case, layout=layout)
            got = call(answer, case, layout=layout, seconds=seconds)
            differences = _differences(expected, got)
            trials.append(
                Trial(number, case, name, expected.error or expected.value, got, differences)
            )
            if isinstance(got.error, OutOfTime):
                return trials
    return trials


def _differences(expected: Outcome, got: Outcome) -> list[Difference]:
    """Where two calls part. Where the reference raises, the answer must raise the same type."""
    if expected.error is None:
        return [] if got.error else compare(expected.value, got.value)
    wanted = type(expected.error).__name__
    if type(got.error) is type(expected.error):
        got.error = None  # the right error is the right answer
        return []
    came = f"raised {type(got.error).__name__}" if got.error else f"gave {describe(got.value)}"
    return [Difference("", "type", f"these arguments should raise {wanted}, yours {came}")]


def same_outcome(trial: Trial, function: Callable, seconds: float) -> bool:
    """Does `function` give on this trial exactly what the answer gave?"""
    other = call(function, trial.case, layout=LAYOUTS[trial.layout], seconds=seconds)
    if isinstance(trial.expected, Exception):
        other.error = None if type(other.error) is type(trial.expected) else other.error
    if other.error or trial.outcome.error:
        return repr(other.error) == repr(trial.outcome.error)
    return other.changed == trial.outcome.changed and not compare(other.value, trial.outcome.value)


def agrees(trials: list[Trial], function: Callable, seconds: float) -> bool:
    """Does `function` give what the answer gave, on every trial?"""
    return all(same_outcome(trial, function, seconds) for trial in trials)
