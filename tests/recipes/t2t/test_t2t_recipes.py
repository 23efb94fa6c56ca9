"""The recipes of chapter 09: what their images hold, and that compared models are comparable."""

import math

import pytest
import torch

from tutorial_lib.from_scratch.soft_split import token_count
from tutorial_lib.measuring import records
from tutorial_lib.recipes.t2t import announced_channel, crossing_bars, longer, t2t_variants
from tutorial_lib.recipes.t2t.crossing_bars import ACROSS, CENTRED, FEW, INSIDE, RAW, SCALED

PLACES = (INSIDE, FEW, ACROSS)


def draw(places, noise=0.0, count=200):
    return crossing_bars.bars(count, places, torch.Generator().manual_seed(0), noise)


def middle(images):
    """The mean place of the light, as (row, column)  ->  (count, 2)."""
    light = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
    pixels = torch.arange(float(crossing_bars.SIDE))
    return torch.stack([light.sum(2) @ pixels, light.sum(1) @ pixels], dim=1)


@pytest.mark.parametrize("places", PLACES)
def test_bars_stand_where_they_should(places):
    images, _ = draw(places)
    assert images.shape == (200, 1, 28, 28) and 0 <= images.min() and images.max() <= 1
    assert images.flatten(1).sum(1).min() > 2  # none has left the picture
    place = (middle(images) + 0.5) % 7  # a border is at 0 and at 7, the middle of a patch at 3.5
    from_border = torch.minimum(place, 7 - place)  # 3.5 in the middle
    on, along = from_border.min(dim=1).values, from_border.max(dim=1).values
    assert (on > 2.7).all() if places == INSIDE else (on < 0.8).all()
    assert (along > 2.7).all() == (places != ACROSS)  # across, a bar stands anywhere along


def test_few_places_on_the_borders_are_as_many_as_inside():
    def count(places):
        middles = crossing_bars.centres(2000, places, torch.Generator().manual_seed(0))
        return len({tuple(middle) for middle in (middles / 3.5).round().tolist()})

    assert count(FEW) == count(INSIDE) == 16 and count(ACROSS) > 24


def test_bars_inside_patches_leave_none_of_them():
    patches = draw(INSIDE)[0].unfold(2, 7, 7).unfold(3, 7, 7).sum(dim=(-2, -1)).flatten(1)
    assert (patches.max(dim=1).values > 0.97 * patches.sum(dim=1)).all()
    for places in (FEW, ACROSS):
        crossing = draw(places)[0].unfold(2, 7, 7).unfold(3, 7, 7).sum(dim=(-2, -1)).flatten(1)
        assert (crossing.max(dim=1).values < 0.8 * crossing.sum(dim=1)).float().mean() > 0.7


@pytest.mark.parametrize("noise", crossing_bars.STEPS)
@pytest.mark.parametrize("places", PLACES)
def test_normalised_bars(places, noise):
    images = crossing_bars.normalise(draw(places, noise, 5000)[0], noise)
    assert images.mean().item() == pytest.approx(0, abs=0.02)
    assert images.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("pixels", [SCALED, CENTRED, RAW])
def test_half_of_the_normalisation(pixels):
    images, _ = draw(ACROSS, count=5000)
    read = crossing_bars.normalise(images, 0.0, pixels)
    assert (read.mean().abs().item() < 1e-3) == (pixels == CENTRED)
    spread = 1 if pixels == SCALED else images.std().item()
    assert read.std().item() == pytest.approx(spread, rel=0.02)
    assert torch.equal(read, images) == (pixels == RAW)


@pytest.mark.parametrize(
    "name, recipe", [("crossing-bars", crossing_bars), ("announced-channel", announced_channel)]
)
def test_the_record_holds_what_the_recipe_plans(name, recipe):
    rows, planned = records.recorded(name)[0]["rows"], recipe.plan()
    settings = [{key: row[key] for key in planned[0]} for row in rows]
    assert len(settings) == len(planned) and all(row in settings for row in planned)


def size(model):
    return sum(p.numel() for p in model.parameters())


def test_models_for_bars_make_16_tokens_and_are_of_about_the_same_size():
    sizes = {}
    for row in crossing_bars.plan():
        embed, depth = crossing_bars.MODELS[row["model"]]
        assert embed()(torch.randn(2, 1, 28, 28)).shape == (2, 16, 48)
        sizes[row["model"]] = size(embed()) + depth * 19_000  # an encoder layer of 48 features
    assert max(sizes.values()) < 1.1 * min(sizes.values())


def test_a_bar_points_in_its_direction():
    images, direction = draw(INSIDE)
    pixels = torch.arange(float(crossing_bars.SIDE))
    for image, centre, which in zip(images[:, 0], middle(images), direction):
        dy, dx = pixels[:, None] - centre[0], pixels - centre[1]
        angle = math.atan2(2 * (image * dy * dx).sum(), (image * (dx**2 - dy**2)).sum()) / 2
        away = (angle - which * math.pi / 4 + math.pi / 2) % math.pi - math.pi / 2
        assert abs(away) < 0.2


def test_noise_is_added_to_the_same_bars():
    clean, noisy = draw(ACROSS)[0], draw(ACROSS, noise=0.1)[0]
    assert (noisy - clean).std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("channels", [2, 4])
def test_the_band_stands_above_the_stripes_that_count(channels):
    images, direction = announced_channel.striped(50, channels, torch.Generator().manual_seed(0))
    assert images.shape == (50, channels, 14, 14) and len(direction) == 50
    assert ((images[:, :, 0, 0] == 2).sum(dim=1) == 1).all()
    assert (images[:, :, 2:7] == 0).all()
    chosen = images[:, :, 0, 0].argmax(dim=1)
    for image, channel, which in zip(images[:, :, 7:], chosen, direction):
        stripes = image[channel]
        if which == 0:  # stripes that stand: all rows alike
            torch.testing.assert_close(stripes, stripes[:1].expand_as(stripes))
        if which == 2:
            torch.testing.assert_close(stripes, stripes[:, :1].expand_as(stripes))


def test_a_window_sees_the_band_or_the_stripes():
    model = announced_channel.Reader("plain", 2)
    images, _ = announced_channel.striped(1, 2, torch.Generator().manual_seed(0))
    images.requires_grad_()
    features = model.layers(images)  # (1, 16, 14, 14)
    for row in range(14):
        (gradient,) = torch.autograd.grad(features[0, :, row].sum(), images, retain_graph=True)
        seen = gradient[0].abs().sum(dim=(0, 2)) > 0
        assert not (seen[:2].any() and seen[7:].any())


def test_variants_are_of_about_the_same_size():
    for (family, variant), make in t2t_variants.MODELS.items():
        model = make()
        assert model(torch.randn(2, 1, 28, 28)).shape == (2, 10)
        share = size(model) / size(t2t_variants.MODELS[family, "plain"]())
        assert 0.5 < share < 0.75 if variant == "ghost" else 0.9 < share < 1.08, (family, variant)


def test_tokens_without_overlap_lie_on_the_same_grids():
    def grids(splits):
        side, found = 28, []
        for k, s, p in splits:
            side, _ = token_count(side, side, k, s, p)
            found.append(side)
        return found

    assert grids(t2t_variants.SOFT) == grids(t2t_variants.APART) == [7, 4]
    assert grids(crossing_bars.SOFT) == grids(crossing_bars.APART) == [7, 4, 4]
    for splits in (t2t_variants.APART, crossing_bars.APART, t2t_variants.HARD):
        assert all(k == s for k, s, _ in splits)


@pytest.mark.parametrize("name", longer.RECORDS)
def test_longer_trainings_are_those_of_the_records(name):
    plan, _ = longer.RECORDS[name]
    planned, rows = plan(), records.recorded(name)[0]["rows"]
    settings = [{key: row[key] for key in planned[0]} for row in rows]
    assert len(settings) == len(planned) and all(row in settings for row in planned)


def test_the_models_beside_the_backbones_record_are_its_own():
    rows = {row["name"]: row for row in records.load(records.RESULTS / "backbones.json")["rows"]}
    for name, make in longer.BACKBONES.items():
        assert size(make()) == rows[name]["parameters"]
