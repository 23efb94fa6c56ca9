"""What a call does to its arguments is seen, however deep it happens."""

import pytest
import torch

from tutorial_lib.checking.running import call


@pytest.mark.parametrize(
    "spoil",
    [
        lambda splits, W, x: splits.pop(),
        lambda splits, W, x: splits.__setitem__(0, 7),
        lambda splits, W, x: W.__setitem__("layer", 0),
        lambda splits, W, x: W.pop("layer"),
        lambda splits, W, x: W["layer"][0].add_(1),
        lambda splits, W, x: W["layer"].__setitem__(0, None),
        lambda splits, W, x: x.requires_grad_(False),
    ],
)
def test_a_change_inside_an_argument_is_seen(spoil):
    case = {"splits": [3, 2], "W": {"layer": [torch.ones(2)]}, "x": torch.ones(2)}
    case["x"].requires_grad_(True)
    assert call(lambda *args: None, case).changed == []
    assert len(call(spoil, case).changed) == 1
