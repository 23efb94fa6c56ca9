"""The learner's own copy of the chapters, in `work/`: filled, kept up to date, never overwritten.

`work/.course.json` remembers, for each chapter, the hash of every version this learner was given or
offered. A file with one of those hashes is untouched and may be replaced by a newer version; any
other content is the learner's work, and a newer version goes beside it.
"""

import hashlib
import json
import os
from pathlib import Path

from tutorial_lib.checking.attempts import MANIFEST


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
    beside one they changed the new version is put as `NN_slug.updated.ipynb`, once.

    Raises ValueError for an unknown chapter number, WorkspaceError when `work/` cannot be written.
    """
    root = Path(root)
    work = root / "work"
    files = chapter_files(root, chapters)
    try:
        work.mkdir(exist_ok=True)
        versions, messages = _read_manifest(work)
        before = json.dumps(versions)
        fresh = []
        for source in files:
            known = versions.setdefault(source.name, [])
            message = _sync_file(source, work / source.name, known)
            if message == "new":
                fresh.append(source.name)
            elif message:
                messages.append(message)
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


def _sync_file(source: Path, target: Path, known: list[str]) -> str | None:
    """Sync one chapter; `known` holds the hashes handed out so far, newest last, and is updated."""
    new = source.read_bytes()
    upstream = _hash(new)
    if not target.exists():
        _write(target, new)
        _remember(known, upstream)
        return "new"
    mine = _hash(target.read_bytes())
    if mine == upstream:
        _remember(known, upstream)
        return None
    if known and known[-1] == upstream:
        return None
    if mine in known:
        _write(target, new)
        _remember(known, upstream)
        return f"{target.name}: replaced by its new version (you had not changed it)"
    if upstream in known:  # back to a version that was offered before
        return None
    beside = _put_beside(target, new)
    _remember(known, upstream)
    return (
        f"{target.name}: there is a new version. Yours has changes and was left alone; the new "
        f"one is beside it as work/{beside.name}. To go on with the new one, copy your answers "
        "into it; otherwise delete it."
    )


def _put_beside(target: Path, new: bytes) -> Path:
    """Write `new` as `x.updated.ipynb`, or `x.updated-2.ipynb` where that name is taken."""
    number = 1
    while True:
        ending = ".updated.ipynb" if number == 1 else f".updated-{number}.ipynb"
        beside = target.with_name(target.stem + ending)
        if not beside.exists():
            _write(beside, new)
            return beside
        if beside.read_bytes() == new:
            return beside
        number += 1


def _remember(known: list[str], upstream: str) -> None:
    if upstream in known:
        known.remove(upstream)
    known.append(upstream)


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


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
