"""The record of backbones: what a row holds, that it fits the model, and how rows are replaced."""

import pytest
import torch

from benchmarks import backbones
from tutorial_lib.exercises.vit import vit_cost
from tutorial_lib.measuring import records
from tutorial_lib.models.backbones.vit import ViT


def tiny():
    return ViT(28, 14, 1, 10, dim=8, depth=1, heads=2, hidden=12)


def test_operations_are_those_of_the_formula():
    cost = vit_cost.reference(28, 14, 1, 10, dim=8, depth=1, hidden=12)
    assert backbones.flops(tiny().eval()) == cost["flops"]


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_every_backbone_answers_for_ten_classes(name):
    make, lr = backbones.BACKBONES[name]
    model = make().eval()
    assert model(torch.zeros(2, *backbones.SIZE)).shape == (2, 10) and 0 < lr < 0.1


def test_rows_are_added_or_replaced_by_name():
    rows = [{"name": "A", "flops": 1}, {"name": "B", "flops": 2}]
    assert backbones.with_row(rows, {"name": "C"}) == [*rows, {"name": "C"}]
    assert backbones.with_row(rows, {"name": "A", "flops": 3}) == [
        {"name": "A", "flops": 3},
        rows[1],
    ]
    assert backbones.with_row([], {"name": "A"}) == [{"name": "A"}]


def test_a_run_adds_its_row_to_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "BACKBONES", {"tiny": (tiny, 1e-3)})
    monkeypatch.setattr(backbones, "BATCH", 2)
    monkeypatch.setattr(backbones, "learned", lambda make, lr, seed, label: 0.5 + seed / 10)
    file = tmp_path / "backbones.json"
    records.save(file, [{"name": "other"}], {})
    backbones.main(["tiny", "--out", str(file)])
    other, row = records.load(file)["rows"]
    assert other == {"name": "other"}
    assert row["parameters"] == sum(p.numel() for p in tiny().parameters())
    assert row["accuracy"] == [0.5, 0.6, 0.7] and row["steps"] == backbones.STEPS
    assert row["images_per_second"] > 0 and row["processor"] and row["date"]
    monkeypatch.setattr(backbones, "learned", None)  # with --speed nothing learns
    monkeypatch.setattr(backbones, "speed", lambda name: {"images_per_second": 7})
    backbones.BACKBONES["new"] = backbones.BACKBONES["tiny"]
    backbones.main(["tiny", "new", "--speed", "--out", str(file)])
    assert records.load(file)["rows"] == [other, row | {"images_per_second": 7}]


def test_a_backbone_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        backbones.main(["ViT, patch 3"])
    assert "no backbone ViT, patch 3; there are CNN, ViT, patch 4" in capsys.readouterr().err
