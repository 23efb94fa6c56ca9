"""Two marks far from each other: are they the same? Taught in chapter 08.

Neither mark alone says anything of the label, and a sum over places of what each says is right
three times in four at the most: who answers better has compared the two.
"""

import torch

NAMES = ("different", "same")
CELL = 2  # pixels, the side of a mark: one diagonal of its square is light, and the other dark


def far_marks(
    count: int, side: int, window: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with two marks in two different windows.

    side, window  pixels, of an image and of a window; window divides side and is a multiple of CELL
    ->  images float32 (count, 1, side, side), labels int64 (count,), places in NAMES
    """
    if window % CELL or side % window or side == window:
        raise ValueError(
            f"side {side} and window {window}: expected several windows of whole cells of {CELL}"
        )
    across, cells = side // window, window // CELL
    first = torch.randint(across**2, (count,), generator=generator)
    second = (first + torch.randint(1, across**2, (count,), generator=generator)) % across**2
    windows = torch.stack([first, second], dim=1)  # (count, 2)
    inside = torch.randint(cells, (2, count, 2), generator=generator)
    rows = windows // across * cells + inside[0]
    columns = windows % across * cells + inside[1]
    return _with_marks(torch.zeros(count, side, side), rows, columns, generator)


def bars(count: int, side: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with a thin grey bar across it, upright or level, and a mark at each of its ends.

    side  pixels, a multiple of CELL, which is the bar's width
    ->  images float32 (count, 1, side, side), labels int64 (count,), places in NAMES
    """
    if side % CELL or side < 2 * CELL:
        raise ValueError(f"side {side}: expected a multiple of {CELL}, and {2 * CELL} or more")
    cells = side // CELL
    line = torch.randint(cells, (count, 1), generator=generator).expand(-1, 2)
    ends = torch.tensor([0, cells - 1]).expand(count, -1)
    images = torch.zeros(count, side, side)
    images[torch.arange(side) // CELL == line[:, :1]] = 0.5
    images, labels = _with_marks(images, line, ends, generator)
    upright = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    return torch.where(upright, images.mT, images), labels


def _with_marks(images, rows, columns, generator):
    """Marks of random kinds at cells rows, columns (count, 2), then noise."""
    kinds = torch.randint(2, rows.shape, generator=generator)
    diagonal = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    cells = images.unflatten(2, (-1, CELL)).unflatten(1, (-1, CELL))  # a view: written through
    each = torch.arange(len(images))[:, None]
    cells[each, rows, :, columns] = diagonal * (2 * kinds - 1)[..., None, None]
    images += 0.1 * torch.randn(images.shape, generator=generator)
    return images[:, None], (kinds[:, 0] == kinds[:, 1]).long()
