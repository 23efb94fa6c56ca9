"""The doctor's judgement on machines we do not have."""

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tutorial_lib.course import doctor
from tutorial_lib.course.doctor import Finding
from tutorial_lib.data import checksums
from tutorial_lib.measuring import machine

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "version, level",
    [((3, 10, 9), "fix"), ((3, 11, 0), "ok"), ((3, 13, 2), "ok"), ((3, 14, 0), "fix")],
)
def test_python(version, level):
    assert doctor.check_python(version).level == level


@pytest.mark.parametrize(
    "installed, level",
    [("2.13.0", "ok"), ("2.13.0+cpu", "ok"), ("2.12.1", "note"), ("2.8.0", "fix"), (None, "fix")],
)
def test_dependency(installed, level):
    wanted = Requirement("torch>=2.9,<2.14")
    finding = doctor.check_dependency(wanted, installed, "2.13.0")
    assert finding.level == level and "torch" in finding.what
    assert bool(finding.advice) == (level == "fix")


def test_a_dependency_the_lock_does_not_name_is_fine():
    assert doctor.check_dependency(Requirement("tqdm>=4"), "4.70", None).level == "ok"


@pytest.mark.parametrize(
    "facts, level, words",
    [
        (dict(wheel_cuda=None, driver=None), "ok", "CPU build of torch, no NVIDIA driver"),
        (dict(wheel_cuda="13.0", driver=None), "note", "CUDA 13.0, no NVIDIA driver"),
        (dict(wheel_cuda=None, driver="580.65.06"), "note", "CPU build"),
        (dict(wheel_cuda="13.0", driver="550.54.14"), "note", "too old"),
        (dict(wheel_cuda="12.8", driver="550.54.14"), "note", "cannot use it"),
        (dict(wheel_cuda="13.0", driver="?"), "note", "cannot use it"),
        (dict(wheel_cuda="13.0", driver="580.65.06", usable=True), "ok", "CUDA 13.0"),
        (dict(wheel_cuda="13.0", driver=None, usable=True), "ok", "CUDA 13.0"),
        (dict(wheel_cuda=None, driver=None, apple=True), "ok", "Apple GPU"),
        (dict(wheel_cuda=None, driver=None, apple=True, error="GELU"), "note", "GELU; everything"),
        (
            dict(wheel_cuda="13.0", driver="580.1", usable=True, error="no kernel image"),
            "fix",
            "failed",
        ),
    ],
)
def test_device(facts, level, words):
    finding = doctor.check_device(**{"gpu": "NVIDIA H100", "usable": False, **facts})
    assert finding.level == level and words in finding.what


def test_advice_for_an_old_driver_names_the_one_to_get():
    finding = doctor.check_device("13.0", "550.54.14", "NVIDIA T4", False)
    assert "580" in finding.advice


@pytest.mark.parametrize(
    "facts, level",
    [
        (("3.7.1", "Linux", "x86_64"), "ok"),
        ((None, "Linux", "x86_64"), "note"),
        (("3.7.1", "Linux", "x86_64", "no libc"), "note"),
        ((None, "Darwin", "arm64"), "ok"),
    ],
)
def test_triton(facts, level):
    assert doctor.check_triton(*facts).level == level


def test_kernel():
    assert doctor.check_kernel("python", "/venv/bin/python").level == "ok"
    assert doctor.check_kernel("/venv/bin/python", "/venv/bin/python").level == "ok"
    other = doctor.check_kernel("/usr/bin/python3", "/venv/bin/python")
    assert other.level == "fix" and "/usr/bin/python3" in other.what
    assert "'/venv/bin/python' -m ipykernel install" in other.advice
    assert doctor.check_kernel(None, "/venv/bin/python").level == "fix"


def test_machine_and_data_and_course():
    assert doctor.check_machine(2, 8, 20).level == "ok"
    assert doctor.check_machine(2, 2, 20).level == "note"
    assert doctor.check_machine(2, 8, 0.1).level == "fix"
    assert doctor.check_data((512, 512, 3)).level == "ok"
    assert doctor.check_data((1,)).level == "fix"
    assert doctor.check_course("0.1.0", None, here=True).level == "ok"
    assert doctor.check_course(None, "abc", here=True).level == "fix"
    moved = doctor.check_course("0.1.0", "abc", here=False)
    assert moved.level == "fix" and "course.py lab" in moved.advice


def test_shipped_files():
    (whole,) = doctor.check_shipped([])
    assert whole.level == "ok"
    assert doctor.check_shipped([("x is missing", "get it")]) == [
        Finding("fix", "x is missing", "get it")
    ]
    assert doctor.check_shipped(checksums.problems()) == [whole]


def test_work(tmp_path):
    assert doctor.check_work(tmp_path / "work").level == "ok"
    (tmp_path / "work").write_text("a file", encoding="utf-8")
    assert doctor.check_work(tmp_path / "work").level == "fix"
    assert doctor.check_work(tmp_path / "nowhere" / "work").level == "fix"


def test_work_that_belongs_to_somebody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "chmod" in doctor.check_work(tmp_path / "work").advice
    monkeypatch.setattr(doctor.os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    found = doctor.check_work(tmp_path / "work")
    assert found.level == "fix" and "chown" in found.advice and "somebody else" in found.what


def test_jupyters_own_folder(tmp_path):
    assert doctor.check_runtime(tmp_path / "new" / "runtime").level == "ok"
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = doctor.check_runtime(tmp_path / "file" / "runtime")
    assert found.level == "fix" and "HOME" in found.advice


@pytest.mark.parametrize(
    "variables, words",
    [
        ({"TUTORIAL_QUICK": "1"}, "cut to three steps"),
        ({"MPLBACKEND": "Agg"}, "MPLBACKEND is Agg"),
        ({"TUTORIAL_QUICK": "0", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}, ""),
        ({}, ""),
    ],
)
def test_what_is_left_on_from_something_else(variables, words):
    found = doctor.check_environment(variables)
    assert len(found) == bool(words)
    assert all(f.level == "note" and words in f.what for f in found)


def test_before_lab_a_home_that_cannot_be_written_is_the_one_thing_to_fix(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(doctor.machine, "runtime_folder", lambda: tmp_path / "file" / "x")
    (only,) = doctor.before_lab(ROOT)
    assert only.level == "fix" and "Jupyter cannot write" in only.what


def test_the_report_ends_with_what_to_fix():
    findings = [Finding("ok", "fine"), Finding("fix", "broken", "mend it"), Finding("note", "odd")]
    text = doctor.report(findings)
    assert text.splitlines()[:3] == ["ok    fine", "fix   broken", "note  odd"]
    assert text.endswith("To fix:\n- broken\n  mend it")
    assert doctor.report(findings[:1]).endswith("Nothing must be fixed.")


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def broken(*_):
        raise ImportError("torch is half installed")

    monkeypatch.setattr(machine, "gpu", broken)
    monkeypatch.setattr(machine, "photograph", broken)
    found = [f for f in doctor.examine(ROOT) if f.level == "fix"]
    assert [f.what for f in found if "half installed" in f.what] == [
        "device: ImportError: torch is half installed",
        "data: ImportError: torch is half installed",
    ]


def test_the_exit_code_says_whether_something_must_be_fixed(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda root: [Finding("note", "odd")])
    assert doctor.main(ROOT) == 0
    monkeypatch.setattr(doctor, "examine", lambda root: [Finding("fix", "broken", "mend it")])
    assert doctor.main(ROOT) == 1
    assert "mend it" in capsys.readouterr().out


def test_the_lock_is_read_for_this_python():
    old, new = "python_full_version < '3.12'", "python_full_version >= '3.12'"
    text = f"# made by uv\na==1 ; {old}\na==2 ; {new}\nB.b==3\n    # via a\n"
    wanted = "1" if sys.version_info < (3, 12) else "2"
    assert machine.locked_versions(text) == {"a": wanted, "b-b": "3"}
