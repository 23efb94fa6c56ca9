"""Grades as files: CSV for a gradebook, JUnit's XML, and JSON for Gradescope."""

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

from tutorial_lib.teaching.grading import HandIn
from tutorial_lib.teaching.judging import EMPTY, MISSING, REFUSED, RIGHT, UNGRADED, WRONG

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(hand_ins: list[HandIn], out: Path) -> list[Path]:
    """Write all of them into a folder, and return the files.

    grades.csv     a row for each hand-in: its points, and a column for each task
    messages.csv   a row for each answer: what is said of it
    junit.xml      a test suite for each hand-in
    gradescope/    a file for each hand-in, as Gradescope's results.json is to be
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [_table(hand_ins, out / "grades.csv"), _messages(hand_ins, out / "messages.csv"),
             _junit(hand_ins, out / "junit.xml")]  # fmt: skip
    for hand_in in hand_ins:
        path = out / "gradescope" / f"{_file_name(hand_in.name)}.json"
        path.parent.mkdir(exist_ok=True)
        text = json.dumps(gradescope(hand_in), ensure_ascii=False, indent=1)
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def gradescope(hand_in: HandIn) -> dict:
    """What Gradescope wants to find in results/results.json."""
    tests = [
        {
            "name": f"{grade.chapter} {grade.task}",
            "score": grade.points,
            "max_score": grade.of,
            "status": "passed" if grade.state == RIGHT else "failed",
            "output": told(grade),
        }
        for grade in hand_in.grades
        if grade.state != UNGRADED
    ]
    notes = "\n".join(hand_in.notes)
    return {"score": hand_in.points, "output": notes, "output_format": "text", "tests": tests}


def told(grade) -> str:
    """The state of an answer and what is said of it, in one sentence."""
    return f"{grade.state}: {grade.message}" if grade.message else grade.state


def _table(hand_ins: list[HandIn], path: Path) -> Path:
    columns = {(g.chapter, g.task): g.of for h in hand_ins for g in h.grades if g.of}
    rows = [["hand-in", "points", "of", *(f"{number} {task}" for number, task in columns)]]
    for hand_in in hand_ins:
        points = {(g.chapter, g.task): g.points for g in hand_in.grades}
        rows.append([hand_in.name, hand_in.points, hand_in.of, *map(points.get, columns)])
    return _csv(path, rows)


def _messages(hand_ins: list[HandIn], path: Path) -> Path:
    rows = [["hand-in", "chapter", "task", "points", "of", "state", "message"]]
    for h in hand_ins:
        rows += [[h.name, g.chapter, g.task, g.points, g.of, g.state, g.message] for g in h.grades]
        rows += [[h.name, "", "", "", "", "note", note] for note in h.notes]
    return _csv(path, rows)


def _csv(path: Path, rows: list[list]) -> Path:
    """With a mark by which spreadsheets know UTF-8, and no cell that one would compute."""
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        for row in rows:
            csv.writer(file).writerow(
                [f"'{cell}" if str(cell).startswith(("=", "+", "-", "@")) else cell for cell in row]
            )
    return path


def _junit(hand_ins: list[HandIn], path: Path) -> Path:
    top = ElementTree.Element("testsuites")
    for hand_in in hand_ins:
        states = [grade.state for grade in hand_in.grades]
        failed = sum(state in (WRONG, REFUSED) for state in states)
        skipped = sum(state in (EMPTY, MISSING, UNGRADED) for state in states)
        suite = ElementTree.SubElement(
            top, "testsuite", name=_xml(hand_in.name), tests=str(len(states)), errors="0",
            failures=str(failed), skipped=str(skipped),
        )  # fmt: skip
        for grade in hand_in.grades:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"chapter_{grade.chapter}", name=grade.task, time="0"
            )
            if grade.state in (WRONG, REFUSED):
                failure = ElementTree.SubElement(case, "failure", message=_xml(told(grade)))
                failure.text = _xml(told(grade))
            elif grade.state != RIGHT:
                ElementTree.SubElement(case, "skipped", message=_xml(told(grade)))
    ElementTree.indent(top)
    ElementTree.ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _xml(text: str) -> str:
    return NO_XML.sub("?", text)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "hand-in"
