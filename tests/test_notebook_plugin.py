"""The project's plugin for notebooks, on tiny notebooks: each thing that nbval lets through fails.

One run of pytest in a folder of its own serves every test here, without a network where `unshare`
can take it away.
"""

import base64
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat import v4
from notebook_plugin import budget, chapters, images, where
from PIL import Image, ImageDraw

TESTS = Path(__file__).parent
SOURCE = """# Tiny

```{code-cell} python3
from IPython.display import Image, display
```

```{code-cell} python3
values = [1, 2, 3]
print(values)
raise ValueError('too many values')
```

```{code-cell} python3
square = exercise.square.reference
```
"""


def figure(*points, size=(300, 200)) -> str:
    """Axes and a line through the points, as PNG in base64; only the axes without points."""
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((30, 20, 280, 180), outline="black")
    pen.line(points, fill="blue", width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


RISING, FALLING = figure((30, 180), (280, 20)), figure((30, 20), (280, 180))


def text(words):
    return v4.new_output("stream", name="stdout", text=words)


def drawn(image):
    return v4.new_output("display_data", {"text/plain": "<figure>", "image/png": image})


EXTRA = v4.new_output("display_data", {"image/png": RISING})


def show(image):
    data = f"{{'text/plain': '<figure>', 'image/png': '{image}'}}"
    return f"from IPython.display import display\ndisplay({data}, raw=True)"


def cell(source, *outputs, tag=None, count=1, name=None):
    made = v4.new_code_cell(source, outputs=list(outputs), execution_count=count)
    made.metadata = {"tags": [tag]} if tag else {}
    made.id = name or made.id
    return made


BUSY = "import time\nwhile time.process_time() < 1:\n    pass\n"  # one CPU second in all
DIVISION = v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero")
FAILING = "values = [1, 2, 3]\nprint(values)\nraise ValueError('too many values')"
NOTEBOOKS = {
    "01_outputs": [
        cell(f"{BUSY}print(1)\nprint(2)", text("1\n2\n")),
        cell("print('  measured  speed', 3)\nprint('done')", text("  measured  speed 9\ndone\n")),
        cell("print('<object at 0x7f00aa>')", text("<object at 0x1234>\n")),
        cell("print('a')\nprint('c')", text("a\nb\n")),
        cell("pass", tag="raises-exception"),
        cell("1 / 0", DIVISION, tag="raises-exception"),
        cell("square = 4\nprint(square)", text("5\n"), name="exercise-square"),
        cell(show(RISING), drawn(RISING)),
        cell(show(FALLING), drawn(RISING)),
        cell(show(figure()), drawn(RISING)),
        cell(show(figure((30, 180), (280, 20), size=(310, 200))), drawn(RISING)),
        cell("print(0)", text("1\n"), drawn(RISING), tag="nbval-ignore-output"),
        cell(f"def draw():\n    pass\n{show(RISING)}", drawn(RISING), EXTRA),
        cell(FAILING),
        cell("print(values)", text("[1, 2, 3]\n")),
    ],
    "02_killed": [cell("import os\nos._exit(1)"), cell("2", count=2)],
    "03_forgotten": [cell("1 + 1", count=None), cell("2 + 2", count=None)],
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What one run over the notebooks says, and how long it took."""
    root = tmp_path_factory.mktemp("course")
    for name, cells in NOTEBOOKS.items():
        write(root / "solutions" / f"{name}.ipynb", v4.new_notebook(cells=cells))
    (root / "chapters").mkdir()
    (root / "chapters" / "01_outputs.md").write_text(SOURCE, encoding="utf-8")
    started = time.perf_counter()
    out = pytest_in(root, "-n1", "--dist=loadfile", "--nbval-cell-timeout=600", "-rA", "solutions")
    return SimpleNamespace(out=out, seconds=time.perf_counter() - started)


def write(path, notebook):
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def pytest_in(root, *arguments) -> str:
    plugins = ["-p", "tutorial_lib.course.lean_imports", "-p", "notebook_plugin"]
    command = [sys.executable, "-m", "pytest", *plugins, "--nbval", "--color=no"]
    alone = ["unshare", "-rn"]
    try:
        offline = subprocess.run([*alone, "true"], capture_output=True).returncode == 0
    except OSError:
        offline = False
    done = subprocess.run(
        (alone if offline else []) + command + list(arguments),
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout + done.stderr


def outcome(report, notebook, number) -> str:
    line = re.search(rf"^(\w+) .*{notebook}\.ipynb::cell {number}( |$)", report.out, re.MULTILINE)
    return line[1] if line else report.out


@pytest.mark.parametrize("number", [1, 2, 3, 6, 8, 12])
def test_what_is_the_same_passes_whatever_the_machine(report, number):
    assert outcome(report, "01_outputs", number) == "PASSED"


@pytest.mark.parametrize(
    "number, said",
    [
        (4, "cell 4: outputs differ: line 2: reference 'b', new 'c'"),
        (5, "cell 5: tagged raises-exception, but nothing was raised"),
        (7, "chapters/01_outputs.md:14, cell 7: outputs differ: line 1: reference '5', new '4'"),
        (9, "cell 9: outputs differ: figure 1 looks different"),
        (10, "cell 10: outputs differ: figure 1 looks different"),
        (11, "cell 11: outputs differ: figure 1 is 310x200 pixels, the reference 300x200"),
        (13, "cell 13: outputs differ: figures: 1, the reference has 2"),
        (14, "chapters/01_outputs.md:10, cell 14, line 3: ValueError: too many values"),
    ],
)
def test_what_nbval_lets_through_fails_and_says_where_first(report, number, said):
    assert outcome(report, "01_outputs", number) == "FAILED"
    title = rf"^_+ solutions/01_outputs.ipynb::Cell {number} _+\n(?:\[gw.*\n)?"
    assert said in re.search(rf"{title}(.*)", report.out, re.MULTILINE)[1]


def test_the_cells_below_an_error_are_not_run(report):
    assert outcome(report, "01_outputs", 15) not in ("PASSED", "FAILED")
    assert "chapters/01_outputs.md:8, cell 14 stopped the notebook" in report.out


def test_a_killed_kernel_is_noticed_at_once(report):
    assert "02_killed.ipynb, cell 1: the kernel died (out of memory?)" in report.out
    assert report.seconds < 500  # the cell's timeout alone is 600


def test_a_notebook_that_was_never_executed_fails(report):
    said = "03_forgotten.ipynb, cell 1: this cell was never executed: run `make build`"
    assert said in report.out
    assert "2 stopped the notebook" not in report.out


def test_time_and_memory_are_printed(report):
    assert re.search(r"^01_outputs +\d+\.\d s +\d+\.\d\d GB$", report.out, re.MULTILINE)
    assert re.search(r"^02_killed +\d+\.\d s +memory unknown$", report.out, re.MULTILINE)


def test_a_notebooks_cpu_seconds_are_its_chapters_kernel_and_all(report):
    row = re.search(r"^01_outputs +(\d+\.\d) +0\.0 +0\.0 +0\.0 +(\d+\.\d)$", report.out, re.M)
    assert float(row[1]) == float(row[2]) >= 1  # of which its cell that counts takes most
    rest, total = (
        float(re.search(rf"^{part} +(\d+\.\d)$", report.out, re.M)[1])
        for part in ("starting, collecting", "all")
    )
    assert total >= rest + float(row[2]) > rest > 0


def test_what_is_over_its_budget_is_named():
    cost = dict(notebook="01_x", place="chapters/01_x.md:7, cell 2", seconds=40, start=1, peak=3.0)
    assert budget.summary([cost, {**cost, "seconds": 30}])[1:] == [
        "over budget: 01_x took 71 s of 40",
        "over budget: 01_x held 3.0 GB of 2",
        "over budget: chapters/01_x.md:7, cell 2 took 40 s of 15",
        "over budget: chapters/01_x.md:7, cell 2 took 30 s of 15",
    ]
    assert len(budget.summary([{**cost, "seconds": 1, "peak": None}])) == 1


def test_a_figure_may_shift_by_a_pixel_and_not_change_its_curve():
    shifted = figure((30, 181), (281, 20), size=(302, 200))
    assert images.first_difference([RISING], [shifted]) is None
    assert "looks different" in images.first_difference([RISING], [FALLING])
    assert "looks different" in images.first_difference([figure(size=(300, 200))], [RISING])
    assert images.first_difference([RISING], []) == "figures: 0, the reference has 1"


def test_a_photograph_is_kept_as_jpeg_and_compared_all_the_same():
    smaller = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(RISING))).save(smaller, "JPEG", quality=85)
    data = base64.b64encode(smaller.getvalue()).decode()
    jpeg = v4.new_output("display_data", {"image/jpeg": data})
    reference = images.pictures([text("a line"), jpeg])
    assert images.first_difference(reference, images.pictures([drawn(RISING)])) is None
    assert images.first_difference(reference, [FALLING])


def test_the_place_of_a_cell_that_is_written_twice(tmp_path):
    source = tmp_path / "chapters" / "01_a.md"
    source.parent.mkdir()
    twice = "```{code-cell}\nstep()\n```\n\nand again\n\n```{code-cell}\nstep()\n```\n"
    source.write_text(twice, encoding="utf-8")
    cells, notebook = [cell("step()"), cell("step()")], tmp_path / "solutions" / "01_a.ipynb"
    assert where.place(notebook, cells, 0, tmp_path, None) == "chapters/01_a.md:2, cell 1"
    assert where.place(notebook, cells, 1, tmp_path, 1) == "chapters/01_a.md:8, cell 2, line 1"
    cells[1].source = "another()"
    assert where.place(notebook, cells, 1, tmp_path, 1) == "solutions/01_a.ipynb, cell 2, line 1"


def test_chapters_picks_what_belongs_to_them(tmp_path):
    (tmp_path / "chapters").mkdir()
    for name in ("01_outputs", "02_killed"):
        (tmp_path / "chapters" / f"{name}.md").write_text("# A chapter\n", encoding="utf-8")
    (tmp_path / "test_other.py").write_text(
        "import pathlib, pytest, types\n"
        "files = [pathlib.Path(f'{stem}.md') for stem in ('01_outputs', '02_killed')]\n"
        "made = [types.SimpleNamespace(slug=slug) for slug in ('outputs', 'killed')]\n"
        "@pytest.mark.parametrize('value', files + made, ids=list('abcd'))\n"
        "def test_value(value): pass\n"
        "def test_plain(): pass\n",
        encoding="utf-8",
    )
    (tmp_path / "test_killed.py").write_text("def test_slug(): pass\n", encoding="utf-8")
    write(tmp_path / "02_killed.ipynb", v4.new_notebook(cells=NOTEBOOKS["02_killed"]))
    out = pytest_in(tmp_path, "--chapters=2", "--collect-only", "-q")
    found = [line.partition("::")[2] for line in out.splitlines() if "::" in line]
    assert found == ["cell 1", "cell 2", "test_slug", "test_value[b]", "test_value[d]"]


def test_an_unknown_chapter_is_a_usage_error(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "01_outputs.md").write_text("# A chapter\n", encoding="utf-8")
    config = SimpleNamespace(rootpath=tmp_path, option=SimpleNamespace(chapters="1,07"))
    with pytest.raises(pytest.UsageError, match="--chapters: no chapter 07; there are 01"):
        chapters.pytest_configure(config)


def test_slugs_of_a_plain_test():
    item = SimpleNamespace(path=Path("tests/test_vit.py"))
    assert "vit" in chapters.slugs_of(item)
