"""A folder of hand-ins, graded: points for each answer, and the sentence that its author gets.

An answer is taken by its name, tried in a process of its own on cases of a fresh seed, and judged
here by what came back. What is said of it is the check's sentence, never the case.
"""

import ast
import copy
import importlib
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.course.progress import tasks_of
from tutorial_lib.course.workspace import chapter_files
from tutorial_lib.teaching import guarding
from tutorial_lib.teaching.judging import (
    EMPTY,
    MISSING,
    NEARLY,
    REFUSED,
    RIGHT,
    UNGRADED,
    WRONG,
    Judge,
)
from tutorial_lib.teaching.messages import clean, missing
from tutorial_lib.teaching.submissions import Source, files_of, needed, read, untouched

COURSES = 0  # the seed of the cases on which a learner's check tries
NO_FORK = "grading needs a system that can fork a process, such as Linux: on Windows use WSL"


@dataclass
class Grade:
    """What one answer is worth."""

    chapter: str  # its number
    task: str
    points: int
    of: int
    state: str
    message: str = ""


@dataclass
class HandIn:
    """One person's grades."""

    name: str
    grades: list[Grade]
    notes: list[str]  # what could not be read

    @property
    def points(self) -> int:
        return sum(grade.points for grade in self.grades)

    @property
    def of(self) -> int:
        return sum(grade.of for grade in self.grades)


def grade_folder(
    folder: Path, root: Path, chapters: list[str] | None = None, seed: int | None = None
) -> Iterable[HandIn]:
    """Grade every hand-in: each folder, notebook or .py file directly in `folder` is one.

    chapters  the numbers of those that were asked for; without it, those that the hand-ins name
    seed      of the cases, a fresh one unless it is given; the same for all

    Raises ValueError for a folder without hand-ins, an unknown chapter, or where none can be run.
    """
    if not hasattr(os, "fork"):
        raise ValueError(NO_FORK)
    if not Path(folder).is_dir():
        raise ValueError(f"there is no folder {folder}")
    places = sorted(p for p in Path(folder).iterdir() if p.name[0] not in "._" and files_of(p))
    if not places:
        raise ValueError(f"{folder} holds no notebook and no .py file")
    known = {path.name[:2]: path for path in chapter_files(root, chapters)}
    asked = set(known) if chapters else set()
    for place in places:
        asked |= set() if chapters else set(_by_chapter(files_of(place), known, set()))
    seed = secrets.randbits(32) if seed is None else seed
    graders = {number: ChapterGrader(known[number], seed) for number in sorted(asked)}
    for place in places:
        yield _grade(place, graders, known)


def _grade(place: Path, graders: dict, known: dict) -> HandIn:
    notes, grades = [], []
    readable = []
    for path in files_of(place):
        try:
            read([path])
            readable.append(path)
        except ValueError as error:
            notes.append(str(error))
    files = _by_chapter(readable, known, set(graders))
    for number, grader in graders.items():
        grades += grader.grade(read(files.get(number, [])))
    if unknown := files.get(""):
        names = ", ".join(path.name for path in unknown)
        notes.append(f"of no chapter that is graded, by name or import: {names}")
    return HandIn(place.stem if place.is_file() else place.name, grades, notes)


def _by_chapter(files: list[Path], known: dict, asked: set) -> dict[str, list[Path]]:
    """Number of the chapter -> its files, by a file's name or else by what it imports; "" for what
    tells neither, unless one chapter alone is asked for."""
    found = {}
    for path in files:
        numbers = [n for n, chapter in known.items() if chapter.stem in path.stem]
        if not numbers:
            text = path.read_text(encoding="utf-8", errors="replace")
            imported = set(re.findall(r"tutorial_lib\.exercises(?:\.| import )(\w+)", text))
            numbers = [n for n, chapter in known.items() if chapter.stem[3:] in imported]
        if not numbers and len(asked) == 1:
            numbers = [*asked]
        for number in numbers[-1:] or [""]:
            found.setdefault(number, []).append(path)
    return found


class ChapterGrader:
    """Grades answers to one chapter's tasks, on the same cases for everybody."""

    def __init__(self, notebook: Path, seed: int):
        _one_thread()
        self.number, slug, self.seed = notebook.name[:2], notebook.stem[3:], seed
        self.other = seed + 1
        self.given = read([notebook])
        self.tasks = [copy.copy(task) for task in tasks_of(slug)]
        self.judges = {}  # made when a task's first answer is met

    def grade(self, own: Source) -> list[Grade]:
        """A grade for each task of the chapter, in its order.

        An answer may use the learner's other answers. Where one of those is not right, the course's
        own takes its place: a mistake counts once.
        """
        grades = {task.name: self._grade(task, own, set()) for task in self.tasks}
        for task in self.tasks:
            wrong = {name for name, grade in grades.items() if grade.state != RIGHT}
            used = self._uses(task, own) & wrong - {task.name}
            if grades[task.name].state == WRONG and used:
                grades[task.name] = self._grade(task, own, used)
        return list(grades.values())

    def _uses(self, task, own: Source) -> set[str]:
        found = needed(task.name, own, self.given, ())
        return {name for statement in found for name in statement.uses}

    def _grade(self, task, own: Source, replaced: set[str]) -> Grade:
        of = 0 if isinstance(task, FromNothing) else task.level
        definition = own.of(task.name)

        def grade(state, message=""):
            points, most = (of if state == RIGHT else 0), (0 if state == UNGRADED else of)
            return Grade(self.number, task.name, points, most, state, clean(message))

        if isinstance(task, FromNothing):
            return grade(UNGRADED, "judged in the notebook or the editor, by what the model does")
        if definition is None:
            return grade(MISSING, missing(task, own))
        if untouched(definition.node, task.stub()):
            return grade(EMPTY)
        stand_ins = self._stand_ins(task, own, replaced)
        statements = needed(task.name, own, self.given, stand_ins)
        if why := guarding.refusal(task, statements):
            return grade(REFUSED, f"not run: {why}")
        source = "\n\n".join(["from __future__ import annotations"] * _future(statements)
                             + [s.text for s in statements if not _is_future(s)])  # fmt: skip
        return grade(*self._judged(task, source, stand_ins))

    def _judged(self, task, source: str, stand_ins: dict) -> tuple[str, str]:
        """(state, message). Two right answers round differently, and on the cases of some seed
        that may show. So one that is nearly right on the fresh cases, and right on the course's
        own, for which the check was made, gets others; who knows those by heart fails there."""
        state, message = self._judge(task, self.seed).judge(source, stand_ins)
        if state != NEARLY:
            return state, message
        others = (
            self._judge(task, seed).judge(source, stand_ins) for seed in (COURSES, self.other)
        )
        return (RIGHT, "") if all(found == (RIGHT, "") for found in others) else (WRONG, message)

    def _judge(self, task, seed: int) -> Judge:
        if (task.name, seed) not in self.judges:
            self.judges[task.name, seed] = Judge(task, seed)
        return self.judges[task.name, seed]

    def _stand_ins(self, task, own: Source, replaced: set[str]) -> dict:
        """Names for which the course's own stands: other answers that are not there or not right,
        and what a chapter takes over from another one."""
        found = {}
        for other in self.tasks:
            if other is task or isinstance(other, FromNothing):
                continue
            there = own.of(other.name)
            if other.name in replaced or there is None or untouched(there.node, other.stub()):
                found[other.name] = other.reference
        for source in (self.given, own):
            for statement in source.statements:
                mine = any(own.of(name) for name in statement.binds) and source is self.given
                if not mine and (reference := _taken_over(statement, source)) is not None:
                    found |= dict.fromkeys(statement.binds, reference)
        return {name: value for name, value in found.items() if name != task.name}


def _is_future(statement) -> bool:
    return isinstance(statement.node, ast.ImportFrom) and statement.node.module == "__future__"


def _future(statements) -> bool:
    return any(map(_is_future, statements))


def _taken_over(statement, source: Source):
    """What `X = yours(chapter_03.X)` stands for: the course's own X. None for another statement."""
    call = getattr(statement.node, "value", None)
    if not isinstance(statement.node, ast.Assign) or not isinstance(call, ast.Call):
        return None
    if getattr(call.func, "id", "") != "yours" or not isinstance(call.args[0], ast.Attribute):
        return None
    alias = getattr(call.args[0].value, "id", "")
    imported = source.of(alias)
    for each in getattr(getattr(imported, "node", None), "names", ()):
        if (each.asname or each.name) == alias and imported.node.module == "tutorial_lib.exercises":
            chapter = importlib.import_module(f"tutorial_lib.exercises.{each.name}")
            return getattr(getattr(chapter, call.args[0].attr, None), "reference", None)
    return None


def _one_thread() -> None:
    """A process that forks must not have begun to compute in several threads; and kernels are
    interpreted in it, as Triton decides when it is first imported."""
    os.environ.setdefault("TRITON_INTERPRET", "1")
    import torch

    torch.set_num_threads(1)
