"""Building a chapter: the same twice, only when something changed, and errors that name it.

The small chapter here borrows the exercise of chapter 00.
"""

import importlib
import json
import shutil
import tempfile

import nbformat
import pytest

from tutorial_lib.authoring.execute import execute, socket_folder
from tutorial_lib.authoring.expand import expand, is_folded

building = importlib.import_module("tutorial_lib.authoring.build")  # not the function of that name
NAME = "00_start_here"
CHAPTER = """# Start here

**30 minutes** · **level 1 of 5**

```{code-cell} python3
import sys
import time

import matplotlib.pyplot as plt
import numpy as np

from tutorial_lib.notebook.claims import claim
from tutorial_lib.exercises import start_here as exercise
```

## In pieces

```{code-cell} python3
for i in range(3):
    print("piece", i)
    sys.stdout.flush()
    time.sleep(0.05)
print("a set", {"b", "a"}, file=sys.stderr)
```

```{code-cell} python3
weighted_mean = exercise.weighted_mean.reference
```

```{code-cell} python3
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot([0, 1], [1, 0])
axes.set(xlabel="time (s)", ylabel="height (m)")
plt.show()
```

```{code-cell} python3
:tags: [nbval-ignore-output]

print("took", time.perf_counter_ns(), "ns")
```

```{code-cell} python3
claim("a mean of equal vectors is that vector", weighted_mean(np.ones((2, 3)), np.ones(2))[0] == 1)
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A root in which the small chapter has been built."""
    root = tmp_path_factory.mktemp("built")
    put(root, CHAPTER)
    assert building.build(root)
    return root


def put(root, text, name=NAME):
    (root / "chapters").mkdir(exist_ok=True)
    source = root / "chapters" / f"{name}.md"
    source.write_text(text, encoding="utf-8")
    return source


def solution(root):
    return root / "solutions" / f"{NAME}.ipynb"


def outputs(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_same_twice_but_for_outputs_that_are_tagged(built, tmp_path):
    put(tmp_path, CHAPTER)
    assert building.build(tmp_path)
    learner = f"chapters/{NAME}.ipynb"
    assert (built / learner).read_bytes() == (tmp_path / learner).read_bytes()
    first, second = (
        json.loads(solution(root).read_text(encoding="utf-8")) for root in (built, tmp_path)
    )
    different = [a["id"] for a, b in zip(first["cells"], second["cells"]) if a != b]
    timing = [cell["id"] for cell in first["cells"] if "nbval-ignore-output" in tags(cell)]
    assert different == timing and len(timing) == 1
    for notebook in (first, second):
        for cell in notebook["cells"]:
            if cell["id"] in timing:
                cell["outputs"] = []
    assert first == second


def tags(cell):
    return cell["metadata"].get("tags", [])


def test_streams_are_joined_and_nothing_of_the_machine_is_kept(built):
    notebook = nbformat.read(solution(built), as_version=4)
    pieces = next(cell for cell in notebook.cells if "for i in" in cell.source)
    streams = [(output.name, output.text) for output in pieces.outputs]
    assert [name for name, _ in streams] == ["stdout", "stderr"]
    assert streams[0][1] == "piece 0\npiece 1\npiece 2\n"
    assert set(notebook.metadata) == {"kernelspec", "tutorial"}
    kept = {"tags", "jupyter", "cellView"}
    assert all(set(cell.metadata) <= kept for cell in notebook.cells)
    images = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "data" in o]
    assert [set(image.data) for image in images] == [{"image/png", "text/plain"}]


def test_a_second_build_changes_nothing_and_runs_nothing(built, capsys):
    before = solution(built).read_bytes(), solution(built).stat().st_mtime_ns
    assert building.build(built)
    first, shape, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{NAME}: unchanged" and shape.startswith("    5 min (core 5), 24 words")
    assert (solution(built).read_bytes(), solution(built).stat().st_mtime_ns) == before


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A copy of the library to change, and a list that grows by one for each notebook executed."""
    # The caches of bytecode change under a copy while other tests run.
    pycache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(building.LIBRARY, tmp_path / "tutorial_lib", ignore=pycache)
    monkeypatch.setattr(building, "LIBRARY", tmp_path / "tutorial_lib")
    runs = []
    monkeypatch.setattr(building, "execute", lambda *args, **kwargs: runs.append(1))
    return runs


def test_a_change_in_the_text_or_in_a_module_it_imports_builds_again(tmp_path, ran):
    put(tmp_path, CHAPTER)
    assert building.build(tmp_path) and ran.pop()
    assert building.build(tmp_path) and not ran
    put(tmp_path, CHAPTER + "\nA sentence more.\n")
    assert building.build(tmp_path) and len(ran) == 1
    for number, module in enumerate(
        ["notebook/claims", "exercises/start_here/mean", "checking/comparing"], 2
    ):
        path = tmp_path / "tutorial_lib" / f"{module}.py"
        path.write_text(path.read_text(encoding="utf-8") + "\n# a change\n", encoding="utf-8")
        assert building.build(tmp_path) and len(ran) == number
    path = tmp_path / "tutorial_lib" / "notebook" / "explorer.py"  # not imported by the chapter
    path.write_text("# a change\n", encoding="utf-8")
    assert building.build(tmp_path) and len(ran) == 4


def test_a_record_or_checkpoint_that_a_chapter_names_builds_it_again(tmp_path, ran):
    cell = """```{code-cell} python3
from tutorial_lib.recipes.vit import vit

names = ["speed"]
```
"""
    put(tmp_path, CHAPTER + "\n" + cell)
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    checkpoints = tmp_path / "tutorial_lib" / "recipes" / "vit"
    changes = [
        (results / "speed-some-device.json", 1),
        (results / "speed-another.json", 1),
        (results / "heat-some-device.json", 0),
        (checkpoints / "vit.safetensors", 1),
        (checkpoints / "another.safetensors", 0),
    ]
    assert building.build(tmp_path)
    for path, runs in changes:
        before = len(ran)
        path.write_bytes(b"changed")
        assert building.build(tmp_path) and len(ran) == before + runs, path


def test_the_solution_holds_the_reference_and_the_learner_notebook_does_not(built):
    answer = "return weights @ values / weights.sum()"
    learner = (built / "chapters" / f"{NAME}.ipynb").read_text(encoding="utf-8")
    assert answer in solution(built).read_text(encoding="utf-8") and answer not in learner
    for notebook in (learner, solution(built).read_text(encoding="utf-8")):
        assert "exercise.weighted_mean.check(weighted_mean)" in notebook
        assert "The mean of several vectors, some counting more than others." in notebook
        assert "Hint 3" in notebook
    assert "raise NotImplementedError" in learner
    assert all(not cell.get("outputs") for cell in nbformat.reads(learner, as_version=4).cells)


def test_a_claim_and_a_check_show_in_the_solution(built):
    said = "".join(
        outputs(cell)
        for cell in nbformat.read(solution(built), as_version=4).cells
        if cell.cell_type == "code"
    )
    assert "✓ weighted_mean: right" in said and "✓ claim: a mean of equal vectors" in said


def test_ids_are_unique_and_stay_when_a_cell_is_added_in_front(tmp_path):
    twice = CHAPTER + "\n```{code-cell} python3\n1\n```\n\n```{code-cell} python3\n1\n```\n"
    before = [cell.id for cell in expand(put(tmp_path, twice), solved=False).cells]
    added = twice.replace("# Start here\n", "# Start here\n\n```{code-cell} python3\n0\n```\n", 1)
    after = [cell.id for cell in expand(put(tmp_path, added), solved=False).cells]
    assert len(set(before)) == len(before)
    gone = [name for name in before if name not in after]
    assert len(gone) == 1 and len(after) == len(before) + 2  # the first text is cut in two


@pytest.mark.parametrize(
    "line, said",
    [
        ("no_such = exercise.no_such.reference", "exercise.no_such.reference"),
        ("mean = exercise.weighted_mean.reference", "the same on both sides"),
    ],
)
def test_an_exercise_that_is_not_there_is_named(tmp_path, line, said):
    source = put(
        tmp_path, CHAPTER.replace("weighted_mean = exercise.weighted_mean.reference", line)
    )
    with pytest.raises(ValueError, match=NAME) as caught:
        expand(source, solved=False)
    assert said in str(caught.value)


def test_kernels_start_where_the_temporary_folder_has_a_long_name(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 84)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with socket_folder() as folder:
        assert len(f"{folder}/socket-1") < 100
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    assert execute(notebook, tmp_path).cells[0].outputs[0].text == "42\n"


def test_a_folded_cell_shows_its_first_line_alone_in_both_notebooks(tmp_path):
    folded = "```{code-cell}\n:tags: [fold]\n\n# Draw the map\nprint(1)\n```\n"
    source = put(tmp_path, CHAPTER + "\n" + folded)
    for solved in (True, False):
        cell = expand(source, solved=solved).cells[-1]
        assert cell.source == "# Draw the map\nprint(1)" and is_folded(cell)
        assert cell.metadata == {
            "jupyter": {"source_hidden": True},
            "cellView": "form",
            "tags": ["hide-input"],
        }
    put(tmp_path, CHAPTER + "\n" + folded.replace("# Draw the map\n", ""))
    with pytest.raises(ValueError, match=rf"{NAME}.md:\d+: a folded cell begins with a comment"):
        expand(source, solved=False)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "nothing in it"),
        ("---\njupytext: [\n---\n\n# Title\n", rf"{NAME}.md:\d+: its YAML cannot be read"),
        ("# Title\n\n```{code-cell}\n:tags: [a\n\n1\n```\n", f"{NAME}.md"),
        ("# Title\n\n```{code-cell}\n:tags: fold\n\n1\n```\n", f"{NAME}.md: .*'fold'"),
        (
            "# Title\n\n```{code-cell}\n1\n\nText.\n\n```{code-cell}\n2\n```\n",
            f"{NAME}.md:4: .* closes",
        ),
    ],
    ids=["empty", "header", "cell", "tags", "open"],
)
def test_a_source_that_is_empty_or_broken_is_named_and_overwrites_nothing(tmp_path, text, said):
    source = put(tmp_path, text)
    notebook = source.with_suffix(".ipynb")
    notebook.write_text("kept", encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        building.build(tmp_path)
    assert notebook.read_text(encoding="utf-8") == "kept"


def test_a_bad_file_name_and_an_unknown_number_are_named(tmp_path):
    source = put(tmp_path, CHAPTER, name="01_self-attention")
    with pytest.raises(ValueError, match="01_self-attention.md: a chapter is named NN_slug.md"):
        building.build(tmp_path)
    source.unlink()
    put(tmp_path, CHAPTER)
    with pytest.raises(ValueError, match="no chapter 07; there are 00"):
        building.build(tmp_path, ["7"])


def test_a_chapter_that_raises_is_named_and_its_old_solution_stays(built, tmp_path, capsys):
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    before = solution(tmp_path).read_bytes()
    put(tmp_path, CHAPTER.replace('print("piece", i)', 'raise ValueError("piece")'))
    assert building.build(tmp_path) is False
    said = capsys.readouterr().out
    assert said.startswith(f"{NAME}: failed") and "ValueError" in said
    assert solution(tmp_path).read_bytes() == before
