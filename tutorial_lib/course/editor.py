"""Checks for who works in an editor: the answers in work/mine/, as a notebook checks them."""

import importlib.util
import sys
import time
from pathlib import Path

from tutorial_lib.checking import NotYet
from tutorial_lib.checking.definitions import imports_of
from tutorial_lib.checking.mine import HEADER, file_of
from tutorial_lib.checking.running import own_lines
from tutorial_lib.course.progress import exercises_of

PYTEST = '''"""Written by the course: `pytest` in this folder checks what lies in it."""

from tutorial_lib.course.editor import pytest_tests

test_answer = pytest_tests(__file__)
'''


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
    module = load(path)
    if module is None:
        return False
    good, found = True, 0
    for exercise in exercises_of(slug):
        if answer := getattr(module, exercise.name, None):
            found += 1
            try:
                exercise.check(answer)
            except NotYet as error:
                good = False
                print(error, end="\n\n")
    if not found:
        print(f"{path.name} holds none of: {', '.join(e.name for e in exercises_of(slug))}")
    return good


def start(path: Path, slug: str) -> None:
    """Write a file with all tasks of a chapter, empty, and the test that pytest finds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = {line for e in exercises_of(slug) for line in imports_of(e.reference)}
    asked = {exercise.name for exercise in exercises_of(slug)}  # those are to be written
    lines = sorted(
        line
        for line in lines
        if "tutorial_lib.exercises" not in line and line.split()[-1] not in asked
    )
    imports = "".join(f"{line}\n" for line in lines)
    tasks = "\n\n\n".join(exercise.stub() for exercise in exercises_of(slug))
    path.write_text(
        f"{HEADER.format(path.stem[:2])}\n{imports}\n\n{tasks}\n", encoding="utf-8", newline="\n"
    )
    test = path.with_name("test_mine.py")
    if not test.exists():
        test.write_text(PYTEST, encoding="utf-8", newline="\n")


def load(path: Path):
    """The learner's file as a module; None, with the learner's own lines, where it raises."""
    spec = importlib.util.spec_from_file_location(f"mine_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except NotYet as error:  # the file calls a check itself
        print(error)
        return None
    except (Exception, SystemExit) as error:  # sys.exit(0) is no success either
        print(f"{path.name} stops with {type(error).__name__}: {error}\n{own_lines(error)}")
        return None
    return module


def watch(work: Path, slug: str) -> None:
    """Check again whenever the file was saved, until Ctrl-C."""
    path, last = file_of(slug, work), None
    try:
        while True:
            changed = path.stat().st_mtime_ns if path.exists() else 0
            if changed != last:
                last = changed
                print(f"--- {time.strftime('%H:%M:%S')}")
                check(work, slug)
                sys.stdout.flush()
                last = path.stat().st_mtime_ns  # a passed check may have written to it
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


def pytest_tests(file: str):
    """One test for each answer in the folder of `file`, with the message and no frames."""
    import pytest

    cases = []
    for path in sorted(Path(file).parent.glob("[0-9][0-9]_*.py")):
        module = load(path)
        exercises = exercises_of(path.stem[3:]) if module else []
        cases += [(e, getattr(module, e.name)) for e in exercises if hasattr(module, e.name)]
        if module is None:
            cases.append((path.name, None))

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
