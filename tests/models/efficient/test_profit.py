"""AIWQ measured while a model trains; the order of freezing; what freezes."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.from_scratch.instability import instability
from tutorial_lib.models.efficient.duq import DuQ
from tutorial_lib.models.efficient.profit import (
    Instability,
    freeze,
    freezing_order,
)


def test_a_layer_whose_weights_move_is_found_unstable_and_one_that_stays_is_not():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 3, 1, stride=2))
    x = torch.randn(8, 2, 9, 9)
    old = model[0](x).detach().numpy()
    with Instability({"moves": model[0], "stays": model[1]}) as measured:
        before = model(x)
        with torch.no_grad():
            model[0].weight += 0.2 * torch.randn_like(model[0].weight)
        model(x)
        model(x)  # a step in which nothing moves
    moved, still = measured.found["moves"]
    assert moved == pytest.approx(instability(model[0](x).detach().numpy(), old), rel=1e-5)
    assert moved > 1e-3 and still == pytest.approx(0, abs=1e-6)
    means = measured.means()
    assert means["moves"] == pytest.approx(moved / 2, rel=1e-3)
    assert means["stays"] == pytest.approx(0, abs=1e-6)
    assert not model(x).equal(before)
    assert len(measured.found["moves"]) == 2  # outside of `with` nothing is measured


def test_a_step_too_small_for_the_quantizer_leaves_the_layer_stable():
    """Instability is of the quantized weights: below half a level nothing moves, then a jump."""
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 2, 3)
    parametrize.register_parametrization(layer, "weight", DuQ(2, True, 1.0))
    weight = layer.parametrizations.weight.original
    with torch.no_grad():
        weight.copy_(torch.where(weight > 0, 0.45, 0.6))
    found, x = [], torch.randn(4, 2, 6, 6)
    for step in (0.0, 0.04, 0.02):  # 0.45 stays below the border of 0.5, then passes it
        with Instability({"layer": layer}) as measured:
            layer(x)
            with torch.no_grad():
                weight += step
            layer(x)
        found.append(measured.means()["layer"])
    assert found[0] == found[1] == 0 < found[2]


def test_the_most_unstable_third_freezes_first():
    kl = dict(a=0.3, b=0.1, c=0.9, d=0.2, e=0.5, f=0.0, g=0.4)
    assert freezing_order(kl) == [["c", "e"], ["g", "a"], ["d", "b", "f"]]


def test_a_frozen_layer_keeps_its_weights_and_its_quantizer_learns():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3)
    parametrize.register_parametrization(layer, "weight", DuQ(3, True, 0.2))
    freeze(layer)
    layer(torch.randn(1, 2, 4, 4)).sum().backward()
    quantizer = layer.parametrizations.weight
    assert quantizer.original.grad is None and quantizer[0].c.grad is not None
