"""Augmentation: label mass, exact areas, bounds, the same seed twice."""

import math

import pytest
import torch

from tutorial_lib.data import augmentation
from tutorial_lib.data.augmentation import (
    ERASED_AREA,
    cutmix,
    mixup,
    one_hot,
    random_erasing,
    random_flip,
    random_interval,
    random_shift,
    sample_beta,
)

SHAPES = [(1, 1, 1, 1), (3, 2, 5, 7), (4, 1, 1, 9), (2, 3, 6, 1)]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def batch(shape):
    """Image i is i + 1 everywhere and belongs to class i alone."""
    x = torch.arange(1.0, shape[0] + 1)[:, None, None, None].expand(shape)
    return x, torch.eye(shape[0])


def test_one_hot_is_a_distribution():
    y = one_hot(torch.tensor([2, 0, 2]), 5)
    assert y.shape == (3, 5) and y.dtype == torch.float32
    assert y.sum() == 3 and y[0, 2] == y[1, 0] == y[2, 2] == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_mixup_keeps_label_mass_and_mixes_images_as_labels(shape, generator):
    x, y = batch(shape)
    for _ in range(10):
        mixed, labels = mixup(x, y, 1.0, generator)
        torch.testing.assert_close(labels.sum(1), torch.ones(shape[0]))
        value = labels @ x[:, 0, 0, 0]  # the images mix exactly as their labels say
        torch.testing.assert_close(mixed, value[:, None, None, None].expand(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_cutmix_labels_count_pixels(shape, generator):
    x, y = batch(shape)
    for _ in range(30):
        mixed, labels = cutmix(x, y, 1.0, generator)
        for i in range(shape[0]):
            counted = [(mixed[i] == j + 1).float().mean().item() for j in range(shape[0])]
            torch.testing.assert_close(labels[i], torch.tensor(counted))


def test_cutmix_takes_the_same_place_of_the_partner(generator):
    x = torch.rand(5, 2, 6, 7, generator=generator)
    mixed, labels = cutmix(x, torch.eye(5), 1.0, generator)
    partner = (labels - torch.eye(5)).argmax(1)
    assert ((mixed == x) | (mixed == x[partner])).all()
    assert 0 < (mixed != x).float().mean() < 1


@pytest.mark.parametrize("augment", [mixup, cutmix])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_lambda_1_is_the_image_itself_and_lambda_0_never_more_than_another(
    augment, lam, generator, monkeypatch
):
    monkeypatch.setattr(augmentation, "sample_beta", lambda alpha, generator: lam)
    x, y = batch((6, 1, 4, 4))
    mixed, labels = augment(x, y, 1.0, generator)
    torch.testing.assert_close(labels.sum(1), torch.ones(6))
    if lam == 1:
        assert torch.equal(mixed, x) and torch.equal(labels, y)
    else:
        assert not torch.equal(mixed, x)


@pytest.mark.parametrize("augment", [mixup, cutmix])
@pytest.mark.parametrize("alpha", [0, -1.0, math.inf, math.nan])
def test_alpha_must_be_positive(augment, alpha, generator):
    with pytest.raises(ValueError, match=f"alpha should be above 0 and finite, got {alpha}"):
        augment(*batch((2, 1, 3, 3)), alpha, generator)


def test_beta_has_the_right_mean_and_spread(generator):
    for alpha in (0.2, 1.0, 5.0):
        drawn = torch.tensor([sample_beta(alpha, generator) for _ in range(2000)])
        assert drawn.mean() == pytest.approx(0.5, abs=0.05)
        assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_intervals_are_cut_off_at_the_border(generator):
    drawn = [random_interval(4, 3, generator) for _ in range(100)]
    assert {(i.start, i.stop) for i in drawn} == {(0, 2), (0, 3), (1, 4), (2, 4)}
    drawn = [random_interval(9, 6, generator) for _ in range(200)]
    expected = {(0, 3), (0, 4), (0, 5), (0, 6), (1, 7), (2, 8), (3, 9), (4, 9), (5, 9)}
    assert {(i.start, i.stop) for i in drawn} == expected
    assert all(i.start == i.stop for i in (random_interval(4, 0, generator) for _ in range(9)))


def test_the_pasted_rectangle_is_of_the_images_shape(generator, monkeypatch):
    """Each side is the same share of its own axis."""
    monkeypatch.setattr(augmentation, "sample_beta", lambda alpha, generator: 0.75)
    sizes = set()
    for _ in range(60):
        mixed, _ = cutmix(*batch((2, 1, 8, 40)), 1.0, generator)
        rows, columns = (mixed[0, 0] == 2).nonzero(as_tuple=True)
        if len(rows):
            sizes.add(
                ((rows.max() - rows.min() + 1).item(), (columns.max() - columns.min() + 1).item())
            )
    assert max(height for height, _ in sizes) == 4 and max(width for _, width in sizes) == 20


def test_erased_rectangles_are_more_often_tall_and_filled_up_to_one(generator):
    """Height over width is uniform in 0.3 … 3.33, so most are above 1."""
    erased = random_erasing(torch.full((600, 1, 28, 28), 2.0), generator, probability=1.0)
    taller = wider = 0
    for image in erased[:, 0]:
        rows, columns = (image != 2).nonzero(as_tuple=True)
        height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
        taller, wider = taller + int(height > width), wider + int(height < width)
    assert taller > 2 * wider > 0
    assert erased[erased != 2].max() > 0.99


@pytest.mark.parametrize("height, width", [(28, 28), (8, 31), (5, 3)])
def test_erased_area_is_one_rectangle_within_bounds(height, width, generator):
    x = torch.full((40, 2, height, width), 2.0)  # a value that noise in [0, 1) does not have
    erased = random_erasing(x, generator, probability=1.0)
    for image in erased:
        assert torch.equal(image[0] == 2, image[1] == 2)
        rows, columns = (image[0] != 2).nonzero(as_tuple=True)
        area = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        assert area == len(rows)
        assert ERASED_AREA[0] <= area / (height * width) <= ERASED_AREA[1]
        assert 0 <= image[image != 2].min() and image[image != 2].max() < 1
    assert (x == 2).all()  # the input is left alone


def test_erasing_happens_as_often_as_asked_and_leaves_what_is_too_small(generator):
    x = torch.full((400, 1, 8, 8), 2.0)
    touched = (random_erasing(x, generator, 0.25) != 2).flatten(1).any(1).float().mean()
    assert touched == pytest.approx(0.25, abs=0.06)
    assert torch.equal(random_erasing(x, generator, 0.0), x)
    assert torch.equal(random_erasing(x[:1, :, :1, :1], generator, 1.0), x[:1, :, :1, :1])


def test_every_shift_comes_and_zeros_fill(generator):
    x = torch.arange(1.0, 7).reshape(1, 1, 2, 3).expand(300, 2, 2, 3)
    shifted = random_shift(x, 1, generator)
    padded = torch.nn.functional.pad(x[0], (1, 1, 1, 1))
    windows = [padded[:, a : a + 2, b : b + 3] for a in range(3) for b in range(3)]
    assert len(shifted.unique(dim=0)) == len(windows)
    assert all(any(torch.equal(image, window) for window in windows) for image in shifted)
    assert torch.equal(random_shift(x, 0, generator), x)


def test_about_half_of_the_images_are_mirrored_whole(generator):
    x = torch.rand(400, 2, 3, 4, generator=generator)
    flipped = random_flip(x, generator)
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert (mirrored | (flipped == x).flatten(1).all(1)).all()
    assert mirrored.float().mean() == pytest.approx(0.5, abs=0.08)


AUGMENTATIONS = {
    "mixup": lambda x, g: mixup(x, torch.eye(len(x)), 0.8, g)[0],
    "cutmix": lambda x, g: cutmix(x, torch.eye(len(x)), 1.0, g)[0],
    "erasing": random_erasing,
    "shift": lambda x, g: random_shift(x, 2, g),
    "flip": random_flip,
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_same_seed_same_result_and_the_generator_moves_on(name):
    x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    before = x.clone()
    one, two = (torch.Generator().manual_seed(7) for _ in range(2))
    first = AUGMENTATIONS[name](x, one)
    assert torch.equal(first, AUGMENTATIONS[name](x, two))
    assert not torch.equal(first, AUGMENTATIONS[name](x, two))
    assert torch.equal(x, before) and first.shape == x.shape and first.dtype == x.dtype


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("labels", [torch.tensor([0, 1]), torch.eye(2).long(), torch.eye(3)])
def test_labels_that_are_no_distributions_are_refused(mix, labels, generator):
    """Numbers of classes would be mixed into the number of a third class."""
    with pytest.raises(ValueError, match="one_hot"):
        mix(torch.rand(2, 1, 4, 4), labels, 1.0, generator)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("x", [torch.rand(3, 4, 4), torch.ones(3, 1, 4, 4, dtype=torch.uint8)])
def test_what_is_no_batch_of_images_is_refused(name, x, generator):
    """A single image's channels would be taken for images; noise in whole numbers is black."""
    with pytest.raises(ValueError, match=r"expected float \(B, C, H, W\)"):
        AUGMENTATIONS[name](x, generator)


def test_a_chance_in_percent_and_a_shift_below_zero_are_refused(generator):
    with pytest.raises(ValueError, match="probability is 50, expected 0 to 1"):
        random_erasing(torch.rand(2, 1, 4, 4), generator, 50)
    with pytest.raises(ValueError, match="pad is -1, expected 0 or more"):
        random_shift(torch.rand(2, 1, 4, 4), -1, generator)
