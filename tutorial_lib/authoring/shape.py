"""How much of a chapter is read, how much is built, and how many minutes both take.

The core of a chapter ends at the first heading "The family" or "Lab". Folded cells and hints are
not on view. What the learner writes is counted in the solved notebook: the bodies of the functions
and methods of an exercise.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.authoring.expand import expand, is_folded

LIMITS = {  # the most of each, in the core and in the whole chapter
    "words": (2500, 4500),
    "code": (150, 350),
    "claims": (6, 15),
    "idle": (5, 8),
}
LAB = re.compile(r"^(## +(?:\d+\. +)?Lab\b[^\n·]*?)(?: · \d+ minutes)?$", re.MULTILINE)
LEAST_SHARE = (25, 20)  # % of the code lines on view that the learner writes
WORDS, LINES, FIGURE = 130, 12, 1  # words and lines of code read in a minute; minutes for a figure
ASKS = re.compile(r"predict|guess|before you run|change .* and run", re.IGNORECASE)
BEYOND_CORE = re.compile(r"^## +(\d+\. +)?(The family|Lab)\b", re.MULTILINE)


@dataclass
class Shape:
    """Counts of the core, or of the whole chapter."""

    words: int = 0
    code: int = 0  # lines on view that the learner does not write
    written: int = 0  # lines that the learner writes
    figures: int = 0
    claims: int = 0
    exercises: int = 0
    modules: int = 0  # classes that the learner writes
    exercise_minutes: int = 0
    idle: int = 0  # the most cells in a row without anything to do
    idle_now: int = 0

    @property
    def share(self) -> int:
        return round(100 * self.written / max(1, self.written + self.code))

    @property
    def reading(self) -> float:
        """Minutes for all that is read."""
        return self.words / WORDS + self.code / LINES + self.figures * FIGURE

    @property
    def minutes(self) -> int:
        """What a learner should plan, to five minutes."""
        return 5 * max(1, round((self.exercise_minutes + self.reading) / 5))

    def _cell(self, does_something: bool):
        self.idle_now = 0 if does_something else self.idle_now + 1
        self.idle = max(self.idle, self.idle_now)


def measure(learner, solved) -> tuple[Shape, Shape]:
    """The shape of the core and of the whole chapter, from its two notebooks."""
    core, whole = Shape(), Shape()
    answers = {cell.id: cell.source for cell in solved.cells}
    parts = (core, whole)
    for cell in learner.cells:
        if cell.cell_type == "markdown":
            parts = (whole,) if BEYOND_CORE.search(cell.source) else parts
        for part in parts:
            _count(part, cell, answers.get(cell.id, ""))
    return core, whole


def labs(learner, solved) -> dict[str, Shape]:
    """The heading of each lab section, without its minutes -> the section's shape."""
    found = sections(learner, solved).items()
    return {match[1]: part for heading, part in found if (match := LAB.match(heading))}


def sections(learner, solved) -> dict[str, Shape]:
    """The heading of each section, `## 3. NumPy` -> its shape; what is above the first under ""."""
    found = {"": Shape()}
    part = found[""]
    answers = {cell.id: cell.source for cell in solved.cells}
    for cell in learner.cells:
        pieces = [cell.source]
        if cell.cell_type == "markdown":
            pieces = re.split("^(?=## )", cell.source, flags=re.MULTILINE)  # a section each
        for piece in filter(None, pieces):
            if piece.startswith("## ") and cell.cell_type == "markdown":
                part = found.setdefault(piece.partition("\n")[0], Shape())
            _count(part, type(cell)({**cell, "source": piece}), answers.get(cell.id, ""))
    return found


def _count(part: Shape, cell, answer: str):
    if cell.cell_type == "markdown":
        shown = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
        minutes = re.search(r"about (\d+) minutes", shown) if shown.startswith("####") else None
        part.words += len(shown.split())
        part.exercise_minutes += int(minutes[1]) if minutes else 0
        part._cell(bool(ASKS.search(shown)))
        return
    exercise = cell.id.startswith(("exercise-", "build-"))
    part._cell(exercise)
    part.figures += "plotting.show" in cell.source
    if exercise:
        part.exercises += 1
        part.written += written_lines(answer)
        part.modules += bool(re.search(r"^class \w+\(.*Module\)", answer, re.MULTILINE))
    elif not is_folded(cell):
        part.code += code_lines(cell.source)
        part.claims += len(re.findall(r"\bclaim\(", cell.source))


def code_lines(source: str) -> int:
    """Lines that are neither blank nor a comment."""
    rows = map(str.strip, source.splitlines())
    return sum(bool(row) and not row.startswith("#") for row in rows)


def written_lines(source: str) -> int:
    """Lines of the bodies of functions and methods, without docstrings; of a cell without any, all
    but the last, which is the check."""
    rows = source.splitlines()
    bodies = list(_bodies(ast.parse(source).body))
    if not bodies:
        return code_lines("\n".join(rows[:-1]))
    return sum(code_lines("\n".join(rows[b.lineno - 1 : b.end_lineno])) for b in bodies)


def _bodies(nodes):
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from _bodies(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from node.body[1:] if ast.get_docstring(node) is not None else node.body


def of_source(source: Path) -> tuple[Shape, Shape]:
    """The shape of a chapter, from chapters/NN_slug.md."""
    return measure(expand(source, solved=False), expand(source, solved=True))


def line(source: Path) -> str:
    """A chapter's shape in one line, and what is beyond the guide's numbers."""
    core, whole = of_source(source)
    counts = (
        f"{whole.minutes} min (core {core.minutes}), {whole.words} words, {whole.code} lines on "
        f"view, {whole.written} written ({whole.share} %), {whole.modules} modules, "
        f"{whole.claims} claims"
    )
    beyond = [*_beyond("core", core, 0), *_beyond("whole", whole, 1)]
    return f"{counts}\n    beyond the guide: {'; '.join(beyond)}" if beyond else counts


def _beyond(name: str, part: Shape, column: int):
    words = {"idle": "cells in a row without anything to do", "code": "lines of code on view"}
    for key, most in LIMITS.items():
        if getattr(part, key) > most[column]:
            yield f"{name} {getattr(part, key)} {words.get(key, key)} of {most[column]}"
    if part.share < LEAST_SHARE[column]:
        yield f"{name} {part.share} % written of {LEAST_SHARE[column]}"


HEADER = re.compile(r"^\*\*\d+ minutes\*\*(?: \(core \d+\))?", re.MULTILINE)


def header(core: Shape, whole: Shape) -> str:
    """What the first lines of a chapter say of its minutes."""
    return f"**{whole.minutes} minutes**" + (
        f" (core {core.minutes})" if core.minutes < whole.minutes else ""
    )


def state_minutes(root: Path, source: Path) -> None:
    """Write the computed minutes into the chapter's header and the headings of its labs, and into
    its entry of survey.toml."""
    notebooks = expand(source, solved=False), expand(source, solved=True)
    core, whole = measure(*notebooks)
    text = source.read_text(encoding="utf-8")
    new = HEADER.sub(header(core, whole), text, count=1)
    lab_minutes = {heading: part.minutes for heading, part in labs(*notebooks).items()}
    new = LAB.sub(lambda match: f"{match[1]} · {lab_minutes[match[1]]} minutes", new)
    _rewrite(source, text, new)
    index = Path(root, "survey.toml")
    if index.exists():
        entry = rf'(\[\[chapter\]\]\nnumber = "{source.stem[:2]}"\n(?:(?!\[\[).*\n)*?)'
        fields = r"minutes = \d+\n(?:core = \d+\n)?"
        counted = rf"\g<1>minutes = {whole.minutes}\ncore = {core.minutes}\n"
        text = index.read_text(encoding="utf-8")
        _rewrite(index, text, re.sub(entry + fields, counted, text, count=1))


def _rewrite(path: Path, old: str, new: str) -> None:
    if new != old:
        path.write_text(new, encoding="utf-8")
