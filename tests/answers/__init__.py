"""Answers to the exercises, written from the tasks alone, before their bank of mistakes was read.

Each module of this package holds those of one chapter, in the style of learners:

@wrong("vit.patchify", "goes down the columns first", says="columns before rows")
def _(images, p): ...

@right("vit.patchify", "by slicing, patch by patch")
def _(images, p): ...

`says` are words of the check's message that make its sentence true of this mistake. It is left out
where the message says nothing beyond the numbers; a sentence that is not true of the mistake is a
fault of the check, and no `says`.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Answer:
    exercise: str  # chapter's slug and exercise's name: "vit.patchify"
    what: str  # what is wrong with it, or unusual
    function: Callable
    right: bool
    says: str = ""

    @property
    def slug(self) -> str:
        return self.exercise.partition(".")[0]


ANSWERS: list[Answer] = []


def wrong(exercise: str, what: str, says: str = "") -> Callable:
    """Decorator: an answer that must be refused, with a message that holds `says`."""
    return _remember(exercise, what, False, says)


def right(exercise: str, what: str) -> Callable:
    """Decorator: an answer that must be accepted."""
    return _remember(exercise, what, True)


def _remember(exercise, what, is_right, says="") -> Callable:
    def remember(function):
        ANSWERS.append(Answer(exercise, what, function, is_right, says))
        return function

    return remember
