"""course.py, the way in: which Python, which installer, what is done again, and on Windows."""

import ast
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "course.py"


@pytest.fixture
def start():
    spec = importlib.util.spec_from_file_location("course_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    """A course, in a path with a blank, that nothing has been installed for."""
    folder = tmp_path / "my course"
    (folder / ".venv").mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock"):
        (folder / name).write_text("x", encoding="utf-8")
    return str(folder)


@pytest.fixture
def faked(start, monkeypatch):
    """A set-up in which every Python starts and every install succeeds; what was done is kept."""
    done = []
    monkeypatch.setattr(start, "runs", lambda program: True)
    monkeypatch.setattr(start, "said", lambda command, folder=None: "")
    monkeypatch.setattr(
        start, "run_logged", lambda command, *_, **__: bool(done.append("pip")) or True
    )
    monkeypatch.setattr(start, "install", lambda root, *_: done.append("install"))
    return done


def test_an_old_python_can_read_it_and_any_console_can_show_it():
    text = SCRIPT.read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert text.isascii()


def test_where_an_environment_keeps_its_python(start):
    assert start.venv_python("c/.venv", windows=True).endswith(
        os.path.join("Scripts", "python.exe")
    )
    assert start.venv_python("c/.venv", windows=False) == "c/.venv/bin/python"


def test_on_windows_the_launcher_is_asked_and_the_command_runs_below(start, root, monkeypatch):
    assert ["py", "-3.12"] in start.candidates(None, windows=True)
    assert ["python3.12"] in start.candidates(None, windows=False)
    assert start.candidates("D:\\p y\\python.exe", windows=True) == [["D:\\p y\\python.exe"]]
    ran = []
    monkeypatch.setattr(start.subprocess, "call", lambda command: ran.append(command) or 3)
    monkeypatch.setattr(start.os, "execv", None)  # there the shell would not wait for it
    monkeypatch.chdir(root)
    assert start.hand_over(["python.exe", "-V"], windows=True) == 3 and ran
    assert Path.cwd() == ROOT  # called from elsewhere, it works in the course's folder


@pytest.mark.parametrize(
    "settings, variables, elsewhere",
    [
        ("", {}, False),
        ("global.timeout='60'\nglobal.cert='x'", {"PIP_NO_CACHE_DIR": "1"}, False),
        ("global.index-url='https://mirror'", {}, True),
        ("global.constraint='c.txt'", {}, True),
        ("", {"PIP_EXTRA_INDEX_URL": "https://download.pytorch.org/whl/cpu"}, True),
        ("", {"PIP_FIND_LINKS": "wheels"}, True),
    ],
)
def test_pip_that_was_told_where_to_install_from_is_obeyed(start, settings, variables, elsewhere):
    assert start.configured_elsewhere(settings, variables) == elsewhere


@pytest.mark.parametrize(
    "platform, driver, cpu",
    [("linux", None, True), ("linux", "/usr/bin/nvidia-smi", False), ("darwin", None, False)],
)
def test_linux_without_a_driver_gets_the_small_build(start, platform, driver, cpu):
    assert start.wants_cpu_build(platform, driver) == cpu


@pytest.mark.parametrize(
    "settings, uv, kinds",
    [
        ("", True, ["uv", "uv", "pip"]),
        ("", False, ["pip"]),
        ("global.find-links='w'", True, ["pip"]),
    ],
)
def test_uv_is_taken_where_it_can_be_had_and_pip_is_the_last_way(
    start, root, monkeypatch, settings, uv, kinds
):
    monkeypatch.setattr(start, "said", lambda *_: settings)
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    monkeypatch.setattr(start, "run_logged", lambda *_, **__: uv)  # `pip install uv`
    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.setattr(start.os, "environ", {})
    ways = start.installers("python", root)
    assert [kind.split(",")[0] for kind, _ in ways] == kinds
    if len(ways) == 3:
        assert "--torch-backend=cpu" in ways[0][1] and "--torch-backend=cpu" not in ways[1][1]
    assert ways[-1][1][:4] == ["python", "-m", "pip", "install"]


def test_wheels_that_were_handed_out_are_taken_without_a_network(start, root):
    Path(root, "wheels").mkdir()
    (_, first), (_, second) = start.installers("python", os.path.join(root, ".venv"))
    assert first[-3:] == ["--no-index", "--find-links", os.path.join(root, "wheels")]
    assert "--no-index" not in second  # of another system: the network is asked after all


def test_an_install_is_known_by_what_was_wanted_and_where(start, root, tmp_path):
    folder = os.path.join(root, ".venv")
    assert start.installed_state(root, folder) == "changed"
    for damaged in ("", "[]", "{}"):  # `touch .venv/.ready` is no install
        Path(folder, ".ready").write_text(damaged, encoding="utf-8")
        assert start.installed_state(root, folder) == "changed"
    start.stamp(root, folder)
    assert start.installed_state(root, folder) == "ready"
    moved = str(Path(root).rename(tmp_path / "elsewhere"))
    assert start.installed_state(moved, os.path.join(moved, ".venv")) == "moved"
    Path(moved, "requirements.lock").write_text("y", encoding="utf-8")
    assert start.installed_state(moved, os.path.join(moved, ".venv")) == "changed"


def test_only_what_is_needed_is_done_again(start, root, faked, monkeypatch, capsys):
    folder = os.path.join(root, ".venv")
    start.set_up(root)
    assert faked == ["install"]
    start.stamp(root, folder)
    start.set_up(root)
    assert faked == ["install"]
    Path(folder, ".ready").write_text(
        json.dumps({"wanted": start.wanted(root), "root": "elsewhere"}), encoding="utf-8"
    )
    start.set_up(root)
    assert faked == ["install", "pip"] and start.installed_state(root, folder) == "ready"
    monkeypatch.setattr(start, "said", lambda command, folder=None: "numpy\ntorch")
    start.set_up(root)
    assert faked == ["install", "pip", "install"]
    assert "Missing from .venv: numpy" in capsys.readouterr().out


def test_a_package_that_is_gone_is_noticed(start, root):
    """In this environment, for a course that wants one package more."""
    text = "numpy==1\n    # via é\nno-such-thing==1\nnot-here==1 ; sys_platform == 'x'\n"
    Path(root, "requirements.lock").write_text(text, encoding="utf-8")
    assert start.said([sys.executable, "-c", start.MISSING], root) == "no-such-thing"


def test_another_python_that_was_asked_for_is_not_ignored(start, root, faked, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(start, "runs", lambda program: os.path.isdir(os.path.join(root, ".venv")))
    monkeypatch.setattr(start, "make_venv", lambda folder, commands: made.append(commands))
    versions = {"python3.13": (3, 13), start.venv_python(os.path.join(root, ".venv")): (3, 11)}
    monkeypatch.setattr(start, "version_of", lambda command: versions[command[0]])
    start.stamp(root, os.path.join(root, ".venv"))
    start.set_up(root, "python3.13")
    assert made == [[["python3.13"]]] and "of another Python" in capsys.readouterr().out


def test_an_interpreter_that_is_gone_or_too_old_is_told(start, root, capsys):
    with pytest.raises(start.Stop, match=r"3\.11, 3\.12 or 3\.13.*none is there"):
        start.make_venv(os.path.join(root, ".venv"), [["no-such-python"]])
    assert start.main(["nothing"]) == 2 and start.main([]) == 0
    assert "python course.py COMMAND" in capsys.readouterr().out


def test_the_environment_of_another_course_is_left_alone(start, root, tmp_path):
    folder = Path(root, ".venv")
    folder.rename(tmp_path / "theirs")
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(start.Stop, match="is a link"):
        start.set_up(root)


def test_what_goes_on_to_the_command(start):
    assert start.take_python(["lab", "--python", "p 3", "--port", "1"]) == (
        "p 3",
        ["lab", "--port", "1"],
    )
    assert start.take_python(["lab"]) == (None, ["lab"])


def test_clean_removes_what_can_be_made_again_and_nothing_else(start, root):
    gone = ["build/x", "tutorial_lib/__pycache__/x.pyc"]
    kept = ["work/__pycache__/mine.txt", ".venv/__pycache__/x.pyc", "course.py"]
    for name in gone + kept:
        Path(root, name).parent.mkdir(parents=True, exist_ok=True)
        Path(root, name).write_text("", encoding="utf-8")
    start.clean(root)
    assert [Path(root, name).exists() for name in gone + kept] == [False] * 2 + [True] * 3
