"""Chapter 07's family: who hears whom, and that the corners' models can do what is said of them."""

import pytest
import torch

from tutorial_lib.data.corners import SHAPES, corners
from tutorial_lib.measuring import records
from tutorial_lib.recipes.local_and_global import far_corners, who_hears
from tutorial_lib.recipes.local_and_global.far_corners import CONVOLVED, FAR, IMAGES, MODELS, NEAR


def arriving():
    x = who_hears.a_map()
    return {
        name: who_hears.arriving(who_hears.gradients(layers, x))
        for name, layers in who_hears.systems().items()
    }


def test_a_summary_is_as_narrow_as_a_token_and_crossed_channels_are_as_wide_as_a_window():
    found = list(arriving().values())
    assert found[:4] == [0] * 4
    tnt, twins, cat, regionvit, vit = found[4:]
    assert all(0 < n <= who_hears.DIM for n in (tnt, twins, regionvit))
    assert cat == vit == 48  # of 64, as a norm takes the mean from each token's four


def crossed(name, first=13):
    """The mixed difference of the logits over both corners: 0 if they are a sum."""
    torch.manual_seed(0)
    model = MODELS[name]().double()
    ground = torch.randn(1, 1, IMAGES["side"], IMAGES["side"]).double()

    def logits(a, b):
        image = ground.clone()
        image[0, 0, :5, :5] += SHAPES[a]
        image[0, 0, first:, first:] += SHAPES[b]
        return model(image)

    with torch.no_grad():
        return (logits(0, 1) - logits(2, 1) - logits(0, 3) + logits(2, 3)).abs().max().item()


def test_shapes_stand_where_the_differences_look():
    images, _ = corners(20, torch.Generator().manual_seed(0), **(IMAGES | {"noise": 0.0}))
    images[:, :, :5, :5], images[:, :, 13:, 13:] = 0, 0
    assert not images.any()


@pytest.mark.parametrize("name", NEAR)
def test_without_a_long_way_logits_are_a_sum_over_the_corners(name):
    assert crossed(name) < 1e-12


@pytest.mark.parametrize("name", [*FAR, CONVOLVED, far_corners.HIDDEN_HEAD])
def test_with_a_long_way_or_a_leak_they_are_none(name):
    assert crossed(name) > 1e-7


def test_the_record_holds_what_the_recipe_plans():
    rows, planned = records.recorded("far-corners")[0]["rows"], far_corners.plan()
    settings = [{key: row[key] for key in planned[0]} for row in rows]
    assert len(settings) == len(planned) and all(row in settings for row in planned)


def test_a_row_is_measured():
    row = far_corners.plan()[0]
    found = far_corners.measure(row | {"steps": 1})
    assert row.keys() < found.keys() and 0 <= found["accuracy"] <= 1
