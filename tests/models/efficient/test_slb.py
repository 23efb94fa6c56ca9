"""Searched weights: soft ones become hard ones as the temperature falls; two memories of a norm."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.efficient.binary_connect import BinaryConnect, levels
from tutorial_lib.models.efficient.inner_layers import inner_layers
from tutorial_lib.models.efficient.slb import (
    Searched,
    StateBatchNorm,
    hard,
    hard_selection,
    search,
    set_temperature,
    soft_selection,
)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_as_the_temperature_falls_soft_becomes_hard(bits):
    torch.manual_seed(bits)
    logits, values = torch.randn(5, 4, 2**bits), levels(bits)
    chosen = hard_selection(logits, values)
    torch.testing.assert_close(soft_selection(logits, values, 1e-4), chosen)
    apart = [(soft_selection(logits, values, t) - chosen).abs().mean() for t in (10, 1, 0.1, 0.01)]
    assert apart == sorted(apart, reverse=True)


def test_at_a_high_temperature_all_values_count_alike():
    found = soft_selection(torch.randn(6, 4), torch.tensor([0.0, 1.0, 2.0, 5.0]), 1e6)
    torch.testing.assert_close(found, torch.full((6,), 2.0), atol=1e-4, rtol=0)


def test_the_choice_begins_at_the_nearest_value_and_every_logit_gets_a_gradient():
    torch.manual_seed(0)
    weight, values = torch.randn(3, 5), levels(2)
    searched = Searched(values)
    logits = searched.right_inverse(weight).requires_grad_()
    nearest = BinaryConnect(values)(weight)
    assert hard_selection(logits, values).equal(nearest)
    searched(logits).sum().backward()
    assert (logits.grad != 0).all()


def test_a_norm_keeps_the_statistics_of_each_state_and_one_gain():
    torch.manual_seed(0)
    norm = StateBatchNorm(nn.BatchNorm2d(3))
    soft, stiff = torch.randn(20, 3, 4, 4) + 1, 5 * torch.randn(20, 3, 4, 4) - 2
    for _ in range(60):
        norm.hard = False
        norm(soft)
        norm.hard = True
        norm(stiff)
    norm.eval()
    for state, x in [(False, soft), (True, stiff)]:
        norm.hard = state
        out = norm(x)
        torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=0.02, rtol=0)
        torch.testing.assert_close(out.std((0, 2, 3)), torch.ones(3), atol=0.02, rtol=0)
    assert len(list(norm.parameters())) == 2  # one gain and one shift


def test_a_searched_model_in_the_hard_state_has_few_values_and_comes_back():
    torch.manual_seed(0)
    model = search(SmallCNN(1, 10, 4), bits=2)
    layers = inner_layers(model).values()
    soft = [layer.weight for layer in layers]
    assert all(len(weight.unique()) > 4 for weight in soft)
    with hard(model):
        for layer in layers:
            assert set(layer.weight.unique().tolist()) <= set(levels(2).tolist())
    assert all(a.equal(b.weight) for a, b in zip(soft, layers))
    assert sum(isinstance(m, StateBatchNorm) for m in model.modules()) == 4


def test_at_a_low_temperature_both_states_of_a_model_answer_alike():
    torch.manual_seed(0)
    model, images = search(SmallCNN(1, 10, 4), bits=1), torch.randn(6, 1, 28, 28)
    set_temperature(model, 1e-6)
    for _ in range(40):
        model(images)
        with hard(model):
            model(images)
    model.eval()
    with hard(model):
        stiff = model(images)
    torch.testing.assert_close(model(images), stiff, atol=1e-3, rtol=0)


def test_only_inner_layers_are_searched():
    model = search(SmallCNN(1, 10, 4), bits=1)
    first, *_, last = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert not parametrize.is_parametrized(first) and not parametrize.is_parametrized(last)
    assert all(parametrize.is_parametrized(layer) for layer in inner_layers(model).values())
    assert first.weight.shape == (4, 1, 3, 3)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature is 0, expected more than 0"):
        soft_selection(torch.zeros(2), torch.tensor([-1.0, 1.0]), 0)
