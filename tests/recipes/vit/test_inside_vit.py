"""The figures of chapter 05's trained ViTs: on models that are known, and what is recorded."""

import numpy as np
import pytest
import torch

from tutorial_lib.measuring import records
from tutorial_lib.recipes.vit import inside_vit, vit


class Looks:
    """A model whose attention is the same everywhere and in every layer."""

    def __init__(self, weights):
        self.row = weights / weights.sum()

    def weights(self, images):
        return 2 * [self.row.expand(len(images), 1, 50, 50)]


def test_moved_pictures_leave_background_behind():
    images = torch.arange(2 * 4 * 4.0).reshape(2, 1, 4, 4)
    assert inside_vit.moved(images, 0).equal(images)
    moved = inside_vit.moved(images, 1)
    assert moved.shape == images.shape
    assert moved[..., 1:, 1:].equal(images[..., :-1, :-1])
    assert (moved[..., 0, :] == 0).all() and (moved[..., 0] == 0).all()


def test_the_share_on_cloth_of_attention_that_is_known():
    cloth = inside_vit.cloth()
    assert cloth.shape == (200, 49)
    alike = inside_vit.share_on_cloth(Looks(torch.ones(50)))
    assert alike == pytest.approx(cloth.float().mean().item(), abs=1e-5)
    middle = torch.zeros(50)
    middle[1 + 24] = 1  # nearly every picture shows clothes there
    assert inside_vit.share_on_cloth(Looks(middle)) > 0.9


def test_distances_of_attention_to_the_middle():
    middle = torch.zeros(50)
    middle[1 + 24] = 1
    row, column = np.divmod(np.arange(49), 7)
    expected = np.hypot(row - 3, column - 3).mean()
    found = inside_vit.distances(Looks(middle))
    assert found.shape == (2, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_neighbours_are_found_in_positions_that_hold_places_and_not_in_noise():
    model = vit.fresh(0)
    assert inside_vit.neighbours_first(model) < 0.4  # 0.13 by chance
    apart = torch.from_numpy(inside_vit.steps_apart())
    assert apart[0, 1] == 1 and apart[0, 7] == 1 and apart[0, 8] == pytest.approx(2**0.5)
    model.positions.table.data[1:, :49] = torch.exp(-(apart**2)).float()  # a bump at each place
    model.positions.table.data[1:, 49:] = 0
    assert inside_vit.neighbours_first(model) == 1


def test_smoothness_is_one_for_even_filters_and_zero_for_noise():
    even = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)).expand(500, 16)
    noise = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    assert inside_vit.smoothness(even) == pytest.approx(1, abs=1e-5)
    assert abs(inside_vit.smoothness(noise)) < 0.05
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    board = ((-1.0) ** (rows + columns)).flatten().expand(500, 16)
    assert inside_vit.smoothness(board) == pytest.approx(-1, abs=1e-5)


def test_a_row_is_measured_and_says_what_was_before(monkeypatch):
    monkeypatch.setattr(inside_vit, "pictures", lambda *_: vit.pictures("test", 200))
    row = inside_vit.measure({"count": 20, "steps": 1, "seed": 3})
    assert (row["count"], row["steps"], row["seed"]) == (20, 1, 3)
    assert len(row["accuracy_moved"]) == 4 and np.shape(row["distances"]) == (4, 4)
    assert row["correlation_with_start"] > 0.99  # after one step


def test_the_record_holds_what_is_planned_and_the_checkpoint_is_the_seed_that_is_not():
    rows = records.recorded("inside-vit")[0]["rows"]
    names = "count", "steps", "seed"
    recorded = sorted(tuple(row[name] for name in names) for row in rows)
    assert recorded == sorted(tuple(row[name] for name in names) for row in inside_vit.plan())
    record = vit.load()[1]
    shipped = tuple(int(record[name]) for name in names)
    assert shipped == (vit.COUNT, vit.STEPS, 0) and shipped not in recorded
