"""Multi-head attention of this course, NumPy and PyTorch, against torch.nn.MultiheadAttention."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.exercises.multi_head_attention import MultiHeadAttention as Exercise
from tutorial_lib.exercises.multi_head_attention import multi_head_cost
from tutorial_lib.from_scratch.attention import causal_mask
from tutorial_lib.from_scratch.multi_head import (
    multi_head_attention,
    multi_head_attention_backward,
)
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention

SHAPES = [(1, 1, 1, 1, 1), (3, 5, 8, 8, 2), (7, 7, 6, 6, 3), (1, 4, 6, 3, 6), (5, 1, 4, 7, 1)]
LINEAR = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out": "out"}


def public_with_weights_of(module, bias):
    """A torch.nn.MultiheadAttention that computes what our module computes."""
    dim, memory = module.to_q.in_features, module.to_k.in_features
    public = nn.MultiheadAttention(
        dim, module.heads, bias=bias, kdim=memory, vdim=memory, batch_first=True,
        dtype=module.to_q.weight.dtype,
    )  # fmt: skip
    linear = [module.to_q, module.to_k, module.to_v]
    with torch.no_grad():
        if memory == dim:  # one packed matrix; else three
            public.in_proj_weight.copy_(torch.cat([part.weight for part in linear]))
        else:
            packed = (public.q_proj_weight, public.k_proj_weight, public.v_proj_weight)
            for weight, part in zip(packed, linear):
                weight.copy_(part.weight)
        public.out_proj.weight.copy_(module.to_out.weight)
        if bias:
            public.in_proj_bias.copy_(torch.cat([part.bias for part in linear]))
            public.out_proj.bias.copy_(module.to_out.bias)
    return public


def gradients_of(public):
    """Gradients of the projections' weights, then of their biases: q, k, v, out."""
    weights = (
        public.in_proj_weight.grad.chunk(3)
        if public.in_proj_weight is not None
        else [w.grad for w in (public.q_proj_weight, public.k_proj_weight, public.v_proj_weight)]
    )
    found = [*weights, public.out_proj.weight.grad]
    if public.in_proj_bias is not None:
        found += [*public.in_proj_bias.grad.chunk(3), public.out_proj.bias.grad]
    return found


def draw_mask(kind, batch, n, m):
    """Our mask, and what torch.nn.MultiheadAttention calls the same: True where it is forbidden."""
    if kind == "none":
        return None, {}
    generator = torch.Generator().manual_seed(0)
    if kind == "pairs":
        mask = torch.rand(n, m, generator=generator) < 0.6
        mask[:, 0] = True  # PyTorch gives NaN where nobody may be looked at
        return mask, {"attn_mask": ~mask}
    real = torch.rand(batch, m, generator=generator) < 0.6
    real[:, 0] = True
    return real[:, None, :], {"key_padding_mask": ~real}


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 1e-5)])
@pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])
@pytest.mark.parametrize("kind", ["none", "pairs", "padding"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_module_equals_pytorchs_own(shape, kind, bias, dtype, tolerance):
    n, m, dim, dim_memory, heads = shape
    torch.manual_seed(0)
    module = MultiHeadAttention(dim, heads, dim_memory, bias).to(dtype)
    if bias:
        for name in LINEAR:
            nn.init.normal_(getattr(module, name).bias)
    public = public_with_weights_of(module, bias)
    x, memory = torch.randn(2, n, dim, dtype=dtype), torch.randn(2, m, dim_memory, dtype=dtype)
    upstream, (mask, theirs) = torch.randn(2, n, dim, dtype=dtype), draw_mask(kind, 2, n, m)

    ours = [x.clone().requires_grad_(), memory.clone().requires_grad_()]
    other = [x.clone().requires_grad_(), memory.clone().requires_grad_()]
    y = module(*ours, mask)
    y.backward(upstream)
    expected, p = public(other[0], other[1], other[1], average_attn_weights=False, **theirs)
    expected.backward(upstream)

    parts = [getattr(module, name) for name in LINEAR]
    mine = [y, module.weights(*ours, mask), *(t.grad for t in ours)]
    mine += [part.weight.grad for part in parts]
    mine += [part.bias.grad for part in parts] if bias else []
    public_ones = [expected, p, *(t.grad for t in other), *gradients_of(public)]
    assert len(mine) == len(public_ones)
    for a, b in zip(mine, public_ones):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", ["none", "pairs", "padding"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_equals_pytorchs_own(shape, kind, dtype, tolerance):
    n, m, dim, dim_memory, heads = shape
    torch.manual_seed(0)
    module = MultiHeadAttention(dim, heads, dim_memory, bias=False).to(dtype)
    public = public_with_weights_of(module, bias=False)
    x = torch.randn(2, n, dim, dtype=dtype, requires_grad=True)
    memory = torch.randn(2, m, dim_memory, dtype=dtype, requires_grad=True)
    upstream, (mask, theirs) = torch.randn(2, n, dim, dtype=dtype), draw_mask(kind, 2, n, m)
    expected, p = public(x, memory, memory, average_attn_weights=False, **theirs)
    expected.backward(upstream)

    names = ("W_Q", "W_K", "W_V", "W_O")
    W = {name: getattr(module, part).weight.detach().numpy().T for name, part in zip(names, LINEAR)}
    arguments = (x.detach().numpy(), memory.detach().numpy(), W, heads)
    arguments += (None if mask is None else mask.numpy(),)
    Y, P = multi_head_attention(*arguments)
    gradients = multi_head_attention_backward(upstream.numpy(), *arguments)
    pairs = [(Y, expected), (P, p), (gradients["dX"], x.grad), (gradients["dmemory"], memory.grad)]
    pairs += [(gradients[f"d{name}"].T, g) for name, g in zip(names, gradients_of(public))]
    for a, b in pairs:
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_causal_self_attention_equals_pytorchs_own():
    torch.manual_seed(0)
    module = MultiHeadAttention(8, 4)
    public, x = public_with_weights_of(module, bias=True), torch.randn(2, 5, 8)
    mask = torch.from_numpy(causal_mask(5))
    expected, p = public(x, x, x, attn_mask=~mask, average_attn_weights=False)
    torch.testing.assert_close(module(x, mask=mask), expected)
    torch.testing.assert_close(module.weights(x, mask=mask), p)


@pytest.mark.parametrize("n, dim, heads", [(3, 8, 2), (7, 12, 3), (5, 6, 1)])
def test_predicted_cost_is_what_pytorch_counts(n, dim, heads):
    module = MultiHeadAttention(dim, heads, bias=False)
    cost = multi_head_cost.reference(n, dim, heads)
    assert sum(p.numel() for p in module.parameters()) == cost["parameters"]
    x = torch.randn(1, n, dim)
    assert module.weights(x).numel() == cost["weights_stored"]
    with FlopCounterMode(display=False) as counter:  # it does not see into a fused kernel on a CPU
        plain = Exercise.reference(dim, heads, dim)
        plain.load_state_dict(module.state_dict())
        y = plain(x)
    torch.testing.assert_close(y, module(x))
    assert counter.get_total_flops() == cost["projection_flops"] + cost["attention_flops"]


def test_heads_must_divide_the_features():
    with pytest.raises(ValueError, match="8 features do not divide among 3 heads"):
        MultiHeadAttention(8, 3)
