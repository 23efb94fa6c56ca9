"""Missing halves: what is given and wanted fits together, and the judges judge."""

import torch

from tutorial_lib.layers.attention import Attention
from tutorial_lib.recipes.self_attention.halves import (
    crop,
    cut,
    decibels,
    finds_itself,
    grey,
    halves,
    nearest_left_half,
    pictures,
)

CAT = grey("chelsea")


def generator():
    return torch.Generator().manual_seed(0)


def test_brightness_and_contrast_bring_right_halves_back():
    patches = crop(CAT, 78, 142)
    left, whole, right, brightness, contrast = cut(patches, generator())
    torch.testing.assert_close(right * contrast + brightness, patches[..., 4:].flatten(-2))
    clean = whole.unflatten(-1, (8, 8))[..., :4].flatten(-2)
    assert clean.mean(-1).abs().max() < 1e-5 and (left - clean).abs().mean() < 1
    brighter = cut(patches / 2 + 0.3, generator())
    assert (brighter[1] - whole).abs().mean() < 0.2  # up to what is added to each contrast


def test_a_batch_has_the_shapes_that_the_chapter_says():
    left, whole, right = halves([CAT], 3, generator())
    assert (left.shape, whole.shape, right.shape) == ((3, 64, 32), (3, 64, 64), (3, 64, 32))


def test_decibels_count_the_error_of_pixels():
    near, far = (decibels(lambda left, whole, d=d: nearest_left_half(left, whole) + d, CAT)
                 for d in (0.0, 1.0))  # fmt: skip
    assert near > 35 and far < near - 10


def test_who_compares_left_halves_finds_itself():
    model = Attention(32, 32, 64)
    assert finds_itself(model, CAT) < 0.2
    with torch.no_grad():
        model.to_q.weight.copy_(torch.eye(32))
        left_of_whole = torch.eye(64).view(8, 8, 64)[:, :4].flatten(0, 1)
        model.to_k.weight.copy_(left_of_whole)
    assert finds_itself(model, CAT) > 0.4


def test_a_right_method_gives_the_truth():
    truth = cut(crop(CAT, 10, 20), torch.Generator().manual_seed(3))[2]
    shown = pictures({"right": lambda left, whole: truth[None]}, CAT, 10, 20)
    assert list(shown) == ["given", "right", "truth"]
    assert abs(shown["right"][0] - shown["truth"][0]).max() < 0.15  # the noise of the left halves
