"""The recipes of chapter 19: the checkpoint, one short row of each record, and what they hold."""

import pytest
import torch

from tutorial_lib.data.furniture import furniture
from tutorial_lib.measuring import records
from tutorial_lib.recipes.pointnet import furniture as recipe
from tutorial_lib.recipes.pointnet import (
    local_detail,
    missing,
    rotation,
    segmentation,
    three_ways,
    voxels,
)

NAMES = {
    "three-ways": three_ways,
    "rotation": rotation,
    "missing-points": missing,
    "local-detail": local_detail,
    "point-segmentation": segmentation,
    "voxels": voxels,
}


def test_the_recipe_writes_a_checkpoint_that_loads(tmp_path, capsys):
    file = tmp_path / "new" / "furniture.safetensors"
    recipe.main(["--steps", "2", "--seed", "5", "--out", str(file)])
    assert file.stat().st_size < 2**20 and str(file) in capsys.readouterr().out
    model, record = recipe.load(file)
    assert (record["recipe"], record["steps"], record["seed"]) == (recipe.__name__, "2", "5")
    found = recipe.accuracy(model, *furniture("test"))
    assert float(record["accuracy"]) == pytest.approx(found, abs=1e-3)


def test_the_checkpoint_of_the_course_does_as_well_as_it_says():
    model, record = recipe.load()
    found = recipe.accuracy(model, *furniture("test"))
    assert found == pytest.approx(float(record["accuracy"]), abs=0.03)
    assert found > 0.8 and recipe.SHIPPED.stat().st_size < 2**20


def test_batches_are_varied_clouds_of_the_training_set():
    clouds, labels = furniture("train")
    batch = recipe.draw(clouds, labels, points=1024)
    x, y = batch(torch.Generator().manual_seed(0))
    assert x.shape == (32, 1024, 3) and y.shape == (32,)
    ratio = x.std(1)[:, None] / clouds.std(1)  # (32, 242, 3): stretched by 0.8 to 1.2, no more
    fits = ((ratio > 0.79) & (ratio < 1.21)).all(-1) & (labels == y[:, None])
    assert fits.any(1).all()
    again, _ = batch(torch.Generator().manual_seed(1))
    assert not torch.equal(x, again)
    few, _ = recipe.draw(clouds, labels)(torch.Generator().manual_seed(0))
    assert few.shape == (32, recipe.POINTS, 3)
    level = recipe.draw(clouds, labels, "vertical")(torch.Generator().manual_seed(0))[0]
    torch.testing.assert_close(level[..., 2], few[..., 2])  # the same draw, turned about z
    assert (level - few).abs().max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_each_kind_is_measured(name, monkeypatch):
    module = NAMES[name]
    monkeypatch.setattr(module, "STEPS", 1)
    kinds = {}
    for row in module.plan():
        short = {key: 1 for key in ("times", "steps") if key in row}
        kinds[row.get("model", row.get("way"))] = row | short
    for row in kinds.values():
        found = module.measure(row)
        assert row.items() <= found.items()
        accuracies = [found[key] for key in found if key in ("accuracy", "tested any")]
        accuracies += found.get("at_random", [])
        assert accuracies and all(0 <= a <= 1 for a in accuracies)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_holds_what_is_planned(name):
    planned = NAMES[name].plan()
    for result in records.recorded(name):
        if "steps" not in planned[0]:
            assert result["steps"] == NAMES[name].STEPS
        rows = [{key: row[key] for key in planned[0]} for row in result["rows"]]
        assert sorted(map(str, rows)) == sorted(map(str, planned))
    assert records.recorded(name)


def mean(name, key, **chosen):
    """The mean over the seeds of one setting."""
    ((result,),) = [records.recorded(name)]
    rows = [r for r in result["rows"] if chosen.items() <= r.items()]
    assert len(rows) == 3
    return sum(r[key] for r in rows) / 3


def test_the_maximum_is_ahead_of_order_and_sequence_and_sees_no_order():
    def three(key, way, times=1):
        return mean("three-ways", key, way=way, times=times, lr=three_ways.RATES[0])

    for times, margin in ((1, 0.04), (4, 0.03)):
        rivals = [three("accuracy", way, times) for way in ("canonical order", "sequence")]
        assert three("accuracy", "maximum", times) > max(rivals) + margin
    for way in ("maximum", "mean", "sum"):
        assert three("changed_by_order", way) == 0
    assert three("changed_by_order", "sequence") > 0.03
    assert three("changed_by_jitter", "canonical order") > 0.1


def test_a_turn_must_be_learned_and_a_tnet_needs_turns_and_time():
    def tested(model, turn, by, steps=rotation.STEPS):
        return mean("rotation", f"tested {by}", model=model, turn=turn, steps=steps)

    for model in ("PointNet", "AlignedPointNet"):
        assert tested(model, None, None) > 0.75
        assert tested(model, None, "vertical") < 0.55 and tested(model, None, "any") < 0.25
        assert tested(model, "vertical", "vertical") > 0.7
        assert tested(model, "any", "any") > 0.4

    def gain(turn, steps):
        models = "AlignedPointNet", "PointNet"
        aligned, plain = (tested(model, turn, "any", steps) for model in models)
        return aligned - plain

    assert all(abs(gain(turn, rotation.STEPS)) < 0.05 for turn in rotation.TURNS)
    assert abs(gain(None, rotation.LONG)) < 0.05  # what nobody has shown is not learned
    assert gain("any", rotation.LONG) > 0.06


def test_half_of_the_points_are_enough_but_not_without_the_outline():
    half = missing.SHARES.index(0.5)
    (result,) = records.recorded("missing-points")
    for trained in missing.TRAINED:
        rows = [r for r in result["rows"] if (r["model"], r["trained"]) == ("maximum", trained)]
        for how in ("at_random", "sampled"):
            assert all(r[how][half] > r[how][0] - 0.04 for r in rows)
        assert all(r["outline_lost"][half] < r["outline_lost"][0] - 0.15 for r in rows)


def test_neighbourhoods_win_where_local_detail_decides():
    plain = mean("local-detail", "accuracy", data="bumps", model="PointNet", times=1)
    longer = mean("local-detail", "accuracy", data="bumps", model="PointNet", times=2)
    assert mean("local-detail", "accuracy", data="bumps", model="PointNet++", times=1) > 0.65
    assert mean("local-detail", "accuracy", data="bumps", model="PointNet++", times=1) > 0.1 + max(
        plain, longer
    )
    rows = records.recorded("local-detail")[0]["rows"]
    ours, theirs = (
        next(r for r in rows if r["model"] == name) for name in ("PointNet++", "PointNet")
    )
    assert ours["parameters"] <= theirs["parameters"] and ours["operations"] < theirs["operations"]


def test_a_coarse_grid_costs_accuracy_and_a_fine_one_does_not():
    def told(resolution, model="PointNet"):
        return mean("voxels", "accuracy", model=model, resolution=resolution)

    assert told(2) < 0.3 < told(4) < told(None) - 0.15
    assert abs(told(16) - told(None)) < 0.05
    for resolution in (4, 8, 16):
        error = mean("voxels", "quantization_error", model="PointNet", resolution=resolution)
        assert error == pytest.approx(1 / resolution, rel=0.1)


def test_a_points_label_needs_more_than_its_place():
    def told(model):
        return mean("point-segmentation", "of_furniture", model=model)

    assert told("PointNet++") > told("PointNet") > told("point by point") + 0.03
    assert told("point by point") > mean("point-segmentation", "share_of_largest", model="PointNet")
