"""A chapter on Colab and on Binder: the links to it, and the cell that brings the course along."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELL = """# On Colab, fetch the course; anywhere else this cell does nothing
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules:
    if not Path("course").exists():
        subprocess.run(["git", "clone", "-q", "--depth", "1", "{repository}", "course"], check=True)
    sys.path.insert(0, "course")"""


def repository() -> str:
    """Where the course is published, as pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]


def first_cell() -> str:
    """The code with which a learner's notebook begins."""
    return CELL.format(repository=repository())


def links(stem: str) -> str:
    """Badges, in Markdown, that open chapters/<stem>.ipynb on Colab and on Binder."""
    place = repository().removeprefix("https://github.com/")
    path = f"chapters/{stem}.ipynb"
    colab = f"https://colab.research.google.com/github/{place}/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/{path}"
    return (
        f"[![Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )
