"""The field's terms, in English and Korean, with the chapter that teaches each."""

import csv
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tutorial_lib.book.claims import escape, table
from tutorial_lib.course.survey import Survey

FILE = Path(__file__).with_name("glossary.tsv")
PAGE = """# Glossary

{count} terms of the field, what they mean, and the chapter that teaches each; those of chapters
that are still to be written have no link yet. The second half leads from Korean to English.

한국어 용어로 찾으려면 [한국어 → English](#korean) 목록을 보세요.
영어 용어를 누르면 설명으로 갑니다.
"""
KOREAN = """
(korean)=
## 한국어 → English
"""


@dataclass(frozen=True)
class Term:
    """One line of glossary.tsv. `korean` may be several words, with commas between them."""

    term: str
    korean: str
    chapter: str
    meaning: str

    @property
    def anchor(self) -> str:
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.term.lower()).strip("-")


def terms() -> list[Term]:
    """All terms, in the order of the alphabet."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [Term(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def page(survey: Survey, present: dict[str, str]) -> str:
    """The glossary as Markdown; `present` are the numbers and stems of the book's chapters."""
    found = terms()
    lines = [PAGE.format(count=len(found))]
    for letter, group in groupby(found, key=lambda term: term.term[0].upper()):
        rows = [_row(term, survey.chapter(term.chapter), present) for term in group]
        lines += [f"## {letter}", "", *table("glossary", "| term | meaning | chapter |", rows)]
    by_korean = sorted((word, term) for term in found for word in term.korean.split(", "))
    rows = [
        f'| {escape(word)} | <a href="#{term.anchor}">{escape(term.term)}</a> |'
        for word, term in by_korean
    ]
    return "\n".join([*lines, KOREAN, *table("korean", "| 한국어 | English |", rows)])


def _row(term: Term, chapter, present: dict[str, str]) -> str:
    link = chapter.number
    if link in present:
        link = f"[{link}](chapters/{chapter.stem}.ipynb)"
    name = f'<span id="{term.anchor}">**{escape(term.term)}**</span>'
    return f'| {name}<br><span lang="ko">{escape(term.korean)}</span> | {term.meaning} | {link} |'
