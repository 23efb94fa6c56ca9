"""What a learner gets: it runs to its end at any stage of their work, and gives nothing away."""

import ast
import base64
import json
import random
import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from notebook_plugin.prepared import run

from tutorial_lib.authoring.build import sources
from tutorial_lib.authoring.expand import expand, slug_of
from tutorial_lib.course.progress import exercises_of

ROOT = Path(__file__).parents[2]
QUICK = {"TUTORIAL_QUICK": "1"}
LIMITS = {"notebook": 400_000, "image": 60_000}  # bytes
BUILD = "run `make build`"


@pytest.fixture(params=sources(ROOT), ids=lambda source: source.stem)
def source(request):
    return request.param


@pytest.fixture
def learner(source):
    """The learner's notebook as it is handed out."""
    path = source.with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is not there: {BUILD}"
    return nbformat.read(path, as_version=4)


@pytest.fixture
def solution(source):
    path = ROOT / "solutions" / f"{source.stem}.ipynb"
    assert path.exists(), f"solutions/{path.name} is not there: {BUILD}"
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercise_cells(notebook) -> dict:
    """Name of each exercise -> the cell in which it is solved."""
    found = {c.id.removeprefix("exercise-"): c for c in code_cells(notebook)}
    return {name: cell for name, cell in found.items() if cell.id == f"exercise-{name}"}


def verdict(cell) -> str:
    """The line that an exercise's check printed, without what differs from task to task."""
    said = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    lines = [line for line in said.splitlines() if line[:1] in "○✓✗"]
    return re.split("[:.]", lines[0])[0] + (": not done yet" if "not done yet" in lines[0] else "")


def test_runs_to_its_end_with_nothing_solved(learner, tmp_path):
    run(learner, tmp_path, environment=QUICK)
    for name, cell in exercise_cells(learner).items():
        assert verdict(cell) == f"○ {name}: not done yet"


def test_runs_to_its_end_with_a_random_half_solved(source, learner, tmp_path):
    cells, answers = exercise_cells(learner), exercise_cells(expand(source, solved=True))
    solved = random.Random(slug_of(source)).sample(list(cells), k=(len(cells) + 1) // 2)
    for name in solved:
        cells[name].source = answers[name].source
    run(learner, tmp_path, environment=QUICK)
    cannot_run = {e.name for e in exercises_of(slug_of(source)) if getattr(e, "why_not", str)()}
    for name, cell in cells.items():
        right = f"○ {name}" if name in cannot_run else f"✓ {name}"
        assert verdict(cell) == (right if name in solved else f"○ {name}: not done yet")


def test_every_exercise_of_the_chapter_is_set_once_and_listed_in_the_order_of_the_text(
    source, learner
):
    declared = [exercise.name for exercise in exercises_of(slug_of(source))]
    assert list(exercise_cells(learner)) == declared


def test_holds_no_answers_and_no_outputs(source, learner):
    given = "\n".join(["", *(row for cell in learner.cells for row in plain(cell.source)), ""])
    for exercise in exercises_of(slug_of(source)):
        answer = "\n".join(["", *body(exercise.reference, exercise.source()), ""])
        assert answer not in given, f"the reference of {exercise.name} is in the learner notebook"
    for cell in code_cells(learner):
        assert not cell.outputs and cell.execution_count is None


def plain(code: str) -> list[str]:
    """The lines without indentation, comments and blank ones."""
    rows = [re.sub(r"(^|\s)#\s.*", "", row).strip() for row in code.splitlines()]
    return [row for row in rows if row]


def body(function, source: str) -> list[str]:
    """The lines of a function below its signature and docstring."""
    tree = ast.parse(textwrap.dedent(source)).body[0]
    first = tree.body[1] if ast.get_docstring(tree) is not None else tree.body[0]
    return plain("\n".join(source.splitlines()[first.lineno - 1 :]))


def test_is_what_the_source_says_now(source, learner, solution):
    fresh = nbformat.writes(expand(source, solved=False)) + "\n"
    assert source.with_suffix(".ipynb").read_text(encoding="utf-8") == fresh, BUILD
    written = [(cell.id, cell.source) for cell in solution.cells]
    assert written == [(cell.id, cell.source) for cell in expand(source, solved=True).cells], BUILD


def test_files_and_figures_are_small(source, solution):
    for path in (source.with_suffix(".ipynb"), ROOT / "solutions" / f"{source.stem}.ipynb"):
        assert path.stat().st_size <= LIMITS["notebook"], f"{path.name} is over 400 kB"
    for number, cell in enumerate(code_cells(solution), 1):
        for kind, data in json_of_images(cell):
            size = len(base64.b64decode(data)) if kind != "image/svg+xml" else len(data)
            assert size <= LIMITS["image"], f"cell {number}: a figure of {size / 1000:.0f} kB"


def test_figures_say_what_they_show_and_nothing_warns(solution):
    for number, cell in enumerate(code_cells(solution), 1):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"cell {number} warns: {output.text[:200]}"
            for kind in ("image/png", "image/jpeg"):
                if kind in output.get("data", {}):
                    assert output.metadata.get(kind, {}).get("alt"), (
                        f"cell {number}: use plotting.show('what is to be seen')"
                    )


def json_of_images(cell):
    for output in json.loads(json.dumps(cell.outputs)):
        for kind, data in output.get("data", {}).items():
            if kind.startswith("image/"):
                yield kind, "".join(data)
