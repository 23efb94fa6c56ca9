"""From an image to patches."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import patches as np_patches


def images_and_sizes(rng):
    """Pixels are numbered in the first cases, so that a reader sees where each one went."""
    for shape, p in [
        ((1, 2, 2, 1), 2),
        ((1, 2, 4, 1), 2),
        ((1, 2, 2, 2), 1),
        ((1, 4, 2, 2), 2),
        ((1, 4, 4, 1), 2),
        ((1, 2, 6, 4), 2),
        ((1, 6, 4, 2), 2),
    ]:
        yield dict(images=np.arange(np.prod(shape), dtype=float).reshape(shape), p=p)
    yield dict(images=rng.normal(size=(2, 3, 6, 3)), p=3)
    yield dict(images=rng.normal(size=(3, 4, 2, 2)).astype(np.float32), p=2)
    yield dict(images=rng.normal(size=(1, 3, 4, 1)), p=2)
    yield dict(images=rng.normal(size=(1, 4, 3, 1)), p=2)


patchify = Exercise(
    np_patches.patchify,
    level=2,
    minutes=12,
    cases=images_and_sizes,
    hints=(
        "A reshape alone cannot do it: a patch's second row of pixels lies a whole image row "
        "behind its first. Number the pixels of a 4 × 4 image and write down what patch 0 holds.",
        "First give each axis two parts: H is which row of patches and which row inside the patch, "
        "W likewise. Then move the axes so that those that say *which patch* come first.",
        "Six axes: picture, row of patches, row inside, column of patches, column inside, channel. "
        "Two of them change places; then the last three become one, and so do the two that count "
        "patches.",
    ),
)


def _rearranged(images, p, axes):
    """The split image with its axes (B, row, y, column, x, C) in another order."""
    B, H, W, C = images.shape
    grid = images.reshape(B, H // p, p, W // p, p, C)
    return grid.transpose(axes).reshape(B, H // p * (W // p), p * p * C)


@patchify.mistake(
    """A reshape alone: each of your "patches" is p·p pixels from one line of the image. Reshape
    never moves a number. In which order do the numbers of a 4 × 4 image lie in memory, and in which
    does the task want them?"""
)
def reshape_alone(images, p):
    return images.reshape(len(images), -1, p * p * images.shape[-1])


@patchify.mistake(
    """Each patch is right and their order is not: yours are numbered column by column. Positions
    learned by somebody else would stand at the wrong patches. What comes after patch 0?"""
)
def patches_column_by_column(images, p):
    return _rearranged(images, p, (0, 3, 1, 2, 4, 5))


@patchify.mistake(
    """Each patch is transposed: you read its pixels column by column. Compare the second number of
    a patch with the image: is it the pixel to the right or the one below?"""
)
def pixels_column_by_column(images, p):
    return _rearranged(images, p, (0, 1, 3, 4, 2, 5))


@patchify.mistake(
    """You take the images as (B, W, H, C): patches and pixels both run down the columns. In an
    array of an image, which of its two axes comes first?"""
)
def width_before_height(images, p):
    return np_patches.patchify(images.swapaxes(1, 2), p)


@patchify.mistake(
    """You put the channels before the pixels, as PyTorch's unfold does. Right for grey images only:
    here a pixel's channels stay side by side."""
)
def channels_before_pixels(images, p):
    return _rearranged(images, p, (0, 1, 3, 5, 2, 4))


@patchify.mistake(
    """You read the images as (B, C, H, W), PyTorch's order: what you call channels are the rows,
    and what you cut are columns and channels. Which axis is the last one here?"""
)
def channels_first(images, p):
    B, C, H, W = images.shape
    if H % p or W % p:
        raise ValueError("does not divide")
    grid = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 4, 3, 5, 1)
    return grid.reshape(B, H // p * (W // p), p * p * C)


@patchify.mistake(
    """You read the images as (B, C, H, W), PyTorch's order, and write each patch channel by
    channel. What you call channels are the rows. Which axis is the last one here?"""
)
def channels_first_in_and_out(images, p):
    B, C, H, W = images.shape
    if H % p or W % p:
        raise ValueError("does not divide")
    grid = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 4, 1, 3, 5)
    return grid.reshape(B, H // p * (W // p), p * p * C)


@patchify.mistake(
    """Right for square images: H and W are exchanged in your reshape. How many patches stand on
    top of each other, H/p or W/p?"""
)
def height_for_width(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("does not divide")
    grid = images.reshape(B, W // p, p, H // p, p, C)
    return grid.swapaxes(2, 3).reshape(B, H // p * (W // p), p * p * C)


@patchify.mistake(
    """Your patches are made of pixels that lie far apart: every H/p-th row and every W/p-th column.
    When an axis is split in two, the second part counts neighbours. Which of `(H/p, p)` and
    `(p, H/p)` says so?"""
)
def pixels_far_apart(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("does not divide")
    grid = images.reshape(B, p, H // p, p, W // p, C).transpose(0, 2, 4, 1, 3, 5)
    return grid.reshape(B, H // p * (W // p), p * p * C)


@patchify.mistake(
    """What does not fill a patch is cut off without a word: the last rows or columns of such an
    image are in no patch. What does the task want to happen?"""
)
def cuts_off_the_rest(images, p):
    _, H, W, _ = images.shape
    return np_patches.patchify(images[:, : H - H % p, : W - W % p], p)
