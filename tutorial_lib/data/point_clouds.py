"""What is done to point clouds before a model sees them. Taught in chapter 19.

The augmentation is that of Qi et al., PointNet (CVPR 2017, 1612.00593), section 5.1 and its code:
turns about the vertical axis, jitter of 0.02 cut off at 0.05, points left out.
"""

import math

import torch


def to_unit_ball(clouds: torch.Tensor) -> torch.Tensor:
    """The same clouds with their points' mean at the origin and the farthest point at distance one.

    clouds (..., N, 3)  ->  (..., N, 3). A cloud whose points all coincide becomes zeros.
    """
    centred = clouds - clouds.mean(-2, keepdim=True)
    radius = centred.norm(dim=-1).amax(-1)[..., None, None]
    return centred / radius.clamp_min(torch.finfo(clouds.dtype).tiny)


def vertical_rotations(angles: torch.Tensor) -> torch.Tensor:
    """Turns about the z axis, counter-clockwise as seen from above: angles in radians (B,)  ->
    matrices (B, 3, 3), for `rotate`."""
    c, s, zero, one = angles.cos(), angles.sin(), torch.zeros_like(angles), torch.ones_like(angles)
    rows = [c, -s, zero, s, c, zero, zero, zero, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def random_rotations(count: int, axis: str, generator: torch.Generator) -> torch.Tensor:
    """Random turns, matrices (count, 3, 3).

    axis  "vertical": by any angle about z; "any": every orientation alike (Shoemake, Uniform Random
          Rotations, Graphics Gems III, 1992: a random point on the sphere of unit quaternions)
    """
    u, v, w = torch.rand(3, count, generator=generator)
    if axis == "vertical":
        return vertical_rotations(2 * math.pi * u)
    if axis != "any":
        raise ValueError(f'axis should be "vertical" or "any", got {axis!r}')
    low, high, v, w = (1 - u).sqrt(), u.sqrt(), 2 * math.pi * v, 2 * math.pi * w
    x, y, z, r = low * v.sin(), low * v.cos(), high * w.sin(), high * w.cos()
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * r), 2 * (x * z + y * r),
        2 * (x * y + z * r), 1 - 2 * (x * x + z * z), 2 * (y * z - x * r),
        2 * (x * z - y * r), 2 * (y * z + x * r), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def rotate(clouds: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
    """Each point p becomes R p: clouds (B, N, 3), matrices (B, 3, 3)  ->  (B, N, 3)."""
    return clouds @ rotations.mT


def jitter(
    clouds: torch.Tensor, generator: torch.Generator, sigma: float = 0.02, limit: float = 0.05
) -> torch.Tensor:
    """Every coordinate moved by normal noise of size `sigma`, by `limit` at most."""
    noise = torch.randn(clouds.shape, generator=generator, dtype=clouds.dtype)
    return clouds + (sigma * noise).clamp(-limit, limit)


def drop_points(clouds: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Fewer points: of every cloud another random choice, in random order.

    clouds (B, N, 3)  ->  (B, N - round(share · N), 3), at least one point. share in 0 … 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share should be 0 to 1, got {share}")
    B, N = clouds.shape[:2]
    kept = max(1, N - round(share * N))
    order = torch.rand(B, N, generator=generator).argsort(dim=1)[:, :kept]
    return clouds.gather(1, order[..., None].expand(-1, -1, clouds.shape[-1]))


def drop_farthest(clouds: torch.Tensor, share: float) -> torch.Tensor:
    """Fewer points: those farthest from the origin go, so the outline is lost.

    clouds (B, N, 3)  ->  (B, N - round(share · N), 3), nearest first, at least one point.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share should be 0 to 1, got {share}")
    kept = max(1, clouds.shape[1] - round(share * clouds.shape[1]))
    order = clouds.norm(dim=-1).argsort(dim=1)[:, :kept]
    return clouds.gather(1, order[..., None].expand(-1, -1, clouds.shape[-1]))
