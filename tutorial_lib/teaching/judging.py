"""One task on the cases of one seed: answers are tried in their process and judged in this one."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from tutorial_lib.checking.diagnosis import explain
from tutorial_lib.checking.running import call
from tutorial_lib.checking.separating import where_it_fails
from tutorial_lib.checking.trials import Known, try_all
from tutorial_lib.teaching.messages import at, raised
from tutorial_lib.teaching.worker import Recorded, Tried, try_answer

RIGHT, WRONG, REFUSED, EMPTY, MISSING = "right", "wrong", "refused", "not done", "missing"
UNGRADED = "not graded"
NEARLY = "nearly"  # right on most tries: rounding may have decided


class Judge:
    """Judges answers to a task, all on the same cases."""

    def __init__(self, task, seed: int):
        self.task = copy.copy(task)
        self.cases = list(task.cases(np.random.default_rng(seed)))
        self.task.all_cases = lambda: self.cases
        self.task.mistakes = [copy.copy(mistake) for mistake in task.mistakes]
        for mistake in self.task.mistakes:  # what they give was remembered for other cases
            mistake.function = Known(mistake.function.function)
        self.reference = Known(task.as_function(task.reference))
        # Once here, so that what it loads is there when a process is made of this one.
        call(task.as_function(task.reference), self.cases[0])

    def judge(self, source: str, stand_ins: dict) -> tuple[str, str]:
        """(state, message) of an answer, given as the lines that define it and all that it uses.

        stand_ins  name -> the course's own thing that stands for it
        """
        with tempfile.TemporaryDirectory() as folder:
            tried = try_answer(self.task, source, stand_ins, self.cases, Path(folder))
        try:
            return self._judged(tried, source.split("\n"))
        except Exception as error:  # whatever odd values it gave, the others are graded
            return WRONG, f"it gives what cannot be judged: {type(error).__name__}"

    def _judged(self, tried: Tried, lines: list[str]) -> tuple[str, str]:
        if tried.refused:
            return REFUSED, f"stopped: {tried.refused}"
        if tried.stopped:
            name, _, line = tried.stopped.partition("\n")
            return WRONG, f"its lines stop with {name}{at(line, lines)}"
        if tried.course:
            return UNGRADED, "a kernel cannot run on the machine that graded"
        if tried.told and not tried.outcomes:
            return WRONG, tried.told
        if tried.ended:
            return WRONG, f"its process ended before all was tried: {tried.ended}"
        self._complete(tried, lines)
        errors = [outcome.error for outcome in tried.outcomes.values()]
        if all(isinstance(error, NotImplementedError) and not error.args for error in errors):
            return EMPTY, ""
        task = self.task
        trials = try_all(self.reference, Recorded(tried), self.cases, task.seconds, task.rules)
        wrong = [trial for trial in trials if not trial.right]
        if not wrong:
            return (WRONG, tried.told) if tried.told else (RIGHT, "")
        count = f"wrong on {len(wrong)} of {len(trials)} tries."
        told = (explain(task, trials), where_it_fails(trials), raised(wrong, tried, lines))
        state = NEARLY if 2 * len(wrong) < len(trials) else WRONG
        return state, " ".join(filter(None, [count, *told]))

    def _complete(self, tried: Tried, lines: list[str]) -> None:
        """Keep of what an answer changed what is its case's; and tell of its errors whether a line
        of its own raised them, which a traceback would show."""
        for place, outcome in tried.outcomes.items():
            case = self.cases[place[0] - 1]
            outcome.changed = [name for name in outcome.changed if name in case]
            if outcome.error is not None:
                line = at(tried.lines.get(place, ""), lines)
                outcome.error.raised_itself = line.startswith((" at `raise ", " at `assert "))
