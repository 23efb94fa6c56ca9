"""Unpack Fashion-MNIST from the Debian package that has it. Taught in chapter 05.

python -m tutorial_lib.data.make_fashion_mnist DEB          the part that the course ships
python -m tutorial_lib.data.make_fashion_mnist DEB --full   all of it, into the user's cache folder

DEB is the package that files/README.md names; it is not installed, and Debian is not needed.
"""

import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np

from tutorial_lib.data import checksums
from tutorial_lib.data.debian import open_data, read_deb, write_npz
from tutorial_lib.data.fashion_mnist import FULL_FILE, NAMES, ORIGINAL, SHIPPED, SHIPPED_FILE

SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
FOLDER = "./usr/share/datasets/fashion-mnist/"
FILE_OF = {"train": "train", "test": "t10k"}


def read_idx(data: bytes) -> np.ndarray:
    """An array in MNIST's format: two zero bytes, 8 for uint8, the number of axes, the length of
    each axis as a big-endian int32, then the numbers. ValueError for another type."""
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"not an array of uint8: it begins with {data[:4]!r}")
    axes = data[3]
    shape = np.frombuffer(data, ">i4", count=axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def original(deb: bytes) -> dict[str, np.ndarray]:
    """All arrays of the package, uint8: train_images (60000, 28, 28), train_labels (60000,), and
    test_images, test_labels with 10000."""
    arrays = {}
    with open_data(deb) as tar:
        for split, file in FILE_OF.items():
            for kind, axes in (("images", 3), ("labels", 1)):
                packed = tar.extractfile(f"{FOLDER}{file}-{kind}-idx{axes}-ubyte.gz").read()
                arrays[f"{split}_{kind}"] = read_idx(gzip.decompress(packed))
    return arrays


def balanced(labels: np.ndarray, count: int) -> np.ndarray:
    """Where to find `count` pictures of which the classes take turns: the first of class 0, the
    first of class 1, …, the second of class 0, …, each class in its original order.

    labels (n,), count a multiple of the ten classes  ->  indices (count,)
    """
    each = count // len(NAMES)
    of_class = [np.flatnonzero(labels == c)[:each] for c in range(len(NAMES))]
    return np.stack(of_class, axis=1).ravel()  # (each, 10) -> (count,)


def pack(arrays: dict[str, np.ndarray], counts: dict[str, int], file: Path) -> None:
    """Write the first `counts[split]` pictures of each split as an .npz."""
    chosen = {}
    for split, count in counts.items():
        rows = balanced(arrays[f"{split}_labels"], count)
        for kind in ("images", "labels"):
            chosen[f"{split}_{kind}"] = arrays[f"{split}_{kind}"][rows]
    write_npz(file, chosen)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make_fashion_mnist", description=__doc__.split("\n")[0])
    parser.add_argument("deb", type=Path)
    parser.add_argument("--full", action="store_true", help="all 60,000 + 10,000, about a minute")
    wanted = parser.parse_args(arguments)
    file, counts = (FULL_FILE.expanduser(), ORIGINAL) if wanted.full else (SHIPPED_FILE, SHIPPED)
    try:
        deb = read_deb(wanted.deb, SHA256)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    file.parent.mkdir(parents=True, exist_ok=True)
    pack(original(deb), counts, file)
    checksums.restate(file)
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    print(f"{file}\n{file.stat().st_size:,} bytes, sha256 {checksum}")


if __name__ == "__main__":
    main()
