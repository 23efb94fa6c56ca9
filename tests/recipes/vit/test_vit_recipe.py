"""The recipe of the ViT that chapter 05 looks into, and the checkpoint that it has written."""

import pytest
import torch

from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.recipes.vit import vit
from tutorial_lib.recipes.vit.data_size import accuracy, pictures


def test_the_recipe_writes_a_checkpoint_that_loads(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(vit, "pictures", lambda split, count=None: pictures(split, 10))
    file = tmp_path / "new" / "vit.safetensors"
    vit.main(["--steps", "2", "--count", "10", "--seed", "5", "--out", str(file)])
    assert file.stat().st_size < 2**20
    assert str(file) in capsys.readouterr().out
    model, record = vit.load(file)
    assert record["recipe"] == vit.__name__
    assert (record["steps"], record["count"], record["seed"]) == ("2", "10", "5")
    assert float(record["accuracy"]) == pytest.approx(accuracy(model, *pictures("test", 10)))
    fresh = vit.make(classes=10)
    assert not torch.equal(model.head.weight, fresh.head.weight)


def test_the_checkpoint_of_the_course_does_as_well_as_it_says():
    model, record = vit.load()
    assert not model.training
    images, labels = pictures("test")
    found = accuracy(model, images[:1000], labels[:1000])
    assert found == pytest.approx(float(record["accuracy"]), abs=0.03)
    assert vit.SHIPPED.stat().st_size < 2**20


def test_a_pictures_answer_does_not_depend_on_those_it_is_tested_with():
    """A CNN with batch statistics, fresh from its training, is tested with those remembered."""
    torch.manual_seed(0)
    model, images = SmallCNN(1, 10, 4).train(), torch.randn(40, 1, 28, 28)
    model.train()(images)  # leaves running averages that are not those of one picture
    labels = torch.cat([model.eval()(x[None]).argmax(-1) for x in images])
    assert accuracy(model.train(), images, labels) == 1
