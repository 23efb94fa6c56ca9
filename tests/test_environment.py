"""pyproject.toml is the one list of dependencies; the lock and conda's file agree with it."""

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
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
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
