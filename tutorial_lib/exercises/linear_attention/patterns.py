"""Big Bird: which block looks at which."""

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


@big_bird_mask.mistake(
    """The outermost blocks of the window are missing on both sides. A window of 3 holds the block
    and one on each side: may the distance be window // 2 itself?"""
)
def window_too_narrow(n, window, ends, random_blocks):
    return _mask(n, window - 2, ends, random_blocks)


@big_bird_mask.mistake(
    """The window reaches one block less after the block than before it. Does a slice or a range
    hold its own end?"""
)
def end_of_the_slice(n, window, ends, random_blocks):
    mask, half = _mask(n, -1, ends, random_blocks), window // 2
    for i in range(n):
        mask[i, max(0, i - half) : i + half] = True
    return mask


@big_bird_mask.mistake(
    """At the beginning the window wraps around: a column of −1 is the last one to NumPy. At the
    end you have seen to it. Which numbers of i − window // 2 … are no blocks?"""
)
def negative_columns(n, window, ends, random_blocks):
    mask = _mask(n, window, ends, random_blocks)
    for i in range(window // 2):
        mask[i, i - window // 2 :] = True
    return mask


@big_bird_mask.mistake(
    """The first and the last block are global in yours whatever `ends` says. Where do you ask for
    it?"""
)
def always_global(n, window, ends, random_blocks):
    return _mask(n, window, True, random_blocks)
