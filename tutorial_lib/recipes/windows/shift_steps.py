"""The cyclic shift and its mask as a picture that one can step through. Taught in chapter 08.

Liu et al., Swin Transformer (ICCV 2021, 2103.14030), figure 4. Whom a token may hear is taken from
the library's windows and mask, not drawn by hand.
"""

import numpy as np

from tutorial_lib.from_scratch.windows import shift_mask, window_partition
from tutorial_lib.notebook.grid_steps import Step, grid_steps


def whom(order, window, mask=None):
    """Whom each token hears in whole windows of a grid that holds the tokens `order` (side, side):
    bool (N, N); mask as `shift_mask` gives it."""
    N = order.size
    windows = window_partition(order[None, :, :, None], window, window)[0, :, :, 0]  # (n, window²)
    heard = np.zeros((N, N), bool)
    for number, tokens in enumerate(windows):
        heard[np.ix_(tokens, tokens)] = True if mask is None else mask[number]
    return heard


def shift_steps(side=8, window=4, shift=2, asked=63):
    """The steps from windows that stay to windows that have moved, and back: HTML."""
    order = np.arange(side * side).reshape(side, side)
    rolled = np.roll(order, (-shift, -shift), (0, 1))
    stay, gone = np.arange(side * side), np.argsort(rolled.ravel())  # place of each token
    part = (np.arange(side) + window - shift) // window  # which moved window, along one axis
    groups = (3 * part[:, None] + part).ravel()
    uneven = groups[:, None] == groups
    borders = [0, *range(shift, side, window), side]
    pieces = [
        (top, left, bottom - top, right - left)
        for top, bottom in zip(borders, borders[1:])
        for left, right in zip(borders, borders[1:])
    ]
    whole = [
        (row, column, window, window)
        for row in range(0, side, window)
        for column in range(0, side, window)
    ]
    mask = shift_mask(side, side, window, shift)
    steps = [
        Step(
            "A block that stays: four whole windows. The outlined token hears its own window and "
            "nothing else, however many such blocks follow.",
            stay, whole, whom(order, window),
        ),
        Step(
            "The next block wants windows moved down and to the right by half a window. The border "
            "cuts them: nine pieces of four sizes, A to I. Each piece attends by itself.",
            stay, pieces, uneven,
        ),
        Step(
            "Nine pieces of four sizes make no batch. So roll the grid up and to the left: what "
            "goes over an edge comes round at the other one.",
            gone, [], uneven,
        ),
        Step(
            "Cut it into four whole windows again. The first is E, all of it; the last holds four "
            "pieces from the four corners of the image. Without a mask they would hear each other.",
            gone, whole, whom(rolled, window),
        ),
        Step(
            "With the mask a token hears its own letter only. Four windows were computed, and nine "
            "have attended.",
            gone, whole, whom(rolled, window, mask),
        ),
        Step(
            "Roll back. Every token is at home and has heard just its piece of step 2.",
            stay, pieces, whom(rolled, window, mask),
        ),
    ]  # fmt: skip
    return grid_steps(side, groups, steps, "Windows that move, by a roll and a mask", asked=asked)
