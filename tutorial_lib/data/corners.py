"""Is the same shape in two far corners? Taught in chapter 07.

A question that needs two places at once: each corner alone tells nothing of the answer.
"""

import torch

SHAPES = torch.tensor(  # 5 × 5 pixels: a plus, a cross, a ring, a bar; no turn makes one another
    [
        [
            [0, 0, 1, 0, 0],
            [0, 0, 1, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 1, 0, 0],
            [0, 0, 1, 0, 0],
        ],
        [
            [1, 0, 0, 0, 1],
            [0, 1, 0, 1, 0],
            [0, 0, 1, 0, 0],
            [0, 1, 0, 1, 0],
            [1, 0, 0, 0, 1],
        ],
        [
            [0, 1, 1, 1, 0],
            [1, 0, 0, 0, 1],
            [1, 0, 0, 0, 1],
            [1, 0, 0, 0, 1],
            [0, 1, 1, 1, 0],
        ],
        [
            [0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0],
        ],
    ]
).float()


def corners(
    count: int, generator: torch.Generator, side: int = 32, margin: int = 8, noise: float = 0.2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images float32 (count, 1, side, side) and labels int64 (count,): 1 if the shape in the upper
    left corner is also in the lower right one, else 0. Half of the images have either answer, on
    the average, and in both halves each corner holds each shape as often.

    margin  pixels, the side of the corner in which a shape lies anywhere; at least 5 and at most
            half of side (or ValueError); noise  standard deviation of what lies over all pixels
    """
    if not 5 <= margin <= side // 2:
        raise ValueError(f"margin is {margin}, expected 5 to {side // 2} pixels")
    labels = torch.randint(2, (count,), generator=generator)
    first = torch.randint(len(SHAPES), (count,), generator=generator)
    step = torch.randint(1, len(SHAPES), (count,), generator=generator)
    second = torch.where(labels == 1, first, (first + step) % len(SHAPES))
    images = noise * torch.randn(count, 1, side, side, generator=generator)
    for shape, corner in ((first, 0), (second, side - margin)):
        place = corner + torch.randint(margin - 4, (count, 2), generator=generator)
        for i, (top, left) in enumerate(place.tolist()):
            images[i, 0, top : top + 5, left : left + 5] += SHAPES[shape[i]]
    return images, labels
