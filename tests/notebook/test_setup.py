"""A notebook's set-up: seeds, numbers that stay readable, figures whatever the environment says."""

import random

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from tutorial_lib.authoring.execute import execute
from tutorial_lib.notebook.setup import setup

DRAW = """from tutorial_lib.notebook import plotting
from tutorial_lib.notebook.setup import setup
setup()
import matplotlib.pyplot as plt
plt.plot([1, 2])
plotting.show("A line that rises.")"""


@pytest.fixture(autouse=True)
def settings():
    """What `setup` changes for the whole process, put back."""
    threads, options = torch.get_num_threads(), np.get_printoptions()
    yield
    torch.set_num_threads(threads)
    torch.set_printoptions(profile="default")
    np.set_printoptions(**options)


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_everything_that_draws_is_seeded():
    first = setup(3).random(), draws()
    random.seed(), np.random.seed(), torch.seed()
    assert (setup(3).random(), draws()) == first
    assert setup(4).random() != first[0]


def test_small_numbers_do_not_print_as_zero():
    setup()
    assert "e-05" in str(np.array([1.5e-5, 1.0])) and "e-05" in str(torch.tensor([1.5e-5, 1.0]))
    assert str(np.array([0.25, 0.5])) == "[0.25 0.5 ]"


def test_a_figure_appears_though_the_environment_names_a_backend_without_any(tmp_path):
    notebook = new_notebook(cells=[new_code_cell(DRAW)])
    execute(notebook, tmp_path, environment={"MPLBACKEND": "Agg"})
    picture, words = notebook.cells[0].outputs
    assert picture.data["image/png"] and picture.metadata["image/png"]["alt"]
    assert "Figure: A line that rises." in words.data["text/html"]
    nbformat.validate(notebook)
