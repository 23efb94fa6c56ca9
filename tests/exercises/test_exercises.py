"""Every exercise of every chapter: its reference passes, its mistakes are caught by their names."""

import importlib
import inspect
import linecache
import pkgutil
import subprocess
import sys

import pytest

from tutorial_lib import exercises
from tutorial_lib.checking import Exercise
from tutorial_lib.checking.diagnosis import explain
from tutorial_lib.checking.trials import agrees
from tutorial_lib.course import survey


def all_exercises():
    for module in pkgutil.iter_modules(exercises.__path__):
        package = importlib.import_module(f"tutorial_lib.exercises.{module.name}")
        for name in getattr(package, "__all__", vars(package)):
            if isinstance(exercise := getattr(package, name), Exercise):
                yield exercise


EXERCISES = list(all_exercises())
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]


@pytest.fixture(params=EXERCISES, ids=lambda e: f"{e.slug}.{e.name}")
def exercise(request):
    return request.param


def made(exercise, source):
    """What a learner has who types this."""
    namespace = dict(vars(importlib.import_module(exercise.reference.__module__)))
    cell = f"<{exercise.slug}.{exercise.name}>"
    linecache.cache[cell] = (len(source), None, source.splitlines(keepends=True), cell)
    exec(compile(source, cell, "exec"), namespace)
    return namespace[exercise.name]


def stub_of(exercise):
    """What the learner starts from."""
    return made(exercise, exercise.stub())


def test_the_references_source_passes_and_is_returned(exercise, capsys):
    answer = made(exercise, exercise.source())
    assert exercise.check(answer) is answer
    assert capsys.readouterr().out.startswith(f"✓ {exercise.name}")
    assert exercise.check(exercise.reference) is exercise.reference
    assert capsys.readouterr().out.startswith(f"○ {exercise.name}")  # nobody has solved it


def test_stub_is_not_done_yet_and_the_reference_takes_its_place(exercise, capsys):
    stub = stub_of(exercise)
    if exercise.start is None:
        with pytest.raises(NotImplementedError):
            exercise.as_function(stub)(*exercise.all_cases()[0].values())
    assert exercise.check(stub) is exercise.reference
    assert "not done yet" in capsys.readouterr().out


def test_stub_holds_the_task_and_not_the_answer(exercise):
    body = exercise.source().rpartition('"""')[2].strip()
    assert body and body not in exercise.stub()
    # A buggy version to start from may add what its symptoms are.
    told, task = inspect.getdoc(stub_of(exercise)), inspect.getdoc(exercise.reference)
    assert told == task or (exercise.start and told.startswith(task))
    kind = "class" if isinstance(exercise.reference, type) else "def"
    assert exercise.stub().startswith(f"{kind} {exercise.name}(")


def test_cases_are_the_same_each_time_and_cover_more_than_one_size(exercise):
    first, second = exercise.all_cases(), exercise.all_cases()
    assert len(first) == len(second) >= 4
    assert all(a.keys() == b.keys() for a, b in zip(first, second))
    trials, reference = exercise.trials(exercise.reference), exercise.reference
    assert agrees(trials, exercise.as_function(reference), exercise.seconds)


@pytest.mark.parametrize("slug", sorted({exercise.slug for exercise in EXERCISES}))
def test_a_chapter_takes_longer_than_its_exercises(slug):
    """Workshops are planned by the chapter's minutes: they hold its exercises, and some reading."""
    (chapter,) = [chapter for chapter in survey.load().chapters if chapter.slug == slug]
    assert sum(e.minutes for e in EXERCISES if e.slug == slug) <= 0.9 * chapter.minutes


def test_has_three_hints_and_at_least_four_mistakes(exercise):
    assert len(exercise.hints) == 3
    assert len(exercise.mistakes) >= 4
    assert 1 <= exercise.level <= 5 and exercise.minutes > 0
    assert len({mistake.message for mistake in exercise.mistakes}) == len(exercise.mistakes)


@pytest.mark.parametrize(
    "exercise, mistake", MISTAKES, ids=[f"{e.slug}.{e.name}-{m.name}" for e, m in MISTAKES]
)
def test_mistake_is_caught_by_its_own_message(exercise, mistake):
    trials = exercise.trials(mistake.answer)  # what `check` judges, once for all questions
    assert not all(trial.right for trial in trials)
    assert not exercise._is_stub(mistake.answer, trials)
    assert explain(exercise, trials).endswith(mistake.message)
    for other in exercise.mistakes:
        assert other is mistake or not agrees(trials, other.function, exercise.seconds)


def test_numpy_exercises_are_checked_without_pytorch():
    """In a process where torch cannot be imported; what needs it says so when asked for."""
    code = """if True:
        import sys
        sys.modules["torch"] = None
        from tutorial_lib.exercises import self_attention, vit
        for exercise in (self_attention.softmax, self_attention.attention, vit.patchify):
            assert exercise.check(lambda *given: exercise.reference(*given)) is not exercise
        try:
            vit.VisionTransformer
        except ModuleNotFoundError:
            print("no torch")
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert run.stdout.count("✓") == 3 and run.stdout.endswith("no torch\n"), run.stderr
