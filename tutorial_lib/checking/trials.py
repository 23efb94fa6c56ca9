"""Try an answer on every case of an exercise, in several memory layouts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tutorial_lib.checking.comparing import Difference, alike, compare, describe
from tutorial_lib.checking.layouts import duplicate, joined, strided, tensors
from tutorial_lib.checking.running import Outcome, OutOfTime, call, limited_memory

STRIDED = "the same numbers as a strided view"
LAYOUTS = {
    "": duplicate,
    STRIDED: strided,
    "tensors in the middle of a graph": joined,
}


@dataclass(frozen=True)
class Rules:
    """What is judged beside numbers and shapes."""

    dtypes: bool = True  # float64 is wrong where float32 is expected
    new_arrays: bool = False  # what is returned must not lie in the memory of an argument
    in_graph: bool = True  # gradients, also where a case's tensors want none
    strided: bool = True  # also with the arguments as strided views


@dataclass
class Trial:
    """One case in one layout: what was expected, what came, and where they differ."""

    number: int
    case: dict
    layout: str
    expected: object  # a value, or the error the reference raises
    outcome: Outcome
    differences: list[Difference]
    dtypes: bool  # whether float64 is wrong where float32 is expected

    @property
    def right(self) -> bool:
        return not (self.outcome.error or self.outcome.changed or self.differences)

    @property
    def size(self) -> int:
        """How many numbers the arguments hold; the learner is shown the smallest failing case."""
        return sum(int(np.prod(getattr(value, "shape", ()))) for value in self.case.values())


class Known:
    """A function of the course's own, whose outcomes on an exercise's cases are remembered."""

    def __init__(self, function: Callable):
        self.function, self.outcomes = function, {}

    def __call__(self, *arguments):
        return self.function(*arguments)


def _outcome(function, number: int, case: dict, layout: str, seconds: float = 10) -> Outcome:
    """What a function gives on a case in a layout; of a `Known` one, called once for all."""
    if not isinstance(function, Known):
        return call(function, case, layout=LAYOUTS[layout], seconds=seconds)
    if (number, layout) not in function.outcomes:
        found = call(function, case, layout=LAYOUTS[layout], seconds=seconds)
        function.outcomes[number, layout] = found
    return function.outcomes[number, layout]


def try_all(
    reference: Callable,
    answer: Callable,
    cases: list[dict],
    seconds: float,
    rules: Rules = Rules(),
) -> list[Trial]:
    """A `Trial` per case and layout. One that runs out of time or memory is the last."""
    trials = []
    with limited_memory():
        for number, case in enumerate(cases, 1):
            for name, layout in LAYOUTS.items():
                if layout is strided and not rules.strided:
                    continue
                in_graph = layout is joined
                if in_graph and not (rules.in_graph and _wants_none(case)):
                    continue
                expected = _outcome(reference, number, case, name)
                if in_graph and not expected.gradients:
                    continue  # the reference sends none back: nothing is judged
                if expected.backward_error:  # it would judge no gradient: the author must know
                    raise expected.backward_error
                got = _outcome(answer, number, case, name, seconds)
                differences = _differences(expected, got, rules.dtypes, in_graph)
                if rules.new_arrays and not differences and got.shared:
                    differences = [_shared(got)]
                wanted = expected.error or expected.value
                trials.append(Trial(number, case, name, wanted, got, differences, rules.dtypes))
                if isinstance(got.error, (OutOfTime, MemoryError)):
                    return trials
    return trials


def _wants_none(case: dict) -> bool:
    """Whether some tensor of real numbers in a case wants no gradient by itself."""
    return any(not x.requires_grad for x in tensors(case).values())


def _differences(expected: Outcome, got: Outcome, dtypes: bool, only_cut: bool):
    """Where two calls part: a list of `Difference`. Where the reference raises, the answer must
    raise the same type."""
    if expected.error is None:
        if got.error:
            return []
        try:
            found = compare(expected.value, got.value, dtypes)
        except MemoryError:
            return [Difference("", "type", f"{describe(got.value)} is too large to be compared")]
        return found or wrong_gradients(expected, got, only_cut)
    wanted = type(expected.error).__name__
    empty = isinstance(got.error, NotImplementedError) and not got.error.args  # a stub's
    if isinstance(got.error, type(expected.error)) and not empty:
        got.error = None  # the right error, or a kind of it, is the right answer
        return []
    came = f"raised {type(got.error).__name__}" if got.error else f"gave {describe(got.value)}"
    return [Difference("", "type", f"these arguments should raise {wanted}, yours {came}")]


def _shared(got: Outcome) -> Difference:
    names = ", ".join(got.shared)
    return Difference("", "shared", f"right numbers, in the memory of {names}")


def wrong_gradients(expected: Outcome, got: Outcome, only_cut: bool = False) -> list[Difference]:
    """Right numbers may still send back a wrong gradient, or none, to one of the arguments.

    With `only_cut` it is enough that one arrives: where a task says nothing of gradients, a formula
    that is right for rows that sum to one, say, may have others beside them.
    """
    if expected.gradients and got.backward_error:
        error = f"{type(got.backward_error).__name__}: {got.backward_error}"
        return [
            Difference("", "graph", f"right numbers, but going back through them raised {error}")
        ]
    found = []
    largest = max(
        (float(x.abs().max()) for x in expected.gradients.values() if x.numel()), default=0
    )
    for name, wanted in expected.gradients.items():
        # Where the reference's own gradient is not finite, it judges nobody.
        known = wanted.isfinite()
        given = got.gradients.get(name, wanted * 0).where(known, 0.0)
        wanted = wanted.where(known, 0.0)
        wrong = compare(wanted, given, dtypes=False)
        if not wrong or only_cut and (given.any() or wanted.abs().max() < 1e-6 * largest):
            continue
        fate = f"is another one: {wrong[0].text}" if given.any() else "is cut off: none arrives"
        text = f"right numbers, but the gradient with respect to {name} {fate}"
        found.append(Difference("", "graph", text))
    return found


def same_outcome(trial: Trial, function: Callable, seconds: float, texts: bool = True) -> bool:
    """Does `function` give on this trial exactly what the answer gave? Without `texts` an error is
    the same if its type is."""
    other = _outcome(function, trial.number, trial.case, trial.layout, seconds)
    error = other.error
    if isinstance(trial.expected, Exception) and type(error) is type(trial.expected):
        error = None
    if error or trial.outcome.error:
        same = type(error) is type(trial.outcome.error)
        return same and (not texts or str(error) == str(trial.outcome.error))
    if other.changed != trial.outcome.changed:
        return False
    if not alike(other.value, trial.outcome.value, trial.dtypes):
        return False
    return not wrong_gradients(other, trial.outcome, LAYOUTS[trial.layout] is joined)


def agrees(trials: list[Trial], function: Callable, seconds: float) -> bool:
    """Does `function` give what the answer gave, on every trial?

    An error's text counts only where there are nothing but errors: beside numbers that agree, the
    type is enough.
    """
    texts = all(trial.outcome.error for trial in trials if not trial.right)
    return all(same_outcome(trial, function, seconds, texts) for trial in trials)
