"""Attention by gathered blocks against masked attention, and what it costs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.from_scratch.big_bird import big_bird_mask, draw_random_blocks
from tutorial_lib.layers.big_bird import BigBirdAttention, gathered_attention
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.measuring import benchmarking


def masks(heads, n, count=2, ends=True, window=3):
    rng = np.random.default_rng(n)
    drawn = [
        big_bird_mask(n, window, ends, draw_random_blocks(n, count, rng)) for _ in range(heads)
    ]
    return torch.from_numpy(np.stack(drawn))


def in_tokens(mask, size):
    return mask.repeat_interleave(size, -2).repeat_interleave(size, -1)


@pytest.mark.parametrize(
    "heads, n, size, count, ends, window",
    [(1, 3, 1, 0, False, 1), (2, 6, 3, 2, True, 3), (3, 9, 2, 1, False, 5), (2, 4, 2, 3, True, 3)],
)
def test_equals_masked_attention_forward_and_backward(heads, n, size, count, ends, window):
    torch.manual_seed(0)
    mask = masks(heads, n, count, ends, window)
    qkv = [torch.randn(2, heads, n * size, 4, requires_grad=True) for _ in range(3)]
    out = gathered_attention(*qkv, mask)
    expected = F.scaled_dot_product_attention(*qkv, attn_mask=in_tokens(mask, size))
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    dy = torch.randn_like(out)
    for found, wanted in zip(
        torch.autograd.grad(out, qkv, dy), torch.autograd.grad(expected, qkv, dy)
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_the_module_is_multi_head_attention_with_a_mask():
    torch.manual_seed(0)
    mask = masks(1, 5)
    sparse, full = BigBirdAttention(8, 2, mask), MultiHeadAttention(8, 2)
    full.load_state_dict(sparse.state_dict())
    x = torch.randn(2, 15, 8)
    torch.testing.assert_close(sparse(x), full(x, mask=in_tokens(mask, 3)), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="takes no mask of tokens"):
        sparse(x, mask=torch.ones(15, 15, dtype=torch.bool))


def test_memory_grows_with_n():
    def peak(n):
        q = torch.randn(1, 1, 8 * n, 8)
        mask = masks(1, n)
        with torch.no_grad():
            return benchmarking.peak_bytes(lambda: gathered_attention(q, q, q, mask))

    assert peak(128) / peak(32) < 6  # 16 with a matrix of N × N


def test_what_is_refused():
    x = torch.zeros(1, 1, 7, 4)
    with pytest.raises(ValueError, match="7 tokens do not divide into 3 blocks"):
        gathered_attention(x, x, x, torch.ones(1, 3, 3, dtype=torch.bool))
    nowhere = torch.ones(1, 7, 7, dtype=torch.bool)
    nowhere[0, 3] = False
    with pytest.raises(ValueError, match="may look nowhere"):
        gathered_attention(x, x, x, nowhere)
