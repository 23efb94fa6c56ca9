"""Stochastic depth: branches vanish whole, for a picture at a time, and the mean stays."""

import pytest
import torch

from tutorial_lib.layers.stochastic_depth import StochasticDepth, drop_branch
from tutorial_lib.layers.transformer import EncoderLayer


def test_a_branch_is_there_or_not_and_its_mean_is_itself():
    torch.manual_seed(0)
    branch = torch.randn(4000, 3, 2)
    found = drop_branch(branch, 0.3, training=True)
    gone = (found == 0).flatten(1).all(1)
    torch.testing.assert_close(found[~gone], branch[~gone] / 0.7)
    assert abs(gone.float().mean() - 0.3) < 0.03
    assert drop_branch(branch, 0.3, training=False) is branch


def test_the_layer_is_the_encoder_layer_where_nothing_is_dropped():
    torch.manual_seed(0)
    layer, x = EncoderLayer(8, 2, 16), torch.randn(5, 3, 8)
    sometimes = StochasticDepth(layer, 0.5)
    torch.testing.assert_close(sometimes.eval()(x), layer(x))
    torch.testing.assert_close(StochasticDepth(layer, 0.0).train()(x), layer(x))
    with torch.no_grad():
        many = sometimes.train()(x[:1].expand(400, -1, -1))
    kinds = {tuple(row) for row in many.flatten(1).round(decimals=3).tolist()}
    assert len(kinds) == 4 and tuple(x[0].flatten().detach().numpy().round(3)) in {
        tuple(torch.tensor(k).numpy().round(3)) for k in kinds
    }  # with attention or without, with the MLP or without


def test_a_probability_of_one_is_refused():
    with pytest.raises(ValueError, match="probability is 1, expected 0 or more and below 1"):
        StochasticDepth(EncoderLayer(4, 1, 4), 1)
