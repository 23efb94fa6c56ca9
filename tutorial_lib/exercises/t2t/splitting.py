"""Overlapping windows: which pixels, and the way back."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.counting import SPLITS
from tutorial_lib.from_scratch import soft_split as np_soft_split


def images_to_split(rng):
    for (height, width, k, s, p), (batch, channels) in zip(
        SPLITS, [(1, 1), (1, 1), (1, 2), (1, 1), (2, 1), (1, 2), (2, 3), (1, 1)]
    ):
        images = rng.normal(size=(batch, height, width, channels))
        yield dict(images=images, k=k, s=s, p=p)
    single = rng.normal(size=(2, 4, 3, 2)).astype(np.float32)
    yield dict(images=single, k=3, s=2, p=1)


soft_split = Exercise(
    np_soft_split.soft_split,
    level=3,
    minutes=20,
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


def _tokens(windows):
    return windows.reshape(*windows.shape[:2], -1)


@soft_split.mistake(
    """Your features go channel by channel, as those of PyTorch's unfold do. Here all channels of a
    pixel stand together. Which axis of a window should vary fastest?"""
)
def channel_major(images, k, s, p):
    return _tokens(np.moveaxis(_windows(images, k, s, p), -1, 2))


@soft_split.mistake(
    """Each window is transposed: its features go down the columns. Which of your two loops is over
    the rows of a window, and which axis of the result does it fill?"""
)
def transposes_windows(images, k, s, p):
    return _tokens(_windows(images, k, s, p).swapaxes(2, 3))


@soft_split.mistake(
    """The windows are right, their order is not: you number them column by column. Should token 1
    lie to the right of token 0, or below it?"""
)
def windows_by_columns(images, k, s, p):
    rows, columns = np_soft_split.token_count(*images.shape[1:3], k, s, p)
    windows = _windows(images, k, s, p).reshape(len(images), rows, columns, -1)
    return windows.swapaxes(1, 2).reshape(len(images), rows * columns, -1)


@soft_split.mistake(
    """There are no zeros around your image, so the windows at its border are missing, or an image
    holds no window at all. By how much should it grow before it is cut?"""
)
def without_padding(images, k, s, p):
    return np_soft_split.soft_split(images, k, s, 0)


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


def gradients_to_fold(rng):
    for case in images_to_split(rng):
        images, *split = case.values()
        T = np_soft_split.soft_split(images, *split)
        dT = rng.normal(size=T.shape).astype(images.dtype)
        yield dict(dT=dT, shape=images.shape, **dict(zip("ksp", split)))
    yield dict(dT=np.ones((1, 4, 4)), shape=(1, 3, 3, 1), k=2, s=1, p=0)


soft_split_backward = Exercise(
    np_soft_split.soft_split_backward,
    level=4,
    minutes=20,
    cases=gradients_to_fold,
    hints=(
        "A pixel that went into three windows moves the loss along three ways. How do the "
        "gradients of several ways to one number combine?",
        "The forward read `padded[slices]` into `windows[:, :, :, y, x]`. Write the same loops "
        "with the arrow turned round: start from zeros, and add.",
        "Reshape dT to (B, rows, columns, k, k, C); in the loops `padded[:, y : y + s * rows : s, "
        "x : x + s * columns : s] += dwindows[:, :, :, y, x]`; cut p pixels off each side.",
    ),
)


def _covering(shape, k, s, p):
    """How many windows cover each pixel."""
    T = np_soft_split.soft_split(np.ones(shape), k, s, p)
    return np_soft_split.soft_split_backward(np.ones_like(T), shape, k, s, p)


def _padded_sum(dT, shape, k, s, p):
    """The gradient of the padded image."""
    B, H, W, C = shape
    return np_soft_split.soft_split_backward(dT, (B, H + 2 * p, W + 2 * p, C), k, s, 0)


@soft_split_backward.mistake(
    """You average where windows overlap. That puts an *image* back together; a gradient is the sum
    over all ways from a pixel to the loss. Test yourself with the last case: what is ∂L/∂I for the
    middle pixel if L is the sum of all tokens, and the pixel is in four of them?"""
)
def averages_overlaps(dT, shape, k, s, p):
    summed = np_soft_split.soft_split_backward(dT, shape, k, s, p)
    return summed / np.maximum(_covering(shape, k, s, p), 1).astype(dT.dtype)


@soft_split_backward.mistake(
    """You assign where the task is to add: each slice overwrites what the ones before it left, and
    a pixel keeps one window's gradient. Which windows had a copy of the pixel?"""
)
def last_slice_wins(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = np_soft_split.token_count(H, W, k, s, p)
    dwindows = dT.reshape(B, rows, columns, k, k, C)
    padded = np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    for y in range(k):
        for x in range(k):
            padded[:, y : y + s * rows : s, x : x + s * columns : s] = dwindows[:, :, :, y, x]
    return padded[:, p : p + H, p : p + W]


@soft_split_backward.mistake(
    """Window after window you assign where the task is to add: each overwrites what its neighbours
    left there. Which windows had a copy of the pixel?"""
)
def last_window_wins(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = np_soft_split.token_count(H, W, k, s, p)
    dwindows = dT.reshape(B, rows, columns, k, k, C)
    padded = np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    for i, j in np.ndindex(rows, columns):
        padded[:, i * s : i * s + k, j * s : j * s + k] = dwindows[:, i, j]
    return padded[:, p : p + H, p : p + W]


@soft_split_backward.mistake(
    """The gradient of the zeros around the image is still there: the result is larger than the
    image by 2p. Nothing learns from a padding; where does the image begin inside it?"""
)
def keeps_the_padding(dT, shape, k, s, p):
    return _padded_sum(dT, shape, k, s, p)


@soft_split_backward.mistake(
    """You cut the padding off at one end only, so the gradient lies p pixels too far down and to
    the right. Pixel (0, 0) of the image is pixel (p, p) of the padded one."""
)
def crops_from_the_corner(dT, shape, k, s, p):
    return _padded_sum(dT, shape, k, s, p)[:, : shape[1], : shape[2]]


@soft_split_backward.mistake(
    """With padding you are right, and without it nothing is left: the result has no pixels. What is
    `x[p:-p]` for p = 0?"""
)
def slices_to_minus_p(dT, shape, k, s, p):
    return _padded_sum(dT, shape, k, s, p)[:, p:-p, p:-p]


@soft_split_backward.mistake(
    """You add into an image without its padding, and the windows at the end do not fit into it. The
    forward read from the padded image: where should their gradients go first?"""
)
def adds_into_the_bare_image(dT, shape, k, s, p):
    B, H, W, C = shape
    rows, columns = np_soft_split.token_count(H, W, k, s, p)
    dwindows = dT.reshape(B, rows, columns, k, k, C)
    dI = np.zeros(shape, dT.dtype)
    for y in range(k):
        for x in range(k):
            dI[:, y : y + s * rows : s, x : x + s * columns : s] += dwindows[:, :, :, y, x]
    return dI


@soft_split_backward.mistake(
    """The padding is forgotten: you count the windows of the image as it is, and dT holds those of
    the padded one. On which image did the forward lay its windows?"""
)
def forgets_the_padding(dT, shape, k, s, p):
    return np_soft_split.soft_split_backward(dT, shape, k, s, 0)


@soft_split_backward.mistake(
    """Rows and columns of each window are swapped. The forward put the row of a window before its
    column; in which order does your reshape take them apart?"""
)
def swaps_axes_of_windows(dT, shape, k, s, p):
    windows = dT.reshape(*dT.shape[:2], k, k, -1).swapaxes(2, 3)
    return np_soft_split.soft_split_backward(_tokens(windows), shape, k, s, p)


@soft_split_backward.mistake(
    """You take the features apart channel by channel, as PyTorch's fold does. In which order did
    `soft_split` write them?"""
)
def reads_channel_major(dT, shape, k, s, p):
    windows = np.moveaxis(dT.reshape(*dT.shape[:2], -1, k, k), 2, -1)
    return np_soft_split.soft_split_backward(_tokens(windows), shape, k, s, p)


@soft_split_backward.mistake(
    """You keep one pixel of each window, its first, and drop the gradients of the others. Every
    feature of a token is a copy of some pixel: how many loops does that take?"""
)
def only_the_first_pixel(dT, shape, k, s, p):
    windows = dT.reshape(*dT.shape[:2], k, k, -1).copy()
    windows[:, :, 1:], windows[:, :, :, 1:] = 0, 0
    return np_soft_split.soft_split_backward(_tokens(windows), shape, k, s, p)
