"""The shipped pictures, and the script that unpacks them from their package."""

import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
import torch

from tutorial_lib.data import checksums, debian
from tutorial_lib.data import fashion_mnist as data
from tutorial_lib.data import make_fashion_mnist as maker
from tutorial_lib.data.fashion_mnist import NAMES, SHIPPED_FILE, fashion_mnist


@pytest.fixture(scope="module")
def train():
    return fashion_mnist("train")


def test_the_shipped_file_has_its_origin_and_licence_beside_it():
    readme = (SHIPPED_FILE.parent / "README.md").read_text(encoding="utf-8")
    assert f"## {SHIPPED_FILE.name}" in readme
    assert maker.SHA256 in readme
    licence = (SHIPPED_FILE.parent / "fashion_mnist.LICENSE.txt").read_text(encoding="utf-8")
    assert "Zalando" in licence and "Permission is hereby granted" in licence


def test_shapes_types_and_range(train):
    for (images, labels), n in ((train, 20_000), (fashion_mnist("test"), 2_000)):
        assert images.shape == (n, 28, 28) and images.dtype == torch.float32
        assert labels.shape == (n,) and labels.dtype == torch.int64
        assert images.min() == 0 and images.max() == 1
        assert labels.bincount().tolist() == [n // 10] * 10
    assert len(NAMES) == 10


def test_pictures_show_what_their_labels_say(train):
    images, labels = train
    test_images, test_labels = fashion_mnist("test")
    means = torch.stack([images[labels == c].mean(0) for c in range(10)])
    nearest = torch.cdist(test_images.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == test_labels).float().mean() > 0.6  # 0.1 if labels had slipped
    trouser, bag = means[NAMES.index("trouser")], means[NAMES.index("bag")]
    assert trouser[14, [0, 1, 26, 27]].max() < 0.02 < bag[14, [0, 1, 26, 27]].min()


@pytest.mark.parametrize("count", [7, 1_000])
def test_prefixes_are_balanced_and_nested(train, count):
    images, labels = fashion_mnist("train", count)
    assert torch.equal(images, train[0][:count]) and torch.equal(labels, train[1][:count])
    assert labels.tolist() == [i % 10 for i in range(count)]


def test_no_picture_comes_twice(train):
    images = torch.cat([train[0], fashion_mnist("test")[0]])
    different = len(torch.unique((images * 255).byte().flatten(1), dim=0))
    assert different >= len(images) - 10  # the original has a few twins


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("validation",), "split should be.*'validation'"),
        (("train", 0), "count should be 1 to 60,000.*got 0"),
        (("test", 10_001), "1 to 10,000.*10,001"),
    ],
)
def test_bad_requests_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        fashion_mnist(*arguments)


def test_a_damaged_file_in_the_cache_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FULL_FILE", tmp_path / "full.npz")
    whole = SHIPPED_FILE.read_bytes()
    for damaged in (b"", whole[:100_000], whole[:5_000] + b"x" * 5_000 + whole[10_000:]):
        (tmp_path / "full.npz").write_bytes(damaged)
        with pytest.raises(checksums.DamagedFile, match="full.npz is damaged .*DEB --full"):
            fashion_mnist("train", 30_000)


def test_more_than_is_shipped_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FULL_FILE", tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError, match="make_fashion_mnist DEB --full"):
        fashion_mnist("train", 20_001)


# A package as small as possible: 40 training and 20 test pictures of 2 × 3 pixels.


def idx(array: np.ndarray) -> bytes:
    axes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()


def ar(members: dict[str, bytes]) -> bytes:
    archive = b"!<arch>\n"
    for name, content in members.items():
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        archive += content + b"\n" * (len(content) % 2)
    return archive


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    made = {}
    for split, n in (("train", 40), ("test", 20)):
        made[f"{split}_images"] = rng.integers(256, size=(n, 2, 3), dtype=np.uint8)
        made[f"{split}_labels"] = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    return made


@pytest.fixture
def deb(arrays):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for key, array in arrays.items():
            split, kind = key.split("_")
            file = f"{maker.FILE_OF[split]}-{kind}-idx{array.ndim}-ubyte.gz"
            content = gzip.compress(idx(array))
            member = tarfile.TarInfo(maker.FOLDER + file)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    odd = b"2.0"  # a member of odd length is padded
    return ar({"debian-binary": odd, "data.tar.xz": buffer.getvalue()})


def test_unpacking_a_package_and_packing_it(deb, arrays, tmp_path, monkeypatch):
    found = maker.original(deb)
    assert found.keys() == arrays.keys()
    for key in arrays:
        np.testing.assert_array_equal(found[key], arrays[key])

    for file in (tmp_path / "a.npz", tmp_path / "b.npz"):
        maker.pack(found, {"train": 30, "test": 10}, file)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert not list(tmp_path.glob("*.part"))

    monkeypatch.setattr(data, "SHIPPED_FILE", tmp_path / "a.npz")
    images, labels = fashion_mnist("train", 30)
    assert labels.tolist() == list(range(10)) * 3
    for c in range(10):
        of_class = arrays["train_images"][arrays["train_labels"] == c][:3]
        np.testing.assert_array_equal((images[c::10] * 255).round().byte().numpy(), of_class)


def test_the_whole_script_with_a_package_it_knows(deb, tmp_path, monkeypatch, capsys):
    (tmp_path / "x.deb").write_bytes(deb)
    full = tmp_path / "cache" / "full.npz"
    monkeypatch.setattr(maker, "SHA256", hashlib.sha256(deb).hexdigest())
    monkeypatch.setattr(maker, "FULL_FILE", full)
    monkeypatch.setattr(maker, "ORIGINAL", {"train": 40, "test": 20})
    maker.main([str(tmp_path / "x.deb"), "--full"])
    assert hashlib.sha256(full.read_bytes()).hexdigest() in capsys.readouterr().out
    with np.load(full) as packed:
        assert len(packed["train_images"]) == 40 and len(packed["test_labels"]) == 20


def test_another_package_is_refused(tmp_path):
    other = tmp_path / "other.deb"
    other.write_bytes(b"!<arch>\n")
    found = hashlib.sha256(b"!<arch>\n").hexdigest()
    with pytest.raises(SystemExit, match=f"expected sha256 {maker.SHA256}, found {found}"):
        maker.main([str(other)])
    with pytest.raises(SystemExit, match="missing.deb"):
        maker.main([str(tmp_path / "missing.deb")])


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match="not an ar archive"):
        debian.ar_members(b"PK\3\4")
    with pytest.raises(ValueError, match="not an array of uint8"):
        maker.read_idx(b"\0\0\x0d\1\0\0\0\0")
