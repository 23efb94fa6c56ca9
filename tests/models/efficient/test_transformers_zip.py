"""Pruning keeps the largest weights and stays; shared values and gradients."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.models.efficient.inner_layers import inner_layers, size_in_bytes
from tutorial_lib.models.efficient.transformers_zip import (
    Binary,
    Pruned,
    SharedValues,
    magnitude_mask,
    stored_bytes,
)


@pytest.mark.parametrize("sparsity, kept", [(0, 12), (0.5, 6), (0.99, 1)])
def test_the_largest_weights_stay(sparsity, kept):
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    mask = magnitude_mask(weight, sparsity)
    assert mask.sum() == kept
    assert weight[mask].abs().min() >= weight[~mask].abs().max() if sparsity else True


def test_what_is_pruned_stays_zero_whatever_the_optimizer_does():
    torch.manual_seed(0)
    layer, x = nn.Linear(6, 4), torch.randn(32, 6)
    mask = magnitude_mask(layer.weight, 0.7)
    parametrize.register_parametrization(layer, "weight", Pruned(mask))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    for _ in range(20):
        optimizer.zero_grad()
        (layer(x) - 1).square().mean().backward()
        optimizer.step()
    assert (layer.weight[~mask] == 0).all()
    assert (layer.weight[mask] != before[mask]).all()


def test_shared_values_are_few_keep_zeros_and_add_their_gradients_up():
    torch.manual_seed(0)
    weight = torch.randn(5, 7)
    weight[weight.abs() < 0.5] = 0
    layer = nn.Linear(7, 5)
    with torch.no_grad():
        layer.weight.copy_(weight)
    parametrize.register_parametrization(layer, "weight", SharedValues(weight, bits=2))
    shared = layer.parametrizations.weight[0]
    assert ((layer.weight == 0) == (weight == 0)).all()
    assert len(layer.weight[weight != 0].unique()) <= 4
    gradient = torch.randn(5, 7)
    (layer.weight * gradient).sum().backward()
    learned = layer.parametrizations.weight.original
    for k in range(4):
        of_group = gradient[(shared.index == k) & (weight != 0)].sum().item()
        assert learned.grad[k].item() == pytest.approx(of_group, abs=1e-5)


def test_as_many_values_as_weights_lose_nothing():
    weight = torch.tensor([[-0.4, 0.0], [0.1, 0.9]])
    shared = SharedValues(weight, bits=2)
    torch.testing.assert_close(shared(shared.right_inverse(weight)), weight, atol=0.21, rtol=0)
    distinct = torch.linspace(-1, 1, 4).view(2, 2)
    shared = SharedValues(distinct, bits=2)
    assert shared(shared.right_inverse(distinct)).equal(distinct)


def test_binary_has_the_mean_size_and_passes_the_gradient():
    weight = torch.tensor([[-3.0, 1.0], [0.0, 4.0]], requires_grad=True)
    binary = Binary()(weight)
    assert binary.tolist() == [[-2, 2], [2, 2]]
    binary.sum().backward()
    assert weight.grad.tolist() == [[1, 1], [1, 1]]


def test_bytes_are_counted():
    weight = torch.tensor([[0.5, 0, -2, 0]] * 8)  # 32 weights, 16 of them not zero
    assert stored_bytes(weight, 32, sparse=False) == 4 * 32
    assert stored_bytes(weight, 32, sparse=True) == 4 * 16 + 32 / 8
    assert stored_bytes(weight, 4, sparse=False) == 32 / 2 + 4 * 16
    assert stored_bytes(weight, 4, sparse=True) == 16 / 2 + 4 * 16 + 32 / 8
    model = ViT(28, 7, 1, 10, dim=8, depth=1, heads=2, hidden=12)
    inner = 4 * 8 * 8 + 2 * 8 * 12
    rest = sum(p.numel() for p in model.parameters()) - inner
    assert size_in_bytes(model, 32) == 4 * sum(p.numel() for p in model.parameters())
    assert size_in_bytes(model, 1) == inner / 8 + 4 * rest
    assert len(inner_layers(model)) == 6


def test_a_sparsity_of_one_and_a_model_without_inner_layers_are_refused():
    with pytest.raises(ValueError, match="sparsity is 1, expected 0 to below 1"):
        magnitude_mask(torch.ones(2), 1)
    with pytest.raises(ValueError, match="2 layers with weights, expected 3 or more"):
        inner_layers(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
