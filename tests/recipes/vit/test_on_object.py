"""Attention on a thing: scenes whose things are known, shares that are known, and the record."""

import numpy as np
import pytest
import torch

from tutorial_lib.data.photos import photo
from tutorial_lib.measuring import records
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit import on_object
from tutorial_lib.recipes.vit.looking import prepare


@pytest.fixture
def discs(monkeypatch):
    """Fourteen half-red stamps in place of the real ones: two scenes."""
    images = np.zeros((14, 224, 224, 4), dtype=np.uint8)
    images[:, :112] = (255, 0, 0, 255)
    monkeypatch.setattr(on_object, "stamps", lambda: (images, np.zeros(14)))


def test_a_scene_is_the_background_and_the_thing_where_it_is_said_to_be(discs):
    images, cover = on_object.scenes("gravel")
    assert images.shape == (2, 3, 224, 224) and cover.shape == (2, 16, 16)
    torch.testing.assert_close(cover.sum((1, 2)), torch.full((2,), 32.0))  # half of 8 × 8 patches
    assert not cover[0].equal(cover[1])
    plain = prepare(photo("gravel")[:224, :224], 224)
    red = prepare(np.broadcast_to(np.float32([1, 0, 0]), (224, 224, 3)).copy(), 224)
    expected = torch.where(
        cover[:, None].repeat_interleave(14, 2).repeat_interleave(14, 3) == 1, red, plain
    )
    known = ((cover == 0) | (cover == 1))[:, None].repeat_interleave(14, 2).repeat_interleave(14, 3)
    torch.testing.assert_close(images * known, expected * known, atol=1e-5, rtol=0)


def test_shares_of_attention_that_is_known():
    cover = torch.zeros(2, 4, 4)
    cover[:, :2] = 1
    assert on_object.shares(torch.ones(2, 4, 4), cover) == 0.5
    assert on_object.shares(cover / 7, cover) == 1


def test_a_row_is_measured(discs, monkeypatch):
    torch.manual_seed(0)
    model = ViT(224, 14, 3, 2, dim=8, depth=2, heads=2, hidden=8)
    monkeypatch.setattr(on_object, "model_of", {"untrained": model}.get)
    row = on_object.measure({"model": "untrained", "background": "brick"})
    assert row["area"] == pytest.approx(1 / 8) and len(row["on_object"]) == 2
    weights = model.weights(on_object.scenes("brick")[0])[1][:, :, 0, 1:].mean(1).reshape(2, 16, 16)
    assert row["on_object"][1] == pytest.approx(
        on_object.shares(weights, on_object.scenes("brick")[1])
    )
    assert row["elsewhere"][1] != row["on_object"][1]


def test_the_record_holds_what_is_planned_and_attention_is_learned():
    rows = records.recorded("on-object")[0]["rows"]
    by_setting = {(row["model"], row["background"]): row for row in rows}
    assert set(by_setting) == {(row["model"], row["background"]) for row in on_object.plan()}
    for (model, background), row in by_setting.items():
        assert abs(row["elsewhere"][-2] - row["area"]) < 0.1, background
        if model == "pretrained":
            assert row["on_object"][-2] > 2 * row["area"], background
        else:
            assert abs(row["on_object"][-2] - row["area"]) < 0.05, background
