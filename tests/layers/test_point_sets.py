"""Choosing and grouping points, against loops over all of them."""

import pytest
import torch

from tutorial_lib.layers.point_sets import (
    ball_query,
    farthest_points,
    farthest_points_loop,
    gather,
    group,
    interpolate,
    nearest,
)
from tutorial_lib.layers.shared_mlp import PointNorm, head, shared_mlp
from tutorial_lib.layers.voxels import cells, quantization_error, quantized, voxelize


def cloud(B, N, C=3, seed=0):
    return torch.rand(B, N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("N, count", [(1, 1), (7, 7), (40, 9)])
def test_farthest_points_equal_the_loop(N, count):
    points = cloud(3, N)
    found = farthest_points(points, count)
    assert found.tolist() == [farthest_points_loop(p, count) for p in points]
    assert all(len(set(row)) == count for row in found.tolist())


def test_farthest_points_do_not_depend_on_order_and_are_nested():
    points = cloud(1, 60)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    chosen = gather(points, farthest_points(points, 20))
    again = gather(points[:, order], farthest_points(points[:, order], 20))
    assert torch.equal(chosen, again)
    assert torch.equal(farthest_points(points, 20)[:, :5], farthest_points(points, 5))
    gaps = torch.cdist(points, chosen).amin(-1).max()
    random = torch.cdist(points, points[:, :20]).amin(-1).max()
    assert gaps < 0.7 * random  # they cover the cloud
    for count in (0, 61):
        with pytest.raises(ValueError, match=f"{count} points of 60"):
            farthest_points(points, count)


def test_the_nearest_points_by_brute_force():
    queries, points = cloud(2, 5, seed=1), cloud(2, 30)
    found = nearest(queries, points, 4)
    for b in range(2):
        for m in range(5):
            gap = [(queries[b, m] - p).norm().item() for p in points[b]]
            assert found[b, m].tolist() == sorted(range(30), key=gap.__getitem__)[:4]
    with pytest.raises(ValueError, match="31 nearest of 30"):
        nearest(queries, points, 31)


@pytest.mark.parametrize("radius, count", [(0.3, 4), (0.5, 64), (1e-6, 3)])
def test_balls_by_brute_force(radius, count):
    queries, points = cloud(2, 6, seed=1), cloud(2, 30)
    index = ball_query(queries, points, radius, count)
    assert index.shape == (2, 6, count)
    sizes = set()
    for b in range(2):
        for m in range(6):
            gap = [(queries[b, m] - p).norm().item() for p in points[b]]
            order = sorted(range(30), key=gap.__getitem__)
            inside = [i for i in order if gap[i] <= radius][:count] or order[:1]
            assert index[b, m].tolist() == inside + inside[:1] * (count - len(inside))
            sizes.add(len(inside))
    assert sizes == {1} if radius < 0.1 else len(sizes) > 1


def test_a_point_on_the_rim_is_inside():
    points = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [3, 0, 0]]])
    assert ball_query(points[:, :1], points, 2.0, 3).tolist() == [[[0, 1, 0]]]


def test_groups_are_seen_from_their_centres():
    centres, points, features = cloud(2, 4, seed=1), cloud(2, 9), cloud(2, 9, 5, seed=2)
    index = nearest(centres, points, 3)
    found = group(centres, points, features, index)
    assert found.shape == (2, 4, 3, 8)
    for b, m, k in ((0, 0, 0), (1, 3, 2)):
        i = index[b, m, k]
        torch.testing.assert_close(found[b, m, k, :3], points[b, i] - centres[b, m])
        assert torch.equal(found[b, m, k, 3:], features[b, i])
    shifted = group(centres + 7, points + 7, None, index)
    torch.testing.assert_close(shifted, found[..., :3])


def test_interpolation_by_brute_force():
    queries, points, features = cloud(2, 7, seed=1), cloud(2, 9), cloud(2, 9, 5, seed=2)
    found = interpolate(queries, points, features)
    for b in range(2):
        for m in range(7):
            square = (points[b] - queries[b, m]).square().sum(-1)
            three = square.argsort()[:3]
            weight = 1 / square[three]
            expected = (weight[:, None] * features[b, three]).sum(0) / weight.sum()
            torch.testing.assert_close(found[b, m], expected, rtol=1e-4, atol=1e-6)
    at_points = interpolate(points, points, features)
    torch.testing.assert_close(at_points, features, rtol=1e-4, atol=1e-4)
    one = interpolate(queries, points[:, :1], features[:, :1])
    torch.testing.assert_close(one, features[:, :1].expand(-1, 7, -1))
    torch.testing.assert_close(interpolate(queries, points, torch.ones_like(features)), one * 0 + 1)


def test_a_shared_mlp_is_the_same_for_every_point():
    mlp = shared_mlp(3, 8, 5).double()
    x = cloud(4, 6)
    mlp(x)  # in training mode: the running statistics move
    mlp.eval()
    one_by_one = torch.stack([torch.stack([mlp(p[None])[0] for p in points]) for points in x])
    torch.testing.assert_close(mlp(x), one_by_one)
    assert mlp(x).amin() < 0  # no ReLU after the last
    norm = PointNorm(3, affine=False).double()
    flat = norm(x).flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(3).double(), atol=1e-9, rtol=0)
    assert head(8, 6, 4, 2, dropout=0.5)(cloud(3, 1, 8)[:, 0].float()).shape == (3, 2)


def test_voxels_by_brute_force():
    clouds = 2.4 * cloud(2, 50) - 1.2  # some outside the cube
    grid, where = voxelize(clouds, 4), cells(clouds, 4)
    expected = torch.zeros(2, 4, 4, 4)
    for b in range(2):
        for point, cell in zip(clouds[b], where[b]):
            place = [min(3, max(0, int((p + 1) // 0.5))) for p in point.tolist()]
            assert cell.tolist() == place
            expected[b, *place] = 1
    assert torch.equal(grid, expected.double())
    assert voxelize(torch.ones(1, 1, 3), 4)[0, 3, 3, 3] == 1  # the cube's far corner is inside


def test_voxels_are_made_where_the_cloud_is():
    assert voxelize(clouds := cloud(2, 50).to("meta"), 4).device.type == "meta"
    assert quantized(clouds, 4).device.type == "meta"


@pytest.mark.parametrize("resolution", [2, 8, 64])
def test_the_quantization_error_is_one_over_the_resolution(resolution):
    clouds = 2 * cloud(2, 20_000) - 1
    assert quantization_error(clouds, resolution) == pytest.approx(1 / resolution, rel=0.02)
    middle = quantized(clouds, resolution)
    assert quantization_error(middle, resolution) < 1e-12
    assert (middle - clouds).abs().max() <= 1 / resolution + 1e-12
