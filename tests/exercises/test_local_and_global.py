"""Chapter 07: its goal from nothing refuses what is no transformer in a transformer."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.exercises.local_and_global import from_nothing


class Pixels(nn.Module):
    """Four pixel tokens in each of four patches; they hear their patch, all patches, or nobody."""

    def __init__(self, hears="patch", reads="pixels"):
        super().__init__()
        self.hears, self.reads = hears, reads
        self.out = nn.Linear(256, 4)

    def pixels(self, images):
        x = images.reshape(-1, 2, 2, 4, 2, 2, 4).permute(0, 1, 4, 2, 5, 3, 6)
        y = x.reshape(len(images), 4, 4, 16)
        if self.hears == "patch":
            y = y + F.scaled_dot_product_attention(y, y, y)
        elif self.hears == "all":
            flat = y.flatten(1, 2)
            y = (flat + F.scaled_dot_product_attention(flat, flat, flat)).view_as(y)
        return y

    def forward(self, images):
        y = self.pixels(images)
        return self.out((y if self.reads == "pixels" else images).flatten(1))


def test_pixels_hear_their_own_patch_and_no_other():
    assert from_nothing.hears_its_own_patch(Pixels())
    assert not from_nothing.hears_its_own_patch(Pixels(hears="all"))
    assert not from_nothing.hears_its_own_patch(Pixels(hears="nobody"))


def test_one_token_for_a_patch_is_no_pixel_token():
    class Patches(Pixels):
        def pixels(self, images):
            return super().pixels(images).flatten(2)[:, :, None]

    assert not from_nothing.hears_its_own_patch(Patches())


def test_what_is_said_comes_from_the_pixels():
    assert from_nothing.reads_its_pixels_alone(Pixels())
    model = Pixels(reads="images")
    assert not from_nothing.reads_its_pixels_alone(model)
    assert model.pixels(torch.zeros(1, 1, 16, 16)).shape == (1, 4, 4, 16)  # its own again
