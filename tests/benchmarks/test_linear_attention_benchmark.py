"""The benchmark of chapter 38 refuses a method that is wrong, and counts what is kept."""

import pytest
import torch

from benchmarks import linear_attention as benchmark
from tutorial_lib.layers.linear_attention import LinearAttention
from tutorial_lib.models.efficient.pixels import SoftmaxAttention

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", benchmark.methods(CPU))
def test_every_method_agrees_with_its_definition(name):
    benchmark.check(name, *benchmark.methods(CPU)[name], torch.float32, CPU)


def test_a_wrong_method_stops_it():
    def leaky(q, k, v):
        return 1.001 * benchmark.linear_definition(q, k, v)

    with pytest.raises(SystemExit, match="leaky: y is off by"):
        benchmark.check("leaky", leaky, benchmark.linear_definition, torch.float32, CPU)


def test_what_is_kept():
    kept = [
        benchmark.step(attention, n, CPU, 1)["state_bytes"]
        for attention in (LinearAttention, SoftmaxAttention)
        for n in (3, 6)
    ]
    assert kept[0] == kept[1] == 4 * 16 * 4 * (64 * 64 + 64)
    assert kept[2:] == [4 * 16 * 4 * 2 * n * 64 for n in (3, 6)]
