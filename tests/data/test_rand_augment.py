"""RandAugment: each change does what its name says, and two of them come to each picture."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from tutorial_lib.data import rand_augment as changes
from tutorial_lib.data.rand_augment import CHANGES, rand_augment


def some(count=3, channels=2, height=9, width=12):
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.0, 1.0])
def test_each_change_keeps_shape_and_range_and_pictures_apart(name, strength):
    x = some()
    found = CHANGES[name](x, torch.full((3,), strength))
    assert found.shape == x.shape and 0 <= found.min() and found.max() <= 1
    alone = CHANGES[name](x[1:2], torch.tensor([strength]))
    torch.testing.assert_close(alone, found[1:2])
    if strength == 0 and name not in ("autocontrast", "posterize"):
        torch.testing.assert_close(found, x, atol=1e-5, rtol=0)


def test_a_rotation_turns_as_pillow_does_also_pictures_that_are_not_square():
    x = torch.zeros(1, 1, 40, 60)
    x[0, 0, 8:18, 12:40] = 1
    for strength in (1.0, -0.6):
        found = changes.rotate(x, torch.tensor([strength]))[0, 0].numpy()
        turned = Image.fromarray((255 * x[0, 0]).byte().numpy()).rotate(
            30 * strength, resample=Image.Resampling.BILINEAR
        )
        expected = np.asarray(turned) / 255
        assert abs(found - expected).mean() < 0.02 < abs(found - x[0, 0].numpy()).mean()


def test_posterize_and_solarize_and_autocontrast_do_as_pillow():
    grey = torch.arange(256).view(1, 1, 16, 16) / 255
    picture = Image.fromarray((grey[0, 0] * 255).round().byte().numpy())
    dark = changes.solarize(grey, torch.tensor([0.5]))[0, 0] * 255
    np.testing.assert_allclose(dark, np.asarray(ImageOps.solarize(picture, 128)), atol=1e-3)
    assert len(changes.posterize(grey, torch.tensor([1.0])).unique()) == 16
    narrow = 0.3 + 0.4 * grey
    wide = changes.autocontrast(narrow, torch.ones(1))
    torch.testing.assert_close(wide, grey, atol=1e-5, rtol=0)
    flat = torch.full((1, 1, 4, 4), 0.5)
    assert changes.autocontrast(flat, torch.ones(1)).equal(flat)


def test_a_translation_moves_by_the_share_of_the_picture():
    x = torch.zeros(1, 1, 5, 10)
    x[..., 7] = 1
    found = CHANGES["translate x"](x, torch.tensor([4 / 9]))  # 0.4 of half of 10 pixels: 2 of them
    assert found[0, 0].argmax(-1).unique().item() == 5


def test_two_changes_for_each_picture_through_the_generator_alone():
    x = some(200, 1, 8, 8)
    found, again, other = (
        rand_augment(x, 9, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert found.equal(again) and not found.equal(other)
    kept = (found == x).flatten(1).all(1).float().mean().item()
    assert kept < 0.06  # both times nothing: one in 144, and what leaves a picture as it is
    torch.testing.assert_close(rand_augment(x, 9, torch.Generator(), times=0), x)
    with pytest.raises(ValueError, match="magnitude is 11, expected 0 to 10"):
        rand_augment(x, 11, torch.Generator())
    with pytest.raises(ValueError, match=r"expected float \(B, C, H, W\)"):
        rand_augment(x[0], 9, torch.Generator())
