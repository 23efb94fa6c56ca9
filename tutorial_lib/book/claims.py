"""The claims of all chapters, with the figures that were measured: read from the outputs of the
solved notebooks, where `tutorial_lib.notebook.claims.claim` has printed them."""

import re
from dataclasses import dataclass

from tutorial_lib.course.survey import Chapter

# ✓ claim [vit]: text, in lines of which all but the first are indented by two, and then
#   measured  figures, in lines of which all but the first are indented by twelve
CLAIM = re.compile(
    r"^✓ claim(?: \[(\w+)\])?: (.*(?:\n  (?!measured  )\S.*)*)"
    r"(?:\n  measured  (.*(?:\n {12}\S.*)*))?",
    re.MULTILINE,
)
PAGE = """# Claims

What the course says a system does, a cell of a chapter shows, with a baseline, and a claim that
does not hold stops the notebook. These {count} ran when the notebooks were built. Where a figure
has a ±, it is the mean over seeds, and half their range. Each number leads to its cell.
"""


@dataclass(frozen=True)
class Claim:
    """One claim that held."""

    chapter: Chapter
    part: str  # "core", "family" or "lab"
    text: str
    measured: str
    system: str  # its id in survey.toml, or ""
    anchor: str  # of its cell


def claims_in(cell, chapter: Chapter, part: str, anchor: str) -> list[Claim]:
    """The claims that the output of an executed cell shows, in order."""
    printed = "".join(output.get("text", "") for output in cell.outputs)
    return [
        Claim(chapter, part, _one_line(text), _one_line(measured), system, anchor)
        for system, text, measured in CLAIM.findall(printed)
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def page(chapters) -> str:
    """All claims as Markdown: a table for each chapter."""
    lines = [PAGE.format(count=sum(len(pages.claims) for pages in chapters))]
    for pages in chapters:
        if not pages.claims:
            continue
        link = f"[{pages.chapter.title}](chapters/{pages.chapter.stem}.ipynb)"
        rows = []
        for number, claim in enumerate(pages.claims, 1):
            text, measured = escape(claim.text), escape(claim.measured)
            rows.append(f"| [{number}](#{claim.anchor}) | {text} | {measured} | {claim.part} |")
        lines += [f"## {pages.chapter.number} · {link}", ""]
        lines += table("claims", "| | claim | measured | part |", rows)
    return "\n".join(lines)


def table(kind: str, head: str, rows: list[str]) -> list[str]:
    """The lines of a Markdown table that keeps its columns' widths in a wide window, and whose
    cells stand one below the other on a phone. `kind` is its class, for book.css."""
    rule = "|---" * (head.count("|") - 1) + "|"
    return [f'<div class="lookup {kind}">', "", head, rule, *rows, "", "</div>", ""]


def escape(text: str) -> str:
    """Plain text in Markdown, in a table too."""
    return re.sub(r"([\\`*_{}\[\]<>|$~#^])", r"\\\1", text)
