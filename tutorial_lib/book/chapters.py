"""A chapter's solved notebook as pages: its core, its family of systems, its lab.

Of an exercise the reader sees the task, folded hints, and a solution that is folded too. Code that
a chapter folds stays folded, below the line that says what it does.
"""

import copy
import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import nbformat

from tutorial_lib.book.claims import Claim, claims_in
from tutorial_lib.course.survey import Chapter, Survey

PARTS = {"core": "", "family": "the family", "lab": "lab"}  # part -> what its page's title adds
FAMILY, LAB = re.compile(r"## +(\d+\. +)?The family\b"), re.compile(r"## +(\d+\. +)?Lab\b")
TASK = ("exercise-", "build-")  # how the ids of cells begin in which a learner writes
LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+)\.ipynb\)")
HREF = re.compile(r'href="(\d\d_\w+)\.ipynb"')
COLAB = "on-colab"  # the id of a cell that means nothing on a page


@dataclass
class Pages:
    """A chapter in the book, and what the other pages point to in it."""

    chapter: Chapter
    parts: dict = field(default_factory=dict)  # "core", "family", "lab" -> cells of that page
    claims: list[Claim] = field(default_factory=list)
    systems: set = field(default_factory=set)  # ids of systems that have an anchor here
    text: str = ""  # all Markdown of the chapter

    def name(self, part: str) -> str:
        """The file of a part, without its ending: 05_vit, 05_vit_family, 05_vit_lab."""
        return self.chapter.stem + (f"_{part}" if part != "core" else "")

    def imports(self) -> set[str]:
        """The modules of the library that the chapter's cells name."""
        code = "\n".join(cell.source for cells in self.parts.values() for cell in cells)
        found = re.findall(r"^from (tutorial_lib[\w.]*) import (.*)$", code, re.MULTILINE)
        names = {f"{module}.{name.split()[0]}" for module, ns in found for name in ns.split(",")}
        return names | {module for module, _ in found}

    def notebooks(self, links: list[str]):
        """(name, notebook) for each page. `links` are HTML, to pages beside the chapters."""
        for part, cells in self.parts.items():
            if len(self.parts) > 1 or links:
                cells = [*cells[:1], _markdown(self._bar(part, links)), *cells[1:]]
            for place, cell in enumerate(
                cells
            ):  # of Markdown they are random: never twice the same
                cell.id = f"cell-{place}"
            notebook = nbformat.v4.new_notebook(cells=cells)
            notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
            yield self.name(part), notebook

    def _bar(self, part: str, beside: list[str]) -> str:
        """Links between the parts of a chapter, and, on its first page, their places in the
        contents."""
        labels = {"core": "Core", "family": "The family", "lab": "Lab"}
        links = [
            f"**{labels[p]}**" if p == part else f"[{labels[p]}]({self.name(p)}.ipynb)"
            for p in self.parts
        ]
        bar = f'<div class="parts">\n\n{" · ".join(links + beside)}\n\n</div>'
        others = [f"{labels[p]} <{self.name(p)}>" for p in self.parts if p != "core"]
        if part != "core" or not others:
            return bar
        return "\n".join([bar, "", "```{toctree}", ":hidden:", "", *others, "```"])


def pages_of(root: Path, survey: Survey, chapter: Chapter, present: set[str]) -> Pages:
    """The pages of one chapter. `present` are the stems of the chapters that this book has: links
    to others become plain text."""
    solved = nbformat.read(root / "solutions" / f"{chapter.stem}.ipynb", as_version=4).cells
    learner = nbformat.read(root / "chapters" / f"{chapter.stem}.ipynb", as_version=4).cells
    tasks = {cell.id: cell.source for cell in learner}
    pages = Pages(chapter)
    pages.text = "\n\n".join(cell.source for cell in solved if cell.cell_type == "markdown")
    built = _places(solved, [s for s in survey.systems_of(chapter.number) if s.status == "built"])
    part = "core"
    for cell in chain.from_iterable(map(_sections, solved)):
        if cell.cell_type == "markdown":
            part = _part(cell.source, part)
            _page(pages, part).append(_prose(cell, present))
        elif cell.id != COLAB:
            anchors = [f"system-{id}" for id in built.get(cell.id, ())]
            found = claims_in(cell, chapter, part, anchor=f"claim-{chapter.number}-{cell.id}")
            anchors += [found[0].anchor] if found else []
            pages.claims += found
            pages.systems |= set(built.get(cell.id, ()))
            if anchors:
                _page(pages, part).append(_markdown("\n".join(f"({a})=" for a in anchors)))
            _page(pages, part).extend(_code(cell, tasks, present))
    for cells in pages.parts.values():
        _close_gaps(cells)
    return pages


def _page(pages: Pages, part: str) -> list:
    """The cells of a part, which begins with its title."""
    title = f"# {pages.chapter.number} · {pages.chapter.title}: {PARTS[part]}"
    return pages.parts.setdefault(part, [] if part == "core" else [_markdown(title)])


def _sections(cell) -> list:
    """A Markdown cell cut before each heading of a section; any other cell as it is."""
    if cell.cell_type != "markdown":
        return [cell]
    pieces = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
    return [_markdown(piece) for piece in pieces if piece.strip()]


def _part(source: str, part: str) -> str:
    """The part to which some Markdown belongs: a section opens one, all else goes on with it. What
    follows the lab, where it goes from here, concerns who has read the core."""
    if not source.startswith("## "):
        return part
    return "family" if FAMILY.match(source) else "lab" if LAB.match(source) else "core"


def _markdown(source: str):
    return nbformat.v4.new_markdown_cell(source)


def _prose(cell, present: set[str]):
    def link(match):
        return match[0] if match[2] in present else match[1]

    return _markdown(LINK.sub(link, cell.source))


def _href(match, present: set[str]) -> str:
    """A link to a notebook, in a table that a cell has made, as a link to its page."""
    return f'href="{match[1]}.html"' if match[1] in present else ""


def _code(cell, tasks: dict, present: set[str]) -> list:
    """A code cell for the page; of an exercise, the task as well."""
    cell = copy.deepcopy(cell)
    _describe_picture(cell)
    for output in cell.outputs:
        if html := output.get("data", {}).get("text/html"):
            output.data["text/html"] = HREF.sub(lambda m: _href(m, present), html)
    if cell.id.startswith(TASK):
        cell.metadata["tags"] = ["hide-input"]
        _prompt(cell, "A solution")
        return [_markdown(f"````python\n{tasks[cell.id]}\n````"), cell]
    if "hide-input" in cell.metadata.get("tags", []):
        _prompt(cell, "Code: " + cell.source.partition("\n")[0].removeprefix("# "))
    return [cell]


def _prompt(cell, text: str):
    cell.metadata.setdefault("mystnb", {}).update(code_prompt_show=text, code_prompt_hide=text)


def _describe_picture(cell):
    """A picture's description becomes its alternative text. In a notebook it is in a paragraph that
    only screen readers find, because JupyterLab does not show a picture's `alt`."""
    described = [out for out in cell.outputs if "alt" in str(out.get("metadata", ""))]
    if len(described) == 1:
        (kind,) = described[0].metadata
        alt = described[0].metadata[kind]["alt"]
        cell.metadata.setdefault("mystnb", {})["image"] = {"alt": alt}
        cell.outputs = [out for out in cell.outputs if not _is_description(out)]


def _is_description(output) -> bool:
    html = "".join(output.get("data", {}).get("text/html", ""))
    return html.startswith('<p style="position:absolute') and ">Figure: " in html


def _places(cells, systems) -> dict[str, list[str]]:
    """Cell id -> the systems that are built there: in the exercise whose class or function names
    the system's symbol, or else in the cell where its claim first holds."""
    places = {}
    for system in systems:
        name = system.symbol.partition(":")[2]
        code = [cell for cell in cells if cell.cell_type == "code"]
        writes = [c for c in code if c.id.startswith(TASK) and re.search(rf"\b{name}\b", c.source)]
        claims = [cell for cell in code if f"claim [{system.id}]" in _printed(cell)]
        if writes or claims:
            places.setdefault((writes or claims)[0].id, []).append(system.id)
    return places


def _printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def _close_gaps(cells: list) -> None:
    """Headings may not skip a level: one below another is at most one deeper."""
    level = 0
    for cell in cells:
        lines, fenced = cell.source.split("\n") if cell.cell_type == "markdown" else [], False
        for i, line in enumerate(lines):
            fenced ^= line.startswith("```")
            if not fenced and (match := re.match(r"(#+) ", line)):
                level = min(len(match[1]), level + 1)
                lines[i] = "#" * level + line[len(match[1]) :]
        if lines:
            cell.source = "\n".join(lines)
