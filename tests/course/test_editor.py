"""Checks outside a notebook: the same message, the right exit code, no frame of the engine's."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

from tutorial_lib.checking import attempts, mine, yours
from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.course import editor, workspace

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


def test_a_file_without_end_stops_with_a_message(work, capsys, monkeypatch):
    monkeypatch.setattr(yours, "READ_IN", 0.2)
    put(work, RIGHT + "while True:\n    pass\n")
    assert not editor.check(work, "start_here")
    said = capsys.readouterr().out
    assert "00_start_here.py stops with OutOfTime: no answer within 0.2 s" in said
    assert said.splitlines()[1].startswith(("line 3 of <module>", "line 4 of <module>"))


def test_an_edit_in_the_same_second_and_of_the_same_length_is_seen(work):
    for text, good in ((RIGHT, True), (RIGHT.replace("weights.sum()", "weights.max()"), False)):
        os.utime(put(work, text), (1, 1))
        assert editor.check(work, "start_here") is good


def test_a_full_disk_leaves_nothing_half_written(work, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mine.os, "fsync", full)
    with pytest.raises(workspace.WorkspaceError, match="cannot write .*here.py: .*No space"):
        editor.check(work, "start_here")
    assert list((work / "mine").iterdir()) == []


def test_each_file_that_is_saved_is_checked_again(work, capsys, monkeypatch):
    (work / "01_self_attention.ipynb").write_text("{}", encoding="utf-8")
    first, second = (editor.file_of(slug, work) for slug in ("start_here", "self_attention"))
    put(work, RIGHT)
    second.write_text("x = 1\n", encoding="utf-8")
    steps = [
        first.unlink,
        lambda: put(work, WRONG),
        lambda: os.utime(second, (1, 1)),
        lambda: 1 / 0,
    ]
    checked = []
    monkeypatch.setattr(editor, "check", lambda work, slug: checked.append(slug))
    monkeypatch.setattr(editor.time, "sleep", lambda seconds: steps.pop(0)())
    with pytest.raises(ZeroDivisionError):
        editor.watch(work, ["start_here", "self_attention"])
    assert checked == ["start_here", "self_attention", "start_here", "self_attention"]


def test_what_is_built_from_nothing_is_a_function_there(work, capsys, monkeypatch):
    def identity():
        """Build a module that changes nothing of (B, 2)."""
        return nn.Linear(2, 2)

    goal = FromNothing(
        identity, minutes=5, shapes=(torch.ones(3, 2), (3, 2)), parameters=(0, 9),
        accuracy=lambda model: float(torch.equal(model(torch.eye(2)), torch.eye(2))), wanted=1,
    )  # fmt: skip
    monkeypatch.setattr(editor, "tasks_of", lambda slug, among=(): [goal])
    assert editor.check(work, "start_here") and editor.check(work, "start_here")
    assert "○ identity: not begun" in capsys.readouterr().out
    path = work / "mine" / "00_start_here.py"
    stub = path.read_text(encoding="utf-8")
    assert "def identity():" in stub and "changes nothing of (B, 2)" in stub
    head, _, tail = stub.rpartition("raise NotImplementedError")
    for built, good in (("Identity()", True), ("Linear(2, 2)", False), ("no_such", False)):
        path.write_text(
            f"{head}from torch import nn\n    return nn.{built}{tail}", encoding="utf-8"
        )
        assert editor.check(work, "start_here") is good
    said = capsys.readouterr().out
    assert "✓ identity: built from nothing" in said and "✗ on unseen data" in said
    assert "✗ identity: stops with AttributeError" in said and "no_such" in said


def test_answers_in_numpy_are_checked_and_taken_without_pytorch(work):
    put(work, RIGHT)
    code = """
        import sys
        from pathlib import Path
        sys.modules["torch"] = None
        from tutorial_lib.checking.yours import yours
        from tutorial_lib.course import editor
        from tutorial_lib.exercises import start_here
        yours(start_here.weighted_mean)
        sys.exit(not editor.check(Path.cwd(), "start_here"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=work, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "weighted_mean: yours" in done.stdout and "✓ weighted_mean" in done.stdout
