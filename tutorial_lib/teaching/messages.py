"""What is said of a graded answer: the check's sentence and the answer's own line, never a case."""

import re

from tutorial_lib.checking.running import OutOfTime
from tutorial_lib.teaching.submissions import Source
from tutorial_lib.teaching.worker import Tried

# Numbers in a row, as those of an array.
SEVERAL = re.compile(r"[\[(]?(?:-?\d+(?:\.\d*)?(?:e[-+]?\d+)?[\s,;]+){3,}-?\d[\d.e+-]*[\])]?")
LONGEST = 900  # letters of a message


def raised(wrong: list, tried: Tried, lines: list[str]) -> str:
    """Which error an answer raises, and where: its type and the learner's own line."""
    found = [trial for trial in wrong if trial.outcome.error is not None]
    if not found or isinstance(found[0].outcome.error, (OutOfTime, MemoryError)):
        return ""
    line = tried.lines.get((found[0].number, found[0].layout), "")
    where = "It" if len(found) == len(wrong) else f"On {len(found)} of them it"
    return f"{where} raises {type(found[0].outcome.error).__name__}{at(line, lines)}."


def at(line: str, lines: list[str]) -> str:
    """Where an error was raised, or what the course itself says of it."""
    if line.isdigit():
        known = 0 < int(line) <= len(lines)
        return f" at `{lines[int(line) - 1].strip()[:100]}`" if known else ""
    return f": {line}" if line else ""


def missing(task, own: Source) -> str:
    broken = any(re.search(rf"\b(def|class)\s+{task.name}\b", text) for text in own.unread)
    return "the cell that defines it is no Python" if broken else ""


def clean(message: str) -> str:
    """One paragraph, without rows of numbers."""
    text = SEVERAL.sub("…", " ".join(message.removeprefix("✗ ").split()))
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
