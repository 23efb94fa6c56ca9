"""A new chapter builds and passes its tests as it comes from the templates."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial_lib.authoring.scaffold import new_chapter
from tutorial_lib.course import survey

ROOT = Path(__file__).parents[2]
SECTIONS = """1. The idea|2. By hand|3. NumPy|4. PyTorch: you write the module|5. Train yours
    |6. Look at it|7. In short|The family|Lab: backward by hand|Lab: on a GPU|Lab: cost
    |Lab: since the survey"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of this course without its chapters: the commands run in it as they do here."""
    root = tmp_path_factory.mktemp("course")
    ignored = shutil.ignore_patterns("__pycache__", "outlook", "outlook.py")  # made anew below
    for name in ("tutorial_lib", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("survey.toml", "pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, root)
    for name in ("chapters", "solutions", "docs"):
        (root / name).mkdir()
    return root


def python_m(course, *command) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=course,
        env={**os.environ, "PYTHONPATH": str(course)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_chapter_builds_and_passes_its_tests(course):
    wrote = python_m(course, "tutorial_lib", "new-chapter", "39")
    assert "wrote chapters/39_outlook.md" in wrote
    assert "wrote tutorial_lib/exercises/outlook.py" in wrote
    assert "39_outlook: built" in python_m(course, "tutorial_lib", "build", "--chapters", "39")
    solved = (course / "solutions" / "39_outlook.ipynb").read_text(encoding="utf-8")
    for said in ("✓ unit_rows", "✓ UnitScores", "✓ unit_scores_from_nothing", "✓ claim"):
        assert said in solved
    python_m(course, "ruff", "check", "chapters", "solutions", "tutorial_lib/exercises/outlook.py")
    tests = ["tests/exercises", "tests/chapters"]
    said = python_m(
        course, "pytest", "--nbval", "--chapters", "39", "-p", "no:cacheprovider",
        "solutions", *tests,
    )  # fmt: skip
    assert "39_outlook " in said and " passed" in said and "failed" not in said


def test_the_templates_have_every_section_and_no_field_is_left(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "tutorial_lib" / "exercises").mkdir(parents=True)
    files = new_chapter(tmp_path, "14")
    text = files[0].read_text(encoding="utf-8")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [part.strip() for part in SECTIONS.split("|")]
    chapter = survey.load().chapter("14")
    for path in files:
        for field in ("number", "slug", "title", "minutes", "level", "about"):
            assert f"<{field}>" not in path.read_text(encoding="utf-8")
        assert "TODO" not in path.read_text(encoding="utf-8")
    assert f"# 14 · {chapter.title}" in text and chapter.about in text
    with pytest.raises(FileExistsError, match="14_detr.md is there already"):
        new_chapter(tmp_path, "14")
    with pytest.raises(KeyError):
        new_chapter(tmp_path, "77")
