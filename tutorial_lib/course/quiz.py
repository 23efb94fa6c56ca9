"""Which mistake is it? A quiz on a chapter, from the known mistakes of its exercises.

from tutorial_lib.course.quiz import quiz

quiz("01")       # in a notebook: a question; click on a cause, and it tells
quiz("01", 2)    # the next one

`python -m tutorial_lib quiz` writes all chapters' questions as one page.
"""

import html
import inspect
import re
import textwrap
from importlib import resources
from itertools import zip_longest
from pathlib import Path

from tutorial_lib.checking.comparing import describe
from tutorial_lib.checking.diagnosis import WIDTH, rows_of
from tutorial_lib.checking.question_page import STYLE, as_html
from tutorial_lib.checking.questions import Question, questions
from tutorial_lib.course import survey
from tutorial_lib.course.progress import exercises_of

ROOT = Path(__file__).parents[2]
PER_EXERCISE = 2  # questions that a chapter's quiz asks about one
LETTERS = "abcd"


class Quiz:
    """One question, as HTML in a notebook and as text in a terminal."""

    def __init__(self, question: Question, task, heading: str):
        self.question, self.task, self.heading = question, task, heading

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>" + as_html(self.question, self.task, self.heading)

    def __repr__(self) -> str:
        question = self.question
        came = question.choices[question.answer].value
        signature = inspect.signature(self.task.reference)
        lines = [self.heading, "", f"{self.task.name}{signature}, with"]
        for name, value in question.case.items():
            lines += [f"  {name} = {describe(value)}", *rows_of(value)]
        lines += [f"  expected  {describe(question.expected)}", *rows_of(question.expected, came)]
        lines += [f"  instead   {describe(came)}", *rows_of(came, question.expected), ""]
        lines += [f"{letter}  {c.cause}" for letter, c in zip(LETTERS, question.choices)]
        return "\n".join(lines)

    def verdict(self, letter: str) -> tuple[bool, str]:
        """Whether a choice, "a" to "d", is right, and what there is to say about it."""
        choice = self.question.choices[LETTERS.index(letter)]
        right = self.question.choices[self.question.answer]
        if choice.right:
            return True, textwrap.fill(f"Yes. {right.message}", WIDTH)
        gives = [f"No. That would give {describe(choice.value)}", *rows_of(choice.value)]
        it_is = textwrap.fill(f"It is {LETTERS[self.question.answer]}: {right.message}", WIDTH)
        return False, "\n".join([*gives, it_is])


def quiz(chapter: str, number: int = 1) -> Quiz:
    """A question on a chapter: the first, or another one; the same number asks the same.

    Raises ValueError for a chapter, or a number, that there is no question for.
    """
    stems = {found.number: found for found in survey.load().chapters}
    wanted = stems.get(str(chapter).zfill(2))
    asked = chapter_questions(wanted.slug) if wanted else []
    if not asked:
        raise ValueError(f"there is no quiz on chapter {chapter}; name one, such as quiz('01')")
    if not 1 <= number <= len(asked):
        raise ValueError(f"chapter {chapter} has questions 1 to {len(asked)}, got {number}")
    heading = f"Which mistake is it? Chapter {wanted.number}, question {number} of {len(asked)}"
    task, question = asked[number - 1]
    return Quiz(question, task, heading)


def chapter_questions(slug: str) -> list[tuple]:
    """(exercise, question) for all questions of a chapter: each exercise once, then each again."""
    found = [[(task, q) for q in questions(task, PER_EXERCISE)] for task in exercises_of(slug)]
    return [pair for round_ in zip_longest(*found) for pair in round_ if pair]


def page(chapters: list) -> str:
    """The questions of these chapters of survey.toml as one page, which asks them one by one.

    Without scripts it shows them all, one under the other.
    """
    parts, options = [], []
    for chapter in chapters:
        asked = chapter_questions(chapter.slug)
        name = html.escape(f"{chapter.number} {chapter.title}")
        if asked:
            options.append(f'<option value="{chapter.slug}">{name} ({len(asked)})</option>')
            heads = (f"{chapter.number} · {task.title}" for task, _ in asked)
            texts = (as_html(question, task, head) for head, (task, question) in zip(heads, asked))
            parts += [f'<article data-chapter="{chapter.slug}">{text}</article>' for text in texts]
    marks = {"@STYLE@": STYLE, "@OPTIONS@": "".join(options), "@QUESTIONS@": "\n".join(parts)}
    template = resources.files(__package__).joinpath("quiz.html").read_text(encoding="utf-8")
    return re.sub("|".join(marks), lambda mark: marks[mark[0]], template)


def write_page(out: Path, root: Path = ROOT) -> None:
    """Write the page with the questions of every chapter whose notebook is there."""
    chapters = survey.load(root / "survey.toml").chapters
    present = [c for c in chapters if (root / "chapters" / f"{c.stem}.ipynb").exists()]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(present), encoding="utf-8")
