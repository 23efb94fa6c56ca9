"""What is looked for in a model: on models and patches that are known, and what is recorded."""

import numpy as np
import pytest
import torch
from PIL import Image

from tutorial_lib.data import pretrained
from tutorial_lib.data.photos import photo
from tutorial_lib.exercises import vit as exercise
from tutorial_lib.models.backbones.hugging_face import load_checkpoint
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit import looking

SIZES = dict(image_size=12, patch=4, channels=3, classes=5, dim=8, depth=3, heads=2, hidden=12)


@pytest.mark.parametrize("make", [ViT, exercise.VisionTransformer.reference])
def test_a_look_finds_what_the_layer_computes(make):
    torch.manual_seed(0)
    model, ours = make(**SIZES).eval(), ViT(**SIZES)
    ours.load_state_dict(model.state_dict())
    with torch.no_grad():
        model.class_token.mul_(30)
        ours.load_state_dict(model.state_dict())
        images = torch.randn(2, 3, 12, 12)
        x, expected = ours.tokens(images), []
        for layer in ours.encoder:
            x = layer(x)
            expected.append(x[:, 1:])
    for layer in (-3, -2, -1):
        attention, tokens = looking.look(model, images, layer)
        weights = ours.weights(images)[layer][:, :, 0, 1:].mean(1)
        torch.testing.assert_close(attention, weights.reshape(2, 3, 3))
        torch.testing.assert_close(tokens, expected[layer])


def test_a_model_that_fails_is_left_as_it_was():
    model = ViT(**SIZES)
    with pytest.raises(ValueError, match="do not divide"):
        looking.look(model, torch.zeros(1, 3, 13, 12))
    assert not model.encoder[-2]._forward_hooks


def test_patches_that_are_alike_have_one_colour_and_others_do_not():
    torch.manual_seed(0)
    kinds, which = torch.randn(4, 20), torch.randint(4, (64,))
    found = looking.colours(kinds[which] + 5)
    assert found.shape == (8, 8, 3) and found.min() == 0 and found.max() == 1
    found = found.reshape(64, 3)
    centres = torch.stack([found[which == kind].mean(0) for kind in range(4)])
    torch.testing.assert_close(found, centres[which], atol=1e-4, rtol=0)
    assert torch.pdist(centres).min() > 0.3
    torch.testing.assert_close(looking.colours(7 * kinds[which]).reshape(64, 3), found)
    assert looking.colours(torch.ones(4, 20)).isfinite().all()


def test_the_middle_of_a_photo_is_prepared_as_the_model_was_trained():
    image = np.zeros((6, 10, 3), dtype=np.float32)
    image[:, 2:8] = pretrained.MEAN
    torch.testing.assert_close(looking.prepare(image, 12), torch.zeros(1, 3, 12, 12))
    image[:, 2:8] = np.add(pretrained.MEAN, pretrained.STD)
    torch.testing.assert_close(looking.prepare(image, 3), torch.ones(1, 3, 3, 3))


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.full((4, 4, 3), 255), np.zeros((4, 4, 4))])
def test_what_is_no_photo_is_refused(image):
    with pytest.raises(ValueError, match=r"a photo \(4, 4.*expected \(height, width, 3\) in"):
        looking.prepare(image)


def test_a_picture_shows_photo_attention_and_colours():
    torch.manual_seed(0)
    model = ViT(**{**SIZES, "image_size": looking.PIXELS, "patch": 112})
    strip = looking.picture(model, photo("astronaut"), size=64)
    assert strip.shape == (64, 192, 3) and strip.dtype == np.uint8
    small = np.asarray(
        Image.fromarray((255 * photo("astronaut")).astype(np.uint8)).resize((64, 64))
    )
    assert np.abs(strip[:, :64].astype(int) - small).mean() < 8
    patches = strip[:, 64:].reshape(4, 16, 8, 16, 3)  # each is of one colour
    assert (patches == patches[:, :1, :, :1]).all()


def test_the_recorded_pictures_are_small_and_have_sources():
    sources = (looking.RECORDED / "SOURCES.txt").read_text(encoding="utf-8")
    files = sorted(looking.RECORDED.glob("*.jpg"))
    assert sorted(looking.SHOWN) == [file.stem for file in files]
    assert all(f"{file.name} " in sources for file in files)
    assert max(file.stat().st_size for file in files) < 25_000
    assert all(looking.recorded(name).shape == (192, 576, 3) for name in looking.SHOWN)


def test_pictures_of_a_model_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "vit")
    with pytest.raises(SystemExit, match="python -m tutorial_lib pretrained"):
        looking.main()


@pytest.mark.skipif(
    not pretrained.FOLDER.expanduser().exists(), reason=f"needs {pretrained.COMMAND!r}"
)
def test_the_recorded_pictures_are_the_models():
    model = load_checkpoint(pretrained.folder())
    found = looking.picture(model, photo("chelsea")).astype(int)
    assert np.abs(found - looking.recorded("chelsea")).mean() < 8  # JPEG
