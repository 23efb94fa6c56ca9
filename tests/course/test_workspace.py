"""A learner's file is never lost, whatever happens to the course's."""

import json
import os

import pytest

from tutorial_lib.course import workspace

NAME = "01_self_attention.ipynb"


@pytest.fixture
def course(tmp_path):
    """A course of two chapters."""
    (tmp_path / "chapters").mkdir()
    publish(tmp_path, "v1")
    publish(tmp_path, "v1 of two", "02_positions.ipynb")
    (tmp_path / "chapters" / "01_self_attention.md").write_text("source")
    return tmp_path


def publish(root, text, name=NAME):
    (root / "chapters" / name).write_text(text)


def work(root):
    """Every visible file of work/, with its text."""
    return {p.name: p.read_text() for p in (root / "work").iterdir() if p.name[0] != "."}


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
    (course / "work" / NAME).write_text("mine")
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
    (course / "work" / NAME).write_text("mine")
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
    (course / "work" / NAME).write_text("mine")
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
    (course / "work" / NAME).write_text("mine")
    publish(course, "v2")
    workspace.sync(course)
    os.replace(course / "work" / "01_self_attention.updated.ipynb", course / "work" / NAME)
    publish(course, "v3")
    workspace.sync(course)
    assert work(course)[NAME] == "v3"


def test_going_back_to_an_older_course_offers_nothing_twice(course):
    workspace.sync(course)
    (course / "work" / NAME).write_text("mine")
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
    (course / "work" / NAME).write_text("mine")
    (course / "work" / workspace.MANIFEST).write_text(broken)
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
    (course / "work" / NAME).write_text("mine")
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
    (course / "work").write_text("something else")
    with pytest.raises(workspace.WorkspaceError, match="work"):
        workspace.sync(course)
    assert (course / "work").read_text() == "something else"


def test_a_sync_cut_off_before_the_manifest_was_written_is_taken_up(course):
    workspace.sync(course)
    manifest = (course / "work" / workspace.MANIFEST).read_text()
    publish(course, "v2")
    workspace.sync(course)
    (course / "work" / workspace.MANIFEST).write_text(manifest)  # as if it had died before this
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
    versions = json.loads((course / "work" / workspace.MANIFEST).read_text())["versions"]
    assert set(versions) == {NAME, "02_positions.ipynb"}
