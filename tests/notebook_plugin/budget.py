"""Seconds and memory of each solved notebook beside the budget, and each chapter's shape, printed
at the end of a run.

A machine under load is slow for other reasons, so a notebook over its budget is named and does not
fail.
"""

from tutorial_lib.authoring import shape
from tutorial_lib.authoring.build import sources

BUDGET = {"notebook": 40, "cell": 15}  # seconds
GIGABYTES = 2.0


def pytest_terminal_summary(terminalreporter):
    costs = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "notebook cost"
    ]
    if not costs:
        return
    terminalreporter.section(f"notebooks (budget {BUDGET['notebook']} s, {GIGABYTES:g} GB)")
    for line in summary(costs):
        terminalreporter.line(line, yellow=line.startswith("over budget"))
    terminalreporter.section("what is read and what is built (advice, never a failure)")
    for source in sources(terminalreporter.config.rootpath):
        if source.stem in {cost["notebook"] for cost in costs}:
            terminalreporter.line(f"{source.stem}: {shape.line(source)}")


def summary(costs: list[dict]) -> list[str]:
    """A line for each notebook, then one for everything that is over its budget."""
    lines, over = [], []
    for name in sorted({cost["notebook"] for cost in costs}):
        cells = [cost for cost in costs if cost["notebook"] == name]
        seconds = max(cell["start"] for cell in cells) + sum(cell["seconds"] for cell in cells)
        peaks = [cell["peak"] for cell in cells if cell["peak"] is not None]
        memory = f"{max(peaks):5.2f} GB" if peaks else "memory unknown"
        lines.append(f"{name:<32} {seconds:5.1f} s   {memory}")
        if seconds > BUDGET["notebook"]:
            over.append(f"over budget: {name} took {seconds:.0f} s of {BUDGET['notebook']}")
        if peaks and max(peaks) > GIGABYTES:
            over.append(f"over budget: {name} held {max(peaks):.1f} GB of {GIGABYTES:g}")
        over += [
            f"over budget: {cell['place']} took {cell['seconds']:.0f} s of {BUDGET['cell']}"
            for cell in cells
            if cell["seconds"] > BUDGET["cell"]
        ]
    return lines + over
