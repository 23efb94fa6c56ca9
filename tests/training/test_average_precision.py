"""COCO's average precision against pycocotools' numbers and against its rules in loops; NMS."""

import numpy as np
import pytest
import torch

from tutorial_lib.layers.boxes import cxcywh_to_xyxy, iou
from tutorial_lib.training.average_precision import IOUS, average_precision, detections, nms

# pycocotools 2.0.11, COCOeval(iouType="bbox").summarize() on what `made_up` gives: AP, AP50, AP75,
# and AP of small, medium and large objects.
PYCOCOTOOLS = {
    0: [0.2285429, 0.3445278, 0.2521867, 0.1244224, 0.2549491, 0.4536021],
    1: [0.3186587, 0.5211552, 0.3354911, 0.1266392, 0.3560452, 0.5383663],
    2: [0.3279768, 0.5152666, 0.3381426, 0.1523262, 0.3628912, 0.6097792],
}
AREAS = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def made_up(seed):
    """30 pictures of 200 × 200 pixels with up to 6 objects of 3 classes, and a detector's answers:
    some missed, some moved, twice, of another class, some for nothing; scores with ties."""
    rng = np.random.default_rng(seed)
    B, N, K = 30, 16, 6
    true_boxes, true_classes = np.zeros((B, K, 4)), np.full((B, K), -1)
    boxes, scores, classes = np.zeros((B, N, 4)), np.zeros((B, N)), np.full((B, N), -1)
    for b in range(B):
        found = []
        for k in range(rng.integers(0, K + 1)):
            size = rng.integers(10, 130, 2)
            low = rng.integers(0, 200 - size)
            true_boxes[b, k], true_classes[b, k] = [*low, *(low + size)], rng.integers(3)
            for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
                box = true_boxes[b, k] + rng.integers(-4, 5, 4)
                box[2:] = np.maximum(box[2:], box[:2] + 1)
                right = rng.random() < 0.85
                found.append((box, true_classes[b, k] if right else rng.integers(3)))
        for _ in range(rng.integers(0, 5)):
            low = rng.integers(0, 150, 2)
            found.append(([*low, *(low + rng.integers(5, 120, 2))], rng.integers(3)))
        for n, (box, c) in enumerate(found[:N]):
            boxes[b, n], classes[b, n], scores[b, n] = box, c, rng.integers(1, 60) / 64
    arrays = boxes, scores, classes, true_boxes, true_classes
    return [torch.from_numpy(x) for x in arrays]


@pytest.mark.parametrize("seed", PYCOCOTOOLS)
def test_equals_pycocotools(seed):
    found = made_up(seed)
    ap = average_precision(*found)
    by_size = [average_precision(*found, areas=areas).mean() for areas in AREAS.values()]
    np.testing.assert_allclose([ap.mean(), ap[0], ap[5], *by_size], PYCOCOTOOLS[seed], atol=1e-6)


def by_its_rules(boxes, scores, classes, true_boxes, true_classes, threshold):
    """AP at one IoU by walking down the list of all boxes, class by class."""
    found = []
    for c in range(3):
        answers = [(-scores[b, i], b, i) for b, i in (classes == c).nonzero().tolist()]
        wanted = (true_classes == c).sum().item()
        taken, hits, points = set(), 0, []
        for seen, (_, b, i) in enumerate(sorted(answers, key=lambda a: a[0]), 1):
            overlaps = [
                (iou(boxes[b, i], true_boxes[b, j]).item(), j)
                for j in (true_classes[b] == c).nonzero()[:, 0].tolist()
                if (b, j) not in taken
            ]
            best, j = max(overlaps, default=(0, None))
            if best >= threshold:
                taken.add((b, j))
                hits += 1
            points.append((hits / wanted, hits / seen))
        levels = [max([p for r, p in points if r >= i / 100], default=0) for i in range(101)]
        found.append(sum(levels) / 101)
    return sum(found) / 3


@pytest.mark.parametrize("threshold", [0.5, 0.75])
def test_equals_its_rules_in_loops(threshold):
    found = made_up(3)
    expected = by_its_rules(*found, threshold)
    assert average_precision(*found, ious=[threshold])[0] == pytest.approx(expected)


def one_picture(classes, scores):
    """Three objects of class 0 side by side; box i is the i-th of them, then twice the first."""
    true_boxes = torch.tensor([[[x, 0.0, x + 1, 1] for x in (0, 2, 4)]])
    boxes = true_boxes[:, [0, 1, 2, 0, 0]]
    scores, classes = torch.tensor([scores]), torch.tensor([classes])
    return boxes, scores, classes, true_boxes, torch.zeros(1, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    "classes, scores, expected",
    [
        ([0, 0, 0, -1, -1], [0.9, 0.8, 0.7, 0.0, 0.0], 1),
        ([0, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5], 1),  # duplicates at the end cost nothing
        ([0, 0, 0, 0, -1], [0.9, 0.8, 0.5, 0.6, 0.0], (67 + 34 * 3 / 4) / 101),  # before a hit
        ([0, 0, 1, -1, -1], [0.9, 0.8, 0.7, 0.0, 0.0], 67 / 101),  # recall ends at 2/3
        ([1, 1, 1, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5], 0),
        ([-1] * 5, [0.9, 0.8, 0.7, 0.6, 0.5], 0),
    ],
)
def test_answers_that_are_known(classes, scores, expected):
    np.testing.assert_allclose(average_precision(*one_picture(classes, scores)), expected)


def test_without_objects_there_is_nothing_to_measure():
    boxes, scores, classes, true_boxes, _ = one_picture([0] * 5, [0.5] * 5)
    with pytest.raises(ValueError, match="there is no object to find"):
        average_precision(boxes, scores, classes, true_boxes, torch.full((1, 3), -1))


def suppressed(boxes, scores, classes, threshold):
    left = sorted((i for i in range(len(scores)) if classes[i] >= 0), key=lambda i: -scores[i])
    kept = torch.full_like(classes, -1)
    while left:
        first = left.pop(0)
        kept[first] = classes[first]
        left = [
            i
            for i in left
            if classes[i] != classes[first] or iou(boxes[i], boxes[first]) <= threshold
        ]
    return kept


@pytest.mark.parametrize("threshold", [0.2, 0.4])
def test_nms_equals_its_rule_in_loops(threshold):
    torch.manual_seed(0)
    boxes = cxcywh_to_xyxy(torch.cat([torch.rand(3, 4, 12, 2), 0.2 + torch.rand(3, 4, 12, 2)], -1))
    scores, classes = torch.rand(3, 4, 12).mul(8).round() / 8, torch.randint(-1, 2, (3, 4, 12))
    found = nms(boxes, scores, classes, threshold)
    assert found.shape == (3, 4, 12) and not found.equal(classes)
    for i in np.ndindex(3, 4):
        assert found[i].equal(suppressed(boxes[i], scores[i], classes[i], threshold))
    assert nms(boxes, scores, found, threshold).equal(found), "nothing is left to remove"


def test_nms_removes_duplicates_and_nothing_else():
    boxes, scores, classes, *_ = one_picture([0, 0, 1, 0, 1], [0.5, 0.8, 0.7, 0.6, 0.4])
    assert nms(boxes, scores, classes).tolist() == [[-1, 0, 1, 0, 1]]


def test_a_query_says_its_best_class_that_is_an_object():
    logits = torch.tensor([[[1.0, 3.0, 9.0], [2.0, 0.0, -5.0]]])
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.4]] * 2])
    found, scores, classes = detections(logits, boxes)
    assert classes.tolist() == [[1, 0]]
    torch.testing.assert_close(scores, logits.softmax(-1)[0, [0, 1], [1, 0]][None])
    torch.testing.assert_close(found[0, 0], torch.tensor([0.4, 0.3, 0.6, 0.7]))
    assert len(IOUS) == 10 and IOUS[0] == 0.5 and IOUS[-1] == 0.95


def test_an_object_that_does_not_count_is_the_last_choice():
    """A box fits a large object better, but only the small one counts."""
    true_boxes = torch.tensor([[[0.0, 0, 10, 10], [0.0, 0, 10, 6]]])
    boxes, kinds = torch.tensor([[[0.0, 0, 10, 9]]]), torch.zeros(1, 2, dtype=torch.int64)
    found = boxes, torch.ones(1, 1), kinds[:, :1], true_boxes, kinds
    assert average_precision(*found, ious=[0.5], areas=(0, 70)) == 1
    assert average_precision(*found, ious=[0.8], areas=(0, 70)) == 0
    assert average_precision(*found, ious=[0.8], areas=(70, 200)) == 1
