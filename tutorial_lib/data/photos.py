"""Real photographs that come inside the scikit-image wheel (CC0 or public domain), your own, and
patches.

Taught in chapter 01.
"""

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageOps, UnidentifiedImageError

PHOTOS = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "rocket")


def photo(name: str) -> np.ndarray:
    """One of PHOTOS as float32 (height, width, 3) in [0, 1]; grey ones repeat their channel.

    ValueError for a name that is not among PHOTOS: scikit-image would try to download it.
    """
    if name not in PHOTOS:
        raise ValueError(f"no photo {name!r} without a download; there are {', '.join(PHOTOS)}")
    image = np.asarray(getattr(skimage.data, name)(), dtype=np.float32) / 255
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image


def open_photo(path: str | Path) -> np.ndarray:
    """Your own photograph, from a file, as float32 (height, width, 3) in [0, 1], the right way up.

    FileNotFoundError where there is none, ValueError for a file that is no picture Pillow can read.
    """
    try:
        with Image.open(Path(path).expanduser()) as file:
            upright = ImageOps.exif_transpose(file)  # a camera notes how it was held
            return np.asarray(upright.convert("RGB"), dtype=np.float32) / 255
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no picture that Pillow can read; try a JPEG or PNG") from None


def to_patches(image: np.ndarray, p: int) -> np.ndarray:
    """Cut an image into p × p patches, row by row.

    image (..., H, W, C), H and W multiples of p  ->  (..., H/p · W/p, p, p, C)
    """
    *batch, height, width, channels = image.shape
    if height % p or width % p:
        raise ValueError(f"a {height} × {width} image does not divide into {p} × {p} patches")
    grid = image.reshape(*batch, height // p, p, width // p, p, channels)
    return np.moveaxis(grid, -4, -3).reshape(*batch, -1, p, p, channels)


def from_patches(patches: np.ndarray, columns: int) -> np.ndarray:
    """Put patches back together; the inverse of `to_patches` for `columns` patches in a row.

    patches (..., N, p, p, C), N a multiple of columns  ->  (..., H, W, C)
    """
    *batch, n, p, _, channels = patches.shape
    if n % columns:
        raise ValueError(f"{n} patches do not fill rows of {columns}")
    grid = patches.reshape(*batch, n // columns, columns, p, p, channels)
    return np.moveaxis(grid, -3, -4).reshape(*batch, n // columns * p, columns * p, channels)
