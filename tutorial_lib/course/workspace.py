"""The learner's own copy of the chapters, in `work/`: filled, kept up to date, never overwritten.

`work/.course.json` remembers, for each chapter, two hashes of every version this learner was given
or offered: of its bytes (all that manifests once held) and of its cells. A file with one of those
hashes is untouched and may be replaced by a newer version; any other content is the learner's work,
and a newer version goes beside it.
"""

import hashlib
import json
import os
from pathlib import Path

from tutorial_lib.checking.attempts import MANIFEST
from tutorial_lib.course import notebook_file

TUTOR = Path("tutorial_lib", "course", "AGENTS.md")  # what an assistant in work/ should be


class WorkspaceError(Exception):
    """`work/` cannot be read or written; the message says what to do."""


def chapter_files(root: Path, chapters: list[str] | None = None) -> list[Path]:
    """The learner notebooks `chapters/NN_slug.ipynb`, all or those with the numbers in `chapters`.

    Raises ValueError for a number that no notebook has.
    """
    files = sorted((Path(root) / "chapters").glob("[0-9][0-9]_*.ipynb"))
    if chapters is None:
        return files
    known = [f.name[:2] for f in files]
    wanted = [str(number).strip().zfill(2) for number in chapters]
    unknown = [number for number in wanted if number not in known]
    if unknown or not wanted:
        asked = f"no chapter {', '.join(unknown)}" if unknown else "no chapter was named"
        raise ValueError(f"{asked}; there are {', '.join(known) or 'none yet'}")
    return [f for f in files if f.name[:2] in wanted]


def sync(root: Path, chapters: list[str] | None = None) -> list[str]:
    """Bring `work/` up to date with `chapters/` and say what was done, one message each.

    A chapter the learner lacks is copied; one they never changed is replaced by its new version;
    beside one they changed the new version is put as `NN_slug.updated.ipynb`, once. One that
    cannot be opened is left alone and told each time, and so is, once, one of a chapter that has
    another name now. AGENTS.md, which tells an assistant to be a tutor, is put where there is none.

    Raises ValueError for an unknown chapter number, WorkspaceError when `work/` cannot be written.
    """
    root = Path(root)
    work = root / "work"
    files = chapter_files(root, chapters)
    try:
        work.mkdir(exist_ok=True)
        versions, messages = _read_manifest(work)
        before = json.dumps(versions)
        messages += _follow_names(root, files, versions)
        fresh = []
        for source in files:
            known = versions.setdefault(source.name, [])
            message = _sync_file(source, work / source.name, known)
            if message == "new":
                fresh.append(source.name)
            elif message:
                messages.append(message)
        tutor = root / TUTOR
        if tutor.exists() and not (work / tutor.name).exists():
            _write(work / tutor.name, tutor.read_bytes())
        if json.dumps(versions) != before or not (work / MANIFEST).exists():
            text = json.dumps({"versions": versions}, indent=1)
            _write(work / MANIFEST, text.encode())
    except OSError as error:
        raise WorkspaceError(
            f"cannot write your copy of the chapters in {work}: {error}. The folder must be yours "
            f"to write and the disk must have room; look at `ls -la {work}` and `df -h {root}`."
        ) from error
    if fresh:
        messages.insert(0, f"Copied to work/: {', '.join(fresh)}")
    return messages


def _follow_names(root: Path, files: list[Path], versions: dict[str, list[str]]) -> list[str]:
    """What there is to say of files whose chapter has another name now, or is gone.

    The old name is then forgotten, so that it is said once.
    """
    names = [file.name for file in chapter_files(root)]
    gone = sorted(set(versions) - set(names))
    messages = []
    for old in gone:
        unseen = [name for name in names if name not in versions]
        same_slug = [name for name in unseen if name[2:] == old[2:]]
        moved_here = {other[2:] for other in gone}  # such a chapter keeps its slug, not its place
        same_number = [n for n in unseen if n[:2] == old[:2] and n[2:] not in moved_here]
        new = next(iter(same_slug + same_number), None)
        if new and new not in [file.name for file in files]:
            continue  # its turn comes when that chapter is asked for
        handed_out = versions.pop(old)
        if (root / "work" / old).is_file():
            messages.append(_moved(root / "work" / old, new, handed_out))
    return messages


def _moved(mine: Path, new: str | None, handed_out: list[str]) -> str:
    if new is None:
        return f"{mine.name}: this chapter is no longer in the course; your file was left alone."
    untouched = not set(handed_out).isdisjoint(_hashes(mine.read_bytes()))
    todo = "you had not changed it and can delete it" if untouched else "copy your answers over"
    return (
        f"{mine.name}: in its place the course now has {new}, which is in work/ too. Your old file "
        f"was left alone; {todo}."
    )


def _sync_file(source: Path, target: Path, known: list[str]) -> str | None:
    """Sync one chapter; `known` holds the hashes handed out so far, newest last, and is updated."""
    new = source.read_bytes()
    upstream = _hashes(new)
    if not target.exists():
        _write(target, new)
        _remember(known, upstream)
        return "new"
    try:
        mine = target.read_bytes()
        if mine != new:
            notebook_file.cells(mine)
    except (OSError, ValueError) as error:
        return _unreadable(target, getattr(error, "strerror", None) or str(error))
    if mine == new or known[-1:] == upstream[-1:]:
        _remember(known, upstream)
        return None
    if not set(known).isdisjoint(_hashes(mine)):
        # Outputs are no work: nobody typed them, and running the new version brings its own.
        cleared = "; the outputs of its cells were cleared" * notebook_file.has_outputs(mine)
        _write(target, new)
        _remember(known, upstream)
        return f"{target.name}: replaced by its new version (you had not changed it{cleared})"
    if not set(known).isdisjoint(upstream):  # back to a version that was offered before
        return None
    if upstream[0] == _hashes(mine)[0]:  # an old manifest did not know the cells
        _remember(known, upstream)
        return None
    beside = _put_beside(target, new, "updated")
    _remember(known, upstream)
    return (
        f"{target.name}: there is a new version. Yours has changes and was left alone; the new "
        f"one is beside it as work/{beside.name}. To go on with the new one, copy your answers "
        "into it; otherwise delete it."
    )


def _unreadable(target: Path, problem: str) -> str:
    """Say that a notebook cannot be opened, and put beside it what JupyterLab kept of it."""
    told = f"{target.name}: it cannot be opened as a notebook ({problem}) and was left alone."
    kept = notebook_file.kept_copy(target)
    if kept is None:
        return f"{told} To get a fresh copy, rename or delete it and start the course again."
    beside = _put_beside(target, kept, "recovered")
    return (
        f"{told} JupyterLab had kept an earlier state of it, which is beside it as "
        f"work/{beside.name}. To go on with that one, delete {target.name} and give it this name."
    )


def _put_beside(target: Path, new: bytes, what: str) -> Path:
    """Write `new` as `x.updated.ipynb`, or `x.updated-2.ipynb` where that name is taken."""
    number = 1
    while True:
        ending = f".{what}.ipynb" if number == 1 else f".{what}-{number}.ipynb"
        beside = target.with_name(target.stem + ending)
        if not beside.exists():
            _write(beside, new)
            return beside
        if beside.read_bytes() == new:
            return beside
        number += 1


def _remember(known: list[str], upstream: list[str]) -> None:
    known[:] = [each for each in known if each not in upstream] + upstream


def _read_manifest(work: Path) -> tuple[dict[str, list[str]], list[str]]:
    """The hashes handed out per chapter, and messages; a broken manifest is kept beside."""
    path = work / MANIFEST
    if not path.exists():
        return {}, []
    try:
        versions = json.loads(path.read_bytes())["versions"]
        ok = isinstance(versions, dict) and all(isinstance(v, list) for v in versions.values())
    except (ValueError, KeyError, TypeError):
        ok = False
    if ok:
        return versions, []
    broken = _free_name(work, "course.corrupt", ".json")
    os.replace(path, broken)
    return {}, [
        f"work/{MANIFEST} could not be read and was moved to work/{broken.name}. Nothing is lost: "
        "every notebook in work/ is treated as changed by you and left alone."
    ]


def _free_name(folder: Path, stem: str, ending: str) -> Path:
    path, number = folder / f"{stem}{ending}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{ending}", number + 1
    return path


def _hashes(data: bytes) -> list[str]:
    """Of a notebook's cells, where it has any, and last of its bytes."""
    by_cells = notebook_file.fingerprint(data)
    return ([by_cells] if by_cells else []) + [hashlib.sha256(data).hexdigest()]


def _write(path: Path, data: bytes) -> None:
    """Write all of it or nothing: into a temporary file that then takes the name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
