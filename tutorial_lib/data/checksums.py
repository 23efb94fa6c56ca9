"""Is what the course ships as data, sets and checkpoints, still what it was?

`files/SHA256SUMS` lists all of it, in the form that the program `sha256sum` reads and writes.
After a data set or a checkpoint was made anew (by hand: recipes do it themselves), rewrite it by

    python -m tutorial_lib.data.checksums
"""

import hashlib
from functools import lru_cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
LIST = LIBRARY / "data" / "files" / "SHA256SUMS"  # lines of "checksum  path inside tutorial_lib"
PATTERNS = ("data/files/*.npz", "recipes/*/*.safetensors")


class DamagedFile(ValueError):
    """A file of data cannot be what it was; the message says which, and how to get it back."""


def check(path: Path) -> None:
    """Do nothing if `path` is as it was shipped, or is not a file that the course ships.

    Raises DamagedFile otherwise.
    """
    if wrong := _wrong(Path(path).resolve(), _listed()):
        raise DamagedFile(f"{wrong}. {_repair(path)}")


def problems() -> list[tuple[str, str]]:
    """(what is wrong, how to repair it) for each shipped file that is not as it was."""
    listed = _listed()
    found = [(_wrong(path, listed), path) for path in listed]
    return [(wrong, _repair(path)) for wrong, path in found if wrong]


def shipped() -> list[Path]:
    """The files of data in this folder of the course, in order."""
    return sorted(path for pattern in PATTERNS for path in LIBRARY.glob(pattern))


def restate(path: Path) -> None:
    """Make the list say what `path` is now; nothing if that is no file that the course ships."""
    path = Path(path).resolve()
    if path in shipped():
        _write_list(_listed() | {path: _sha256(path, *_state(path))})


def _write_list(checksums: dict[Path, str]) -> None:
    names = {path.relative_to(LIBRARY).as_posix(): path for path in checksums}
    lines = [f"{checksums[names[name]]}  {name}\n" for name in sorted(names)]
    LIST.write_text("".join(lines), encoding="utf-8", newline="\n")


def _listed() -> dict[Path, str]:
    """The checksum of each shipped file."""
    try:
        lines = LIST.read_text(encoding="utf-8").splitlines() or [""]  # an empty list is damaged
        return {LIBRARY / name: checksum for checksum, name in map(str.split, lines)}
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{LIST} is missing or damaged. {_repair(LIST)}") from error


def _wrong(path: Path, listed: dict[Path, str]) -> str | None:
    if path not in listed:
        return None
    try:
        found = _sha256(path, *_state(path))
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})"
    return None if found == listed[path] else f"{path} is damaged: its checksum is another one"


def _repair(path: Path) -> str:
    root = LIBRARY.parent
    name = Path(path).resolve().relative_to(root).as_posix()
    if not (root / ".git").exists():
        return "To repair it, download or install the course again"
    # Git looks at size and time first, and may take a damaged file for the one it wrote.
    return f'To repair it, remove what is left of it and run: git -C "{root}" checkout -- {name}'


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache
def _sha256(path: Path, size: int, time: int) -> str:
    """Computed once a process for each state of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    _write_list({path: _sha256(path, *_state(path)) for path in shipped()})
    print(LIST)
