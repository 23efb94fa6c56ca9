"""Jump to any section of a chapter: all that stands above it is loaded.

from tutorial_lib.teaching.catch_up import catch_up

catch_up("05", section=6)   # in a new cell of the learner's notebook, at any place
"""

import ast
import importlib
import linecache
import re
import sys
import time
from pathlib import Path

import nbformat
from IPython import get_ipython
from IPython.utils.capture import capture_output

from tutorial_lib.authoring.expand import is_folded
from tutorial_lib.authoring.shape import LAB
from tutorial_lib.checking.definitions import names
from tutorial_lib.checking.yours import passes, yours
from tutorial_lib.course.workspace import chapter_files
from tutorial_lib.notebook.setup import track

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


def catch_up(chapter: str | int, section: int) -> None:
    """Run what a chapter has above a section, so that the cells from there on can be run.

    chapter  its number, "05" or 5;  section  the number in front of its heading

    Exercises are the learner's own where those pass their check, those in this notebook first, then
    those kept in work/mine/, and the course's otherwise. What the notebook holds under an
    exercise's name and does not pass stays, as `my_` and the name. Nothing is written to a file and
    no attempt is counted. Cells that only draw, and the model from nothing, are left out.

    Raises ValueError for a chapter or a section that is not there.
    """
    started = time.perf_counter()
    (path,) = chapter_files(ROOT, [str(chapter)])
    title, above, below = _parts(nbformat.read(path, as_version=4), section, path.stem)
    shell = get_ipython()
    space = shell.user_ns if shell else vars(sys.modules["__main__"])
    exercises = importlib.import_module(f"tutorial_lib.exercises.{path.stem[3:]}")
    told = []
    for number, cell in enumerate(track(_needed(above, below), "catching up"), 1):
        with capture_output():
            if cell.id.startswith("exercise-"):
                exercise = getattr(exercises, cell.id.removeprefix("exercise-"))
                told.append(_answer(exercise, space))
            else:
                _run(cell, f"<chapter {path.stem[:2]}, caught up, {number}>", space)
    print(f"You are at: {title} ({time.perf_counter() - started:.0f} s)")
    for line in told:
        print(f"  {line}")


def _parts(notebook, section: int, stem: str) -> tuple[str, list, list]:
    """The heading of a section, (cell, whether it is aside) for the code above it, and the cells
    below. What is folded or stands in a lab is aside."""
    cells = notebook.cells
    headings = [h for c in cells if c.cell_type == "markdown" for h in HEADING.findall(c.source)]
    title = next((h for h in headings if h.startswith(f"{section}. ")), None)
    if title is None:
        known = "; ".join(h.partition(" · ")[0] for h in headings)
        raise ValueError(f"{stem} has no section {section}; it has {known}")
    first = next(i for i, c in enumerate(cells) if f"## {title}" in c.source.splitlines())
    above, in_lab = [], False
    for cell in cells[:first]:
        if cell.cell_type == "markdown":
            for heading in HEADING.findall(cell.source):
                in_lab = bool(LAB.match(f"## {heading}"))
        elif cell.id != "on-colab" and not cell.id.startswith("build-"):
            above.append((cell, in_lab or is_folded(cell)))
    return title, above, [c for c in cells[first:] if c.cell_type == "code"]


def _needed(above: list[tuple], below: list) -> list:
    """The cells above. Of labs, and of folded cells, which draw or assert, only those that give a
    name to something that is used later on, before it gets another value."""
    kept, wanted = [], set()
    for cell in reversed(below):
        binds, uses = _names(cell.source)
        wanted = (wanted - binds) | uses
    for cell, aside in reversed(above):
        binds, uses = _names(cell.source)
        if not aside or binds & wanted:
            kept.append(cell)
            wanted = (wanted - binds) | uses
    return kept[::-1]


def _names(source: str) -> tuple[set, set]:
    """(the names that a cell binds, those that it uses before it has bound them)."""
    binds, uses = set(), set()
    for node in ast.parse(source).body:
        bound, used = names(ast.unparse(node))
        if isinstance(node, ast.For):  # what runs through the loop is bound before it is used
            used -= names(f"{ast.unparse(node.target)} = 0")[0] - names(ast.unparse(node.iter))[1]
        uses |= used - binds
        binds |= bound
    return binds, uses


def _answer(exercise, space: dict) -> str:
    """Put an exercise's answer where the notebook looks for it; whose it is, in words."""
    name = exercise.name
    there = space.get(name)
    if there is exercise.reference:
        return f"{name}: the course's own"
    if there is not None and passes(exercise, there):
        return f"{name}: yours, from this notebook"
    answer = space[name] = yours(exercise)
    whose = "the course's own" if answer is exercise.reference else "yours, from work/mine/"
    if there is None or there is answer:
        return f"{name}: {whose}"
    space[f"my_{name}"] = there
    return f"{name}: {whose}; what you had does not pass yet and is now my_{name}"


def _run(cell, file: str, space: dict) -> None:
    """Run a cell; its lines can be asked for, as those of one that somebody ran."""
    linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(True), file)
    exec(compile(cell.source, file, "exec"), space)
