"""Boxes: the two ways to write them, and overlap against counted pixels, bounds and edge cases."""

import numpy as np
import pytest
import torch

from tutorial_lib.layers.boxes import area, cxcywh_to_xyxy, giou, iou, xyxy_to_cxcywh


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def pixel_boxes(n, rng):
    """xyxy with whole numbers in 0 … 12, none empty."""
    low = torch.randint(0, 8, (n, 2), generator=rng)
    return torch.cat([low, low + torch.randint(1, 5, (n, 2), generator=rng)], 1).double()


def pixels(box):
    mask = np.zeros((13, 13), dtype=bool)
    left, top, right, bottom = (int(v) for v in box)
    mask[top:bottom, left:right] = True
    return mask


def test_formats_are_each_others_inverse_and_known(rng):
    boxes = pixel_boxes(20, rng).reshape(4, 5, 4)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)
    corners = cxcywh_to_xyxy(torch.tensor([3.0, 5.0, 2.0, 4.0]))
    assert corners.tolist() == [2, 3, 4, 7]


def test_every_pair_equals_counted_pixels(rng):
    a, b = pixel_boxes(30, rng), pixel_boxes(25, rng)
    found_iou, found_giou = iou(a[:, None], b), giou(a[:, None], b)
    assert found_iou.shape == found_giou.shape == (30, 25)
    for i in range(30):
        assert area(a)[i] == pixels(a[i]).sum()
        for j in range(25):
            shared, union = (pixels(a[i]) & pixels(b[j])).sum(), (pixels(a[i]) | pixels(b[j])).sum()
            hull = pixels(torch.cat([torch.minimum(a[i], b[j])[:2], torch.maximum(a[i], b[j])[2:]]))
            assert found_iou[i, j] == pytest.approx(shared / union)
            expected = shared / union - (hull.sum() - union) / hull.sum()
            assert found_giou[i, j] == pytest.approx(expected)


def test_bounds_symmetry_and_scale(rng):
    a, b = pixel_boxes(200, rng), pixel_boxes(200, rng)
    assert ((0 <= iou(a, b)) & (iou(a, b) <= 1)).all()
    assert ((-1 < giou(a, b)) & (giou(a, b) <= iou(a, b))).all()
    for overlap in (iou, giou):
        torch.testing.assert_close(overlap(a, b), overlap(b, a))
        torch.testing.assert_close(overlap(a, b), overlap(a * 0.03 + 7, b * 0.03 + 7))


def test_identical_touching_far_and_inner_boxes():
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    beside, far = torch.tensor([1.0, 0.0, 2.0, 1.0]), torch.tensor([99.0, 0.0, 100.0, 1.0])
    inner, corner = torch.tensor([0.0, 0.0, 0.5, 0.5]), torch.tensor([1.0, 1.0, 2.0, 2.0])
    assert iou(unit, unit) == giou(unit, unit) == 1
    assert iou(unit, beside) == giou(unit, beside) == 0  # they fill the box around them
    assert iou(unit, corner) == 0 and giou(unit, corner) == -0.5
    assert iou(unit, far) == 0 and giou(unit, far) == pytest.approx(-0.98)
    assert iou(unit, inner) == giou(unit, inner) == 0.25


def test_boxes_without_area_give_numbers_and_gradients():
    point = torch.zeros(4, requires_grad=True)
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    for other in (unit, torch.zeros(4)):
        assert iou(point, other) == 0 and -1 <= giou(point, other) <= 0
        (gradient,) = torch.autograd.grad(giou(point, other) + iou(point, other), point)
        assert gradient.isfinite().all()


def test_a_gradient_reaches_boxes_that_do_not_touch_through_giou_alone():
    box, other = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([3.0, 0.0, 4.0, 1.0])
    box.requires_grad_()
    assert not torch.autograd.grad(iou(box, other), box)[0].any()
    (gradient,) = torch.autograd.grad(giou(box, other), box)
    assert gradient[2] > 0, "GIoU grows as the right edge goes towards the other"
    a = pixel_boxes(6, torch.Generator().manual_seed(1)) + 0.1 * torch.rand(6, 4).double()
    b = pixel_boxes(6, torch.Generator().manual_seed(2))
    torch.autograd.gradcheck(giou, (a.requires_grad_(), b))


def test_what_is_no_box_is_refused():
    for function in (area, cxcywh_to_xyxy, xyxy_to_cxcywh, lambda x: iou(x, x)):
        with pytest.raises(ValueError, match=r"boxes are \(4, 3\), expected \(..., 4\)"):
            function(torch.zeros(4, 3))
