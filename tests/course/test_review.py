"""What comes back and when, and what the answers do to it."""

import json
from datetime import date, timedelta

import pytest

from tutorial_lib.checking import attempts
from tutorial_lib.course import review
from tutorial_lib.exercises import self_attention, start_here

EXERCISES = [
    (None, [start_here.DigitReader]),
    (None, [self_attention.scores, self_attention.softmax]),
]
SCORES, MODULE = "self_attention.scores", "start_here.DigitReader"
TODAY = date.today()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's copy that we stand in."""
    work = tmp_path / "work"
    work.mkdir()
    (work / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(work)
    return work


def wrote(folder, file, *lines):
    """Add lines (key, passed, days ago) to one of the learner's files."""
    with open(folder / file, "a", encoding="utf-8") as out:
        for key, passed, ago in lines:
            at = (TODAY - timedelta(days=ago)).isoformat() + "T12:00:00+00:00"
            out.write(json.dumps({"exercise": key, "passed": passed, "at": at}) + "\n")


def only(folder):
    (item,) = review.schedule(folder, EXERCISES)
    return item.box, (item.due - TODAY).days, item.asked


def test_boxes(folder):
    assert review.schedule(folder, EXERCISES) == []
    wrote(folder, attempts.FILE, (SCORES, False, 100), (SCORES, True, 90), (SCORES, True, 80))
    assert only(folder) == (0, -89, 0)  # a day after it was first solved
    wrote(folder, attempts.REVIEWS, (SCORES, True, 70))
    assert only(folder) == (1, -67, 1)
    wrote(folder, attempts.REVIEWS, *((SCORES, True, ago) for ago in (60, 50, 40, 30)))
    assert only(folder) == (4, 30, 5)  # the last box is not left
    wrote(folder, attempts.REVIEWS, (SCORES, False, 0))
    assert only(folder) == (0, 1, 6)


def test_an_answer_is_recorded_and_another_question_comes_next(folder, capsys):
    wrote(folder, attempts.FILE, (SCORES, True, 1))
    asked = []
    for expected in ("tomorrow", "in 3 days"):
        (item,) = review.schedule(folder, EXERCISES)
        found = review.questions(item.task, item.asked + 1, seed=1)[item.asked]
        asked.append(found.choices[found.answer].name)
        right = review.LETTERS[found.answer]
        wrong = review.LETTERS[(found.answer + 1) % 4]
        letters = iter(["x", "ab", right if expected != "tomorrow" else wrong])
        later = TODAY + timedelta(days=3)
        review.run(folder, EXERCISES, lambda _, given=letters: next(given), later)
        assert f"It comes again {expected}." in capsys.readouterr().out
    assert asked[0] != asked[1]
    assert [passed for _, passed, _ in attempts.entries(folder / attempts.REVIEWS)[0]] == [0, 1]
    assert len(attempts.entries(folder / attempts.FILE)[0]) == 1  # a review is no attempt


def test_enter_ends_it_and_records_nothing(folder, capsys):
    wrote(folder, attempts.FILE, (SCORES, True, 9), ("self_attention.softmax", True, 9))
    review.run(folder, EXERCISES, lambda _: "")
    out = capsys.readouterr().out
    assert "2 of 2 solved exercises due" in out and out.count("which mistake is it?") == 1
    assert not (folder / attempts.REVIEWS).exists()


def test_a_module_is_written_again(folder, capsys):
    wrote(folder, attempts.FILE, (MODULE, True, 1))
    review.run(folder, EXERCISES, lambda _: "")
    path = folder / "again" / "start_here_DigitReader.py"
    stub = path.read_text(encoding="utf-8")
    assert "raise NotImplementedError" in stub and "work/again/" in capsys.readouterr().out
    review.run(folder, EXERCISES, lambda _: "")
    assert "not done yet" in capsys.readouterr().out and path.exists()

    path.write_text(stub.replace("raise NotImplementedError", "return 0"), encoding="utf-8")
    review.run(folder, EXERCISES, lambda _: "")
    assert "✗" in capsys.readouterr().out and path.exists()

    answer = start_here.DigitReader.source()
    path.write_text(stub.partition("class ")[0] + answer, encoding="utf-8")
    review.run(folder, EXERCISES, lambda _: "")
    assert "in 3 days" in capsys.readouterr().out and not path.exists()
    assert only(folder)[0] == 1 and not (folder / "mine").exists()


def test_without_a_terminal_it_lists(folder, capsys, monkeypatch):
    wrote(folder, attempts.FILE, (SCORES, True, 4))
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    review.run(folder, EXERCISES)
    assert f"{SCORES}, since {TODAY - timedelta(days=3)}" in capsys.readouterr().out


def test_nothing_due_says_what_is_next(folder, capsys):
    review.run(folder, EXERCISES)
    assert "Nothing to come back to yet" in capsys.readouterr().out
    wrote(folder, attempts.FILE, (SCORES, True, 0))
    review.run(folder, EXERCISES)
    assert f"{SCORES} is next, tomorrow" in capsys.readouterr().out


def test_damage_is_no_end(folder):
    wrote(folder, attempts.FILE, (SCORES, True, 9))
    (folder / attempts.REVIEWS).write_bytes(
        b'{"exercise": "x", "passed": true, "at": "soon"}\n\xff'
    )
    assert only(folder)[:2] == (0, -8)
    (folder / attempts.FILE).unlink()
    (folder / attempts.FILE).mkdir()
    with pytest.raises(OSError, match="progress.jsonl could not be read"):
        review.schedule(folder, EXERCISES)
