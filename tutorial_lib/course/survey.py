"""The index of the course: reads survey.toml, checks it, and writes the pages made from it.

A system is *built* when its class or function can be imported, the chapter's solved notebook uses
it, and the outputs of that notebook show that its claim ran and held.
"""

import importlib
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

from tutorial_lib.course import online

ROOT = Path(__file__).parents[2]
START, END = "<!-- chapters -->", "<!-- /chapters -->"
ALLOWED = {
    "level": (range(1, 6), "1 to 5"),
    "minutes": (range(5, 401), "5 to 400"),
    "core": (range(0, 401), "0 to 400"),
    "grade": (tuple("ABCD"), "A to D"),
    "status": (("planned", "built"), "planned or built"),
}
PAGE = """<!-- Generated from survey.toml by tutorial_lib/course/survey.py: edit that. -->
# The survey, system by system

{total} systems: {built} built, {planned} planned. Claims marked [P] hold by construction, [E] are
empirical. The letter after a reference: A, a runnable public implementation; B, part of one;
C, public code that needs CUDA or an old framework; D, none, so an identity or a brute force.
"""


@dataclass(frozen=True)
class Chapter:
    """One chapter. A field that survey.toml lacks is None; `problems` reports it."""

    number: str = None
    slug: str = None
    title: str = None
    part: str = None
    spine: bool = None
    minutes: int = None
    level: int = None
    about: str = None
    core: int = 0  # minutes of the core; 0 until the chapter is written

    @property
    def duration(self):
        """Minutes of the whole, and of the core where that is less: "270 (core 105)"."""
        return f"{self.minutes}" + f" (core {self.core})" * (0 < self.core < self.minutes)

    @property
    def stem(self):
        return f"{self.number}_{self.slug}"


@dataclass(frozen=True)
class System:
    """One row of the survey. `symbol` is set when built, `uncertain` where something is."""

    number: int = None
    id: str = None
    name: str = None
    section: str = None
    paper: str = None
    chapter: str = None
    claim: str = None
    reference: str = None
    grade: str = None
    status: str = None
    symbol: str = ""
    uncertain: str = ""


@dataclass(frozen=True)
class Survey:
    chapters: tuple
    systems: tuple

    def chapter(self, number):
        """The chapter with this number ("01" or "1"). Raises KeyError if there is none."""
        found = {c.number: c for c in self.chapters}
        if number.zfill(2) not in found:
            raise KeyError(f"no chapter {number}; survey.toml has {min(found)} to {max(found)}")
        return found[number.zfill(2)]

    def systems_of(self, number):
        return [s for s in self.systems if s.chapter == number]

    def progress(self):
        """How many systems have each status, for example {"planned": 120, "built": 4}."""
        return {"planned": 0, "built": 0} | Counter(s.status for s in self.systems)


def load(path=None):
    """Read survey.toml, the repository's own by default. Raises TypeError on unknown fields."""
    data = tomllib.loads(Path(path or ROOT / "survey.toml").read_text(encoding="utf-8"))
    return Survey(
        chapters=tuple(Chapter(**entry) for entry in data["chapter"]),
        systems=tuple(System(**entry) for entry in data["system"]),
    )


def problems(survey, solutions_dir=ROOT / "solutions"):
    """Everything wrong with the index and with what it calls built: one sentence each."""
    found = [p for entry in survey.chapters + survey.systems for p in _check_fields(entry)]
    keys = [("chapter", "number"), ("chapter", "slug"), ("system", "number"), ("system", "id")]
    for kind, key in keys:
        counts = Counter(getattr(entry, key) for entry in getattr(survey, f"{kind}s"))
        found += [
            f"{kind} {key} {value!r} appears {n} times, expected once"
            for value, n in counts.items()
            if n > 1
        ]
    chapters = {c.number: c for c in survey.chapters}
    for system in survey.systems:
        if system.chapter not in chapters:
            found.append(f"{_label(system)}: chapter is {system.chapter!r}, not a [[chapter]]")
        elif system.status == "built" and system.symbol:
            stem = chapters[system.chapter].stem
            found += _check_built(system, Path(solutions_dir, f"{stem}.ipynb"))
    return found


def _label(entry):
    name = entry.slug if isinstance(entry, Chapter) else entry.id
    return f"{type(entry).__name__.lower()} {entry.number} ({name})"


def _check_fields(entry):
    for field in fields(entry):
        value, where = getattr(entry, field.name), f"{_label(entry)}: {field.name}"
        allowed, words = ALLOWED.get(field.name, (None, ""))
        required = field.name not in ("symbol", "uncertain")
        if type(value) is not field.type or (required and value == ""):
            yield f"{where} is {value!r}, expected {field.type.__name__}"
        elif allowed and value not in allowed:
            yield f"{where} is {value!r}, expected {words}"
        elif field.name == "claim" and not re.search(r"\[[PE]\]", value):
            yield f"{where} is {value!r}, expected text with a tag [P] or [E]"
        elif field.name == "symbol" and not re.fullmatch(r"[\w.]+:\w+", value):
            if value or entry.status == "built":
                yield f"{where} is {value!r}, expected 'tutorial_lib.module:Name'"


def _check_built(system, notebook):
    """What is missing of a system that is called built, in the library and the solved notebook."""
    where, (module, _, name) = _label(system), system.symbol.partition(":")
    try:
        getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever importing the module raises is the problem to report
        yield f"{where}: symbol {system.symbol!r} cannot be imported: {error!r}"
    if not notebook.exists():
        yield f"{where}: is built, but its solved notebook {notebook} does not exist"
        return
    contents = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in contents["cells"] if cell["cell_type"] == "code"]
    if not any(re.search(rf"\b{name}\b", "".join(cell["source"])) for cell in cells):
        yield f"{where}: no code cell of {notebook.name} mentions {name!r}"
    line = f"✓ claim [{system.id}]"
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in cells
        for output in cell["outputs"]
    ]
    if not any(row.startswith(line) for text in texts for row in "".join(text).splitlines()):
        yield f"{where}: no output of {notebook.name} has a line {line!r}: its claim did not hold"


def chapter_table(survey, root=ROOT):
    """The chapters as a Markdown table; a number links to the notebook once that exists."""
    there = sum(Path(root, f"chapters/{c.stem}.ipynb").exists() for c in survey.chapters)
    built = sum(s.status == "built" for s in survey.systems)
    lines = [
        f"So far: {there} of {len(survey.chapters)} chapters, "
        f"{built} of {len(survey.systems)} systems.",
        "",
    ]
    lines += ["| | chapter (★ spine) | minutes | level (1-5) | systems | online |"]
    lines += ["|---|---|---|---|---|---|"]
    for part, chapters in groupby(survey.chapters, key=lambda c: c.part):
        lines.append(f"| | **{part}** | | | | |")
        for c in chapters:
            names = ", ".join(_cell(s.name) for s in survey.systems_of(c.number))
            first = f"{_link(c, root)} | {c.title}{' ★' * c.spine}"
            there = Path(root, f"chapters/{c.stem}.ipynb").exists()
            badges = online.links(c.stem) if there else ""
            lines.append(f"| {first} | {c.duration} | {c.level} | {names} | {badges} |")
    return "\n".join(lines) + "\n"


def as_markdown(survey, root=ROOT):
    """The text of SURVEY.md: the chapters, then every system, grouped by section."""
    lines = [
        PAGE.format(total=len(survey.systems), **survey.progress()),
        chapter_table(survey, root),
    ]
    head = "| | system | chapter | claim | reference | status |\n|---|---|---|---|---|---|"
    for section, systems in groupby(survey.systems, key=lambda s: s.section):
        rows = [_row(s, _link(survey.chapter(s.chapter), root)) for s in systems]
        lines += [f"### {section}", "", head, *rows, ""]
    return "\n".join(lines)


def _row(s, chapter):
    paper = re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", _cell(s.paper))
    doubt = f"<br>Uncertain: {_cell(s.uncertain)}" if s.uncertain else ""
    return (
        f"| {s.number} | **{_cell(s.name)}**<br>{paper}{doubt} | {chapter} | {_cell(s.claim)} "
        f"| {_cell(s.reference)} ({s.grade}) | {s.status} |"
    )


def _link(chapter, root):
    path = f"chapters/{chapter.stem}.ipynb"
    return f"[{chapter.number}]({path})" if Path(root, path).exists() else chapter.number


def _cell(text):
    return re.sub(r"([|*_~<])", r"\\\1", text)


def write(survey, root=ROOT):
    """Write SURVEY.md and the table in README.md; raises ValueError if that lacks the markers."""
    readme = Path(root, "README.md")
    if readme.exists():
        text = readme.read_text(encoding="utf-8")
        block = re.compile(f"{START}.*?{END}", re.DOTALL)
        if not block.search(text):
            raise ValueError(
                f"{readme} has no place for the chapter table: expected a line "
                f"{START!r} and, below it, a line {END!r}"
            )
        table = f"{START}\n\n{chapter_table(survey, root)}\n{END}"
        readme.write_text(block.sub(lambda _: table, text, count=1), encoding="utf-8")
    Path(root, "SURVEY.md").write_text(as_markdown(survey, root), encoding="utf-8")
