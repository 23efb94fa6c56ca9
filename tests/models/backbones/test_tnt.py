"""TNT: pixels hear their own patch alone, patches hear their pixels, sizes, gradients."""

import pytest
import torch

from tutorial_lib.models.backbones.tnt import TNT, PixelEmbedding, TNTBlock

TIMM_TNT_S = 23_768_584  # parameters of tnt_s_patch16_224 in timm 1.0.31; the paper says 23.8 M


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small(**other):
    sizes = dict(dim=12, depth=2, heads=3, hidden=16, stride=2, inner_dim=4, inner_heads=2)
    return TNT(12, 4, 2, 5, **(sizes | other))


@pytest.mark.parametrize("patch, stride, tokens", [(16, 4, 16), (8, 2, 16), (6, 3, 4), (4, 1, 16)])
def test_pixel_tokens_of_a_patch(patch, stride, tokens):
    embed = PixelEmbedding(2, patch, stride, 3)
    images = torch.randn(2, 2, 2 * patch, 3 * patch)
    y = embed(images)
    assert y.shape == (2, 6, tokens, 3)
    alone = embed(images[..., patch:, :patch])  # the fourth patch as an image of its own
    torch.testing.assert_close(y[:, 3], alone[:, 0])


def test_another_patch_changes_no_pixel_token():
    block = TNTBlock(12, 3, 16, 4, 2, pixels=4)
    y, z = torch.randn(1, 6, 4, 4), torch.randn(1, 7, 12)
    changed = y.clone()
    changed[:, 2, 3] += torch.randn(4)  # not a constant, which a LayerNorm takes out
    (y_out, z_out), (y_other, z_other) = block(y, z), block(changed, z)
    moved = (y_out - y_other).abs().amax(-1)[0] > 1e-6
    assert moved[2].all() and moved.sum() == 4  # all pixels of that patch, no other
    assert ((z_out - z_other).abs().amax(-1) > 1e-6).all()  # every patch, through the outer layer


def test_a_patch_gets_its_own_pixels_before_the_outer_layer():
    block = TNTBlock(12, 3, 16, 4, 2, pixels=4)
    y, z = torch.randn(2, 6, 4, 4), torch.randn(2, 7, 12)
    inner = torch.stack([block.inner(y[:, i]) for i in range(6)], dim=1)
    sentence = z.clone()
    for i in range(6):
        word = torch.cat([inner[:, i, j] for j in range(4)], dim=-1)
        join = block.join
        sentence[:, 1 + i] += join.norm_out(join.project(join.norm_in(word)))
    torch.testing.assert_close(block(y, z), (inner, block.outer(sentence)))


def test_every_weight_learns():
    model = small()
    model(torch.randn(3, 2, 12, 12)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0 or name.endswith("to_k.bias"), name


def test_tnt_s_has_the_size_of_the_paper():
    sizes = dict(dim=384, depth=12, heads=6, hidden=1536, stride=4, inner_dim=24, inner_heads=4)
    with torch.device("meta"):
        model = TNT(224, 16, 3, 1000, **sizes)
    biases = 12 * 3 * (384 + 24)  # of queries, keys and values, which the published one has not
    assert sum(p.numel() for p in model.parameters()) - biases == TIMM_TNT_S


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="12 pixels do not divide into patches of 5"):
        TNT(12, 5, 1, 2, 8, 1, 2, 8, 1, 4, 2)
    with pytest.raises(ValueError, match="patches of 4 pixels do not divide into steps of 3"):
        small(stride=3)
