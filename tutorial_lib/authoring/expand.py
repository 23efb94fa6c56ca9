"""One chapter source becomes two notebooks.

In the source an exercise is one code cell with one line,

    softmax = exercise.softmax.reference

which runs as it stands when the source is opened as a notebook. `expand` puts a heading with hints
in front and replaces the line by the learner's stub or by the reference's source, with the check.

The exercise at a chapter's end is a line `model = exercise.vit_from_nothing.solution()`, which
becomes the goal and an empty cell, or one short solution.

A cell with the tag `fold` (imports, drawings, assertions) shows its first line alone, a comment
that says what it does, and its output in full.
"""

import hashlib
import importlib
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
import yaml
from jupytext.myst import MystMetadataParsingError

from tutorial_lib.course import online

EXERCISE = re.compile(r"(\w+) = exercise\.(\w+)\.reference")
FROM_NOTHING = re.compile(r"(model) = exercise\.(\w+)\.solution\(\)")
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # for JupyterLab, for Colab
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def slug_of(source: Path) -> str:
    """`chapters/01_self_attention.md` -> `self_attention`; ValueError for another form of name."""
    match = re.fullmatch(r"\d\d_(\w+)", source.stem)
    if not match:
        raise ValueError(f"{source.name}: a chapter is named NN_slug.md, such as 05_vit.md")
    return match[1]


def expand(source: Path, solved: bool) -> nbformat.NotebookNode:
    """The learner's notebook of a chapter, or the solved one, not executed.

    Raises ValueError, naming the file, for a source that is empty or no valid MyST Markdown, for an
    exercise that its module does not hold and for a folded cell that does not say what it does.
    """
    cells, number = [], 0
    for cell in _read(source).cells:
        code = cell.source.strip() if cell.cell_type == "code" else ""
        if match := FROM_NOTHING.fullmatch(code):
            cells += _from_nothing_cells(_exercise(source, match[2], match[2]), solved)
            continue
        match = EXERCISE.fullmatch(code)
        if not match:
            cells.append(_clean(cell, source))
            continue
        number += 1
        exercise = _exercise(source, *match.groups())
        cells += _exercise_cells(exercise, number, solved)
    cells.insert(1, _colab_cell())  # below the title
    _make_ids_unique(cells)
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def _read(source: Path):
    text = source.read_text(encoding="utf-8")
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except (yaml.YAMLError, MystMetadataParsingError) as error:
        place = getattr(error, "problem_mark", None)
        where = f"{source.name}:{place.line + 2}" if place else source.name
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(f"{where}: its YAML cannot be read: {what}") from error
    except nbformat.ValidationError as error:  # valid YAML, such as `:tags: fold` without brackets
        raise ValueError(f"{source.name}: a cell's header is not valid: {error.message}") from error
    if not any(cell.source.strip() for cell in notebook.cells):
        raise ValueError(
            f"{source.name}: there is nothing in it; its notebooks are left as they are"
        )
    for cell in notebook.cells:
        if cell.cell_type == "code" and "\n```{code-cell}" in f"\n{cell.source}":
            raise ValueError(
                f"{_place(source, cell)}: a code cell that no line ``` closes; it swallows the next"
            )
    return notebook


def _place(source: Path, cell) -> str:
    """`01_self_attention.md:120`, the line of the source at which a cell's text begins."""
    before, found, _ = source.read_text(encoding="utf-8").partition(cell.source or "\0")
    line = before.count("\n") + 1
    return f"{source.name}:{line}" if found else source.name


def _exercise(source: Path, variable: str, name: str):
    module = importlib.import_module(f"tutorial_lib.exercises.{slug_of(source)}")
    if variable != name or not hasattr(module, name):
        raise ValueError(
            f"{source.name}: '{variable} = exercise.{name}.reference' should name one exercise of "
            f"{module.__name__}, the same on both sides"
        )
    return getattr(module, name)


def _exercise_cells(exercise, number: int, solved: bool) -> list:
    dots = "●" * exercise.level + "○" * (5 - exercise.level)
    kind = "Find the bug" if exercise.start else "Exercise"
    heading = [
        f"#### {kind} {number}: {exercise.title}",
        f"Level {dots} · about {exercise.minutes} minutes",
        *(
            f"<details><summary>Hint {i}</summary>\n\n{hint}\n\n</details>"
            for i, hint in enumerate(exercise.hints, 1)
        ),
    ]
    body = exercise.source() if solved else exercise.stub()
    check = f"{exercise.name} = exercise.{exercise.name}.check({exercise.name})"
    text = nbformat.v4.new_markdown_cell("\n\n".join(heading))
    code = nbformat.v4.new_code_cell(f"{body}\n\n\n{check}")
    text.id, code.id = f"task-{exercise.name}"[:64], f"exercise-{exercise.name}"[:64]
    if hasattr(exercise, "why_not"):  # where a kernel cannot run, the check says another thing
        code.metadata["tags"] = ["nbval-ignore-output"]
    return [text, code]


def _from_nothing_cells(exercise, solved: bool) -> list:
    name = exercise.name.removesuffix("_from_nothing").replace("_", " ")
    heading = f"#### From nothing: {name}\n\n"
    heading += f"Level ●●●●● · about {exercise.minutes} minutes\n\n{exercise.goal}"
    empty = "model = None  # your turn: build it, train it, and leave it in `model`"
    check = f"model = exercise.{exercise.name}.check(model)"
    text = nbformat.v4.new_markdown_cell(heading)
    code = nbformat.v4.new_code_cell(f"{exercise.source() if solved else empty}\n\n{check}")
    text.id, code.id = f"goal-{exercise.name}"[:64], f"build-{exercise.name}"[:64]
    return [text, code]


def _colab_cell():
    metadata = {**FOLDED, "tags": ["hide-input"]}
    return nbformat.v4.new_code_cell(online.first_cell(), metadata=metadata, id="on-colab")


def is_folded(cell) -> bool:
    """Whether JupyterLab shows only the first line of a cell's source."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def _clean(cell, source: Path):
    tags = [tag for tag in cell.metadata.get("tags", []) if tag != "fold"]
    metadata = {}
    if "fold" in cell.metadata.get("tags", []):
        if not cell.source.startswith("# "):
            first = cell.source.partition("\n")[0]
            raise ValueError(
                f"{_place(source, cell)}: a folded cell begins with a comment, the one line that "
                f"is seen of it; this one begins with {first!r}"
            )
        tags.append("hide-input")  # for pages made with MyST
        metadata = dict(FOLDED)
    if tags:
        metadata["tags"] = tags
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    new = make(cell.source, metadata=metadata)
    # Ids from the text: building twice, or moving a cell, changes no other cell.
    new.id = hashlib.sha1(cell.source.encode()).hexdigest()[:12]
    return new


def _make_ids_unique(cells: list) -> None:
    seen = Counter()
    for cell in cells:
        seen[cell.id] += 1
        if seen[cell.id] > 1:
            cell.id = f"{cell.id}-{seen[cell.id]}"
