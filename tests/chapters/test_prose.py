"""The text: links lead somewhere, plain JupyterLab renders it, code and spelling are clean."""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from tutorial_lib.course import survey

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]_*.md"))
NAMES = ("README.md", "CONTRIBUTING.md", "SURVEY.md")
PAGES = [ROOT / name for name in NAMES if (ROOT / name).exists()]

LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)|(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^ {0,3}#{1,6} +(.+?) *#*$", re.MULTILINE)
# What JupyterLab shows as it stands, and what to write in its place.
NOT_PLAIN = {
    r"^(?:`{3,}|~{3,}|:{3,}) *\{(?!code-cell)": "a directive: write plain Markdown or a <div>",
    r"(?<![\\$\w])\{[a-z][a-z:_-]*\}`": "a role: write the link or the symbol out",
    r"\[\^[^\]]+\]": "a footnote: put it in the text",
    r"^> *\[!": "a GitHub alert: write <div class=\"alert alert-info\">",
    r"^\([\w-]+\)= *$": "a MyST target: link to the heading",
    r"</summary>(?! *\n *\n)": "no blank line after </summary>: what follows is not rendered",
    r"!\[ *\]\(": "a figure without alt text",
    r"<img (?![^>]*alt=\"[^\"]+\")": "a figure without alt text",
}  # fmt: skip


def read(path: Path) -> str:
    """The text of a page, or of a chapter's Markdown cells, without blocks of code."""
    if path.parent.name == "chapters":
        cells = jupytext.read(path).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return without_blocks(text)


def without_blocks(text: str) -> str:
    """Drop what stands between fences; the fence line stays: it may be a directive."""
    return re.sub(r"^( *(`{3,}|~{3,}).*\n)[\s\S]*?^ *\2 *$", r"\1", text, flags=re.MULTILINE)


def without_ticks(text: str) -> str:
    """Drop code between `ticks`, and leave a role's."""
    return re.sub(r"(?<![`}])`[^`\n]+`", "``", text)


def anchors(path: Path) -> set[str]:
    """The headings' anchors: JupyterLab's in a chapter, GitHub's on a page."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", h) for h in HEADING.findall(read(path))]
    if path.parent.name == "chapters":
        return {title.replace(" ", "-") for title in titles}
    found, seen = set(), {}
    for title in titles:
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, 0) + 1
        found.add(slug if seen[slug] == 1 else f"{slug}-{seen[slug] - 1}")
    return found


def dead_links(path: Path) -> list[str]:
    """Each link of a page that leads to no file, or to no heading of it."""
    dead = []
    for first, second in LINK.findall(without_ticks(read(path))):
        link = first or second
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        page = target.with_suffix(".md") if target.suffix == ".ipynb" else target
        if not target.exists() or not page.exists():
            dead.append(f"{path.name}: {link}: there is no {name}")
        elif anchor and page.suffix == ".md" and anchor not in anchors(page):
            there = ", ".join(sorted(anchors(page)))
            dead.append(f"{path.name}: {link}: no heading #{anchor}; there are {there}")
    return dead


def not_plain(text: str) -> list[str]:
    """What plain JupyterLab would not render, with the line."""
    text, found = without_ticks(without_blocks(text)), []
    for pattern, words in NOT_PLAIN.items():
        for match in re.finditer(pattern, text, flags=re.MULTILINE):
            line = text[: match.end()].splitlines()[-1]
            found.append(f"{words}: {line.strip()!r}")
    return found


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return request.param


def test_chapter_has_no_dead_link(chapter):
    assert dead_links(chapter) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_page_has_no_dead_link(page):
    assert dead_links(page) == []


def test_chapter_holds_only_what_plain_jupyterlab_renders(chapter):
    assert not_plain(read(chapter)) == []


def test_chapter_begins_with_its_title_minutes_and_level(chapter):
    entry = survey.load().chapter(chapter.name[:2])
    assert chapter.stem == entry.stem
    first = jupytext.read(chapter).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    minutes = rf"\*\*{entry.minutes} minutes\*\*( \(core \d+\))?"
    assert re.match(rf".*\n\n{minutes} · \*\*level {entry.level} of 5\*\*", first.source)


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],  # modules and notebooks, which it reads natively
        ["codespell_lib"],
    ],
    ids=["ruff", "codespell"],
)
def test_code_and_spelling_are_clean(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


# The checks above, on small texts


@pytest.mark.parametrize(
    "text",
    [
        "```{note}\nRead this.\n```",
        ":::{tip}\nx\n:::",
        "see {ref}`there`",
        "text[^1]",
        "> [!NOTE]\n> x",
        "(target)=\n# Heading",
        "<details><summary>Hint</summary>\nx\n\n</details>",
        "![](figure.png)",
        '<img src="figure.png">',
    ],
)
def test_what_jupyterlab_does_not_render_is_found(text):
    assert len(not_plain(text)) == 1


def test_what_jupyterlab_renders_is_left_alone():
    text = (
        "# A *title*\n\n$\\text{softmax}$ and `{x}` and `x[^1]`, `a` {b} `c`\n\n"
        "```python\n> [!NOTE]\n```\n\n![a cat](cat.png) <img src='x' alt=\"a cat\">\n\n"
        "<details><summary>Hint</summary>\n\nx\n\n</details>\n"
    )
    assert not_plain(text) == []


def test_dead_links_are_found_and_live_ones_are_not(tmp_path):
    folder = tmp_path / "chapters"
    folder.mkdir()
    (folder / "02_b.md").write_text("# The *B*\n\n## What it costs\n", encoding="utf-8")
    (folder / "02_b.ipynb").write_text("{}", encoding="utf-8")
    (folder / "03_c.md").write_text("# C\n", encoding="utf-8")
    page = folder / "01_a.md"
    page.write_text(
        "# A\n\n## Part one\n\n[1](#Part-one) [2](02_b.ipynb) [3](02_b.ipynb#What-it-costs)\n"
        "[4](https://example.org/#x) [5](../chapters/02_b.md#The-B) `[6](no.md)`\n",
        encoding="utf-8",
    )
    assert dead_links(page) == []
    dead = "# A\n\n[1](#part) [2](03_c.ipynb) [3](02_b.ipynb#costs) [4](no.md)\n"
    page.write_text(dead, encoding="utf-8")
    assert [line.split(": ")[1] for line in dead_links(page)] == [
        "#part", "03_c.ipynb", "02_b.ipynb#costs", "no.md",
    ]  # fmt: skip
    readme = tmp_path / "README.md"
    text = "# It's `x`\n\n## Twice\n\n## Twice\n\n[1](#its-x) [2](#twice-1)\n"
    readme.write_text(text, encoding="utf-8")
    assert dead_links(readme) == []
