"""Soft split: unfold and fold of PyTorch, brute force, finite differences, counts of the paper."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.from_scratch import soft_split as course
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.layers.soft_split import SoftSplit, restructure
from tutorial_lib.models.backbones.t2t import PAPER, SMALL

# height, width, channels, window, stride, padding
SETTINGS = [
    (1, 1, 1, 1, 1, 0),
    (1, 1, 2, 3, 2, 1),
    (4, 6, 1, 2, 2, 0),
    (5, 4, 3, 3, 2, 1),
    (7, 5, 2, 3, 1, 1),
    (3, 8, 1, 2, 3, 0),
    (9, 8, 1, 7, 4, 2),
    (6, 5, 2, 1, 2, 2),
]
every_setting = pytest.mark.parametrize("height, width, channels, k, s, p", SETTINGS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def channel_major(T, k):
    """Features from the order row, column, channel to PyTorch's channel, row, column."""
    windows = T.reshape(*T.shape[:2], k, k, -1)
    return np.moveaxis(windows, -1, 2).reshape(T.shape)


@every_setting
def test_windows_are_counted_as_they_fit(height, width, channels, k, s, p):
    tops = [y for y in range(-p, height + p) if (y + p) % s == 0 and y + k <= height + p]
    lefts = [x for x in range(-p, width + p) if (x + p) % s == 0 and x + k <= width + p]
    assert course.token_count(height, width, k, s, p) == (len(tops), len(lefts))


def test_counts_of_the_paper_and_of_small_images():
    for size, splits, expected in [(224, PAPER, [56, 28, 14]), (28, SMALL, [14, 7, 7])]:
        for (k, s, p), wanted in zip(splits, expected):
            assert course.token_count(size, size, k, s, p) == (wanted, wanted)
            size = wanted


def test_an_image_smaller_than_a_window():
    with pytest.raises(ValueError, match="2 × 9 pixels, padded by 1.*no window of 5 × 5"):
        course.token_count(2, 9, 5, 1, 1)
    with pytest.raises(ValueError, match="no window"):
        SoftSplit(5, 1, 1).grid(2, 9)


@every_setting
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_unfold(rng, height, width, channels, k, s, p, dtype):
    images = rng.normal(size=(2, height, width, channels)).astype(dtype)
    T = course.soft_split(images, k, s, p)
    first = torch.from_numpy(np.moveaxis(images, -1, 1).copy())  # (B, C, H, W)
    expected = F.unfold(first, k, padding=p, stride=s).mT
    assert T.dtype == dtype
    np.testing.assert_array_equal(channel_major(T, k), expected)
    np.testing.assert_array_equal(SoftSplit(k, s, p)(first), expected)


@every_setting
def test_backward_equals_fold_and_autograd(rng, height, width, channels, k, s, p):
    shape = (2, height, width, channels)
    T = course.soft_split(np.zeros(shape), k, s, p)
    dT = rng.normal(size=T.shape)
    dI = np.moveaxis(course.soft_split_backward(dT, shape, k, s, p), -1, 1)
    columns = torch.from_numpy(channel_major(dT, k))
    np.testing.assert_allclose(dI, F.fold(columns.mT, (height, width), k, padding=p, stride=s))
    image = torch.zeros(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    SoftSplit(k, s, p)(image).backward(columns)
    np.testing.assert_allclose(dI, image.grad)


@pytest.mark.parametrize("shape, k, s, p", [((1, 3, 4, 2), 3, 2, 1), ((2, 3, 3, 1), 2, 1, 0)])
def test_backward_agrees_with_finite_differences(rng, shape, k, s, p):
    images = rng.normal(size=shape)
    dT = rng.normal(size=course.soft_split(images, k, s, p).shape)
    numerical = numerical_gradient(
        lambda images: float((dT * course.soft_split(images, k, s, p)).sum()), images
    )
    assert relative_error(course.soft_split_backward(dT, shape, k, s, p), numerical) < 1e-6


def test_backward_keeps_the_dtype(rng):
    dT = rng.normal(size=(1, 4, 4)).astype(np.float32)
    assert course.soft_split_backward(dT, (1, 3, 3, 1), 2, 1, 0).dtype == np.float32


def windows_over_each_pixel(size, k, s, p):
    """How many windows cover each pixel: what flows back from tokens whose gradient is one."""
    T = course.soft_split(np.ones((1, size, size, 1)), k, s, p)
    return course.soft_split_backward(np.ones_like(T), (1, size, size, 1), k, s, p)[0, :, :, 0]


def test_a_soft_split_shows_every_border_pixel_to_at_least_two_windows():
    assert (windows_over_each_pixel(28, 4, 4, 0) == 1).all()  # a hard split
    soft = windows_over_each_pixel(224, 7, 4, 2)
    rows = np.arange(55) * 4 + 3  # between two windows' centres, 4 pixels apart
    assert (soft[rows] >= 2).all() and (soft[:, rows] >= 2).all()
    assert (soft[rows + 1] >= 2).all() and (soft[:, rows + 1] >= 2).all()


@pytest.mark.parametrize("rows, columns", [(1, 1), (2, 3), (3, 2), (1, 4)])
def test_restructure_puts_token_i_in_row_i_over_columns(rng, rows, columns):
    T = rng.normal(size=(2, rows * columns, 5))
    image, other = (
        course.restructure(T, rows, columns),
        restructure(torch.from_numpy(T), rows, columns),
    )
    for i in range(rows * columns):
        np.testing.assert_array_equal(image[:, i // columns, i % columns], T[:, i])
        np.testing.assert_array_equal(other[:, :, i // columns, i % columns], T[:, i])


def test_restructure_undoes_a_split_into_single_pixels(rng):
    images = rng.normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(
        course.restructure(course.soft_split(images, 1, 1, 0), 3, 4), images
    )
