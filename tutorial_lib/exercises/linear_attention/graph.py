"""Big Bird: which block looks at which, and how many layers it takes to hear of all."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import big_bird
from tutorial_lib.from_scratch.big_bird import draw_random_blocks


def patterns(rng):
    for n, window, ends, r in [
        (4, 1, True, 0),
        (5, 3, False, 0),
        (6, 3, False, 1),
        (7, 5, True, 2),
        (6, 1, False, 2),
        (9, 3, True, 1),
    ]:
        drawn = draw_random_blocks(n, r, rng)
        yield dict(n=n, window=window, ends=ends, random_blocks=drawn)
    yield dict(n=2, window=5, ends=True, random_blocks=np.array([[1], [0]]))
    # No block looks back where it is looked at, so rows and columns cannot be exchanged.
    yield dict(n=6, window=3, ends=False, random_blocks=np.array([[3], [4], [5], [1], [2], [2]]))


big_bird_mask = Exercise(
    big_bird.big_bird_mask,
    level=2,
    minutes=15,
    cases=patterns,
    hints=(
        "Three masks, joined by “or”: near, global, random. For the first, how far apart are "
        "block i and block j?",
        "`place = np.arange(n)`; `place[:, None] - place` holds all distances. A list of rows "
        "and columns is set by `mask[[0, -1]] = True` and `mask[:, [0, -1]] = True`.",
        "`np.abs(place[:, None] - place) <= window // 2`, then the ends, then `mask[place[:, "
        "None], random_blocks] = True`: row i gets the columns random_blocks[i].",
    ),
)
_mask = big_bird.big_bird_mask


@big_bird_mask.mistake(
    """Your window reaches as far as it is wide, on each side. It counts the blocks on both sides
    and the block itself: how far does a window of 3 reach?"""
)
def window_on_each_side(n, window, ends, random_blocks):
    return _mask(n, 2 * window + 1, ends, random_blocks)


@big_bird_mask.mistake(
    """Your window wraps around: the first block looks at the last one. What lies beside the first
    block of a text?"""
)
def window_wraps(n, window, ends, random_blocks):
    mask = _mask(n, 1, ends, random_blocks)
    for step in range(-(window // 2), window // 2 + 1):
        mask |= np.roll(np.eye(n, dtype=bool), step, axis=1)
    return mask


@big_bird_mask.mistake(
    """The window looks back only, as in a causal model. Where is the block itself in the task's
    window?"""
)
def window_behind(n, window, ends, random_blocks):
    mask = _mask(n, 1, ends, random_blocks)
    place = np.arange(n)
    apart = place[:, None] - place
    return mask | ((apart >= 0) & (apart < window))


@big_bird_mask.mistake(
    """The global blocks look at all, but nobody looks at them: what they have collected stays
    with them. Which part of the mask says who hears of them?"""
)
def global_rows_alone(n, window, ends, random_blocks):
    mask = _mask(n, window, False, random_blocks)
    if ends:
        mask[[0, -1]] = True
    return mask


@big_bird_mask.mistake(
    """All look at the global blocks, but these see no more than others: they have nothing to
    tell. Which part of the mask says what they look at?"""
)
def global_columns_alone(n, window, ends, random_blocks):
    mask = _mask(n, window, False, random_blocks)
    if ends:
        mask[:, [0, -1]] = True
    return mask


@big_bird_mask.mistake("""Only the first block is global. Which two does the task name?""")
def first_block_alone(n, window, ends, random_blocks):
    mask = _mask(n, window, False, random_blocks)
    if ends:
        mask[0] = mask[:, 0] = True
    return mask


@big_bird_mask.mistake(
    """Random blocks look back in yours: if i looks at j, j looks at i. In the task each block
    draws for itself. Who looks at whom if random_blocks[i] holds j?"""
)
def random_both_ways(n, window, ends, random_blocks):
    mask = _mask(n, window, ends, random_blocks)
    mask[random_blocks, np.arange(n)[:, None]] = True
    return mask


@big_bird_mask.mistake(
    """Rows and columns of the random blocks are exchanged: block random_blocks[i] looks at i.
    Which axis of the mask is the one that looks?"""
)
def random_transposed(n, window, ends, random_blocks):
    mask = _mask(n, window, ends, random_blocks[:, :0])
    mask[random_blocks, np.arange(n)[:, None]] = True
    return mask


@big_bird_mask.mistake(
    """`mask[:, random_blocks] = True` lets every block look at all that anyone has drawn. Block i
    may look at what random_blocks[i] holds: how do you pair each row with its own columns?"""
)
def everyone_looks_at_all_drawn(n, window, ends, random_blocks):
    mask = _mask(n, window, ends, random_blocks[:, :0])
    mask[:, random_blocks.reshape(-1)] = True
    return mask


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
