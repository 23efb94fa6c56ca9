"""The recipe of the warm-up figure: a small encoder that learns to sort digits."""

import math

import pytest
import torch

from tutorial_lib.recipes.transformer import warmup
from tutorial_lib.recipes.transformer.warmup import BATCH, DIGITS, LENGTH, Sorter, draw, final_loss


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_sorter_follows_the_device_of_its_input(norm_first):
    digits = torch.zeros(2, LENGTH, dtype=torch.long, device="meta")
    logits = Sorter(norm_first).to("meta")(digits)
    assert logits.device.type == "meta"
    assert logits.shape == (2, LENGTH, DIGITS)


def test_the_sorter_has_the_depth_that_was_asked_for():
    sizes = [sum(p.numel() for p in Sorter(False, depth).parameters()) for depth in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


def test_the_answer_is_the_sorted_batch():
    digits, answer = draw(torch.Generator().manual_seed(0))
    assert digits.shape == answer.shape == (BATCH, LENGTH)
    assert (answer.diff(dim=1) >= 0).all()
    for digit in range(DIGITS):
        assert torch.equal((digits == digit).sum(dim=1), (answer == digit).sum(dim=1))


def test_the_gradient_is_not_clipped(monkeypatch):
    """It would hide what warm-up is for."""
    asked = {}
    monkeypatch.setattr(warmup, "train", lambda *args, **settings: asked.update(settings) or [1.0])
    final_loss(norm_first=False, warmup=0, lr=1e-2, seed=0, steps=1)
    assert asked["clip"] == math.inf and asked["weight_decay"] == 0


def test_the_loss_is_reported_in_nats_whatever_it_was_multiplied_by():
    settings = dict(norm_first=True, warmup=0, lr=1e-2, seed=0, steps=3)
    plain, scaled = final_loss(**settings), final_loss(**settings, scale=20)
    assert plain == pytest.approx(2.3, abs=0.5)  # guessing gives log 10
    assert scaled == pytest.approx(plain, rel=1e-3)  # Adam's step does not know of the scale
