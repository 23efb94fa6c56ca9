"""Matching by brute force over all assignments, and what the set loss must not depend on."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou
from tutorial_lib.layers.matching import match, matching_cost
from tutorial_lib.layers.set_loss import SetLoss

C = 3  # classes


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def random_boxes(*shape):
    return torch.cat([torch.rand(*shape, 2), 0.1 + 0.3 * torch.rand(*shape, 2)], -1)


def predictions(B, N):
    return torch.randn(B, N, C + 1), random_boxes(B, N)


def objects(*counts):
    """Of pictures with so many objects, padded at places that are not always the last."""
    K = max(counts) + 1
    classes = torch.full((len(counts), K), -1)
    for row, count in zip(classes, counts):
        row[torch.randperm(K)[:count]] = torch.randint(C, (count,))
    return classes, random_boxes(len(counts), K)


def test_a_cost_is_the_papers_sum():
    (logits, boxes), (classes, true_boxes) = predictions(2, 4), objects(3, 2)
    found = matching_cost(logits, boxes, classes, true_boxes, weights=(0.7, 3.0, 1.5))
    assert found.shape == (2, 4, 4)
    for b, j in (classes >= 0).nonzero().tolist():
        for i in range(4):
            p = logits[b, i].exp() / logits[b, i].exp().sum()
            apart = (boxes[b, i] - true_boxes[b, j]).abs().sum()
            overlap = giou(cxcywh_to_xyxy(boxes[b, i]), cxcywh_to_xyxy(true_boxes[b, j]))
            expected = -0.7 * p[classes[b, j]] + 3.0 * apart - 1.5 * overlap
            torch.testing.assert_close(found[b, i, j], expected)


@pytest.mark.parametrize("N, count", [(5, 3), (4, 4), (3, 5), (1, 1), (1, 3), (6, 1)])
def test_matching_is_the_cheapest_of_all(N, count):
    (logits, boxes), (classes, true_boxes) = predictions(3, N), objects(count, count, 0)
    assigned = match(logits, boxes, classes, true_boxes)
    assert assigned.shape == (3, N) and (assigned[2] == -1).all()
    cost = matching_cost(logits, boxes, classes, true_boxes)
    for b in range(2):
        there = (classes[b] >= 0).nonzero()[:, 0].tolist()
        chosen = assigned[b][assigned[b] >= 0].tolist()
        assert len(set(chosen)) == len(chosen) == min(N, count) and set(chosen) <= set(there)
        paid = sum(cost[b, i, j] for i, j in enumerate(assigned[b].tolist()) if j >= 0)
        few, many = (range(N), there) if N <= count else (there, range(N))
        cheapest = min(
            sum(cost[b, i, j] if N <= count else cost[b, j, i] for i, j in zip(few, order))
            for order in itertools.permutations(many, len(few))
        )
        assert paid == pytest.approx(cheapest.item(), abs=1e-5)


def test_leading_axes_of_a_matching_are_batches():
    logits, boxes = torch.randn(2, 3, 4, C + 1), random_boxes(2, 3, 4)
    classes, true_boxes = objects(2, 0, 3)
    found = match(logits, boxes, classes.expand(2, 3, -1), true_boxes.expand(2, 3, -1, 4))
    for layer in range(2):
        assert found[layer].equal(match(logits[layer], boxes[layer], classes, true_boxes))


def test_what_is_no_number_is_the_last_choice_and_a_loss_that_diverged_is_seen():
    (logits, boxes), targets = predictions(1, 3), objects(2)
    boxes[0, 1] = float("nan")
    assert (match(logits, boxes, *targets)[0, [0, 2]] >= 0).all()
    assert SetLoss(C)([(logits * float("nan"), boxes)], *targets).isnan()


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="there is a class 3, expected 0 to 2"):
        match(*predictions(1, 3), torch.tensor([[0, C]]), random_boxes(1, 2))


def test_the_loss_by_loops():
    (logits, boxes), (classes, true_boxes) = predictions(3, 5), objects(2, 0, 4)
    loss = SetLoss(C, no_object=0.2, weights=(0.5, 3.0, 1.5))
    assigned = match(logits, boxes, classes, true_boxes, (0.5, 3.0, 1.5))
    entropy = weight = l1 = g = 0
    for b in range(3):
        for i in range(5):
            j = assigned[b, i]
            target, w = (classes[b, j], 1) if j >= 0 else (C, 0.2)
            entropy -= w * logits[b, i].log_softmax(-1)[target]
            weight += w
            if j >= 0:
                l1 += (boxes[b, i] - true_boxes[b, j]).abs().sum()
                a, t = cxcywh_to_xyxy(boxes[b, i]), cxcywh_to_xyxy(true_boxes[b, j])
                g += 1 - giou(a, t)
    parts = loss.parts(logits, boxes, classes, true_boxes)
    expected = {"class": entropy / weight, "l1": l1 / 6, "giou": g / 6}
    assert parts.keys() == expected.keys()
    for name in parts:
        torch.testing.assert_close(parts[name], expected[name])
    total = 0.5 * expected["class"] + 3.0 * expected["l1"] + 1.5 * expected["giou"]
    torch.testing.assert_close(loss([(logits, boxes)], classes, true_boxes), total)


def test_no_order_in_no_order_out():
    (logits, boxes), (classes, true_boxes) = predictions(3, 6), objects(2, 5, 3)
    loss, expected = SetLoss(C), None
    expected = loss([(logits, boxes)], classes, true_boxes)
    i, j = torch.randperm(6), torch.randperm(classes.shape[1])
    objects_moved = loss([(logits, boxes)], classes[:, j], true_boxes[:, j])
    queries_moved = loss([(logits[:, i], boxes[:, i])], classes, true_boxes)
    torch.testing.assert_close(objects_moved, expected)
    torch.testing.assert_close(queries_moved, expected)


def test_padding_and_what_lies_in_it_change_nothing():
    (logits, boxes), (classes, true_boxes) = predictions(2, 5), objects(2, 3)
    loss = SetLoss(C)
    expected = loss([(logits, boxes)], classes, true_boxes)
    more = F.pad(classes, (0, 2), value=-1), torch.cat([true_boxes, random_boxes(2, 2)], 1)
    more[1][more[0] < 0] = 7.0
    torch.testing.assert_close(loss([(logits, boxes)], *more), expected)


def test_layers_are_added_and_matched_on_their_own():
    one, two, targets = predictions(2, 5), predictions(2, 5), objects(2, 3)
    loss = SetLoss(C)
    torch.testing.assert_close(
        loss([one, two], *targets), loss([one], *targets) + loss([two], *targets)
    )


@pytest.mark.parametrize("K", [0, 2])
def test_without_objects_only_the_class_is_learned(K):
    logits, boxes = (x.requires_grad_() for x in predictions(2, 4))
    targets = torch.full((2, K), -1), torch.zeros(2, K, 4)
    loss = SetLoss(C)([(logits, boxes)], *targets)
    torch.testing.assert_close(loss, -logits.log_softmax(-1)[..., -1].mean())
    loss.backward()
    assert logits.grad.any() and not boxes.grad.any()


def test_a_perfect_answer_costs_nothing():
    classes, true_boxes = objects(3, 1)
    logits = torch.full((2, 4, C + 1), -50.0)
    logits[..., -1] = 50  # no object, but for
    for b, j in (classes >= 0).nonzero().tolist():
        logits[b, j, -1], logits[b, j, classes[b, j]] = -50, 50
    parts = SetLoss(C).parts(logits, true_boxes.clone(), classes, true_boxes)
    assert max(parts.values()) < 1e-6


def test_every_weight_counts_in_matching_and_loss():
    one, targets = predictions(2, 5), objects(3, 4)
    expected = SetLoss(C)([one], *targets)
    for change in ((2, 5, 2), (1, 9, 2), (1, 5, 9)):
        assert SetLoss(C, weights=change)([one], *targets) != expected
    assert SetLoss(C, no_object=0.5)([one], *targets) != expected
    # One box has the right class, the other the right place: the weights say which one answers.
    logits, boxes = torch.zeros(1, 2, C + 1), torch.tensor([[[0.5, 0.5, 0.2, 0.2]] * 2])
    logits[0, 0, 1], boxes[0, 0, 0] = 5, 0.8
    target = torch.tensor([[1]]), boxes[:, 1:]
    assert match(logits, boxes, *target, (9.0, 1.0, 1.0)).tolist() == [[0, -1]]
    assert match(logits, boxes, *target, (0.1, 1.0, 0.1)).tolist() == [[-1, 0]]
    assert match(logits, boxes, *target, (0.1, 0.1, 1.0)).tolist() == [[-1, 0]]
