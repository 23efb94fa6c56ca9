"""Text is UTF-8 whatever the system's own encoding is: every call that opens text says so."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "course.py", ROOT / "conftest.py"] + [
    path for room in ("tutorial_lib", "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")
]
PLACE = {"open": 3, "read_text": 0, "write_text": 1}  # of `encoding` among a call's arguments


def unnamed(text):
    """The lines of calls that leave the encoding of text to the system."""
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", None)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("read_text", "write_text"):
            name = call.func.attr
        mode = call.args[1] if len(call.args) > 1 else None
        if name not in PLACE or (isinstance(mode, ast.Constant) and "b" in str(mode.value)):
            continue
        if len(call.args) <= PLACE[name] and "encoding" not in {k.arg for k in call.keywords}:
            yield call.lineno


@pytest.mark.parametrize(
    "text, lines",
    [
        ("open('a')", [1]),
        ("open('a', 'rb')", []),
        ("open('a', 'w', encoding='utf-8')", []),
        ("\npath.read_text()", [2]),
        ("path.write_text('b')", [1]),
        ("path.write_text('b', 'utf-8'); path.read_text('utf-8')", []),
    ],
)
def test_what_names_no_encoding_is_found(text, lines):
    assert list(unnamed(text)) == lines


def test_all_text_names_its_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in unnamed(path.read_text(encoding="utf-8"))
    ]
    assert not found, "name the encoding: " + ", ".join(found)
