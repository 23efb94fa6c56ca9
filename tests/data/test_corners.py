"""Two corners: the answer is in both together and in neither alone."""

import pytest
import torch

from tutorial_lib.data.corners import SHAPES, corners


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def shape_in(corner):
    """The place in SHAPES of the one that the corner (margin, margin) holds, noiseless."""
    windows = corner.unfold(0, 5, 1).unfold(1, 5, 1).flatten(0, 1)  # (n, 5, 5)
    off = (windows[:, None] - SHAPES).abs().sum((2, 3))  # (n, shapes)
    assert (off == 0).sum() == 1
    return off.amin(0).argmin().item()


def test_the_label_says_whether_the_shapes_are_the_same():
    images, labels = corners(200, generator(), side=24, margin=7, noise=0.0)
    assert images.shape == (200, 1, 24, 24) and images.dtype == torch.float32
    pairs = [(shape_in(x[:7, :7]), shape_in(x[-7:, -7:])) for x in images[:, 0]]
    assert [int(a == b) for a, b in pairs] == labels.tolist()
    assert len(set(pairs)) == len(SHAPES) ** 2
    images[:, :, :7, :7], images[:, :, -7:, -7:] = 0, 0
    assert not images.any()


def test_one_corner_alone_tells_nothing():
    images, labels = corners(2000, generator(), side=16, margin=5, noise=0.0)
    for corner in (images[:, 0, :5, :5], images[:, 0, -5:, -5:]):
        kind = (corner[:, None] - SHAPES).abs().sum((2, 3)).argmin(1)
        for shape in range(len(SHAPES)):
            assert abs(labels[kind == shape].float().mean() - 0.5) < 0.08  # 3.6 deviations


def test_the_generator_alone_decides():
    assert all(map(torch.equal, corners(3, generator(5)), corners(3, generator(5))))
    assert not torch.equal(corners(3, generator(5))[0], corners(3, generator(6))[0])


@pytest.mark.parametrize("margin", [4, 17])
def test_a_corner_that_holds_no_shape_is_refused(margin):
    with pytest.raises(ValueError, match=f"margin is {margin}, expected 5 to 16 pixels"):
        corners(1, generator(), margin=margin)
