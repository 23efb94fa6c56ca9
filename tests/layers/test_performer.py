"""Random features: unbiased, better with more of them, linear in time, finite at any size."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.performer import (
    linear_attention,
    performer_attention,
    positive_features,
    random_directions,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_features_estimate_the_exponential_without_bias():
    q, k = torch.rand(2, 3, 4).double(), torch.rand(2, 5, 4).double()
    w = torch.randn(50_000, 4).double()
    estimate = positive_features(q, w) @ positive_features(k, w).mT
    torch.testing.assert_close(estimate, (q @ k.mT / 2).exp(), rtol=0.03, atol=0)


def test_orthogonal_directions_are_gaussian_one_by_one_and_estimate_better():
    d, m, draws = 8, 8, 400
    q, k = (F.normalize(torch.randn(d).double(), dim=0) * 2 for _ in range(2))
    exact = (q @ k / d**0.5).exp()

    def estimates(draw):
        w = torch.stack([draw() for _ in range(draws)]).double()
        return torch.stack(
            [positive_features(q[None], x) @ positive_features(k[None], x).mT for x in w]
        )

    orthogonal = estimates(lambda: random_directions(m, d)).flatten()
    independent = estimates(lambda: torch.randn(m, d)).flatten()
    assert (orthogonal.mean() - exact).abs() < 4 * orthogonal.std() / draws**0.5
    assert orthogonal.var() < independent.var()
    w = F.normalize(random_directions(11, 4), dim=1)
    torch.testing.assert_close(w[:4] @ w[:4].mT, torch.eye(4))
    torch.testing.assert_close(w[8:] @ w[8:].mT, torch.eye(3))


def test_more_features_come_closer_to_softmax_attention():
    q, k, v = (torch.randn(4, 10, 8).double() for _ in range(3))
    q, k = q / 2, k / 2
    exact = F.scaled_dot_product_attention(q, k, v)
    errors = []
    for m in (4, 64, 1024, 16384):
        w = random_directions(m, 8).double()
        errors.append((performer_attention(q, k, v, w) - exact).square().mean())
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-3 * exact.square().mean()


def test_linear_attention_never_needs_the_weights_and_equals_them():
    phi_q, phi_k, v = torch.rand(2, 3, 4), torch.rand(2, 5, 4), torch.randn(2, 5, 6)
    weights = phi_q @ phi_k.mT
    expected = weights / weights.sum(dim=-1, keepdim=True) @ v
    torch.testing.assert_close(linear_attention(phi_q, phi_k, v), expected)


def test_performer_attention_takes_its_factors_out_exactly():
    q, k, v = (
        torch.randn(2, 3, 4).double(),
        torch.randn(2, 5, 4).double(),
        torch.randn(2, 5, 6).double(),
    )
    w = random_directions(7, 4).double()
    expected = linear_attention(positive_features(q, w), positive_features(k, w), v)
    torch.testing.assert_close(performer_attention(q, k, v, w), expected)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e8])
def test_performer_attention_is_finite_and_a_mean_of_values_at_any_size(size):
    q, k, v = (torch.randn(2, 6, 4) for _ in range(3))
    z = performer_attention(size * q, size * k, v, random_directions(5, 4))
    assert z.isfinite().all()
    assert (z <= v.amax(-2, keepdim=True) + 1e-5).all() and (
        z >= v.amin(-2, keepdim=True) - 1e-5
    ).all()


def test_performer_costs_grow_with_n_and_attention_with_its_square():
    w, cost = random_directions(4, 8), {}
    for n in (100, 200):
        q = torch.randn(1, n, 8)
        with FlopCounterMode(display=False) as counter:
            performer_attention(q, q, q, w)
        cost[n] = counter.get_total_flops()
    assert cost[200] == 2 * cost[100]


def test_as_many_keys_as_float16_cannot_count():
    """70,000 features of 1 add up to more than its largest number."""
    q, k, v = torch.zeros(3, 2).half(), torch.zeros(70_000, 2).half(), torch.ones(70_000, 1).half()
    z = performer_attention(q, k, v, random_directions(4, 2).half())
    assert z.dtype == torch.float16 and torch.equal(z, torch.ones(3, 1).half())
