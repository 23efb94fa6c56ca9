"""Write the sources of the book, and let Sphinx make pages of them."""

import io
import shutil
from pathlib import Path

import nbformat

from tutorial_lib.book import api, chapters, claims, extra, front, glossary, indexes
from tutorial_lib.course import survey

HERE = Path(__file__).parent


class BookFailed(Exception):
    """Sphinx has found something wrong; the message says what, a line for each thing."""


def build(root: Path, numbers: list[str] | None = None, target: Path | None = None) -> Path:
    """Make the book of the course in `root`, of all its chapters or of those with these numbers, in
    build/book or the folder `target`.

    Returns the path of its first page. Every warning is an error: raises BookFailed with all of
    them; ValueError for a chapter that is not there.
    """
    target = target or root / "build" / "book"
    sources = target.with_name(f"{target.name}-sources")
    index = survey.load(root / "survey.toml")
    wanted = _present(root, index, numbers)
    beside = extra.make(wanted)
    texts = _texts(root, index, wanted, beside, all_modules=numbers is None)
    _write_all(sources, texts)
    shutil.rmtree(target, ignore_errors=True)  # every page is written anew: its sidebar names all
    if warnings := _run_sphinx(sources, target):
        raise BookFailed(warnings)
    for name, text in beside.files.items():
        _write(target / name, text)
    return target / "index.html"


def _texts(root: Path, index, wanted: list, beside: extra.Made, all_modules: bool) -> dict:
    """File name -> text of everything that Sphinx reads. The library has pages for all modules, or
    for those that the chapters import."""
    stems = {chapter.number: chapter.stem for chapter in wanted}
    book = [chapters.pages_of(root, index, chapter, set(stems.values())) for chapter in wanted]
    imported = None if all_modules else set().union(*(pages.imports() for pages in book))
    library = api.pages(HERE.parent, stems, imported)
    texts = {f"{name}.rst": text for name, text in library.items()}
    for pages in book:
        for name, notebook in pages.notebooks(beside.links(pages.chapter)):
            texts[f"chapters/{name}.ipynb"] = nbformat.writes(notebook)
    return {
        **texts,
        **beside.sources,
        "index.md": front.page(index, book, beside.pages),
        "systems.md": indexes.systems(index, book),
        "papers.md": indexes.papers(index, book),
        "symbols.md": indexes.symbols(book),
        "claims.md": claims.page(book),
        "glossary.md": glossary.page(index, stems),
    }


def _present(root: Path, index: survey.Survey, numbers: list[str] | None) -> list:
    """The chapters that are written, or those of them with these numbers."""
    there = [c for c in index.chapters if (root / "solutions" / f"{c.stem}.ipynb").exists()]
    if numbers is None:
        return there
    try:
        wanted = [index.chapter(number) for number in numbers]
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    if planned := [chapter.number for chapter in wanted if chapter not in there]:
        raise ValueError(f"not written yet: chapter {', '.join(planned)}")
    return [chapter for chapter in there if chapter in wanted]


def _write_all(folder: Path, texts: dict[str, str]) -> None:
    """Make `folder` hold these files and no others. One that has not changed is left alone: Sphinx
    reads again only what is new."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            _write(path, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _run_sphinx(sources: Path, target: Path) -> str:
    """Make the pages; what Sphinx warns of."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    warnings = io.StringIO()
    doctrees = target.with_name(f"{target.name}-doctrees")
    with patch_docutils(), docutils_namespace():
        Sphinx(sources, HERE, target, doctrees, "html", status=None, warning=warnings).build()
    if found := warnings.getvalue().strip():
        shutil.rmtree(doctrees)  # or pages with mistakes would not be read, and told of, again
    return found
