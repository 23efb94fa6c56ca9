"""Far marks and bars: where the marks are, and that one alone says nothing."""

import pytest
import torch

from tutorial_lib.data.marks import bars, far_marks


def strong(images):
    """The cells that have a mark: bool (count, rows, columns), and +1 or −1 for its kind."""
    cells = images[:, 0].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).movedim(3, 2)
    contrast = (cells[..., 0, 0] - cells[..., 0, 1] - cells[..., 1, 0] + cells[..., 1, 1]) / 4
    return contrast.abs() > 0.5, contrast.sign()


@pytest.mark.parametrize("side, window", [(16, 8), (24, 6)])
def test_far_marks_are_in_two_windows(side, window):
    images, labels = far_marks(500, side, window, torch.Generator().manual_seed(0))
    assert images.shape == (500, 1, side, side) and images.dtype == torch.float32
    found, kind = strong(images)
    assert (found.sum((1, 2)) == 2).all()
    per_window = found.unflatten(2, (-1, window // 2)).unflatten(1, (-1, window // 2)).sum((2, 4))
    assert (per_window <= 1).all()
    assert (found.sum(0) > 0).all()  # they occur everywhere
    same = (kind * found).sum((1, 2)).abs() == 2
    assert labels.equal(same.long()) and 0.4 < same.float().mean() < 0.6


def test_bars_have_their_marks_at_the_ends():
    images, labels = bars(500, 16, torch.Generator().manual_seed(0))
    found, kind = strong(images)
    level = found[:, :, 0].any(1) & found[:, :, -1].any(1) & (found.any(2).sum(1) == 1)
    upright = found[:, 0].any(1) & found[:, -1].any(1) & (found.any(1).sum(1) == 1)
    assert (level ^ upright).all() and 0.4 < level.float().mean() < 0.6
    row = found[level][:, :, 0].float().argmax(1)
    grey = images[level][torch.arange(len(row)), 0, 2 * row, 2:-2]
    assert (grey.mean(1) - 0.5).abs().max() < 0.2
    same = (kind * found).sum((1, 2)).abs() == 2
    assert labels.equal(same.long()) and 0.4 < same.float().mean() < 0.6


def test_the_same_seed_gives_the_same_images():
    for make in (lambda g: far_marks(3, 16, 8, g), lambda g: bars(3, 16, g)):
        first, second = (make(torch.Generator().manual_seed(1)) for _ in range(2))
        assert first[0].equal(second[0]) and first[1].equal(second[1])


def test_what_does_not_fit_is_refused():
    generator = torch.Generator()
    for side, window in [(16, 16), (16, 5), (15, 5), (18, 4)]:
        with pytest.raises(ValueError, match=f"side {side} and window {window}: expected"):
            far_marks(1, side, window, generator)
    with pytest.raises(ValueError, match="side 7: expected a multiple of 2"):
        bars(1, 7, generator)
