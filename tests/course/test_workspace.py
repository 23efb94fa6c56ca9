"""A learner's file is never lost, whatever happens to the course's."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from workspace_helpers import NAME, make_course, mine, notebook, publish, put, work

from tutorial_lib.course import workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


def saved(text):
    """The same notebook as JupyterLab saves it after it was run to the end."""
    result = {"output_type": "stream", "name": "stdout", "text": ["42"]}
    book = notebook(text, source=text, outputs=[result], execution_count=7)
    book["cells"][1]["metadata"] = {"collapsed": True, "scrolled": False, "trusted": True}
    book["cells"].append({"cell_type": "code", "id": "c", "source": [], "metadata": {}})
    return book | {"metadata": {"language_info": {"name": "python"}}, "nbformat_minor": 4}


def old_manifest(root):
    """The manifest as it was written when only the bytes of notebooks were compared."""
    files = sorted((root / "chapters").glob("*.ipynb"))
    versions = {f.name: [hashlib.sha256(f.read_bytes()).hexdigest()] for f in files}
    text = json.dumps({"versions": versions})
    (root / "work" / workspace.MANIFEST).write_text(text, encoding="utf-8")


def test_first_sync_copies_the_learner_notebooks_only(course):
    messages = workspace.sync(course)
    assert work(course) == {NAME: "v1", "02_positions.ipynb": "v1 of two"}
    assert len(messages) == 1 and NAME in messages[0]


def test_second_sync_does_and_says_nothing(course):
    workspace.sync(course)
    before = os.stat(course / "work" / workspace.MANIFEST).st_mtime_ns
    assert workspace.sync(course) == []
    assert os.stat(course / "work" / workspace.MANIFEST).st_mtime_ns == before


def test_a_changed_file_stays_when_the_course_does_not_change(course):
    workspace.sync(course)
    mine(course)
    assert workspace.sync(course) == []
    assert work(course)[NAME] == "mine"


def test_an_unchanged_file_is_replaced_by_its_new_version(course):
    workspace.sync(course)
    publish(course, "v2")
    (message,) = workspace.sync(course)
    assert work(course)[NAME] == "v2" and NAME in message and "replaced" in message
    assert len(work(course)) == 2


def test_beside_a_changed_file_the_new_version_is_offered_once(course):
    workspace.sync(course)
    mine(course)
    publish(course, "v2")
    (message,) = workspace.sync(course)
    assert work(course)[NAME] == "mine"
    assert work(course)["01_self_attention.updated.ipynb"] == "v2"
    assert "01_self_attention.updated.ipynb" in message and "copy your answers" in message
    (course / "work" / "01_self_attention.updated.ipynb").unlink()
    assert workspace.sync(course) == []
    assert work(course) == {NAME: "mine", "02_positions.ipynb": "v1 of two"}


def test_offers_do_not_overwrite_each_other(course):
    workspace.sync(course)
    mine(course)
    for version in ("v2", "v3", "v4"):
        publish(course, version)
        workspace.sync(course)
    assert work(course) == {
        NAME: "mine",
        "01_self_attention.updated.ipynb": "v2",
        "01_self_attention.updated-2.ipynb": "v3",
        "01_self_attention.updated-3.ipynb": "v4",
        "02_positions.ipynb": "v1 of two",
    }


def test_an_offer_that_was_taken_counts_as_unchanged(course):
    workspace.sync(course)
    mine(course)
    publish(course, "v2")
    workspace.sync(course)
    os.replace(course / "work" / "01_self_attention.updated.ipynb", course / "work" / NAME)
    publish(course, "v3")
    workspace.sync(course)
    assert work(course)[NAME] == "v3"


def test_going_back_to_an_older_course_offers_nothing_twice(course):
    workspace.sync(course)
    mine(course)
    publish(course, "v2")
    workspace.sync(course)
    publish(course, "v1")
    assert workspace.sync(course) == []
    assert work(course)[NAME] == "mine"


def test_a_deleted_copy_comes_back_fresh(course):
    workspace.sync(course)
    publish(course, "v2")
    (course / "work" / NAME).unlink()
    (message,) = workspace.sync(course)
    assert work(course)[NAME] == "v2" and "Copied" in message


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"versions": 3}', '{"versions": {"a": 1}}'])
def test_a_broken_manifest_is_kept_and_loses_nothing(course, broken):
    workspace.sync(course)
    mine(course)
    (course / "work" / workspace.MANIFEST).write_text(broken, encoding="utf-8")
    publish(course, "v2")
    publish(course, "v2 of two", "02_positions.ipynb")
    messages = workspace.sync(course)
    assert "could not be read" in messages[0]
    files = work(course)
    assert files[NAME] == "mine" and files["01_self_attention.updated.ipynb"] == "v2"
    assert files["02_positions.ipynb"] == "v1 of two"  # unknown, so treated as changed
    assert files["02_positions.updated.ipynb"] == "v2 of two"
    assert files["course.corrupt.json"] == broken
    assert workspace.sync(course) == []


def test_without_a_manifest_existing_files_are_the_learners(course):
    (course / "work").mkdir()
    mine(course)
    workspace.sync(course)
    assert work(course)[NAME] == "mine"
    assert work(course)["01_self_attention.updated.ipynb"] == "v1"


def test_chapters_are_chosen_by_number(course):
    workspace.sync(course, ["2"])
    assert list(work(course)) == ["02_positions.ipynb"]
    workspace.sync(course, ["01"])
    assert len(work(course)) == 2


@pytest.mark.parametrize("asked", [["09"], ["01", "x"], [""], []])
def test_an_unknown_number_names_the_known_ones_and_touches_nothing(course, asked):
    with pytest.raises(ValueError, match="there are 01, 02"):
        workspace.sync(course, asked)
    assert not (course / "work").exists()


def test_a_write_that_fails_is_explained_and_leaves_the_old_file(course, monkeypatch):
    workspace.sync(course)
    publish(course, "v2")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(workspace.WorkspaceError, match="Permission denied.*yours to write"):
        workspace.sync(course)
    assert work(course)[NAME] == "v1"
    assert not [p for p in (course / "work").iterdir() if p.suffix == ".tmp"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_explained(course):
    (course / "work").mkdir(mode=0o555)
    with pytest.raises(workspace.WorkspaceError, match="yours to write"):
        workspace.sync(course)


def test_a_file_in_the_place_of_the_folder_is_explained(course):
    (course / "work").write_text("something else", encoding="utf-8")
    with pytest.raises(workspace.WorkspaceError, match="work"):
        workspace.sync(course)
    assert (course / "work").read_text(encoding="utf-8") == "something else"


def test_a_sync_cut_off_before_the_manifest_was_written_is_taken_up(course):
    workspace.sync(course)
    manifest = (course / "work" / workspace.MANIFEST).read_text(encoding="utf-8")
    publish(course, "v2")
    workspace.sync(course)
    (course / "work" / workspace.MANIFEST).write_text(manifest, encoding="utf-8")  # as if it died
    assert workspace.sync(course) == []
    publish(course, "v3")
    workspace.sync(course)
    assert work(course)[NAME] == "v3"


def test_the_copy_can_be_written_even_if_the_course_cannot(course):
    (course / "chapters" / NAME).chmod(0o444)
    workspace.sync(course)
    assert (course / "work" / NAME).stat().st_mode & 0o600 == 0o600


def test_the_manifest_is_plain_json(course):
    workspace.sync(course)
    versions = json.loads((course / "work" / workspace.MANIFEST).read_text(encoding="utf-8"))[
        "versions"
    ]
    assert set(versions) == {NAME, "02_positions.ipynb"}


def test_what_jupyterlab_adds_is_no_change(course):
    workspace.sync(course)
    put(course / "work" / NAME, saved("v1"))
    assert workspace.sync(course) == []  # and nobody's outputs are cleared without need
    assert json.loads((course / "work" / NAME).read_text(encoding="utf-8")) == saved("v1")
    publish(course, "v2")
    (message,) = workspace.sync(course)
    assert work(course) == {NAME: "v2", "02_positions.ipynb": "v1 of two"}
    assert "you had not changed it; the outputs of its cells were cleared" in message


@pytest.mark.parametrize(
    "change",
    [
        {"source": ["v1\n"]},
        {"cell_type": "raw"},
        {"source": ["mine"]},
    ],
)
def test_a_change_of_a_cell_is_work(course, change):
    workspace.sync(course)
    put(course / "work" / NAME, notebook("v1", **change))
    publish(course, "v2")
    assert "Yours has changes" in workspace.sync(course)[0]
    assert work(course)[NAME] == "".join(change.get("source", ["v1"]))


def test_added_moved_and_deleted_cells_are_work(course):
    workspace.sync(course)
    title, code = notebook("v1")["cells"]
    for number, cells in enumerate([[title, code, title], [code, title], [title]], 2):
        put(course / "work" / NAME, notebook("v1") | {"cells": cells})
        publish(course, f"v{number}")
        assert "Yours has changes" in workspace.sync(course)[0]


def test_beside_a_changed_file_nothing_is_offered_that_reads_the_same(course):
    """For example when only the folding of cells is new."""
    workspace.sync(course)
    mine(course)
    put(course / "chapters" / NAME, notebook("v1", metadata={"tags": ["hide-input"]}))
    assert workspace.sync(course) == []
    assert work(course) == {NAME: "mine", "02_positions.ipynb": "v1 of two"}
    mine(course, "v1")
    workspace.sync(course)
    assert "hide-input" in (course / "work" / NAME).read_text(encoding="utf-8")


def test_a_manifest_of_bytes_is_understood(course):
    workspace.sync(course)
    old_manifest(course)
    mine(course)
    publish(course, "v2")
    publish(course, "v2 of two", "02_positions.ipynb")
    workspace.sync(course)
    assert work(course) == {
        NAME: "mine",
        "01_self_attention.updated.ipynb": "v2",
        "02_positions.ipynb": "v2 of two",
    }


def test_a_manifest_of_bytes_learns_the_cells_before_the_next_version(course):
    workspace.sync(course)
    old_manifest(course)
    put(course / "work" / NAME, saved("v1"))
    assert workspace.sync(course) == []
    publish(course, "v2")
    assert "replaced" in workspace.sync(course)[0]


def test_without_a_manifest_what_reads_like_the_course_is_no_work(course):
    workspace.sync(course)
    put(course / "work" / NAME, saved("v1"))
    (course / "work" / workspace.MANIFEST).unlink()
    assert workspace.sync(course) == []
    publish(course, "v2")
    assert "replaced" in workspace.sync(course)[0]


def test_an_assistant_in_the_copy_finds_what_it_should_be_and_the_learner_may_change_it(course):
    text = (ROOT / workspace.TUTOR).read_text(encoding="utf-8")
    assert "solutions/" in text and "tutorial_lib/exercises/" in text and ".hint()" in text
    (course / workspace.TUTOR).parent.mkdir(parents=True)
    (course / workspace.TUTOR).write_text(text, encoding="utf-8")
    workspace.sync(course)
    given = course / "work" / "AGENTS.md"
    assert given.read_text(encoding="utf-8") == text
    given.write_text("mine", encoding="utf-8")
    workspace.sync(course)
    assert given.read_text(encoding="utf-8") == "mine"
