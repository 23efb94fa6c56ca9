"""Causal linear attention in PyTorch: all forms agree, forward and backward."""

import math

import pytest
import torch

from tutorial_lib.from_scratch import linear_attention as np_linear
from tutorial_lib.layers import linear_attention as la


def features(N, batch=(2, 3), r=4, m=5, dtype=torch.float32):
    draw = torch.Generator().manual_seed(N)
    q, k = (torch.randn(*batch, N, r, generator=draw, dtype=dtype) for _ in range(2))
    v = torch.randn(*batch, N, m, generator=draw, dtype=dtype)
    return [x.requires_grad_() for x in (la.phi(q), la.phi(k), v)]


def definition(phi_q, phi_k, v):
    A = (phi_q @ phi_k.mT).tril()
    return A @ v / A.sum(-1, keepdim=True)


def step_by_step(phi_q, phi_k, v):
    (S, Z), found = la.empty_state(phi_k, v), []
    for token in zip(*(x.unbind(-2) for x in (phi_q, phi_k, v))):
        y, S, Z = la.recurrent_step(*token, S, Z)
        found.append(y)
    return torch.stack(found, dim=-2)


FORMS = {
    "cumulative": la.cumulative_attention,
    "step by step": step_by_step,
    "chunks of 1": lambda *x: la.attend_in_chunks(*x, chunk=1)[0],
    "chunks of 3": lambda *x: la.attend_in_chunks(*x, chunk=3)[0],
    "one chunk": lambda *x: la.attend_in_chunks(*x, chunk=99)[0],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("N", [1, 3, 10])
def test_all_forms_are_the_definition(N, form):
    given = features(N)
    y, expected = FORMS[form](*given), definition(*given)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    dy = torch.randn_like(y)
    gradients = torch.autograd.grad(y, given, dy)
    for found, wanted in zip(gradients, torch.autograd.grad(expected, given, dy)):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_equals_numpy_forward_and_backward():
    given = features(7, dtype=torch.float64)
    y, S, Z = la.attend_in_chunks(*given, chunk=3)
    arrays = [x.detach().numpy() for x in given]
    for found, wanted in zip((y, S, Z), np_linear.causal_linear_attention(*arrays)):
        torch.testing.assert_close(found.detach(), torch.from_numpy(wanted))
    dy = torch.randn_like(y)
    wanted = np_linear.causal_linear_attention_backward(dy.numpy(), *arrays)
    for found, name in zip(torch.autograd.grad(y, given, dy), wanted):
        torch.testing.assert_close(found, torch.from_numpy(wanted[name]))


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_layer_goes_on_where_it_stopped(cut):
    torch.manual_seed(0)
    layer, x = la.LinearAttention(12, 3), torch.randn(2, 10, 12)
    whole, S, Z = layer(x)
    first, *state = layer(x[:, :cut])
    second, *state = layer(x[:, cut:], *state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state, [S, Z], rtol=1e-5, atol=1e-5)
    assert S.shape == (2, 3, 4, 4) and Z.shape == (2, 3, 4)


def test_a_state_is_not_changed_in_place():
    phi_q, phi_k, v = (x.detach() for x in features(4))
    S, Z = la.empty_state(phi_k, v)
    la.recurrent_step(phi_q[..., 0, :], phi_k[..., 0, :], v[..., 0, :], S, Z)
    la.attend_in_chunks(phi_q, phi_k, v, S, Z)
    assert not S.any() and not Z.any()


def test_far_out_the_feature_map_is_harmless():
    """Below −17 something is left; an exponential that overflows sends nothing back."""
    x = torch.tensor([-30.0, -5.0, 0.0, 5.0, 100.0], requires_grad=True)
    expected = torch.tensor([math.exp(-30), math.exp(-5), 1.0, 6.0, 101.0])
    phi = la.phi(x)
    torch.testing.assert_close(phi, expected, rtol=1e-5, atol=0)
    phi.sum().backward()
    torch.testing.assert_close(x.grad, expected.clamp(max=1), rtol=1e-5, atol=0)


def test_the_delta_rule_puts_the_new_in_the_place_of_the_old():
    key = torch.nn.functional.normalize(torch.randn(2, 4), dim=-1)
    old, new, S = torch.randn(2, 3), torch.randn(2, 3), torch.zeros(2, 4, 3)
    one = torch.ones(2, 1)
    y, S = la.delta_step(key, key, old, one, S)
    torch.testing.assert_close(y, old)
    y, S = la.delta_step(key, key, new, one, S)
    torch.testing.assert_close(y, new)  # where a sum would give both
    y, _ = la.delta_step(key, key, old, 0 * one, S)
    torch.testing.assert_close(y, new)  # β = 0 writes nothing


def test_the_delta_rule_is_a_step_of_gradient_descent():
    q, k, v = torch.randn(4), torch.nn.functional.normalize(torch.randn(4), dim=0), torch.randn(3)
    S, beta = torch.randn(4, 3, requires_grad=True), torch.tensor([0.3])
    loss = (S.T @ k - v).square().sum() / 2
    (slope,) = torch.autograd.grad(loss, S)
    y, new = la.delta_step(q, k, v, beta, S.detach())
    torch.testing.assert_close(new, S.detach() - beta * slope)
    torch.testing.assert_close(y, new.T @ q)
