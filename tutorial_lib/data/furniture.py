"""Furniture, people and plants as point clouds: 3-D models in ten classes. Taught in chapter 19.

The models are from the catalogues of Sweet Home 3D, licences CC0 and CC BY. The course ships
points on their surfaces, so nothing is downloaded: `files/README.md` says from where and how they
were made, `files/furniture.AUTHORS.txt` by whom.
"""

import lzma
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.data import checksums

NAMES = ("table", "chair", "sofa", "cabinet", "person", "lamp", "door", "plant", "window", "bed")

POINTS = 1024  # of each model
SPLITS = ("train", "test")

SHIPPED_FILE = Path(__file__).parent / "files" / "furniture.npz"


def furniture(split: str, points: int = POINTS) -> tuple[torch.Tensor, torch.Tensor]:
    """Point clouds, float32 (n, points, 3), and labels int64 (n,) in 0 … 9, which NAMES spells out.

    x goes to the right of a piece that one stands before, y to its back, z up. The points' mean is
    at the origin, the farthest of all 1,024 at distance one. They are in no order, so the first few
    of them are a coarser cloud of the same model.

    split   "train" or "test": of each class three quarters of the models, and the others
    points  how many of each model's points, 1 to 1,024
    Raises ValueError for another split or number; checksums.DamagedFile.
    """
    if not 1 <= points <= POINTS:
        raise ValueError(f"points should be 1 to {POINTS:,}, got {points:,}")
    arrays = _of(split)
    clouds = torch.from_numpy(arrays["points"][:, :points]).float()
    return clouds, torch.from_numpy(arrays["labels"]).long()


def metres(split: str) -> torch.Tensor:
    """The radius in metres of the ball around each model, float32 (n,): a cloud of `furniture` is
    as large as the real thing after multiplying by it. Raises as `furniture`."""
    return torch.from_numpy(_of(split)["metres"].copy())


def model_names(split: str) -> list[str]:
    """Catalogue and file of each model, "Scopia/office_chair". Raises as `furniture`."""
    return _of(split)["names"].tolist()


def _of(split):
    if split not in SPLITS:
        raise ValueError(f'split should be "train" or "test", got {split!r}')
    checksums.check(SHIPPED_FILE)
    try:
        arrays = _unpacked(SHIPPED_FILE, SHIPPED_FILE.stat().st_mtime_ns)
        return {kind: arrays[f"{split}_{kind}"] for kind in ("points", "labels", "metres", "names")}
    except (zipfile.BadZipFile, lzma.LZMAError, KeyError, ValueError, EOFError) as error:
        raise checksums.DamagedFile(f"{SHIPPED_FILE} is damaged ({error})") from error


@lru_cache(maxsize=1)
def _unpacked(file: Path, changed: int) -> dict[str, np.ndarray]:
    """The arrays of a file in the state that it had when it was `changed`."""
    with np.load(file) as arrays:
        return dict(arrays)
