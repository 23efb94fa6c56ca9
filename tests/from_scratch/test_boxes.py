"""Boxes in NumPy: areas by counting, the PyTorch version, identities, finite differences."""

import numpy as np
import pytest
import torch

from tutorial_lib.from_scratch.boxes import (
    edges,
    from_edges,
    generalized_iou,
    iou_backward,
    pairwise_iou,
)
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.layers import boxes as torch_boxes


def random_boxes(rng, n):
    return np.concatenate([rng.uniform(0, 1, (n, 2)), rng.uniform(0.05, 0.8, (n, 2))], axis=1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def covered(box, side=40):
    """The pixels of a grid that a box of whole pixels covers."""
    left, top, right, bottom = box
    grid = np.zeros((side, side), dtype=bool)
    grid[top:bottom, left:right] = True
    return grid


def test_areas_by_counting_pixels(rng):
    low = rng.integers(0, 25, size=(2, 12, 2))
    sides = np.concatenate([low, low + rng.integers(1, 15, size=low.shape)], axis=-1)
    a, b = (from_edges(x / 1.0) for x in sides)
    (iou, union), giou = pairwise_iou(a, b), generalized_iou(a, b)
    for i, k in np.ndindex(12, 12):
        one, other = covered(sides[0, i]), covered(sides[1, k])
        both, either = (one & other).sum(), (one | other).sum()
        rows, columns = np.nonzero(one | other)
        hull = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        np.testing.assert_allclose(iou[i, k], both / either)
        np.testing.assert_allclose(union[i, k], either)
        np.testing.assert_allclose(giou[i, k], both / either - (hull - either) / hull)


def test_equals_the_pytorch_version(rng):
    a, b = random_boxes(rng, 5), random_boxes(rng, 7)
    x, y = (torch_boxes.cxcywh_to_xyxy(torch.from_numpy(z)) for z in (a, b))
    np.testing.assert_allclose(pairwise_iou(a, b)[0], torch_boxes.iou(x[:, None], y))
    np.testing.assert_allclose(generalized_iou(a, b), torch_boxes.giou(x[:, None], y))


def test_both_ways_to_write_a_box(rng):
    boxes = random_boxes(rng, 6).reshape(2, 3, 4)
    np.testing.assert_allclose(from_edges(edges(boxes)), boxes)
    np.testing.assert_allclose(edges(np.array([3.0, 5, 2, 4])), [2, 3, 4, 7])


def test_a_box_with_itself_with_another_size_of_picture_and_far_away(rng):
    a, b = random_boxes(rng, 4), random_boxes(rng, 3)
    np.testing.assert_allclose(generalized_iou(a, a).diagonal(), 1)
    np.testing.assert_allclose(generalized_iou(64 * a, 64 * b), generalized_iou(a, b))
    np.testing.assert_allclose(generalized_iou(a, b), generalized_iou(b, a).T)
    far = generalized_iou(a, b + [1000.0, 1000, 0, 0])
    assert -1 < far.min() and far.max() < -0.999
    assert (generalized_iou(a, b) <= pairwise_iou(a, b)[0]).all()


@pytest.mark.parametrize("generalized", [False, True])
def test_backward_by_finite_differences(rng, generalized):
    a, b = random_boxes(rng, 40), random_boxes(rng, 40)  # some apart, some inside
    upstream = rng.normal(size=40)

    def loss(a):
        likeness = generalized_iou(a, b) if generalized else pairwise_iou(a, b)[0]
        return float((upstream * likeness.diagonal()).sum())

    found = iou_backward(upstream, a, b, generalized)
    assert relative_error(found["dboxes"], numerical_gradient(loss, a)) < 1e-6
    assert found["dC"].any() == generalized


def test_boxes_apart_feel_each_other_only_by_the_hull():
    a, b = np.array([[0.2, 0.5, 0.2, 0.2]]), np.array([[0.8, 0.45, 0.2, 0.3]])
    assert not iou_backward(np.ones(1), a, b, generalized=False)["dboxes"].any()
    assert iou_backward(np.ones(1), a, b, generalized=True)["dboxes"][0, 0] > 0  # to the right
