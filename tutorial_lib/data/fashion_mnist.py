"""Fashion-MNIST: small grey pictures of ten kinds of clothes. Taught in chapter 05.

Xiao, Rasul, Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms (1708.07747), licence MIT. The course ships a part of it, so nothing is downloaded:
`files/README.md` says from where and how it was made.
"""

import lzma
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.data import checksums

NAMES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

SHIPPED = {"train": 20_000, "test": 2_000}
ORIGINAL = {"train": 60_000, "test": 10_000}

SHIPPED_FILE = Path(__file__).parent / "files" / "fashion_mnist.npz"
FULL_FILE = Path("~/.cache/visual-transformer-course/fashion_mnist.npz")


def fashion_mnist(split: str, count: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The first `count` pictures: images float32 (count, 28, 28) in [0, 1], 0 is the background;
    labels int64 (count,) in 0 … 9, which NAMES spells out.

    The classes take turns, 0 to 9 and again, so any first 200 hold 20 of each, and a smaller set
    is always a part of a larger one.

    split  "train" or "test"
    count  how many; all that are shipped, 20,000 or 2,000, if not given
    Raises ValueError for another split or count; FileNotFoundError, with the command that helps,
    for more pictures than are shipped before they were unpacked; checksums.DamagedFile.
    """
    if split not in SHIPPED:
        raise ValueError(f'split should be "train" or "test", got {split!r}')
    count = SHIPPED[split] if count is None else count
    if not 1 <= count <= ORIGINAL[split]:
        raise ValueError(f"count should be 1 to {ORIGINAL[split]:,} for {split!r}, got {count:,}")
    # The full file begins with the shipped pictures, so it makes no difference which one is read.
    file = SHIPPED_FILE if count <= SHIPPED[split] else FULL_FILE.expanduser()
    checksums.check(file)
    unpack = (
        "Get the package that tutorial_lib/data/files/README.md names and run: "
        "python -m tutorial_lib.data.make_fashion_mnist DEB --full"
    )
    if not file.exists():
        raise FileNotFoundError(
            f"{count:,} pictures are more than the {SHIPPED[split]:,} that are shipped, and {file} "
            f"is not there. {unpack}"
        )
    try:
        images, labels = _unpacked(file, file.stat().st_mtime_ns, split)
    except (zipfile.BadZipFile, lzma.LZMAError, KeyError, ValueError, EOFError) as error:
        # Of the file in the user's cache there is no checksum: it may be packed by another liblzma.
        raise checksums.DamagedFile(f"{file} is damaged ({error}). {unpack}") from error
    images, labels = torch.from_numpy(images[:count]), torch.from_numpy(labels[:count])
    return images.float() / 255, labels.long()  # copies: what is kept are bytes


@lru_cache(maxsize=2)
def _unpacked(file: Path, changed: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images and labels of a file in the state that it had when it was `changed`, as bytes.
    Kept, since unpacking takes half a second and chapters ask again and again."""
    with np.load(file) as arrays:
        return arrays[f"{split}_images"], arrays[f"{split}_labels"]
