"""Textures that differ only inside their patches: the means of all patches are equal. Taught in
chapter 07, after Han et al., Transformer in Transformer (NeurIPS 2021, 2103.00112)."""

import torch

MOTIFS = torch.tensor(  # a sign for each of 3 × 3 pixels: the classes
    [
        [[1, -1, 1], [-1, 0, -1], [1, -1, 1]],
        [[1, 1, 1], [-1, 0, -1], [-1, 1, -1]],
        [[1, -1, -1], [1, 0, 1], [1, -1, -1]],
        [[1, 1, -1], [-1, 0, 1], [-1, -1, 1]],
    ]
).float()


def textures(
    count: int,
    generator: torch.Generator,
    side: int = 32,
    patch: int = 8,
    copies: int = 2,
    noise: float = 0.3,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images float32 (count, 1, side, side) and labels int64 (count,), places in MOTIFS.

    Every patch of an image holds the image's motif, light or dark, at random places, and the mean
    of every patch is 0. The motif never crosses the border of a patch.

    patch   pixels, the side of a patch, which divides side and holds a motif (or ValueError)
    copies  of the motif in each patch; noise  standard deviation of what lies over all pixels
    """
    if patch < 3 or side % patch:
        raise ValueError(f"patches of {patch} pixels in images of {side}, expected at least 3")
    n = (side // patch) ** 2
    labels = torch.randint(len(MOTIFS), (count,), generator=generator)
    patches = noise * torch.randn(count, n, patch, patch, generator=generator)
    image, place = torch.arange(count)[:, None], torch.arange(n)
    for _ in range(copies):
        top, left = torch.randint(patch - 2, (2, count, n), generator=generator)
        sign = 2 * torch.randint(2, (count, n), generator=generator) - 1
        for row, column in torch.cartesian_prod(torch.arange(3), torch.arange(3)).tolist():
            value = sign * MOTIFS[labels, row, column, None]
            patches[image, place, top + row, left + column] += value
    patches -= patches.mean(dim=(2, 3), keepdim=True)
    images = patches.unflatten(1, (side // patch, -1)).transpose(2, 3)
    return images.reshape(count, 1, side, side), labels
