"""Marks far from each other: who of the compared models can hear both, and that they compare."""

import pytest
import torch

from tutorial_lib.measuring.reach import reach
from tutorial_lib.recipes.windows import far_away
from tutorial_lib.recipes.windows.far_away import BARS, CORNERS, MARKS, MODELS, TASKS, TOO_FAR


def heard_by_someone(task, name, first, second):
    """Whether a token of the last block hears two places of the map, both."""
    torch.manual_seed(0)
    model = MODELS[task, name]().double().eval()

    def blocks(x):
        if not hasattr(model, "messengers"):
            return model.stages[0](x)
        messengers = model.first_messengers(x)
        for block in model.stages[0]:
            x, messengers = block(x, messengers)
        return x

    side, dim = (8, 32) if task == CORNERS else (9, 16)
    found = reach(blocks, torch.randn(1, side, side, dim, dtype=torch.float64))
    return (found[:, :, *first] & found[:, :, *second]).any().item()


@pytest.mark.parametrize("task, name", MODELS)
def test_only_what_is_too_far_is_heard_by_nobody(task, name):
    far = {BARS: ((4, 0), (4, 8)), MARKS: ((0, 0), (8, 8)), CORNERS: ((0, 0), (7, 7))}[task]
    assert heard_by_someone(task, name, *far) == ((task, name) not in TOO_FAR)


def test_swin_with_two_blocks_can_hear_twenty_of_thirty_six_pairs():
    """The bound that the chapter names: windows in one square of 2 × 2 meet, others do not."""
    torch.manual_seed(0)
    blocks = MODELS[MARKS, "Swin, 2 blocks"]().double().stages[0]
    found = reach(blocks, torch.randn(1, 9, 9, 16, dtype=torch.float64))
    middles = found[:, :, 1::3, 1::3].flatten(2).flatten(0, 1).double()  # (81, 9) windows
    meet = (middles.T @ middles > 0).triu(1)
    assert meet.sum() == 20


def test_compared_models_are_alike_in_size():
    def size(key):
        return sum(p.numel() for p in MODELS[key]().parameters())

    assert 0.9 < size((BARS, "CSWin, 2 blocks")) / size((BARS, "Swin, 2 blocks")) < 1.1
    sizes = [size((MARKS, name)) for name in ("shuffle", "neither")]
    assert sizes[0] == sizes[1]
    trade, stay = (size((CORNERS, f"messengers {what}")) for what in ("trade", "stay"))
    assert trade - stay == 3 * 32  # four learned messengers in a region, or one


def test_a_row_is_measured(monkeypatch):
    row = dict(task=BARS, model="CSWin, 1 block", steps=1, lr=1e-3, seed=0)
    found = far_away.measure(row)
    assert found["parameters"] == 3698 and 0.4 < found["accuracy"] < 0.6
    images, labels = TASKS[BARS](3, torch.Generator())
    assert images.shape == (3, 1, 18, 18)
