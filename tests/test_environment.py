"""pyproject.toml is the one list of dependencies; the lock and conda's file agree with it."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tutorial_lib.measuring.machine import locked_versions

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WANTED = [Requirement(line) for line in PROJECT["dependencies"]]
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))


def systems():
    """The systems the course runs on, as environments of requirement markers."""
    for python in ("3.11", "3.12", "3.13"):
        for system, machine in (("linux", "x86_64"), ("darwin", "arm64"), ("linux", "aarch64")):
            yield {
                "python_version": python,
                "python_full_version": f"{python}.9",
                "sys_platform": system,
                "platform_machine": machine,
                "platform_python_implementation": "CPython",
                "implementation_name": "cpython",
                "os_name": "posix",
            }


@pytest.mark.parametrize("system", list(systems()), ids=lambda s: " ".join(list(s.values())[1:4]))
def test_the_lock_satisfies_every_range(system):
    locked = locked_versions((ROOT / "requirements.lock").read_text("utf-8"), system)
    for r in WANTED:
        if r.marker is None or r.marker.evaluate(system):
            assert canonicalize_name(r.name) in locked, f"{r.name} is not in requirements.lock"
            assert r.specifier.contains(locked[canonicalize_name(r.name)]), f"{r.name}: make lock"


def test_conda_wants_the_same_ranges():
    """Those with a marker come through pip, which reads pyproject.toml."""
    packages = [d for d in CONDA["dependencies"] if isinstance(d, str)]
    conda = {
        canonicalize_name(r.name): r.specifier for r in map(Requirement, filter(ranged, packages))
    }
    project = {CONDA_NAMES.get(r.name, r.name): r.specifier for r in WANTED if r.marker is None}
    assert conda == project


def ranged(line):
    return line.split("=")[0] != "python" and line != "pip"


def test_conda_names_one_python_that_the_course_supports():
    (python,) = [d for d in CONDA["dependencies"] if str(d).startswith("python=")]
    assert python.removeprefix("python=") in Requirement(f"p{PROJECT['requires-python']}").specifier


def test_conda_installs_the_course_itself():
    assert {"pip": ["-e ."]} in CONDA["dependencies"]
    assert CONDA["name"] == PROJECT["name"]
    assert CONDA["channels"][0] == "conda-forge"


def test_containers_start_the_course_as_everybody_does():
    """No engine runs here: what they would run is what the commands understand."""
    assert not (ROOT / "Dockerfile").exists()  # Binder would take it instead of environment.yml
    docker = (ROOT / ".devcontainer" / "Dockerfile").read_text("utf-8")
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    commands = re.findall(r"python course\.py (\w+)", docker + container["postCreateCommand"])
    commands += re.findall(r'"course\.py", "(\w+)"', docker)
    text = (ROOT / "course.py").read_text("utf-8")
    assert set(commands) == {"setup", "lab"} and all(f'    "{c}":' in text for c in commands)
    for version in re.findall(r"python:(\d\.\d+)", docker + container["image"]):
        assert version in Requirement(f"p{PROJECT['requires-python']}").specifier


@pytest.mark.parametrize("folder", ["tutorial_lib", "tests", "benchmarks", "course.py"])
def test_text_is_read_and_written_with_its_encoding_named(folder):
    """Windows would take its own, and cut a chapter's dashes and arrows."""
    place = ROOT / folder
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = {keyword.arg for keyword in node.keywords}
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            if name in ("read_text", "write_text"):
                assert "encoding" in named or "utf-8" in texts, f"{place} names no encoding"
            if name == "open" and isinstance(node.func, ast.Name):
                binary = any(isinstance(t, str) and "b" in t for t in texts[-1:])
                assert binary or "encoding" in named, f"{place} names no encoding"
