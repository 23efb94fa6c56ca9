"""The shape of a chapter: counted on a tiny one; a chapter states the minutes that are counted."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tutorial_lib.authoring import shape
from tutorial_lib.authoring.build import sources
from tutorial_lib.course import survey

ROOT = Path(__file__).parents[2]
STUB = """class Two(nn.Module):
    def forward(self, x):
        raise NotImplementedError


check()"""
ANSWER = """class Two(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        \"\"\"Not counted.\"\"\"
        # nor this
        return 2 * x


check()"""


def code(source, id, **metadata):
    return new_code_cell(source, id=id, metadata=metadata)


def chapter(answer):
    folded = {"jupyter": {"source_hidden": True}}
    return new_notebook(
        cells=[
            new_markdown_cell("one two three <details>not on view</details>", id="a"),
            code("# Draw it\nplotting.show('x')\nclaim('folded', True)", "b", **folded),
            code("x = 1\n\n# a comment\nclaim('on view', x == 1)", "c"),
            new_markdown_cell("#### Exercise 1\n\nLevel · about 20 minutes", id="task-Two"),
            code(answer, "exercise-Two"),
            new_markdown_cell("## Lab\n\nPredict the number.", id="d"),
            code("y = 2", "e"),
        ]
    )


def test_what_is_read_and_what_is_built_are_counted():
    core, whole = shape.measure(chapter(STUB), chapter(ANSWER))
    assert (core.words, core.code, core.claims, core.figures) == (3 + 8, 2, 1, 1)
    assert (core.written, core.modules, core.exercises) == (2, 1, 1)
    assert (core.exercise_minutes, core.share, core.idle) == (20, 50, 4)
    assert (whole.words, whole.code) == (core.words + 5, 3)
    assert whole.idle == 4 and whole.idle_now == 1  # the prediction is something to do


def test_minutes_are_those_of_the_guide_to_five():
    part = shape.Shape(words=1300, code=120, figures=3, exercise_minutes=60)
    assert part.minutes == 85  # 60 + 10 + 10 + 3


def test_a_lab_states_its_minutes_and_keeps_them_when_built_again(tmp_path):
    source = tmp_path / "05_vit.md"
    text = "# 05 · V\n\n**1 minutes**\n\n+++\n\n## 1. Lab: deep\n\n" + "word " * 1300
    text += "\n\n## Lab: deeper\n\n" + "word " * 2600 + "\n\n+++\n\n## 2. Another\n\nword\n"
    source.write_text(text, encoding="utf-8")
    for _ in range(2):
        shape.state_minutes(tmp_path, source)
        written = source.read_text(encoding="utf-8")
        assert written.count("## 1. Lab: deep · 10 minutes\n") == 1
        assert written.count("## Lab: deeper · 20 minutes\n") == 1


def test_a_cell_without_functions_is_written_but_for_its_last_line():
    assert shape.written_lines("model = 1\n# train\ntrain(model)\n\nbuild.check(model)") == 2


def test_what_lies_beyond_the_guide_is_named_and_nothing_else(tmp_path):
    part = shape.Shape(words=2501, code=1, written=1, claims=6)
    assert list(shape._beyond("core", part, 0)) == ["core 2501 words of 2500"]


@pytest.mark.parametrize("source", sources(ROOT), ids=lambda source: source.stem)
def test_a_chapter_and_the_index_state_the_minutes_that_are_counted(source):
    core, whole = shape.of_source(source)
    stated = shape.header(core, whole)
    assert stated in source.read_text(encoding="utf-8"), "run `make build`"
    entry = survey.load().chapter(source.stem[:2])
    assert (entry.minutes, entry.core) == (whole.minutes, core.minutes), "run `make build`"


def test_stated_minutes_follow_what_is_counted(tmp_path):
    text = (ROOT / "chapters" / "00_start_here.md").read_text(encoding="utf-8")
    source = tmp_path / "00_start_here.md"
    source.write_text(re.sub(r"\*\*\d+ minutes", "**999 minutes", text), encoding="utf-8")
    index = (ROOT / "survey.toml").read_text(encoding="utf-8")
    wrong = re.sub(r"minutes = \d+", "minutes = 99", index, count=1)  # chapter 00 is the first
    (tmp_path / "survey.toml").write_text(wrong, encoding="utf-8")
    shape.state_minutes(tmp_path, source)
    assert source.read_text(encoding="utf-8") == text
    assert (tmp_path / "survey.toml").read_text(encoding="utf-8") == index
