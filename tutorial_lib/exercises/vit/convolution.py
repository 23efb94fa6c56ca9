"""The patch embedding as a convolution, in PyTorch."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


def embed_by_convolution(images, E, b, p):
    """The patch embedding as a convolution whose stride is its size.

    images (B, H, W, C), E (p·p·C, D), b (D,) tensors, p pixels; H and W multiples of p
    ->  X (B, n, D), equal to patchify(images, p) E + b; patches row by row

    The rows of E follow the features of `patchify`: pixels row by row, and of each pixel its
    channels. `F.conv2d(x, kernel, b, stride=...)` takes x (B, C, H, W) and kernel (D, C, p, p),
    whose last two axes are row and column, and gives (B, D, rows of patches, columns of patches).
    """
    kernel = E.reshape(p, p, images.shape[-1], -1)  # (p, p, C, D)
    kernel = kernel.permute(3, 2, 0, 1)  # (D, C, p, p)
    x = images.permute(0, 3, 1, 2)  # (B, C, H, W)
    X = F.conv2d(x, kernel, b, stride=p)  # (B, D, rows, columns)
    return X.flatten(2).mT  # (B, n, D)


def images_and_maps(rng):
    for B, H, W, C, p, D in [
        (1, 2, 2, 1, 2, 1),
        (1, 2, 2, 1, 1, 2),
        (1, 2, 4, 1, 2, 2),
        (1, 4, 2, 2, 2, 3),
        (2, 4, 4, 3, 2, 4),
        (2, 3, 6, 2, 3, 2),
        (1, 4, 4, 1, 2, 4),
    ]:
        shapes = dict(images=(B, H, W, C), E=(p * p * C, D), b=(D,))
        tensors = {name: torch.from_numpy(rng.normal(size=s)) for name, s in shapes.items()}
        yield {name: tensor.requires_grad_() for name, tensor in tensors.items()} | {"p": p}
    single = dict(images=(2, 4, 2, 2), E=(8, 3), b=(3,))
    yield {name: torch.from_numpy(rng.normal(size=s)).float() for name, s in single.items()} | {
        "p": 2
    }


embed_by_convolution = Exercise(
    embed_by_convolution,
    level=3,
    minutes=15,
    cases=images_and_maps,
    hints=(
        "Column d of E is a small picture: what token feature d looks for in a patch. That picture "
        "is kernel d. Which number of E is its pixel (y, x) in channel c?",
        "Reshape E so that it has axes for row, column, channel and token feature, in the order in "
        "which they lie; then permute to what conv2d wants. The images need a permute too.",
        "E has the axes (p, p, C, D) after a reshape; conv2d wants (D, C, p, p), with rows before "
        "columns in both. The stride is p. Then (B, D, rows, columns) becomes (B, n, D): flatten "
        "the last two axes, then swap.",
    ),
)


def _right_kernel(images, E, p):
    return E.reshape(p, p, images.shape[-1], -1).permute(3, 2, 0, 1)


def _convolved(images, E, b, p, kernel=_right_kernel):
    """(B, D, rows, columns), with the right kernel or another one."""
    return F.conv2d(images.permute(0, 3, 1, 2), kernel(images, E, p), b, stride=p)


@embed_by_convolution.mistake(
    """Your kernel is Eᵀ in the shape (D, C, p, p). The shape is right, but in E the channels of one
    pixel are neighbours, and you read them as whole pictures, one for each channel. Right for one
    channel only."""
)
def channels_first_in_e(images, E, b, p):
    def kernel(images, E, p):
        return E.T.reshape(-1, images.shape[-1], p, p)

    return _convolved(images, E, b, p, kernel).flatten(2).mT


@embed_by_convolution.mistake(
    """Your kernels are turned: rows and columns of the patch are exchanged. Reading the axes of
    (p, p, C, D) backwards gives (D, C, column, row). What does conv2d want?"""
)
def rows_and_columns_exchanged(images, E, b, p):
    def kernel(images, E, p):
        return E.reshape(p, p, images.shape[-1], -1).permute(3, 2, 1, 0)

    return _convolved(images, E, b, p, kernel).flatten(2).mT


@embed_by_convolution.mistake(
    """You reshape E straight to (D, C, p, p). Its first axis counts the features of a patch and its
    last one the features of a token; a reshape exchanges nothing. What moves an axis?"""
)
def kernel_by_reshape(images, E, b, p):
    def kernel(images, E, p):
        return E.reshape(-1, images.shape[-1], p, p)

    return _convolved(images, E, b, p, kernel).flatten(2).mT


@embed_by_convolution.mistake(
    """You turned the kernels by 180°. A convolution in mathematics does that; `conv2d`, like all
    of deep learning, lays the kernel on the picture as it is."""
)
def kernel_flipped(images, E, b, p):
    def kernel(images, E, p):
        return _right_kernel(images, E, p).flip(-1, -2)

    return _convolved(images, E, b, p, kernel).flatten(2).mT


@embed_by_convolution.mistake(
    """`images.reshape(B, C, H, W)` does not move the channels forward, it only counts the same
    numbers in another way. Right for one channel. Which function moves axes?"""
)
def images_by_reshape(images, E, b, p):
    B, H, W, C = images.shape
    x = images.reshape(B, C, H, W)
    return F.conv2d(x, _right_kernel(images, E, p), b, stride=p).flatten(2).mT


@embed_by_convolution.mistake(
    """`conv2d` gets the images as they are, (B, H, W, C), and takes axis 1, their height, for the
    channels; its error counts them. Which axis has to move where?"""
)
def images_as_they_are(images, E, b, p):
    return F.conv2d(images, _right_kernel(images, E, p), b, stride=p).flatten(2).mT


@embed_by_convolution.mistake(
    """The stride is missing: your kernel stops at every pixel, and the patches overlap. How far is
    it from one patch to the next?"""
)
def stride_of_one(images, E, b, p):
    x = images.permute(0, 3, 1, 2)
    return F.conv2d(x, _right_kernel(images, E, p), b).flatten(2).mT


@embed_by_convolution.mistake(
    """The convolution is right, and then (B, D, rows, columns) is reshaped to (B, n, D): a token
    gets pieces of one feature from D places. Which axes must change places first?"""
)
def tokens_by_reshape(images, E, b, p):
    X = _convolved(images, E, b, p)
    return X.reshape(len(X), -1, X.shape[1])


@embed_by_convolution.mistake(
    """Your tokens come column by column: `permute(0, 3, 2, 1)` puts the columns before the rows.
    In which order does `patchify` number the patches?"""
)
def patches_column_by_column(images, E, b, p):
    return _convolved(images, E, b, p).permute(0, 3, 2, 1).flatten(1, 2)


@embed_by_convolution.mistake(
    """Your images lie on their side: `permute(0, 3, 2, 1)` gives (B, C, W, H), so the kernels meet
    patches with rows and columns exchanged, and the tokens come column by column. In which order
    does conv2d want the last two axes?"""
)
def images_on_their_side(images, E, b, p):
    x = images.permute(0, 3, 2, 1)
    return F.conv2d(x, _right_kernel(images, E, p), b, stride=p).flatten(2).mT


@embed_by_convolution.mistake("The bias is missing: what is b added to?")
def without_bias(images, E, b, p):
    return _convolved(images, E, None, p).flatten(2).mT
