"""What the suite costs is counted where it arises, and a prepared process forgets each notebook."""

import os
import subprocess
import sys

import pytest
from nbformat import v4
from notebook_plugin import costs, prepared

from tutorial_lib.authoring.execute import execute

SPOILS = """
import os, sys
import matplotlib.pyplot as plt, numpy as np, torch
import tutorial_lib
np.set_printoptions(precision=1); torch.set_default_dtype(torch.float64); torch.manual_seed(5)
tutorial_lib.left = os.environ["LEFT"] = "here"; left = 1; plt.figure(); sys.path.append("left")
print("  spoiled", os.environ["GIVEN"])
"""
LOOKS = """
import os, sys
import matplotlib.pyplot as plt, numpy as np, torch
import tutorial_lib
print(np.array([1.23456]), torch.get_default_dtype(), torch.initial_seed() == 5)
print(hasattr(tutorial_lib, "left"), "LEFT" in os.environ, "GIVEN" in os.environ)
print("left" in globals(), plt.get_fignums(), "left" in sys.path, os.path.basename(os.getcwd()))
"""
BUSY = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def notebook(*sources, tag=None):
    cells = [v4.new_markdown_cell("# A title"), *map(v4.new_code_cell, sources)]
    cells[-1].metadata = {"tags": [tag]} if tag else {}
    return v4.new_notebook(cells=cells)


def printed(notebook) -> list[str]:
    return ["".join(out.get("text", "") for out in c.outputs) for c in notebook.cells[1:]]


@needs_fork
def test_nothing_is_left_from_one_notebook_to_the_next(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    spoiled = prepared.run(notebook(SPOILS), tmp_path, environment={"GIVEN": "1"})
    assert printed(spoiled) == ["  spoiled 1\n"]
    assert printed(prepared.run(notebook(LOOKS), other, environment={})) == [
        "[1.23456] torch.float32 False\nFalse False False\nFalse [] False other\n"
    ]


def test_prints_what_an_ordinary_kernel_prints(tmp_path):
    cells = (
        "import matplotlib.pyplot as plt\nprint('a')\nx = 1",
        "print(x, __name__, plt.get_backend())",
        "fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()\nprint(plt.get_fignums())",
        "%timeit -n1 -r1 -q pass",
        "def twice(x):\n    return 2 * x\nimport inspect\nprint(inspect.getsource(twice))",
    )
    here = prepared.run(notebook(*cells), tmp_path, environment={})
    assert printed(here) == printed(execute(notebook(*cells), tmp_path))


@needs_fork
def test_a_cell_that_raises_or_ends_its_process_is_named(tmp_path):
    with pytest.raises(prepared.CellFailed, match=r"cell 2 raised(?s:.*)no such thing"):
        prepared.run(
            notebook("1", "raise ValueError('no such thing')", "3"), tmp_path, environment={}
        )
    tagged = notebook("1 / 0", tag="raises-exception")
    assert "ZeroDivisionError" in printed(prepared.run(tagged, tmp_path, environment={}))[0]
    with pytest.raises(prepared.CellFailed, match="the process ended: 7"):
        prepared.run(notebook("import os\nos._exit(7)"), tmp_path, environment={})
    with pytest.raises(prepared.CellFailed, match="the process ended: -9"):
        killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
        prepared.run(notebook(killed), tmp_path, environment={})


@needs_fork
def test_the_cpu_seconds_of_forks_and_of_children_are_counted(tmp_path):
    prepared.run(notebook("1"), tmp_path, environment={})  # start the prepared process
    for spend in (
        lambda: prepared.run(notebook(BUSY), tmp_path, environment={}),
        lambda: subprocess.run([sys.executable, "-c", BUSY], check=True),
        lambda: exec(BUSY, {}),
    ):
        before = costs.spent()
        spend()
        assert 0.45 < costs.spent() - before < 1.5  # the clock ticks in hundredths


def test_a_chapter_over_its_budget_is_named():
    found = [("01_x", "solved", 40.0), ("01_x", "tests", 6.0), ("tests/layers", "", 3.0)]
    lines = [line.split() for line in costs.table(found, total=60.0)]
    assert lines[1:] == [
        ["01_x", "40.0", "0.0", "0.0", "6.0", "46.0", "over", "budget"],
        ["tests/layers", "3.0"],
        ["starting,", "collecting", "11.0"],
        ["all", "60.0"],
    ]
