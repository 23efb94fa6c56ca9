"""Stamps, from a small package of the same kind: which are used, as what, and what is refused."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.data import stamps


def png(width, height, colour):
    buffer = io.BytesIO()
    Image.new("RGBA", (width, height), colour).save(buffer, format="png")
    return buffer.getvalue()


def package(files):
    """A .deb with these files and one more, as `ar` packs it."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w:xz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(stamps.STAMPS + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    archive = b"!<arch>\n"
    for name, data in [("debian-binary", b"2.0\n"), ("data.tar.xz", tar_bytes.getvalue())]:
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode() + data
        archive += b"\n" * (len(data) % 2)
    return archive


def test_photographs_of_the_ten_kinds_are_unpacked_and_no_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stamps, "FILE", tmp_path / "cache" / "stamps.npz")
    deb = package({
        "vehicles/flight/balloon.png": png(30, 10, (0, 0, 255, 255)),
        "animals/birds/owl.png": png(10, 10, (255, 0, 0, 128)),
        "animals/birds/owl_mirror.png": png(10, 10, "red"),
        "animals/birds/cartoon/robin.png": png(10, 10, "red"),
        "animals/birds/owl.txt": b"An owl.",
        "animals/lizards/gecko.png": png(10, 10, "red"),
        "vehicles.png": png(10, 10, "red"),
    })  # fmt: skip
    (tmp_path / "a.deb").write_bytes(deb)
    with pytest.raises(FileNotFoundError, match="data/stamps.py says how"):
        stamps.stamps()
    with pytest.raises(SystemExit, match="another file: expected sha256 6db6c1bf"):
        stamps.main([str(tmp_path / "a.deb")])
    monkeypatch.setattr(stamps, "SHA256", hashlib.sha256(deb).hexdigest())
    stamps.main([str(tmp_path / "a.deb")])
    assert "2 pictures" in capsys.readouterr().out
    images, labels = stamps.stamps()
    assert images.shape == (2, 224, 224, 4) and images.dtype == np.uint8
    assert [list(stamps.FOLDERS)[label] for label in labels] == ["bird", "vehicle"]
    assert (images[0] == (255, 0, 0, 128)).all()
    rows = np.flatnonzero(images[1, :, 112, 3] > 127)  # a third of the height, in the middle
    assert abs(rows[0] - 75) <= 1 and abs(rows[-1] - 148) <= 1
    assert (images[1, 112] == (0, 0, 255, 255)).all()
