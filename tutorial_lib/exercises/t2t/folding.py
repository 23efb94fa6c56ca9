"""Overlapping windows: the way back."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.splitting import images_to_split, tokens_of
from tutorial_lib.from_scratch import soft_split as np_soft_split


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
    minutes=15,
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
    """Each window overwrites what its neighbours left there: by an assignment, or by a `+=` with an
    index in which pixels stand twice, which NumPy adds to once. Which windows had a copy of the
    pixel?"""
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
    return np_soft_split.soft_split_backward(tokens_of(windows), shape, k, s, p)


@soft_split_backward.mistake(
    """You take the features apart channel by channel, as PyTorch's fold does. In which order did
    `soft_split` write them?"""
)
def reads_channel_major(dT, shape, k, s, p):
    windows = np.moveaxis(dT.reshape(*dT.shape[:2], -1, k, k), 2, -1)
    return np_soft_split.soft_split_backward(tokens_of(windows), shape, k, s, p)


@soft_split_backward.mistake(
    """You keep one pixel of each window, its first, and drop the gradients of the others. Every
    feature of a token is a copy of some pixel: how many loops does that take?"""
)
def only_the_first_pixel(dT, shape, k, s, p):
    windows = dT.reshape(*dT.shape[:2], k, k, -1).copy()
    windows[:, :, 1:], windows[:, :, :, 1:] = 0, 0
    return np_soft_split.soft_split_backward(tokens_of(windows), shape, k, s, p)


@soft_split_backward.mistake(
    """You lay the tokens out column by column. The forward numbered the windows row by row: in
    which order does your first reshape take rows and columns?"""
)
def windows_by_columns_on_the_way_back(dT, shape, k, s, p):
    rows, columns = np_soft_split.token_count(*shape[1:3], k, s, p)
    turned = dT.reshape(len(dT), columns, rows, -1).swapaxes(1, 2).reshape(dT.shape)
    return np_soft_split.soft_split_backward(turned, shape, k, s, p)


@soft_split_backward.mistake(
    """You divide by k², as if each pixel were a mean over its windows. Forward, a window *copied*
    its pixels: what does the chain rule do with copies?"""
)
def divides_by_the_window(dT, shape, k, s, p):
    return np_soft_split.soft_split_backward(dT, shape, k, s, p) / k**2
