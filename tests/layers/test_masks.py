"""Masks of attention: bool or refused, nothing leaks from what is hidden, half precision holds."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from tutorial_lib.from_scratch.attention import attention
from tutorial_lib.layers.attention import Attention, dot_product_attention
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import DecoderLayer, EncoderLayer

MODULES = [lambda: Attention(8), lambda: MultiHeadAttention(8, 2)]
BOTH = pytest.mark.parametrize("make", MODULES, ids=["one head", "two heads"])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", [torch.float32, torch.int64, list])
def test_a_mask_that_would_be_added_is_refused(kind):
    """Zeros and ones that are added to the scores hide nothing: the future would leak."""
    mask = torch.ones(3, 3).tril()
    mask = mask.tolist() if kind is list else mask.to(kind)
    x = torch.randn(2, 3, 8)
    for module in [*(make() for make in MODULES), EncoderLayer(8, 2, 12)]:
        with pytest.raises(TypeError, match="expected bool"):
            module(x, mask=mask)
    with pytest.raises(TypeError, match="expected bool"):
        DecoderLayer(8, 2, 12)(x, x, memory_mask=mask)


@BOTH
@pytest.mark.parametrize("shape", [(2, 2, 3, 5), (4, 3, 5), (2, 5), (3, 1, 5), (1, 4)])
def test_a_mask_that_does_not_fit_is_refused(make, shape):
    """One for each head, for more sequences, a padding mask without its axis for the queries: some
    of these would broadcast, to sequences that nobody passed."""
    module, x, memory = make(), torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    mask = torch.ones(shape, dtype=torch.bool)
    for method in (module, module.weights):
        with pytest.raises(ValueError, match=r"expected \(2, 3, 5\), or 1 for an axis"):
            method(x, memory, mask)


def test_a_mask_in_the_place_of_a_score_bias_is_refused():
    with pytest.raises(TypeError, match="score_bias is torch.bool, expected float"):
        MultiHeadAttention(8, 2)(torch.randn(2, 3, 8), score_bias=torch.ones(3, 3).bool())


@BOTH
def test_checks_look_at_shapes_alone(make):
    """So they cost no wait for a GPU, and tensors without values pass, as does torch.compile."""
    module, mask = make().to("meta"), torch.ones(3, 1, 4, dtype=torch.bool, device="meta")
    assert module(torch.empty(3, 4, 8, device="meta"), mask=mask).shape == (3, 4, 8)
    module, x = make(), torch.randn(2, 3, 8)
    mask = torch.ones(3, 3).tril().bool()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, mask=mask), module(x, mask=mask))


@pytest.mark.parametrize("heads", [0, -2, 3])
def test_heads_that_share_nothing_are_refused(heads):
    with pytest.raises(ValueError, match=f"among {heads} heads"):
        MultiHeadAttention(8, heads)


@BOTH
def test_nothing_comes_from_padding_whatever_lies_there(make):
    module, x, memory = make(), torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    mask = torch.ones(2, 1, 5, dtype=torch.bool)
    mask[1, :, 3:] = False
    clean = module(x, memory, mask), module.weights(x, memory, mask)
    memory[1, 3:] = torch.nan
    x.requires_grad_()
    z = module(x, memory, mask)
    torch.testing.assert_close((z, module.weights(x, memory, mask)), clean)
    z.sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in (x, *module.parameters()))


@BOTH
def test_who_may_look_nowhere_hears_zeros_and_its_weights_are_zeros(make):
    module, x = make(), torch.randn(1, 3, 8)
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, True]])
    weights = module.weights(x, mask=mask)
    assert (weights[..., 1, :] == 0).all() and (weights[..., [0, 2], :] >= 0).all()
    silence = module(0 * x, mask=mask)  # only the projection's bias is left of it
    torch.testing.assert_close(module(x, mask=mask)[:, 1], silence[:, 1])


def test_who_may_look_nowhere_sends_no_nan_back():
    """The plain steps, as in NumPy: zeros, and finite gradients, the second ones too."""
    q, k, v = (torch.randn(3, n, dtype=torch.float64, requires_grad=True) for n in (4, 4, 2))
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, True]])
    z, p = dot_product_attention(q, k, v, mask)
    arrays = (x.detach().numpy() for x in (q, k, v))
    for found, wanted in zip((z, p), attention(*arrays, mask.numpy())):
        torch.testing.assert_close(found, torch.from_numpy(wanted))
    z.square().sum().backward()
    assert (q.grad[1] == 0).all() and all(x.grad.isfinite().all() for x in (q, k, v))
    torch.autograd.gradgradcheck(lambda *x: dot_product_attention(*x, mask)[0], (q, k, v))


def test_a_second_gradient_takes_the_plain_steps():
    module, x = MultiHeadAttention(4, 2).double(), torch.randn(1, 3, 4, dtype=torch.float64)
    causal = torch.ones(3, 3).tril().bool()
    with sdpa_kernel(SDPBackend.MATH):
        torch.autograd.gradgradcheck(lambda x: module(x, mask=causal), x.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_scores_do_not_overflow_in_half_precision(dtype):
    q = torch.full((1, 2, 64), 40.0, dtype=dtype)  # q · k is 102,400, and float16 ends at 65,504
    v = torch.randn(1, 2, 3).to(dtype)
    z, p = dot_product_attention(q, q, v)
    assert (p == 0.5).all()
    torch.testing.assert_close(z, F.scaled_dot_product_attention(q, q, v))


def test_a_step_takes_one_token():
    layer, memory = DecoderLayer(8, 2, 12), torch.randn(2, 4, 8)
    with pytest.raises(ValueError, match="2 tokens in one step"):
        layer.step(torch.randn(2, 2, 8), layer.start(memory))
