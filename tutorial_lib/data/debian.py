"""What the scripts that unpack Debian packages share: reading one, and packing what was in it.

A package is not installed for that, and Debian is not needed.
"""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np


def read_deb(path: Path, sha256: str) -> bytes:
    """The package's bytes; ValueError if it is not the one with this checksum."""
    deb = Path(path).read_bytes()
    found = hashlib.sha256(deb).hexdigest()
    if found != sha256:
        raise ValueError(f"{path} is another file: expected sha256 {sha256}, found {found}")
    return deb


def ar_members(archive: bytes) -> dict[str, bytes]:
    """The files in an `ar` archive, by name: `!<arch>\\n`, then for each file a header of 60 bytes
    (its name in the first 16, its size in decimal in bytes 48 to 57) and its data, padded to an
    even length. ValueError for anything else."""
    if not archive.startswith(b"!<arch>\n"):
        raise ValueError(f"not an ar archive: it begins with {archive[:8]!r}")
    members, at = {}, 8
    while at < len(archive):
        header = archive[at : at + 60]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        members[name] = archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return members


def open_data(deb: bytes) -> tarfile.TarFile:
    """The files that a package would install, as an open tar archive."""
    return tarfile.open(fileobj=io.BytesIO(ar_members(deb)["data.tar.xz"]), mode="r:xz")


def write_npz(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as an .npz; the same arrays give the same file.

    It is packed with LZMA, which numpy reads but does not write: 14 % smaller than np.savez's.
    """
    half_done = file.with_suffix(".part")
    with zipfile.ZipFile(half_done, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            # A ZipInfo of its own has a fixed date.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_LZMA)
    half_done.replace(file)  # whole or not at all
