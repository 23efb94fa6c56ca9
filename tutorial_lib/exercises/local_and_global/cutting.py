"""Patches inside an image, and squares inside a patch."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import inside_patches


def images_with_patches(rng):
    for batch, height, width, channels, P, s in [
        (1, 2, 4, 1, 2, 1),
        (1, 4, 4, 1, 4, 2),
        (2, 4, 8, 1, 4, 2),
        (1, 3, 3, 2, 3, 3),
        (3, 6, 12, 2, 6, 2),
        (2, 12, 6, 3, 6, 3),
        (1, 8, 8, 1, 4, 1),
    ]:
        yield dict(images=rng.normal(size=(batch, height, width, channels)), P=P, s=s)
    yield dict(images=rng.normal(size=(2, 4, 4, 1)).astype(np.float32), P=2, s=1)
    for height, width, P, s in [(6, 6, 6, 4), (6, 8, 4, 2), (8, 6, 4, 2)]:
        yield dict(images=rng.normal(size=(1, height, width, 1)), P=P, s=s)


pixel_tokens = Exercise(
    inside_patches.pixel_tokens,
    level=3,
    minutes=12,
    cases=images_with_patches,
    hints=(
        "A row of pixels is counted three times over: which row of patches, which row of squares "
        "in the patch, which row of pixels in the square. Columns likewise. Make an axis of each.",
        "With k = P // s squares beside each other: `images.reshape(B, H // P, k, s, W // P, k, s, "
        "C)`. Then bring them into the order patch, square, pixel, each with its row before its "
        "column.",
        "`.transpose(0, 1, 4, 2, 5, 3, 6, 7)`, and a last reshape to (B, n, m, s · s · C). Before "
        "it all: an error if s does not divide P, or P not both H and W.",
    ),
)


def _axes(images, P, s):
    """(B, row of patch, of square, of pixel, column of patch, of square, of pixel, C)"""
    B, H, W, C = images.shape
    if P % s or H % P or W % P:
        raise ValueError("does not divide")
    k = P // s
    return images.reshape(B, H // P, k, s, W // P, k, s, C)


def _tokens(x, images, P, s):
    B, H, W, C = images.shape
    return x.reshape(B, (H // P) * (W // P), (P // s) ** 2, s * s * C)


def _in_order(images, P, s, *order):
    return _tokens(_axes(images, P, s).transpose(order), images, P, s)


@pixel_tokens.mistake(
    """You reshape in one go and move nothing: a token of yours is a piece of a row of the image.
    Does a reshape ever move a number?"""
)
def reshapes_in_one_go(images, P, s):
    return _tokens(_axes(images, P, s), images, P, s)


@pixel_tokens.mistake(
    """The squares are right, and they stand in the wrong patches: you cut the whole image into
    squares, row by row, and took m of them at a time. A patch has squares from several rows."""
)
def squares_of_the_image(images, P, s):
    return _in_order(images, P, s, 0, 1, 2, 4, 5, 3, 6, 7)


@pixel_tokens.mistake(
    """Each square is transposed: its pixels run down the columns. Of the last axes before the
    channels, which should come first?"""
)
def transposes_squares(images, P, s):
    return _in_order(images, P, s, 0, 1, 4, 2, 5, 6, 3, 7)


@pixel_tokens.mistake(
    """The squares of a patch are numbered column by column. Square 1 should lie to the right of
    square 0."""
)
def squares_by_columns(images, P, s):
    return _in_order(images, P, s, 0, 1, 4, 5, 2, 3, 6, 7)


@pixel_tokens.mistake(
    """The patches are numbered column by column. Patch 1 should lie to the right of patch 0."""
)
def patches_by_columns(images, P, s):
    return _in_order(images, P, s, 0, 4, 1, 2, 5, 3, 6, 7)


@pixel_tokens.mistake(
    """You take the images as (B, W, H, C): patches, squares and pixels all run down the columns.
    In an array of an image, which axis comes first?"""
)
def columns_for_rows(images, P, s):
    return _in_order(images, P, s, 0, 4, 1, 5, 2, 6, 3, 7)


@pixel_tokens.mistake(
    """Your axes "square" and "pixel in a square" have changed places: a token gathers the pixels at
    the same place of all squares. Which of two axes that come from one reshape counts the squares?
    The slower one."""
)
def same_place_of_every_square(images, P, s):
    B, H, W, C = images.shape
    _axes(images, P, s)
    k = P // s
    x = images.reshape(B, H // P, s, k, W // P, s, k, C)
    return _tokens(x.transpose(0, 1, 4, 3, 6, 2, 5, 7), images, P, s)


@pixel_tokens.mistake(
    """Your tokens go channel by channel. Here all channels of a pixel stand together: which axis
    should vary fastest?"""
)
def channel_major(images, P, s):
    return _in_order(images, P, s, 0, 1, 4, 2, 5, 7, 3, 6)


@pixel_tokens.mistake(
    """Patches that do not fill the image are cut short in silence: the rest of the picture is lost.
    What does the task say of sizes that do not divide?"""
)
def drops_the_rest(images, P, s):
    B, H, W, C = images.shape
    if P % s:
        raise ValueError("squares")
    return inside_patches.pixel_tokens(images[:, : H // P * P, : W // P * P], P, s)


@pixel_tokens.mistake(
    """You look whether patches fill the image's height, and not its width. Which sizes have to
    divide?"""
)
def checks_the_height_alone(images, P, s):
    H, W = images.shape[1:3]
    if P % s or H % P:
        raise ValueError("does not divide")
    return inside_patches.pixel_tokens(images[:, :, : W // P * P], P, s)


@pixel_tokens.mistake(
    """The images go in as float32 and come out as float64: `np.zeros` and `np.empty` make float64
    unless they are told otherwise."""
)
def loses_the_dtype(images, P, s):
    return inside_patches.pixel_tokens(images.astype(np.float64), P, s)


@pixel_tokens.mistake(
    """The patches are right, and each is then cut along its long row of numbers: a token of yours
    is a strip of the patch and no square. How much of a row of the patch does a square hold?"""
)
def strips_of_the_patch(images, P, s):
    x = _axes(images, P, s)
    return _tokens(x.transpose(0, 1, 4, 2, 3, 5, 6, 7), images, P, s)


@pixel_tokens.mistake(
    """Patches and squares have changed places: your second axis runs over the squares at one place
    of all patches. Which pair of axes counts the patches?"""
)
def squares_before_patches(images, P, s):
    return _in_order(images, P, s, 0, 2, 5, 1, 4, 3, 6, 7)


@pixel_tokens.mistake(
    """You split a patch's side into (s, k), s squares of k pixels. A square has s pixels a side,
    and k of them stand beside each other. Right where s = k. Which of the two comes first?"""
)
def sides_exchanged(images, P, s):
    B, H, W, C = images.shape
    k = _axes(images, P, s).shape[2]
    x = images.reshape(B, H // P, s, k, W // P, s, k, C).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    return _tokens(x, images, P, s)


@pixel_tokens.mistake(
    """You take s for the number of squares beside each other. It is the side of a square, in
    pixels: how many fit into a patch?"""
)
def s_squares_beside_each_other(images, P, s):
    _axes(images, P, s)
    return inside_patches.pixel_tokens(images, P, P // s)
