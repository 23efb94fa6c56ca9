"""Slides cut from a chapter's core: pictures, formulas, tables, what is asked and what is written.

The prose in between is what the leader says: it stands in each slide's notes, shown by the key N.
"""

import html
import re
from dataclasses import dataclass, field

from tutorial_lib.authoring.expand import is_folded
from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.teaching import pages
from tutorial_lib.teaching.chapter import DETAILS, SENTENCES, Chapter, Section, question

LINES, LETTERS, LEAD = 22, 1400, 260  # the most of code, of a list, of what leads to a table
BLOCKS = re.compile(r"\n{2,}(?=(?:[^`]|`(?!``))*(?:```[^`]*```(?:[^`]|`(?!``))*)*\Z)")
HELP = "→ and ← or a swipe: forward and back · Home, End · N: notes · F: full screen"


@dataclass
class Slide:
    """What is seen, as HTML, and what is said."""

    head: str
    body: str
    kind: str = ""
    notes: list[str] = field(default_factory=list)


def page(chapter: Chapter) -> str:
    """The slides of a chapter as one page."""
    slides = [_title(chapter)]
    for section in chapter.sections:
        if section.kind in ("core", "family"):
            slides += _section(section, first=not section.heading)
    slides += _labs(chapter)
    body = "\n".join(map(_html, slides))
    frame = '<div id="bar"></div><div id="number"></div><div id="keys">{}</div>'
    style = pages.template("slides.css") + pages.colours()
    title = f"{chapter.number} · {chapter.title}"
    return pages.page(title, body + frame.format(HELP), style, pages.template("slides.js"))


def _html(slide: Slide) -> str:
    notes = "".join(pages.markdown(note) for note in slide.notes)
    head = f"<h2>{slide.head}</h2>" if slide.head else ""
    return (
        f'<section class="slide {slide.kind}"><div class="fit">{head}{slide.body}</div>'
        f'<aside class="notes">{notes}</aside></section>'
    )


def _title(chapter: Chapter) -> Slide:
    head = f"<h1>{chapter.number} · {html.escape(chapter.title)}</h1>"
    return Slide("", head + pages.markdown(chapter.goals), "title")


def _labs(chapter: Chapter) -> list[Slide]:
    labs = [section for section in chapter.sections if section.kind == "lab"]
    titles = (pages.inline(section.title.replace("Lab: ", "")) for section in labs)
    items = [f"<li>{title}, {lab.minutes:.0f} minutes</li>" for title, lab in zip(titles, labs)]
    return [Slide("To go on with: the labs", f"<ul>{''.join(items)}</ul>")] if items else []


def _section(section: Section, first: bool) -> list[Slide]:
    """The slides of one section, in the order of its cells."""
    head = "" if first else pages.inline(section.title)
    slides = [] if first else [Slide("", f"<h1>{head}</h1>", "section")]
    tasks = {f"exercise-{task.name}": task for task in section.tasks}
    tasks |= {f"build-{task.name}": task for task in section.tasks}
    for number, cell in enumerate(section.cells):
        if cell.cell_type == "markdown":
            if not (first and number == 0) and not cell.id.startswith(("task-", "goal-")):
                head = _words(cell.source, head, slides)
        elif cell.id in tasks:
            slides.append(_task(tasks[cell.id]))
        elif cell.id != "on-colab":
            slides += _shown(cell, head)
    return [slide for slide in slides if slide.kind != "section" or slide.notes]


def _words(text: str, head: str, slides: list[Slide]) -> str:
    """Add the slides of a cell of text; what is no slide is said at the last one. Returns the
    heading that holds from here on."""
    lead = ""  # the paragraph in front of a table or a formula
    for block in BLOCKS.split(DETAILS.sub(lambda m: re.sub(r"\n{2,}", "\n", m[0]), text)):
        block = block.strip()
        if heading := re.match(r"#+ (.*)", block):
            if not block.startswith("## "):
                head = pages.inline(heading[1])
        elif folded := DETAILS.match(block):
            _fold(*folded.groups(), head, slides)
        elif block.startswith("$$") or _small(block):
            kind = "formula" if block.startswith("$$") else ""
            slides.append(Slide(head, lead + pages.markdown(block), kind))
            lead = ""
        elif asked := question(block):
            slides.append(Slide(head, pages.markdown(asked), "ask", [block]))
        elif slides:
            slides[-1].notes.append(block)
            lead = f'<div class="lead">{pages.markdown(_begin(block, LEAD))}</div>'
            if slides[-1].kind == "section" and len(slides[-1].notes) == 1:
                slides[-1].body += lead
                lead = ""
    return head


def _begin(text: str, letters: int) -> str:
    """The sentences with which a paragraph begins, as far as they have room."""
    kept = ""
    for sentence in SENTENCES.split(text.replace("\n", " ")):
        if kept and len(kept) + len(sentence) > letters:
            break
        kept += f" {sentence}"
    return kept.strip()


def _small(block: str) -> bool:
    """Whether a block is a table or a list that a slide can hold."""
    rows = block.splitlines()
    table = block.startswith("|") and len(rows) <= 12
    return table or block.startswith(("- ", "1. ")) and len(block) <= LETTERS


def _fold(asked: str, answer: str, head: str, slides: list[Slide]) -> None:
    """A question with its answer, or the answer to what the slide before asks."""
    body = pages.markdown(answer.strip())
    if asked == "Answer" and slides:
        slides[-1].body += f"<details><summary>Answer</summary>{body}</details>"
        return
    body = f"<p>{pages.inline(asked)}</p><details><summary>Answer</summary>{body}</details>"
    slides.append(Slide(head, body, "ask"))


def _task(task) -> Slide:
    """What is to be written: the empty function with what is asked of it."""
    if isinstance(task, FromNothing):
        return Slide("From nothing", pages.markdown(task.goal), "task")
    dots = "●" * task.level + "○" * (5 - task.level)
    kind = "Find the bug" if task.start else "You write"
    body = f"<p>{dots} · {task.minutes} minutes</p>{pages.code(task.stub())}"
    return Slide(f"{kind}: {html.escape(task.title)}", body, "task", list(task.hints))


def _shown(cell, head: str) -> list[Slide]:
    """The pictures of a cell, a slide each; of a cell on view, its code and what it prints."""
    pictures = [
        Slide(head, _picture(output), "picture")
        for output in cell.outputs
        if any(kind in output.get("data", {}) for kind in ("image/png", "image/jpeg"))
    ]
    if is_folded(cell) or len(cell.source.splitlines()) > LINES:
        return pictures
    printed = "".join(output.get("text", "") for output in cell.outputs)
    printed = f"<pre>{html.escape(printed.strip())}</pre>" if printed.strip() else ""
    return [Slide(head, pages.code(cell.source) + printed, "code"), *pictures]


def _picture(output) -> str:
    kind = next(kind for kind in ("image/png", "image/jpeg") if kind in output.data)
    alt = output.metadata.get(kind, {}).get("alt", "")
    data = output.data[kind].replace("\n", "")
    return f'<img src="data:{kind};base64,{data}" alt="{html.escape(alt, quote=True)}">'
