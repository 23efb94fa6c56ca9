"""A learner's file that is damaged, or whose chapter has moved, is kept, and they are told."""

import json
import os

import pytest
from workspace_helpers import NAME, make_course, mine, notebook, publish, put, work

from tutorial_lib.course import notebook_file, workspace


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.mark.parametrize(
    "damage, words",
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "damaged in line 1"),
        (b"\xff{", "not text in UTF-8"),
        (b"[]", "no cells of a notebook"),
        (b'{"cells": [{}]}', "no cells of a notebook"),
    ],
)
def test_a_notebook_that_cannot_be_opened_is_told_each_time_and_kept(course, damage, words):
    workspace.sync(course)
    path = course / "work" / NAME
    path.write_bytes(damage)
    for version in ("v1", "v1", "v2"):
        publish(course, version)
        (message,) = workspace.sync(course)
        assert NAME in message and words in message and "rename or delete it" in message
        assert path.read_bytes() == damage
    assert len(work(course)) == 2
    path.rename(path.with_suffix(".old"))
    workspace.sync(course)
    assert work(course)[NAME] == "v2"


def test_something_else_in_the_place_of_a_notebook_does_not_stop_the_others(course):
    (course / "work" / NAME).mkdir(parents=True)
    messages = workspace.sync(course)
    assert "02_positions.ipynb" in messages[0] and "Is a directory" in messages[1]


def test_what_jupyterlab_kept_of_a_cut_off_notebook_is_offered(course):
    """Its server was killed while it saved; the state before is in .~NAME."""
    workspace.sync(course)
    path, kept = course / "work" / NAME, course / "work" / f".~{NAME}"
    path.write_bytes(b"")
    put(kept, notebook("mine"))
    checkpoint = course / "work" / ".ipynb_checkpoints" / "01_self_attention-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    put(checkpoint, notebook("older"))
    for _ in range(2):
        (message,) = workspace.sync(course)
        assert "work/01_self_attention.recovered.ipynb" in message
    assert path.read_bytes() == b"" and kept.exists()
    assert work(course)["01_self_attention.recovered.ipynb"] == "mine"
    kept.write_bytes(b'{"cells"')  # cut off as well: then the checkpoint, under a name of its own
    assert "work/01_self_attention.recovered-2.ipynb" in workspace.sync(course)[0]
    assert work(course)["01_self_attention.recovered.ipynb"] == "mine"
    assert work(course)["01_self_attention.recovered-2.ipynb"] == "older"


def test_jupyter_server_keeps_the_earlier_state_where_we_look_for_it(tmp_path):
    fileio = pytest.importorskip("jupyter_server.services.contents.fileio")
    path = tmp_path / NAME
    put(path, notebook("mine"))
    with fileio.atomic_writing(str(path)) as file:
        file.flush()
        assert path.read_bytes() == b""
        assert json.loads(notebook_file.kept_copy(path)) == notebook("mine")


def rename(root, old, new):
    os.replace(root / "chapters" / old, root / "chapters" / new)


@pytest.mark.parametrize("new", ["01_attention.ipynb", "04_self_attention.ipynb"])
@pytest.mark.parametrize("changed", [True, False])
def test_a_chapter_that_was_renamed_or_renumbered_is_told_once(course, new, changed):
    workspace.sync(course)
    if changed:
        mine(course)
    rename(course, NAME, new)
    assert workspace.sync(course, ["02"]) == []  # nothing is said of what is not there yet
    copied, message = workspace.sync(course)
    assert new in copied and NAME in message and f"now has {new}" in message
    assert ("copy your answers" if changed else "can delete it") in message
    assert work(course)[NAME] == ("mine" if changed else "v1") and work(course)[new] == "v1"
    assert workspace.sync(course) == []


def test_chapters_that_moved_up_for_a_new_one_keep_who_they_are(course):
    workspace.sync(course)
    rename(course, "02_positions.ipynb", "03_positions.ipynb")
    rename(course, NAME, "02_self_attention.ipynb")
    publish(course, "new", "01_start.ipynb")
    _, first, second = workspace.sync(course)
    assert NAME in first and "now has 02_self_attention.ipynb" in first
    assert "02_positions.ipynb" in second and "now has 03_positions.ipynb" in second


def test_a_chapter_that_is_gone_is_told_once(course):
    workspace.sync(course)
    (course / "chapters" / NAME).unlink()
    rename(course, "02_positions.ipynb", "01_positions.ipynb")  # and is not its follower
    _, first, second = workspace.sync(course)
    assert NAME in first and "no longer in the course" in first
    assert "now has 01_positions.ipynb" in second
    assert work(course)[NAME] == "v1" and workspace.sync(course) == []
