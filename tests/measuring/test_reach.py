"""Who hears whom, for maps where it is known."""

import pytest
import torch
from torch import nn

from tutorial_lib.measuring.reach import reach

X = torch.randn(1, 3, 4, 2, generator=torch.Generator().manual_seed(0))


def test_a_norm_mixes_no_tokens_and_a_mean_mixes_all():
    alone = torch.eye(12, dtype=torch.bool).view(3, 4, 3, 4)
    assert torch.equal(reach(nn.LayerNorm(2), X), alone)
    assert reach(lambda x: x + x.mean(dim=(1, 2), keepdim=True), X).all()


def test_who_hears_comes_first():
    heard = reach(lambda x: x[:, :1, 1:], X)  # (1, 1, 3, dim): a shorter map leaves
    assert heard.shape == (1, 3, 3, 4) and heard.sum() == 3
    assert all(heard[0, i, 0, i + 1] for i in range(3))


def test_a_row_of_tokens_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 12, 2\), expected \(1, H, W, dim\)"):
        reach(nn.LayerNorm(2), X.flatten(1, 2))
