"""CPU seconds of each chapter and of the rest of the suite, printed at the end of a run.

CPU seconds, user and system, of the tests' processes and of all that they started: a machine under
load is slow, and its CPU seconds are nearly the same.
"""

import os
from collections import defaultdict

import pytest

from notebook_plugin.chapters import slugs_of
from tutorial_lib.authoring.build import sources

BUDGET = 45  # CPU seconds of a chapter, so that 41 of them take 20 minutes of two CPU cores
COLUMNS = ("solved", "learner", "exercises", "tests")
STARTING = "starting, collecting"
UNDER = {
    "test_learner_notebooks.py": "learner",
    "test_exercises.py": "exercises",
    "test_answers.py": "exercises",
}

_elsewhere = 0.0  # of processes that are not this one's children; they say what they took


def add(seconds: float) -> None:
    """Count CPU seconds of a process that the system does not count among this one's children."""
    global _elsewhere
    _elsewhere += seconds


def spent() -> float:
    """CPU seconds of this process and of its children that have ended (on POSIX)."""
    return sum(os.times()[:4]) + _elsewhere


class Costs:
    """Measures each test, from its set-up to its teardown: a notebook's kernel counts when it ends,
    with the last of its cells."""

    def __init__(self, root):
        self.root = root
        self.stems = {source.stem[3:]: source.stem for source in sources(root)}
        self.processes = 0.0  # the workers' CPU seconds, once they have ended

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.before = spent()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        if call.when == "teardown":
            cost = (*self.part(item), spent() - self.before)
            item.user_properties.append(("cpu", cost))
        return (yield)

    def part(self, item) -> tuple[str, str]:
        """Where a test is counted: the chapter and a column, or a folder and ""."""
        chapters = sorted(slug for slug in slugs_of(item) if slug in self.stems)
        if chapters:
            kind = "solved" if item.path.suffix == ".ipynb" else UNDER.get(item.path.name, "tests")
            return self.stems[chapters[-1]], kind
        path = item.path.relative_to(self.root) if self.root in item.path.parents else item.path
        return (path if path.parent.name == "tests" else path.parent).as_posix(), ""

    def pytest_sessionfinish(self, session):
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["cpu"] = spent()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.processes += getattr(node, "workeroutput", {}).get("cpu", 0.0)

    def pytest_terminal_summary(self, terminalreporter):
        found = [
            value
            for reports in terminalreporter.stats.values()
            for report in reports
            for name, value in getattr(report, "user_properties", ())
            if name == "cpu" and report.when == "teardown"
        ]
        if found:
            terminalreporter.section(f"CPU seconds (budget of a chapter {BUDGET})")
            # Workers are children too: what they have said that they took is not counted twice.
            own = sum(os.times()[:2]) if self.processes else spent()
            for line in table(found, self.processes + own):
                terminalreporter.line(line, yellow=line.endswith("over budget"))


def table(costs: list, total: float) -> list[str]:
    """A line for each chapter, one for each other part, and the sum.

    costs  of each test: where it is counted (see `Costs.part`) and its CPU seconds
    total  what all the processes took, with their starts
    """
    sums = defaultdict(lambda: defaultdict(float))
    for place, column, seconds in costs:
        sums[place][column] += seconds
    rest = total - sum(seconds for *_, seconds in costs)
    chapters = sorted(place for place, columns in sums.items() if "" not in columns)
    lines = [f"{'':<32}{''.join(f'{column:>10}' for column in (*COLUMNS, 'all'))}"]
    for place in chapters:
        every = sum(sums[place].values())
        row = [sums[place][column] for column in COLUMNS] + [every]
        over = "  over budget" if every > BUDGET else ""
        lines.append(f"{place:<32}{''.join(f'{value:10.1f}' for value in row)}{over}")
    others = {place: sums[place][""] for place in sums if place not in chapters}
    for place in sorted(others, key=others.get, reverse=True):
        lines.append(f"{place:<72}{others[place]:10.1f}")
    return lines + [f"{STARTING:<72}{rest:10.1f}", f"{'all':<72}{total:10.1f}"]
