"""Comparisons side by side: all contests agree, a wrong one is refused, the record has its rows."""

import pytest
import torch
from torch import nn

from benchmarks import bench, peers, side_by_side, vit
from benchmarks.side_by_side import FORWARD, STEP, Contest
from tutorial_lib.measuring import benchmarking, records

CPU = torch.device("cpu")
LIMIT = {"flops_per_second": 1e9}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(benchmarking, "device_limits", lambda device, dtype, clock: LIMIT)


@pytest.mark.parametrize("name", bench.CONTESTS)
def test_every_contest_agrees_at_a_small_size(name):
    torch.manual_seed(0)
    contest = bench.CONTESTS[name](CPU, quick=True).to(CPU)
    assert next(iter(contest.methods)) == "ours"
    side_by_side.agree(name, contest)


def pair(theirs):
    ours = nn.Linear(3, 2)
    return Contest({"ours": ours, "theirs": theirs(ours)}, (torch.randn(4, 3),))


def test_a_run_writes_a_row_for_each_way_and_mode(tmp_path, capsys):
    file = tmp_path / "found.json"
    contests = {"a map": lambda device, quick: pair(lambda ours: ours)}
    side_by_side.run("maps", contests, ["--device", "cpu", "--quick", "--out", str(file)])
    found = records.load(file)
    rows = {(row["mode"], row["method"]): row for row in found["rows"]}
    assert list(rows) == [(m, n) for m in (FORWARD, STEP) for n in ("ours", "theirs")]
    row = rows[FORWARD, "theirs"]
    assert row["flops"] == 2 * 4 * 3 * 2 and row["peak_bytes"] == 4 * 2 * 4
    assert row["share_of_limit"] == pytest.approx(row["flops"] / row["seconds"] / 1e9)
    assert rows[STEP, "ours"]["times_ours"] == 1 and rows[STEP, "ours"]["flops"] == 2 * row["flops"]
    assert found["size"] == [[4, 3]] and "a map" in capsys.readouterr().out


def test_a_part_of_a_run_does_not_take_the_place_of_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    contests = {"one": lambda device, quick: pair(lambda ours: ours)}
    contests["two"] = contests["one"]
    monkeypatch.setattr(side_by_side, "measure", lambda *arguments: [])
    for arguments in (["--quick"], ["--only", "two"]):
        side_by_side.run("maps", contests, ["--device", "cpu", *arguments])
        assert not list(tmp_path.iterdir())
    side_by_side.run("maps", contests, ["--device", "cpu"])
    assert len(list(tmp_path.glob("maps-*.json"))) == 1


@pytest.mark.parametrize(
    "theirs, what",
    [
        (lambda ours: lambda x: 1.01 * ours(x), "forward"),
        (lambda ours: lambda x: ours(x.detach()) + 0 * x.sum(), "training step"),  # no gradient
    ],
    ids=["a result", "a gradient"],
)
def test_a_wrong_way_stops_it(theirs, what):
    with pytest.raises(SystemExit, match=f"a map, {what}: theirs is off by"):
        side_by_side.agree("a map", pair(theirs))


def test_a_package_that_is_not_there_is_told_and_left_out():
    def make():
        raise ImportError("No module named 'timm'")

    contest = pair(lambda ours: ours).beside("timm", make)
    assert list(contest.methods) == ["ours", "theirs"]
    assert contest.absent == ["without timm (No module named 'timm'): pip install timm"]


def test_an_operator_that_the_device_lacks_leaves_its_contest_out(tmp_path, capsys):
    def missing(x):
        raise NotImplementedError("The operator 'aten::_int_mm' is not implemented for MPS")

    contests = {"a map": lambda device, quick: pair(lambda ours: missing)}
    file = tmp_path / "found.json"
    side_by_side.run("maps", contests, ["--device", "cpu", "--quick", "--out", str(file)])
    assert records.load(file)["rows"] == [] and "left out: The operator" in capsys.readouterr().out


def test_what_is_faster_than_ours_is_listed():
    row = dict(what="W", mode=FORWARD, dtype="float32", seconds=1.0, share_of_limit=0.5)
    rows = [row | {"method": m, "times_ours": t} for m, t in [("ours", 1), ("A", 0.9), ("B", 1.1)]]
    found = side_by_side.slower(rows)
    assert len(found) == 2 and "W:  A" in found[1]
    assert side_by_side.slower(rows[::2]) == ["Nothing is faster than ours."]


def test_no_contest_of_that_name():
    with pytest.raises(
        SystemExit, match="no contest with 'Swine' in its name; there are: .*Swin-T"
    ):
        bench.main(["--only", "Swine"])


def test_weights_that_lie_together_elsewhere():
    """Queries, keys and values of PyTorch's attention are ours, one after the other."""
    ours, _ = vit.pair(vit.TINY)
    part = ours.encoder[0].attention
    theirs = peers.give(nn.MultiheadAttention(8, 2), part.state_dict(), peers.IN_PYTORCH)
    torch.testing.assert_close(theirs.in_proj_weight[8:16], part.to_k.weight)
    torch.testing.assert_close(theirs.out_proj.bias, part.to_out.bias)
