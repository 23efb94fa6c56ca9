"""Which device is taken: CUDA before an Apple GPU, and that only where it computes rightly."""

import warnings

import pytest
import torch

from tutorial_lib.training import device as module
from tutorial_lib.training.device import best_device


@pytest.mark.parametrize(
    "cuda, apple, difference, expected",
    [
        (True, True, None, "cuda"),
        (False, True, None, "mps"),
        (False, False, None, "cpu"),
        (False, False, "never asked", "cpu"),
    ],
)
def test_the_best_there_is(monkeypatch, cuda, apple, difference, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    monkeypatch.setattr(module, "first_difference", lambda device: difference)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert best_device() == torch.device(expected)


def test_an_apple_gpu_that_is_wrong_is_left_alone_with_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(module, "first_difference", lambda device: "GELU come out otherwise")
    with pytest.warns(UserWarning, match="Apple GPU GELU come out otherwise: everything runs on"):
        assert best_device() == torch.device("cpu")
