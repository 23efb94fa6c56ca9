"""What a learner has built stays theirs: each passed answer's source goes into work/mine/.

A file there, NN_slug.py, holds the answers of one chapter, with the imports they need. It can be
edited by hand: what is not an answer is left as it is. It is written whole or not at all.
"""

import ast
import builtins
import inspect
import linecache
import math
import os
import types
from pathlib import Path

from tutorial_lib.checking.attempts import find_workspace

FOLDER = "mine"
HEADER = (
    '"""What you built in this chapter. Check it with: python course.py check --chapters {}"""\n'
)
PLAIN = (bool, int, float, str, type(None))


def keep(slug: str, answer) -> None:
    """Put the source of a passed answer into the learner's library; nothing outside their copy.

    A problem is told and stops nothing: the answer is right all the same.
    """
    workspace = find_workspace()
    if workspace is None:
        return
    path = file_of(slug, workspace)
    try:
        if Path(_code(answer).co_filename).resolve() == path.resolve():
            return  # written there in an editor: the file is the learner's, and has it already
        old = path.read_text(encoding="utf-8") if path.exists() else HEADER.format(path.stem[:2])
        new = old
        for part in [*helpers_of(answer), answer]:
            new = _with_imports(_with_answer(new, part.__name__, source_of(part)), imports_of(part))
        if new != old:
            _write(path, new)
    except (OSError, SyntaxError, TypeError, ValueError) as error:
        print(f"Your answer was not kept in {path.name}: {error}")


def file_of(slug: str, workspace: Path) -> Path:
    """work/mine/05_vit.py for the slug "vit"; the number is that of the learner's notebook."""
    stems = sorted(path.stem for path in workspace.glob(f"[0-9][0-9]_{slug}.ipynb"))
    return workspace / FOLDER / f"{stems[0] if stems else slug}.py"


def source_of(answer) -> str:
    """The source of a function or class, from the cell or file that defines it.

    Raises ValueError where there is none, as for a function made by another.
    """
    code = _code(answer)
    lines = linecache.getlines(code.co_filename)
    for node in reversed(ast.parse("".join(lines)).body):  # the last of a name is the one meant
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == answer.__name__:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "".join(lines[first - 1 : node.end_lineno]).rstrip() + "\n"
    raise ValueError(f"{answer.__name__} has no source of its own")


def _code(answer) -> types.CodeType:
    """The code of a function, or of the first method of a class."""
    methods = [answer, *vars(answer).values()] if isinstance(answer, type) else [answer]
    for method in methods:
        method = inspect.unwrap(method) if callable(method) else method
        if isinstance(method, types.FunctionType):
            return method.__code__
    raise ValueError(f"{answer!r} has no source of its own")


def imports_of(answer) -> list[str]:
    """The lines that make the names of others known which an answer uses."""
    lines = (_line_for(name, value) for name, value in _used(answer).items())
    return [line for line in lines if line]


def helpers_of(answer, seen: tuple = ()) -> list:
    """The learner's own functions and classes that an answer uses, those that they use first."""
    found = []
    for value in _used(answer).values():
        own = isinstance(value, (type, types.FunctionType)) and value.__module__ == "__main__"
        if own and value not in (answer, *seen, *found):
            inner = helpers_of(value, (answer, *seen, *found))
            found += [part for part in inner if part not in found] + [value]
    return found


def _used(answer) -> dict:
    """What an answer's names stand for, in order, but for its own and Python's."""
    methods = vars(answer).values() if isinstance(answer, type) else [answer]
    known = next((m.__globals__ for m in methods if isinstance(m, types.FunctionType)), {})
    tree = ast.parse(source_of(answer))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {
        n: known[n] for n in sorted(used - {answer.__name__} - set(dir(builtins))) if n in known
    }


def _line_for(name: str, value) -> str:
    """The line that defines a name, "" for what the learner has written themselves."""
    if isinstance(value, types.ModuleType):
        same = value.__name__ == name
        return f"import {value.__name__}" + ("" if same else f" as {name}")
    module, real = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if module and real and module != "__main__":
        return f"from {module} import {real}" + ("" if real == name else f" as {name}")
    if isinstance(value, float) and not math.isfinite(value):
        return f'{name} = float("{value}")'  # whose repr is no Python
    return f"{name} = {value!r}" if _is_plain(value) else ""


def _is_plain(value) -> bool:
    """A number, a word, or a small container of such: what its `repr` gives back."""
    if isinstance(value, (tuple, list, set, dict)):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        return len(value) <= 20 and all(map(_is_plain, parts))
    return isinstance(value, PLAIN)


def _with_answer(text: str, name: str, source: str) -> str:
    """The file's text with this answer in the place of its older version, or at the end."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if getattr(node, "name", None) == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "".join([*lines[: first - 1], source, *lines[node.end_lineno :]])
    return text.rstrip("\n") + "\n\n\n" + source


def _with_imports(text: str, wanted: list[str]) -> str:
    """The file's text with the lines that are missing, below its docstring."""
    lines = text.splitlines(keepends=True)
    missing = [line for line in wanted if line + "\n" not in lines]
    body = ast.parse(text).body
    docstring = ast.get_docstring(ast.parse(text)) is not None
    place = body[0].end_lineno if docstring else 0
    return "".join([*lines[:place], *(f"{line}\n" for line in missing), *lines[place:]])


def _write(path: Path, text: str) -> None:
    """All of it or nothing: into another file, which then takes the name."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
