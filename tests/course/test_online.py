"""A chapter in the browser: its first cell, its badges, and containers that use course.py."""

import json
import subprocess
import sys
from pathlib import Path

from tutorial_lib.course import online

ROOT = Path(__file__).parents[2]


def test_elsewhere_the_first_cell_does_nothing(monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", None)
    before = list(sys.path)
    exec(online.colab_cell(), {})
    assert sys.path == before and capsys.readouterr() == ("", "")


def test_on_colab_it_fetches_the_course_and_installs_nothing(monkeypatch):
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: ran.append(command))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    monkeypatch.delitem(sys.modules, "tutorial_lib")
    exec(online.colab_cell(), {})
    (command,) = ran
    assert command[:2] == ["git", "clone"] and command[-1] == sys.path[0]
    assert online.repository() in command and "pip" not in command


def test_badges_lead_to_the_chapter():
    name = online.repository().split("github.com/")[1]
    badges = online.badges("05_vit")
    assert f"colab.research.google.com/github/{name}/blob/" in badges
    assert f"mybinder.org/v2/gh/{name}/" in badges and badges.count("chapters/05_vit.ipynb") == 2


def test_containers_start_by_course_py():
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    assert json.loads(text)["postCreateCommand"] == "python course.py setup"
    lines = (ROOT / ".devcontainer" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "RUN python course.py setup" in lines
    (start,) = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    assert json.loads(start)[:3] == ["python", "course.py", "lab"]
    assert not (ROOT / "Dockerfile").exists()  # Binder would take it instead of environment.yml
