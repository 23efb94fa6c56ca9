"""Patches of photographs cut in two: the left halves ask, whole patches answer. Taught in chapter
01."""

import numpy as np
import torch

from tutorial_lib.data.photos import from_patches, photo, to_patches

TRAIN = ("astronaut", "brick", "camera", "coffee", "coins", "grass", "gravel", "rocket")
SIDE, HALF = 8, 32  # a crop is 8 × 8 patches of 8 × 8 pixels; half a patch is 32 numbers
NOISE = 0.02  # of the left halves; pixels lie between 0 and 1
LEAST = 0.04  # contrast that is added to each, or a plain sky would become all noise


def grey(name):
    """One of the photographs of `data.photos`, float32 (height, width)."""
    return photo(name).mean(-1)


def crop(image, y, x):
    """64 × 64 pixels of a grey image at (y, x)  ->  patches (64, 8, 8), a tensor"""
    side = SIDE * 8
    patches = to_patches(image[y : y + side, x : x + side, None], 8)[..., 0]
    return torch.from_numpy(np.ascontiguousarray(patches))


def somewhere(image, generator):
    """A row and a column at which a crop of a grey image may begin."""
    return [int(torch.randint(n - SIDE * 8 + 1, (), generator=generator)) for n in image.shape]


def cut(patches, generator):
    """Patches (..., 8, 8)  ->  left (..., 32), whole (..., 64), right (..., 32), and the brightness
    and contrast (..., 1) that bring right halves back to pixels: right · contrast + brightness.

    left has some noise. From all that belongs to a patch the brightness of its left half is
    subtracted, and what is left is divided by that half's contrast.
    """
    clean, right = patches[..., :4].flatten(-2), patches[..., 4:].flatten(-2)
    noisy = clean + NOISE * torch.randn(clean.shape, generator=generator)
    brightness, contrast = noisy.mean(-1, keepdim=True), noisy.std(-1, keepdim=True) + LEAST
    own = clean.std(-1, keepdim=True) + LEAST
    whole = (patches.flatten(-2) - clean.mean(-1, keepdim=True)) / own
    left, right = (noisy - brightness) / contrast, (right - brightness) / contrast
    return left, whole, right, brightness, contrast


def halves(images, count, generator):
    """`count` crops somewhere in grey images, cut: left (count, 64, 32), whole (count, 64, 64) and
    right (count, 64, 32), a row for each patch."""
    crops = []
    for _ in range(count):
        image = images[int(torch.randint(len(images), (), generator=generator))]
        crops.append(crop(image, *somewhere(image, generator)))
    return cut(torch.stack(crops), generator)[:3]


def judged_crops(image, count=32):
    """The crops of an image on which everything is judged, cut as by `cut`."""
    generator = torch.Generator().manual_seed(99)
    crops = [crop(image, *somewhere(image, generator)) for _ in range(count)]
    return cut(torch.stack(crops), generator)


@torch.no_grad()
def decibels(complete, image):
    """How well `complete(left, whole)` gives right halves on crops of an image, as PSNR in dB:
    −10 log₁₀ of the mean squared error of pixels between 0 and 1."""
    left, whole, right, _, contrast = judged_crops(image)
    error = (complete(left, whole) - right) * contrast
    return -10 * error.square().mean().log10().item()


@torch.no_grad()
def finds_itself(attention, image):
    """The share of patches that look most at themselves, by their left half. attention: a module
    with to_q, to_k and to_v."""
    left, whole, *_ = judged_crops(image)
    scores = attention.to_q(left) @ attention.to_k(whole).mT  # (32, 64, 64)
    return (scores.argmax(-1) == torch.arange(SIDE**2)).float().mean().item()


def nearest_left_half(left, whole):
    """The right half of the patch whose left half is nearest: nothing is learned."""
    there, beside = (half.flatten(-2) for half in whole.unflatten(-1, (8, 8)).split(4, dim=-1))
    found = torch.cdist(left, there).argmin(-1, keepdim=True)  # (..., N, 1)
    return beside.gather(-2, found.expand(*found.shape[:-1], HALF))


@torch.no_grad()
def pictures(methods, image, y, x):
    """A crop of an image, completed by methods (name -> `complete(left, whole)`): name -> pixels
    (64, 64), and the decibels of its right halves."""
    patches = crop(image, y, x)
    left, whole, right, brightness, contrast = cut(patches, torch.Generator().manual_seed(3))

    def together(right_half):
        both = torch.cat([left.view(-1, 8, 4), right_half.view(-1, 8, 4)], dim=-1)
        pixels = both * contrast[..., None] + brightness[..., None]
        return from_patches(pixels.clamp(0, 1).numpy()[..., None], SIDE)[..., 0]

    black = -brightness / contrast
    shown = {"given": (together(black.expand_as(right)), None)}
    for name, complete in methods.items():
        found = complete(left[None], whole[None])[0]
        error = ((found - right) * contrast).square().mean()
        shown[name] = together(found), -10 * error.log10().item()
    return shown | {"truth": (from_patches(patches.numpy()[..., None], SIDE)[..., 0], None)}
