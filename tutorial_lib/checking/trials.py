"""Try an answer on every case of an exercise, in two memory layouts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

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
            if expected.backward_error:  # it would judge no gradient: the author must know
                raise expected.backward_error
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
        if got.error:
            return []
        return compare(expected.value, got.value) or _wrong_gradients(expected, got)
    wanted = type(expected.error).__name__
    empty = isinstance(got.error, NotImplementedError) and not got.error.args  # a stub's
    if isinstance(got.error, type(expected.error)) and not empty:
        got.error = None  # the right error, or a kind of it, is the right answer
        return []
    came = f"raised {type(got.error).__name__}" if got.error else f"gave {describe(got.value)}"
    return [Difference("", "type", f"these arguments should raise {wanted}, yours {came}")]


def _wrong_gradients(expected: Outcome, got: Outcome) -> list[Difference]:
    """Right numbers may still send back a wrong gradient, or none, to one of the arguments."""
    if expected.gradients and got.backward_error:
        error = f"{type(got.backward_error).__name__}: {got.backward_error}"
        return [
            Difference("", "graph", f"right numbers, but going back through them raised {error}")
        ]
    found = []
    for name, wanted in expected.gradients.items():
        # Where the reference's own gradient is not finite, it judges nobody.
        known = wanted.isfinite()
        given = got.gradients.get(name, torch.zeros_like(wanted))[known]
        if not compare(wanted[known], given):
            continue
        fate = "is cut off: none arrives" if not given.any() else "is another one"
        text = f"right numbers, but the gradient with respect to {name} {fate}"
        found.append(Difference("", "graph", text))
    return found


def same_outcome(trial: Trial, function: Callable, seconds: float) -> bool:
    """Does `function` give on this trial exactly what the answer gave?"""
    other = call(function, trial.case, layout=LAYOUTS[trial.layout], seconds=seconds)
    if isinstance(trial.expected, Exception):
        other.error = None if type(other.error) is type(trial.expected) else other.error
    if other.error or trial.outcome.error:
        return repr(other.error) == repr(trial.outcome.error)
    if other.changed != trial.outcome.changed or compare(other.value, trial.outcome.value):
        return False
    return not _wrong_gradients(other, trial.outcome)


def agrees(trials: list[Trial], function: Callable, seconds: float) -> bool:
    """Does `function` give what the answer gave, on every trial?"""
    return all(same_outcome(trial, function, seconds) for trial in trials)
