"""The records of chapter 02: what is asked can be known, what is measured is what it says."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.from_scratch.positions import sinusoidal_2d
from tutorial_lib.recipes.multi_head_attention import heads, looking_back, one_sum, patches
from tutorial_lib.recipes.multi_head_attention.tables import pictures


def generator():
    return torch.Generator().manual_seed(0)


def test_each_token_names_whose_letters_are_wanted():
    facts, answer = one_sum.relations(20, generator())
    name, letter, *asked = facts.unbind(-1)
    for other, wanted in zip(asked, answer.unbind(-1)):
        found = (name[:, None] == other[:, :, None]).float() @ letter[..., None].float()
        assert (found[..., 0] == wanted).all()


def test_shares_are_those_of_the_first_head():
    torch.manual_seed(0)
    model = one_sum.Follower(1, 64, 0)
    facts, _ = one_sum.relations(50, generator())
    lighter, heavier = one_sum.shares(model, facts)
    assert 0 < lighter <= heavier < 0.5  # untrained: about an eighth each
    with torch.no_grad():  # queries say the first one's name, keys their own
        names = 20 * torch.eye(64)[: one_sum.NAMES]
        for embed, table in zip(model.embed, (names, 0, names.roll(8, 1), 0)):
            embed.weight.copy_(torch.zeros_like(embed.weight) + table)
        model.attention.to_q.weight.copy_(torch.eye(64).roll(-8, 0))
        model.attention.to_k.weight.copy_(torch.eye(64))
    lighter, heavier = one_sum.shares(model, facts)
    assert lighter < 0.05 and heavier > 0.95


def test_the_answer_stands_three_to_the_left():
    x, answer = looking_back.letters(4, 16, generator())
    assert (answer[:, 0] == x[:, 0]).all() and answer.shape == (4, 13)

    def knows(x, reach):
        return F.one_hot(x.roll(3, dims=1), 10)

    for n in (16, 32, 128):
        assert looking_back.accuracy(knows, n, None) == 1.0
        assert looking_back.accuracy(lambda x, reach: F.one_hot(x, 10), n, None) < 0.2


@pytest.mark.parametrize("kind", looking_back.KINDS)
def test_a_query_reaches_as_far_as_it_may(kind):
    torch.manual_seed(0)
    model, x = looking_back.Looker(kind), torch.arange(10).repeat(2)[None]
    far = x.clone()
    far[:, -1] = 0
    same = (model(x, 4) - model(far, 4)).abs().amax((0, 2)) < 1e-5
    assert same[:16].all() and not same[16:].any()


def test_patches_are_put_together_again():
    images = pictures("test")[0][:3]
    torch.testing.assert_close(patches.joined(patches.cut(images)), images)
    assert (patches.cut(images)[:, 1] == images[:, :2, 2:4].flatten(1)).all()


def test_rows_and_columns_are_seen_where_they_are():
    rng = np.random.default_rng(0)
    gap, p = patches.lines_seen(patches.likeness(sinusoidal_2d(4, 4, 48)))
    assert gap > 0.5 and p < 0.01
    gap, p = patches.lines_seen(patches.likeness(rng.normal(size=(16, 48))))
    assert abs(gap) < 0.2 and p > 0.01


def test_a_bag_of_patches_knows_no_order():
    torch.manual_seed(0)
    x, order = patches.cut(pictures("test")[0][:5]), torch.randperm(16)
    for places in patches.PLACES:
        model = patches.PatchReader(places)
        same = torch.allclose(model(x), model(x[:, order]), atol=1e-5)
        assert same == (places == "no places")


def test_a_loop_over_heads_is_the_same_layer():
    layer, x = heads.MultiHeadAttention(12, 3), torch.randn(2, 4, 12)
    torch.testing.assert_close(heads.looped(layer, x), layer(x))
