"""The recipe of chapter 06: its losses are the chapter's, its teachers do as well as they say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.from_scratch import distillation as by_hand
from tutorial_lib.layers.distillation import divergence_from_teacher
from tutorial_lib.measuring import records
from tutorial_lib.recipes.deit import deit as recipe

N, K = 5, 4


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    y = 0.7 * np.eye(K)[rng.integers(K, size=N)] + 0.3 * np.eye(K)[rng.integers(K, size=N)]
    return *rng.normal(size=(3, N, K)), y


def tensors(*arrays):
    return [torch.from_numpy(a) for a in arrays]


def test_the_token_loss_is_the_chapters_hard_distillation(logits):
    Z_cls, Z_dist, Z_t, y = logits
    z_cls, z_dist, z_t, target = tensors(Z_cls, Z_dist, Z_t, y)
    found = recipe.token((z_cls, z_dist), target, z_t).item()
    assert found == pytest.approx(by_hand.hard_distillation(Z_cls, Z_dist, y, Z_t))
    one_head = recipe.hard(z_cls, target, z_t).item()
    assert one_head == pytest.approx(by_hand.hard_distillation(Z_cls, Z_cls, y, Z_t))
    surer = recipe.token((z_cls, z_dist), target, 10 * z_t).item()
    assert surer == found  # a decision does not say how sure the teacher is


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_soft_loss_is_label_and_teacher_by_their_shares(logits, share):
    Z_s, _, Z_t, y = logits
    z_s, z_t, target = tensors(Z_s, Z_t, y)
    expected = (1 - share) * by_hand.cross_entropy(Z_s, y)
    expected += share * by_hand.soft_distillation(Z_s, Z_t, recipe.TAU)
    assert recipe.soft(z_s, target, z_t, share).item() == pytest.approx(expected)


@pytest.mark.parametrize("tau", [0.5, 3.0])
def test_the_divergence_teaches_the_student_and_not_the_teacher(logits, tau):
    Z_s, _, Z_t, _ = logits
    z_s, z_t = (z.requires_grad_() for z in tensors(Z_s, Z_t))
    divergence_from_teacher(z_s, z_t, tau).backward()
    expected = by_hand.soft_distillation_backward(Z_s, Z_t, tau)["dZ_s"]
    np.testing.assert_allclose(z_s.grad.numpy(), expected, atol=1e-12)
    assert z_t.grad is None


@pytest.mark.parametrize("seen", recipe.AUGMENTATIONS, ids=", ".join)
def test_batches_are_normalized_repeatable_and_labelled_by_distributions(seen):
    draw = recipe.drawer(seen)
    x, y = draw(torch.Generator().manual_seed(3))
    again, _ = draw(torch.Generator().manual_seed(3))
    assert x.shape == (64, 1, 28, 28) and torch.equal(x, again)
    assert abs(x.mean()) < 0.4 and 0.6 < x.std() < 1.5
    torch.testing.assert_close(y.sum(-1), torch.ones(64))
    mixed = (y > 0).sum(-1).max() > 1
    assert mixed == any("mixup" in name or "CutMix" in name for name in seen)


def test_without_changes_a_batch_shows_the_first_pictures_as_they_are():
    images, labels = fashion_mnist("train", 3)
    x, y = recipe.drawer((), count=3)(torch.Generator().manual_seed(0))
    for picture, told in zip(x, y):
        which = [torch.equal(picture[0], recipe.normalized(image)) for image in images]
        assert labels[which.index(True)] == told.argmax()


@pytest.mark.parametrize("name", recipe.CHECKPOINT_FILES)
def test_a_checkpoint_does_as_well_as_its_record_says(name):
    model, record = recipe.load(name)
    images, labels = fashion_mnist("test")
    decided = recipe.predictions(model, recipe.normalized(images[:1000, None]))["answer"].argmax(-1)
    found = (decided == labels[:1000]).float().mean().item()
    assert found == pytest.approx(float(record["accuracy"]), abs=0.03)
    assert not model.training and record["count"] == str(recipe.PICTURES)
    assert (recipe.CHECKPOINTS / recipe.CHECKPOINT_FILES[name]).stat().st_size < 2**20


def test_a_teacher_is_trained_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipe, "BATCH", 4)
    recipe.train_teacher("CNN", tmp_path / "new", seed=5, steps=2)
    model, record = recipe.load("CNN", tmp_path / "new")
    assert (record["steps"], record["seed"], record["batch"]) == ("2", "5", "4")
    assert record["accuracy"] in capsys.readouterr().out
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_chapters_student_is_trained_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipe, "BATCH", 4)
    recipe.train_student(tmp_path, seed=3, steps=2)
    model, record = recipe.load("DeiT", tmp_path)
    assert (record["lesson"], record["seed"]) == ("hard, own token", "3")
    assert record["accuracy"] in capsys.readouterr().out
    assert not torch.equal(model.head.weight, model.distillation_head.weight)


@pytest.mark.parametrize("lesson", recipe.LESSONS)
def test_every_lesson_teaches_on_the_pictures_that_the_student_sees(lesson, monkeypatch):
    kind, taught_by, _ = recipe.LESSONS[lesson]
    asked, shown = [], []

    class Teacher(torch.nn.Module):
        def forward(self, x):
            asked.append(x)
            return F.one_hot(torch.arange(len(x)) % 10, 10).float()

    make, lr = recipe.MAKERS[kind]

    def watched():
        student = make()
        student.register_forward_pre_hook(lambda model, args: shown.append(args[0]))
        return student

    monkeypatch.setattr(recipe, "load", lambda name: (Teacher(), {}))
    monkeypatch.setitem(recipe.MAKERS, kind, (watched, lr))
    monkeypatch.setattr(recipe, "BATCH", 8)
    student = recipe.learn(lesson, ("shift", "CutMix"), seed=0, steps=2)
    assert len(shown) == 2 and len(asked) == (2 if taught_by else 0)
    assert all(torch.equal(a, b) for a, b in zip(asked, shown))
    assert not student.training
    found = recipe.predictions(student, torch.zeros(3, 1, 28, 28))
    assert {z.shape for z in found.values()} == {(3, 10)}
    if kind == "DeiT":
        torch.testing.assert_close(found["answer"], (found["label"] + found["teacher"]) / 2)


def test_the_plan_asks_every_question_once_for_each_seed():
    names = "lesson", "steps", "seed"
    rows = [(tuple(r["augmentations"]), *(r[name] for name in names)) for r in recipe.plan()]
    assert len(rows) == len(set(rows))
    assert {seed for *_, seed in rows} == set(recipe.SEEDS)
    settings = {(lesson, seen) for seen, lesson, steps, _ in rows if steps == recipe.STEPS}
    assert {seen for lesson, seen in settings if lesson == "labels"} == set(recipe.AUGMENTATIONS)
    for lesson in recipe.LESSONS:
        assert all((lesson, seen) in settings for seen in recipe.WITH_A_TEACHER)
    longer = {(lesson, seen) for seen, lesson, steps, _ in rows if steps == recipe.LONG}
    assert longer >= {("labels", seen) for seen in recipe.WITH_A_TEACHER}


def test_the_record_holds_what_the_plan_asks_for():
    (record,) = records.recorded("deit")
    names = "lesson", "augmentations", "steps", "seed"
    found = [tuple(str(row[name]) for name in names) for row in record["rows"]]
    assert sorted(found) == sorted(tuple(str(r[name]) for name in names) for r in recipe.plan())
