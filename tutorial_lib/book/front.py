"""The first page: the map of the survey, each system a link to the cell that builds it."""

from itertools import groupby

from tutorial_lib.book.claims import escape
from tutorial_lib.course import online
from tutorial_lib.course.survey import Survey

PAGE = """# Visual Transformer Course

A notebook course on *A Survey on Vision Transformer* (Han et al.,
[arXiv 2012.12556](https://arxiv.org/abs/2012.12556)): every component from a loop in NumPy to a
fused GPU kernel, and, chapter by chapter, every one of the survey's {systems} systems executed. So
far {built} of them are built, in {there} of {chapters} chapters. This book is made from the
executed notebooks: what it shows is what they computed.

- **To read**, begin with [chapter 00](chapters/00_start_here.ipynb) or with any chapter of the map.
  Tasks, hints and solutions are there; what is folded opens with a click.
- **To build it yourself**, get [the course]({repository}) and run `make lab`, or without make
  `python course.py lab`: the same chapters as notebooks, with checks that name your mistake.
{beside}- **To look something up**: [systems](systems.md), [papers](papers.md),
  [symbols](symbols.md), [claims](claims.md), [glossary](glossary.md) (English and Korean),
  [the library](api/index.rst).
- **한국어 노트에서 오셨다면** [용어집](glossary.md)에서 한국어 용어를 찾아
  해당 장으로 갈 수 있습니다.

## The map of the survey

<div class="legend">
<span><i class="dot built"></i> a system, built and checked: leads to the cell that builds it</span>
<span><i class="dot"></i> a system still to be built</span>
<span><b class="star">★</b> a spine chapter: read these first</span>
<span><b>55′</b> minutes of its core</span>
</div>

<div class="map">
{map}
</div>
"""


def page(survey: Survey, chapters: list, extra: list) -> str:
    """The first page. `chapters` are the book's `Pages`; `extra` the pages beside them."""
    counts = survey.progress()
    text = PAGE.format(
        systems=len(survey.systems),
        built=counts["built"],
        there=sum(bool(chapter.core) for chapter in survey.chapters),
        chapters=len(survey.chapters),
        repository=online.repository(),
        beside="".join(f"- **[{e.title}]({e.name}.md)** {e.about}\n" for e in extra),
        map=survey_map(survey, {pages.chapter.number: pages for pages in chapters}),
    )
    if not any(pages.chapter.number == "00" for pages in chapters):
        text = text.replace("[chapter 00](chapters/00_start_here.ipynb)", "chapter 00")
    return text + contents(chapters, [page.name for page in extra])


def survey_map(survey: Survey, there: dict) -> str:
    """A panel for each part, a box for each chapter, a dot and a name for each system."""
    lines = []
    for part, chapters in groupby(survey.chapters, key=lambda chapter: chapter.part):
        lines += [f'<div class="part"><p class="part-name">{part}</p>', ""]
        for chapter in chapters:
            lines += _box(chapter, survey.systems_of(chapter.number), there.get(chapter.number))
        lines += ["</div>", ""]
    return "\n".join(lines)


def _box(chapter, systems, pages) -> list[str]:
    star = '<b class="star" title="spine chapter">★</b> ' if chapter.spine else ""
    name = f"{chapter.number} {escape(chapter.title)}"
    if pages:
        name = f"[{name}](chapters/{chapter.stem}.ipynb)"
    state = f"{chapter.core}′" if chapter.core else "planned"
    kind = "written" if chapter.core else "planned"
    lines = [f'<div class="chapter {kind}">', "", f'{star}{name} <span class="note">{state}</span>']
    lines += ["", *(_system(system, pages) for system in systems), "", "</div>", ""]
    return lines


def _system(system, pages) -> str:
    name, built = escape(system.name), system.status == "built"
    if pages and system.id in pages.systems:
        name = f"[{name}](#system-{system.id})"
    dot = '<i class="dot built" title="built"></i>' if built else '<i class="dot"></i>'
    return f"- {dot} {name}"


def contents(chapters: list, extra: list[str]) -> str:
    """The table of contents, in the sidebar: the chapters by parts, then what one looks up."""
    lines = []
    for part, found in groupby(chapters, key=lambda pages: pages.chapter.part):
        lines += _toctree(part, [f"chapters/{pages.chapter.stem}" for pages in found])
    lookup = ["systems", "papers", "symbols", "claims", "glossary", "api/index"]
    if extra:
        lines += _toctree("Beside the chapters", extra)
    return "\n".join(lines + _toctree("To look up", lookup))


def _toctree(caption: str, names: list[str]) -> list[str]:
    return ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"]
