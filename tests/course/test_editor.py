"""Checks outside a notebook: the same message, the right exit code, no frame of the engine's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial_lib.checking import attempts
from tutorial_lib.course import editor

ROOT = Path(__file__).parents[2]
RIGHT = """def weighted_mean(values, weights):
    return weights @ values / weights.sum()
"""
WRONG = RIGHT.replace("weights.sum()", "len(weights)")


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    (tmp_path / "00_start_here.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(work, text):
    path = work / "mine" / "00_start_here.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_one_is_written_with_every_task(work, capsys):
    assert editor.check(work, "start_here")
    text = (work / "mine" / "00_start_here.py").read_text(encoding="utf-8")
    assert "def weighted_mean(values, weights):" in text and "NotImplementedError" in text
    assert editor.check(work, "start_here")
    assert "○ weighted_mean: not done yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, good, said",
    [
        (RIGHT, True, "✓ weighted_mean"),
        (WRONG, False, "✗ weighted_mean: not right yet"),
        (RIGHT + "print(no_such)\n", False, "line 3 of <module>:  print(no_such)"),
        ("def weighted_mean(:\n", False, "stops with SyntaxError"),
        (WRONG + "raise SystemExit(0)\n", False, "stops with SystemExit"),
        ("x = 1\n", True, "holds none of: weighted_mean"),
    ],
    ids=["right", "wrong", "error", "syntax", "exit", "none"],
)
def test_the_file_is_checked_as_a_notebook_checks(work, capsys, text, good, said):
    put(work, text)
    assert editor.check(work, "start_here") is good
    assert said in capsys.readouterr().out


def test_pytest_in_the_folder_and_a_file_that_calls_check_give_the_message_alone(work):
    editor.check(work, "start_here")
    put(work, WRONG)
    caller = work / "mine" / "by_hand.py"
    call = "from tutorial_lib.exercises import start_here\n"
    call += "start_here.weighted_mean.check(lambda values, weights: values)\n"
    caller.write_text(call, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in (["-m", "pytest", "-q", "-p", "no:cacheprovider"], ["by_hand.py"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=work / "mine", capture_output=True, text=True,
            env=environment, timeout=60,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "✗ weighted_mean" in said and "exercise.py" not in said and "Traceback" not in said


def test_a_right_file_with_a_helper_is_left_as_it_is_and_can_be_checked_again(work, capsys):
    text = "def total(weights):\n    return weights.sum()\n\n\n"
    text += RIGHT.replace("weights.sum()", "total(weights)")
    path = put(work, text)
    for _ in range(2):
        assert editor.check(work, "start_here"), capsys.readouterr().out
        assert path.read_text(encoding="utf-8") == text
