"""The benchmark of chapter 36's integer product writes its rows, and stops if it is not exact."""

import pytest
import torch

from benchmarks import int8 as benchmark
from tutorial_lib.measuring import benchmarking, records

CPU = torch.device("cpu")


def test_a_run_writes_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "SIZES", [(20, 16, 8)])
    limits = {"flops_per_second": 1e9}
    monkeypatch.setattr(benchmarking, "device_limits", lambda device, dtype: limits)
    file = tmp_path / "rows.json"
    benchmark.main(["--device", "cpu", "--out", str(file)])
    (row,) = records.load(file)["rows"]
    for way in ("floats", "int8 product", "int8 map"):
        seconds = row["seconds"][way]
        assert row["faster"][way] == pytest.approx(row["seconds"]["floats"] / seconds)
        assert row["share_of_limit"][way] == pytest.approx(2 * 20 * 16 * 8 / seconds / 1e9)


def test_a_product_that_is_not_exact_stops_it(monkeypatch):
    monkeypatch.setattr(benchmark, "int8_product", lambda a, b: torch._int_mm(a, b) + 1)
    with pytest.raises(SystemExit, match="is not exact for"):
        benchmark.ways(20, 16, 8, CPU, torch.float32)
