"""A folder for a workshop: what learners get, what the leader keeps.

OUT/learners/   the course with the chapters of the day; handed out as it is, or as a zip
OUT/leader/     notes, slides, solved notebooks
"""

import shutil
import zipfile
from pathlib import Path

from tutorial_lib.course.workspace import chapter_files
from tutorial_lib.teaching import notes, slides, wheelhouse
from tutorial_lib.teaching.chapter import Chapter, load

COURSE = ("course.py", "Makefile", "pyproject.toml", "requirements.lock", "environment.yml",
          "survey.toml", "LICENSE", "LICENSE-TEXT", "CITATION.cff", "tutorial_lib", "docs",
          "benchmarks/results")  # fmt: skip
MADE = {".venv", "work", "__pycache__"}  # by who has opened the folder
ASIDE = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*")
START = """# {title}

You need {python}. In this folder:

    python course.py lab

On Windows write `py`, on macOS and many Linux systems `python3`, for `python`. The first start
installs everything {how}. JupyterLab then opens on `work/`, your own copy of the chapters:

{chapters}

- A check under each exercise says what is wrong and why. `exercise.NAME.hint()` gives a hint.
- An exercise that you leave empty falls back to the course's own version: go on whenever you like.
- Behind the others? In a new cell of the notebook, with the number of the section they are at:

      from tutorial_lib.teaching.catch_up import catch_up

      catch_up("{number}", section=5)

- What you wrote is never overwritten; answers that pass are kept in `work/mine/`.
"""


def write(root: Path, numbers: list[str], out: Path, systems: list[str], zipped: bool) -> list[str]:
    """Write the folder; what was done, in lines.

    numbers  of the chapters;  systems  for which wheels are fetched, such as "windows-3.12"; []
    for none;  zipped  whether learners/ is packed as well, into learners.zip

    Raises ValueError for an unknown chapter or system, for a chapter that is not built, and where
    `out` is there and not a workshop's.
    """
    chapters = [_chapter(root, file.stem) for file in chapter_files(root, numbers)]
    learners, leader = out / "learners", out / "leader"
    if out.exists() and any(out.iterdir()) and not (learners / "START.md").exists():
        raise ValueError(f"{out} holds something else; name an empty folder: --out FOLDER")
    shutil.rmtree(leader, ignore_errors=True)
    _clear(learners)
    for name in COURSE:
        _copy(root / name, learners / name)
    for chapter in chapters:
        for folder, place in (("chapters", learners), ("solutions", leader)):
            name = f"{folder}/{chapter.stem}.ipynb"
            _copy(root / name, place / name)
    told = [f"{learners}: {', '.join(chapter.stem for chapter in chapters)}"]
    for system in systems:
        size = wheelhouse.fetch((root / "requirements.lock").read_text(encoding="utf-8"), system,
                                learners / "wheels")  # fmt: skip
        told.append(f"{learners / 'wheels'}: for {system}, {size:,.0f} MB in all")
    for name in ("START.md", "README.md"):  # pyproject.toml wants the latter
        _put(learners / name, _start(chapters, wheelhouse.kinds(learners / "wheels")))
    _put(leader / "notes.html", notes.page(chapters))
    for chapter in chapters:
        _put(leader / f"slides-{chapter.stem}.html", slides.page(chapter))
    told.append(f"{leader}: notes.html, slides, solved notebooks")
    if zipped:
        told.append(str(_pack(learners, out / "learners.zip")))
    return told


def _chapter(root: Path, stem: str) -> Chapter:
    try:
        return load(root, stem)
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is not there: make build CH={stem[:2]}") from error


def _start(chapters: list[Chapter], wheels: list[str]) -> str:
    lines = [f"- `{c.stem}.ipynb`: {c.title}, {c.minutes('core'):.0f} minutes" for c in chapters]
    python = " or ".join(wheels) or "Python 3.11, 3.12 or 3.13"
    how = "from the network; after that nothing needs one"
    if wheels:
        how = "from the folder `wheels`: no network is needed"
    title = "Workshop: " + ", ".join(chapter.title for chapter in chapters)
    return START.format(title=title, python=python, how=how, chapters="\n".join(lines),
                        number=chapters[-1].number)  # fmt: skip


def _pack(learners: Path, target: Path) -> Path:
    """All that is handed out, in one file; not what somebody has made there."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(learners.rglob("*")):
            name = path.relative_to(learners.parent)
            if path.is_file() and not MADE & set(name.parts):
                stored = zipfile.ZIP_STORED if path.suffix == ".whl" else zipfile.ZIP_DEFLATED
                file.write(path, name, stored)
    return target


def _clear(learners: Path) -> None:
    """Remove what an earlier call wrote, but for wheels, which took long to fetch, and whatever
    somebody has made there, an environment or answers."""
    for path in learners.iterdir() if learners.exists() else ():
        if path.name not in MADE | {"wheels"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _copy(source: Path, target: Path) -> None:
    """A file or a folder under another name; nothing for what this copy of the course lacks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=ASIDE)
    elif source.exists():
        shutil.copy2(source, target)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
