"""The quiz on a chapter: in a notebook, in a terminal, and as a page that keeps the score."""

import re

import browser
import pytest

from tutorial_lib.course import quiz as module
from tutorial_lib.course import survey
from tutorial_lib.course.quiz import LETTERS, quiz


def test_a_question_in_a_notebook_and_in_a_terminal():
    asked = quiz("01", 2)
    page, text = asked._repr_html_(), repr(asked)
    assert page == quiz(1, 2)._repr_html_() != quiz("01", 3)._repr_html_()
    assert "<script" not in page and page.count("<details") == 5
    assert all(f"\n{letter}  " in text for letter in LETTERS)
    verdicts = [asked.verdict(letter) for letter in LETTERS]
    assert [right for right, _ in verdicts].count(True) == 1
    assert verdicts[asked.question.answer][1].startswith("Yes. ")
    wrong = verdicts[(asked.question.answer + 1) % 4][1]
    assert wrong.startswith("No. That would give") and "\nIt is " in wrong


def test_every_exercise_has_its_turn_before_one_comes_again():
    names = [task.name for task, _ in module.chapter_questions("self_attention")]
    once = len(set(names))
    assert len(set(names[:once])) == once < len(names)


def test_what_is_not_there_is_told():
    with pytest.raises(ValueError, match="no quiz on chapter 77"):
        quiz("77")
    with pytest.raises(ValueError, match=r"questions 1 to \d+, got 99"):
        quiz("01", 99)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    chapters = [c for c in survey.load().chapters if c.slug in ("self_attention", "vit")]
    path = tmp_path_factory.mktemp("quiz") / "quiz.html"
    path.write_text(module.page(chapters), encoding="utf-8")
    return path


def test_the_page_asks_one_by_one_and_counts_first_answers(file):
    shown = "article:not([hidden])"
    with browser.page(file, width=360, dark=True, fragment="#vit") as page:
        assert page.locator(shown).count() == 1
        assert "05" in page.inner_text(f"{shown} strong")
        page.click(f"{shown} .task summary")  # reading the task is no answer
        page.click(f"{shown} .right summary")
        page.wait_for_function("document.querySelector('#score').textContent.includes('1 of 1')")
        page.focus("#next")
        page.keyboard.press("Enter")
        page.click(f"{shown} .wrong summary >> nth=0")
        page.wait_for_function("document.querySelector('#score').textContent.includes('1 of 2')")
        page.focus(f"{shown} .right summary")
        page.keyboard.press("Enter")  # the second answer does not count
        assert "Yes." in page.inner_text(f"{shown} .right")
        page.select_option("#chapter", "self_attention")
        assert re.match(r"Question 1 of \d+ · 1 of 2 right", page.inner_text("#score"))
        assert "01" in page.inner_text(f"{shown} strong")
        widest = """() => [...document.querySelectorAll("article")].map(article => {
            article.hidden = false;
            article.querySelectorAll("details").forEach(choice => { choice.open = true; });
        }).length"""
        assert page.evaluate(widest) > 40 and browser.too_wide(page) == 0
