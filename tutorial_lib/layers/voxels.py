"""Points on a grid: what came before PointNet, and what it costs. Taught in chapter 19.

Maturana, Scherer, VoxNet (IROS 2015); Qi et al., PointNet (1612.00593), section 2.
"""

import torch


def cells(clouds, resolution):
    """In which cell of a grid of resolution³ over the cube -1 … 1 each point lies: clouds (B, N, 3)
    ->  int64 (B, N, 3) in 0 … resolution - 1. What is outside counts to the nearest cell."""
    place = ((clouds + 1) / 2 * resolution).floor().long()
    return place.clamp(0, resolution - 1)


def voxelize(clouds, resolution):
    """Occupancy: clouds (B, N, 3)  ->  (B, resolution, resolution, resolution), one where a cell
    holds a point, else zero. What is in it, and how much, is lost."""
    B = len(clouds)
    x, y, z = cells(clouds, resolution).unbind(-1)  # (B, N) each
    grid = clouds.new_zeros(B, resolution, resolution, resolution)
    grid[torch.arange(B, device=clouds.device)[:, None], x, y, z] = 1
    return grid


def quantized(clouds, resolution):
    """The points as the grid knows them, each moved to the middle of its cell: (B, N, 3) both."""
    return (cells(clouds, resolution) + 0.5) * (2 / resolution) - 1


def quantization_error(clouds, resolution):
    """Root mean square of how far the grid moves a point, of clouds in the cube -1 … 1. A cell of
    side s = 2 / resolution moves each coordinate by s / √12, so a point by s / 2 = 1 / resolution,
    if points lie anywhere in their cells."""
    moved = quantized(clouds, resolution) - clouds
    return moved.square().sum(-1).mean().sqrt().item()
