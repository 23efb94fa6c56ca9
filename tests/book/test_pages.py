"""What the pages of the book are made of: texts, anchors and tables, before Sphinx sees them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from nbformat import v4

from tutorial_lib.book import (
    api,
    build,
    chapters,
    claims,
    extra,
    front,
    glossary,
    indexes,
    measured,
)
from tutorial_lib.course import survey
from tutorial_lib.notebook.claims import claim

pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")
ROOT = Path(__file__).parents[2]
INDEX = survey.load()
CHAPTER = INDEX.chapter("05")


@pytest.fixture(scope="module")
def book():
    """All chapters that are there, as pages."""
    there = [c for c in INDEX.chapters if (ROOT / f"solutions/{c.stem}.ipynb").exists()]
    stems = {chapter.stem for chapter in there}
    return [chapters.pages_of(ROOT, INDEX, chapter, stems) for chapter in there]


def printed(text):
    return v4.new_code_cell("claim(...)", outputs=[v4.new_output("stream", text=text)])


def test_a_claim_is_read_as_it_was_printed(capsys):
    text = "a claim of more letters than fit into one line, indented from its second line on"
    figures = {f"figure_{i}": 0.25 for i in range(9)}
    claim(text, True, system="vit", **figures)
    claim("another, without figures", True)
    found = claims.claims_in(printed(capsys.readouterr().out), CHAPTER, "core", "here")
    assert [c.text for c in found] == [text, "another, without figures"]
    assert [c.system for c in found] == ["vit", ""]
    assert found[0].measured == ", ".join(f"figure {i} 0.25" for i in range(9))
    assert found[1].measured == ""


def test_every_claim_of_the_solved_notebooks_is_in_the_table(book):
    page = claims.page(book)
    for pages in book:
        source = (ROOT / f"solutions/{pages.chapter.stem}.ipynb").read_text(encoding="utf-8")
        assert len(pages.claims) == len(re.findall("✓ claim", source))
        assert all(f"(#{claim.anchor})" in page for claim in pages.claims)


def test_nothing_of_a_chapter_is_lost_or_told_twice(book):
    for pages in book:
        cells = [cell for part in pages.parts.values() for cell in part]
        solved = build.nbformat.read(ROOT / f"solutions/{pages.chapter.stem}.ipynb", as_version=4)
        wanted = [c.id for c in solved.cells if c.cell_type == "code" and c.id != chapters.COLAB]
        assert sorted(c.id for c in cells if c.cell_type == "code") == sorted(wanted)
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for line in re.findall(r"^#+ (.*)$", pages.text, re.MULTILINE):
            assert len(re.findall(f"^#+ {re.escape(line)}$", prose, re.MULTILINE)) >= 1


def test_core_family_and_lab_are_apart(book):
    vit = next(pages for pages in book if pages.chapter.number == "09")
    assert list(vit.parts) == ["core", "family", "lab"]
    heads = {
        part: [c.source.split("\n")[0] for c in cells if c.source.startswith("## ")]
        for part, cells in vit.parts.items()
    }
    assert all("The family" in head for head in heads["family"])
    assert all("Lab" in head for head in heads["lab"])
    assert not any("Lab" in head or "The family" in head for head in heads["core"])
    assert "Where it goes from here" in heads["core"][-1]


def test_a_solution_is_folded_below_its_task(book):
    for pages in book:
        for cells in pages.parts.values():
            for before, cell in zip(cells, cells[1:]):
                if cell.cell_type == "code" and cell.id.startswith(chapters.TASK):
                    assert cell.metadata["tags"] == ["hide-input"]
                    assert before.source.startswith("````python\n")
                    assert cell.source not in before.source


def test_headings_skip_no_level_and_code_is_no_heading():
    cells = [v4.new_markdown_cell("# a\n\n#### b\n\n```\n#### no heading\n```\n\n## c\n\n#### d")]
    chapters._close_gaps(cells)
    assert cells[0].source == "# a\n\n## b\n\n```\n#### no heading\n```\n\n## c\n\n### d"


def test_links_to_chapters_that_the_book_lacks_become_text():
    cell = v4.new_markdown_cell("[chapter 02](02_x.ipynb), [chapter 03](03_y.ipynb)")
    assert chapters._prose(cell, {"02_x"}).source == "[chapter 02](02_x.ipynb), chapter 03"


def test_the_same_chapter_makes_the_same_pages(book):
    again = chapters.pages_of(ROOT, INDEX, book[1].chapter, {pages.chapter.stem for pages in book})
    assert list(again.notebooks([])) == list(book[1].notebooks([]))


def test_links_in_what_a_cell_has_made_lead_to_pages():
    html = '<a href="02_x.ipynb">02</a> <a href="03_y.ipynb">03</a>'
    output = v4.new_output("display_data", data={"text/html": html})
    (cell,) = chapters._code(v4.new_code_cell("table", outputs=[output]), {}, {"02_x"})
    assert cell.outputs[0].data["text/html"] == '<a href="02_x.html">02</a> <a >03</a>'


def test_every_built_system_has_a_cell_and_every_system_its_rows(book):
    there = {pages.chapter.number for pages in book}
    built = {s.id for s in INDEX.systems if s.status == "built" and s.chapter in there}
    assert built == set().union(*(pages.systems for pages in book))
    page, start = indexes.systems(INDEX, book), front.page(INDEX, book, [])
    for system in INDEX.systems:
        assert f"**{claims.escape(system.name)}**" in page
        assert claims.escape(system.name) in start
        assert (f"(#system-{system.id})" in start) == (system.id in built)
        assert (f"[built](#system-{system.id})" in page) == (system.id in built)
    assert start.count('class="chapter planned"') == sum(not c.core for c in INDEX.chapters)


def test_every_paper_of_the_survey_and_the_chapters_has_its_row(book):
    page = indexes.papers(INDEX, book)
    texts = [system.paper for system in INDEX.systems] + [pages.text for pages in book]
    for number in set(re.findall(r"(?:arXiv |arxiv\.org/abs/)(\d{4}\.\d{5})", "\n".join(texts))):
        assert page.count(f"[{number}](https://arxiv.org/abs/{number})") == 1
    assert not re.search(r"^\| [(.;]", page, re.MULTILINE)  # what stood before a second paper


def test_symbols_are_in_the_order_of_their_letters(book):
    rows = indexes.symbols(book).splitlines()
    letters = [indexes._letters(row)[0] for row in rows if row.startswith("| $")]
    assert letters == sorted(letters) and len(letters) > 40
    assert indexes._letters(r"| $\hat p$ | |")[0] == "p"


def test_the_glossary_is_complete_and_sorted():
    terms = glossary.terms()
    assert len(terms) >= 120
    assert len({term.anchor for term in terms}) == len(terms)
    assert [t.term.lower() for t in terms] == sorted(t.term.lower() for t in terms)
    for term in terms:
        assert re.search("[가-힣]", term.korean), f"{term.term} has no Korean"
        assert INDEX.chapter(term.chapter), term
        assert term.meaning.endswith(".") and len(term.meaning) < 130, term


def test_a_module_is_described_by_what_it_says_of_itself():
    source = '''"""About `x`. Taught in chapter 05."""
def f(x, *, k: int = 3) -> int:
    """A * of x_.

    x  (N, D)
    """
class C(Base):
    """C."""
    def __init__(self, width): ...
    def forward(self, x):
        """(N,) -> (N,)"""
    def silent(self): ...
def _hidden(): ...
'''
    page = api.module_page("tutorial_lib.layers.x", source, {"05": "05_vit"})
    assert ".. py:function:: f(x, *, k: int=3) -> int" in page
    assert ".. py:class:: C(width)" in page and ".. py:method:: forward(x)" in page
    assert r"A \* of x\_." in page and "      x  (N, D)" in page and "``x``" in page
    assert ":doc:`Chapter 05 </chapters/05_vit>`" in page
    assert "hidden" not in page and "method:: silent" not in page


def test_a_page_beside_the_chapters_is_markdown_or_one_html_file(monkeypatch):
    pages = (
        extra.Extra("text", "A text", "Text.", lambda book: f"# A text\n\n{len(book)}"),
        extra.Extra(
            "quiz", "A quiz", "Quiz.", lambda book: "<!doctype html><p>quiz</p>", near="05"
        ),
        extra.Extra("none", "Nothing", "Of another chapter.", lambda book: ""),
    )
    monkeypatch.setattr(extra, "PAGES", pages)
    made = extra.make([CHAPTER])
    assert [page.name for page in made.pages] == ["text", "quiz"]
    assert made.sources["text.md"] == "# A text\n\n1"
    assert made.files == {"extra/quiz.html": "<!doctype html><p>quiz</p>"}
    assert '<iframe class="inset" src="extra/quiz.html"' in made.sources["quiz.md"]
    assert made.links(CHAPTER) == ['<a href="../quiz.html?vit">A quiz</a>']
    assert made.links(INDEX.chapter("01")) == []
    assert "- **[A quiz](quiz.md)** Quiz.\n" in front.page(INDEX, [], made.pages)


def test_what_was_measured_is_a_table_for_each_machine(tmp_path):
    assert measured.page(tmp_path) == ""
    (tmp_path / "README.md").write_text("# B\n\n[here](results/x), [a](https://b.c)", "utf-8")
    row = dict(what="ViT", mode="forward", dtype="float32", times_ours=1.04, share_of_limit=0.255)
    row |= dict(method="timm", seconds=0.03774, peak_bytes=13_820_896)
    machine = dict(device="A CPU", date="2026-11-28T03:20:51+00:00", torch="2.13.0")
    (tmp_path / "results").mkdir()
    record = json.dumps(dict(machine=machine, rows=[row, row | {"peak_bytes": None}]))
    (tmp_path / "results" / "bench-a-cpu.json").write_text(record, encoding="utf-8")
    page = measured.page(tmp_path)
    assert page.startswith("# B\n\nhere, [a](https://b.c)\n")
    assert "## A CPU" in page and "2026-11-28" in page and page.count("### ViT") == 1
    assert "| timm | forward, float32 | 37.74 ms | 1.04 | 25.5% | 13.8 MB |" in page


def test_only_chapters_that_are_there_can_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match="not written yet: chapter 39"):
        build.build(ROOT, ["39"], tmp_path / "book")
    with pytest.raises(ValueError, match="no chapter 77"):
        build.build(ROOT, ["77"], tmp_path / "book")


def test_the_workflow_publishes_what_the_command_makes():
    """No runner is here: the steps are looked at."""
    text = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["publish"]
    assert "python course.py book" in [step.get("run") for step in job["steps"]]
    (upload,) = [step for step in job["steps"] if "upload-pages" in step.get("uses", "")]
    assert upload["with"]["path"] == "build/book"
    assert '    "book":' in (ROOT / "course.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text, said",
    [
        ("# A\n\n[x](nowhere.md)", "nowhere"),
        ("# A\n\n[x](#nothing)", "nothing"),
        ("# A\n\n### B", "header"),
        ("# A\n\n```{nonsense}\n```", "nonsense"),
    ],
)
def test_what_sphinx_warns_of_stops_the_book(tmp_path, text, said):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "index.md").write_text(text, encoding="utf-8")
    for _ in range(2):  # and each time, though Sphinx remembers what it has read
        assert said in build._run_sphinx(tmp_path / "sources", tmp_path / "book")
