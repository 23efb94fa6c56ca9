"""One size of ball or several: what is compared, and that a row can be measured."""

import torch

from tutorial_lib.measuring import records
from tutorial_lib.recipes.pointnet import scales


def test_the_record_holds_every_row_of_the_plan_and_models_of_about_the_same_size():
    recorded = records.recorded("scales")[0]
    kept = [{name: row[name] for name in ("level", "trained", "seed")} for row in recorded["rows"]]
    assert sorted(map(str, kept)) == sorted(map(str, scales.plan()))
    sizes = {row["parameters"] for row in recorded["rows"]}
    assert max(sizes) < 1.1 * min(sizes)
    assert all(len(row["accuracy"]) == len(scales.LEFT) for row in recorded["rows"])


def test_a_row_is_measured(monkeypatch):
    monkeypatch.setattr(scales, "STEPS", 2)
    torch.set_num_threads(1)
    row = scales.measure(dict(level="three scales", trained="with gaps", seed=0))
    assert all(0 <= accuracy <= 1 for accuracy in row["accuracy"])
