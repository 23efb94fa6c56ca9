"""Few labels, own rates, the other ingredients: small versions of what the records hold."""

import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.measuring import records
from tutorial_lib.recipes.deit import deit, few_labels, ingredients, own_rate


def test_the_first_pictures_of_a_batch_have_the_labels():
    images, labels = few_labels.few_labels(labelled=7, count=30)
    draw = few_labels.drawer(images, labels, known=20)
    x, y = draw(torch.Generator().manual_seed(0))
    assert x.shape == (64, 1, 28, 28) and y.shape == (20,)
    numbers = [(deit.normalized(images) == one).flatten(1).all(1).int().argmax() for one in x]
    assert [labels[i].item() for i in numbers[:20]] == y.tolist()
    assert max(numbers[:20]) < 7 <= max(numbers[20:])


def test_the_step_of_the_exercise_has_the_loss_of_the_recipe():
    from tutorial_lib.exercises.deit.training import Small, distillation_step

    torch.manual_seed(0)
    teacher, student, x = torch.nn.Linear(3, 4), Small(), torch.randn(6, 3)
    labels = torch.tensor([0, 3])
    expected = few_labels.distilled(teacher)(student.train(), x, labels).item()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    assert distillation_step.reference(student, optimizer, teacher, x, labels) == expected
    alone = few_labels.labels_alone(student, x[:2], labels).item()
    both = sum(F.cross_entropy(z, labels) for z in student(x[:2])) / 2
    assert abs(alone - both.item()) < 1e-6


def test_smoothed_labels_and_repeated_pictures():
    y = ingredients.smooth(torch.eye(10)[:3], 0.1)
    torch.testing.assert_close(y.sum(-1), torch.ones(3))
    torch.testing.assert_close(y[1, 1], torch.tensor(0.91))
    found = ingredients.repeated(torch.arange(64), 3)
    counts = found.bincount()
    assert len(found) == 64 and len(counts) == 22 and counts.min() >= 2 and counts.max() == 3


def test_the_deeper_layers_are_left_out_more_often():
    chances = [layer.probability for layer in ingredients.student("stochastic depth").encoder]
    assert chances == pytest.approx([0, 1 / 30, 2 / 30, 0.1])


def test_every_row_that_is_planned_is_recorded():
    for name, module in (
        ("few-labels", few_labels),
        ("deit-own-rate", own_rate),
        ("deit-ingredients", ingredients),
    ):
        rows = records.recorded(name)[0]["rows"]
        asked = [{k: row[k] for k in plan} for plan in module.plan()[:1] for row in rows]
        assert sorted(map(str, asked)) == sorted(map(str, module.plan()))
