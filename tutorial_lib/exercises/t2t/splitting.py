"""Overlapping windows: which pixels."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.counting import SPLITS
from tutorial_lib.from_scratch import soft_split as np_soft_split


def images_to_split(rng):
    for (height, width, k, s, p), (batch, channels) in zip(
        SPLITS, [(2, 1), (1, 2), (1, 2), (1, 1), (2, 1), (1, 2), (2, 3), (1, 1)]
    ):
        images = rng.normal(size=(batch, height, width, channels))
        yield dict(images=images, k=k, s=s, p=p)
    single = rng.normal(size=(2, 4, 3, 2)).astype(np.float32)
    yield dict(images=single, k=3, s=2, p=1)


soft_split = Exercise(
    np_soft_split.soft_split,
    level=3,
    minutes=15,
    cases=images_to_split,
    hints=(
        "Two loops are enough, of k steps each: not over the windows but over the pixels inside a "
        "window. What do the pixels (0, 0) of all windows look like in the padded image?",
        "They are every s-th pixel: `padded[:, y : y + s * rows : s, x : x + s * columns : s]` is "
        "pixel (y, x) of all windows, of shape (B, rows, columns, C).",
        "Make `windows = np.empty((B, rows, columns, k, k, C), images.dtype)`, fill "
        "`windows[:, :, :, y, x]` in the loops and reshape to (B, rows * columns, k * k * C).",
    ),
)


def _windows(images, k, s, p):
    """(B, n, k, k, C), the right answer before its last reshape."""
    B, H, W, C = images.shape
    return np_soft_split.soft_split(images, k, s, p).reshape(B, -1, k, k, C)


def tokens_of(windows):
    return windows.reshape(*windows.shape[:2], -1)


@soft_split.mistake(
    """Your features go channel by channel, as those of PyTorch's unfold do. Here all channels of a
    pixel stand together. Which axis of a window should vary fastest?"""
)
def channel_major(images, k, s, p):
    return tokens_of(np.moveaxis(_windows(images, k, s, p), -1, 2))


@soft_split.mistake(
    """Each window is transposed: its features go down the columns. Which of your two loops is over
    the rows of a window, and which axis of the result does it fill?"""
)
def transposes_windows(images, k, s, p):
    return tokens_of(_windows(images, k, s, p).swapaxes(2, 3))


@soft_split.mistake(
    """The windows are right, their order is not: you number them column by column. Should token 1
    lie to the right of token 0, or below it?"""
)
def windows_by_columns(images, k, s, p):
    rows, columns = np_soft_split.token_count(*images.shape[1:3], k, s, p)
    windows = _windows(images, k, s, p).reshape(len(images), rows, columns, -1)
    return windows.swapaxes(1, 2).reshape(len(images), rows * columns, -1)


@soft_split.mistake(
    """You take the images as (B, W, H, C): windows and pixels both run down the columns. In an
    array of an image, which of its two axes comes first?"""
)
def columns_for_rows(images, k, s, p):
    return np_soft_split.soft_split(images.swapaxes(1, 2), k, s, p)


@soft_split.mistake(
    """You read the images as (B, C, H, W), PyTorch's order: your windows lie on columns and
    channels. Which axis is the last one here?"""
)
def channels_first(images, k, s, p):
    return np_soft_split.soft_split(images.transpose(0, 2, 3, 1), k, s, p)


@soft_split.mistake(
    """There are no zeros around your image, so the windows at its border are missing, or an image
    holds no window at all. By how much should it grow before it is cut?"""
)
def without_padding(images, k, s, p):
    return np_soft_split.soft_split(images, k, s, 0)


@soft_split.mistake(
    """All 2p zeros stand at the lower and the right end of yours, so the first window begins at the
    image's corner. How many belong above and on the left?"""
)
def pads_at_the_end(images, k, s, p):
    padded = np.pad(images, ((0, 0), (0, 2 * p), (0, 2 * p), (0, 0)))
    return np_soft_split.soft_split(padded, k, s, 0)


@soft_split.mistake(
    """You pad by repeating the border. The task wants zeros there, as unfold gives them: look at
    what the first feature of token 0 should be."""
)
def repeats_the_border(images, k, s, p):
    padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), mode="edge")
    return np_soft_split.soft_split(padded, k, s, 0)


@soft_split.mistake(
    """The windows do not overlap: you step by k, which is ViT's hard split. What does s say, and
    how many pixels do two neighbours share when s < k?"""
)
def hard_split(images, k, s, p):
    return np_soft_split.soft_split(images, k, k, p)


@soft_split.mistake(
    """You have the right number of windows, and they lie too close: each begins one pixel after its
    neighbour, so the lower right of the image is in no token. By how many pixels do they move?"""
)
def begins_at_i(images, k, s, p):
    rows, columns = np_soft_split.token_count(*images.shape[1:3], k, s, p)
    dense = np_soft_split.token_count(*images.shape[1:3], k, 1, p)
    windows = np_soft_split.soft_split(images, k, 1, p).reshape(len(images), *dense, -1)
    return windows[:, :rows, :columns].reshape(len(images), rows * columns, -1)


@soft_split.mistake(
    """You pad all four axes: there are images of nothing in the batch, and channels of nothing in
    the pixels. Which axes of (B, H, W, C) have a border?"""
)
def pads_batch_and_channels(images, k, s, p):
    return np_soft_split.soft_split(np.pad(images, p), k, s, 0)


@soft_split.mistake(
    """You pad the last two axes, as one does in PyTorch. Here these are the columns and the
    channels: which axes of (B, H, W, C) have a border?"""
)
def pads_the_last_two_axes(images, k, s, p):
    padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    return np_soft_split.soft_split(padded, k, s, 0)


@soft_split.mistake(
    """The windows you cut are larger than the place you made for them: `np.pad(images, p)` widens
    the batch and the channels too. What width does each of the four axes need?"""
)
def pads_all_and_cuts(images, k, s, p):
    B, H, W, C = images.shape
    rows, columns = np_soft_split.token_count(H, W, k, s, p)
    padded = np.pad(images, p)
    windows = np.empty((B, rows, columns, k, k, C), images.dtype)
    for y in range(k):
        for x in range(k):
            windows[:, :, :, y, x] = padded[:, y : y + s * rows : s, x : x + s * columns : s]
    return windows.reshape(B, rows * columns, k * k * C)


@soft_split.mistake(
    """The images go in as float32 and the tokens come out as float64: `np.zeros` and `np.empty`
    make float64 unless they are told otherwise. What should they be told?"""
)
def loses_the_dtype(images, k, s, p):
    return np_soft_split.soft_split(images.astype(np.float64), k, s, p)
