"""A model built from nothing: not begun, not yet with what was seen, or passed."""

import inspect

import pytest
import torch
from torch import nn

from tutorial_lib.checking import NotYet, from_nothing
from tutorial_lib.checking.from_nothing import FromNothing


def doubler():
    """Build a module that doubles (B, 3).

    It may have 1 to 9 parameters.
    """
    model = nn.Linear(3, 3, bias=False)
    nn.init.zeros_(model.weight)
    with torch.no_grad():
        model.weight += 2 * torch.eye(3)
    return model


def right(model):
    x = torch.arange(12.0).view(4, 3)
    return (model(x) == 2 * x).float().mean().item()


@pytest.fixture
def exercise(monkeypatch):
    monkeypatch.delenv("TUTORIAL_QUICK", raising=False)
    return FromNothing(
        doubler,
        minutes=5,
        shapes=(torch.ones(2, 3), (2, 3)),
        parameters=(1, 9),
        properties={"zero stays zero": lambda model: not model(torch.zeros(1, 3)).any()},
        accuracy=right,
        wanted=0.9,
    )


def test_what_is_not_begun_stops_nothing(exercise, capsys):
    assert exercise.check(None) is None
    assert capsys.readouterr().out == "○ doubler: not begun\n"


def test_the_solution_passes_and_is_shown_without_its_frame(exercise, capsys):
    namespace = {"nn": nn, "torch": torch}
    exec(exercise.source(), namespace)
    model = namespace["model"].train()
    assert exercise.check(model) is model and model.training
    said = capsys.readouterr().out
    assert said.startswith("✓ doubler") and "9 parameters" in said and "100.0% right" in said
    assert "def " not in exercise.source() and "1 to 9 parameters" in exercise.goal


@pytest.mark.parametrize(
    "model, said",
    [
        (nn.Linear(3, 3), "✗ 12 parameters, of 1 to 9"),
        (nn.Linear(3, 2, bias=False), r"✗ \(2, 3\) goes in, \(2, 2\) comes out, of \(2, 3\)"),
        (nn.Linear(4, 1), "✗ .* goes in: RuntimeError"),
        (nn.Linear(3, 3, bias=False), "✗ on unseen data: .*% right, of 90%"),
        (nn.Bilinear, "expected an nn.Module, got type"),
    ],
    ids=["too large", "shape", "error", "untrained", "class"],
)
def test_what_falls_short_is_told_with_what_was_seen(exercise, model, said):
    with pytest.raises(NotYet, match=said):
        exercise.check(model)


@pytest.mark.parametrize("error", [SystemExit(0), ValueError("odd")])
def test_whatever_stops_is_told_and_no_success(exercise, error):
    class Stops(nn.Module):
        def __init__(self, calls):
            super().__init__()
            self.weight, self.calls = nn.Parameter(torch.eye(3)), calls

        def forward(self, x):
            self.calls -= 1
            if self.calls < 0:
                raise error
            return 2 * x

    for calls in range(3):  # in the shape, in the property, in the accuracy
        with pytest.raises(NotYet, match=f"{type(error).__name__}(.|\\n)*raise error"):
            exercise.check(Stops(calls))


def test_a_property_is_judged(exercise):
    class Shifted(nn.Module):
        weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return 2 * x + 1

    with pytest.raises(NotYet, match="✗ zero stays zero"):
        exercise.check(Shifted())


def test_quick_mode_judges_all_but_the_accuracy(exercise, monkeypatch, capsys):
    monkeypatch.setenv("TUTORIAL_QUICK", "1")
    untrained = nn.Linear(3, 3, bias=False)
    assert exercise.check(untrained) is untrained
    assert "not judged in quick mode" in capsys.readouterr().out
    with pytest.raises(NotYet):
        exercise.check(nn.Linear(3, 3))


@pytest.mark.parametrize(
    "build, said",
    [
        (lambda: None, "gave None. Does it end with `return`"),
        (lambda: 1 / 0, "stops with ZeroDivisionError: division by zero"),
        (lambda: exec("while True: pass"), "stops with OutOfTime: no answer within 0.2 s"),
        (lambda: nn.Linear(3, 3), "✗ 12 parameters"),
    ],
)
def test_a_function_that_builds_is_judged_by_what_it_gives(exercise, monkeypatch, build, said):
    monkeypatch.setattr(from_nothing, "TRAINING", 0.2)
    assert isinstance(exercise.check(doubler), nn.Module)
    with pytest.raises(NotYet, match=said):
        exercise.check(build)


def test_an_empty_function_is_not_begun(exercise, capsys):
    namespace = {}
    exec(exercise.stub(), namespace)
    assert exercise.check(namespace["doubler"]) is None
    assert "not begun" in capsys.readouterr().out
    assert exercise.goal in inspect.getdoc(namespace["doubler"])


def test_what_passed_is_kept(exercise, monkeypatch):
    kept = []
    monkeypatch.setattr(from_nothing.mine, "keep", lambda *found: kept.append(found))
    monkeypatch.setattr(from_nothing.mine, "keep_model", lambda *found: kept.append(found))
    model = exercise.check(doubler)
    exercise.check(model)
    with pytest.raises(NotYet):
        exercise.check(nn.Linear(3, 3, bias=False))
    assert kept == [(exercise.slug, "doubler", doubler), (exercise.slug, "doubler", model)]
