"""Two stages: proposals of every place, the best of them as queries, boxes that refine them."""

import pytest
import torch

from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.models.detection.detr import TinyBackbone
from tutorial_lib.models.detection.two_stage import TwoStageDETR, starting_boxes


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small(queries=4):
    return TwoStageDETR(TinyBackbone(8), 3, queries, dim=8, depth=2, heads=2, hidden=12)


def test_proposals_of_all_places_come_first():
    outputs = small().eval()(torch.rand(2, 3, 16, 24))
    assert [tuple(boxes.shape) for _, boxes in outputs] == [(2, 6, 4), (2, 4, 4), (2, 4, 4)]
    assert [tuple(logits.shape) for logits, _ in outputs] == [(2, 6, 4), (2, 4, 4), (2, 4, 4)]


def test_starting_boxes_stand_row_by_row_in_the_middle_of_their_places():
    boxes = starting_boxes(2, 4).sigmoid()
    assert boxes.shape == (8, 4)
    torch.testing.assert_close(boxes[4 * 1 + 2], torch.tensor([0.625, 0.75, 0.3, 0.3]))


def test_boxes_are_those_of_the_best_proposals_where_the_heads_say_no_change():
    model, images = small().eval(), torch.rand(2, 3, 24, 24)
    for head in (model.propose_box, model.box_head):
        torch.nn.init.zeros_(head[-1].weight)
        torch.nn.init.zeros_(head[-1].bias)
    (logits, proposed), _, (_, boxes) = model(images)
    torch.testing.assert_close(proposed, starting_boxes(3, 3).sigmoid().expand(2, -1, -1))
    for b in range(2):
        best = logits[b].softmax(-1)[:, -1].argsort()[:4]  # the least "no object"
        torch.testing.assert_close(boxes[b], proposed[b, best])


def test_queries_differ_from_picture_to_picture_and_all_that_is_learned_learns():
    model, images = small(), torch.rand(2, 3, 24, 24)
    outputs = model.eval()(images)
    assert not outputs[-1][1][0].allclose(outputs[-1][1][1])
    targets = torch.tensor([[0, 2], [1, -1]]), torch.rand(2, 2, 4)
    SetLoss(3)(model.train()(images), *targets).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.any() or name.endswith("to_k.bias"), name
