"""The message a learner reads under a wrong answer: the mistake's name, then the smallest case."""

import math
import re
import textwrap
from collections.abc import Callable

from tutorial_lib.checking.comparing import as_array, describe, is_plain, parts, show, within
from tutorial_lib.checking.counting import off_by_a_product
from tutorial_lib.checking.errors import story_of_errors
from tutorial_lib.checking.resemblance import family_resemblance, resemblance_of_most
from tutorial_lib.checking.running import OutOfTime, own_lines
from tutorial_lib.checking.separating import where_it_fails
from tutorial_lib.checking.trials import STRIDED, Trial, agrees, same_outcome
from tutorial_lib.from_scratch.gradcheck import relative_error

WHOLE = re.compile("whole number|should be int")
WIDTH = 72  # letters of a line of prose; a narrow notebook holds as many
FEW = 12  # numbers; of a part of a container no more are shown
CHANCE = "Two calls with the same arguments differ: there is chance in it. Where from?"
GENERAL = re.compile("^(Yours is|The sign|The right numbers|Each row)")
LINKS = 12  # the most named results that are shown one by one
NAN = (
    "NaN appears where a number should be. Which step can give infinity minus infinity, zero over "
    "zero, zero times infinity (as 0 · log 0 is), or the exponential of a large number?"
)
WIDER = (
    "(np.sqrt(2) is a float64 number and makes a float32 array float64; 2 ** 0.5 is a plain one "
    "and does not. np.zeros(shape) is float64 unless it is told.)"
)


def diagnose(exercise, trials: list[Trial], function: Callable) -> str:
    """The whole message for an answer whose `trials` are not all right; `function` is the answer as
    they called it."""
    wrong = [trial for trial in trials if not trial.right]
    lines = [f"✗ {exercise.name}: not right yet", ""]
    chance = "" if same_outcome(telling(trials), function, exercise.seconds) else CHANCE
    for story in (chance, explain(exercise, trials), *_seen(exercise, trials)):
        if story:
            lines += [*textwrap.wrap(story, WIDTH, break_long_words=False), ""]
    return "\n".join(lines + _table(telling(trials), len(wrong), len(trials)))


def telling(trials: list[Trial]) -> Trial:
    """The wrong trial that is shown: in the plain layout if there is one, with few numbers, but
    with more than ones and single numbers if it can be."""
    wrong = [trial for trial in trials if not trial.right]
    return min(wrong, key=lambda trial: (trial.layout != "", _tells_nothing(trial), trial.size))


def _tells_nothing(trial: Trial) -> bool:
    """Whether every size of a case is one."""
    shapes = [value.shape for value in trial.case.values() if hasattr(value, "shape")]
    numbers = [value for value in trial.case.values() if type(value) is int]
    if shapes:
        return all(n == 1 for shape in shapes for n in shape)
    return len(numbers) > 1 and all(n == 1 for n in numbers)


def explain(exercise, trials: list[Trial]) -> str:
    """The sentence that names the mistake; "" if nothing known explains it."""
    wrong = [trial for trial in trials if not trial.right]
    for trial in wrong:
        if isinstance(trial.outcome.error, OutOfTime):
            return f"Your function gave {trial.outcome.error}. Is there an endless loop?"
        if isinstance(trial.outcome.error, MemoryError):
            return "Your function wants more memory than there is. Which array is that large?"
        if trial.outcome.changed:
            names = ", ".join(trial.outcome.changed)
            return (
                f"Your function changes its argument {names} in place. The caller still needs it: "
                "work on a new array."
            )
    if exercise.start and agrees(trials, exercise.as_function(exercise.start), exercise.seconds):
        return "The bug is still there: yours gives what the version gives that you started from."
    if mistake := _known_mistake(exercise, trials):
        # An error may have another cause: that much is said.
        same = "It raises what this raises: " if all(t.outcome.error for t in wrong) else ""
        return same + mistake.message
    if story := _gives_none(trials) or _plain_story(wrong):
        where = any(trial.right for trial in trials) and GENERAL.search(story)
        return f"Where it fails: {story}" if where else story
    # NaN on a few extreme tries is told beside what explains the others, not instead of it.
    nan = (
        f"On {len(_with_nan(wrong))} of {len(wrong)} wrong tries: {NAN}" if _with_nan(wrong) else ""
    )
    if named := _closest_mistake(exercise, trials):
        return f"{named} {nan}".strip()
    if raised := story_of_errors(trials):
        return f"{raised} {nan}".strip()
    pairs = _pairs(wrong)
    seen = off_by_a_product(pairs) or resemblance_of_most(pairs)
    return " ".join(story for story in (_broken_link(wrong), seen, nan) if story)


def _known_mistake(exercise, trials: list[Trial]):
    """The known mistake that gives on every try what the answer gave, or None."""
    fits = (m for m in exercise.mistakes if agrees(trials, m.function, exercise.seconds))
    return next(fits, None)


def _seen(exercise, trials: list[Trial]) -> list[str]:
    """What the tries show where no name explains them all: where it fails, and what raises."""
    if _known_mistake(exercise, trials):
        return []
    raised = [trial for trial in trials if trial.outcome.error]
    shown = telling(trials)
    told = [where_it_fails(trials)]
    if raised and not shown.outcome.error:
        error = raised[0].outcome.error
        line = own_lines(error).splitlines()[-1:]
        told.append(f"On {len(raised)} tries it raises {type(error).__name__}: {error} "
                    + " ".join(line))  # fmt: skip
    return told


def _gives_none(trials: list[Trial]) -> str:
    """None where something is wanted; where None can be right, it is an answer as any other."""
    tried = [t for t in trials if not t.outcome.error and not isinstance(t.expected, Exception)]
    if any(t.expected is None for t in tried) or all(t.outcome.value is not None for t in tried):
        return ""
    return "Your function returned None. Does every path end with `return`?"


def _plain_story(wrong: list[Trial]) -> str:
    """Slips that need no knowledge of the task. An error needs no story: the table shows it."""
    wrong = [trial for trial in wrong if not trial.outcome.error]
    if not wrong:
        return ""
    if 2 * len(_with_nan(wrong)) > len(wrong):
        return NAN
    if all(trial.layout == STRIDED for trial in wrong):
        return (
            "Right for contiguous arrays, wrong for a strided view of the same numbers. "
            "Does your code rely on how the numbers lie in memory?"
        )
    if all(d.kind == "dtype" for trial in wrong for d in trial.differences):
        if all(WHOLE.search(d.text) for trial in wrong for d in trial.differences):
            return "The numbers are right, but floats: a whole number can be a size or an index."
        if all("yours is float64" in d.text for trial in wrong for d in trial.differences):
            return f"The numbers are right, their dtype is not: which step changes it? {WIDER}"
        return "The numbers are right, their dtype is not: which step changes it?"
    if all(d.kind == "shared" for trial in wrong for d in trial.differences):
        names = ", ".join(sorted({name for trial in wrong for name in trial.outcome.shared}))
        return (
            f"The numbers are right, but where it fails yours is a view of {names}: who writes "
            "into one changes the other. A new array is asked for."
        )
    if all(d.kind == "graph" for trial in wrong for d in trial.differences):
        if all("cut" in d.text for trial in wrong for d in trial.differences):
            return (
                "The numbers are right, but cut from autograd's graph: is there a `detach`, a "
                "`no_grad` or a step outside PyTorch on the way?"
            )
        if any("raised" in d.text for trial in wrong for d in trial.differences):
            return (
                "The numbers are right, but autograd cannot go back through them: is an array "
                "that it still needs changed in place, or a graph used up, on the way?"
            )
        if any("gradient" in d.text for trial in wrong for d in trial.differences):
            return (
                "The numbers are right, the gradient is not: does a `detach`, an edit in place or "
                "a step of your own change what flows back?"
            )
        return "The numbers are right, but part of an autograd graph that should end before them."
    return family_resemblance(_pairs(wrong))


def _pairs(wrong: list[Trial]) -> list[tuple]:
    """(expected, actual, case) of the tries that gave a value."""
    return [(t.expected, t.outcome.value, t.case) for t in wrong if not t.outcome.error]


def _with_nan(wrong: list[Trial]) -> list[Trial]:
    return [trial for trial in wrong if any(d.kind == "nan" for d in trial.differences)]


def _broken_link(wrong: list[Trial]) -> str:
    """For named results: the first that is wrong in any trial, if others before it are right."""
    wrong = [trial for trial in wrong if isinstance(trial.expected, dict)]
    names = list(wrong[0].expected) if wrong else []
    places = {difference.where for trial in wrong for difference in trial.differences}
    first = next(
        (i for i, name in enumerate(names) if any(within(place, name) for place in places)), 0
    )
    if not names or not places:
        return ""
    if first == 0:  # of a module's results the first is all there is to see
        return "" if names[0].startswith("output") else f"{names[0]} is wrong already: begin there."
    return (
        f"{names[first]} is where the chain breaks: what comes before it "
        f"({', '.join(names[:first])}) is right on every case."
    )


def _closest_mistake(exercise, trials: list[Trial]) -> str:
    """The known mistake that explains most of the wrong trials, if it is more than half.

    It must be the only one that explains so many, and few tries may contradict it, on which the
    answer is right and it is wrong; an error that both raise explains nothing.
    """
    wrong = [trial for trial in trials if not trial.right]
    right = [trial for trial in trials if trial.right]
    explained = {}
    for mistake in exercise.mistakes:
        fits = [
            trial
            for trial in wrong
            if not trial.outcome.error and same_outcome(trial, mistake.function, exercise.seconds)
        ]
        if 2 * len(fits) <= len(wrong):
            continue
        against = [t for t in right if not same_outcome(t, mistake.function, exercise.seconds)]
        if 2 * len(against) < len(fits):
            explained[mistake.message] = len(fits)
    most = max(explained.values(), default=0)
    best = [message for message, count in explained.items() if count == most]
    if len(best) != 1:
        return ""
    if most == len(wrong):
        return best[0]
    return f"On {most} of {len(wrong)} wrong tries this fits: {best[0]}"


def _table(trial: Trial, wrong: int, total: int) -> list[str]:
    """The smallest failing case: the arguments, expected, yours, and where they differ."""
    layout = f", {trial.layout}" if trial.layout else ""
    rows = [f"Wrong on {wrong} of {total} tries. The smallest (case {trial.number}{layout}):"]
    expected, outcome = trial.expected, trial.outcome
    for name, value in trial.case.items():
        rows += [f"  {name} = {describe(value)}", *rows_of(value)]
    if isinstance(expected, dict) and isinstance(outcome.value, dict):
        links = chain(trial)
        if len(links) > LINKS:  # of a whole module: what agrees is only counted
            broken = [link for link in links if "✗" in link]
            links = [*broken[:LINKS], f"    ✓ {len(links) - len(broken)} others agree"]
        return rows + ["  where the chain breaks", *links]
    if isinstance(expected, Exception):
        rows += [f"  expected  {type(expected).__name__}: {expected}"]
    elif not (outcome.error and isinstance(expected, dict)):  # which says nothing of an error
        rows += [f"  expected  {describe(expected)}", *rows_of(expected, outcome.value)]
    if outcome.error:
        rows += [f"  yours     {type(outcome.error).__name__}: {outcome.error}"]
        rows += ["      " + line for line in own_lines(outcome.error).splitlines()]
        return rows
    rows += [f"  yours     {describe(outcome.value)}", *rows_of(outcome.value, expected)]
    if outcome.changed:
        rows += [f"  changed   {', '.join(outcome.changed)}"]
    return rows + [f"  differ    {difference.text}" for difference in trial.differences]


def chain(trial: Trial) -> list[str]:
    """A line per named result, in the chain's order: name, shape, verdict with relative error."""
    rows, broken = [], False
    width = max(map(len, trial.expected), default=0)
    for name, value in trial.expected.items():
        head = f"{name:<{width}} {str(tuple(getattr(value, 'shape', ()))):<14}"
        found = next((d for d in trial.differences if within(d.where, name)), None)
        if found is None:
            rows.append(f"    ✓ {head} {_agreement(value, trial.outcome.value[name])}")
            continue
        verdict = found.text.removeprefix(f"{name}: ")
        if found.kind == "value" and found.where == name and _is_float(value):
            error = relative_error(as_array(value), as_array(trial.outcome.value[name]))
            verdict = f"relative error {error:.1e}"
        rows.append(f"    ✗ {head} {verdict}" + ("" if broken else "   <- look here first"))
        broken = True
    return rows


def _agreement(expected, actual) -> str:
    """How closely two values that agree do: a bound, which is the same on every machine."""
    if not _is_float(expected):
        return "agrees"
    error = relative_error(as_array(expected), as_array(actual))
    bound = next((bound for bound in (1e-12, 1e-6, 1e-3) if error < bound), None)
    return f"relative error below {bound:.0e}" if bound else "agrees"


def _is_float(value) -> bool:
    """Whether a relative error says anything about it: not for truth values, names or parts."""
    array = as_array(value)
    return array is not None and array.dtype.kind in "fc"


def rows_of(value, beside=None) -> list[str]:
    """An array's numbers, or the named parts of a container one under the other."""
    if not isinstance(value, (dict, tuple, list)) or is_plain(value):
        return [show(value, "      ", beside)] if hasattr(value, "shape") else []
    rows, others = [], parts(beside)
    for name, part in parts(value).items():
        rows.append(f"      {name}: {describe(part)}")
        if getattr(part, "shape", ()) and math.prod(part.shape) <= FEW:
            rows.append(show(part, "        ", others.get(name)))
    return rows
