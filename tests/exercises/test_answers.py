"""No wrong answer is accepted, no right one refused, and most mistakes get a true sentence."""

import importlib
import pkgutil

import answers
import pytest

from tutorial_lib.checking import NotYet

for module in pkgutil.iter_modules(answers.__path__):
    importlib.import_module(f"answers.{module.name}")


def name(answer):
    return f"{answer.exercise}-{answer.what.replace(' ', '_')}"


def exercise_of(answer):
    called = answer.exercise.rpartition(".")[2]
    return getattr(importlib.import_module(f"tutorial_lib.exercises.{answer.slug}"), called)


@pytest.mark.parametrize("answer", [a for a in answers.ANSWERS if a.right], ids=name)
def test_a_right_answer_is_accepted(answer):
    assert exercise_of(answer).check(answer.function) is answer.function


@pytest.mark.parametrize("answer", [a for a in answers.ANSWERS if not a.right], ids=name)
def test_a_wrong_answer_is_refused_and_told_what_is_true(answer):
    with pytest.raises(NotYet) as refused:
        exercise_of(answer).check(answer.function)
    assert answer.says in " ".join(str(refused.value).split())


def test_nearly_all_wrong_answers_get_a_true_sentence():
    of_wrong = [bool(answer.says) for answer in answers.ANSWERS if not answer.right]
    assert sum(of_wrong) >= 0.85 * len(of_wrong)
