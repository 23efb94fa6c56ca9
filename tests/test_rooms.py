"""Imports run one way: each room of tutorial_lib knows the rooms below it and no other."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "tutorial_lib"
LEARNT = {"from_scratch", "layers", "kernels", "data", "models"}  # what is taught
TOOLS = {"checking", "notebook", "measuring", "training"}  # what it is taught with
MAY_USE = {
    "from_scratch": set(),
    "kernels": set(),
    "data": set(),
    "checking": {"from_scratch"},  # how a gradient is judged
    "notebook": set(),
    "measuring": set(),
    # A progress bar; the caches of generation; whether a device can be trusted.
    "training": {"notebook", "layers", "measuring"},
    "layers": {"from_scratch"},
    "models": {"layers", "from_scratch"},
    "exercises": LEARNT | TOOLS | {"recipes"},  # the data and the accuracy of a training
    "recipes": LEARNT | TOOLS,
    "course": {"checking", "measuring", "data"},  # checksums, for the doctor
    "authoring": {"checking", "measuring", "course"},
    "__main__": {"course", "authoring", "data"},  # what is fetched only when asked for
}


def room(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported(path):
    """The rooms that a module imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (n.split(".")[1] for n in names if n.startswith("tutorial_lib."))


MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY)


def test_every_room_has_its_rule():
    assert {room(path) for path in MODULES} <= set(MAY_USE)
    assert {p.name for p in LIBRARY.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("name", sorted({room(path) for path in MODULES}))
def test_a_room_knows_only_what_is_below_it(name):
    for path in MODULES:
        if room(path) == name:
            beyond = set(imported(path)) - MAY_USE[name] - {name}
            assert not beyond, f"{path.relative_to(LIBRARY)} imports from {beyond}"
