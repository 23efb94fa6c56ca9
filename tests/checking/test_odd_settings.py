"""What a learner has set, and odd things that answers do, judge nobody and stop nothing."""

import sys

import numpy as np
import pytest
import torch
from checking_helpers import centre, make, message

from tutorial_lib.checking import attempts


def by_steps(x):
    return x - x.mean(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    "setting, back",
    [
        (lambda: np.seterr(all="raise"), lambda old: np.seterr(**old)),
        (lambda: torch.set_grad_enabled(False), lambda old: torch.set_grad_enabled(True)),
    ],
    ids=["errors", "gradients"],
)
def test_settings_of_the_notebook_judge_nobody(setting, back):
    def underflows(x):
        return by_steps(x) + np.float32(1e-30) * np.float32(1e-30)

    def needs_gradients(x):
        assert torch.is_grad_enabled()
        return by_steps(x)

    old = setting()
    try:
        for answer in (underflows, needs_gradients):
            assert make().check(answer) is answer
    finally:
        back(old)


def test_the_courses_own_version_gives_no_tick(tmp_path, monkeypatch, capsys):
    (tmp_path / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def stub(x):
        raise NotImplementedError

    exercise = make()
    assert exercise.check(exercise.check(stub)) is centre
    assert "✓" not in capsys.readouterr().out and attempts.load().exercises == {}


def test_leaving_python_is_an_error_like_others():
    assert "SystemExit: 3" in message(lambda x: sys.exit(3))


def test_an_object_without_a_repr_is_shown():
    class Silent:
        def __repr__(self):
            raise RuntimeError("no")

    assert "Silent (its repr raises RuntimeError)" in message(lambda x: Silent())


class TooDeep(ValueError):
    """A kind of error of the learner's own."""


@pytest.mark.parametrize("error, right", [(TooDeep, True), (ValueError, True), (KeyError, False)])
def test_a_kind_of_the_expected_error_is_right(error, right):
    def reference(x):
        """Positive rows only."""
        if (x < 0).any():
            raise ValueError("negative")
        return x

    def answer(x):
        if (x < 0).any():
            raise error("mine")
        return x

    def cases(rng):
        yield dict(x=np.array([1.0]))
        yield dict(x=np.array([-1.0]))

    exercise = make(reference, cases)
    if right:
        assert exercise.check(answer) is answer
    else:
        assert "expected  ValueError: negative" in message(answer, exercise)


def test_the_failing_case_is_left_and_the_way_on_is_told():
    exercise = make()
    text = message(lambda x: 2 * by_steps(x), exercise)
    assert exercise.case["x"].tolist() == [[1.0, 3.0]]
    assert text.endswith("put `raise NotImplementedError` back.")
