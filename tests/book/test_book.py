"""The book of two chapters, as files and in a real browser.

Chapter 01 has an attention explorer, chapter 19 has clouds to turn, a family and built systems.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import pytest

from tutorial_lib.book import extra
from tutorial_lib.book.build import build
from tutorial_lib.course import survey

ROOT = Path(__file__).parents[2]
INDEX = survey.load()
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
CHAPTERS = ("01_self_attention", "01_self_attention_lab", "19_pointnet", "19_pointnet_family")
LOOK_UP = ("index", "systems", "papers", "symbols", "claims", "glossary", "quiz", "text", "search")
PAGES = [
    *(f"{name}.html" for name in LOOK_UP),
    *(f"chapters/{name}.html" for name in CHAPTERS),
    "api/tutorial_lib.models.pose.pointnet.html",
]
# The suite runs tests whose names hold a chapter such as 01_x side by side; these share one book.
IDS = [name.replace("_", " ") for name in PAGES]
pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a book of two chapters, with a page of text beside them."""
    text = extra.Extra("text", "A text", "A page.", lambda book: "# A text\n\n[map](index.md)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extra, "PAGES", (*extra.PAGES, text))
        return build(ROOT, ["01", "19"], tmp_path_factory.mktemp("book") / "book").parent


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


@pytest.fixture(scope="module")
def pages(book):
    return {path: Page(path) for path in book.rglob("*.html") if "_static" not in path.parts}


def test_the_book_has_its_chapters_and_all_systems(book):
    for name in (*PAGES, "chapters/19_pointnet_lab.html", "extra/quiz.html"):
        assert (book / name).exists(), name
    start = (book / "index.html").read_text(encoding="utf-8")
    table = (book / "systems.html").read_text(encoding="utf-8")
    for system in INDEX.systems:
        name = system.name.replace("&", "&amp;").replace("'", "’")
        assert name in table.replace("'", "’") and name in start.replace("'", "’"), system.name
    assert len(re.findall('<i class="dot built" title', start)) == INDEX.progress()["built"]
    assert start.count('href="chapters/19_pointnet.html#system-pointnet"') == 1
    assert start.count('href="chapters/19_pointnet_family.html#system-pointnet2"') == 1


def test_every_link_leads_somewhere(pages):
    """Inside the book, to the very place; what a page loads is in the book."""
    seen = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                assert parts.scheme in ("https", "http", "data", "mailto"), (path, link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path.name}: {link}"
            seen += 1
    assert seen > 3000


@pytest.fixture(scope="module")
def started():
    """One browser for all tests of this file."""
    with browser.launched() as found:
        yield found


@pytest.fixture
def visit(book, started):
    """visit(page, viewport, scheme) opens a page of the book. At the end of the test: nothing was
    asked of any other machine, and no page has complained."""
    complaints, contexts = [], []

    def loaded(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            complaints.append(f"asked for {request.url}")

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # an inset that is sent to its place
            complaints.append(f"is not there: {request.url}")

    def visit(name, viewport=WIDE, scheme="light"):
        context = started.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", loaded)
        page.on("requestfailed", failed)
        page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
        page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        path, _, rest = name.partition("?")
        page.goto((book / path).as_uri() + (f"?{rest}" if rest else ""))
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not complaints


@pytest.mark.parametrize("name", PAGES, ids=IDS)
def test_a_page_fits_a_phone_and_typesets_its_formulas(visit, name):
    page = visit(name, PHONE)
    page.wait_for_function("!window.MathJax || MathJax.startup?.promise")
    page.evaluate("window.MathJax && MathJax.startup.promise")
    assert browser.too_wide(page) <= 0
    formulas = page.locator("article .math").count()
    assert page.locator("article mjx-container").count() == formulas
    assert page.locator("mjx-merror, [data-mml-node=merror]").count() == 0
    assert formulas > 10 or not name.startswith(("chapters/19_pointnet.", "symbols"))
    assert page.locator("h1:visible").count() == 1


def luminance(page, selector, what):
    """Relative luminance of a colour, from 0 to 1, as WCAG 2 defines it."""
    rgb = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{what}")
    parts = [int(n) / 255 for n in re.findall(r"\d+", rgb)[:3]]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("name", [PAGES[0], PAGES[5], PAGES[11]], ids=[IDS[0], IDS[5], IDS[11]])
def test_dark_mode_is_dark_and_both_are_readable(visit, name):
    dark, light = visit(name, scheme="dark"), visit(name)
    assert luminance(dark, "body", "backgroundColor") < 0.05
    assert luminance(light, "body", "backgroundColor") > 0.9
    for page in (dark, light):
        ground = luminance(page, "body", "backgroundColor") + 0.05
        for selector in ("article p", "article h1", "article p a"):
            text = luminance(page, selector, "color") + 0.05
            assert max(text, ground) / min(text, ground) >= 4.5, selector
    light.locator("button.theme-switch-button:visible").click()
    light.locator("button.theme-change-button[data-mode=dark]:visible").click()
    assert light.locator("html").get_attribute("data-theme") == "dark"


def test_hints_solutions_and_drawings_open_with_a_click(visit):
    page = visit("chapters/01_self_attention.html")
    hint = page.locator("details:has(> summary:text-is('Hint 1'))").first
    assert not hint.locator("p").first.is_visible()
    hint.locator("summary").click()
    assert hint.locator("p").first.is_visible()
    solution = page.locator("details:has(> summary:has-text('A solution'))").first
    assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    assert "exercise." in solution.locator("pre").first.inner_text()
    drawing = page.locator("details:has(> summary:has-text('Code: Draw attention'))").first
    assert not drawing.locator("pre").first.is_visible()
    described = page.locator(".cell_output > img").evaluate_all("all => all.map(e => e.alt)")
    assert described and all(len(text) > 20 for text in described)


def test_the_explorer_follows_the_keys(visit):
    page = visit("chapters/01_self_attention.html")
    stage, told = page.locator(".atx-stage.atx-hot").first, page.locator(".atx-text").first
    before = told.inner_text()
    stage.focus()
    page.keyboard.press("ArrowRight")
    assert told.inner_text() != before


def test_clouds_turn(visit):
    page = visit("chapters/19_pointnet_family.html")
    cloud = page.locator(".ttb-view canvas").first
    before = cloud.evaluate("e => e.toDataURL()")
    cloud.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("([e, b]) => e.toDataURL() !== b", arg=[cloud.element_handle(), before])


def test_the_map_leads_to_the_cell(visit):
    page = visit("index.html")
    page.locator(".map a", has_text=re.compile("^PointNet$")).last.click()
    page.wait_for_url(re.compile("19_pointnet.html#system-pointnet$"))
    assert page.locator("#system-pointnet").first.is_visible()


def test_the_search_finds_a_word_of_a_chapter_and_a_korean_one(visit):
    page = visit("search.html?q=retrieval")
    page.locator("#search-results a", has_text="01 · Self-attention").first.wait_for()
    page = visit("search.html?q=어텐션")
    page.locator("#search-results a", has_text="Glossary").first.wait_for()


def test_a_page_in_one_file_works_inside_the_book(visit):
    page = visit("chapters/01_self_attention.html")
    page.locator(".parts a", has_text="Which mistake is it?").click()
    quiz, asked = page.frame_locator("iframe"), "article:not([hidden])"
    assert quiz.locator("#chapter").input_value() == "self_attention"
    quiz.locator(f"{asked} .right summary").click()
    quiz.locator("#score", has_text="1 of 1").wait_for()
