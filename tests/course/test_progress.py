"""The table of a learner's progress, in a terminal and in a notebook."""

from types import SimpleNamespace as Thing

import pytest

from tutorial_lib.checking.attempts import FILE, MANIFEST, Progress, load, record
from tutorial_lib.course import progress


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's copy that we stand in."""
    (tmp_path / MANIFEST).write_text("{}", encoding="utf-8")
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


def test_damaged_lines_are_told():
    assert "3 damaged line(s)" in progress.table(Progress(broken=3), course(vit=["patches"]))


def test_a_progress_file_that_cannot_be_read_is_told_under_the_table(folder):
    (folder / FILE).mkdir()
    shown = progress.ProgressTable(folder, course(vit=["patches"]))
    for text in (repr(shown), shown._repr_html_()):
        assert "0/1" in text and "nothing counts as solved" in text and "rename it" in text


def test_the_table_shows_bars_counts_and_what_comes_next(folder):
    names = [f"e{i}" for i in range(10)]
    exercises = course(vit=names, swin=["window"], empty=[])
    for name in names[:6]:
        record(f"vit.{name}", True)
    lines = progress.table(load(), exercises).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("01 Vit ") and "██████····  6/10" in lines[0]
    assert lines[0].endswith("next: e6")
    assert "··········  0/1" in lines[1]


def test_a_bar_is_full_or_empty_only_when_that_is_true(folder):
    exercises = course(vit=[f"e{i}" for i in range(30)])
    record("vit.e0", True)
    assert "█·········  1/30" in progress.table(load(), exercises)
    for i in range(29):
        record(f"vit.e{i}", True)
    assert "█████████· 29/30" in progress.table(load(), exercises)


def test_in_a_notebook_it_is_a_table_with_links(folder):
    record("vit.patches", True)
    shown = progress.ProgressTable(folder, course(vit=["patches", "head"]))
    text = shown._repr_html_()
    assert '<a href="01_vit.ipynb">01 Vit</a>' in text
    assert "1/2" in text and "The &lt;head&gt;" in text
    assert "1/2" in repr(shown)


def test_no_exercises_is_said():
    assert progress.table(Progress(), []) == "No exercises yet."


def test_a_chapter_without_exercises_has_none():
    assert progress.exercises_of("no_such_chapter") == []
