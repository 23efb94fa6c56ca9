"""Photographs that need no download, and cutting images into patches."""

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.data.photos import PHOTOS, from_patches, open_photo, photo, to_patches


@pytest.mark.parametrize("name", PHOTOS)
def test_every_photo_is_there(name):
    image = photo(name)
    assert image.dtype == np.float32 and image.ndim == 3 and image.shape[2] == 3
    assert 0 <= image.min() < image.max() <= 1


def test_unknown_photo_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match="'moonlanding'.*chelsea"):
        photo("moonlanding")


def test_a_photo_of_ones_own_is_upright_and_has_three_channels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    turned = Image.fromarray(pixels).rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise to see it upright
    turned.save(tmp_path / "held sideways.png", exif=exif)
    found = open_photo(tmp_path / "held sideways.png")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pixels / 255, rtol=1e-6)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_allclose(
        open_photo(str(tmp_path / "grey.png")), pixels[..., :1] / 255 + [0] * 3
    )


def test_a_file_that_is_no_photo_is_told(tmp_path):
    (tmp_path / "me.txt").write_text("me", encoding="utf-8")
    with pytest.raises(ValueError, match="me.txt is no picture that Pillow can read; try a JPEG"):
        open_photo(tmp_path / "me.txt")
    with pytest.raises(FileNotFoundError):
        open_photo(tmp_path / "none.jpg")


@pytest.mark.parametrize(
    "shape, p", [((4, 6, 3), 2), ((3, 3, 1), 3), ((2, 8, 4, 1), 4), ((2, 2, 2), 1)]
)
def test_patches_and_back(shape, p):
    image = np.arange(np.prod(shape)).reshape(shape)
    patches = to_patches(image, p)
    *batch, height, width, channels = shape
    assert patches.shape == (*batch, height // p * (width // p), p, p, channels)
    np.testing.assert_array_equal(from_patches(patches, width // p), image)


def test_patches_are_numbered_row_by_row():
    image = np.arange(16).reshape(4, 4, 1)
    np.testing.assert_array_equal(to_patches(image, 2)[1, ..., 0], [[2, 3], [6, 7]])
    np.testing.assert_array_equal(to_patches(image, 2)[2, ..., 0], [[8, 9], [12, 13]])


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="5 × 4 image"):
        to_patches(np.zeros((5, 4, 1)), 2)
    with pytest.raises(ValueError, match="3 patches"):
        from_patches(np.zeros((3, 2, 2, 1)), 2)
