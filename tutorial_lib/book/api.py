"""The pages of the library: each public module, its docstrings and, folded, its source.

The modules are read, not imported. Their docstrings are plain text in columns, so they are shown as
they stand.
"""

import ast
import re
from pathlib import Path

ROOMS = {  # in the order in which a reader meets them -> what is in there
    "from_scratch": "NumPy: forward and backward of each component",
    "layers": "PyTorch components that the chapters build",
    "models": "the systems, a folder for each part of the survey, a module for each family",
    "kernels": "Triton",
    "data": "data sets and generators of scenes",
    "training": "the loop, generation, metrics, the device",
    "recipes": "a chapter's long trainings: what makes its checkpoints and records",
    "checking": "the exercise engine: functions, modules, trainings, from nothing",
    "notebook": "what a cell uses: setup, claims, plots, schematics, explorers",
    "measuring": "time, memory, machines, records",
}
COLUMNS = re.compile(r"\S  |^ |^-", re.MULTILINE)
MARKUP = re.compile(r"([\\`*_|<>])")
TAUGHT = re.compile(r"[Tt]aught in chapters? (\d\d)")


def pages(library: Path, present: dict[str, str], imported: set[str] | None) -> dict[str, str]:
    """Name of the document -> its reStructuredText, for `tutorial_lib` at `library`.

    present   number of a chapter -> its stem, for links from what is taught there
    imported  the modules to have pages for; None for all
    """
    found, rooms = {}, []
    for room in ROOMS:
        files = {_name(library, path): path for path in sorted((library / room).rglob("*.py"))}
        texts = {
            name: path.read_text(encoding="utf-8")
            for name, path in files.items()
            if imported is None or name in imported
        }
        if texts:
            rooms.append(room)
            found[f"api/{room}"] = _room(room, texts)
        found |= {f"api/{n}": module_page(n, text, present) for n, text in texts.items()}
    return {"api/index": _index(rooms)} | found


def _name(library: Path, path: Path) -> str:
    parts = path.relative_to(library.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _index(rooms: list[str]) -> str:
    lines = [_title("The library"), "What the chapters use, room by room. Imports run one way.", ""]
    return "\n".join([*lines, *_contents({room: (room, ROOMS[room]) for room in rooms})])


def _room(room: str, texts: dict[str, str]) -> str:
    """The page of a room: its modules, each with the first sentence that it says of itself."""
    lines = [_title(room), ROOMS[room][0].upper() + ROOMS[room][1:] + ".", ""]
    entries = {}
    for name, text in texts.items():
        about = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0]
        sentence = re.split(r"(?<=[.:]) ", " ".join(about.split()))[0].rstrip(".:")
        entries[name] = (name.removeprefix("tutorial_lib.").removeprefix(f"{room}."), sentence)
    return "\n".join([*lines, *_contents(entries)])


def _contents(entries: dict[str, tuple[str, str]]) -> list[str]:
    """Document -> (name, what it is): a list to read, and the entries of the sidebar."""
    told = [f"- :doc:`{label} <{name}>`: {_prose(text)}" for name, (label, text) in entries.items()]
    names = [f"   {label} <{name}>" for name, (label, _) in entries.items()]
    return [*told, "", ".. toctree::", "   :hidden:", "", *names, ""]


def module_page(name: str, source: str, present: dict[str, str]) -> str:
    """One module: its docstring, then its public functions and classes."""
    tree = ast.parse(source)
    docstring = ast.get_docstring(tree) or ""
    lines = [_title(name.removeprefix("tutorial_lib.")), f".. py:module:: {name}", ""]
    lines += _docstring(docstring)
    for number in dict.fromkeys(TAUGHT.findall(source)):
        if number in present:
            lines += [f":doc:`Chapter {number} </chapters/{present[number]}>` teaches it.", ""]
    for node in tree.body:
        if _is_public(node):
            lines += _entry(node, source)
    return "\n".join(lines) + "\n"


def _is_public(node) -> bool:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and not node.name.startswith("_")


def _entry(node, source: str) -> list[str]:
    """A function, or a class with its methods: signature, docstring, source."""
    is_class = isinstance(node, ast.ClassDef)
    lines = [f".. py:{'class' if is_class else 'function'}:: {node.name}{_signature(node)}", ""]
    body = _docstring(ast.get_docstring(node) or "")
    for method in node.body if is_class else []:
        if _is_public(method) and ast.get_docstring(method):
            body += [f".. py:method:: {method.name}{_signature(method)}", ""]
            body += _indented(_docstring(ast.get_docstring(method)))
    code = ast.get_source_segment(source, node)
    body += [".. raw:: html", "", "   <details><summary>Source</summary>", ""]
    body += [".. code-block:: python", "", *_indented(code.split("\n")), ""]
    body += [".. raw:: html", "", "   </details>", ""]
    return lines + _indented(body)


def _signature(node) -> str:
    """The arguments in brackets; of a class, those of its `__init__`."""
    if isinstance(node, ast.ClassDef):
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return _signature(inits[0]) if inits else ""
    arguments = ast.unparse(node.args)
    method = arguments.split(",")[0] in ("self", "cls")
    arguments = arguments.partition(",")[2].strip() if method else arguments
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    return f"({arguments}){returns}"


def _docstring(text: str) -> list[str]:
    """A docstring: paragraphs as prose; what stands in columns, or is indented, as it stands."""
    lines = []
    for paragraph in re.split(r"\n\n+", text) if text else []:
        if COLUMNS.search(paragraph):
            lines += [".. code-block:: text", "   :class: docstring", ""]
            lines += [*_indented(paragraph.split("\n")), ""]
        else:
            lines += [_prose(" ".join(paragraph.split("\n"))), ""]
    return lines


def _prose(text: str) -> str:
    """Plain text in reStructuredText; `code` in backticks stays code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its pair
        return re.sub(MARKUP, r"\\\1", text)
    for i, piece in enumerate(pieces):
        code = i % 2 and piece.strip()
        pieces[i] = f"``{piece.strip()}``\\ " if code else re.sub(MARKUP, r"\\\1", piece)
    return "".join(pieces)


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" if line else "" for line in lines]


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"
