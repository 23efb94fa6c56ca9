"""A small course and its learner, for the tests of `work/`."""

import contextlib
import json

NAME = "01_self_attention.ipynb"


def make_course(root):
    """A course of two chapters."""
    (root / "chapters").mkdir()
    publish(root, "v1")
    publish(root, "v1 of two", "02_positions.ipynb")
    (root / "chapters" / "01_self_attention.md").write_text("source", encoding="utf-8")
    return root


def notebook(text, **cell):
    """A notebook with a title and one code cell, `text`, as the builder writes it."""
    code = {"cell_type": "code", "id": "b", "source": [text], "outputs": [], "metadata": {}}
    title = {"cell_type": "markdown", "id": "a", "source": ["# A title"], "metadata": {}}
    return {"cells": [title, code | cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def publish(root, text, name=NAME):
    put(root / "chapters" / name, notebook(text))


def put(path, book):
    path.write_text(json.dumps(book, indent=1), encoding="utf-8")


def mine(root, text="mine"):
    """The learner writes an answer."""
    put(root / "work" / NAME, notebook(text))


def work(root):
    """Every visible file of work/: the code of a notebook, the text of anything else."""
    found = {}
    for path in (root / "work").iterdir():
        if path.name[0] != ".":
            found[path.name] = path.read_text(encoding="utf-8", errors="replace")
            with contextlib.suppress(ValueError, LookupError, TypeError):
                found[path.name] = "".join(json.loads(found[path.name])["cells"][1]["source"])
    return found
