"""Handwritten digits from the scikit-learn wheel, and numbers made of them. Taught in chapter 03.

The digits are the test part of E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits
(UCI, 1998), in the hands of 13 people; each pixel counts the ink of a 4 × 4 block of the scan.
"""

import torch
from sklearn.datasets import load_digits

# The rows come form by form: the labels run through nearly the same 130 digits 14 times, and row
# 1415 starts the twelfth time. Within a form digits look alike, so that a split at random would be
# too easy. The set does not name its writers: that the test forms are of other people is likely,
# not certain.
FIRST_TEST_DIGIT = 1415

# A written number is BEGIN, its digits, END, and PAD up to a fixed length. Digits are themselves.
BEGIN, END, PAD = 10, 11, 12
VOCABULARY = 13

SIDE = 8  # pixels of a digit, both ways
MIN_DIGITS, MAX_DIGITS = 2, 5
HEIGHT, WIDTH = 10, 48  # pixels of a number's canvas
TARGET_LENGTH = MAX_DIGITS + 2


def digits(part: str = "all") -> tuple[torch.Tensor, torch.Tensor]:
    """Single digits: images float32 (n, 8, 8) in [0, 1], 1 is ink; labels int64 (n,) in 0 … 9.

    part  "train", the first 1,415; "test", the last 382, from other forms; "all" for both
    """
    parts = {
        "train": slice(FIRST_TEST_DIGIT),
        "test": slice(FIRST_TEST_DIGIT, None),
        "all": slice(None),
    }
    if part not in parts:
        raise ValueError(f"part should be one of {', '.join(parts)}, got {part!r}")
    images, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(images).float().reshape(-1, SIDE, SIDE) / 16
    return images[parts[part]], torch.from_numpy(labels)[parts[part]]


def numbers(images, labels, count: int, generator: torch.Generator):
    """Numbers of 2 to 5 digits, drawn from `digits` and put in a row.

    The free columns are shared out at random before, between and after the digits, and each digit
    is shifted up or down by itself, so no digit keeps to the borders of a patch.

    images (n, 8, 8), labels (n,), count how many numbers B, generator on the CPU  ->
      canvas   (B, 10, 48) float32 in [0, 1]
      targets  (B, 7) int64: BEGIN, the digits, END, PAD …
      left     (B, 5) int64: the column in which each digit begins, −1 where there is no digit
    """
    many = torch.randint(MIN_DIGITS, MAX_DIGITS + 1, (count, 1), generator=generator)  # (B, 1)
    place = torch.arange(MAX_DIGITS)
    present = place < many  # (B, 5)
    chosen = torch.randint(len(images), (count, MAX_DIGITS), generator=generator)

    # Sorted uniform positions among the free columns keep the order and forbid an overlap.
    free = WIDTH - SIDE * many
    position = torch.rand(count, MAX_DIGITS, generator=generator).masked_fill(~present, 1.0)
    gaps_before = (position.sort(dim=1).values * (free + 1)).long()
    left = torch.where(present, gaps_before + SIDE * place, -1)
    top = torch.randint(HEIGHT - SIDE + 1, (count, MAX_DIGITS), generator=generator)

    # Ink goes to pixel (top + y, left + x) of its canvas; a digit that is not there has no ink.
    ink = images[chosen] * present[..., None, None]  # (B, 5, 8, 8)
    rows = top[..., None, None] + torch.arange(SIDE)[:, None]  # (B, 5, 8, 1)
    columns = left.clamp(min=0)[..., None, None] + torch.arange(SIDE)  # (B, 5, 1, 8)
    which = torch.arange(count)[:, None, None, None]
    canvas = torch.zeros(count, HEIGHT, WIDTH)
    canvas.index_put_((which, rows, columns), ink, accumulate=True)

    targets = torch.full((count, TARGET_LENGTH), PAD)
    targets[:, 0] = BEGIN
    targets[:, 1:-1] = torch.where(present, labels[chosen], PAD)
    targets.scatter_(1, many + 1, END)
    return canvas, targets, left
