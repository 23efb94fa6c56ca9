"""How far a room is: the progress of all learners in one table, without names unless they are
wanted; as a page that refreshes itself, and as CSV.

Every folder below the one that is given and that holds a progress.jsonl is a learner's.
"""

import csv
import html
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.checking.attempts import FILE, History, Progress, load
from tutorial_lib.course.progress import course_exercises
from tutorial_lib.teaching import pages

SECONDS = 15  # between two looks


@dataclass
class Learner:
    name: str
    progress: Progress

    def history(self, key: str) -> History:
        return self.progress.exercises.get(key, History())


@dataclass
class Room:
    """Learners, and the exercises they may have met, in the order of the course."""

    learners: list[Learner]
    exercises: list[tuple]  # (key, chapter's number, name)

    def at(self, learner: Learner) -> str | None:
        """The key of the exercise that a learner is at: the last one tried if it is not solved, or
        else the next one that is not; None for who has not begun and for who is through."""
        tried = [(learner.history(key).last, key) for key, *_ in self.exercises]
        last, current = max(tried, default=("", None))
        if not last:
            return None
        keys = [key for key, *_ in self.exercises]
        following = keys[keys.index(current) :]
        return next((key for key in following if not learner.progress.solved(key)), None)

    def waiting(self) -> Counter:
        """Key -> how many learners are at this exercise."""
        return Counter(filter(None, map(self.at, self.learners)))


def read(folder: Path, root: Path, chapters: list[str] | None, named: bool) -> Room:
    """The room of a folder. Learners are numbered in the order in which they began, or, where
    `named`, called as their folders are; chapters that nobody has begun are left out, unless they
    are asked for. Raises ValueError for a folder that is not there."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = []
    for file in sorted(folder.rglob(FILE)):
        place = file.parent.relative_to(folder)
        parts = [part for part in place.parts if part != "work"] or [folder.name]
        found.append(Learner("/".join(parts), load(file.parent)))
    found.sort(key=_began)
    if not named:
        found = [Learner(str(number), each.progress) for number, each in enumerate(found, 1)]
    begun = {key.partition(".")[0] for each in found for key in each.progress.exercises}
    exercises = [
        (f"{chapter.slug}.{each.name}", chapter.number, each.name)
        for chapter, tasks in course_exercises(root)
        if (chapter.number in chapters if chapters else chapter.slug in begun)
        for each in tasks
    ]
    return Room(found, exercises)


def _began(learner: Learner) -> str:
    return min((h.first for h in learner.progress.exercises.values()), default="9")


def write(room: Room, out: Path) -> None:
    """room.html and room.csv, into a folder; each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    part = out / ".room.tmp"
    part.write_text(page(room), encoding="utf-8")
    part.replace(out / "room.html")
    with open(part, "w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["learner", "chapter", "exercise", "attempts", "solved", "first", "last"])
        for learner in room.learners:
            for key, number, name in room.exercises:
                h = learner.history(key)
                rows.writerow([_cell(learner.name), number, name, h.attempts, h.solved or "",
                               h.first, h.last])  # fmt: skip
    part.replace(out / "room.csv")


def _cell(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name


def page(room: Room) -> str:
    """The room as a page that loads itself anew."""
    body = "\n".join([
        "<main class='room'>\n<h1>The room</h1>",
        f"<p>{len(room.learners)} learners · {time.strftime('%H:%M')}</p>",
        f"<p class='now'>{_headline(room)}</p>",
        _exercises(room),
        "<h2>Each of them</h2>",
        _grid(room),
        "</main>",
    ])  # fmt: skip
    style = pages.template("notes.css") + pages.template("room.css")
    again = f"setTimeout(() => location.reload(), {1000 * SECONDS});"
    return pages.page("The room", body, style, again)


def _headline(room: Room) -> str:
    waiting = room.waiting()
    if not room.learners:
        return f"Nobody has begun: no {FILE} yet."
    if not waiting:
        return "Nobody is in the middle of an exercise."
    (key, most), *_ = waiting.most_common(1)
    stuck = [learner for learner in room.learners if room.at(learner) == key]
    tries = sum(learner.history(key).attempts for learner in stuck)
    name = html.escape(key.partition(".")[2])
    return f"Most are at <b>{name}</b>: {most} of {len(room.learners)}, with {tries} attempts."


def _exercises(room: Room) -> str:
    """A row for each exercise: how many have solved it, are at it, have still to come to it."""
    waiting, everybody = room.waiting(), max(1, len(room.learners))
    longest = max(waiting.values(), default=0)
    rows = ["<tr><th>exercise</th><th>solved</th><th></th><th>at it</th><th>tries each</th></tr>"]
    for key, number, name in room.exercises:
        histories = [learner.history(key) for learner in room.learners]
        solved = sum(h.solved is not None for h in histories)
        attempts = sum(h.attempts for h in histories)
        tried = sum(h.attempts > 0 for h in histories)
        each = f"{attempts / tried:.1f}" if tried else ""
        mark = " class='holds'" if waiting[key] and waiting[key] == longest else ""
        bar = (
            f"<div class='bar'><i style='width:{100 * solved / everybody:.0f}%'></i>"
            f"<u style='width:{100 * waiting[key] / everybody:.0f}%'></u></div>"
        )
        told = f"{number} {html.escape(name).replace('_', '_<wbr>')}"
        cells = (told, f"{solved}", bar, waiting[key] or "", each)
        rows.append(f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


def _grid(room: Room) -> str:
    """A row for each learner, a mark for each exercise."""
    rows = []
    for learner in room.learners:
        marks, current = [], room.at(learner)
        for key, _, name in room.exercises:
            h = learner.history(key)
            kind = "solved" if h.solved else "tried" if h.attempts else "open"
            kind += " at" if key == current else ""
            told = f"{name}: {h.attempts} attempts" + (", solved" if h.solved else "")
            text = "✓" if h.solved else h.attempts or "·"
            marks.append(f"<td class='{kind}' title='{html.escape(told, quote=True)}'>{text}</td>")
        rows.append(f"<tr><th>{html.escape(learner.name)}</th>{''.join(marks)}</tr>")
    return f"<div class='wide'><table class='grid'>{''.join(rows)}</table></div>"
