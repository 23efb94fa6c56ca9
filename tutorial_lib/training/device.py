"""Where tensors live."""

import warnings

import torch

from tutorial_lib.measuring.operators import first_difference


def best_device() -> torch.device:
    """The first CUDA device; without one an Apple GPU, if it computes what the CPU does; or the
    CPU. Warns once of an Apple GPU that does not."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if not torch.backends.mps.is_available():
        return torch.device("cpu")
    if wrong := first_difference("mps"):
        warnings.warn(f"On this Apple GPU {wrong}: everything runs on the CPU.", stacklevel=2)
        return torch.device("cpu")
    return torch.device("mps")
