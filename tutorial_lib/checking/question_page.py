"""A question of `questions.py` as HTML: tables of numbers, and four causes that open on a click.

There is no script in it: a cause is a `details` element, which opens by mouse and by key wherever
HTML is shown, and tells what is behind it.
"""

import html
import inspect

import numpy as np

from tutorial_lib.checking.comparing import as_array, parts
from tutorial_lib.checking.questions import Choice, Question, number

STYLE = """
.which { max-width: 860px; font-size: 14px; line-height: 1.45; font-variant-numeric: tabular-nums }
.which table { border-collapse: collapse; margin: 2px 0; width: auto; color: inherit;
  display: inline-block; vertical-align: middle; overflow-x: auto; max-width: 100%; border: 0 }
.which td { border: 1px solid rgba(128,128,128,.35); padding: 1px 7px; text-align: right;
  font-size: 13px; background: none }
.which td.off { background: rgba(242,112,12,.3); font-weight: 600 }
.which-parts { display: flex; flex-wrap: wrap; gap: 4px 26px; margin: 8px 0 }
.which-parts > div { min-width: 0; max-width: 100%; overflow-x: auto }
.which-name { display: block; font-size: 12.5px; opacity: .8 }
.which details { margin: 5px 0; border: 1px solid rgba(128,128,128,.4); border-radius: 6px }
.which summary { cursor: pointer; padding: 5px 10px }
.which details > div { padding: 2px 12px 9px 30px }
.which details.right[open] { border-color: #2e9e4f; box-shadow: inset 4px 0 #2e9e4f }
.which details.wrong[open] { border-color: #d05030; box-shadow: inset 4px 0 #d05030 }
.which details.task { border-style: dashed }
.which pre { white-space: pre-wrap; margin: 0; font-size: 12.5px; background: none; color: inherit }
.which :focus-visible { outline: 3px solid #1e88e5; outline-offset: 1px }
"""


def as_html(question: Question, task, heading: str = "Which mistake is it?") -> str:
    """A question on `task`, an exercise, without the style sheet."""
    came = question.choices[question.answer].value
    signature = f"{task.name}{inspect.signature(task.reference)}"
    docstring = inspect.getdoc(task.reference) or ""
    return "".join(
        (
            f'<div class="which"><strong>{html.escape(heading)}</strong>',
            f'<details class="task"><summary>The task: <code>{html.escape(signature)}</code>',
            f"</summary><div><pre>{html.escape(docstring)}</pre></div></details>",
            f'<div class="which-parts">{_parts(question.case)}</div><div class="which-parts">',
            f"{_named('expected', question.expected)}",
            f"{_named('what came instead', came, question.expected)}</div>",
            *(_choice(choice, came) for choice in question.choices),
            "</div>",
        )
    )


def _choice(choice: Choice, came) -> str:
    if choice.right:
        told = f"<b>Yes.</b> {_prose(choice.message)}"
    else:
        told = f'<div class="which-parts">{_named("No. That gives", choice.value, came)}</div>'
    kind = "right" if choice.right else "wrong"
    return (
        f'<details class="{kind}"><summary>{_prose(choice.cause)}</summary>'
        f"<div>{told}</div></details>"
    )


def _prose(text: str) -> str:
    """Text with `code` in it."""
    pieces = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{x}</code>" if i % 2 else x for i, x in enumerate(pieces))


def _parts(value, beside=None) -> str:
    """The named parts of a dict or a tuple side by side; anything else as it is."""
    if not isinstance(value, (dict, tuple, list)):
        return _table(value, beside)
    others = parts(beside) if isinstance(beside, type(value)) else {}
    return "".join(_named(name, x, others.get(name)) for name, x in parts(value).items())


def _named(name, value, beside=None) -> str:
    if isinstance(value, (dict, tuple, list)):
        inner = f'<div class="which-parts">{_parts(value, beside)}</div>'
    else:
        inner = _table(value, beside)
    shape = getattr(value, "shape", ())
    size = f" ({', '.join(map(str, shape))})" if len(shape) else ""
    return f'<div><span class="which-name">{html.escape(str(name))}{size}</span>{inner}</div>'


def _table(value, beside=None) -> str:
    """An array as tables of its last two axes, the numbers that differ from `beside` marked."""
    array, other = as_array(value), None if beside is None else as_array(beside)
    if array is None:
        return f"<code>{html.escape(repr(value))}</code>"
    if array.size == 0:
        return "<code>no numbers</code>"
    texts = np.vectorize(number, otypes=[object])(array)
    off = np.zeros(array.shape, bool)
    if other is not None and other.shape == array.shape:
        off = texts != np.vectorize(number, otypes=[object])(other)
    elif beside is not None:
        off = ~off
    rows, columns = (1, 1, *array.shape)[-2:]
    tables = zip(texts.reshape(-1, rows, columns), off.reshape(-1, rows, columns))
    return "".join(f"<table><tbody>{_rows(*table)}</tbody></table> " for table in tables)


def _rows(texts, off) -> str:
    cell = '<td class="off">{}</td>', "<td>{}</td>"
    return "".join(
        "<tr>" + "".join(cell[not marked].format(x) for x, marked in zip(*row)) + "</tr>"
        for row in zip(texts, off)
    )
