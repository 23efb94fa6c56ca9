"""The prox formula is the minimum that a grid search finds; ramped, it makes weights binary."""

import pytest
import torch

from tutorial_lib.models.efficient.binary_connect import BinaryConnect, clip, levels
from tutorial_lib.models.efficient.prox_quant import (
    prox_binary,
    prox_step,
    sign_changes,
    w_shaped,
)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.7, 1.5])
def test_the_formula_is_the_minimum_of_a_grid_search(strength):
    grid = torch.linspace(-3, 3, 60001).double()
    for theta in torch.tensor([-2.5, -1.05, -1.0, -0.93, -0.3, 0.01, 0.4, 0.95, 1.2, 2.9]).double():
        objective = (grid - theta) ** 2 / 2 + strength * (grid.abs() - 1).abs()
        best = grid[objective.argmin()]
        assert prox_binary(theta, strength).item() == pytest.approx(best.item(), abs=2e-4)


# From reg.py of allenbai01/ProxQuant (commit 1a9240e), BinOp.prox_operator of type "binary". It
# leaves a weight of exactly 0 where it is, for ever; the minimum is at either side.
PUBLIC = {
    0.1: [-2.4, -1.0, -0.4, 0.11, 0.5, 1.0, 1.1, 2.8],
    0.7: [-1.8, -1.0, -1.0, 0.71, 1.0, 1.0, 1.0, 2.2],
}


@pytest.mark.parametrize("strength", PUBLIC)
def test_it_is_what_the_authors_code_computes(strength):
    theta = torch.tensor([-2.5, -1.05, -0.3, 0.01, 0.4, 0.95, 1.2, 2.9])
    torch.testing.assert_close(prox_binary(theta, strength), torch.tensor(PUBLIC[strength]))


def test_no_strength_changes_nothing_and_enough_of_it_gives_signs():
    theta = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prox_binary(theta, 0.0), theta)
    assert prox_binary(theta, 5.0).equal(theta.sign())


def test_zero_goes_to_one_and_does_not_stay():
    assert prox_binary(torch.zeros(2), 0.25).tolist() == [0.25, 0.25]


def test_a_step_lowers_the_distance_by_the_strength_a_weight_until_it_is_zero():
    weights = [
        torch.nn.Parameter(torch.full((2, 3), 0.2)),
        torch.nn.Parameter(torch.full((4,), -3.0)),
    ]
    before = [w_shaped(w).item() for w in weights]
    prox_step(weights, 0.5)
    after = [w_shaped(w).item() for w in weights]
    assert [b - a for a, b in zip(after, before)] == pytest.approx([3.0, 2.0])
    for _ in range(5):
        prox_step(weights, 0.5)
    assert [w_shaped(w).item() for w in weights] == [0, 0]


def test_sign_changes_are_a_share_of_all_weights():
    before = [torch.tensor([1.0, -1.0, 0.3]), torch.tensor([[-2.0]])]
    after = [torch.tensor([-0.1, -3.0, 0.3]), torch.tensor([[0.0]])]
    assert sign_changes(before, after) == 0.5
    assert sign_changes(before, before) == 0


def test_binary_connect_is_the_sign_and_its_gradient_the_identity():
    weight = torch.tensor([-1.7, -0.2, 0.0, 0.4, 2.0], requires_grad=True)
    binary = BinaryConnect(levels(1))(weight)
    assert binary.tolist() == [-1, -1, 1, 1, 1]
    (binary * torch.arange(5.0)).sum().backward()
    assert weight.grad.tolist() == [0, 1, 2, 3, 4]
    clip([weight])
    assert weight.tolist() == pytest.approx([-1, -0.2, 0, 0.4, 1])


def test_with_more_values_it_is_the_nearest():
    weight, values = torch.linspace(-1.5, 1.5, 301), levels(2)
    nearest = values[(weight[:, None] - values).abs().argmin(1)]
    found = BinaryConnect(values)(weight)
    halfway = ((weight[:, None] - values).abs().topk(2, largest=False)[0].diff().abs() < 1e-6)[:, 0]
    assert found[~halfway].equal(nearest[~halfway])


def test_a_negative_strength_is_refused():
    with pytest.raises(ValueError, match="strength is -0.1, expected 0 or more"):
        prox_binary(torch.zeros(2), -0.1)
