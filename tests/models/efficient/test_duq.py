"""DuQ against the authors' own code, and what its gradients mean."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tutorial_lib.models.efficient.duq import DuQ, duq

X = [-1.3, -0.42, -0.05, 0.0, 0.08, 0.21, 0.37, 0.5, 0.77, 1.9]
# From quant_op/duq.py of EunhyeokPark/PROFIT (commit ddc513e): Q_Conv2d of these weights with
# c 0.3 above its start, and Q_ReLU of them initialized with 0.1, 0.8 and c 0.2 below, before the
# softplus. Values, then the gradients of Σ i · value_i (i from 1): of x, of a, of c.
PUBLIC = {
    (2, True): (
        [-1.961989, 0, 0, 0, 0, 0, 0, 0, 0, 1.961989],
        [1.147362, 2.294724, 3.442086, 4.589447, 5.736809, 6.884171, 8.031532, 9.178894, 10.326256]
        + [0.0],
        -7.08455,
        7.73479,
    ),
    (3, True): (
        [-1.307992, -0.653996, 0, 0, 0, 0, 0.653996, 0.653996, 0.653996, 1.961989],
        [1.147362, 2.294724, 3.442086, 4.589447, 5.736809, 6.884171, 8.031532, 9.178894, 10.326256]
        + [0.0],
        -7.08455,
        14.32369,
    ),
    (2, False): (
        [0, 0, 0, 0, 0, 0.262064, 0.262064, 0.524128, 0.786192, 0.786192],
        [0, 0, 0, 0, 4.367733, 5.241281, 6.114828, 6.988374, 7.861921, 0],
        -8.7435,
        15.60681,
    ),
    (4, False): (
        [0, 0, 0, 0, 0.052413, 0.209651, 0.314477, 0.419302, 0.681366, 0.786192],
        [0, 0, 0, 0, 4.367733, 5.241281, 6.114828, 6.988374, 7.861921, 0],
        -8.7435,
        14.59055,
    ),
}


@pytest.mark.parametrize("bits, signed", PUBLIC)
def test_values_and_gradients_are_those_of_the_authors_code(bits, signed):
    values, of_x, of_a, of_c = PUBLIC[bits, signed]
    quantizer = DuQ(bits, signed, size=0.9 * 1.9 if signed else 0.9)
    with torch.no_grad():
        quantizer.c += 0.3 if signed else -0.2
    x = torch.tensor(X, requires_grad=True)
    found = quantizer(x)
    (found * torch.arange(1, 11)).sum().backward()
    torch.testing.assert_close(found, torch.tensor(values).float(), atol=2e-6, rtol=0)
    # At a weight of exactly 0 ReLU passes nothing, and clipping here passes half or all: no case.
    here = torch.tensor(X) != 0
    torch.testing.assert_close(x.grad[here], torch.tensor(of_x).float()[here], atol=1e-5, rtol=0)
    assert quantizer.a.grad.item() == pytest.approx(of_a, abs=1e-4)
    assert quantizer.c.grad.item() == pytest.approx(of_c, abs=1e-4)


@pytest.mark.parametrize("bits, signed, count", [(2, True, 3), (4, True, 15), (2, False, 4)])
def test_there_are_as_many_values_as_bits_allow_and_zero_is_one(bits, signed, count):
    values = DuQ(bits, signed, size=0.5)(torch.linspace(-2, 2, 4001)).unique()
    assert len(values) == count and 0 in values
    assert values.max().item() == pytest.approx(0.5)


def test_a_decides_where_is_clipped_and_c_how_large_the_results_are():
    x = torch.linspace(-3, 3, 100)
    a, c = torch.tensor(2.0), torch.tensor(5.0)
    found = duq(x, a, c, steps=7, low=-1)
    assert found.max() == 5 and (found == 5).sum() == (x >= 2 * 13 / 14).sum()


def test_as_a_parametrization_it_learns_with_the_weight():
    layer = nn.Linear(3, 2)
    parametrize.register_parametrization(layer, "weight", DuQ(3, True, 0.4))
    layer(torch.ones(1, 3)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    assert len(list(layer.parameters())) == 4  # bias, float weight, a, c


def test_one_signed_bit_and_no_size_are_refused():
    with pytest.raises(ValueError, match="bits is 1 and size 0.5, expected"):
        DuQ(1, True, 0.5)
    with pytest.raises(ValueError, match="bits is 3 and size 0, expected"):
        DuQ(3, False, 0)
