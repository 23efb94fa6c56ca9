"""Chapter 09: its goal from nothing refuses what is no T2T-ViT; its little room is one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.exercises.t2t import from_nothing
from tutorial_lib.exercises.t2t.training import LittleRoom


class Tokens(nn.Module):
    """Windows of any size; what leaves is their means, after an attention or without it."""

    def __init__(self, k, s, p, attends, n=16):
        super().__init__()
        self.cut = dict(kernel_size=k, stride=s, padding=p)
        self.attends, self.n = attends, n

    def windows(self, images):
        return F.unfold(images, **self.cut).mT

    def tokens(self, images):
        x = self.windows(images)
        if self.attends:
            x = x + F.scaled_dot_product_attention(x / 9, x / 9, x)
        return x[:, : self.n]


@pytest.mark.parametrize(
    "windows, meet", [((7, 7, 0), False), ((4, 4, 2), False), ((3, 2, 1), True)]
)
def test_neighbours_meet_in_overlapping_windows_alone(windows, meet):
    assert from_nothing.neighbours_meet(Tokens(*windows, attends=True)) == meet


def test_windows_that_overlap_one_way_are_refused():
    class Strips(Tokens):
        def windows(self, images):
            return images.flatten(1, 2)  # (B, 28, 28): a window is a row

    assert not from_nothing.neighbours_meet(Strips(1, 1, 0, attends=True))


def test_tokens_must_become_fewer_and_hear_of_all():
    assert from_nothing.grows_tokens(Tokens(7, 4, 2, attends=True))
    assert not from_nothing.grows_tokens(Tokens(7, 4, 2, attends=False))
    assert not from_nothing.grows_tokens(Tokens(7, 4, 2, attends=True, n=49))


def test_room_is_free_again_after_the_way_back():
    model, x = LittleRoom(2, 0.0), torch.randn(2, 3)
    for _ in range(2):
        model(x).sum().backward()
    model(x)
    with pytest.raises(RuntimeError, match="1 images go in while 2 wait for their backward"):
        model(x[:1])
    with torch.no_grad():
        model(x)
