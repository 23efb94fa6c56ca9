"""Pages of one file each: their style, their script and their formulas are in them, so that a
reader needs neither a network nor the course."""

import html
import json
import re
from pathlib import Path

from tutorial_lib.course import lean_imports  # noqa: F401, before nbconvert

HERE = Path(__file__).parent
MATHJAX = HERE.parent / "book" / "static" / "mathjax" / "tex-svg.js"
SETTINGS = {
    "tex": {"inlineMath": [["$", "$"]], "packages": {"[-]": ["autoload", "require"]}},
    "options": {"enableMenu": False},  # which would fetch what it lacks
}


def markdown(text: str) -> str:
    """Markdown as a notebook shows it, formulas left for MathJax."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return markdown2html_mistune(text)


def inline(text: str) -> str:
    """One line of Markdown, without a paragraph around it; a number in front makes no list."""
    text = re.sub(r"^(\d+)\.", r"\1\\.", text)
    return re.sub(r"^<p>(.*)</p>\s*$", r"\1", markdown(text).strip(), flags=re.DOTALL)


def code(text: str) -> str:
    """Python in colours."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(text.strip("\n"), PythonLexer(), HtmlFormatter())


def colours() -> str:
    """The style sheet of `code`."""
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style="xcode").get_style_defs(".highlight")


def template(name: str) -> str:
    return (HERE / "templates" / name).read_text(encoding="utf-8")


def page(title: str, body: str, style: str, script: str = "") -> str:
    """A whole page; formulas between $ are drawn by MathJax, which is in it where there are any."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>\n<style>\n{style}\n</style>",
    ]
    if "$" in body:
        parts.append(f"<script>window.MathJax = {json.dumps(SETTINGS)};</script>")
        parts.append(f"<script>{MATHJAX.read_text(encoding='utf-8')}</script>")
    parts.append(f"</head>\n<body>\n{body}\n")
    parts.append(f"<script>\n{script}\n</script>\n" if script else "")
    return "\n".join(parts) + "</body>\n</html>\n"
