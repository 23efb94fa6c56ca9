"""Build the notebooks of the chapters that changed."""

import ast
import hashlib
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tutorial_lib.authoring import shape
from tutorial_lib.authoring.execute import execute, normalise, write
from tutorial_lib.authoring.expand import expand, slug_of
from tutorial_lib.measuring import records

LIBRARY = Path(__file__).parents[1]


def sources(root: Path, chapters: list[str] | None = None) -> list[Path]:
    """The chapter sources, or those with the given numbers; ValueError for an unknown number."""
    found = {path.name[:2]: path for path in sorted((root / "chapters").glob("[0-9][0-9]_*.md"))}
    wanted = [number.zfill(2) for number in chapters or found]
    unknown = sorted(set(wanted) - set(found))
    if unknown:
        raise ValueError(f"no chapter {', '.join(unknown)}; there are {', '.join(found)}")
    return [found[number] for number in wanted]


def build(root: Path, chapters: list[str] | None = None) -> bool:
    """Write chapters/*.ipynb and, where something they depend on changed, solutions/*.ipynb.

    Prints a line for each chapter. Returns False if a cell of one of them raised.
    """
    good = True
    for source in sources(root, chapters):
        shape.state_minutes(root, source)
        write(expand(source, solved=False), source.with_suffix(".ipynb"))
        good &= _build_solution(root, source)
        print(f"    {shape.line(source)}")
    return good


def _build_solution(root: Path, source: Path) -> bool:
    target = root / "solutions" / f"{source.stem}.ipynb"
    notebook = expand(source, solved=True)
    fingerprint = _fingerprint(notebook, slug_of(source))
    if target.exists() and _built_from(target) == fingerprint:
        print(f"{source.stem}: unchanged")
        return True
    target.parent.mkdir(exist_ok=True)
    started = time.perf_counter()
    try:
        execute(notebook, root / "solutions", label=source.stem)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{source.stem}: failed\n{error}")
        return False
    notebook.metadata["tutorial"] = {"built_from": fingerprint}
    write(normalise(notebook), target)
    size = target.stat().st_size / 1000
    print(f"{source.stem}: built in {time.perf_counter() - started:.0f} s, {size:.0f} kB")
    return True


def _built_from(target: Path) -> str:
    return nbformat.read(target, as_version=4).metadata.get("tutorial", {}).get("built_from", "")


def _fingerprint(notebook, slug: str) -> str:
    """A hash of the notebook, of every module of this library that it reaches by imports, and of
    every file of data that one of these names."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    waiting = [LIBRARY / "exercises" / f"{slug}.py", *_imported(code)]
    reached = set()
    while waiting:
        path = waiting.pop()
        if path.exists() and path not in reached:
            reached.add(path)
            waiting += _imported(path.read_text(encoding="utf-8"))
            if path.parent.parent == LIBRARY / "exercises":  # read when an exercise is asked for
                waiting += path.parent.glob("*.py")
    words = _words(code).union(*(_words(path.read_text(encoding="utf-8")) for path in reached))
    reached |= {path for path in _data() if not words.isdisjoint(records.names(path))}
    digest = hashlib.sha256(nbformat.writes(notebook).encode())
    for path in sorted(reached):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _data() -> list[Path]:
    """What chapters show beside what they compute: the index, records, checkpoints, pictures."""
    root = LIBRARY.parent
    results = (root / "benchmarks" / "results").glob("*.json")
    made = [p for kind in ("safetensors", "jpg") for p in (LIBRARY / "recipes").rglob(f"*.{kind}")]
    files = (LIBRARY / "data" / "files").glob("*.npz")
    index = root / "survey.toml"
    return [*results, *made, *files, *LIBRARY.rglob("*.html"), *([index] if index.exists() else [])]


def _words(code: str) -> set[str]:
    """The strings in some code."""
    return {
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _imported(code: str) -> list[Path]:
    """The files of tutorial_lib that some code imports: modules, and names that are modules."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = []
    for name in names:
        first, *rest = name.split(".")
        if first == "tutorial_lib":
            place = LIBRARY.joinpath(*rest)
            paths += [place.with_suffix(".py"), place / "__init__.py"] if rest else []
    return paths
