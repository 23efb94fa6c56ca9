"""What the figures of chapter 14 show, and the small scenes of its trainings."""

import matplotlib.pyplot as plt
import torch
from torch import nn

from tutorial_lib.data.scenes import KINDS
from tutorial_lib.exercises import detr as exercise
from tutorial_lib.recipes.detr import detr as recipe
from tutorial_lib.recipes.detr import losses
from tutorial_lib.recipes.detr.looking import answers, looks, show_answers
from tutorial_lib.recipes.detr.small_scenes import SHOWN, ap50, small_scenes


class Oracle(nn.Module):
    """Says what it was told: logits (N, C + 1), boxes (N, 4)."""

    def __init__(self, logits, boxes):
        super().__init__()
        self.told = logits[None], boxes[None]

    def forward(self, images):
        return tuple(x.expand(len(images), -1, -1) for x in self.told)


def test_only_sure_answers_are_drawn_and_nothing_else_is_removed():
    logits = torch.full((4, 6), -5.0)
    logits[[0, 1, 2, 3], [1, 1, 4, 5]] = torch.tensor([5.0, 5, 5, 5])  # the last says "no object"
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4]]).repeat(4, 1)
    model = Oracle(logits, boxes)
    _, kind, sure = answers(model, torch.rand(3, 8, 8))
    assert kind[:3].tolist() == [1, 1, 4] and sure[:3].min() > 0.9 > 0.5 > sure[3]
    fig, ax = plt.subplots()
    show_answers(ax, model, torch.rand(3, 8, 8))
    assert [t.get_text().split()[0] for t in ax.texts] == ["trouser", "trouser", "bag"]
    box = ax.patches[0].get_bbox()
    torch.testing.assert_close(
        torch.tensor(box.extents), torch.tensor([0.4, 0.3, 0.6, 0.7]).double()
    )
    plt.close(fig)


def test_looks_are_shares_and_those_of_both_classes():
    model = recipe.fresh("plain", seed=0)
    learner = exercise.DETR.reference(64, 5, 10, 64, 2, 4, 128)
    learner.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, 16, 32)
    where = looks(model, images)
    assert where.shape == (2, 10, 2, 4)
    torch.testing.assert_close(where.sum((-2, -1)), torch.ones(2, 10))
    torch.testing.assert_close(looks(learner, images), where)
    for x, y in zip(model(images)[-1], learner(images)):
        torch.testing.assert_close(x, y)


def test_small_scenes_are_small_and_an_oracle_finds_all_of_one():
    images, classes, boxes = small_scenes("test", 3)
    assert images.shape[1:] == (3, 32, 32) and classes.shape == (3, 2)
    assert {list(KINDS)[c] for c in classes.flatten() if c >= 0} <= set(SHOWN)
    logits = 20 * nn.functional.one_hot(classes[0].where(classes[0] >= 0, 5), 6).float()
    model = Oracle(logits, boxes[0]).train()
    assert ap50(model, images[:1], classes[:1], boxes[:1]) == 1.0
    assert ap50(model, images[:1], (classes[:1] + 1) % 5, boxes[:1]) == 0.0
    assert model.training


def test_the_losses_of_the_record_differ_as_they_say():
    model = recipe.fresh("plain", seed=0).eval()
    images, classes, boxes = small_scenes("test", 3)
    whole = recipe.set_loss(model, images, classes, boxes)
    assert 0 < losses.last_layer_alone(model, images, classes, boxes) < whole
    # Listed twice, each object takes a second query: as if all were there two times.
    twice = recipe.set_loss(model, images, classes.repeat(1, 2), boxes.repeat(1, 2, 1))
    assert losses.objects_twice(model, images, classes, boxes) == twice != whole
    assert {(row["variant"], row["seed"]) for row in losses.plan()} == {
        (variant, seed) for variant in losses.VARIANTS for seed in range(3)
    }
