"""What the learner has solved, as a table of the whole course."""

import html
import importlib.util
from pathlib import Path

from tutorial_lib.checking.attempts import FILE, Progress, load

ROOT = Path(__file__).parents[2]
LEFT = ' style="text-align:left"'  # JupyterLab aligns cells of a table to the right


def tasks_of(slug: str, among=None) -> list:
    """What a chapter asks for, in the order of its module (of `__all__`, if it has one), or only
    what has one of these names; [] for a chapter that has no such module.

    An exercise's file is read in only where it is asked for: one in NumPy needs no PyTorch.
    """
    module = f"tutorial_lib.exercises.{slug}"
    if importlib.util.find_spec(module) is None:
        return []
    module = importlib.import_module(module)
    names = getattr(module, "__all__", vars(module))
    found = [getattr(module, name) for name in names if among is None or name in among]
    return [task for task in found if getattr(task, "slug", None) == slug]


def exercises_of(slug: str) -> list:
    """A chapter's exercises: all that it asks for but what is to be built from nothing."""
    from tutorial_lib.checking import Exercise

    return [task for task in tasks_of(slug) if isinstance(task, Exercise)]


def course_exercises(root: Path = ROOT) -> list[tuple]:
    """(chapter, its exercises) for each chapter of survey.toml whose notebook is in `chapters/`."""
    from tutorial_lib.course import survey

    chapters = survey.load(Path(root, "survey.toml")).chapters
    present = [c for c in chapters if Path(root, "chapters", f"{c.stem}.ipynb").exists()]
    return [(c, exercises_of(c.slug)) for c in present]


def _rows(progress: Progress, exercises: list[tuple]):
    """(chapter, solved, total, next unsolved or None) for each chapter that has exercises."""
    for chapter, found in exercises:
        left = [e for e in found if not progress.solved(f"{chapter.slug}.{e.name}")]
        if found:
            yield chapter, len(found) - len(left), len(found), left[0] if left else None


def _bar(solved: int, total: int) -> str:
    """Ten places: full only when all is solved, empty only when nothing is."""
    filled = max(solved * 10 // total, 1) if solved else 0
    return "█" * filled + "·" * (10 - filled)


def _notice(progress: Progress) -> list[str]:
    if progress.unreadable:
        return [
            f"{FILE} could not be read ({progress.unreadable}), so nothing counts as solved here, "
            f"and new answers are not recorded. Make work/{FILE} a file that you may read and "
            "write, or rename it: a new one is then begun."
        ]
    text = f"{FILE}: {progress.broken} damaged line(s) could not be read and did not count."
    return [text] if progress.broken else []


def table(progress: Progress, exercises: list[tuple]) -> str:
    """Plain text, a line for each chapter: its title, a bar, solved/total and what comes next."""
    rows = list(_rows(progress, exercises))
    width = max((len(chapter.title) for chapter, *_ in rows), default=0)
    lines = [] if rows else ["No exercises yet."]
    for c, solved, total, following in rows:
        after = f"   next: {following.name}" if following and solved else ""
        bar = f"{_bar(solved, total)} {solved:>2}/{total}"
        lines.append(f"{c.number} {c.title:<{width}}   {bar}{after}")
    return "\n".join(lines + _notice(progress))


class ProgressTable:
    """The learner's progress, as a table in a notebook and as text in a terminal."""

    def __init__(self, folder: Path | None = None, exercises: list[tuple] | None = None):
        self.progress = load(folder)
        self.exercises = course_exercises() if exercises is None else exercises

    def __repr__(self) -> str:
        return table(self.progress, self.exercises)

    def _repr_html_(self) -> str:
        heads = ("Chapter", "", "Solved", "Next exercise")
        rows = ["<tr>" + "".join(f"<th{LEFT}>{head}</th>" for head in heads) + "</tr>"]
        for c, solved, total, following in _rows(self.progress, self.exercises):
            link = f'<a href="{c.stem}.ipynb">{c.number} {html.escape(c.title)}</a>'
            after = html.escape(following.title) if following else "all solved"
            bar = f'<progress value="{solved}" max="{total}"></progress>'
            cells = (link, bar, f"{solved}/{total}", after)
            rows.append("<tr>" + "".join(f"<td{LEFT}>{cell}</td>" for cell in cells) + "</tr>")
        notice = "".join(f"<p>{line}</p>" for line in _notice(self.progress))
        return f"<table>{''.join(rows)}</table>{notice}"
