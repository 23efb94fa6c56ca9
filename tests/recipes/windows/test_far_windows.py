"""The recipe of two marks in two windows: that what is compared is comparable."""

import pytest
import torch

from tutorial_lib.measuring import records
from tutorial_lib.recipes.windows import far_windows


@pytest.mark.parametrize("name", far_windows.MODELS)
def test_models_hear_what_their_names_say(name):
    model = far_windows.MODELS[name](8).double()
    images = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    last = model.features(images)[-1]  # (1, rows, columns, dim)
    mix = torch.randn(last.shape[-1], dtype=torch.float64)
    (last[0, -1, -1] @ mix).backward()
    crossed = bool(images.grad[..., :4, :4].ne(0).any())
    assert crossed == (name in ("one window", "two stages, without"))  # a corner, behind the mask
    images.grad = None
    middle = model.features(images)[-1][0, last.shape[1] // 2 - 1, last.shape[2] // 2 - 1]
    (middle @ mix).backward()
    assert bool(images.grad[..., 4:, 4:].ne(0).any()) == (name != "without")


def test_with_and_without_have_the_same_weights():
    sizes = {
        name: sum(p.numel() for p in make(8).parameters())
        for name, make in far_windows.MODELS.items()
    }
    assert sizes["with the shift"] == sizes["without"]


def test_the_record_is_of_the_plan():
    (recorded,) = records.recorded("far-windows")
    rows = [{k: v for k, v in row.items() if k != "accuracy"} for row in recorded["rows"]]
    assert len(rows) == len(far_windows.plan())
    assert all(row in far_windows.plan() for row in rows)
