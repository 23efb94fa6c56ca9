"""A room's progress: many learners' files in one table, without names unless they are wanted."""

import csv
import re

import pytest
from room_helpers import learner

from tutorial_lib.course.progress import ROOT
from tutorial_lib.teaching import room


@pytest.fixture
def folder(tmp_path):
    learner(tmp_path, "Ann <b>", "0!0 1!1!1!", minute=5)
    learner(tmp_path, "=Bo", "0 1!", minute=1)
    learner(tmp_path, "Chen", "0 1 2", minute=3)
    learner(tmp_path, "Dita", "0", minute=9)
    learner(tmp_path, "Emil", "")
    return tmp_path


def test_it_tells_which_exercise_holds_the_room_up(folder):
    found = room.read(folder, ROOT, None, named=True)
    at = {learner.name: (found.at(learner) or "").partition(".")[2] for learner in found.learners}
    assert at == {"=Bo": "DigitReader", "Chen": "", "Ann <b>": "DigitReader",
                  "Dita": "DigitReader", "Emil": ""}  # fmt: skip
    assert found.waiting() == {"start_here.DigitReader": 3}
    page = room.page(found)
    assert "Most are at <b>DigitReader</b>: 3 of 5, with 4 attempts." in page
    (row,) = re.findall(r"<tr class='holds'>(.*?)</tr>", page)
    assert "Digit" in row and "<td>1</td>" in row and "<td>1.7</td>" in row  # 5 tries of 3


def test_who_goes_back_is_at_what_they_try(folder):
    learner(folder, "Fay", "0 1 2 0!", minute=20)
    found = room.read(folder, ROOT, None, named=True)
    (fay,) = (each for each in found.learners if each.name == "Fay")
    assert found.at(fay) is None  # solved is solved
    learner(folder, "Gus", "2! 0!", minute=20)
    found = room.read(folder, ROOT, None, named=True)
    (gus,) = (each for each in found.learners if each.name == "Gus")
    assert found.at(gus) == "start_here.weighted_mean"


def test_names_are_shown_only_when_they_are_wanted(folder, tmp_path):
    out = tmp_path / "out"
    for named in (False, True):
        room.write(room.read(folder, ROOT, None, named), out)
        text = (out / "room.html").read_text(encoding="utf-8")
        table = (out / "room.csv").read_text(encoding="utf-8-sig")
        assert ("Chen" in text) is ("Chen" in table) is named
        assert ("Ann &lt;b&gt;" in text) is named and "location.reload" in text
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 5 * 3 and rows[0]["learner"] in ("'=Bo", "=Bo")
    bo = [row for row in rows if "Bo" in row["learner"]]
    assert {row["learner"] for row in bo} == {"'=Bo"}  # no spreadsheet computes it
    assert [(row["exercise"], row["attempts"], row["solved"]) for row in bo] == [
        ("weighted_mean", "1", "2026-11-28"), ("DigitReader", "1", ""), ("learning_step", "0", "")
    ]  # fmt: skip


def test_numbers_follow_who_began_first_and_not_the_alphabet(folder):
    found = room.read(folder, ROOT, ["00"], named=False)
    assert [learner.name for learner in found.learners] == ["1", "2", "3", "4", "5"]
    assert len(found.learners[1].progress.exercises) == 3  # Chen, who began second


def test_before_anybody_has_begun_there_is_a_page_and_without_a_folder_none(tmp_path):
    room.write(room.read(tmp_path, ROOT, None, named=False), tmp_path / "out")
    assert "Nobody has begun" in (tmp_path / "out" / "room.html").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="there is no folder"):
        room.read(tmp_path / "none", ROOT, None, named=False)
