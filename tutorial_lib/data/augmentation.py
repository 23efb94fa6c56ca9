"""Augmentation: shift, flip, mixup, CutMix, random erasing. Taught in chapter 06.

Images are x (B, C, H, W). Labels are y (B, K): each row a distribution over K classes. Every
random choice comes from `generator`, a torch.Generator on the CPU; x and y may be on any device.
"""

import numpy as np
import torch
import torch.nn.functional as F

# Of random erasing, in its paper: area as a share of the image, height over width.
ERASED_AREA = 0.02, 0.4
ERASED_ASPECT = 0.3, 1 / 0.3


def one_hot(labels, classes: int):
    """Labels as distributions: labels (B,) int64 in 0 … K−1, classes K  ->  (B, K) float32"""
    return F.one_hot(labels, classes).float()


def random_shift(x, pad: int, generator):
    """Shift each image by up to `pad` pixels, down or up and right or left; zeros come in.

    He et al., Deep Residual Learning (CVPR 2016, 1512.03385), section 4.2: pad, then crop.
    """
    _check_images(x)
    batch, channels, height, width = x.shape
    if pad < 0:
        raise ValueError(f"pad is {pad}, expected 0 or more pixels")
    padded = F.pad(x, (pad, pad, pad, pad))  # (B, C, H + 2 pad, W + 2 pad)
    top, left = torch.randint(2 * pad + 1, (2, batch, 1), generator=generator)  # (B, 1) each
    rows, columns = top + torch.arange(height), left + torch.arange(width)  # (B, H), (B, W)
    image = torch.arange(batch)[:, None, None, None]
    channel = torch.arange(channels)[:, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def random_flip(x, generator):
    """Mirror each image left to right with probability 1/2."""
    _check_images(x)
    flip = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(flip.to(x.device), x.flip(-1), x)


def mixup(x, y, alpha: float, generator):
    """Every image becomes λ of itself and 1 − λ of another of the batch, and so does its label.

    Zhang et al., mixup: Beyond Empirical Risk Minimization (ICLR 2018, 1710.09412).
    λ ~ Beta(α, α) is one number for the batch: α = 1 is uniform, a small α rarely mixes much
    ->  x (B, C, H, W), y (B, K)
    """
    _check_labels(x, y)
    lam = sample_beta(alpha, generator)
    partner = torch.randperm(len(x), generator=generator)
    return blend(x, x[partner], lam), blend(y, y[partner], lam)


def cutmix(x, y, alpha: float, generator):
    """Every image gets a rectangle of another of the batch, and as much of its label.

    Yun et al., CutMix (ICCV 2019, 1905.04899). λ ~ Beta(α, α); the rectangle has √(1−λ) of height
    and width, and its centre lies anywhere; what sticks out is cut off. So the labels are mixed by
    the area that is really there and not by λ  ->  x (B, C, H, W), y (B, K)
    """
    _check_labels(x, y)
    height, width = x.shape[-2:]
    side = (1 - sample_beta(alpha, generator)) ** 0.5
    rows = random_interval(height, round(side * height), generator)
    columns = random_interval(width, round(side * width), generator)
    partner = torch.randperm(len(x), generator=generator)
    mixed = x.clone()
    mixed[..., rows, columns] = x[partner][..., rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return mixed, blend(y, y[partner], 1 - pasted)


def random_erasing(x, generator, probability: float = 0.5):
    """Fill a rectangle of some images with noise, each pixel uniform in [0, 1) like the images.

    Zhong et al., Random Erasing (AAAI 2020, 1708.04896), algorithm 1: area S_e and aspect ratio r_e
    are uniform in their ranges and the sides are √(S_e r_e) and √(S_e / r_e). A rectangle that
    does not fit, or whose area in whole pixels is out of range, is drawn again. An image so small
    that 100 rectangles do not fit stays as it is.

    probability  of each image to lose a rectangle, 0.5 in the paper  ->  (B, C, H, W)
    """
    _check_images(x)
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability}, expected 0 to 1")
    erased = x.clone()
    for image in erased:
        if torch.rand((), generator=generator) < probability:
            rectangle = _fitting_rectangle(*x.shape[-2:], generator)
            noise = torch.rand(image[rectangle].shape, generator=generator)
            image[rectangle] = noise.to(x)  # a view, so this writes into `erased`
    return erased


def _check_images(x):
    """The channels of a single image would be taken for images, and noise in whole numbers is 0."""
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"images are {x.dtype} {tuple(x.shape)}, expected float (B, C, H, W)")


def _check_labels(x, y):
    """Whole numbers would be mixed into the number of a third class, silently."""
    _check_images(x)
    if y.ndim != 2 or not y.is_floating_point() or len(y) != len(x):
        raise ValueError(
            f"labels are {y.dtype} {tuple(y.shape)}, expected a distribution over the classes for "
            f"each of {len(x)} images, float (B, K): `one_hot` makes them"
        )


def blend(a, b, lam: float):
    """λ a + (1 − λ) b"""
    return lam * a + (1 - lam) * b


def sample_beta(alpha: float, generator) -> float:
    """One number from Beta(α, α), α > 0."""
    if not 0 < alpha < float("inf"):
        raise ValueError(f"alpha should be above 0 and finite, got {alpha}")
    # PyTorch's Beta takes no generator, NumPy's does: the one seeds the other.
    seed = torch.randint(2**63 - 1, (), generator=generator).item()
    return np.random.default_rng(seed).beta(alpha, alpha)


def random_interval(size: int, length: int, generator) -> slice:
    """`length` pixels around a uniform centre in 0 … size − 1; what lies outside is cut off."""
    start = torch.randint(size, (), generator=generator).item() - length // 2
    return slice(max(start, 0), min(start + length, size))


def _fitting_rectangle(height: int, width: int, generator):
    """An index for the pixels (C, H, W) of one image; an empty one if no rectangle fits."""
    for _ in range(100):
        u, v, y, x = torch.rand(4, generator=generator).tolist()
        area, aspect = blend(*ERASED_AREA, u), blend(*ERASED_ASPECT, v)
        rows = round((area * height * width * aspect) ** 0.5)
        columns = round((area * height * width / aspect) ** 0.5)
        top, left = int(y * height), int(x * width)
        inside = top + rows <= height and left + columns <= width
        if inside and ERASED_AREA[0] <= rows * columns / (height * width) <= ERASED_AREA[1]:
            return ..., slice(top, top + rows), slice(left, left + columns)
    return ..., slice(0), slice(0)
