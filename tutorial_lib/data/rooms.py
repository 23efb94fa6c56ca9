"""Rooms: pieces of furniture standing on a floor, every point labelled. Taught in chapter 19."""

import torch

from tutorial_lib.data import furniture
from tutorial_lib.data.point_clouds import random_rotations, rotate

NAMES = (*furniture.NAMES, "floor")
SIDE = 5.0  # metres, of the square floor
PIECES = 4  # in a room, one in each quarter
LARGEST = SIDE / 4  # metres, the radius of what fits into a quarter
INDOORS = ("table", "chair", "sofa", "cabinet", "person", "lamp", "bed")


def rooms(
    split: str, count: int, points: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random rooms: clouds float32 (count, points, 3), and a label for each point, int64
    (count, points), which NAMES spells out.

    A fifth of the points, the last, are of the floor, and an equal number of each of four pieces
    of the split, which stand at their real size, each somewhere in its quarter, turned about the
    vertical. A unit is half the side of the room, 2.5 m; the middle of the floor is the origin.
    """
    clouds, labels = furniture.furniture(split)
    metres = furniture.metres(split)
    indoors = torch.tensor([NAMES.index(name) for name in INDOORS])
    fits = torch.isin(labels, indoors) & (metres < LARGEST)
    clouds, labels = clouds[fits] * metres[fits, None, None], labels[fits]
    each = points // (PIECES + 1)
    chosen = torch.randint(len(clouds), (count * PIECES,), generator=generator)
    subset = torch.randint(clouds.shape[1], (count * PIECES, each), generator=generator)
    pieces = clouds[chosen].gather(1, subset[..., None].expand(-1, -1, 3))
    pieces = rotate(pieces, random_rotations(len(chosen), "vertical", generator))
    pieces[..., 2] -= clouds[chosen][..., 2].amin(1, keepdim=True)  # the feet are on the floor
    centre = torch.tensor([[-1.0, -1, 0], [-1, 1, 0], [1, -1, 0], [1, 1, 0]]) * SIDE / 4
    spare = LARGEST - metres[fits][chosen]  # how far each may be from the middle of its quarter
    shift = (2 * torch.rand(len(chosen), 3, generator=generator) - 1) * spare[:, None]
    shift[:, 2] = 0
    pieces = pieces + (centre.repeat(count, 1) + shift)[:, None]

    floor = torch.zeros(count, points - PIECES * each, 3)
    floor[..., :2] = (torch.rand(*floor.shape[:2], 2, generator=generator) - 0.5) * SIDE
    clouds = torch.cat([pieces.view(count, PIECES * each, 3), floor], dim=1) / (SIDE / 2)
    of_pieces = labels[chosen].view(count, PIECES, 1).expand(-1, -1, each).flatten(1)
    of_floor = torch.full(floor.shape[:2], NAMES.index("floor"))
    return clouds, torch.cat([of_pieces, of_floor], dim=1)
