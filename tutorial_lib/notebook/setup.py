"""What every chapter uses: seeds, threads, printing, figures, a progress bar."""

import sys
from collections.abc import Iterable

import numpy as np
import torch
from tqdm import tqdm

from tutorial_lib.notebook import plotting


def setup(seed: int = 0) -> np.random.Generator:
    """Make a notebook repeatable, and return its NumPy random generator.

    Seeds PyTorch, uses one thread (two threads on busy cores are several times slower, and sums
    come out in another order), prints three decimals and sets the course's figure style.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.set_printoptions(precision=3, sci_mode=False)
    np.set_printoptions(precision=3, suppress=True)
    plotting.style()
    return np.random.default_rng(seed)


def track(items: Iterable, label: str) -> Iterable:
    """The items one by one, with a progress bar that goes away at the end. One bar at a time:
    notebooks show nested ones as a heap of lines."""
    return tqdm(list(items), desc=label, leave=False, ncols=72, file=sys.stdout)
