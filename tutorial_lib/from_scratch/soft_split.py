"""Soft split in NumPy, the forward beside its backward. Taught in chapter 09.

Yuan et al., Tokens-to-Token ViT (ICCV 2021, 2101.11986), section 3.1. Symbols and shapes:

    I  (B, H, W, C)      images, channels last
    T  (B, n, k·k·C)     tokens: the k × k windows of I, numbered row by row
    k                    side of a window in pixels
    s                    stride: the step from a window to its neighbour. The paper's s is the
                         overlap, our k − s. A hard split, as in ViT, has s = k
    p                    pixels of zeros around the image

A token's features are its window read like a text: row, then column, then channel. PyTorch's unfold
reads channel, row, column.
"""

import numpy as np


def token_count(height, width, k, s, p):
    """How many windows of k × k pixels fit into an image: ⌊(h + 2p − k) / s⌋ + 1 a side.

    height, width  of the image in pixels; k side of a window, s stride, p padding on each side
    ->  rows, columns: two ints

    Raises ValueError if the padded image is smaller than one window.
    """
    if min(height, width) + 2 * p < k:
        raise ValueError(
            f"an image of {height} × {width} pixels, padded by {p}, holds no window of {k} × {k}"
        )
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


def soft_split(images, k, s, p):
    """Cut images into overlapping windows; each becomes a token.

    images (B, H, W, C), zeros beyond their border; k side of a window, s stride, p padding
    ->  T (B, rows · columns, k · k · C) of the images' dtype: windows row by row, the features of a
        window in the order row, column, channel

    `token_count(H, W, k, s, p)` gives rows and columns.
    """
    B, H, W, C = images.shape
    rows, columns = token_count(H, W, k, s, p)
    padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)))
    windows = np.empty((B, rows, columns, k, k, C), images.dtype)
    for y in range(k):  # pixel (y, x) of all windows at once
        for x in range(k):
            windows[:, :, :, y, x] = padded[:, y : y + s * rows : s, x : x + s * columns : s]
    return windows.reshape(B, rows * columns, k * k * C)


def soft_split_backward(dT, shape, k, s, p):
    """Carry a gradient from the tokens back to the images (PyTorch calls this step fold).

    dT (B, rows · columns, k · k · C)  ∂L/∂T
    shape                              of the images, (B, H, W, C)
    k, s, p                            window, stride and padding that `soft_split` was given
    ->  dI (B, H, W, C), of dT's dtype

    A pixel was copied into every window that covers it. What does the chain rule say of copies?
    """
    B, H, W, C = shape
    rows, columns = token_count(H, W, k, s, p)
    dwindows = dT.reshape(B, rows, columns, k, k, C)
    padded = np.zeros((B, H + 2 * p, W + 2 * p, C), dT.dtype)
    for y in range(k):
        for x in range(k):
            padded[:, y : y + s * rows : s, x : x + s * columns : s] += dwindows[:, :, :, y, x]
    return padded[:, p : p + H, p : p + W]


def restructure(T, rows, columns):
    """Re-structurization: put the tokens back on their grid, an image with their features as
    channels. Its backward is the same step the other way, a reshape to (B, n, C).

    T (B, rows · columns, C)  ->  (B, rows, columns, C)
    """
    return T.reshape(len(T), rows, columns, -1)
