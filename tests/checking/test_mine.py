"""What a learner has built is kept: with its imports, in the place of its older version, or not."""

import builtins
import linecache
import runpy
import subprocess
import sys

import numpy as np
import pytest
from torch import nn

from tutorial_lib.checking import attempts, mine


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A learner's copy that we stand in, with the notebook of a chapter."""
    (tmp_path / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    (tmp_path / "05_vit.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cell(source, number=[0], **names):  # noqa: B006, a counter
    """What a notebook's cell defines, with its source where IPython keeps it."""
    number[0] += 1
    file = f"<cell {number[0]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"__name__": "__main__", "__builtins__": builtins, **names}
    exec(compile(source, file, "exec"), namespace)
    return namespace


DOUBLE = "WIDTH = 2\n\n\ndef double(x):\n    return WIDTH * np.asarray(x)\n\n\nprint('a check')\n"


def kept(work):
    return (work / "mine" / "05_vit.py").read_text(encoding="utf-8")


def test_a_function_is_kept_with_what_it_uses_and_runs_alone(work, capsys):
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    text = kept(work)
    assert "import numpy as np\n" in text and "WIDTH = 2\n" in text and "a check" not in text
    code = "import runpy; print(runpy.run_path('mine/05_vit.py')['double'](3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "6\n", done.stderr


def test_helpers_and_constants_of_other_cells_come_along(work):
    helper = cell("SIZES = (2, 3)\n\n\ndef total(sizes):\n    return sum(sizes)\n")
    source = "def area(x):\n    return total(SIZES) * x\n"
    mine.keep("vit", "area", cell(source, total=helper["total"], SIZES=helper["SIZES"])["area"])
    code = "import runpy; print(runpy.run_path('mine/05_vit.py')['area'](2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "10\n", done.stderr


def test_a_class_is_kept_though_a_notebook_has_no_file(work):
    source = "class Two(Base):\n    '''Two.'''\n\n    def value(self):\n        return 2\n"
    mine.keep("vit", "Two", cell(source, Base=mine.Path)["Two"])
    assert source in kept(work) and "import Path" in kept(work)


def test_a_newer_answer_replaces_the_older_and_nothing_else(work):
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    hand = kept(work).replace("def double", "# a note of mine\nNUMBER = 7\n\n\ndef double")
    (work / "mine" / "05_vit.py").write_text(hand, encoding="utf-8")
    mine.keep("vit", "double", cell("def double(x):\n    return x + x\n")["double"])
    mine.keep("vit", "triple", cell("def triple(x):\n    return 3 * x\n")["triple"])
    text = kept(work)
    assert "# a note of mine\nNUMBER = 7" in text and "WIDTH *" not in text
    assert text.count("def double") == 1 and text.endswith("def triple(x):\n    return 3 * x\n")


def test_a_file_that_cannot_be_read_is_left_alone_and_told(work, capsys):
    (work / "mine").mkdir()
    (work / "mine" / "05_vit.py").write_text("def broken(:\n", encoding="utf-8")
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    assert kept(work) == "def broken(:\n"
    assert "was not kept in 05_vit.py" in capsys.readouterr().out


def test_a_full_disk_leaves_the_older_file(work, monkeypatch, capsys):
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    before = kept(work)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mine.os, "fsync", full)
    mine.keep("vit", "double", cell("def double(x):\n    return x + x\n")["double"])
    assert kept(work) == before and "No space left" in capsys.readouterr().out
    assert {path.name for path in (work / "mine").iterdir()} == {"05_vit.py", "test_mine.py"}


def test_outside_a_learners_copy_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    assert list(tmp_path.iterdir()) == []


def loaded(work):
    """What the kept file defines when it is run alone."""
    return runpy.run_path(str(work / "mine" / "05_vit.py"))


def test_line_ends_stay_what_they_are(work):
    path = work / "mine" / "05_vit.py"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbfNUMBER = 7\r\n")
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    text = path.read_bytes()
    assert b"NUMBER = 7\r\n" in text and text.count(b"\n") == text.count(b"\r\n") > 5
    assert loaded(work)["double"](3) == 6


def test_two_cells_with_different_constants_of_one_name_both_stay_right(work, capsys):
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    triple = cell(DOUBLE.replace("2", "3").replace("double", "triple"), np=np)["triple"]
    for _ in range(2):
        mine.keep("vit", "triple", triple)
    text = kept(work)
    assert text.count("WIDTH = ") == text.count("WIDTH_2 = ") == 1
    assert loaded(work)["double"](1) == 2 and loaded(work)["triple"](1) == 3
    assert "triple is kept with WIDTH_2 for WIDTH" in capsys.readouterr().out


def test_a_solved_exercise_is_no_helper_that_another_may_change(work):
    attempts.record("vit.double", True)
    mine.keep("vit", "double", cell("def double(x):\n    return 2 * x\n")["double"])
    edited = "def double(x):\n    return 0\n\n\ndef four(x):\n    return double(x) + 4\n"
    mine.keep("vit", "four", cell(edited)["four"])
    assert loaded(work)["double"](1) == 2 and loaded(work)["four"](1) == 4


def test_what_has_no_source_is_told_and_the_file_is_left(work, capsys):
    mine.keep("vit", "double", cell(DOUBLE, np=np)["double"])
    before = kept(work)
    for answer in (lambda x: x, cell("def use(x):\n    return table[x]\n", table=object())["use"]):
        mine.keep("vit", "use", answer)
        assert "use was not kept" in capsys.readouterr().out and kept(work) == before


def test_the_classes_of_a_model_are_kept_beside_an_answer_of_that_name(work, capsys):
    attempts.record("vit.Net", True)
    net = "class Net({}):\n    def built(self):\n        return {}\n"
    mine.keep("vit", "Net", cell(net.format("nn.Module", 1), nn=nn)["Net"])
    layer = cell(net.format("nn.Module", "WIDTH").replace("Net", "Layer"), nn=nn, WIDTH=3)["Layer"]
    model = cell(net.format("nn.Sequential", 2), nn=nn)["Net"](layer(), nn.ReLU())
    mine.keep_model("vit", "net_from_nothing", model)
    found = loaded(work)
    assert [found[name]().built() for name in ("Layer", "Net", "Net_2")] == [3, 1, 2]
    assert "Net is kept with Net_2 for Net" in capsys.readouterr().out
    mine.keep_model("vit", "net_from_nothing", nn.Linear(1, 1))
    assert "net_from_nothing was not kept: its model has no class" in capsys.readouterr().out
