"""A chapter in the browser, with nothing installed: the links to Colab and Binder, and the cell by
which a notebook on Colab finds the course."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
# Colab has the packages that chapters need, PyTorch for its GPU among them, so nothing is
# installed. A clone and not `pip install git+...`, as the recorded results are beside the package.
CELL = """\
# @title On Colab this fetches the course; elsewhere it does nothing
import os
import subprocess
import sys

if "google.colab" in sys.modules and "tutorial_lib" not in sys.modules:
    if not os.path.isdir("/content/course"):
        clone = ["git", "clone", "--quiet", "--depth", "1"]
        subprocess.run([*clone, "{repository}", "/content/course"], check=True)
    sys.path.insert(0, "/content/course")
    os.environ["PYTHONPATH"] = "/content/course"  # for processes that a notebook starts"""


def repository() -> str:
    """The address of the course's repository, as pyproject.toml says it."""
    return tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def colab_cell() -> str:
    """The source of every notebook's first code cell."""
    return CELL.format(repository=repository())


def badges(stem: str) -> str:
    """Markdown: open the chapter on Colab, or on Binder."""
    name, notebook = repository().removeprefix("https://github.com/"), f"chapters/{stem}.ipynb"
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    return (
        f"[![Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{name}/blob/HEAD/{notebook}) "
        f"[![Binder]({binder}/badge_logo.svg)]({binder}/v2/gh/{name}/HEAD?labpath={notebook})"
    )
