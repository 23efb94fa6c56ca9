"""Attempts at exercises: `work/progress.jsonl`, a line for each, only ever added to; and in
`work/reviews.jsonl`, in the same form, what was asked again later.

Adding a line needs no lock: two notebooks can run at once and nothing is lost.
"""

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

FILE, REVIEWS = "progress.jsonl", "reviews.jsonl"
MANIFEST = ".course.json"  # what marks a folder as a learner's copy
recording = True  # not while an answer is checked that the learner has not just handed in


def find_workspace(start: Path | None = None) -> Path | None:
    """The nearest folder that holds a learner's copy: `start` (default: here) or one above it."""
    start = Path(start or Path.cwd()).resolve()
    return next((p for p in (start, *start.parents) if (p / MANIFEST).is_file()), None)


@dataclass
class History:
    """What happened to one exercise."""

    attempts: int = 0
    solved: str | None = None  # ISO date of the first right answer


@dataclass
class Progress:
    """Everything in a progress file: exercises by key, how many lines could not be read, and why
    nothing could be where that is so."""

    exercises: dict[str, History] = field(default_factory=dict)
    broken: int = 0
    unreadable: str = ""

    def solved(self, key: str) -> bool:
        return key in self.exercises and self.exercises[key].solved is not None


def record(exercise_key: str, passed: bool, file: str = FILE) -> None:
    """Add one attempt at "self_attention.softmax"; does nothing outside a learner's copy."""
    folder = find_workspace() if recording else None
    if folder is None:
        return
    at = datetime.now().astimezone().isoformat(timespec="seconds")
    line = json.dumps({"exercise": exercise_key, "passed": bool(passed), "at": at}) + "\n"
    try:
        _append(folder / file, line)
    except OSError as error:  # no reason to stop the learner's check
        print(f"Your progress was not saved in {folder / file}: {error.strerror or error}")


@contextlib.contextmanager
def not_recorded():
    """An answer that is checked in this block is no attempt and is kept nowhere."""
    global recording
    recording = False
    try:
        yield
    finally:
        recording = True


def _append(path: Path, line: str) -> None:
    with open(path, "a+b", buffering=0) as file:  # one unbuffered write: lines never mix
        if end := file.seek(0, os.SEEK_END):
            file.seek(end - 1)
            if file.read(1) != b"\n":  # a line that was cut off must not spoil this one
                line = "\n" + line
        file.write(line.encode())


def load(folder: Path | None = None) -> Progress:
    """Read the progress file of `folder` (default: the learner's copy we are in); empty if none."""
    folder = folder or find_workspace()
    progress = Progress()
    if folder is None:
        return progress
    try:
        found, progress.broken = entries(Path(folder, FILE))
    except OSError as error:  # the table still comes, and says so
        return Progress(unreadable=error.strerror or str(error))
    for key, passed, day in found:
        history = progress.exercises.setdefault(key, History())
        history.attempts += 1
        if passed and history.solved is None:
            history.solved = day
    return progress


def entries(path: Path) -> tuple[list[tuple[str, bool, str]], int]:
    """The lines of a file, as (exercise's key, passed, ISO date), and how many could not be read;
    none where there is no file. Raises OSError for a file that cannot be opened."""
    found, broken = [], 0
    lines = path.read_bytes().splitlines() if path.exists() else []
    for line in filter(bytes.strip, lines):
        try:
            entry = json.loads(line)
            day = date.fromisoformat(str(entry["at"])[:10]).isoformat()
            found.append((str(entry["exercise"]), bool(entry["passed"]), day))
        except (ValueError, KeyError, TypeError):
            broken += 1
    return found, broken
