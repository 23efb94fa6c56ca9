"""What every chapter uses: seeds, threads, printing, figures, a progress bar."""

import random
import sys
from collections.abc import Iterable

import matplotlib
import numpy as np
import torch
from IPython import get_ipython
from tqdm import tqdm

from tutorial_lib.notebook import plotting


def setup(seed: int = 0) -> np.random.Generator:
    """Make a notebook repeatable, and return its NumPy random generator.

    Seeds PyTorch, and what other code may draw from: NumPy's own generator and Python's. Uses one
    thread (two threads on busy cores are several times slower, and sums come out in another order),
    prints three decimals, or powers of ten where they would read 0.000, and sets the course's
    figure style.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    torch.set_num_threads(1)
    torch.set_printoptions(precision=3)
    np.set_printoptions(precision=3)
    _figures_in_the_notebook()
    plotting.style()
    return np.random.default_rng(seed)


def _figures_in_the_notebook() -> None:
    """Where MPLBACKEND names another backend, as on many servers, no figure would appear."""
    shell = get_ipython()
    if hasattr(shell, "kernel") and "inline" not in matplotlib.get_backend():
        shell.enable_matplotlib("inline")


def track(items: Iterable, label: str) -> Iterable:
    """The items one by one, with a progress bar that goes away at the end. One bar at a time:
    notebooks show nested ones as a heap of lines."""
    return tqdm(list(items), desc=label, leave=False, ncols=72, file=sys.stdout)
