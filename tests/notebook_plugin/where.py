"""Where a person should look: the line of the chapter's source behind a cell, and in the cell."""

import re
from itertools import zip_longest
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r"Cell In\[\d+\], line (\d+)")


def line_in_cell(traceback: str) -> int | None:
    """The line of the failing cell itself: the outermost frame that is in a cell."""
    match = FRAME.search(ESCAPES.sub("", traceback or ""))
    return int(match[1]) if match else None


def place(notebook: Path, cells: list, index: int, root: Path, line: int | None) -> str:
    """Like "chapters/01_self_attention.md:123, cell 14, line 3".

    notebook  solutions/NN_slug.ipynb; its source is chapters/NN_slug.md beside that folder
    cells     its code cells; `index` is the position of the one meant
    line      the line inside the cell, if one is known
    """
    source = notebook.parent.parent / "chapters" / f"{notebook.stem}.md"
    row = _row(source, cells, index, line or 1) if source.exists() else None
    path = notebook if row is None else source
    path = path.relative_to(root) if path.is_relative_to(root) else path
    parts = [f"{path}:{row}" if row else str(path), f"cell {index + 1}"]
    return ", ".join(parts + ([f"line {line}"] if line else []))


def _row(source: Path, cells: list, index: int, line: int) -> int | None:
    """The row of the source, counted from 1, of a line of a cell."""
    rows = source.read_text(encoding="utf-8").splitlines()
    cell = cells[index]
    if cell.get("id", "").startswith("exercise-"):
        name = cell["id"].removeprefix("exercise-")
        wanted = [f"{name} = exercise.{name}.reference"]
        line, earlier = 1, 0
    else:
        wanted = cell.source.splitlines()
        earlier = sum(other.source == cell.source for other in cells[:index])
    starts = [i for i in range(len(rows)) if wanted and rows[i : i + len(wanted)] == wanted]
    return starts[earlier] + line if earlier < len(starts) else None


def first_difference(reference, new) -> str:
    """The first line in which two outputs part."""
    if not isinstance(reference, str) or not isinstance(new, str):
        return f"reference {reference!r}, new {new!r}"
    both = zip_longest(reference.splitlines(), new.splitlines())
    for number, (old, now) in enumerate(both, 1):
        if old != now:
            words = ["no such line" if text is None else repr(text) for text in (old, now)]
            return f"line {number}: reference {words[0]}, new {words[1]}"
    return "only in their line ends"
