"""CSWin: its cross, stripes one by one, the paper's count, and numbers of the authors' code."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from window_helpers import by_rule, images_by_rule, in_own_window, reach

from tutorial_lib.models.backbones.cswin import CrossShapedAttention, CSWin, CSWinBlock


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("row, column", [(0, 0), (3, 5), (5, 2)])
def test_one_block_reaches_a_cross_and_two_reach_everything(width, row, column):
    blocks = [CSWinBlock(4, 2, 8, width).double() for _ in range(2)]
    cross = in_own_window(6, 8, 6, width, row, column) | in_own_window(6, 8, width, 8, row, column)
    assert reach(blocks[0], 6, 8, 4, row, column).equal(cross)
    assert reach(nn.Sequential(*blocks), 6, 8, 4, row, column).all()


def test_stripes_are_attended_to_one_by_one():
    """Each stripe cut out by hand; attention of a head by its formula; LePE on the cut-out."""
    layer = CrossShapedAttention(8, 4, 2).double()
    x = torch.randn(2, 4, 6, 8, dtype=torch.float64)
    q, k, v = layer.to_q(x), layer.to_k(x), layer.to_v(x)
    z = torch.empty_like(x)
    upright = [(slice(None), slice(i, i + 2)) for i in range(0, 6, 2)]
    level = [(slice(i, i + 2), slice(None)) for i in range(0, 4, 2)]
    for half, stripes, lepe in [(0, upright, layer.upright_lepe), (1, level, layer.level_lepe)]:
        for rows, columns in stripes:
            for head in (2 * half, 2 * half + 1):
                own = rows, columns, slice(2 * head, 2 * head + 2)
                a, b, c = (t[:, *own].flatten(1, 2) for t in (q, k, v))
                heard = (a @ b.mT / 2**0.5).softmax(-1) @ c
                z[:, *own] = heard.view_as(z[:, *own])
            own = rows, columns, slice(4 * half, 4 * half + 4)
            z[:, *own] += lepe(v[:, *own].movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(layer(x), layer.to_out(z))


@pytest.mark.parametrize("height, width, stripe", [(4, 4, 1), (8, 4, 2), (8, 8, 4)])
def test_the_cost_is_the_papers_formula(height, width, stripe):
    """Section 3.2: hwC (4C + sw·h + sw·w) multiplications, and 9 hwC for LePE; each counts twice.
    With stripes of one width it grows faster than the area."""
    layer = CrossShapedAttention(8, 2, stripe)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        layer(torch.randn(1, height, width, 8))
    area = height * width
    expected = area * 8 * (4 * 8 + stripe * height + stripe * width) + 9 * area * 8
    assert counter.get_total_flops() == 2 * expected


def test_equals_the_authors_code():
    """Logits of models/cswin.py of microsoft/CSWin-Transformer (commit f111ae2) in float64, with
    these weights, for sizes that have every part. With random weights in both, the logits and the
    gradient of the images agreed to 1e-14 of their size."""
    model = by_rule(CSWin(4, 3, 5, 8, (1, 2, 1, 1), (2, 2, 4, 4), (1, 2, 4, 2)))
    expected = [
        [-2.332710403, 0.398227591, 0.420384403, 0.548244989, 1.320791611],
        [-2.331672674, 0.384015447, 0.427674871, 0.537966036, 1.306440502],
    ]
    with torch.no_grad():
        found = model(images_by_rule(2, 3, 64))
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("dim, heads", [(6, 3), (6, 4), (4, 0)])
def test_heads_that_have_no_halves_are_refused(dim, heads):
    with pytest.raises(ValueError, match=f"{dim} features among {heads} heads: expected an even"):
        CrossShapedAttention(dim, heads, 1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="depths of 1 stages, heads of 1, widths of 2"):
        CSWin(4, 3, 5, 8, (1,), (2,), (1, 2))
    with pytest.raises(ValueError, match="4 × 6 tokens do not divide into windows of 4 × 4"):
        CrossShapedAttention(4, 2, 4)(torch.zeros(1, 4, 6, 4))
