"""Checks for who works in an editor: the answers in work/mine/, as a notebook checks them."""

import sys
import time
from pathlib import Path

from tutorial_lib.checking import NotYet
from tutorial_lib.checking.definitions import imports_of
from tutorial_lib.checking.mine import HEADER, file_of, write
from tutorial_lib.checking.running import own_lines
from tutorial_lib.checking.yours import load
from tutorial_lib.course.progress import tasks_of
from tutorial_lib.course.workspace import WorkspaceError


def check(work: Path, slug: str) -> bool:
    """Check every answer in the learner's file of a chapter; whether all that are there are right.

    Without a file one is written, with every task of the chapter in it. Prints what a notebook
    would print.
    """
    path = file_of(slug, work)
    if not path.exists():
        start(path, slug)
        print(f"Wrote {path}: fill in what you like, and check again.")
        return True
    module = run(path)
    if module is None:
        return False
    good, found = True, 0
    for task, answer in answers_in(module, slug):
        found += 1
        try:
            task.check(answer)
        except NotYet as error:
            good = False
            print(error, end="\n\n")
    if not found:
        print(f"{path.name} holds none of: {', '.join(t.name for t in tasks_of(slug))}")
    return good


def answers_in(module, slug: str) -> list[tuple]:
    """(task, the learner's answer) for each task that the learner's file has a name for."""
    there = {name: value for name, value in vars(module).items() if value is not None}
    return [(task, there[task.name]) for task in tasks_of(slug, there)]


def start(path: Path, slug: str) -> None:
    """Write a file with all tasks of a chapter, empty, and the test that pytest finds.

    Raises WorkspaceError where it cannot be written.
    """
    text = HEADER.format(path.stem[:2]) + empty(tasks_of(slug))
    try:
        write(path, text)
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {error}") from error


def empty(tasks: list) -> str:
    """The tasks as a file begins with them: what they import, and a stub for each."""
    lines = {line for task in tasks for line in imports_of(task.reference)}
    asked = {task.name for task in tasks}  # those are to be written
    lines = sorted(
        line
        for line in lines
        if "tutorial_lib.exercises" not in line and line.split()[-1] not in asked
    )
    imports = "".join(f"{line}\n" for line in lines)
    stubs = "\n\n\n".join(task.stub() for task in tasks)
    return f"\n{imports}\n\n{stubs}\n"


def run(path: Path):
    """The learner's file as a module; None, with the learner's own lines, where it raises."""
    try:
        return load(path)
    except NotYet as error:  # the file calls a check itself
        print(error)
    except (Exception, SystemExit) as error:  # sys.exit(0) is no success either
        theirs = own_lines(error.with_traceback(error.__traceback__.tb_next))
        print(f"{path.name} stops with {type(error).__name__}: {error}\n{theirs}")
    return None


def watch(work: Path, slugs: list[str]) -> None:
    """Check each chapter's file, and again whenever it was saved, until Ctrl-C."""
    last = {}
    try:
        while True:
            for slug in slugs:
                path = file_of(slug, work)
                if slug not in last or _saved(path) not in (0, last[slug]):
                    print(f"--- {time.strftime('%H:%M:%S')} {path.name}")
                    last[slug] = _saved(path)
                    _forget(path.parent)
                    check(work, slug)
                    sys.stdout.flush()
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


def _saved(path: Path) -> int:
    """When a file was saved, 0 while there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:  # some editors take it away for a moment
        return 0


def _forget(folder: Path) -> None:
    """Have files that import each other read in anew."""
    for name, module in list(sys.modules.items()):
        if (file := getattr(module, "__file__", None)) and Path(file).parent == folder:
            del sys.modules[name]


def pytest_tests(file: str):
    """One test for each answer in the folder of `file`, with the message and no frames."""
    import pytest

    cases = []
    for path in sorted(Path(file).parent.glob("[0-9][0-9]_*.py")):
        module = run(path)
        cases += answers_in(module, path.stem[3:]) if module else [(path.name, None)]

    names = [str(getattr(exercise, "name", exercise)) for exercise, _ in cases]

    @pytest.mark.parametrize("exercise, answer", cases, ids=names)
    def test_answer(exercise, answer):
        if answer is None:
            pytest.fail(f"{exercise} cannot be run", pytrace=False)
        try:
            exercise.check(answer)
        except NotYet as error:
            pytest.fail(str(error), pytrace=False)

    return test_answer
