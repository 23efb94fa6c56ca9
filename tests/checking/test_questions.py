"""Questions from the bank: they can be decided on the page, and say what they are about."""

import re
from itertools import combinations

import numpy as np
import pytest
from checking_helpers import make

from tutorial_lib.checking.question_page import as_html
from tutorial_lib.checking.questions import MOST, cause_of, number, questions, told_apart
from tutorial_lib.checking.running import call
from tutorial_lib.course.progress import exercises_of


def with_mistakes():
    """`centre`, with eight mistakes: two that agree, and three
    that are of no use: hardly wrong, an error, a list."""
    exercise = make()
    bank = {
        "no_mean": lambda x: x + 0,
        "added": lambda x: x + x.mean(axis=-1, keepdims=True),
        "half": lambda x: x - x.mean(axis=-1, keepdims=True) / 2,
        "half_again": lambda x: x - 0.5 * x.mean(axis=-1, keepdims=True),
        "of_columns": lambda x: x - x.mean(axis=0, keepdims=True),
        "hardly": lambda x: x - 0.999 * x.mean(axis=-1, keepdims=True),
        "raises": lambda x: 1 / 0,
        "plain_list": lambda x: [float(n) for n in (x + 1).flat],
    }
    for name, function in bank.items():
        function.__name__ = name
        exercise.mistake(f"You do `{name}` <here>. What else could be done?")(function)
    return exercise


def all_apart(question):
    shown = [question.expected, *(choice.value for choice in question.choices)]
    return all(told_apart(a, b) and told_apart(b, a) for a, b in combinations(shown, 2))


def test_each_cause_gives_something_else_on_the_case_shown():
    exercise = with_mistakes()
    found = questions(exercise, 9)
    assert len(found) >= 4 and len({q.choices[q.answer].name for q in found}) == len(found)
    for question in found:
        names = {choice.name for choice in question.choices}
        assert len(names) == 4 and not {"hardly", "raises", "plain_list"} & names
        assert not {"half", "half_again"} <= names  # nobody could tell them apart
        assert all_apart(question)
        for choice in question.choices:
            answer = next(m.answer for m in exercise.mistakes if m.name == choice.name)
            np.testing.assert_equal(call(answer, question.case).value, choice.value)


def test_axes_of_one_come_last():
    assert questions(with_mistakes(), 1)[0].case["x"].shape == (2, 3)


def test_the_same_seed_asks_the_same():
    first, again, other = (questions(with_mistakes(), 3, seed) for seed in (0, 0, 1))
    shown = [[[c.name for c in q.choices] for q in found] for found in (first, again, other)]
    assert shown[0] == shown[1] != shown[2]


def test_too_few_mistakes_or_too_large_cases_make_no_question():
    assert questions(make(), 1) == []
    large = with_mistakes()
    large.cases = lambda rng: [dict(x=rng.normal(size=(7, 7)))]
    assert questions(large, 1) == []


def test_a_module_makes_no_question():
    among = {exercise.name: exercise for exercise in exercises_of("self_attention")}
    assert questions(among["Attention"], 1) == [] and questions(among["softmax_row"], 1) == []


@pytest.mark.parametrize("slug", ["self_attention", "vit"])
def test_a_whole_chapter(slug):
    found = [q for exercise in exercises_of(slug) for q in questions(exercise, 2)]
    assert len(found) >= 20
    assert len({q.answer for q in found}) == 4  # the right one stands anywhere
    for question in found:
        assert sum(choice.right for choice in question.choices) == 1
        assert all_apart(question)
        numbers = sum(np.prod(getattr(v, "shape", 0)) for v in question.case.values())
        assert numbers <= MOST["case"]


@pytest.mark.parametrize(
    "message, cause",
    [
        ("You divide by d. Is it the variance?", "You divide by d."),
        ("Right for one matrix. `axis=1` is another. What?",
         "Right for one matrix. `axis=1` is another."),
        ("Right for one matrix, wrong for a batch: `.T` turns all. Which?",
         "Right for one matrix, wrong for a batch: `.T` turns all."),
        ("It can win (look at the row with 900). No number is safe.", "It can win."),
    ],
)  # fmt: skip
def test_a_cause_is_the_sentence_that_says_what_was_done(message, cause):
    assert cause_of(message) == cause


@pytest.mark.parametrize(
    "a, b, apart",
    [
        (np.array([1.0, 100.0]), np.array([2.0, 100.0]), False),
        (np.array([1.0, 100.0]), np.array([4.0, 100.0]), True),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), False),
        (np.array([1.0, np.nan]), np.array([1.0, np.inf]), True),
        (np.array([100, 101]), np.array([100, 102]), True),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0}, True),
        ({"a": 1.0}, {"b": 1.0}, True),
        (np.ones((2, 1)), np.ones(2), True),
        ("yes", "yes", False),
        ("yes", "no", True),
    ],
)
def test_apart_is_what_a_reader_sees(a, b, apart):
    assert told_apart(a, b) == told_apart(b, a) == apart


@pytest.mark.parametrize(
    "x, text",
    [
        (2.0, "2"), (np.int8(-128), "−128"), (0.12345, "0.123"), (-12.3456, "−12.35"),
        (123.456, "123.5"), (1.5e-5, "1.5e−5"), (2.5e9, "2.5e9"), (np.nan, "NaN"),
        (-np.inf, "−∞"), (np.True_, "True"), (1 + 0.5j, "1 + 0.500i"),
    ],
)  # fmt: skip
def test_numbers_are_short(x, text):
    assert number(x) == text


def test_the_page_marks_what_differs_and_escapes_its_texts():
    exercise = with_mistakes()
    question = next(q for q in questions(exercise, 9) if q.choices[q.answer].name == "no_mean")
    page = as_html(question, exercise)
    assert page.count('<details class="right">') == 1 and page.count('<details class="wrong">') == 3
    assert "<code>no_mean</code> &lt;here&gt;." in page and "<here>" not in page
    came = page.partition("what came instead")[2].partition("<details")[0]
    off = len(re.findall('class="off"', came))
    different = question.expected != question.choices[question.answer].value
    assert off == different.sum() > 0
