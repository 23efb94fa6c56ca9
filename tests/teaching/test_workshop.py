"""A workshop's folder, built for one chapter and opened as a learner and as a leader would."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tutorial_lib.exercises import start_here
from tutorial_lib.teaching import chapter, slides, wheelhouse, workshop

ROOT = Path(__file__).parents[2]
STEM = "00_start_here"
LEARNER = """
import __main__
from tutorial_lib.checking import attempts
from tutorial_lib.teaching.catch_up import catch_up

def weighted_mean(values, weights):
    return weights @ values / len(weights)

wrong = weighted_mean
catch_up("00", section=3)
assert weighted_mean.__module__ == "00_start_here" and my_weighted_mean is wrong
print(weighted_mean(np.array([[0.0], [4.0]]), np.array([1.0, 3.0])))
own = weighted_mean = lambda values, weights: weights @ values / weights.sum()
catch_up(0, 8)
assert weighted_mean is own and after > before  # it was trained, and the network is there
assert "weighted_mean" not in str(attempts.load().exercises)
try:
    catch_up("00", 99)
except ValueError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("workshop") / "out"
    workshop.write(ROOT, ["00"], out, systems=[], zipped=True)
    return out


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(folder), "TUTORIAL_QUICK": "1", "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_learners_get_the_course_with_the_chapters_of_the_day_and_no_solution(folder):
    learners = folder / "learners"
    assert [p.name for p in (learners / "chapters").iterdir()] == [f"{STEM}.ipynb"]
    assert not list(learners.rglob("solutions")) and not list(learners.rglob("__pycache__"))
    start = (learners / "START.md").read_text(encoding="utf-8")
    assert "python course.py lab" in start and f"`{STEM}.ipynb`" in start
    with zipfile.ZipFile(folder / "learners.zip") as file:
        assert "learners/course.py" in file.namelist()


def test_a_learner_opens_it_and_catches_up_with_their_own_answers(folder):
    learners = folder / "learners"
    run(learners, "-m", "tutorial_lib", "sync")
    work = learners / "work"
    assert (work / f"{STEM}.ipynb").exists() and (work / "AGENTS.md").exists()
    before = (work / f"{STEM}.ipynb").read_bytes()
    (work / "mine").mkdir()
    (work / "mine" / f"{STEM}.py").write_text(
        "def weighted_mean(values, weights):\n    return weights @ values / sum(weights)\n",
        encoding="utf-8",
    )
    (work / "learner.py").write_text(LEARNER, encoding="utf-8")
    told = run(learners, "-c", f"import os, runpy; os.chdir({str(work)!r}); "
               "runpy.run_path('learner.py', run_name='__main__')")  # fmt: skip
    assert "is now my_weighted_mean" in told and "[3.]" in told
    assert "weighted_mean: yours, from this notebook" in told
    assert "DigitReader: the course's own" in told and "has no section 99; it has 1. " in told
    assert (work / f"{STEM}.ipynb").read_bytes() == before


def test_a_second_call_keeps_what_a_learner_has_made_and_nothing_else_is_overwritten(folder):
    mine = folder / "learners" / "work" / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine", encoding="utf-8")
    workshop.write(ROOT, ["00"], folder, systems=[], zipped=True)
    with zipfile.ZipFile(folder / "learners.zip") as file:
        assert not [name for name in file.namelist() if "work/" in name]
    assert mine.read_text(encoding="utf-8") == "mine"
    other = folder / "leader"
    with pytest.raises(ValueError, match="holds something else"):
        workshop.write(ROOT, ["00"], other, systems=[], zipped=False)
    with pytest.raises(ValueError, match="no chapter 77"):
        workshop.write(ROOT, ["77"], folder / "x", systems=[], zipped=False)


def test_the_leaders_pages_need_nothing_from_elsewhere(folder):
    for page in ("notes.html", f"slides-{STEM}.html"):
        text = (folder / "leader" / page).read_text(encoding="utf-8")
        text = re.sub(r"<script>[\s\S]*?</script>", "", text)
        assert not re.findall(r"(?:src|srcset)=\"(?!data:)|<link |@import|url\(", text)
    assert (folder / "leader" / "solutions" / f"{STEM}.ipynb").exists()


def test_notes_have_the_minutes_the_mistakes_and_the_questions(folder):
    text = (folder / "leader" / "notes.html").read_text(encoding="utf-8")
    found = chapter.load(ROOT, STEM)
    assert abs(sum(s.minutes for s in found.sections) - found.minutes("core")) < 1e-9
    assert f"<b>{found.minutes('core'):.0f} min</b>" in text
    for mistake in start_here.weighted_mean.mistakes:
        assert mistake.message.replace("'", "&#x27;") in text
    assert len(found.questions) >= 3
    cut, minutes = chapter.short_cuts(found)[0]
    assert "From nothing" in cut and minutes == start_here.digits_from_nothing.minutes


def test_slides_show_pictures_with_words_for_who_does_not_see_them_and_no_answer():
    page = slides.page(chapter.load(ROOT, STEM))
    solved = nbformat.read(ROOT / "solutions" / f"{STEM}.ipynb", as_version=4)
    pictures = [o for c in solved.cells for o in c.get("outputs", ())
                if {"image/png", "image/jpeg"} & set(o.get("data", {}))]  # fmt: skip
    assert len(re.findall(r'<img src="data:image/[^"]+" alt="[^"]{20,}">', page)) == len(pictures)
    assert page.count('<section class="slide') > 15
    body = start_here.weighted_mean.source().splitlines()[-1].strip()
    assert body not in re.sub(r"<[^>]+>", "", page)


def test_who_gets_wheels_is_told_for_which_python_they_are(tmp_path):
    tags = ("+cpu-cp311-cp311-manylinux_2_28_x86_64", "-cp312-cp312-win_amd64",
            "-cp313-cp313-manylinux_2_28_aarch64", "-cp313-cp313-macosx_14_0_arm64")  # fmt: skip
    for tag in tags:
        (tmp_path / f"torch-2.13.0{tag}.whl").touch()
    assert sorted(wheelhouse.kinds(tmp_path)) == [
        "Python 3.11 on Linux", "Python 3.12 on Windows", "Python 3.13 on Linux (ARM)",
        "Python 3.13 on macOS",
    ]  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What pip would have been asked for."""
    found = []

    def run(command, **_):
        found.append(command)
        folder = Path(command[command.index("--dest") + 1])
        if any(word.startswith("torch==") for word in command):
            with zipfile.ZipFile(folder / "torch-1-x.whl", "w") as wheel:
                small = wheelhouse.SMALL_TORCH in command
                needs = "numpy" if small else "nvidia-cublas==1"
                wheel.writestr("torch-1.dist-info/METADATA", f"Requires-Dist: {needs}\n")
        failed = wheelhouse.SMALL_TORCH in command and "no index" in str(folder)
        return subprocess.CompletedProcess(command, int(failed), "", "")

    monkeypatch.setattr(wheelhouse.subprocess, "run", run)
    return found


LOCK = """appnope==1.0 ; sys_platform == 'darwin'
nvidia-cublas==1.0 ; sys_platform == 'linux'
torch==2.0
old==1 ; python_full_version < '3.12'
"""


@pytest.mark.parametrize(
    "system, folder, wanted, cuda",
    [
        ("linux-3.11", "w", {"old==1"}, False),
        ("linux-3.12", "no index", set(), True),
        ("mac-3.13", "w", {"appnope==1.0"}, False),
        ("windows-3.12", "w", set(), False),
    ],
)
def test_wheels_are_those_of_the_named_system(asked, tmp_path, system, folder, wanted, cuda):
    wheelhouse.fetch(LOCK, system, tmp_path / folder)
    words = {word for command in asked for word in command if "==" in word and word[0] != "-"}
    assert words == wanted | {"torch==2.0"} | ({"nvidia-cublas==1.0"} if cuda else set())
    assert all(f"{system[-4:]}.9" in command and "--no-deps" in command for command in asked)
    with pytest.raises(ValueError, match="such as windows-3.12"):
        wheelhouse.fetch(LOCK, "beos-3.12", tmp_path)


@pytest.fixture(scope="module", autouse=True)
def _cleared(tmp_path_factory):
    yield
    shutil.rmtree(tmp_path_factory.getbasetemp() / "workshop0", ignore_errors=True)  # 40 MB
