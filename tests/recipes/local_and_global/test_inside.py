"""Chapter 07's textures: rivals of equal cost, controls that change what they say, and a TNT."""

import pytest
import torch

from tutorial_lib.measuring import records
from tutorial_lib.recipes.local_and_global import inside


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return {name: make() for name, make in inside.MODELS.items()}


def test_rivals_take_as_many_operations(models):
    cost = {name: inside.operations(models[name]) for name in inside.RIVALS}
    assert max(cost.values()) < 1.01 * min(cost.values())


def test_scrambling_moves_pixels_inside_their_patch_alone_and_all_patches_alike():
    numbered = torch.arange(256.0).view(1, 1, 16, 16)
    moved = inside.scrambled(numbered, patch=8)
    for top, left in ((0, 0), (0, 8), (8, 0), (8, 8)):
        was, now = (x[0, 0, top : top + 8, left : left + 8].flatten() for x in (numbered, moved))
        assert torch.equal(now.sort().values, was) and not torch.equal(now, was)
        assert torch.equal(now - was[0], moved[0, 0, :8, :8].flatten())


def pixel_tokens(model, images):
    y = model.embed(images)
    return model.encoder[0].inner(y.flatten(0, 1)).view_as(y)


def test_controls_are_a_tnt_whose_pixels_do_not_hear_each_other(models):
    images = torch.randn(1, 1, 32, 32)
    changed = images.clone()
    changed[:, :, 0, 0] += 1  # seen by the first pixel token of patch 0 alone
    heard = {"TNT": 16, "TNT, no inner attention": 1, "TNT, no inner layers": 1}
    for name, expected in heard.items():
        model = models[name].eval()
        with torch.no_grad():
            moved = (pixel_tokens(model, images) != pixel_tokens(model, changed)).any(-1)
        assert moved[0, 0].sum() == moved.sum() == expected, name
    y = models["TNT, no inner layers"].embed(images)
    assert torch.equal(pixel_tokens(models["TNT, no inner layers"], images), y)


def test_the_shipped_tnt_reads_textures():
    model, record = inside.load()
    images, labels = inside.textures(300, torch.Generator().manual_seed(5), **inside.SETTINGS)
    assert inside.share_right(model, images, labels) > 0.9 and int(record["steps"]) == inside.STEPS


def test_a_row_is_measured_and_the_records_hold_what_was_planned():
    row = inside.measure(dict(model="TNT, pixels scrambled", lr=1e-3, steps=1, seed=0))
    assert row["operations"] == inside.operations(inside.tnt()) and 0 < row["accuracy"] < 1
    for name, planned in inside.RECORDS.items():
        (found,) = records.recorded(name)
        told = [{key: row[key] for key in planned[0]} for row in found["rows"]]
        assert sorted(map(str, told)) == sorted(map(str, planned)), name
