"""An author opens a chapter's source in JupyterLab and saves it: no line changes."""

from pathlib import Path

import jupytext
import pytest

from tutorial_lib.authoring.build import sources

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "tutorial_lib" / "authoring" / "templates" / "chapter.md"
LANGUAGE = {  # what the kernel says of itself, and JupyterLab keeps in the notebook
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": "3.13.0",
}


@pytest.mark.parametrize("source", [TEMPLATE, *sources(ROOT)], ids=lambda source: source.stem)
def test_saving_in_jupyterlab_changes_no_line(source):
    text = source.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst")
    notebook.metadata["language_info"] = LANGUAGE
    for cell in notebook.cells:
        cell.metadata["trusted"] = True
    assert jupytext.writes(notebook, fmt="md:myst") == text, "cells begin ```{code-cell} ipython3"
