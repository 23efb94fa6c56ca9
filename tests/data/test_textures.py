"""Textures: equal patch means, a motif in every patch, on its own side of every border."""

import pytest
import torch

from tutorial_lib.data.textures import MOTIFS, textures


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_motifs_differ_and_have_mean_zero():
    flat = MOTIFS.flatten(1)
    assert (flat.sum(1) == 0).all()
    likeness = (flat @ flat.T).abs()  # light or dark
    assert (likeness < 8).sum() == len(MOTIFS) * (len(MOTIFS) - 1)


@pytest.mark.parametrize("side, patch, copies", [(24, 8, 2), (10, 5, 1), (32, 16, 3)])
def test_the_mean_of_a_patch_tells_nothing(side, patch, copies):
    images, labels = textures(20, generator(), side, patch, copies)
    assert images.shape == (20, 1, side, side) and images.dtype == torch.float32
    assert set(labels.tolist()) == set(range(len(MOTIFS)))
    assert torch.nn.functional.avg_pool2d(images, patch).abs().max() < 1e-6


def test_every_patch_holds_its_image_s_motif_and_nothing_else():
    images, labels = textures(12, generator(1), side=12, patch=6, copies=1, noise=0.0)
    for image, label in zip(images[:, 0], labels):
        for patch in image.unfold(0, 6, 6).unfold(1, 6, 6).flatten(0, 1):
            windows = patch.unfold(0, 3, 1).unfold(1, 3, 1).flatten(0, 1)
            either = [(windows - sign * MOTIFS[label]).abs().amax((1, 2)) for sign in (1, -1)]
            found = torch.stack(either).min(0).values < 1e-6
            assert found.sum() == 1 and patch.abs().sum() == 8


def test_the_generator_alone_decides():
    assert all(map(torch.equal, textures(3, generator(5)), textures(3, generator(5))))
    assert not torch.equal(textures(3, generator(5))[0], textures(3, generator(6))[0])


@pytest.mark.parametrize("side, patch", [(32, 5), (4, 2)])
def test_patches_that_do_not_fit_are_refused(side, patch):
    with pytest.raises(ValueError, match=f"patches of {patch} pixels in images of {side}"):
        textures(1, generator(), side, patch)
