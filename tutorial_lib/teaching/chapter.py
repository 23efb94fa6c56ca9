"""A chapter as who teaches it sees it: sections with their minutes, tasks, questions to ask."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from tutorial_lib.authoring import shape
from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.course.progress import tasks_of

DETAILS = re.compile(r"<details><summary>(.*?)</summary>\s*\n(.*?)\n\s*</details>", re.DOTALL)
YOURSELF = re.compile(r"^#+ (?:\d+\. )?Check yourself\n(.*?)(?=^#+ |\Z)", re.MULTILINE | re.DOTALL)
PROMISE = re.compile(r"^\*\*(?:The question|At the end)", re.MULTILINE)
ASKS = re.compile(r"\b(predict|guess)\b", re.IGNORECASE)
SENTENCES = re.compile(r"(?<=[.:?!]) +(?=[A-Z\[$*`])")


@dataclass
class Section:
    """A section: its heading, how long it takes, and its cells of the solved notebook."""

    heading: str  # as it stands, `## 3. NumPy: cut the picture`
    kind: str  # core, family, lab or close
    reading: float  # minutes for what is read
    cells: list = field(default_factory=list)
    tasks: list = field(default_factory=list)

    @property
    def title(self) -> str:
        """Without its mark and the minutes: `3. NumPy: cut the picture`."""
        return re.sub(r" · \d+ minutes$", "", self.heading.removeprefix("## "))

    @property
    def minutes(self) -> float:
        return self.reading + sum(task.minutes for task in self.tasks)

    @property
    def asks(self) -> list[str]:
        """What asks for a prediction."""
        texts = (DETAILS.sub("", c.source) for c in self.cells if c.cell_type == "markdown")
        return [asked for text in texts for line in text.splitlines() if (asked := question(line))]


@dataclass
class Chapter:
    """One chapter, read from its two notebooks."""

    number: str
    slug: str
    title: str
    goals: str  # the question and the promise, as Markdown
    sections: list[Section]  # the first, without a heading, is what stands above
    questions: list[tuple[str, str]]  # of "check yourself": question, answer

    @property
    def stem(self) -> str:
        return f"{self.number}_{self.slug}"

    def minutes(self, kind: str) -> float:
        return sum(section.minutes for section in self.sections if section.kind == kind)


def load(root: Path, stem: str) -> Chapter:
    """The chapter of `chapters/05_vit.ipynb` and `solutions/05_vit.ipynb`, for the stem "05_vit".

    Raises FileNotFoundError where one of them is not built.
    """
    learner, solved = (
        nbformat.read(root / folder / f"{stem}.ipynb", as_version=4)
        for folder in ("chapters", "solutions")
    )
    tasks = {task.name: task for task in tasks_of(stem[3:])}
    sections = _sections(solved, shape.sections(learner, solved), tasks)
    texts = [cell.source for cell in solved.cells if cell.cell_type == "markdown"]
    head = texts[0].split("\n\n")
    questions = [pair for text in texts for part in YOURSELF.findall(text)
                 for pair in DETAILS.findall(part)]  # fmt: skip
    return Chapter(
        stem[:2], stem[3:], head[0].partition(" · ")[2],
        "\n\n".join(block for block in head if PROMISE.match(block)), sections,
        [(re.sub(r"^\d+\. ", "", question), answer.strip()) for question, answer in questions],
    )  # fmt: skip


def _sections(solved, shapes: dict, tasks: dict) -> list[Section]:
    found = [Section("", "core", shapes[""].reading)]
    kind = "core"
    for cell in solved.cells:
        pieces = [cell.source]
        if cell.cell_type == "markdown":
            pieces = re.split("^(?=## )", cell.source, flags=re.MULTILINE)
        for piece in filter(None, pieces):
            if piece.startswith("## ") and cell.cell_type == "markdown":
                heading = piece.partition("\n")[0]
                kind = _kind(heading, kind)
                found.append(Section(heading, kind, shapes[heading].reading))
            found[-1].cells.append(type(cell)({**cell, "source": piece}))
        name = cell.id.partition("-")[2]
        if cell.id.startswith(("exercise-", "build-")) and name in tasks:
            found[-1].tasks.append(tasks[name])
    return found


def _kind(heading: str, before: str) -> str:
    if shape.LAB.match(heading):
        return "lab"
    if shape.BEYOND_CORE.match(heading):
        return "family"
    return "core" if before == "core" else "close"


def question(paragraph: str) -> str:
    """What a paragraph asks, with the sentence in front; "" if it asks for no prediction."""
    if not ASKS.search(paragraph) or paragraph.startswith(("|", "#")):
        return ""
    sentences = SENTENCES.split(paragraph)
    asks = (i for i, each in enumerate(sentences) if "?" in each or ASKS.search(each))
    return " ".join(sentences[max(0, next(asks) - 1) :])


def short_cuts(chapter: Chapter) -> list[tuple[str, float]]:
    """(what can be left out, its minutes) of the core, what is missed least first.

    An empty exercise falls back to the course's own, so all of it can be left out. What stays to
    the end is what the chapter is about: the module that is written and the step that trains it.
    """
    core = [section for section in chapter.sections if section.kind == "core"]
    tasks = [task for section in core for task in section.tasks]
    nothing = [task for task in tasks if isinstance(task, FromNothing)]
    others = [task for task in tasks if task not in nothing and not _is_heart(task)]
    later = sorted(others, key=lambda task: (task.start is None, -task.level, -task.minutes))
    found = [(f"From nothing ({task.name})", task.minutes) for task in nothing]
    return found + [(task.name, task.minutes) for task in later]


def _is_heart(task) -> bool:
    """Whether a class or a training step is asked for."""
    return isinstance(task.reference, type) or "step" in task.name
