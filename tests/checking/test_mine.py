"""What a learner has built is kept: with its imports, in the place of its older version, or not."""

import builtins
import linecache
import subprocess
import sys

import numpy as np
import pytest

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
    mine.keep("vit", cell(DOUBLE, np=np)["double"])
    text = kept(work)
    assert "import numpy as np\n" in text and "WIDTH = 2\n" in text and "a check" not in text
    code = "import runpy; print(runpy.run_path('mine/05_vit.py')['double'](3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "6\n", done.stderr


def test_helpers_and_constants_of_other_cells_come_along(work):
    helper = cell("SIZES = (2, 3)\n\n\ndef total(sizes):\n    return sum(sizes)\n")
    source = "def area(x):\n    return total(SIZES) * x\n"
    mine.keep("vit", cell(source, total=helper["total"], SIZES=helper["SIZES"])["area"])
    code = "import runpy; print(runpy.run_path('mine/05_vit.py')['area'](2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "10\n", done.stderr


def test_a_class_is_kept_though_a_notebook_has_no_file(work):
    source = "class Two(Base):\n    '''Two.'''\n\n    def value(self):\n        return 2\n"
    mine.keep("vit", cell(source, Base=mine.Path)["Two"])
    assert source in kept(work) and "import Path" in kept(work)


def test_a_newer_answer_replaces_the_older_and_nothing_else(work):
    mine.keep("vit", cell(DOUBLE, np=np)["double"])
    hand = kept(work).replace("def double", "# a note of mine\nNUMBER = 7\n\n\ndef double")
    (work / "mine" / "05_vit.py").write_text(hand, encoding="utf-8")
    mine.keep("vit", cell("def double(x):\n    return x + x\n")["double"])
    mine.keep("vit", cell("def triple(x):\n    return 3 * x\n")["triple"])
    text = kept(work)
    assert "# a note of mine\nNUMBER = 7" in text and "WIDTH *" not in text
    assert text.count("def double") == 1 and text.endswith("def triple(x):\n    return 3 * x\n")


def test_a_file_that_cannot_be_read_is_left_alone_and_told(work, capsys):
    (work / "mine").mkdir()
    (work / "mine" / "05_vit.py").write_text("def broken(:\n", encoding="utf-8")
    mine.keep("vit", cell(DOUBLE, np=np)["double"])
    assert kept(work) == "def broken(:\n"
    assert "was not kept in 05_vit.py" in capsys.readouterr().out


def test_a_full_disk_leaves_the_older_file(work, monkeypatch, capsys):
    mine.keep("vit", cell(DOUBLE, np=np)["double"])
    before = kept(work)

    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mine.Path, "write_text", full)
    mine.keep("vit", cell("def double(x):\n    return x + x\n")["double"])
    assert kept(work) == before and "No space left" in capsys.readouterr().out
    assert [path.name for path in (work / "mine").iterdir()] == ["05_vit.py"]


def test_outside_a_learners_copy_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine.keep("vit", cell(DOUBLE, np=np)["double"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [len, lambda x: x, np.exp])
def test_what_has_no_source_of_its_own_is_told(work, answer, capsys):
    mine.keep("vit", answer)
    assert "was not kept" in capsys.readouterr().out
