"""Bodies that differ only in the texture of their skin. Taught in chapter 19.

The body is an ellipsoid of random proportions, turned at random; that tells nothing of its class.
On it are bumps, pits, both or nothing, all of them too small to change its outline.
"""

import torch
import torch.nn.functional as F

from tutorial_lib.data.point_clouds import random_rotations, rotate, to_unit_ball

NAMES = ("smooth", "bumps", "pits", "bumps and pits")
SPOTS = 24  # bumps or pits on a body, evenly over the sphere
WIDTH, HEIGHT = 0.2, 0.12  # of a bump, for a sphere of radius one


def bumps(
    count: int, points: int, generator: torch.Generator, height: float = HEIGHT
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random bodies, clouds float32 (count, points, 3) in the unit ball, and labels int64 (count,)
    in 0 … 3, which NAMES spells out.

    height  of the bumps, beside a sphere of radius one; 0 is a control: all bodies are then smooth
    """
    labels = torch.randint(len(NAMES), (count,), generator=generator)
    place = F.normalize(torch.randn(count, points, 3, generator=generator), dim=-1)
    turns = random_rotations(count, "any", generator)
    spots = rotate(_even_spots().expand(count, -1, -1), turns)
    near = torch.exp(-2 * (torch.cdist(place, spots) / WIDTH) ** 2)  # (count, points, SPOTS)
    alternate = torch.ones(SPOTS)
    alternate[1::2] = -1
    signs = torch.stack([torch.zeros(SPOTS), torch.ones(SPOTS), -torch.ones(SPOTS), alternate])
    lift = (near * signs[labels][:, None]).sum(-1)  # (count, points)
    clouds = place * (1 + height * lift)[..., None]
    axes = 0.6 + 0.4 * torch.rand(count, 1, 3, generator=generator)
    clouds = rotate(clouds * axes, random_rotations(count, "any", generator))
    return to_unit_ball(clouds), labels


def _even_spots():
    """SPOTS directions, about evenly spread: a spiral from pole to pole by the golden angle."""
    k = torch.arange(SPOTS) + 0.5
    z, angle = 1 - 2 * k / SPOTS, k * 2.399963
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], dim=-1)
