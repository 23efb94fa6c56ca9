"""Leader's notes: what a chapter is for, how long it takes, where people get stuck, what to ask."""

import html

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.teaching import pages
from tutorial_lib.teaching.chapter import Chapter, short_cuts

KINDS = {"core": "Core", "family": "The family", "lab": "Labs, each alone or left out"}
ROOM = """
## Before the room arrives

- Each chapter's cells run without an answer: an empty exercise falls back to the course's own version. **A room never gets stuck.**
- On one of the room's machines, from the folder that you hand out: `python course.py lab`. The first start installs; with the folder `wheels` beside it, without a network.
- One page shows how far the room is, without names: `python course.py room FOLDER`.

## When somebody is stuck

1. The check's message names the mistake and asks a question. Let them read it aloud.
2. `exercise.NAME.hint()` gives one hint more each time.
3. Behind by a section? In a new cell of the notebook: `from tutorial_lib.teaching.catch_up import catch_up`, then `catch_up("05", section=6)`. It runs what stands above section 6, with their own answers where those pass and the course's where they do not. Nothing that they wrote is touched.
"""  # noqa: E501


def page(chapters: list[Chapter]) -> str:
    """All notes as one page."""
    parts = ["<main>\n<h1>Leader's notes</h1>", _plan(chapters), pages.markdown(ROOM)]
    parts += map(_chapter, chapters)
    title = "Leader's notes: " + ", ".join(chapter.number for chapter in chapters)
    return pages.page(title, "\n".join(parts) + "\n</main>", pages.template("notes.css"))


def _plan(chapters: list[Chapter]) -> str:
    kinds = [kind for kind in KINDS if any(chapter.minutes(kind) for chapter in chapters)]
    rows = [["chapter", *kinds, "slides"]]
    for c in chapters:
        times = [_minutes(c.minutes(kind)) for kind in kinds]
        link = f'<a href="slides-{c.stem}.html">slides</a>'
        rows.append([f'<a href="#c{c.number}">{c.number} {html.escape(c.title)}</a>', *times, link])
    core = sum(chapter.minutes("core") for chapter in chapters)
    told = f"Minutes are counted from what is read and built. All cores: {core:.0f} minutes."
    return f"{_table(rows)}\n<p>{told}</p>"


def _chapter(chapter: Chapter) -> str:
    parts = [
        f'<section id="c{chapter.number}">',
        f"<h2>{chapter.number} · {html.escape(chapter.title)}</h2>",
        pages.markdown(chapter.goals),
        f"<h3>Time</h3>\n{_times(chapter)}",
        f"<h3>Short of time</h3>\n{_cuts(chapter)}",
        f"<h3>Where people get stuck</h3>\n{_mistakes(chapter)}",
        f"<h3>Ask before you run</h3>\n{_asks(chapter)}",
        f"<h3>Questions to ask</h3>\n{_questions(chapter)}",
        "</section>",
    ]
    return "\n".join(parts)


def _times(chapter: Chapter) -> str:
    rows = [["section", "minutes", "they write"]]
    for kind, words in KINDS.items():
        found = [section for section in chapter.sections if section.kind == kind]
        if not found:
            continue
        rows.append([f"<b>{words}</b>", f"<b>{_minutes(chapter.minutes(kind))}</b>", ""])
        for section in found:
            tasks = ", ".join(f"{t.name} ({t.minutes})" for t in section.tasks)
            title = section.title.replace(". Lab: ", ". ") or "the picture, the promise"
            rows.append([pages.inline(title), _minutes(section.minutes), html.escape(tasks)])
    return _table(rows)


def _cuts(chapter: Chapter) -> str:
    left = chapter.minutes("core")
    rows = [["leave out, in this order", "saves", "the core then takes"]]
    labs = chapter.minutes("lab") + chapter.minutes("family")
    if labs:
        rows.append(["the labs and the family", _minutes(labs), _minutes(left)])
    for name, minutes in short_cuts(chapter):
        left -= minutes
        rows.append([html.escape(name), _minutes(minutes), _minutes(left)])
    told = (
        "What is left out falls back to the course's own version; it makes good homework. Keep the "
        "class that they write and the step that trains it: then something of their own works."
    )
    return f"{_table(rows)}\n<p>{told}</p>"


def _mistakes(chapter: Chapter) -> str:
    parts = []
    for kind, words in KINDS.items():
        sections = [section for section in chapter.sections if section.kind == kind]
        tasks = [t for s in sections for t in s.tasks if not isinstance(t, FromNothing)]
        parts += [f"<h4>{words.partition(',')[0]}</h4>"] * bool(tasks) + [*map(_bank, tasks)]
    return "\n".join(parts)


def _bank(task) -> str:
    """A task and, folded, the sentences for its known mistakes."""
    dots = "●" * task.level + "○" * (5 - task.level)
    items = "\n".join(f"<li>{html.escape(mistake.message)}</li>" for mistake in task.mistakes)
    return (
        f"<details><summary><code>{task.name}</code> {dots} {task.minutes} min · "
        f"{len(task.mistakes)} known mistakes</summary>\n<ol>\n{items}\n</ol>\n</details>"
    )


def _asks(chapter: Chapter) -> str:
    items = [
        f"<li>{pages.inline(line)} <small>{html.escape(section.title)}</small></li>"
        for section in chapter.sections if section.kind == "core"
        for line in section.asks
    ]  # fmt: skip
    return f"<ul>{''.join(items)}</ul>" if items else "<p>No cell of the core asks for a guess.</p>"


def _questions(chapter: Chapter) -> str:
    return "\n".join(
        f"<details><summary>{pages.inline(question)}</summary>\n{pages.markdown(answer)}</details>"
        for question, answer in chapter.questions
    )


def _table(rows: list[list[str]]) -> str:
    heads = "".join(f"<th>{cell}</th>" for cell in rows[0])
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows[1:]]
    return f"<table><tr>{heads}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes else ""
