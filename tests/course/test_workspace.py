"""A learner's file is never lost, whatever happens to the course's."""

import contextlib
import hashlib
import json
import os

import pytest

from tutorial_lib.course import notebook_file, workspace

NAME = "01_self_attention.ipynb"


@pytest.fixture
def course(tmp_path):
    """A course of two chapters."""
    (tmp_path / "chapters").mkdir()
    publish(tmp_path, "v1")
    publish(tmp_path, "v1 of two", "02_positions.ipynb")
    (tmp_path / "chapters" / "01_self_attention.md").write_text("source", encoding="utf-8")
    return tmp_path


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


def saved(text):
    """The same notebook as JupyterLab saves it after it was run to the end."""
    result = {"output_type": "stream", "name": "stdout", "text": ["42"]}
    book = notebook(text, source=text, outputs=[result], execution_count=7)
    book["cells"][1]["metadata"] = {"collapsed": True, "scrolled": False, "trusted": True}
    book["cells"].append({"cell_type": "code", "id": "c", "source": [], "metadata": {}})
    return book | {"metadata": {"language_info": {"name": "python"}}, "nbformat_minor": 4}


def work(root):
    """Every visible file of work/: the code of a notebook, the text of anything else."""
    found = {}
    for path in (root / "work").iterdir():
        if path.name[0] != ".":
            found[path.name] = path.read_text(encoding="utf-8", errors="replace")
            with contextlib.suppress(ValueError, LookupError, TypeError):
                found[path.name] = "".join(json.loads(found[path.name])["cells"][1]["source"])
    return found


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
