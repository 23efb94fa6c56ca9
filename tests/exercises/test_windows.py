"""Chapter 08: its goal from nothing tells windows that stay, move, and move without a mask."""

import pytest
import torch
from torch import nn

from tutorial_lib.exercises.windows import from_nothing
from tutorial_lib.models.backbones.swin import SwinBlock


class Tokens(nn.Module):
    """Patches of 2 pixels and blocks with these shifts; `wide` for a window over the whole grid."""

    def __init__(self, first, second, masked=True, window=2):
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 2, 2)
        self.blocks = nn.ModuleList(SwinBlock(8, 2, 8, window, shift) for shift in (first, second))
        self.masked = masked

    def first(self, images):
        return self.blocks[0](self.embed(images).movedim(1, -1))

    def second(self, images):
        x = self.first(images)
        if self.masked:
            return self.blocks[1](x)
        self.blocks[1].attention.shift = 0  # the same windows by a roll, and no mask
        return self.blocks[1](x.roll((-1, -1), (1, 2))).roll((1, 1), (1, 2))


@pytest.mark.parametrize(
    "model, inside, across, apart",
    [
        (dict(first=0, second=1), True, True, True),
        (dict(first=0, second=0), True, False, True),
        (dict(first=0, second=1, masked=False), True, True, False),
        (dict(first=1, second=0), False, True, True),
        (dict(first=0, second=0, window=4), False, True, False),
    ],
    ids=["stay, move", "stay", "no mask", "move, stay", "one window"],
)
def test_windows_are_told_from_what_is_none(model, inside, across, apart):
    torch.manual_seed(0)
    model = Tokens(**model)
    assert from_nothing.stays_inside(model) == inside
    assert from_nothing.crosses(model) == across
    assert from_nothing.stays_apart(model) == apart


def test_another_grid_is_refused_by_its_shape():
    model = Tokens(0, 1)
    model.embed = nn.Conv2d(1, 8, 1)
    with pytest.raises(ValueError, match=r"expected \(4, 4, 4, dim\)"):
        from_nothing.stays_inside(model)
