"""An exercise: a reference, cases, hints and known mistakes, and a check that diagnoses.

softmax = Exercise(attention.softmax, level=1, minutes=10, cases=rows_of_scores, hints=(...))

@softmax.mistake("Each column of yours sums to one. Which axis holds one query's scores?")
def wrong_axis(x): ...

softmax = exercise.softmax.check(softmax)   # in a notebook, under the learner's own `softmax`
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tutorial_lib.checking import attempts, earlier, mine
from tutorial_lib.checking.comparing import compare, describe
from tutorial_lib.checking.diagnosis import WIDER, chain, diagnose, telling
from tutorial_lib.checking.running import peak_memory, within
from tutorial_lib.checking.stubs import same_code
from tutorial_lib.checking.trials import Known, Rules, Trial, try_all

GO_ON = (
    "The cells below use yours as it is. To go on with the\ncourse's version instead: put "
    "`raise NotImplementedError` back."
)
DTYPE = re.compile(r"\bdtypes?\b|\bfloat(16|32|64)\b")
EMPHASIS = re.compile(r"(?<![\w*])\*(\w[\w ]*)\*(?![\w*])")  # *so*, but not a * b * c


class NotYet(Exception):
    """A wrong answer. Notebooks show its message alone, without the engine's own frames."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def _show_error(kind, error, traceback, otherwise=sys.excepthook) -> None:
    """A file of Python that calls `check` gets the message alone, as a notebook does."""
    if issubclass(kind, NotYet):
        print(error, file=sys.stderr)
    else:
        otherwise(kind, error, traceback)


sys.excepthook = _show_error


@dataclass
class Mistake:
    name: str
    message: str
    answer: Callable  # as a learner would hand it in
    function: Callable  # the same, as the tries call it


class Exercise:
    """One task: what is asked (the reference's docstring), how it is tried, what goes wrong.

    reference  the right function; its signature and docstring are what the learner sees
    level      1 (a nudge) to 5 (a long evening)
    minutes    what a learner should plan
    cases      `cases(rng)` yields dicts of arguments in the parameters' order, smallest first; a
               case on which the reference raises wants the same type of error from the learner
    hints      three, from a nudge to nearly there
    start      the buggy function that a find-the-bug task starts from; None for an empty body
    seconds    how long an answer may take on one case before it counts as endless
    memory     where the task is about it: a case on which the peak memory of an answer is counted,
               and the question for one that needs far more than the reference
    """

    def __init__(
        self,
        reference: Callable,
        *,
        level: int,
        minutes: int,
        cases: Callable[[np.random.Generator], Iterable[dict]],
        hints: tuple[str, ...],
        start: Callable | None = None,
        seconds: float = 10,
        memory: tuple[dict, str] | None = None,
    ):
        self.reference, self.cases, self.start = reference, cases, start
        self.level, self.minutes, self.seconds = level, minutes, seconds
        self.memory = memory
        self.hints = tuple(_one_line(hint) for hint in hints)
        self.name = reference.__name__
        self.slug = calling_chapter()
        self.mistakes: list[Mistake] = []
        self._known_reference: Known | None = None  # of the cases, made with the first check
        self.case: dict | None = None  # the arguments on which the last answer failed, to play with
        self._hints_given = 0
        self._asked_for_solution = False

    def __repr__(self) -> str:
        return f"<exercise {self.slug}.{self.name}, level {self.level}, {self.minutes} min>"

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    def mistake(self, message: str) -> Callable:
        """Decorator: a wrong variant of the reference, and the sentence that helps its author."""

        def remember(function: Callable) -> Callable:
            text = EMPHASIS.sub(r"\1", _one_line(message))  # printed as it stands
            judged = Known(self.as_function(function))
            known = Mistake(function.__name__, text, function, judged)
            self.mistakes.append(known)
            return function

        return remember

    def check(self, answer: Callable) -> Callable:
        """Try `answer` on every case and say what is wrong with it.

        Returns the answer if it is right, and the reference while the answer is an untouched stub,
        so that the notebook goes on. Raises `NotYet` with the diagnosis if the answer is wrong.
        """
        if answer is self.reference:  # an empty exercise was checked before, and gave this
            print(f"○ {self.name}: this is the course's own version; yours is still to come.")
            return answer
        self._check_callable(answer)
        problem = self.before_the_tries(answer)
        trials = [] if problem else self.trials(answer)
        if trials and self._is_stub(answer, trials):
            print(f"○ {self.name}: not done yet. The course's own version takes its place below.")
            return self.reference
        if problem := problem or self.problem(answer, trials):
            self._refuse(earlier.explained(self, answer, problem))
        self._record(True)
        print(f"✓ {self.name}: right on all {len(trials)} tries.")
        mine.keep(self.slug, self.name, answer)
        for told in (self.when_right(trials[-1]), _remark(trials), self._cost(answer)):
            if told:
                print(told)
        return answer

    def as_function(self, answer: Callable) -> Callable:
        """What is called with the arguments of a case: the answer itself."""
        return answer

    def trials(self, answer: Callable) -> list[Trial]:
        """The answer on every case and in every layout, beside the reference."""
        function, cases = self.as_function(answer), self.all_cases()
        self._known_reference = self._known_reference or Known(self.as_function(self.reference))
        return try_all(self._known_reference, function, cases, self.seconds, self.rules)

    def tries(self, function: Callable, cases: list[dict]) -> list[Trial]:
        """A function, as `as_function` gives it, on other cases, beside the reference."""
        return try_all(self.as_function(self.reference), function, cases, self.seconds, self.rules)

    @property
    def rules(self) -> Rules:
        """What the task's words ask for beside the numbers."""
        task = inspect.getdoc(self.reference) or ""
        return Rules(dtypes=bool(DTYPE.search(task)), new_arrays="new array" in task)

    def problem(self, answer: Callable, trials: list[Trial]) -> str:
        """The message about an answer that is wrong, on its trials or beside them; else ""."""
        if not all(trial.right for trial in trials):
            self.case = telling(trials).case
            return diagnose(self, trials, self.as_function(answer))
        beside = self.beside_the_tries(answer)
        return f"✗ {self.name}: {beside}" if beside else ""

    def before_the_tries(self, answer: Callable) -> str:
        """The message about an answer that cannot even be tried; "" if it can."""
        return ""

    def beside_the_tries(self, answer: Callable) -> str:
        """What is wrong with an answer that is right on every try, in words; "" if nothing is."""
        return ""

    def _refuse(self, message: str) -> None:
        self._record(False)
        raise NotYet(f"{message}\n\n{self._offer()}\n{GO_ON}")

    def _record(self, passed: bool) -> None:
        attempts.record(f"{self.slug}.{self.name}", passed)

    def when_right(self, trial: Trial) -> str:
        """What a right answer is told beside that: how closely each named result agrees."""
        return "\n".join(chain(trial)) if isinstance(trial.expected, dict) else ""

    def _cost(self, answer) -> str:
        """The answer's peak memory beside the reference's; "" where the task is not about it."""
        if self.memory is None:
            return ""
        case, question = self.memory
        try:
            yours, theirs = (
                within(self.seconds, peak_memory, f, case) / 1000 for f in (answer, self.reference)
            )
        except Exception as error:  # it is right all the same, only too slow for so large a case
            return f"    its peak memory was not counted: {error}"
        if yours < 4 * theirs:
            return "    its peak memory is as small as that of the course's version"
        return (
            f"    but its peak memory is {yours:.0f} kB where the course's version needs "
            f"{theirs:.0f} kB.\n    {question}"
        )

    def hint(self) -> None:
        """Print the hints so far and one more."""
        self._hints_given = min(self._hints_given + 1, len(self.hints))
        for number, hint in enumerate(self.hints[: self._hints_given], 1):
            print(f"Hint {number} of {len(self.hints)}: {hint}")

    def solution(self) -> None:
        """Print the reference; the first call only asks whether you are sure."""
        if not self._asked_for_solution:
            self._asked_for_solution = True
            print("A hint is a smaller step. To see the answer all the same, ask once more.")
            return
        print(self.source())

    def source(self) -> str:
        """The reference's source, as the solved notebook shows it."""
        return textwrap.dedent(inspect.getsource(self.reference)).strip()

    def stub(self) -> str:
        """Where the learner starts: signature and docstring, no body; or the buggy version."""
        if self.start is not None:
            buggy = textwrap.dedent(inspect.getsource(self.start)).strip()
            return buggy.replace(f"def {self.start.__name__}(", f"def {self.name}(", 1)
        head, quotes, rest = self.source().partition('"""')
        docstring = quotes + rest[: rest.index(quotes)] + quotes
        return f"{head}{docstring}\n    raise NotImplementedError  # your turn"

    def all_cases(self) -> list[dict]:
        """The cases, the same ones each time."""
        return list(self.cases(np.random.default_rng(0)))

    def _check_callable(self, answer) -> None:
        if not callable(answer):
            raise NotYet(
                f"✗ {self.name}: check takes the function itself, not what it returns.\n"
                f"  got       {describe(answer)}\n"
                f"  expected  exercise.{self.name}.check({self.name})"
            )
        wanted = list(inspect.signature(self.reference).parameters)
        try:
            self._bind(inspect.signature(answer), wanted)
        except ValueError:  # a built-in that tells nothing of its arguments
            return
        except TypeError:
            raise NotYet(
                f"✗ {self.name}: another list of arguments than the task's.\n"
                f"  got       {inspect.signature(answer)}\n"
                f"  expected  ({', '.join(wanted)})"
            ) from None

    def _bind(self, signature, wanted: list[str]) -> None:
        """Raise TypeError if the tries could not call it so."""
        signature.bind(*wanted)

    def _is_stub(self, answer, trials: list[Trial]) -> bool:
        if self.start is not None and same_code(answer, self.start):
            return True
        errors = [trial.outcome.error for trial in trials]
        # PyTorch raises NotImplementedError too, with a text, where it has no kernel for a dtype.
        return all(isinstance(error, NotImplementedError) and not error.args for error in errors)

    def _offer(self) -> str:
        left = len(self.hints) - self._hints_given
        if left:
            return f"exercise.{self.name}.hint() gives a hint ({left} left)."
        return f"exercise.{self.name}.solution() shows the course's version."


def calling_chapter() -> str:
    """The slug of the exercises' module that is being run: `tutorial_lib.exercises.vit`, or a
    module below it, is `vit`."""
    frame = inspect.currentframe()
    while frame.f_globals["__name__"].startswith("tutorial_lib.checking"):
        frame = frame.f_back
    return frame.f_globals["__name__"].removeprefix("tutorial_lib.exercises.").partition(".")[0]


def _remark(trials: list[Trial]) -> str:
    """What is worth a word about an answer that is right."""
    pairs = [(t.expected, t.outcome.value) for t in trials if not isinstance(t.expected, Exception)]
    if not any(d.kind == "dtype" for pair in pairs for d in compare(*pair)):
        return ""
    told = f"float32 went in and float64 came out: right, at twice the memory. {WIDER}"
    return textwrap.indent(textwrap.fill(told, 72), "    ")


def _one_line(text: str) -> str:
    return " ".join(text.split())
