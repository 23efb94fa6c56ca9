"""Attention of this course against PyTorch's, forward and backward, with and without masks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.exercises import self_attention as exercise
from tutorial_lib.from_scratch.attention import attention, attention_backward, causal_mask
from tutorial_lib.layers.attention import Attention, dot_product_attention
from tutorial_lib.measuring.benchmarking import peak_bytes

SHAPES = [(1, 1, 1, 1), (3, 5, 2, 4), (7, 7, 8, 8), (1, 9, 3, 1), (6, 1, 4, 2)]  # N, M, d, d_v


def draw(n, m, d, d_v, batch=()):
    rng = np.random.default_rng(n * 100 + m)
    shapes = [(*batch, n, d), (*batch, m, d), (*batch, m, d_v), (*batch, n, d_v)]
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_and_torch_equal_pytorchs_own(shape, batch, masked):
    Q, K, V, dZ = draw(*shape, batch)
    mask = np.random.default_rng(0).random((shape[0], shape[1])) < 0.6 if masked else None
    if masked:
        mask[:, 0] = True  # where nobody may be looked at, PyTorch's answer depends on its version
    theirs = [torch.from_numpy(x).requires_grad_() for x in (Q, K, V)]
    attn_mask = torch.from_numpy(mask) if masked else None
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=attn_mask)
    expected.backward(torch.from_numpy(dZ))

    ours = [torch.from_numpy(x).requires_grad_() for x in (Q, K, V)]
    z, p = dot_product_attention(*ours, attn_mask)
    z.backward(torch.from_numpy(dZ))
    torch.testing.assert_close(z, expected)
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine.grad, other.grad)

    Z, P = attention(Q, K, V, mask)
    np.testing.assert_allclose(Z, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(P, p.detach().numpy(), rtol=1e-10, atol=1e-12)
    gradients = attention_backward(dZ, Q, K, V, mask)
    for name, other in zip(("dQ", "dK", "dV"), theirs):
        np.testing.assert_allclose(gradients[name], other.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_module_equals_multi_head_attention_with_one_head():
    torch.manual_seed(0)
    module, public = Attention(8), torch.nn.MultiheadAttention(8, 1, bias=False, batch_first=True)
    with torch.no_grad():
        weights = [module.to_q.weight, module.to_k.weight, module.to_v.weight]
        public.in_proj_weight.copy_(torch.cat(weights))
        public.out_proj.weight.copy_(module.to_out.weight)
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 7, 8)
    expected, expected_weights = public(x, memory, memory)
    torch.testing.assert_close(module(x, memory), expected)
    torch.testing.assert_close(module.weights(x, memory), expected_weights)
    mask = torch.from_numpy(causal_mask(5))
    torch.testing.assert_close(module(x, mask=mask), public(x, x, x, attn_mask=~mask)[0])


def test_what_the_chapter_has_written_is_the_librarys_module_by_name_and_number():
    torch.manual_seed(0)
    library, own = Attention(6, 4, 3), exercise.Attention.reference(6, 4, 3)
    own.load_state_dict(library.state_dict())
    x, memory, mask = torch.randn(2, 5, 6), torch.randn(2, 7, 3), torch.rand(2, 5, 7) < 0.5
    mask[0, 1] = False  # it may look nowhere
    torch.testing.assert_close(own(x, memory, mask), library(x, memory, mask))
    torch.testing.assert_close(own(x, memory), library(x, memory))


def test_module_with_widths_of_its_own():
    module = Attention(6, dim_head=4, dim_memory=3)
    assert module(torch.randn(2, 5, 6), torch.randn(2, 7, 3)).shape == (2, 5, 6)
    assert module.weights(torch.randn(2, 5, 6), torch.randn(2, 7, 3)).shape == (2, 5, 7)


@pytest.mark.parametrize("shape", [(6,), (1, 6), (5, 6), (1, 5, 6), (2, 1, 6), (2, 5, 6)], ids=str)
def test_module_takes_any_mask_that_broadcasts(shape):
    torch.manual_seed(0)
    module, x, memory = Attention(8), torch.randn(2, 5, 8), torch.randn(2, 6, 8)
    mask = torch.rand(shape) < 0.6
    mask[..., 0] = True
    expected = module.weights(x, memory, mask) @ module.to_v(memory)
    torch.testing.assert_close(module(x, memory, mask), module.to_out(expected))


def test_module_never_holds_the_weights():
    module, x = Attention(16), torch.randn(2, 1024, 16)
    with torch.no_grad():
        assert peak_bytes(lambda: module(x)) < 4 * 2 * 1024 * 1024  # what the scores would take
