"""What must be true of PointNet++, whatever its weights."""

import pytest
import torch

from tests.models.pose.test_pointnet import TIGHT, clouds, scrambled, shuffled
from tutorial_lib.layers.point_sets import ball_query, farthest_points, interpolate
from tutorial_lib.models.pose.pointnet2 import (
    FeaturePropagation,
    MultiScaleAbstraction,
    PointNet2,
    PointNet2Segmenter,
    SetAbstraction,
    multi_scale,
    single_scale,
)


def levels():
    return [SetAbstraction(0, 12, 0.6, 6, (7, 8)), SetAbstraction(8, 5, 1.2, 4, (9, 10))]


def several():
    first = MultiScaleAbstraction(0, 12, [(0.4, 3, (6, 5)), (0.9, 8, (7,))])
    return [first, SetAbstraction(12, 5, 1.2, 4, (9, 10))]


MODELS = {
    "single": lambda: PointNet2(4, levels(), (11, 13), (9,)),
    "multi": lambda: PointNet2(4, several(), (11, 13), (9,)),
}


@pytest.mark.parametrize("name", MODELS)
def test_order_changes_nothing(name):
    model, x = scrambled(MODELS[name]()), clouds()
    logits = model(x)
    assert logits.shape == (2, 4)
    torch.testing.assert_close(model(shuffled(x)[0]), logits, **TIGHT)
    assert (model(x[:, :25]) - logits).abs().max() > 1e-4


def test_set_abstraction_in_loops():
    level = scrambled(SetAbstraction(2, 6, 0.7, 5, (7, 8)))
    points, features = clouds(2, 30), clouds(2, 30, 2)
    centres, found = level(points, features)
    index = farthest_points(points, 6)
    balls = ball_query(centres, points, 0.7, 5)
    for b in range(2):
        for m in range(6):
            centre = points[b, index[b, m]]
            assert torch.equal(centres[b, m], centre)
            inputs = [torch.cat([points[b, i] - centre, features[b, i]]) for i in balls[b, m]]
            maximum = torch.stack([level.mlp(i[None])[0] for i in inputs]).amax(0).relu()
            torch.testing.assert_close(found[b, m], maximum, **TIGHT)


def test_a_ball_looks_the_same_wherever_it_is():
    level, x = scrambled(SetAbstraction(0, 6, 0.7, 5, (7, 8))), clouds()
    torch.testing.assert_close(level(x + 9)[1], level(x)[1], rtol=1e-8, atol=1e-8)


def test_several_scales_are_their_levels_side_by_side():
    level, x = scrambled(several()[0]), clouds()
    centres, found = level(x)
    singles = [scale(x) for scale in level.scales]
    assert level.width == found.shape[-1] == 12
    assert all(torch.equal(centres, single[0]) for single in singles)
    assert torch.equal(found, torch.cat([single[1] for single in singles], -1))


def test_feature_propagation_reads_own_and_interpolated_features():
    up = scrambled(FeaturePropagation(2 + 5, (6,)))
    points, own = clouds(2, 9), clouds(2, 9, 2)
    coarse, from_below = clouds(2, 4), clouds(2, 4, 5)
    found = up(points, own, coarse, from_below)
    both = torch.cat([own, interpolate(points, coarse, from_below)], -1)
    torch.testing.assert_close(found, up.mlp(both).relu())
    alone = scrambled(FeaturePropagation(5, (6,)))
    assert alone(points, None, coarse, from_below).shape == (2, 9, 6)


@pytest.mark.parametrize("channels", [0, 2])
def test_segmentation_follows_the_order(channels):
    first = SetAbstraction(channels, 12, 0.6, 6, (7, 8))
    both = [first, SetAbstraction(8, 5, 1.2, 4, (9, 10))]
    model = scrambled(PointNet2Segmenter(3, both, [(7, 6), (6, 5)], channels))
    x = clouds(2, 40, 3 + channels)
    features = (lambda x: x[..., 3:]) if channels else (lambda x: None)
    logits = model(x[..., :3], features(x))
    assert logits.shape == (2, 40, 3)
    moved, order = shuffled(x)
    torch.testing.assert_close(model(moved[..., :3], features(moved)), logits[:, order], **TIGHT)
    loss = PointNet2Segmenter(3, levels(), [(7, 6), (6, 5)])(clouds().float()).square().sum()
    loss.backward()


@pytest.mark.parametrize("make, parameters", [(single_scale, 1_475_688), (multi_scale, 1_747_368)])
def test_the_papers_networks(make, parameters):
    """As many weights for 40 classes as yanx27/Pointnet_Pointnet2_pytorch has."""
    assert sum(p.numel() for p in make(40).parameters()) == parameters


@pytest.mark.parametrize("name", [*MODELS, "segmenter"])
def test_every_tensor_is_made_where_the_cloud_is(name):
    """On a device without memory: what was made on the CPU by mistake raises there."""
    segmenter = PointNet2Segmenter(4, levels(), [(7, 6), (6, 5)])
    model = (MODELS[name]() if name in MODELS else segmenter).to("meta")
    logits = model(clouds().float().to("meta"))
    assert logits.device.type == "meta" and logits.shape[-1] == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_gives_the_same(name):
    model, x = scrambled(MODELS[name]()), clouds()
    torch.testing.assert_close(model.cuda()(x.cuda()).cpu(), model.cpu()(x), rtol=1e-8, atol=1e-8)
