"""Attempts are recorded for a learner only, and survive damage and parallel notebooks."""

import subprocess
import sys

import pytest

from tutorial_lib.checking import attempts


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's copy that we stand in."""
    (tmp_path / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_attempts_and_the_first_solution_are_kept(folder):
    for passed in (False, True, False, True):
        attempts.record("vit.patches", passed)
    attempts.record("vit.head", False)
    found = attempts.load()
    assert found.exercises["vit.patches"].attempts == 4
    assert len(found.exercises["vit.patches"].solved) == len("2026-01-31")
    assert found.solved("vit.patches")
    assert not found.solved("vit.head") and not found.solved("vit.never_tried")


def test_outside_a_learners_copy_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attempts.record("vit.patches", True)
    assert list(tmp_path.iterdir()) == []
    assert attempts.load().exercises == {}


def test_a_damaged_line_is_skipped_and_told(folder):
    attempts.record("vit.patches", True)
    path = folder / attempts.FILE
    path.write_bytes(path.read_bytes() + b'[1]\n\xff\n{"exercise": "cut o')
    attempts.record("vit.head", True)  # must not be glued to the line that was cut off
    found = attempts.load()
    assert found.solved("vit.patches") and found.solved("vit.head")
    assert found.broken == 3


def test_two_notebooks_at_once_lose_nothing(folder):
    code = (  # by its path: importing the package would import PyTorch, twice
        "import runpy, sys; record = runpy.run_path(sys.argv[1])['record']\n"
        "for i in range(200): record(f'{sys.argv[2]}.e{i}', True)"
    )
    start = [sys.executable, "-c", code, attempts.__file__]
    running = [subprocess.Popen([*start, who]) for who in ("a", "b")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    found = attempts.load()
    assert len(found.exercises) == 400 and found.broken == 0


def test_a_file_that_cannot_be_written_does_not_stop_the_check(folder, capsys):
    (folder / attempts.FILE).mkdir()
    attempts.record("vit.patches", True)
    assert "was not saved" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_said_and_stops_nothing(folder, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    attempts.record("vit.patches", True)
    with monkeypatch.context() as patch:
        patch.setattr(attempts.Path, "read_bytes", refuse)
        assert attempts.load() == attempts.Progress(unreadable="Permission denied")
    (folder / attempts.FILE).unlink()
    (folder / attempts.FILE).mkdir()
    assert attempts.load().unreadable


def test_the_workspace_is_found_from_inside_it_only(folder):
    inside = folder / "notes"
    inside.mkdir()
    assert attempts.find_workspace(inside) == folder.resolve()
    assert attempts.find_workspace(folder.parent) is None
