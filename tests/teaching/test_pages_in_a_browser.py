"""The leader's pages in a real browser: keys, formulas, a phone's width, nothing from outside."""

from pathlib import Path

import browser
import pytest
from room_helpers import learner

from tutorial_lib.teaching import chapter, notes, room, slides

ROOT = Path(__file__).parents[2]
STEM = "05_vit"  # it has formulas


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pages of a chapter, and of a room."""
    out = tmp_path_factory.mktemp("pages")
    found = chapter.load(ROOT, STEM)
    (out / "slides.html").write_text(slides.page(found), encoding="utf-8")
    (out / "notes.html").write_text(notes.page([found]), encoding="utf-8")
    learner(out, "Ann", "0!0 1!1!1!")
    (out / "room.html").write_text(
        room.page(room.read(out, ROOT, None, named=True)), encoding="utf-8"
    )
    return out


def number(page):
    return page.locator("#number").text_content()


def test_slides_are_turned_by_keys_and_drawn_with_formulas(folder):
    with browser.page(folder / "slides.html") as page:
        total = page.locator(".slide").count()
        assert number(page) == f"1 / {total}" and page.locator(".slide.now").count() == 1
        for key, there in [("ArrowRight", 2), (" ", 3), ("PageDown", 4), ("ArrowLeft", 3),
                           ("End", total), ("ArrowRight", total), ("Home", 1),
                           ("ArrowUp", 1)]:  # fmt: skip
            page.keyboard.press(key)
            assert number(page) == f"{there} / {total}", key
        page.keyboard.press("ArrowRight")
        assert page.evaluate("location.hash") == "#2"
        page.evaluate("show(slides.findIndex(s => s.querySelector('.notes').textContent))")
        assert page.locator(".now .notes").is_hidden()
        page.keyboard.press("n")
        assert page.locator(".now .notes").is_visible()
        page.wait_for_function("document.querySelectorAll('mjx-container svg').length > 10")
        assert page.locator("mjx-merror, [data-mml-node=merror]").count() == 0


@pytest.mark.parametrize("width, height", [(1280, 720), (390, 780)])
def test_what_is_on_a_slide_is_inside_its_window(folder, width, height):
    with browser.page(folder / "slides.html", width=width, height=height) as page:
        page.wait_for_function("document.querySelectorAll('mjx-container svg').length > 10")
        for _ in range(page.locator(".slide").count()):
            page.keyboard.press("ArrowRight")
            box = page.locator(".now .fit").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1, number(page)
            assert box["y"] >= 0 and box["y"] + box["height"] <= height + 1, number(page)


@pytest.mark.parametrize("name", ["notes", "room"])
@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
def test_notes_and_the_room_fit_a_phone_and_the_dark(folder, name, width, dark):
    with browser.page(folder / f"{name}.html", width=width, dark=dark) as page:
        assert browser.too_wide(page) == 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(", "))) < 200) is dark
