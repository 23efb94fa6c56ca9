"""Turns, noise, missing points; bumps and rooms."""

import math

import pytest
import torch

from tutorial_lib.data import bumps as textures
from tutorial_lib.data import rooms as scenes
from tutorial_lib.data.bumps import bumps
from tutorial_lib.data.point_clouds import (
    drop_farthest,
    drop_points,
    jitter,
    random_rotations,
    rotate,
    to_unit_ball,
    vertical_rotations,
)
from tutorial_lib.data.rooms import rooms


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(B=3, N=50):
    return torch.rand(B, N, 3, generator=generator())


def test_the_unit_ball():
    found = to_unit_ball(5 * clouds() + 7)
    torch.testing.assert_close(found, to_unit_ball(clouds()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=-1).amax(1), torch.ones(3))
    assert found.mean(1).abs().max() < 1e-5
    assert to_unit_ball(torch.ones(2, 4, 3)).abs().max() == 0
    torch.testing.assert_close(to_unit_ball(clouds()[0]), to_unit_ball(clouds())[0])


@pytest.mark.parametrize("axis", ["vertical", "any"])
def test_turns_are_rotations(axis):
    turns = random_rotations(400, axis, generator())
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(400, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(400))
    up = rotate(torch.tensor([[[0.0, 0, 1]]]).expand(400, 1, 3), turns)[:, 0]
    if axis == "vertical":
        torch.testing.assert_close(up, torch.tensor([[0.0, 0, 1]]).expand(400, 3))
    else:  # every orientation alike: up goes everywhere, its height is uniform in -1 … 1
        assert up.mean(0).abs().max() < 0.1 and abs(up[:, 2].var() - 1 / 3) < 0.05
    side = rotate(torch.tensor([[[1.0, 0, 0]]]).expand(400, 1, 3), turns)[:, 0]
    assert side.mean(0).abs().max() < 0.1


def test_a_quarter_turn_takes_x_to_y():
    turned = rotate(torch.tensor([[[1.0, 0, 5]]]), vertical_rotations(torch.tensor([math.pi / 2])))
    torch.testing.assert_close(turned, torch.tensor([[[0.0, 1, 5]]]))
    with pytest.raises(ValueError, match="'x'"):
        random_rotations(1, "x", generator())


def test_jitter_is_small_and_random():
    noise = jitter(clouds(), generator()) - clouds()
    assert 0.015 < noise.std() < 0.025 and noise.abs().max() < 0.0501
    assert torch.equal(jitter(clouds(), generator(1)), jitter(clouds(), generator(1)))


def test_dropping_points():
    x = clouds()
    for found in (drop_points(x, 0.5, generator()), drop_farthest(x, 0.5)):
        assert found.shape == (3, 25, 3)
        for cloud, kept in zip(x, found):
            assert all((cloud == point).all(1).any() for point in kept)
            assert len(torch.unique(kept, dim=0)) == 25
    assert drop_points(x, 1, generator()).shape == drop_farthest(x, 1).shape == (3, 1, 3)
    near = drop_farthest(x, 0.5).norm(dim=-1).amax(1)
    torch.testing.assert_close(near, x.norm(dim=-1).sort(1).values[:, 24])
    kept = drop_points(x[:1].expand(2, -1, -1), 0.5, generator())
    assert not torch.equal(kept[0].sort(0).values, kept[1].sort(0).values)
    with pytest.raises(ValueError, match="1.5"):
        drop_points(x, 1.5, generator())


def test_bodies_differ_in_texture_only():
    found, labels = bumps(400, 256, generator())
    assert found.shape == (400, 256, 3) and labels.bincount().min() > 70
    again, _ = bumps(400, 256, generator())
    assert torch.equal(found, again)
    proportions = torch.linalg.svdvals(found - found.mean(1, keepdim=True))  # (400, 3)
    proportions = proportions / proportions[:, :1]
    means = torch.stack([proportions[labels == c].mean(0) for c in range(4)])
    assert (means - means.mean(0)).abs().max() < 0.03
    flat, _ = bumps(400, 256, generator(), height=0)
    distance = (flat - found).norm(dim=-1).mean(1)  # the same bodies, but for their texture
    assert distance[labels == 0].max() < 1e-6 < 0.005 < distance[labels == 1].min()
    assert len(textures.NAMES) == 4


def test_rooms_hold_four_pieces_on_a_floor():
    found, labels = rooms("test", 20, 500, generator())
    assert found.shape == (20, 500, 3) and labels.shape == (20, 500)
    floor = labels == scenes.NAMES.index("floor")
    assert (floor.sum(1) == 100).all() and (found[floor][:, 2] == 0).all()
    assert (found[..., 2] >= -1e-2).all() and found[..., :2].abs().max() < 1.01
    quarter = 2 * (found[..., 0] > 0).long() + (found[..., 1] > 0).long()
    for i in range(4):
        piece, kind = found[:, 100 * i : 100 * (i + 1)], labels[:, 100 * i : 100 * (i + 1)]
        assert (kind == kind[:, :1]).all()
        assert (quarter[:, 100 * i : 100 * (i + 1)] == i).float().mean() > 0.95
        assert (piece[..., 2].amin(1) < 0.1).all()  # it stands
    assert set(labels.unique().tolist()) <= {
        scenes.NAMES.index(name) for name in (*scenes.INDOORS, "floor")
    }
