"""The source of an answer and of all that it uses: what a file needs to hold the same.

In a notebook definitions are spread over cells: imports in one, a constant in another. What a name
stands for, and the text of the cells, tell what it was.
"""

import __future__

import ast
import functools
import inspect
import linecache
import math
import symtable
import sys
import textwrap
import types

PLAIN = (bool, int, float, str, type(None))
ANNOTATIONS = "from __future__ import annotations"


def definitions(name: str, answer) -> dict[str, str]:
    """Name -> the lines that define it: first all that an answer uses, last the answer itself.

    Raises ValueError for a name whose definition is not found, as for a function that another
    function has made.
    """
    found = {}
    _define(name, answer, vars(sys.modules["__main__"]), found)
    return found


def imports_of(function) -> list[str]:
    """The lines that import what a function or a class of a module uses, sorted."""
    known = _globals(function)
    used = names(textwrap.dedent(inspect.getsource(function)))[1] & known.keys()
    return sorted(filter(None, (_import_line(name, known[name], known) for name in used)))


@functools.cache
def names(source: str) -> tuple[frozenset, frozenset]:
    """(those that some lines make known at their top level, the global ones that they use)."""
    tables = [symtable.symtable(source, "<source>", "exec")]
    for table in tables:
        tables += table.get_children()
    bound = (s for s in tables[0].get_symbols() if s.is_assigned() or s.is_imported())
    used = (s for t in tables for s in t.get_symbols() if s.is_referenced() and s.is_global())
    return frozenset(s.get_name() for s in bound), frozenset(s.get_name() for s in used)


def imported(node: ast.stmt, name: str):
    """What an import statement gives for a name, None where it says nothing of it."""
    alias = _alias(node, name)
    if alias is None:
        return None
    if isinstance(node, ast.ImportFrom):
        return getattr(sys.modules.get(node.module), alias.name, None)
    return sys.modules.get(alias.name if alias.asname else name)


def _alias(node: ast.stmt, name: str) -> ast.alias | None:
    """The part of an import statement that makes a name known: `import a.b` that of a."""
    aliases = node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ()
    return next((a for a in aliases if (a.asname or a.name.split(".")[0]) == name), None)


def first_line(node: ast.stmt) -> int:
    """The line, from 1, at which a statement begins, decorators included."""
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])


def file_of_code(value) -> str:
    """The file, or the name of the cell, that holds a value's code; "" for what has none, such as a
    dataclass without methods but those made for it."""
    files = (f.__code__.co_filename for f in _functions(value) if f.__module__ == value.__module__)
    return next((file for file in files if linecache.getlines(file)), "")


def _define(name: str, value, known: dict, found: dict) -> None:
    """Put the definition of a name into `found`, behind those of the names that it uses."""
    if name in found:
        return
    found[name] = ""  # two functions may call each other
    line = _import_line(name, value, known) or _plain_line(name, value)
    if not line:
        known = _globals(value) or known
        line = _statement(name, value, known)
        if _flags(value) & __future__.annotations.compiler_flag:
            found["annotations"] = ANNOTATIONS
        known = known | {getattr(value, "__name__", name): value}
        for used in sorted(names(line)[1] & known.keys() - {name}):
            if not used.startswith("__"):
                _define(used, known[used], known, found)
    del found[name]
    found[name] = line


def _import_line(name: str, value, known: dict) -> str:
    """The line that imports a value under a name, as the learner wrote it or as its module says;
    "" for what is imported from nowhere."""
    for text in _cells(known):
        for node in _body(text):
            if value is not None and imported(node, name) is value:
                alone = {**dict(ast.iter_fields(node)), "names": [_alias(node, name)]}
                return ast.unparse(type(node)(**alone))
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__}" + f" as {name}" * (value.__name__ != name)
    module, real = getattr(value, "__module__", None), getattr(value, "__name__", None)
    found = getattr(sys.modules.get(module), real, None) if module and real else None
    if found is None or module == "__main__":
        return ""
    if getattr(found, "reference", None) is value:  # by now the name stands for the exercise
        return f"from {module} import {real}; {name} = {real}.reference"
    if found is not value:
        return ""
    if not module.replace(".", "").isidentifier():  # an answer in the learner's own 05_vit.py
        return f'{name} = __import__("{module}").{real}'
    return f"from {module} import {real}" + f" as {name}" * (real != name)


def _plain_line(name: str, value) -> str:
    return f"{name} = {value!r}" if _is_plain(value) else ""


def _is_plain(value) -> bool:
    """A number, a word, or a small container of such: what its `repr` gives back."""
    if type(value) in (tuple, list, set, dict):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        return len(value) <= 20 and all(map(_is_plain, parts))
    return type(value) in PLAIN and not (isinstance(value, float) and not math.isfinite(value))


def _statement(name: str, value, known: dict) -> str:
    """The statement of a cell, or of a file, that gives a name its value."""
    real = getattr(value, "__name__", name)
    file = file_of_code(value)
    if "<locals>" not in getattr(value, "__qualname__", ""):
        for text in ["".join(linecache.getlines(file))] if file else _cells(known):
            for node in reversed(_body(text)):  # the last of a name is the one meant
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == real != name:
                    return f"{name} = {real}"
                if _defines(node, name):
                    return "\n".join(text.split("\n")[first_line(node) - 1 : node.end_lineno])
    kind = type(value).__name__
    raise ValueError(f"no statement of its own, at the top of a cell, defines {name}, a {kind}")


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name == name
    if not isinstance(node, ast.Assign) or [ast.unparse(t) for t in node.targets] != [name]:
        return False
    checks = isinstance(node.value, ast.Call) and getattr(node.value.func, "attr", "") == "check"
    return not checks and name not in names(ast.unparse(node.value))[1]


def _cells(known: dict):
    """What may hold the definition of a name: every cell, the newest first, or a file."""
    yield from reversed(known.get("In", ()))
    yield "".join(linecache.getlines(known.get("__file__") or ""))


@functools.cache
def _body(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError:  # of a cell that never ran
        return []


def _functions(value) -> list[types.FunctionType]:
    """A function without its wrappers, or a class's own methods without theirs."""
    owned = vars(value).values() if isinstance(value, type) else [value]
    bare = [inspect.unwrap(getattr(each, "fget", None) or each) for each in owned]
    return [f for f in bare if isinstance(f, types.FunctionType)]


def _globals(value) -> dict:
    return next((f.__globals__ for f in _functions(value)), {})


def _flags(value) -> int:
    return next((f.__code__.co_flags for f in _functions(value)), 0)
