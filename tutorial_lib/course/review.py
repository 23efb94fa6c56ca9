"""What is due: exercises that were solved some time ago are asked again, ever more rarely.

The rule is Leitner's boxes. A solved exercise lies in the first box and is asked again after a day.
A right answer moves it to the next box, a wrong one back to the first; the boxes wait 1, 3, 7, 21
and 60 days. From the last one it comes again every 60 days.

An exercise whose bank makes questions is asked as a quiz, "Which mistake is it?"; any other, such
as a module or a training, is to be written again, in a file of its own.
"""

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tutorial_lib.checking import NotYet, attempts
from tutorial_lib.checking.questions import questions
from tutorial_lib.course import editor
from tutorial_lib.course.quiz import LETTERS, Quiz

BOXES = (1, 3, 7, 21, 60)  # days
AT_ONCE = 10  # so many are asked in one sitting
AGAIN = '"""Once more, from the empty task: {}. `make review` checks it."""\n'


@dataclass
class Item:
    """A solved exercise: in which box it lies, from 0, when it is due, how often it was asked."""

    key: str
    task: object
    box: int
    due: date
    asked: int


def schedule(folder: Path, exercises: list[tuple]) -> list[Item]:
    """Every solved exercise of a learner's copy, what is due first in front.

    exercises  (chapter, its exercises), as `progress.course_exercises` gives them
    Raises OSError where what was solved or asked cannot be read.
    """
    progress = attempts.load(folder)
    if progress.unreadable:
        raise OSError(f"{attempts.FILE} could not be read: {progress.unreadable}")
    solved = progress.exercises
    reviews, _ = attempts.entries(Path(folder, attempts.REVIEWS))
    items = []
    for task in (task for _, tasks in exercises for task in tasks):
        key = f"{task.slug}.{task.name}"
        if key not in solved or solved[key].solved is None:
            continue
        box, last, asked = 0, solved[key].solved, 0
        for passed, day in ((passed, day) for name, passed, day in reviews if name == key):
            box, last, asked = _next(box, passed), day, asked + 1
        due = date.fromisoformat(last) + timedelta(days=BOXES[box])
        items.append(Item(key, task, box, due, asked))
    return sorted(items, key=lambda item: item.due)


def _next(box: int, right: bool) -> int:
    return min(box + 1, len(BOXES) - 1) if right else 0


def told(items: list[Item], today: date) -> str:
    """How many are due and, where none is, what comes next, in a sentence or two."""
    due = [item for item in items if item.due <= today]
    if not items:
        return "Nothing to come back to yet: what you solve is asked again a day later."
    if not due:
        days = (items[0].due - today).days
        wait = "tomorrow" if days == 1 else f"in {days} days"
        return f"Nothing is due. Of {len(items)} solved exercises {items[0].key} is next, {wait}."
    boxes = ", ".join(
        f"{sum(item.box == box for item in items)} at {days}" for box, days in enumerate(BOXES)
    )
    return f"{len(due)} of {len(items)} solved exercises due. Boxes, by days to wait: {boxes}."


def run(folder: Path, exercises: list[tuple], read=input, today: date | None = None) -> None:
    """Ask what is due, in a terminal; without one, list it."""
    today = today or date.today()
    items = schedule(folder, exercises)
    print(told(items, today))
    due = [item for item in items if item.due <= today][:AT_ONCE]
    for item in due if read is not input or sys.stdin.isatty() else []:
        if not ask(item, folder, read):
            return
    if due and read is input and not sys.stdin.isatty():
        print("\n".join(f"  {item.key}, since {item.due}" for item in due))


def ask(item: Item, folder: Path, read) -> bool:
    """Ask for one exercise and record what came; False where the learner wants no more."""
    asked = questions(item.task, item.asked + 1, seed=1)  # others than those of the quiz
    if not asked:
        return write_again(item, folder)
    question = Quiz(
        asked[item.asked % len(asked)], item.task, f"\n{item.key}: which mistake is it?"
    )
    print(question)
    try:
        while letter := read("a, b, c or d (Enter: enough for today): ").strip().lower():
            if letter in tuple(LETTERS):
                right, text = question.verdict(letter)
                print(text)
                settle(item, right)
                return True
    except EOFError:  # Ctrl-D
        print()
    return False


def write_again(item: Item, folder: Path) -> bool:
    """Have an exercise written again; a file that is there already is checked."""
    path = Path(folder, "again", f"{item.key.replace('.', '_')}.py")
    shown = path.relative_to(Path(folder).parent).as_posix()
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        text = AGAIN.format(item.key) + editor.empty([item.task])
        path.write_text(text, encoding="utf-8")
        print(f"\n{item.key}: write it once more, in {shown}; the next review checks it.")
        return True
    print(f"\n{item.key}, from {shown}:")
    with attempts.not_recorded():
        module = editor.run(path)
        answer = getattr(module, item.task.name, None)
        try:
            passed = answer is not None and item.task.check(answer) is answer
        except NotYet as error:
            print(error)
            return True
    if passed:
        settle(item, True)
        path.unlink()
    return True


def settle(item: Item, right: bool) -> None:
    """Record an answer, and say when the exercise comes again."""
    attempts.record(item.key, right, attempts.REVIEWS)
    days = BOXES[_next(item.box, right)]
    print(f"It comes again {'tomorrow' if days == 1 else f'in {days} days'}.")
