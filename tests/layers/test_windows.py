"""Windows: masked shift against uneven windows, bias against a loop, who reaches whom, cost."""

import itertools

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.windows import PatchMerging, ShiftedWindowAttention, WindowAttention


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def bands(length, window, shift):
    """Where uneven windows lie on one axis: a first one of shift tokens, then whole ones."""
    edges = sorted({0, *range(shift, length, window), length})
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("height, width, window", [(6, 6, 3), (4, 8, 2), (8, 12, 4)])
def test_masked_cyclic_shift_equals_uneven_windows(height, width, window):
    """Each uneven window by itself, with the bias of its tokens' offsets looked up one by one."""
    for shift in range(1, window):
        layer = ShiftedWindowAttention(8, 2, window, shift).double()
        x = torch.randn(2, height, width, 8, dtype=torch.float64)
        found, expected = layer(x), torch.empty_like(x)
        for rows, columns in itertools.product(*(bands(n, window, shift) for n in x.shape[1:3])):
            piece = x[:, rows, columns]
            places = list(itertools.product(range(piece.shape[1]), range(piece.shape[2])))
            side = 2 * window - 1
            offsets = [
                [(y - v + window - 1) * side + u - w + window - 1 for v, w in places]
                for y, u in places
            ]
            bias = layer.bias.table[:, torch.tensor(offsets)]
            heard = layer.attention(piece.flatten(1, 2), score_bias=bias)
            expected[:, rows, columns] = heard.view_as(piece)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_bias_is_looked_up_by_row_and_column_apart():
    """Attention of a window of 2 × 3 by a loop over queries, keys and heads."""
    layer = WindowAttention(4, 2, 2, 3).double()
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    part = layer.attention
    q, k, v = (to(x[0]) for to in (part.to_q, part.to_k, part.to_v))
    z = torch.zeros(2, 3, 4, dtype=torch.float64)
    places = list(itertools.product(range(2), range(3)))
    for head, (y, u) in itertools.product(range(2), places):
        own = slice(2 * head, 2 * head + 2)
        scores = torch.stack([
            q[y, u, own] @ k[v_, w, own] / 2**0.5
            + layer.bias.table[head].view(3, 5)[y - v_ + 1, u - w + 2]
            for v_, w in places
        ])  # fmt: skip
        values = torch.stack([v[v_, w, own] for v_, w in places])
        z[y, u, own] = scores.softmax(0) @ values
    torch.testing.assert_close(layer(x)[0], part.to_out(z))


def test_where_one_window_spans_the_grid_nothing_is_moved():
    layer = ShiftedWindowAttention(4, 1, 4, 2)
    x = torch.randn(1, 4, 8, 4)
    torch.testing.assert_close(layer(x), WindowAttention.forward(layer, x))


@pytest.mark.parametrize("shift", [0, 1])
def test_a_fused_kernel_takes_the_bias_and_the_mask(shift):
    """PyTorch has one for the CPU that wants four axes; else all scores are stored."""
    layer, x = ShiftedWindowAttention(8, 2, 3, shift), torch.randn(2, 6, 6, 8)
    with torch.no_grad():
        expected = layer(x)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            torch.testing.assert_close(layer(x), expected)


def test_patch_merging_joins_four_neighbours():
    merge = PatchMerging(3)
    x = torch.randn(2, 4, 6, 3)
    found = merge(x)
    for row, column in itertools.product(range(2), range(3)):
        four = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        four = torch.cat([four[:, 0, 0], four[:, 1, 0], four[:, 0, 1], four[:, 1, 1]], dim=-1)
        torch.testing.assert_close(found[:, row, column], merge.reduce(merge.norm(four)))
    with pytest.raises(ValueError, match="3 × 4 tokens do not divide into windows of 2 × 2"):
        merge(torch.zeros(1, 3, 4, 3))


@pytest.mark.parametrize("shift", [7, -1])
def test_a_shift_of_a_whole_window_is_refused(shift):
    with pytest.raises(ValueError, match=f"a shift of {shift}, expected 0 … 6"):
        ShiftedWindowAttention(4, 1, 7, shift)


@pytest.mark.parametrize("shift", [0, 2])
def test_the_cost_is_the_papers_formula_and_linear_in_the_area(shift):
    """Equation 2 of the paper: 4 hw C² + 2 M² hw C multiplications, here two operations each."""
    dim, window = 8, 4
    layer, counts = ShiftedWindowAttention(dim, 2, window, shift), []
    for height, width in [(8, 8), (8, 16), (16, 16)]:
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            with torch.no_grad():
                layer(torch.randn(1, height, width, dim))
        area = height * width
        counts.append(counter.get_total_flops())
        assert counts[-1] == 2 * (4 * area * dim**2 + 2 * window**2 * area * dim)
    assert counts[1] == 2 * counts[0] and counts[2] == 4 * counts[0]
