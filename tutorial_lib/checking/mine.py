"""What a learner has built stays theirs: each passed answer's source goes into work/mine/.

A file there, NN_slug.py, holds the answers of one chapter, with all that they use. It can be edited
by hand: what is not an answer, or needed by one, is left as it is. It is written whole or not at
all.
"""

import os
from pathlib import Path

from tutorial_lib.checking import attempts
from tutorial_lib.checking.definitions import definitions, file_of_code
from tutorial_lib.checking.merging import merged

FOLDER = "mine"
HEADER = (
    '"""What you built in this chapter. Check it with: python course.py check --chapters {}"""\n'
)
NO_CLASS = (
    "{name} was not kept: its model has no class of yours. To keep it, build and train it in a\n"
    "function without arguments, and check that function in the place of the model."
)
TEST = '''"""Written by the course: `pytest` in this folder checks what lies in it."""

from tutorial_lib.course.editor import pytest_tests

test_answer = pytest_tests(__file__)
'''


def keep(slug: str, name: str, answer) -> None:
    """Put the source of a passed answer into the learner's library; nothing outside their copy.

    slug  of the chapter; name  of the exercise, under which the answer is kept

    A problem is told and stops nothing: the answer is right all the same.
    """
    workspace = attempts.find_workspace() if attempts.recording else None
    if workspace is not None:
        _keep(file_of(slug, workspace), name, answer, own=name, kept=_solved(slug, workspace))


def keep_model(slug: str, name: str, model) -> None:
    """Put the learner's own classes of a model into their library, as `keep` does.

    name  of the exercise; it is told where a model has no such class
    """
    workspace = attempts.find_workspace() if attempts.recording else None
    if workspace is None:
        return
    classes = {type(part) for part in model.modules()}
    own = sorted((c for c in classes if c.__module__ == "__main__"), key=lambda c: c.__name__)
    for each in own:
        _keep(file_of(slug, workspace), each.__name__, each, own="", kept=_solved(slug, workspace))
    if not own:
        print(NO_CLASS.format(name=name))


def _keep(path: Path, name: str, answer, own: str, kept: set[str]) -> None:
    try:
        if file_of_code(answer) and Path(file_of_code(answer)).resolve() == path.resolve():
            return  # written there in an editor: the file is the learner's, and has it already
        old, ends = read(path) if path.exists() else (HEADER.format(path.stem[:2]), "\n")
        new, renamed = merged(old, definitions(name, answer), own, kept)
        if new != old:
            write(path, new.replace("\n", ends))
    except Exception as error:  # of the learner's odd code, of a file edited by hand, of the disk
        print(f"{name} was not kept in {path.name}: {error}")
        return
    for first, now in renamed.items():
        print(f"{name} is kept with {now} for {first}: other answers use another {first}.")


def _solved(slug: str, workspace: Path) -> set[str]:
    """The names of the exercises of a chapter that the learner has solved."""
    found = attempts.load(workspace).exercises
    return {key.partition(".")[2] for key, each in found.items() if each.solved
            and key.startswith(f"{slug}.")}  # fmt: skip


def file_of(slug: str, workspace: Path) -> Path:
    """work/mine/05_vit.py for the slug "vit"; the number is that of the learner's notebook."""
    stems = sorted(path.stem for path in workspace.glob(f"[0-9][0-9]_{slug}.ipynb"))
    return workspace / FOLDER / f"{stems[0] if stems else slug}.py"


def read(path: Path) -> tuple[str, str]:
    """A file's text with plain line ends, and the line ends that it has."""
    text = path.read_bytes().decode("utf-8-sig")
    return text.replace("\r\n", "\n"), "\r\n" if "\r\n" in text else "\n"


def write(path: Path, text: str) -> None:
    """All of it or nothing: into another file, which then takes the name. Beside it, once, what
    lets pytest check the folder."""
    path.parent.mkdir(exist_ok=True)
    test = path.with_name("test_mine.py")
    for target, new in {test: TEST, path: text}.items():
        if target == test and test.exists():
            continue
        part = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(part, "wb") as file:
                file.write(new.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
