"""Pages beside the chapters: a quiz, an explainer, measurements. To add one, add a line to PAGES.

A page's content is a function of the book's chapters that returns text: Markdown, or one HTML file
that needs nothing else, which is then shown inside a page of the book and can be opened alone; or
nothing, where the book lacks what the page is about. Every page in PAGES is in the sidebar and on
the first page.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tutorial_lib.book import measured
from tutorial_lib.course.survey import Chapter

INSET = """# {title}

{about} <a href="extra/{name}.html">Open it alone</a>.

<iframe class="inset" src="extra/{name}.html" title="{title}"></iframe>
"""


@dataclass(frozen=True)
class Extra:
    """One page: the name of its file, its title, a sentence about it, what makes its text, and the
    number of the chapter whose pages link to it ("*": all do)."""

    name: str
    title: str
    about: str
    content: Callable[[list[Chapter]], str]
    near: str = ""


def _quiz(chapters: list[Chapter]) -> str:
    from tutorial_lib.course import quiz

    return quiz.page(chapters)


def _explainer(chapters: list[Chapter]) -> str:
    if not any(chapter.slug == "vit" for chapter in chapters):
        return ""
    from tutorial_lib.recipes.vit import explainer

    return explainer.page()


PAGES = (
    Extra(
        "quiz",
        "Which mistake is it?",
        "A function, a case, what was expected and what came out: what went wrong?",
        _quiz,
        near="*",
    ),
    Extra(
        "vit-explainer",
        "A ViT at work",
        "Pick or draw a garment, and watch patches, tokens, attention and logits.",
        _explainer,
        near="05",
    ),
    Extra(
        "benchmarks",
        "Beside other code",
        "Time and memory of each component, and of what people would pick instead.",
        lambda chapters: measured.page(),
    ),
)


@dataclass
class Made:
    """The pages that a book has beside its chapters."""

    pages: list[Extra]
    sources: dict[str, str]  # file name -> text for Sphinx
    files: dict[str, str]  # file name -> HTML that is put into the book as it is

    def links(self, chapter: Chapter) -> list[str]:
        """Links from a chapter's pages, as HTML. What stands behind the ? becomes the #place in the
        file that is shown (book.js): a quiz begins with that chapter."""
        near = [page for page in self.pages if page.near in ("*", chapter.number)]
        return [f'<a href="../{e.name}.html?{chapter.slug}">{e.title}</a>' for e in near]


def make(chapters: list[Chapter]) -> Made:
    """All of PAGES, for a book of these chapters."""
    made = Made([], {}, {})
    for page in PAGES:
        if not (text := page.content(chapters)):
            continue
        made.pages.append(page)
        if text.lstrip().lower().startswith(("<!doctype html", "<html")):
            made.files[f"extra/{page.name}.html"] = text
            text = INSET.format(name=page.name, title=page.title, about=page.about)
        made.sources[f"{page.name}.md"] = text
    return made
