"""An answer may be wrong because of what it calls: an earlier answer, not right yet, that was kept.

Then it is tried once more with the course's versions of those parts, which shows what it is itself.
"""

import contextlib
import dis
import inspect
import sys
import types


def explained(task, answer, problem: str) -> str:
    """What to say of a wrong answer: `problem`, unless parts of the learner's own are behind it.

    task     the exercise; answer, as it was handed in; problem, the message so far
    """
    wrong = wrong_parts(task, answer)
    if not wrong:
        return problem
    with _replaced(answer, wrong):
        again = task.before_the_tries(answer) or task.problem(answer, task.trials(answer))
    if again == problem:
        return problem
    names = " and ".join(wrong)
    are = "is" if len(wrong) == 1 else "are"
    if again:
        return f"{again}\n\n(Tried with the course's {names}: yours {are} not right yet.)"
    return (
        f"✗ {task.name}: right in itself, but it calls your {names}, which {are} not right yet.\n"
        f"  With the course's {names} every try is right: begin there."
    )


def wrong_parts(task, answer) -> dict:
    """Name -> exercise, of the learner's answers that this one calls and that are not right."""
    chapter = sys.modules.get(f"tutorial_lib.exercises.{task.slug}")
    wrong = {}
    for name, value in _called(answer, {}).items():
        part = getattr(chapter, name, None)
        if part is not task and hasattr(part, "trials"):
            if part.before_the_tries(value) or not all(t.right for t in part.trials(value)):
                wrong[name] = part
    return wrong


def _called(value, found: dict) -> dict:
    """Name -> function or class, of what is called from a function or class and stands in the same
    notebook; through helpers too."""
    for function in _functions(value):
        for name in sorted(_names(function.__code__)):
            part = function.__globals__.get(name)
            here = getattr(part, "__module__", None) == function.__globals__.get("__name__")
            if here and name not in found and _functions(part):
                found[name] = part
                _called(part, found)
    return found


def _functions(value) -> list:
    """A function, or the methods of a class and of its bases in its file; [] of anything else."""
    bases = value.__mro__ if isinstance(value, type) else ()
    own = [base for base in bases if base.__module__ == value.__module__]
    members = [part for base in own for part in vars(base).values()] if own else [value]
    return [f for f in map(inspect.unwrap, members) if inspect.isfunction(f)]


def _names(code) -> set[str]:
    """The globals that a function reads, functions inside it included; no attributes, so
    `F.softmax` is not the notebook's `softmax`."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return own.union(*map(_names, inner))


@contextlib.contextmanager
def _replaced(answer, parts: dict):
    """The course's versions stand in the notebook under these names."""
    space = _functions(answer)[0].__globals__
    kept = {name: space[name] for name in parts}
    space.update({name: part.reference for name, part in parts.items()})
    try:
        yield
    finally:
        space.update(kept)
