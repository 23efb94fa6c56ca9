"""The model that writes pictures: what it has read, in parts and at once, and what it writes."""

import pytest
import torch

from tutorial_lib.layers.linear_attention import LinearAttention
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.models.efficient.pixels import PixelModel, SoftmaxAttention, complete, shifted

SIZE = dict(rows=3, columns=4, levels=5, dim=12, depth=2, heads=3, hidden=16)


def model_of(attention):
    """Not as it begins, when all levels are nearly equally likely."""
    torch.manual_seed(0)
    model = PixelModel(**SIZE, attention=attention).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


@pytest.fixture(params=[LinearAttention, SoftmaxAttention], ids=["linear", "softmax"])
def model(request):
    return model_of(request.param)


def test_a_place_has_read_the_pixels_before_it_alone(model):
    pixels = torch.randint(5, (2, 12))
    logits = model(shifted(pixels, 5))
    assert logits.shape == (2, 12, 5)
    for place in (0, 5, 11):
        other = pixels.clone()
        other[:, place] = (other[:, place] + 1) % 5
        same = (model(shifted(other, 5)) - logits).abs().amax((0, 2)) < 1e-5
        assert same[: place + 1].all() and not same[place + 1 :].any()


@pytest.mark.parametrize("cuts", [(1,), (5,), (1, 2, 11), (4, 8)])
def test_reading_in_parts_is_reading_at_once(model, cuts):
    before = shifted(torch.randint(5, (2, 12)), 5)
    states, found, start = None, [], 0
    for end in (*cuts, 12):
        logits, states = model.read(before[:, start:end], start, states)
        found.append(logits)
        start = end
    torch.testing.assert_close(torch.cat(found, 1), model(before), rtol=1e-4, atol=1e-4)


def test_softmax_attention_is_multi_head_attention_with_a_causal_mask():
    torch.manual_seed(0)
    ours, full, x = SoftmaxAttention(12, 3), MultiHeadAttention(12, 3), torch.randn(2, 7, 12)
    full.load_state_dict(ours.state_dict())
    expected = full(x, mask=torch.ones(7, 7, dtype=torch.bool).tril())
    torch.testing.assert_close(ours(x)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 7, 12])
def test_a_beginning_is_kept_and_completed(model, count):
    begun = torch.randint(5, (3, count))
    drawn = complete(model, begun, torch.Generator().manual_seed(0))
    assert drawn.shape == (3, 12) and 0 <= drawn.min() and drawn.max() < 5
    assert torch.equal(drawn[:, :count], begun)
    assert torch.equal(drawn, complete(model, begun, torch.Generator().manual_seed(0)))


def test_at_a_low_temperature_the_likeliest_level_is_written(model):
    drawn = complete(model, torch.randint(5, (3, 4)), temperature=1e-4)
    likeliest = model(shifted(drawn, 5)).argmax(-1)
    assert torch.equal(drawn[:, 4:], likeliest[:, 4:])


def test_levels_are_drawn_as_often_as_they_are_likely(model):
    first = complete(
        model, torch.empty(4000, 0, dtype=torch.long), torch.Generator().manual_seed(0)
    )
    share = torch.bincount(first[:, 0], minlength=5) / 4000
    expected = model(torch.full((1, 1), 5)).softmax(-1)[0, 0]
    torch.testing.assert_close(share, expected, rtol=0, atol=0.03)
