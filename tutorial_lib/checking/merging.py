"""Definitions put into a text of Python: what stands there goes on to mean what it meant."""

import ast
import symtable
from dataclasses import dataclass

from tutorial_lib.checking.definitions import ANNOTATIONS, first_line, imported, names


@dataclass
class Part:
    """A statement at a file's top level, or several that share a line."""

    node: ast.stmt
    first: int  # line, from 1
    last: int
    source: str

    @property
    def binds(self) -> frozenset:
        return names(self.source)[0]

    @property
    def uses(self) -> frozenset:
        return names(self.source)[1]

    @property
    def kind(self) -> str:
        """What it is, as far as its place at the top of a file goes."""
        if isinstance(self.node, (ast.Import, ast.ImportFrom)):
            return "future" if self.source == ANNOTATIONS else "import"
        if isinstance(self.node, ast.Assign) and not self.uses:
            return "constant"
        return "docstring" if isinstance(self.node, ast.Expr) else "definition"


def parts_of(text: str) -> list[Part]:
    """Raises SyntaxError for what is no Python."""
    lines, parts = text.split("\n"), []
    for node in ast.parse(text).body:
        first, last = first_line(node), node.end_lineno
        if parts and first == parts[-1].last:
            first = parts.pop().first
        parts.append(Part(node, first, last, "\n".join(lines[first - 1 : last])))
    return parts


def merged(text: str, wanted: dict[str, str], own: str, kept: set[str]) -> tuple[str, dict]:
    """(the text with these definitions, those that have another name there -> that name).

    wanted  name -> its definition, each behind those that it uses
    own     the name among them that takes the place of its older version in any case
    kept    names in the text that are to go on meaning what they mean

    Where something else in the text uses a definition in another form, that one stays, and the new
    one gets a name of its own: `width_2` for `width`. Raises ValueError where that cannot be.
    """
    wanted, renamed = _without_clashes(parts_of(text), wanted, own, kept)
    *_, last = wanted
    early = _used_too_early(text)
    for name, source in wanted.items():
        parts = parts_of(text)
        older = _by_name(parts).get(name)
        if older is None:
            text = _added(text, parts, parts_of(source)[-1], _by_name(parts).get(last))
        elif name == last or not _same(older, source, name):
            lines = text.split("\n")
            text = "\n".join([*lines[: older.first - 1], source, *lines[older.last :]])
    if late := _used_too_early(text) - early:
        raise ValueError(f"{', '.join(sorted(late))} must stand further up in the file: move it")
    return text, renamed


def _by_name(parts: list[Part]) -> dict[str, Part]:
    return {name: part for part in parts for name in part.binds}


def _without_clashes(parts: list[Part], wanted: dict, own: str, kept: set) -> tuple[dict, dict]:
    """The definitions under names that nothing else needs, and what was renamed."""
    theirs, was = _by_name(parts), {}
    while name := _clash(parts, theirs, wanted, own, kept):
        first, number = was.pop(name, name), 2
        taken = frozenset().union(*(part for source in wanted.values() for part in names(source)))
        while (new := f"{first}_{number}") in taken:
            number += 1
        was[new] = first
        wanted = {
            new if key == name else key: _renamed(source, name, new)
            for key, source in wanted.items()
        }
    return wanted, {first: new for new, first in was.items()}


def _clash(parts, theirs, wanted, own, kept) -> str | None:
    """A name that something else in the text needs, and that is wanted in another form."""
    waiting, needed = list(kept - {own}), set()
    outside = [part for part in parts if not part.binds & wanted.keys()]
    waiting += [name for part in outside for name in part.uses]
    while waiting:
        name = waiting.pop()
        needed.add(name)
        if name in theirs and name != own:  # whose new version, and what it uses, is right as well
            waiting += theirs[name].uses - needed
    for name in sorted(wanted.keys() & theirs.keys() - {own}):
        shared = name in needed or len(theirs[name].binds) > 1
        if shared and not _same(theirs[name], wanted[name], name):
            return name
    return None


def _same(part: Part, source: str, name: str) -> bool:
    """Whether two definitions differ in comments and layout at most, or import the same."""
    tree = ast.parse(source)
    found = imported(part.node, name)
    if found is not None and found is imported(tree.body[0], name):
        return True
    return ast.dump(ast.parse(part.source)) == ast.dump(tree)


def _renamed(source: str, old: str, new: str) -> str:
    """A definition with another name for one of those that it defines or uses."""
    tree = ast.parse(source)
    if imported(tree.body[0], old) is not None:
        return f"{source.removesuffix(f' as {old}')} as {new}"
    lines = [line.encode() for line in source.split("\n")]
    places = [(n.lineno, n.col_offset) for n in ast.walk(tree) if getattr(n, "id", "") == old]
    for row, column in sorted(places, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + new.encode() + line[column + len(old.encode()) :]
    if getattr(tree.body[0], "name", "") == old:
        row = tree.body[0].lineno - 1
        lines[row] = lines[row].replace(f" {old}".encode(), f" {new}".encode(), 1)
    text = b"\n".join(lines).decode()
    back = ast.dump(ast.parse(text)).replace(f"'{new}'", f"'{old}'")
    if back != ast.dump(tree) or _knows(text, old):
        raise ValueError(f"the file has another {old}, which other answers there use; rename yours")
    return text


def _knows(source: str, name: str) -> bool:
    """Whether any scope in it has a name of its own that reads like this, or uses one."""
    tables = [symtable.symtable(source, "<source>", "exec")]
    for table in tables:
        tables += table.get_children()
    return any(name in table.get_identifiers() for table in tables)


def _used_too_early(text: str) -> set[str]:
    """Names that are defined in a text below where it needs them while it is read in."""
    parts = parts_of(text)
    below, found = set().union(*(part.binds for part in parts)), set()
    future = f"{ANNOTATIONS}\n" * any(part.kind == "future" for part in parts)
    for part in parts:
        tables = [symtable.symtable(future + part.source, "<source>", "exec")]
        for table in tables:
            tables += [child for child in table.get_children() if child.get_type() == "class"]
        symbols = (symbol for table in tables for symbol in table.get_symbols())
        used = {s.get_name() for s in symbols if s.is_referenced() and s.is_global()}
        found |= used & (below - part.binds)
        below -= part.binds
    return found


def _added(text: str, parts: list[Part], new: Part, before: Part | None) -> str:
    """The text with a part more: imports and constants at its top, others in front of what needs
    them, or at the end."""
    lines = text.rstrip("\n").split("\n")
    if new.kind == "definition":
        if before is None:
            return "\n".join([*lines, "", "", new.source, ""])
        place = before.first - 1
        while place and lines[place - 1].startswith("#"):  # what is said of the one below
            place -= 1
        return "\n".join([*lines[:place], new.source, "", "", *lines[place:], ""])
    order = ["docstring", "future", "import", "constant"]
    place, kind = 0, new.kind
    for part in parts:
        if part.kind not in order[: order.index(new.kind) + 1]:
            break
        if part.kind == new.kind == "import" and part.source > new.source:  # in their order
            place, kind = part.first - 1, "import"
            break
        place, kind = part.last, part.kind
    above = [""] * (kind != new.kind)
    below = ["", ""] * (bool(parts) and parts[0].kind == "definition")
    return "\n".join([*lines[:place], *above, new.source, *below, *lines[place:], ""])
