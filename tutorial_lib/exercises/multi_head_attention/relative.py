"""Positions that change the scores."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import positions as np_positions
from tutorial_lib.from_scratch.positions import frequencies

relative_position_index = Exercise(
    np_positions.relative_position_index,
    level=3,
    minutes=15,
    cases=lambda rng: (
        dict(rows=rows, columns=columns)
        for rows, columns in [(2, 3), (1, 2), (2, 1), (1, 3), (2, 2), (3, 2), (3, 4)]
    ),
    hints=(
        "Start with one dimension: 3 tokens, offsets from −2 to 2. How many entries has the table, "
        "and which entry belongs to offset −2?",
        "`np.divmod(np.arange(rows * columns), columns)` gives row and column of every token; "
        "`y[:, None] - y` is query minus key for all pairs.",
        "Move both offsets so that they start at 0, by rows − 1 and columns − 1; then count line "
        "by line: a line of the table has 2·columns − 1 entries.",
    ),
)


def _offsets(rows, columns):
    y, x = np.divmod(np.arange(rows * columns), columns)
    return y[:, None] - y, x[:, None] - x


@relative_position_index.mistake(
    """Your offsets are key minus query: the table is read backwards, and "the neighbour on the
    right" finds what was learned for the left. Which of the two is subtracted?"""
)
def key_minus_query(rows, columns):
    return np_positions.relative_position_index(rows, columns).T


@relative_position_index.mistake(
    """Your indices can be negative. NumPy and PyTorch then count from the table's end without a
    word. What must be added so that the smallest offset has index 0?"""
)
def negative(rows, columns):
    dy, dx = _offsets(rows, columns)
    return dy * (2 * columns - 1) + dx


@relative_position_index.mistake(
    """This is the short cut that the text warns of, the difference of the patches' numbers: two
    offsets share one number, and negative ones count from the table's end. How long is a line of
    the table, and where does it start?"""
)
def short_cut(rows, columns):
    dy, dx = _offsets(rows, columns)
    return dy * columns + dx


@relative_position_index.mistake(
    """Different offsets share an index: a line of your table has `columns` entries, which is the
    same as taking the difference of the tokens' numbers. The end of one row is then next to the
    start of the following one. How many values can dx take, from the far left to the far right?"""
)
def lines_too_short(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1) * columns + dx + columns - 1


@relative_position_index.mistake(
    """You multiply by 2·rows − 1. As long as the grid is square nobody notices; otherwise offsets
    collide or the index leaves the table. How long is one *line* of the table?"""
)
def counts_lines(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1) * (2 * rows - 1) + dx + columns - 1


@relative_position_index.mistake(
    """Your lines have 2·columns entries, one too many: a gap stands between them, and the last
    index lies beyond the table. How many values can dx take, from the far left to the far right?"""
)
def lines_too_long(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows - 1) * 2 * columns + dx + columns - 1


@relative_position_index.mistake(
    """dx leads and dy follows: the table is read column by column. Which of the two chooses the
    line?"""
)
def column_leads(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dx + columns - 1) * (2 * rows - 1) + dy + rows - 1


@relative_position_index.mistake(
    """You take distances, without a sign: left and right share an entry, and so do above and below.
    How many offsets should a head be able to tell apart?"""
)
def distances(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (np.abs(dy) + rows - 1) * (2 * columns - 1) + np.abs(dx) + columns - 1


@relative_position_index.mistake(
    """You take distances, without a sign, and need no more than rows · columns entries: left and
    right share one, and so do above and below. How many offsets should a head be able to tell
    apart?"""
)
def distances_from_zero(rows, columns):
    dy, dx = _offsets(rows, columns)
    return np.abs(dy) * (2 * columns - 1) + np.abs(dx)


@relative_position_index.mistake(
    """Off by one: you add rows and columns to the offsets, and no pair ever uses entry 0, while the
    last index lies beyond the table. What is the smallest dy in a grid of `rows` rows?"""
)
def off_by_one(rows, columns):
    dy, dx = _offsets(rows, columns)
    return (dy + rows) * (2 * columns - 1) + dx + columns


def queries_and_positions(rng):
    for n, d in [(1, 2), (2, 2), (1, 4), (3, 4), (2, 6)]:
        yield dict(X=rng.normal(size=(n, d)), positions=np.arange(n))
    yield dict(X=np.ones((2, 4)), positions=np.array([5, 2]))
    yield dict(X=rng.normal(size=(2, 3, 4)), positions=np.array([7, 0, 7]))
    yield dict(X=rng.normal(size=(2, 2, 3, 6)), positions=np.array([-1, 1000, 3]))
    yield dict(X=rng.normal(size=(3, 4)).astype(np.float32), positions=np.arange(3))


rotary = Exercise(
    np_positions.rotary,
    level=3,
    minutes=15,
    cases=queries_and_positions,
    hints=(
        "A pair (x_2i, x_2i+1) is a point in the plane. Which matrix turns a point by an angle?",
        "`X[..., 0::2]` and `X[..., 1::2]` are the pairs' first and second halves, (..., N, d/2); "
        "the angles are (N, d/2), so they fit without a loop.",
        "Stack `even * cos - odd * sin` and `even * sin + odd * cos` on a new last axis and "
        "reshape to X's shape. A float64 angle makes everything float64: `.astype(X.dtype)`.",
    ),
)


def _rotate_halves(X, angle):
    """Rotate features i and i + d/2 by angles (N, d/2)."""
    cos, sin = np.cos(angle).astype(X.dtype), np.sin(angle).astype(X.dtype)
    first, second = np.split(X, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def _rotate(X, angle):
    """Rotate features 2i and 2i + 1 by angles (N, d/2)."""
    halves = _rotate_halves(np.concatenate([X[..., 0::2], X[..., 1::2]], axis=-1), angle)
    return np.stack(np.split(halves, 2, axis=-1), axis=-1).reshape(X.shape)


@rotary.mistake(
    """You pair feature i with feature i + d/2. Many language models do, and their weights are
    stored to fit; scores depend on offsets alone in that layout too. The paper, and this task,
    pair neighbours."""
)
def pairs_halves(X, positions):
    return _rotate_halves(X, positions[:, None] * frequencies(X.shape[-1]))


@rotary.mistake(
    """You turn the other way, by −pω. If queries and keys both do, every score is the one of the
    mirrored text, and with published weights nothing fits. Which of the four terms has the
    minus?"""
)
def turns_backwards(X, positions):
    return np_positions.rotary(X, -positions)


@rotary.mistake(
    """You add the sinusoidal encoding instead of turning by it. What a token says and where it
    stands are then mixed in one sum; with a rotation its length stays. What are sine and cosine
    multiplied with in the formula?"""
)
def adds_the_encoding(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    E = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(positions), -1)
    return (X + E).astype(X.dtype)


@rotary.mistake(
    """You use the tokens' places in the array, 0 … N − 1, not the positions given. When a decoder
    writes word by word, the one new token is at place 0 and stands at position 57."""
)
def ignores_positions(X, positions):
    return np_positions.rotary(X, np.arange(len(positions)))


@rotary.mistake(
    """All pairs turn equally fast. After 2π ≈ 6.3 positions everything looks as it did before: what
    tells position 1 from position 45?"""
)
def one_frequency(X, positions):
    angle = np.broadcast_to(positions[:, None], (len(positions), X.shape[-1] // 2))
    return _rotate(X, angle)


@rotary.mistake(
    """The exponent is i/d, half of what it should be: the slowest pair turns too fast. i counts
    pairs; what counts features?"""
)
def exponent_halved(X, positions):
    return _rotate(X, positions[:, None] * frequencies(X.shape[-1]) ** 0.5)


@rotary.mistake(
    """The right numbers, half of them in the wrong place: the first members of all pairs, then the
    second ones. Put each pair back where it came from."""
)
def left_in_halves(X, positions):
    Y = np_positions.rotary(X, positions)
    return np.concatenate([Y[..., 0::2], Y[..., 1::2]], axis=-1)


@rotary.mistake(
    """You overwrite the even features and then use the *new* ones for the odd features. Lengths
    change, and a rotation must keep them. Which values does the second line need?"""
)
def uses_the_new_value(X, positions):
    angle = positions[:, None] * frequencies(X.shape[-1])
    cos, sin = np.cos(angle).astype(X.dtype), np.sin(angle).astype(X.dtype)
    Y = X.copy()
    Y[..., 0::2] = Y[..., 0::2] * cos - Y[..., 1::2] * sin
    Y[..., 1::2] = Y[..., 0::2] * sin + Y[..., 1::2] * cos
    return Y


@rotary.mistake(
    """The numbers are right, but float32 went in and float64 came out: the angles are float64 and
    NumPy promotes what they touch. Where should they be brought to X's dtype?"""
)
def promotes(X, positions):
    return np_positions.rotary(X.astype(np.float64), positions)


@relative_position_index.mistake(
    """Your tokens are numbered column by column. The task numbers them row by row: does token 1
    stand to the right of token 0, or below it?"""
)
def numbers_by_columns(rows, columns):
    x, y = np.divmod(np.arange(rows * columns), rows)
    dy, dx = y[:, None] - y, x[:, None] - x
    return (dy + rows - 1) * (2 * columns - 1) + dx + columns - 1
