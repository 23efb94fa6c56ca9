"""Pictures as words, and how well a model foretells them. Taught in chapter 38."""

import math

import torch
import torch.nn.functional as F

from tutorial_lib.data.digits import digits
from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.models.efficient.pixels import shifted

SIDE, LEVELS = 14, 16  # pixels of a picture, both ways; gray levels, 0 is black
BATCH = 32


def pictures(split: str, count: int | None = None) -> torch.Tensor:
    """Fashion-MNIST in a quarter of its pixels: gray levels int64 (count, 196), row by row."""
    images, _ = fashion_mnist(split, count)
    images = F.avg_pool2d(images[:, None], 2).flatten(1)
    return (images * LEVELS).long().clamp(max=LEVELS - 1)


def digit_levels(part: str) -> torch.Tensor:
    """Handwritten digits of 8 × 8: gray levels int64 (n, 64) in 0 … 16, row by row."""
    return (16 * digits(part)[0]).round().long().flatten(1)


def draw(pixels):
    """A function for `train`: BATCH of these pictures at random."""

    def batch(generator):
        return (pixels[torch.randint(len(pixels), (BATCH,), generator=generator)],)

    return batch


def loss_of(model, pixels):
    """The cross-entropy of each pixel after those before it, in nats."""
    return F.cross_entropy(model(shifted(pixels, LEVELS)).mT, pixels)


@torch.no_grad()
def bits_per_pixel(model, pixels) -> float:
    """The same in bits, a mean over pixels int (n, 196): 4 for one that knows nothing."""
    model.eval()
    losses = [loss_of(model, part) * len(part) for part in pixels.split(100)]
    return sum(losses).item() / len(pixels) / math.log(2)


NEIGHBOURS = (0, 1), (1, 0), (1, 1)  # rows above and columns to the left


def bits_of_neighbours(train_pixels, pixels, count: int) -> float:
    """The baseline that knows which level is common beside which neighbours: the pixel on the left
    (count 1), and the one above (2), and the one between them (3). Neighbours that were seen
    seldom count as four sightings of all levels as they are common anywhere."""

    def contexts(x):
        grid = F.pad(x.view(-1, SIDE, SIDE), (1, 0, 1, 0), value=LEVELS)  # outside is a level
        around = [grid[:, 1 - up : SIDE + 1 - up, 1 - left : SIDE + 1 - left]
                  for up, left in NEIGHBOURS[:count]]  # fmt: skip
        return sum(level * (LEVELS + 1) ** i for i, level in enumerate(around)).flatten(1)

    seen = torch.zeros((LEVELS + 1) ** count, LEVELS)
    at = contexts(train_pixels).flatten(), train_pixels.flatten()
    seen.index_put_(at, torch.ones(1), accumulate=True)
    anywhere = (seen.sum(0) + 1) / (seen.sum() + LEVELS)
    p = (seen + 4 * anywhere) / (seen.sum(1, keepdim=True) + 4)
    return -p[contexts(pixels).flatten(), pixels.flatten()].log2().mean().item()


def bits_of_places(train_pixels, pixels) -> float:
    """The baseline that knows how often each level stands at each place, and nothing else."""
    counts = torch.stack([(train_pixels == level).sum(0) for level in range(LEVELS)])  # (16, 196)
    log_p = ((counts + 1) / (len(train_pixels) + LEVELS)).log2()  # one more each: none is never
    return -log_p.gather(0, pixels).mean().item()
