"""An image as a sequence of patches, in NumPy, forward beside backward. Taught in chapter 05.

Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021, 2010.11929), section 3.1. Symbols and
shapes, the same in prose and code:

    images   (B, H, W, C)    H and W multiples of p
    patches  (B, n, p·p·C)   n = H/p · W/p, numbered row by row; the features of a patch are its
                             pixels row by row, and of each pixel its channels
    E        (p·p·C, D)      the linear map that makes a token of a patch
    b        (D,)            its bias, which the paper's formula leaves out and its code has
    X        (B, n, D)       tokens

A gradient is named after what it belongs to: dX is ∂L/∂X, with X's shape.
"""

from tutorial_lib.from_scratch.feed_forward import linear, linear_backward


def patchify(images, p):
    """Cut images into p × p patches and write each patch as one row of numbers.

    images (B, H, W, C), p pixels  ->  patches (B, n, p·p·C), n = H/p · W/p

    Patches are numbered row by row. Of a patch, the features are its pixels row by row, and of each
    pixel its C channels. Raises ValueError if H or W is no multiple of p.
    """
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError(f"{H} × {W} pixels do not divide into patches of {p} × {p}")
    grid = images.reshape(B, H // p, p, W // p, p, C)  # row of patches, of pixels, column, column
    return grid.swapaxes(2, 3).reshape(B, H // p * (W // p), p * p * C)


def unpatchify(patches, p, columns):
    """Put patches back together, the inverse of `patchify`, and so its backward as well.

    patches (B, n, p·p·C), p pixels, columns of patches in a row  ->  images (B, H, W, C)

    Raises ValueError if n patches do not fill rows of `columns`, or if their features are not those
    of p × p pixels.
    """
    B, n, features = patches.shape
    if n % columns or features % (p * p):
        raise ValueError(
            f"{n} patches of {features} features are no rows of {columns} patches of {p} × {p}"
        )
    grid = patches.reshape(B, n // columns, columns, p, p, features // (p * p))
    return grid.swapaxes(2, 3).reshape(B, n // columns * p, columns * p, -1)


def patch_embedding(images, E, b, p):
    """Every patch through the same linear map: X = patchify(images) E + b.

    images (B, H, W, C), E (p·p·C, D), b (D,), p pixels  ->  X (B, n, D)
    """
    return linear(patchify(images, p), E, b)


def patch_embedding_backward(dX, images, E, p):
    """Every gradient of X = patchify(images) E + b, from the tokens back to the pixels.

    dX      (B, n, D)     ∂L/∂X
    images  (B, H, W, C)  what was embedded; H and W multiples of p
    E       (p·p·C, D)    the linear map; p pixels, the side of a patch
    ->  dict of dE (p·p·C, D), db (D,), dpatches (B, n, p·p·C), dimages (B, H, W, C)

    All patches of all images share E and b. `patchify(images, p)` cuts, and
    `unpatchify(patches, p, columns)`, with `columns` patches in a row, puts together.
    """
    found = linear_backward(dX, patchify(images, p), E)
    columns = images.shape[2] // p
    return {
        "dE": found["dW"],
        "db": found["db"],
        "dpatches": found["dX"],
        "dimages": unpatchify(found["dX"], p, columns),
    }
