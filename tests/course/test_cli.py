"""The commands: what they refuse, and what JupyterLab is started with."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tutorial_lib import __main__ as cli
from tutorial_lib.checking.attempts import find_workspace
from tutorial_lib.course import console, doctor, editor, server, workspace

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "lab",
    "sync",
    "check",
    "mutate",
    "progress",
    "review",
    "quiz",
    "doctor",
    "pretrained",
    "build",
    "new-chapter",
    "survey",
]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with two chapters, standing in for this one."""
    (tmp_path / "chapters").mkdir()
    for name in ("00_start_here", "01_self_attention"):
        (tmp_path / "chapters" / f"{name}.ipynb").write_text(name, encoding="utf-8")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The command lines that `lab` would have become."""
    found = []
    monkeypatch.setattr(server, "run", lambda command, told: found.append(command))
    monkeypatch.setattr(doctor, "before_lab", lambda root: [])
    monkeypatch.setattr(cli, "as_root", lambda: False)
    return found


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["nothing"],
        ["sync", "--port", "1"],
        ["doctor", "x"],
        ["new-chapter"],
        ["lab", "--port", "x"],
        ["lab", "--port", "70000"],
        ["lab", "--port=-1"],
    ],
)
def test_a_wrong_command_line_is_refused(line):
    with pytest.raises(SystemExit) as stop:
        cli.main(line)
    assert stop.value.code == 2


def test_sync_copies_and_then_says_it_is_up_to_date(course, capsys):
    assert cli.main(["sync"]) == 0
    assert "00_start_here.ipynb" in capsys.readouterr().out
    assert cli.main(["sync"]) == 0
    assert capsys.readouterr().out == "work/ is up to date.\n"


@pytest.mark.parametrize("command", ["sync", "lab"])
def test_an_unknown_chapter_is_one_line_and_exit_code_1(course, started, command, capsys):
    assert cli.main([command, "--chapters", "00,07"]) == 1
    assert capsys.readouterr().err == "error: no chapter 07; there are 00, 01\n"
    assert started == []


def test_a_work_folder_that_cannot_be_used_is_one_line(course, capsys):
    (course / "work").write_text("a file", encoding="utf-8")
    assert cli.main(["sync"]) == 1
    assert capsys.readouterr().err.startswith("error: cannot write your copy")


def test_lab_opens_the_first_chapter_of_the_learners_copy(course, started):
    cli.main(["lab", "--port", "8899", "--no-browser"])
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={course / 'work'}" in command
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    assert "--port=8899" in command and command[-1] == "--no-browser"
    assert (course / "work" / "01_self_attention.ipynb").exists()


def test_lab_opens_the_chapter_that_was_chosen(course, started):
    cli.main(["lab", "--chapters", "1"])
    assert "--LabApp.default_url=/lab/tree/01_self_attention.ipynb" in started[0]
    assert [p.name for p in (course / "work").glob("*.ipynb")] == ["01_self_attention.ipynb"]


def test_chapters_may_be_parted_by_commas_or_blanks(course, started, monkeypatch):
    cli.main(["lab", "--chapters", " 0, 1 "])
    assert len(list((course / "work").glob("*.ipynb"))) == 2
    watched = []
    monkeypatch.chdir(course)  # which `check` leaves
    monkeypatch.setattr(editor, "watch", lambda work, slugs: watched.extend(slugs))
    assert cli.main(["check", "--watch", "--chapters", "0", "1"]) == 0
    assert watched == ["start_here", "self_attention"]


def test_lab_says_what_root_must_add(course, started, monkeypatch, capsys):
    monkeypatch.setattr(cli, "as_root", lambda: True)
    assert cli.main(["lab"]) == 1 and started == []
    assert "ARGS=--allow-root" in capsys.readouterr().err
    assert cli.main(["lab", "--allow-root"]) == 0 and len(started) == 1


@pytest.mark.parametrize("level, starts", [("note", 1), ("fix", 0)])
def test_lab_looks_at_the_machine_first(course, started, monkeypatch, capsys, level, starts):
    finding = doctor.Finding(level, "the kernel is missing", "install it")
    monkeypatch.setattr(doctor, "before_lab", lambda root: [finding])
    cli.main(["lab"])
    said = capsys.readouterr()
    assert len(started) == starts and "install it" in said.out + said.err


def test_what_was_told_comes_again_once_jupyterlab_is_up(tmp_path, monkeypatch, capfd):
    """A server that writes the file by which Jupyter says that it answers, after its log."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    code = (
        "import os, pathlib, time\n"
        "print('log', flush=True)\n"
        f"pathlib.Path({str(tmp_path)!r}, f'jpserver-{{os.getpid()}}.json').write_text('')\n"
        "time.sleep(1.5)"
    )
    assert server.run([sys.executable, "-c", code], ["there is a new version"]) == 0
    said = capfd.readouterr().out
    assert 0 <= said.find("log") < said.find("there is a new version")


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-1", "ascii"])
def test_a_console_that_is_not_utf_8_gets_plain_characters(encoding, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "tutorial_lib", "progress"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"Start here" in done.stdout and b"0/1" in done.stdout
    console.use_plain_characters()
    assert "✓ ☃".encode(encoding, errors="plain") == b"+ ?"


def test_lab_without_chapters_still_opens(course, started, capsys):
    for path in (course / "chapters").iterdir():
        path.unlink()
    cli.main(["lab"])
    assert "no chapters yet" in capsys.readouterr().out
    assert "--LabApp.default_url=/lab" in started[0]


def test_jupyterlab_starts_with_these_options_and_asks_nothing_of_the_network(course):
    """What JupyterLab tells the browser is what it understood of its options."""
    workspace.sync(course)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        try:
            socket.create_connection(probe.getsockname(), timeout=5).close()
        except OSError:
            pytest.skip("this machine's loopback network is down: no browser reaches JupyterLab")
    command = cli.lab_command(course / "work", "00_start_here.ipynb", port)
    command += ["--no-browser", "--allow-root", "--IdentityProvider.token=secret"]
    with open(course / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        page = read(f"http://127.0.0.1:{port}/?token=secret", server)
    finally:
        server.terminate()
        server.wait(timeout=30)
    log = (course / "log").read_text(encoding="utf-8")
    text = page.partition('id="jupyter-config-data"')[2].partition(">")[2].partition("</script>")[0]
    config = json.loads(text)
    assert config["treePath"] == "00_start_here.ipynb", "opens another page"
    assert config["serverRoot"].endswith("work")
    assert config["news"] == {"disabled": True}
    assert config["extensionManager"]["name"] == "read-only"
    assert "not recognized" not in log and "Traceback" not in log, log


def read(url, server, seconds=60):
    """The page at `url`, as soon as the server answers."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
    )
    end = time.monotonic() + seconds
    while True:
        try:
            return opener.open(url, timeout=10).read().decode()
        except OSError:
            assert server.poll() is None and time.monotonic() < end, "JupyterLab does not answer"
            time.sleep(0.3)


def test_python_m_works_from_another_folder(tmp_path):
    command = [sys.executable, "-m", "tutorial_lib", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "COMMAND" in done.stdout


def test_make_lists_its_targets():
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for target in ("lab", "test", "build", "progress", "review", "quiz", "doctor", "lock", "clean"):
        assert f"make {target} " in done.stdout


def test_make_names_the_pythons_it_tried(tmp_path):
    """In a folder without .venv, with a Python that is too old."""
    for name in ("course.py", "Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3 9\n", encoding="utf-8")
    old.chmod(0o755)
    command = ["make", "-s", "lab", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "is 3.9" in done.stdout and "3.11, 3.12 or 3.13" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_the_learners_copy_is_not_in_git():
    assert "work/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert find_workspace(ROOT / "solutions") is None
