"""What somebody handed in, by name: the definition of an answer and of all that it uses.

A notebook's cells are nothing but text here. Which cell a definition stands in, what the cell's
metadata say and whether it was copied, split or turned into another type changes nothing; what a
cell lacks that the chapter gave, such as its imports, is taken from the chapter.
"""

import ast
import json
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tutorial_lib.checking.definitions import first_line, names

ENDINGS = (".ipynb", ".py")
ASIDE = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)  # a magic, a shell's command, a question
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Statement:
    """One statement at the top of a cell or a file."""

    node: ast.stmt
    text: str
    binds: frozenset = frozenset()
    uses: frozenset = frozenset()
    changes: frozenset = frozenset()  # X, of `X.forward = ...`


@dataclass
class Source:
    """The statements of one or several files, in their order."""

    statements: list[Statement] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # what is no Python

    def of(self, name: str) -> Statement | None:
        """The last statement that gives a name its value; one that is more than a stub, if any."""
        found = [s for s in self.statements if name in s.binds and not is_check(s.node, name)]
        written = [s for s in found if not _is_empty(s.node)]
        return (written or found or [None])[-1]


def read(paths: list[Path]) -> Source:
    """All that some notebooks and .py files hold. Nothing of it is run.

    Raises ValueError for a notebook that cannot be read.
    """
    source = Source()
    pieces = [_pieces(path) for path in paths]
    for text in [each for _, others in pieces for each in others]:
        nodes = _parsed(text) or []  # what stands in a cell of text counts less: it comes first
        if any(isinstance(node, DEFINITIONS) for node in nodes):  # else words that look like Python
            source.statements += [_statement(node, text) for node in nodes]
    for text in [each for code, _ in pieces for each in _joined(code)]:
        nodes = _parsed(text)
        if nodes is None:
            source.unread.append(text)
        source.statements += [_statement(node, text) for node in nodes or ()]
    return source


def files_of(place: Path) -> list[Path]:
    """The notebooks and .py files of one hand-in, a file or a folder, in the order of their names;
    none that a program keeps, such as checkpoints, and no tests of the course's."""
    if place.is_file():
        return [place] if place.suffix in ENDINGS else []
    found = (p for p in place.rglob("*") if p.suffix in ENDINGS and p.is_file())
    hidden = re.compile(r"^(\.|__)|^test_mine\.py$")
    return sorted(p for p in found if not any(map(hidden.match, p.relative_to(place).parts)))


def is_check(node: ast.stmt, name: str) -> bool:
    """Whether a statement is `name = exercise.name.check(name)`, which defines nothing."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return False
    return getattr(node.value.func, "attr", "") == "check"


def untouched(node: ast.stmt, stub: str) -> bool:
    """Whether a definition is still the one that the chapter gave, but for comments and layout."""
    return ast.dump(_bare(node)) == ast.dump(_bare(ast.parse(stub).body[-1]))


def needed(name: str, own: Source, given: Source, stand_ins) -> list[Statement]:
    """The statements that define a name and all that it uses, in an order in which they can run.

    own        what was handed in
    given      what the chapter gives, for names that the hand-in lacks
    stand_ins  names for which something else stands
    """
    found, seen = [], set()

    def add(wanted: str):
        if wanted in seen or (wanted in stand_ins and wanted != name):
            return
        seen.add(wanted)
        statement = own.of(wanted) or (given.of(wanted) if wanted != name else None)
        if statement is None or statement in found:
            return
        statement = _only(statement, wanted)
        others = [s for s in own.statements if wanted in s.changes]
        for each in sorted(statement.uses):
            add(each)
        if statement not in found:
            found.append(statement)
        for change in others:
            for each in sorted(change.uses):
                add(each)
            found.append(change)

    stars = [s for s in own.statements if "*" in s.binds]
    add(name)
    return stars + found


def _only(statement: Statement, name: str) -> Statement:
    """A statement; of one that imports several names, what imports this one."""
    node = statement.node
    aliases = node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ()
    mine = [a for a in aliases if (a.asname or a.name.split(".")[0]) == name]
    if not mine:
        return statement
    alone = type(node)(**{**dict(ast.iter_fields(node)), "names": mine})
    return Statement(alone, ast.unparse(alone), frozenset([name]))


def _pieces(path: Path) -> tuple[list[str], list[str]]:
    """The texts of a file's code, and those of cells that are said to be something else."""
    data = path.read_bytes()
    if path.suffix == ".py":
        return [data.decode("utf-8-sig", errors="replace")], []
    try:
        cells = json.loads(data)["cells"]
        found = [(c.get("cell_type"), "".join(c.get("source", ""))) for c in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} cannot be read as a notebook: {error}") from error
    return [s for kind, s in found if kind == "code"], [s for kind, s in found if kind != "code"]


def _joined(pieces: list[str]) -> list[str]:
    """Cells; one that begins in the middle of a definition goes on with the cell before."""
    found = []
    for text in pieces:
        inside = re.match(r"\s*\n?[ \t]+\S", text) and found
        if inside and _parsed(f"{found[-1]}\n{text}") is not None:
            found[-1] = f"{found[-1]}\n{text}"
        else:
            found.append(text)
    return found


def _parsed(text: str) -> list[ast.stmt] | None:
    """The statements of a cell, None for what is no Python. Magics are left out."""
    for tried in (text, ASIDE.sub("", text), textwrap.dedent(text)):
        try:
            return ast.parse(tried).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _statement(node: ast.stmt, text: str) -> Statement:
    lines = ASIDE.sub("", text).split("\n") if _fails(text) else text.split("\n")
    own = "\n".join(lines[first_line(node) - 1 : node.end_lineno])
    if node.col_offset or _fails(own):  # several statements in one line
        own = ast.unparse(node)
    try:
        binds, uses = names(own)
    except SyntaxError:  # a `return` outside of a function, say
        return Statement(node, own)
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        binds = frozenset("*")
    targets = [t for t in getattr(node, "targets", ()) if isinstance(t, (ast.Attribute))]
    changes = frozenset(t.value.id for t in targets if isinstance(t.value, ast.Name))
    return Statement(node, own, binds, uses, changes)


def _fails(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return True
    return False


def _bare(node: ast.stmt) -> ast.stmt:
    """A definition without docstrings."""
    tree = ast.parse(ast.unparse(node))
    for each in ast.walk(tree):
        if isinstance(each, DEFINITIONS) and ast.get_docstring(each) is not None:
            each.body = each.body[1:] or [ast.Pass()]
    return tree


def _is_empty(node: ast.stmt) -> bool:
    """Whether a definition only says `raise NotImplementedError`, in each of its methods."""
    if isinstance(node, ast.ClassDef):
        methods = [each for each in node.body if isinstance(each, DEFINITIONS)]
        return bool(methods) and all(map(_is_empty, methods))
    if not isinstance(node, DEFINITIONS):
        return False
    body = node.body[ast.get_docstring(node) is not None :]
    return [ast.unparse(step) for step in body] == ["raise NotImplementedError"]
