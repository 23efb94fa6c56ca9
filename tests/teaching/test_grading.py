"""Hand-ins graded by name: what a cell looks like changes nothing, and no trick earns a point."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from tutorial_lib.checking.comparing import compare
from tutorial_lib.teaching import carrying, grading, reports
from tutorial_lib.teaching.grading import Grade, HandIn

ROOT = Path(__file__).parents[2]
GIVEN = json.loads((ROOT / "chapters" / "00_start_here.ipynb").read_text(encoding="utf-8"))
IMPORTS, CHECK = "import numpy as np", "weighted_mean = exercise.weighted_mean.check(weighted_mean)"
MEAN = "def weighted_mean(values, weights):\n    return weights @ values / total(weights)"
HELPER = "def total(weights):\n    return np.sum(weights)"
WRONG = "def weighted_mean(values, weights):\n    return weights @ values / len(weights)"
READER = """class DigitReader(nn.Module):
    def __init__(self, pixels, hidden, classes):
        super().__init__()
        self.first = nn.Linear(pixels, hidden)
        self.second = nn.Linear(hidden, classes)

    def forward(self, images):
        return self.second(self.first(images.flatten(1)).relu())"""
STEP = """def learning_step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()"""
STUB = next("".join(c["source"]) for c in GIVEN["cells"] if c["id"] == "exercise-weighted_mean")
HONEST = [IMPORTS, HELPER, f"{MEAN}\n\n\n{CHECK}", READER, STEP]


def mean(body, before=""):
    """The cells of a hand-in with these lines in its function."""
    lines = body.replace("\n", "\n    ")
    return [IMPORTS, f"{before}\ndef weighted_mean(values, weights):\n    {lines}"]


SAME = {  # one notebook, as it looks after an afternoon of work
    "plain": HONEST,
    "duplicated": [*HONEST, HELPER, MEAN, CHECK],
    "a stub below": [*HONEST, STUB],
    "split": [IMPORTS, HELPER, MEAN.split("\n")[0], MEAN.split("\n")[1], CHECK, READER, STEP],
    "deleted": [HELPER, MEAN, READER, STEP],  # no imports, no checks
    "moved": [STEP, READER, MEAN, HELPER, IMPORTS],
    "retyped": [("raw", cell) for cell in HONEST],
    "as text": [("markdown", cell) for cell in HONEST],
    "with magics": ["%matplotlib inline\n!ls\n" + HONEST[0], "?np", *HONEST[1:]],
    "with a broken cell": [*HONEST, "def half(:"],
}
TRICKS = {
    "endless": mean("while True: pass"),
    "deaf": mean("while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
    "hungry": mean("return np.ones((10**9, 10**3)).sum(0)"),
    "exit": mean("raise SystemExit(0)"),
    "hard exit": mean("import os\nos._exit(0)"),
    "imports it": mean("return exercise.weighted_mean.reference(values, weights)",
                       "from tutorial_lib.exercises import start_here as exercise"),
    "is it": [IMPORTS, "weighted_mean = exercise.weighted_mean.reference"],
    "finds it": mean("m = __builtins__['__import__']('tutorial_lib.exercises.start_here.mean')\n"
                     "return m.x(values, weights)"),
    "imports by parts": mean("a = getattr(importlib, 'import_' + 'module')\n"
                             "m = a('.'.join(['tutorial' + '_lib', 'exercises', 'start_here']))\n"
                             "return m.weighted_mean.reference(values, weights)",
                             "import importlib"),
    "searches it": mean("import gc\nfor x in getattr(gc, 'get_' + 'objects')():\n"
                        "    if getattr(x, '__name__', '') == 'weighted_mean' and x is not "
                        "weighted_mean:\n        return x(values, weights)"),
    "walks up": mean("import sys\nframe = getattr(sys, '_get' + 'frame')(1)\n"
                     "return getattr(frame, 'f_' + 'back')"),
    "asks for a frame": mean("import sys\nreturn sys._getframe(1)"),
    "reads it": mean(f"return open({str(ROOT / 'solutions' / '00_start_here.ipynb')!r}).read()"),
    "starts": mean("import os\nos.system('true')\nreturn weights @ values / weights.sum()"),
    "writes": mean(f"open({str(ROOT / 'written')!r}, 'w')\nreturn values[0]"),
    "patches": mean("return values", "import tutorial_lib.checking.trials as t\n"
                    "t.compare = lambda *a, **k: []"),
    "patches numpy": mean("return values[0]",
                          "np.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = int"),
    "prints": mean("print(values)\nreturn values[0]"),
    "raises the case": mean("raise ValueError(str(values) + str(weights))"),
    "names the case": mean("raise type(str(values), (ValueError,), {})(values)"),
    "returns the case": mean("return {str(values): values}"),
    "returns too much": mean("return np.zeros((3000, 3000))"),
    "returns odd things": mean("return {None: [values], 1: object(), 'x': {2j}}"),
    "returns itself": mean("a = [values]\na.append(a)\nreturn a"),
    "by heart": mean("seen = {(2, 1): [0.37169805]}\nreturn np.float64(seen[values.shape])"),
    "wrong": [IMPORTS, WRONG],
    "no Python": ["def weighted_mean(values, weights):\n  return (weights"],
}  # fmt: skip
SOFTMAX = {  # of chapter 01, where the course's own stands in a module that answers may import
    "a library's": "from tutorial_lib.from_scratch import attention as library\n\n\n"
                   "def softmax(S):\n    return library.softmax(S)",
    "by name": "from tutorial_lib.from_scratch.attention import softmax as theirs\n\n\n"
               "def softmax(S):\n    return theirs(S)",
    "by another name": "from tutorial_lib.from_scratch import attention\n\n"
                       "softmax = attention.softmax",
    "its own": "def softmax(S):\n    e = np.exp(S - S.max(-1, keepdims=True))\n"
               "    return e / e.sum(-1, keepdims=True)",
}  # fmt: skip
LEANS = [IMPORTS, WRONG, STEP.replace(
    "return loss", "return weighted_mean(np.full((1, 1), loss.item()), np.full(1, 3.0))"
)]  # fmt: skip
SCRIPT = """
import json, sys
from pathlib import Path
from tutorial_lib.teaching import grading, submissions
graders = [grading.ChapterGrader(Path("chapters", name), seed=5)
           for name in ("00_start_here.ipynb", "01_self_attention.ipynb")]
graders[1].tasks = [task for task in graders[1].tasks if task.name == "softmax"]
for task in graders[0].tasks:
    task.seconds = 0.5
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    grader = graders[path.name.startswith("01")]
    found[path.stem] = [vars(grade) for grade in grader.grade(submissions.read([path]))]
Path(sys.argv[1], "found.json").write_text(json.dumps(found), encoding="utf-8")
"""


def notebook(cells):
    """A notebook's file; a cell is code, or (its type, its text). Ids and metadata are new."""
    pairs = [cell if isinstance(cell, tuple) else ("code", cell) for cell in cells]
    cells = [{"cell_type": kind, "id": f"x{i}", "source": text, "metadata": {}}
             for i, (kind, text) in enumerate(pairs)]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Name -> the grades of every hand-in above, from one process."""
    folder = tmp_path_factory.mktemp("hand ins")
    for name, cells in (SAME | TRICKS | {"leans": LEANS}).items():
        (folder / f"{name}.ipynb").write_text(notebook(cells), encoding="utf-8")
    for name, text in SOFTMAX.items():
        (folder / f"01 {name}.py").write_text(text, encoding="utf-8")
    (folder / "file.py").write_text("\n\n\n".join(HONEST), encoding="utf-8")
    (folder / "untouched.ipynb").write_text(json.dumps(GIVEN), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return {name: [Grade(**grade) for grade in grades] for name, grades in found.items()}


@pytest.mark.parametrize("name", [*SAME, "file"])
def test_what_cells_look_like_changes_no_grade(graded, name):
    assert [g.state for g in graded[name]] == ["right", "right", "right", "not graded"]
    assert graded[name] == graded["plain"]


def test_an_untouched_notebook_is_not_done(graded):
    assert {g.state for g in graded["untouched"][:3]} == {"not done"}


@pytest.mark.parametrize(
    "name, state, said",
    [
        ("endless", "wrong", "endless loop"),
        ("deaf", "wrong", "endless loop"),
        ("hungry", "wrong", "more memory than there is"),
        ("exit", "wrong", "SystemExit"),
        ("hard exit", "wrong", "its process ended before all was tried: it stopped"),
        ("imports it", "refused", "the course's own weighted_mean"),
        ("is it", "refused", "the course's own weighted_mean"),
        ("finds it", "refused", "the course's own weighted_mean"),
        ("imports by parts", "refused", "the course's own weighted_mean"),
        ("searches it", "refused", "belongs to the grader"),
        ("walks up", "refused", "belongs to the grader"),
        ("asks for a frame", "refused", "`_getframe`, which no task needs"),
        ("reads it", "refused", "the course's own weighted_mean"),
        ("starts", "refused", "starts a program"),
        ("writes", "refused", "writes or changes files"),
        ("patches", "wrong", "wrong on"),  # that line defines nothing, so it is not even run
        ("patches numpy", "wrong", "wrong on"),
        ("prints", "wrong", "wrong on"),
        ("raises the case", "wrong", "raises ValueError at `raise ValueError("),
        ("names the case", "wrong", "raises ValueError"),
        ("returns the case", "wrong", "wrong on"),
        ("returns too much", "wrong", "wrong on 12 of 12"),
        ("returns odd things", "wrong", "wrong on 12 of 12"),
        ("returns itself", "wrong", "its process ended before all was tried: it stopped"),
        ("by heart", "wrong", "raises KeyError"),
        ("wrong", "wrong", "You divide by how many vectors there are"),
        ("no Python", "missing", "is no Python"),
    ],
)
def test_tricks_earn_a_message_and_no_point(graded, name, state, said):
    grade = graded[name][0]
    assert (grade.state, grade.points, grade.of) == (state, 0, 1)
    assert said in grade.message
    assert not (ROOT / "written").exists()


@pytest.mark.parametrize("name", SOFTMAX)
def test_what_the_library_holds_is_no_answer_however_it_is_called(graded, name):
    (grade,) = graded[f"01 {name}"]
    assert (grade.state == "right") is (name == "its own")
    assert (grade.state == "refused") is ("the course's own softmax" in grade.message)


def test_no_message_holds_the_numbers_of_a_case(graded):
    for grades in graded.values():
        for grade in grades:
            assert not re.search(r"\d\.\d{3}|\d[,\s]+-?\d+\.", grade.message), grade.message
            assert "array(" not in grade.message


def test_values_come_back_as_they_were_and_nothing_else_does():
    value = {
        "a": (1, 2.5, None, True, "word", [np.float32(0.5), np.arange(6).reshape(2, 3)[:, ::2]]),
        3: [
            torch.ones(2, 1).expand(2, 3),
            torch.zeros(0, 2),
            torch.tensor(1.5, requires_grad=True),
        ],
        "b": [torch.ones(3, dtype=torch.bfloat16), np.array(True), {1, 2}, float("nan")],
    }
    again = carrying.unpack(carrying.pack(value))
    assert list(again) == ["a", 3, "b"] and again["a"][:5] == value["a"][:5]
    assert not compare(value["a"][5], again["a"][5]) and not compare(value[3], again[3])
    assert again["b"][0].dtype == torch.bfloat16 and again["b"][2] == {1, 2}
    other = carrying.unpack(carrying.pack(os.system))
    assert isinstance(other, carrying.Other) and not callable(other)
    for bad in (b"", b"\0" * 8 + b"x", carrying.pack(value)[:40], b"cposix\nsystem\n(S'true'\ntR."):
        with pytest.raises(ValueError):
            carrying.unpack(bad)


def test_a_mistake_counts_once(graded):
    """An answer that uses another one, which is wrong, is judged with the course's in its place."""
    assert [g.state for g in graded["leans"][:3]] == ["wrong", "missing", "right"]


# Tag -> (attributes it must have, those it may have, tags inside it), of the schema junit-10.xsd,
# https://github.com/jenkinsci/xunit-plugin, which pytest's own report follows.
JUNIT = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"}, {"skipped", "time", "timestamp"}, {"testcase"}
    ),
    "testcase": ({"name"}, {"time", "classname"}, {"skipped", "failure"}),
    "skipped": (set(), {"type", "message"}, set()),
    "failure": (set(), {"type", "message"}, set()),
}  # fmt: skip


def hand_in():
    grades = [
        Grade("00", "weighted_mean", 1, 1, "right"),
        Grade("00", "DigitReader", 0, 1, "wrong", "a <b> & \x08 sentence"),
        Grade("00", "learning_step", 0, 1, "not done"),
        Grade("00", "digits_from_nothing", 0, 0, "not graded"),
    ]
    return HandIn("=HYPERLINK()/..", grades, ["a note"])


def test_the_files_are_what_their_readers_want(tmp_path):
    reports.write([hand_in()], tmp_path / "out")
    with open(tmp_path / "out" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        heads, row = csv.reader(file)
    assert heads == ["hand-in", "points", "of", "00 weighted_mean", "00 DigitReader",
                     "00 learning_step"]  # fmt: skip
    assert row == ["'=HYPERLINK()/..", "1", "3", "1", "0", "0"]  # no spreadsheet computes it
    root = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    for element in root.iter():
        must, may, inside = JUNIT[element.tag]
        assert must <= set(element.attrib) <= must | may
        assert {child.tag for child in element} <= inside
    (suite,) = root
    counts = [suite.get(name) for name in ("tests", "failures", "skipped", "errors")]
    assert counts == ["4", "1", "2", "0"] and len(suite.findall("testcase/failure")) == 1
    assert len(suite.findall("testcase/skipped")) == 2
    (path,) = (tmp_path / "out" / "gradescope").iterdir()
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["score"] == 1 and len(found["tests"]) == 3
    for test in found["tests"]:  # the fields and types of Gradescope's specification
        assert set(test) == {"name", "score", "max_score", "status", "output"}
        assert test["status"] in ("passed", "failed") and 0 <= test["score"] <= test["max_score"]


def test_rounding_on_the_cases_of_one_seed_costs_nobody_a_point(monkeypatch):
    grader = grading.ChapterGrader(ROOT / "chapters" / "00_start_here.ipynb", seed=9)
    verdicts = {}

    class Judge:
        def __init__(self, task, seed):
            self.seed = seed

        def judge(self, source, stand_ins):
            return verdicts.get(self.seed, "right"), "" if self.seed not in verdicts else "told"

    monkeypatch.setattr(grading, "Judge", Judge)
    task = grader.tasks[0]
    for found, state in [
        ({}, "right"),
        ({9: "nearly"}, "right"),  # and right on the course's cases, and on others
        ({9: "wrong"}, "wrong"),
        ({9: "nearly", 0: "nearly"}, "wrong"),
        ({9: "nearly", 10: "nearly"}, "wrong"),  # knows the course's by heart
        ({9: "refused"}, "refused"),
    ]:
        verdicts.clear()
        verdicts.update(found)
        assert grader._judged(task, "", {})[0] == state
