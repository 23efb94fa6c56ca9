"""The indexes of the book: systems, papers and symbols, with the places where they are taught."""

import re
from itertools import groupby

from tutorial_lib.book.claims import escape, table
from tutorial_lib.course.survey import Survey

ARXIV = re.compile(r"arXiv (\d{4}\.\d{5})")
BEFORE = re.compile(r"^[).;\s]*(\((borrowed in|on) )?")  # what joins one paper to the one before it
CITED = re.compile(r"\[([^\]]+)\]\(https?://arxiv\.org/abs/(\d{4}\.\d{5})\)")
SYMBOLS = re.compile(r"^\| symbol \|.*\n\|[-| ]+\|\n((?:\|.*\n?)+)", re.MULTILINE)
SYSTEMS_PAGE = """# Systems

The {total} systems of the survey: {built} built, {planned} still planned. Claims marked [P] hold by
construction, [E] are empirical. The letter after a reference: A, a runnable public implementation;
B, part of one; C, public code that needs CUDA or an old framework; D, none, so an identity or a
brute force.
"""
PAPERS_PAGE = """# Papers

Every paper that the survey's systems come from and that the chapters speak of, by date.
"""
SYMBOLS_PAGE = """# Symbols

The letters of the chapters, as each chapter's first section introduces them. Symbols match the
papers, so some letters have more than one meaning.
"""


def systems(survey: Survey, chapters: list) -> str:
    """Every system: paper, claim, reference, and the cells that build it and show its claim."""
    there = {pages.chapter.number: pages for pages in chapters}
    lines = [SYSTEMS_PAGE.format(total=len(survey.systems), **survey.progress())]
    for section, found in groupby(survey.systems, key=lambda system: system.section):
        rows = []
        for system in found:
            where = _where(system, survey.chapter(system.chapter), there.get(system.chapter))
            doubt = f"<br>Uncertain: {escape(system.uncertain)}" if system.uncertain else ""
            name = f"**{escape(system.name)}**<br>{_linked(system.paper)}{doubt}"
            reference = f"<br>Compared with: {escape(system.reference)} ({system.grade})"
            rows.append(
                f"| {system.number} | {name} | {escape(system.claim)}{reference} | {where} |"
            )
        lines += [f"## {escape(section)}", ""]
        lines += table("systems", "| | system | claim | where |", rows)
    return "\n".join(lines)


def _where(system, chapter, pages) -> str:
    """The chapter, the state, and links to the cell that builds the system and to its claims."""
    if not pages:
        return f"{chapter.number} {escape(chapter.title)}<br>{system.status}"
    lines = [f"[{chapter.number} {escape(chapter.title)}](chapters/{chapter.stem}.ipynb)"]
    lines.append(
        f"[{system.status}](#system-{system.id})" if system.id in pages.systems else system.status
    )
    cells = dict.fromkeys(claim.anchor for claim in pages.claims if claim.system == system.id)
    if cells:
        links = (f"[{i}](#{anchor})" for i, anchor in enumerate(cells, 1))
        lines.append("claims " + " ".join(links))
    return "<br>".join(lines)


def _linked(paper: str) -> str:
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", escape(paper))


def papers(survey: Survey, chapters: list) -> str:
    """Every paper, by its arXiv number; then those that have none."""
    titles, chapters_of, without = {}, {}, []
    for system in survey.systems:
        pieces = ARXIV.split(system.paper)  # text, number, text, number, ...
        for text, number in zip(pieces[::2], pieces[1::2]):
            titles[number] = BEFORE.sub("", text).strip("; ")
            chapters_of.setdefault(number, set()).add(system.chapter)
        if len(pieces) == 1:
            without.append((system.paper, system.chapter))
    for pages in chapters:
        for text, number in CITED.findall(pages.text):
            titles.setdefault(number, text)
            chapters_of.setdefault(number, set()).add(pages.chapter.number)
    there = {pages.chapter.number: pages.chapter.stem for pages in chapters}
    lines = [PAPERS_PAGE]
    for year, numbers in groupby(sorted(titles, key=_date), key=lambda number: _date(number)[:4]):
        rows = []
        for number in numbers:
            links = _chapter_links(sorted(chapters_of[number]), there)
            arxiv = f"[{number}](https://arxiv.org/abs/{number})"
            rows.append(f"| {escape(titles[number])} | {arxiv} | {links} |")
        lines += [f"## {year}", "", *table("papers", "| paper | arXiv | chapters |", rows)]
    rows = [f"| {escape(paper)} | | {_chapter_links([c], there)} |" for paper, c in without]
    lines += ["## Not on arXiv", "", *table("papers", "| paper | | chapters |", rows)]
    return "\n".join(lines)


def _date(number: str) -> str:
    """An arXiv number with its century, so that numbers sort by date: 1706.03762 -> 201706.03762"""
    return f"20{number}"


def _chapter_links(numbers: list[str], there: dict[str, str]) -> str:
    return ", ".join(f"[{n}](chapters/{there[n]}.ipynb)" if n in there else n for n in numbers)


def symbols(chapters: list) -> str:
    """The rows of the chapters' tables of symbols, by letter."""
    rows = []
    for pages in chapters:
        link = f"[{pages.chapter.number}](chapters/{pages.chapter.stem}.ipynb)"
        for found in SYMBOLS.findall(pages.text):
            rows += [f"{row} {link} |" for row in found.strip().splitlines()]
    head = "| symbol | shape | what it is | chapter |"
    return "\n".join([SYMBOLS_PAGE, *table("symbols", head, sorted(rows, key=_letters))])


def _letters(row: str) -> tuple[str, str]:
    """What a symbol is sorted by: its letters, without the commands that only decorate them."""
    symbol = re.sub(r"\\(hat|text|mathrm|mathbf|mathcal)\b", "", row.split("|")[1])
    return re.sub(r"[^a-z]", "", symbol.lower()), row
