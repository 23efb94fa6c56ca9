"""The recipes of chapter 14: what they measure is known on answers that are known."""

import pytest
import torch

from tutorial_lib.layers.boxes import cxcywh_to_xyxy
from tutorial_lib.measuring import records
from tutorial_lib.recipes.detr import detr, sets

SMALL = dict(kinds=("bag", "shoe"), most=2, side=32)


class Oracle(torch.nn.Module):
    """Says the true objects of scenes that it knows, each `times` times."""

    def __init__(self, images, classes, boxes, times=1):
        super().__init__()
        self.images, self.weight = images, torch.nn.Parameter(torch.zeros(1))
        self.classes, self.boxes = classes.repeat(1, times), boxes.repeat(1, times, 1)

    def forward(self, images):
        known = (images[:, None] == self.images).flatten(2).all(-1).int().argmax(1)
        classes = self.classes[known]
        logits = torch.nn.functional.one_hot(classes.where(classes >= 0, torch.tensor(5)), 6)
        return [
            (torch.zeros(*classes.shape, 6), self.boxes[known]),
            (20.0 * logits, self.boxes[known]),
        ]


def test_quality_of_a_detector_that_knows_and_of_one_that_says_all_twice():
    known = detr.scenes("test", 20, **SMALL)
    objects = (known[1] >= 0).float().sum(1).mean().item()
    found = detr.quality(Oracle(*known), *known, areas={"small": (0, 0.12)})
    for name in ("ap50", "ap", "ap50_nms", "ap_nms", "ap50_small"):
        assert found[name] == pytest.approx(1), name
    assert found["duplicates"] == 0 and found["answers"] == found["objects"] == objects
    twice = detr.quality(Oracle(*known, times=2), *known)
    assert twice["duplicates"] == objects and twice["answers"] == 2 * objects
    assert twice["ap50_nms"] == pytest.approx(1) and twice["ap50"] < 0.9
    assert detr.quality(Oracle(*known), *known, layer=0)["ap50"] < 0.5, "another layer, all bags"


def test_scenes_are_drawn_at_random_through_the_generator_alone():
    drawn = detr.draw(*detr.scenes("train", 10, **SMALL), size=4)
    a, b, c = (drawn(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert [x.shape[0] for x in a] == [4, 4, 4]
    assert all(x.equal(y) for x, y in zip(a, b)) and not a[0].equal(c[0])


@pytest.mark.parametrize("name", detr.MODELS)
def test_the_recipe_writes_a_checkpoint_that_loads(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(detr, "COUNT", {"train": 20, "test": 10, "fresh": 5})
    file = tmp_path / "new.safetensors"
    detr.main([name, "--steps", "2", "--seed", "5", "--out", str(file)])
    assert file.stat().st_size < 2**20 and str(file) in capsys.readouterr().out
    model, record = detr.load(name, file)
    assert not model.training and (record["steps"], record["seed"]) == ("2", "5")
    measured = detr.quality(model, *detr.scenes("test", 10))
    assert float(record["ap50"]) == pytest.approx(measured["ap50"], abs=1e-4)


def test_without_attention_queries_know_nothing_of_each_other():
    images = torch.rand(1, 3, 32, 32)
    for variant, alone in (("plain", False), ("no attention among queries", True)):
        model = sets.model_of(variant, seed=0).eval()
        before = model(images)[-1][1]
        model.queries.data[0] += 3
        changed = (model(images)[-1][1] != before).any(-1)[0]
        assert changed[0] and changed[1:].any().item() is not alone
    assert len(sets.model_of("few queries", seed=0).queries) == 2


def test_spread_of_boxes_that_stay_and_of_boxes_that_wander():
    boxes = torch.rand(1, 6, 4).expand(10, -1, -1)  # each query always says the same
    of_each, of_all = sets.spread(boxes)
    assert of_each == pytest.approx(0, abs=1e-6) and of_all > 0.1
    of_each, of_all = sets.spread(torch.rand(500, 6, 4))
    assert of_each == pytest.approx(of_all, rel=0.05)
    centers = cxcywh_to_xyxy(torch.tensor([[[0.2, 0.5, 0.1, 0.1]], [[0.8, 0.5, 0.3, 0.1]]]))
    assert sets.spread(centers) == pytest.approx([0.3, 0.3])


def test_a_row_is_measured(monkeypatch):
    monkeypatch.setattr(sets, "COUNT", {"train": 20, "test": 10})
    for row in sets.plan()[1:3]:
        found = sets.measure(row | {"steps": 2})
        assert row.keys() < found.keys() and 0 <= found["ap50"] <= 1


def test_the_record_holds_what_is_planned_and_what_the_chapter_says_of_it():
    rows = records.recorded("detr-sets")[0]["rows"]
    found = {(row["variant"], row["steps"], row["seed"]): row for row in rows}
    assert set(found) == {(row["variant"], row["steps"], row["seed"]) for row in sets.plan()}
    for seed in sets.SEEDS:
        plain, early = (found["plain", steps, seed] for steps in (sets.LONG, sets.SHORT))
        for row in (plain, found["two-stage", sets.LONG, seed]):
            assert abs(row["ap"] - row["ap_nms"]) < 0.01
            assert row["ap50_small"] < row["ap50_large"] - 0.05
        assert found["two-stage", sets.SHORT, seed]["ap50"] > plain["ap50"] > early["ap50"] + 0.2
        few = found["few queries", sets.LONG, seed]
        assert few["answers"] <= sets.FEW and few["ap50"] < plain["ap50"] - 0.05


def test_the_checkpoint_of_the_course_does_as_well_as_it_says():
    model, record = detr.load("two-stage")
    assert not model.training and detr.file_of("two-stage").stat().st_size < 2**20
    found = detr.quality(model, *detr.scenes("test", 100))
    assert found["ap50"] == pytest.approx(float(record["ap50"]), abs=0.06)


def test_deaf_queries_say_the_same_of_every_scene_and_on_average_what_they_said():
    model = detr.fresh("plain", seed=0, queries=5).eval()
    images, *_ = detr.scenes("train", 6, **SMALL)
    cut = sets.deaf(model, images)
    layer, cut_layer = model.decoder[-1], cut.decoder[-1]
    kept = []
    hook = layer.attention.register_forward_hook(lambda module, given, out: kept.append(out))
    with torch.no_grad():
        model(images)
        hook.remove()
        torch.testing.assert_close(cut_layer.attention.said, kept[0].mean(0))
        assert kept[0].var(0).max() > 1e-8  # what is cut does depend on the scene
        # The first layer's queries have seen nothing yet: there nothing is lost.
        model.decoder[-1].attention = cut_layer.attention
        for a, b in zip(model(images), cut(images)):
            torch.testing.assert_close(a[1], b[1])
