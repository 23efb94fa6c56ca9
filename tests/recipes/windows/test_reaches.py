"""Who hears whom in eight systems and a ViT: layers counted, and drawn as they are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tutorial_lib.exercises.windows.hearing import layers_until_all_hear
from tutorial_lib.recipes.windows import reaches
from tutorial_lib.recipes.windows.reaches import SIDE, SYSTEMS, WINDOW, all_heard, heard

LAYERS = {"ViT": 1, "TNT": 1, "RegionViT": 1, "Swin": 7} | dict.fromkeys(
    ("Twins-SVT", "CAT", "CSWin", "Shuffle", "MSG"), 2
)
SOME = slice(
    0, SIDE, 4
)  # rows and columns 0, 4, 8, 12, 16: of every window, at places of all kinds


def test_all_systems_are_there():
    assert SYSTEMS.keys() == LAYERS.keys()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_token_hears_every_other_after_so_many_layers_and_not_before(name):
    assert all_heard(name, LAYERS[name], SOME, SOME).all()
    if LAYERS[name] > 1:
        assert not all_heard(name, LAYERS[name] - 1, SOME, SOME).all()
    assert reaches.layers_of(name, 0, 0) == LAYERS[name]


def test_the_count_of_a_row_is_that_of_the_map():
    place = np.arange(SIDE)
    moved = [(place - shift) // WINDOW for shift in (0, WINDOW // 2)]
    swin = [window[:, None] == window for window in moved]
    assert layers_until_all_hear.reference(swin) == LAYERS["Swin"]


@pytest.mark.parametrize("name", ["Twins-SVT", "CAT", "Swin", "MSG"])
def test_one_layer_hears_its_window(name):
    window = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    window[5:10, 10:15] = True
    assert heard(name, 1, 7, 12).equal(window)


def test_cswin_hears_its_cross_and_shuffle_what_the_connection_brings():
    cross = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    cross[6], cross[:, 13] = True, True
    assert heard("CSWin", 1, 6, 13).equal(cross)
    four = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    four[:10, 10:] = True
    assert heard("Shuffle", 1, 6, 13).equal(four)


def test_the_figure_has_a_map_for_each_system_and_depth():
    figure = reaches.figure(6, 13, depths=(1, 2))
    assert [ax.get_title() for ax in figure.axes[: len(SYSTEMS)]] == list(SYSTEMS)
    swin = list(SYSTEMS).index("Swin")
    shown = [figure.axes[i].images[0].get_array() for i in (swin, len(SYSTEMS) + swin)]
    assert [(grid == 2).sum() for grid in shown] == [25, 75] and (shown[1] == 1).sum() == 25
    plt.close(figure)
