"""Progress is recorded for a learner only, survives damage and parallel notebooks."""

import subprocess
import sys
from types import SimpleNamespace as Thing

import pytest

from tutorial_lib import progress, workspace


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's copy that we stand in."""
    (tmp_path / workspace.MANIFEST).write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def course(**chapters):
    """Chapters by slug, each with exercises of these names."""
    return [
        (
            Thing(number=f"{i:02d}", slug=slug, title=slug.title(), stem=f"{i:02d}_{slug}"),
            [Thing(name=name, title=f"The <{name}>") for name in names],
        )
        for i, (slug, names) in enumerate(chapters.items(), 1)
    ]


def test_attempts_and_the_first_solution_are_kept(folder):
    for passed in (False, True, False, True):
        progress.record("vit.patches", passed)
    progress.record("vit.head", False)
    found = progress.load()
    assert found.exercises["vit.patches"].attempts == 4
    assert len(found.exercises["vit.patches"].solved) == len("2026-01-31")
    assert found.solved("vit.patches")
    assert not found.solved("vit.head") and not found.solved("vit.never_tried")


def test_outside_a_learners_copy_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress.record("vit.patches", True)
    assert list(tmp_path.iterdir()) == []
    assert progress.load().exercises == {}


def test_a_damaged_line_is_skipped_and_told(folder):
    progress.record("vit.patches", True)
    path = folder / progress.FILE
    path.write_bytes(path.read_bytes() + b'[1]\n\xff\n{"exercise": "cut o')
    progress.record("vit.head", True)  # must not be glued to the line that was cut off
    found = progress.load()
    assert found.solved("vit.patches") and found.solved("vit.head")
    assert found.broken == 3
    assert "3 damaged line(s)" in progress.table(found, course(vit=["patches"]))


def test_two_notebooks_at_once_lose_nothing(folder):
    code = (
        "import sys; from tutorial_lib.progress import record\n"
        "for i in range(200): record(f'{sys.argv[1]}.e{i}', True)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, who]) for who in ("a", "b")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    found = progress.load()
    assert len(found.exercises) == 400 and found.broken == 0


def test_a_file_that_cannot_be_written_does_not_stop_the_check(folder, capsys):
    (folder / progress.FILE).mkdir()
    progress.record("vit.patches", True)
    assert "was not saved" in capsys.readouterr().out


def test_the_table_shows_bars_counts_and_what_comes_next(folder):
    names = [f"e{i}" for i in range(10)]
    exercises = course(vit=names, swin=["window"], empty=[])
    for name in names[:6]:
        progress.record(f"vit.{name}", True)
    lines = progress.table(progress.load(), exercises).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("01 Vit ") and "██████░░░░  6/10" in lines[0]
    assert lines[0].endswith("next: e6")
    assert "░░░░░░░░░░  0/1" in lines[1]


def test_a_bar_is_full_or_empty_only_when_that_is_true(folder):
    exercises = course(vit=[f"e{i}" for i in range(30)])
    progress.record("vit.e0", True)
    assert "█░░░░░░░░░  1/30" in progress.table(progress.load(), exercises)
    for i in range(29):
        progress.record(f"vit.e{i}", True)
    assert "█████████░ 29/30" in progress.table(progress.load(), exercises)


def test_in_a_notebook_it_is_a_table_with_links(folder):
    progress.record("vit.patches", True)
    shown = progress.ProgressTable(folder, course(vit=["patches", "head"]))
    text = shown._repr_html_()
    assert '<a href="01_vit.ipynb">01 Vit</a>' in text
    assert "1/2" in text and "The &lt;head&gt;" in text
    assert "1/2" in repr(shown)


def test_no_exercises_is_said():
    assert progress.table(progress.Progress(), []) == "No exercises yet."


def test_a_chapter_without_exercises_has_none():
    assert progress.exercises_of("no_such_chapter") == []
