"""Write the sources of the book, and let Sphinx make pages of them."""

import io
from pathlib import Path

import nbformat

from tutorial_lib.book import api, chapters, claims, extra, front, glossary, indexes
from tutorial_lib.course import survey

HERE = Path(__file__).parent


class BookFailed(Exception):
    """Sphinx has found something wrong; the message says what."""


def build(root: Path, numbers: list[str] | None = None, target: Path | None = None) -> Path:
    """Make the book of the course in `root`, of all its chapters or of those with these numbers, in
    build/book or the folder `target`.

    Returns the path of its first page. Every warning is an error: raises BookFailed with all of
    them; ValueError for a chapter that is not there.
    """
    target = target or root / "build" / "book"
    sources = target.with_name(target.name + "-sources")
    write_sources(root, sources, numbers)
    warnings = io.StringIO()
    _sphinx(sources, target, warnings)
    if text := warnings.getvalue().strip():
        raise BookFailed(text)
    return target / "index.html"


def write_sources(root: Path, folder: Path, numbers: list[str] | None = None) -> None:
    """Write what Sphinx reads into `folder`; a file that has not changed is left alone, so that
    only pages that changed are read again. Files that are of no page any more are removed."""
    index = survey.load(root / "survey.toml")
    wanted = _present(root, index, numbers)
    stems = {chapter.number: chapter.stem for chapter in wanted}
    book = [chapters.pages_of(root, index, chapter, set(stems.values())) for chapter in wanted]
    texts = {f"{name}.rst": text for name, text in api.pages(HERE.parent, stems).items()}
    texts |= extra.sources(root)
    texts |= {
        "index.md": front.page(index, book, [name.partition(".")[0] for name in extra.sources(root)]),
        "systems.md": indexes.systems(index, book),
        "papers.md": indexes.papers(index, book),
        "symbols.md": indexes.symbols(book),
        "claims.md": claims.page(book),
        "glossary.md": glossary.page(index, stems),
    }
    for pages in book:
        for name, notebook in pages.notebooks():
            texts[f"chapters/{name}.ipynb"] = nbformat.writes(notebook)
    for name, text in texts.items():
        _write(folder / name, text)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in texts:
            path.unlink()


def _present(root: Path, index: survey.Survey, numbers: list[str] | None) -> list:
    there = [c for c in index.chapters if (root / "solutions" / f"{c.stem}.ipynb").exists()]
    if numbers is None:
        return there
    wanted = [index.chapter(number) for number in numbers]
    for chapter in wanted:
        if chapter not in there:
            raise ValueError(f"chapter {chapter.number} is not written yet")
    return [chapter for chapter in there if chapter in wanted]


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _sphinx(sources: Path, target: Path, warnings) -> None:
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    doctrees = target.with_name(target.name + "-doctrees")
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            sources, HERE, target, doctrees, "html", status=None, warning=warnings, parallel=1
        )
        app.build()
