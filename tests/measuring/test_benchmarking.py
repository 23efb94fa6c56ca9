"""Costs against counting loops, peak memory against known allocations. No test looks at a time."""

import datetime
import json
import os

import pytest
import torch

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.measuring.benchmarking import attention_cost, median_seconds, peak_bytes

MIB = 2**20
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def counted_product(rows, inner, cols):
    """FLOPs of (rows, inner) @ (inner, cols) in loops: a multiplication and an addition a turn."""
    flops = 0
    for _ in range(rows):
        for _ in range(cols):
            for _ in range(inner):
                flops += 2
    return flops


def test_flops_are_those_of_the_loops():
    batch, heads, n, m, d = 2, 3, 4, 5, 6
    cost = attention_cost(batch, heads, n, m, d)
    forward = [(n, d, m), (n, m, d)]  # Q K^T, P V
    backward = [(m, n, d), (n, d, m), (n, m, d), (m, n, d)]  # dV, dP, dQ, dK
    count = {name: 0 for name in ("forward", "backward", "fused")}
    for _ in range(batch * heads):
        count["forward"] += sum(counted_product(*p) for p in forward)
        count["backward"] += sum(counted_product(*p) for p in backward)
        count["fused"] += sum(counted_product(*p) for p in [forward[0], *backward])
    assert cost.forward_flops == count["forward"]
    assert cost.backward_flops == count["backward"]
    assert cost.fused_backward_flops == count["fused"]


def test_bytes_are_those_of_the_tensors():
    q, o = torch.zeros(2, 3, 4, 6), torch.zeros(2, 3, 4, 6)
    k, v = torch.zeros(2, 3, 5, 6), torch.zeros(2, 3, 5, 6)
    s, p, logsumexp = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4)
    cost = attention_cost(2, 3, 4, 5, 6, bytes_per_element=4)
    ends = sum(x.nbytes for x in (q, k, v, o))
    assert cost.naive_bytes == ends + 2 * (s.nbytes + p.nbytes)
    assert cost.fused_bytes == ends + logsumexp.nbytes
    assert cost.naive_score_bytes == s.nbytes + p.nbytes
    assert cost.fused_score_bytes == logsumexp.nbytes


def test_what_grows_how():
    small, large = attention_cost(1, 8, 4096, 4096, 64, 2), attention_cost(1, 8, 8192, 8192, 64, 2)
    assert large.forward_flops == 4 * small.forward_flops
    assert large.naive_score_bytes == 4 * small.naive_score_bytes
    assert large.fused_bytes == 2 * small.fused_bytes
    assert large.fused_intensity == 2 * small.fused_intensity
    # Naive intensity is bounded: 4 n m d FLOPs over 4 e n m bytes gives d / e, here 64 / 2.
    assert small.naive_intensity < large.naive_intensity < 32
    assert attention_cost(1, 1, 10**6, 10**6, 64, 2).naive_intensity == pytest.approx(32, rel=1e-3)


@pytest.mark.parametrize("n, m, d", [(2, 1, 16), (16, 16, 16), (196, 49, 64), (4096, 4096, 128)])
@pytest.mark.parametrize("e", [2, 4])
def test_fused_moves_less(n, m, d, e):
    cost = attention_cost(1, 1, n, m, d, e)
    assert cost.fused_bytes < cost.naive_bytes
    assert cost.fused_intensity > cost.naive_intensity


@pytest.mark.parametrize("device", DEVICES)
def test_peak_of_known_allocations(device):
    def block(mib):
        return torch.empty(mib * MIB, dtype=torch.uint8, device=device)

    def one_after_the_other():
        for _ in range(3):
            block(2)

    def side_by_side():
        return [block(2), block(2), block(2)]

    def hill():
        a, b = block(4), block(2)
        del a
        c = block(1)
        return b, c

    kept = block(8)  # alive before, so not counted
    assert peak_bytes(lambda: block(2), device) == 2 * MIB
    assert peak_bytes(one_after_the_other, device) == 2 * MIB
    assert peak_bytes(side_by_side, device) == 6 * MIB
    assert peak_bytes(hill, device) == 6 * MIB
    assert peak_bytes(lambda: None, device) == 0
    assert peak_bytes(lambda: kept.view(-1), device) == 0


def test_peak_on_cpu_does_not_count_older_memory_freed():
    old = [torch.empty(4 * MIB, dtype=torch.uint8)]

    def swap():
        old.clear()
        return torch.empty(3 * MIB, dtype=torch.uint8)

    assert peak_bytes(swap) == 3 * MIB


def test_peak_on_cpu_is_not_lowered_by_an_address_used_again():
    """The profiler remembers addresses of an earlier profile, freed since, and mistakes new blocks
    at them for its own. 64 MiB come from the system, which gives the same address again."""
    seen = []

    def first():
        block = torch.empty(64 * MIB, dtype=torch.uint8)
        seen.append(block.data_ptr())
        return block

    assert peak_bytes(first) == 64 * MIB
    blocks = [torch.empty(64 * MIB, dtype=torch.uint8) for _ in range(8)]
    old = [block for block in blocks if block.data_ptr() in seen]
    del blocks

    def swap():
        old.clear()
        return torch.empty(65 * MIB, dtype=torch.uint8)

    assert peak_bytes(swap) == 65 * MIB


def test_peak_of_attention_is_the_predicted_one():
    q = torch.zeros(1, 2, 512, 16)
    cost = attention_cost(1, 2, 512, 512, 16, bytes_per_element=4)
    found = peak_bytes(lambda: (q @ q.mT).softmax(-1) @ q)
    assert cost.naive_score_bytes <= found <= cost.naive_score_bytes + 2 * q.nbytes


def test_peak_is_quiet_but_lets_the_function_speak(capfd):
    peak_bytes(lambda: os.write(2, b"heard"))
    assert capfd.readouterr() == ("", "heard")


def test_median_seconds_counts_calls():
    calls = []
    assert median_seconds(lambda: calls.append(1), repeats=5, warmup=3) > 0
    assert len(calls) == 8
    with pytest.raises(ValueError, match="repeats is 0; expected at least 1"):
        median_seconds(lambda: None, repeats=0)


def test_median_by_a_clock_of_ones_own_is_not_the_mean():
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 110.0]).__next__
    assert median_seconds(lambda: None, repeats=3, warmup=0, clock=clock) == 2.0


def test_an_apple_gpu_is_waited_for_before_and_after(monkeypatch):
    events = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: events.append("wait"))
    median_seconds(lambda: events.append("run"), repeats=1, warmup=0, device="mps")
    assert events == ["wait", "run", "wait"]


def test_machine_can_be_written_and_dated():
    found = benchmarking.machine()
    names = {"device", "cpu", "date", "python", "torch", "triton", "cuda", "threads"}
    assert set(found) == names and found["device"] and found["torch"] == torch.__version__
    assert datetime.datetime.fromisoformat(found["date"]).tzinfo is not None
    json.dumps(found)


def test_limits_are_positive(monkeypatch):
    monkeypatch.setattr(
        benchmarking, "median_seconds", lambda fn, device, clock: fn() is None or 0.5
    )
    limits = benchmarking.device_limits("cpu")
    assert limits["dtype"] == "float32"
    assert limits["flops_per_second"] > 0 and limits["bytes_per_second"] > 0


def test_save_and_load(tmp_path):
    rows = [{"n": 64, "seconds": 1e-3, "peak_bytes": None, "label": "naïve"}]
    records.save(tmp_path / "a.json", rows, {"device": "x"}, limits={"float32": 1.5})
    found = records.load(tmp_path / "a.json")
    assert found == {"machine": {"device": "x"}, "limits": {"float32": 1.5}, "rows": rows}
