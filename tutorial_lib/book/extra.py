"""Pages beside the chapters: a quiz, an explainer, measurements. To add one, add a line to PAGES:

    Extra("quiz", "Which mistake is it?", "A quiz from the known mistakes.", quiz.page)

A page's content is a function of the course's folder that returns text: Markdown, or one HTML file
that needs nothing else, which is then shown inside a page of the book and can be opened alone. The
book's tests read every page in PAGES, and want no request to leave the machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INSET = """# {title}

{about} <a href="extra/{name}.html">Open it alone</a>.

<iframe class="inset" src="extra/{name}.html" title="{title}"></iframe>
"""


@dataclass(frozen=True)
class Extra:
    """One page: the name of its file, its title, a sentence about it, and what makes its text."""

    name: str
    title: str
    about: str
    content: Callable[[Path], str]


PAGES: tuple[Extra, ...] = ()


def texts(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Of all pages in PAGES: file name -> text for Sphinx, and file name -> text of HTML files that
    are put into the book as they are."""
    pages, files = {}, {}
    for page in PAGES:
        text = page.content(root)
        if text.lstrip().lower().startswith(("<!doctype html", "<html")):
            files[f"extra/{page.name}.html"] = text
            text = INSET.format(name=page.name, title=page.title, about=page.about)
        pages[f"{page.name}.md"] = text
    return pages, files
