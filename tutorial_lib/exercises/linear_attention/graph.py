"""How many layers it takes until every block has heard of every other one."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import big_bird
from tutorial_lib.from_scratch.big_bird import draw_random_blocks

_mask = big_bird.big_bird_mask


def masks(rng):
    yield dict(mask=_mask(4, 3, False, np.empty((4, 0), int)))
    one_way = np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool)  # each looks at the next
    yield dict(mask=one_way | np.eye(4, k=-3, dtype=bool))  # and the last at the first: a ring
    yield dict(mask=one_way)  # nobody hears of what is before it
    yield dict(mask=np.ones((3, 3), dtype=bool))
    yield dict(mask=np.ones((1, 1), dtype=bool))
    yield dict(mask=np.eye(3, dtype=bool))
    for n, window, ends, r in [
        (9, 3, False, 0),
        (8, 3, True, 0),
        (12, 3, False, 1),
        (9, 5, False, 0),
    ]:
        yield dict(mask=_mask(n, window, ends, draw_random_blocks(n, r, rng)))


diameter = Exercise(
    big_bird.diameter,
    level=3,
    minutes=15,
    cases=masks,
    hints=(
        "Keep a table: what has block i heard of so far? Before the first layer everyone knows "
        "only themselves. How does one layer change the table?",
        "In a layer, i hears all that the blocks it looks at knew before: `mask @ known`, a "
        "product of bools, is True where some block in between makes it so.",
        "`known = np.eye(n, dtype=bool)`; while not `known.all()`: take `mask @ known`; if "
        "nothing has changed, nothing ever will, and the answer is np.inf; otherwise count one "
        "layer.",
    ),
)


def _rounds(mask, layer=None, begin=None):
    """The reference with another layer, or another beginning."""
    layer = layer or (lambda known: mask @ known)
    known, layers = np.eye(len(mask), dtype=bool) if begin is None else begin, 0
    while not known.all():
        more = layer(known)
        if (more == known).all():
            return np.inf
        known, layers = more, layers + 1
    return layers


@diameter.mistake(
    """You let every edge be used both ways. A block that is looked at hears nothing of those who
    look at it. Which way does a message travel?"""
)
def both_ways(mask):
    return _rounds(mask | mask.T)


@diameter.mistake(
    """You count one layer less: as if before the first one everyone knew their neighbours. What
    does a block know before any layer?"""
)
def begins_with_neighbours(mask):
    return _rounds(mask, begin=mask)


@diameter.mistake(
    """You multiply what is known with itself, which doubles the length of all ways at each step.
    How far does one layer carry a message?"""
)
def doubles_the_ways(mask):
    begin = np.eye(len(mask), dtype=bool)
    return _rounds(mask, lambda known: mask if (known == begin).all() else known @ known)


@diameter.mistake(
    """You follow one block alone, the first. The diameter is the longest of all ways, from any
    block to any other."""
)
def what_the_first_hears(mask):
    known, layers = np.eye(len(mask), dtype=bool)[0], 0
    while not known.all():
        more = mask[known].any(axis=0)
        if (more == known).all():
            return np.inf
        known, layers = more, layers + 1
    return layers


@diameter.mistake(
    """You count how long the word of the first block takes to reach all. The diameter is the
    longest of all ways, from any block to any other."""
)
def who_hears_of_the_first(mask):
    return what_the_first_hears(mask.T)


@diameter.mistake(
    """You count one layer too many: before the first one everyone knows themselves, and that took
    none. How many layers does a single block need?"""
)
def counts_from_one(mask):
    return _rounds(mask) + 1


@diameter.mistake(
    """You leave out the pairs between which there is no way, and return the longest of the others.
    How many layers does it take until they have heard of each other?"""
)
def leaves_out_where_there_is_no_way(mask):
    layers, known = 0, np.eye(len(mask), dtype=bool)
    while ((more := mask @ known) != known).any():
        layers, known = layers + 1, more
    return layers


@diameter.mistake(
    """Where some block never hears of another you return −1, which is less than any number of
    layers. What does the task return?"""
)
def minus_one_where_there_is_no_way(mask):
    layers = _rounds(mask)
    return -1 if layers == np.inf else layers


@diameter.mistake(
    """You return the layers until some block has heard of all, the smallest of the longest
    ways (the radius). The question is when the last one has."""
)
def the_radius(mask):
    known, layers = np.eye(len(mask), dtype=bool), 0
    while not known.all(axis=1).any():
        more = mask @ known
        if (more == known).all():
            return np.inf
        known, layers = more, layers + 1
    return layers


@diameter.mistake(
    """Where some block never hears of another you return the number of blocks, as if it took that
    many layers. What does the task return?"""
)
def a_number_where_there_is_no_way(mask):
    layers = _rounds(mask)
    return len(mask) if layers == np.inf else layers


@diameter.mistake(
    """You return the mean of all shortest ways. How many layers does it take until the last block
    has heard of all?"""
)
def the_mean_of_all_ways(mask):
    n, layers = len(mask), _rounds(mask)
    if layers == np.inf:
        return np.inf
    return sum(int((~big_bird.heard(mask, step)).sum()) for step in range(layers)) / n**2
