"""Learners of a room, for the tests of what a leader sees."""

import json
import re

TASKS = ["weighted_mean", "DigitReader", "learning_step"]


def learner(folder, name, tries, minute=0):
    """A learner's folder; `tries` is a string, of the numbers of tasks, with ! for a failure."""
    place = folder / name / "work"
    place.mkdir(parents=True)
    rows = []
    for i, (number, failed) in enumerate(re.findall(r"(\d)(!?)", tries)):
        at = f"2026-11-28T09:{minute + i:02}:00+00:00"
        key = f"start_here.{TASKS[int(number)]}"
        rows.append(json.dumps({"exercise": key, "passed": not failed, "at": at}))
    (place / "progress.jsonl").write_text("\n".join(rows), encoding="utf-8")
