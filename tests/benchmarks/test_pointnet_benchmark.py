"""The benchmark of chapter 19: its rows, and what was recorded of them."""

import pytest

from benchmarks import pointnet
from tutorial_lib.measuring import records


def test_a_quick_run_writes_its_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pointnet, "BATCH", {"cpu": 2})
    monkeypatch.setattr(pointnet, "LOOPED", ((8, 2),))
    monkeypatch.setattr(pointnet, "BATCHED", ((16, 4),))
    monkeypatch.setattr(
        pointnet, "pairs", lambda device, public: [("nothing", lambda: None, lambda: None)]
    )
    file = tmp_path / "found.json"
    pointnet.main(["--device", "cpu", "--quick", "--out", str(file)])
    rows = records.load(file)["rows"]
    assert [row["method"] for row in rows] == ["loop", "batched", "ours", "yanx27"]
    assert rows[2]["times_ours"] == 1 and rows[1]["seconds_a_cloud"] > 0


def test_every_pair_of_ours_runs(monkeypatch):
    monkeypatch.setattr(pointnet, "BATCH", {"cpu": 2})
    for _, ours, theirs in pointnet.pairs("cpu", None):
        ours()
        assert theirs is None


def test_what_was_recorded():
    (result,) = [r for r in records.recorded("pointnet") if r["machine"]["cuda"] is None]
    sampling = {(r["method"], r["points"], r["count"]): r["seconds_a_cloud"]
                for r in result["rows"] if r["what"] == "sampling"}  # fmt: skip
    # The loop's time grows with the square of the count, the batched one's with the count.
    assert sampling["loop", 64, 32] / sampling["loop", 64, 8] > 8
    assert sampling["batched", 1024, 512] / sampling["batched", 1024, 128] < 6
    theirs = {r["what"]: r["times_ours"] for r in result["rows"] if r["method"] == "yanx27"}
    assert len(theirs) == 5
    assert theirs["farthest points, 512 of 1024"] > 1 and theirs["balls, 512 of 32 points"] > 1
    assert theirs["interpolation, 1024 from 512"] == pytest.approx(6, rel=0.5)
