"""Positions that are added to the tokens."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import positions as np_positions
from tutorial_lib.from_scratch.positions import frequencies

sinusoidal = Exercise(
    np_positions.sinusoidal,
    level=2,
    minutes=10,
    cases=lambda rng: (
        dict(n=n, d=d) for n, d in [(3, 4), (1, 2), (2, 2), (1, 4), (4, 6), (2, 10), (50, 8)]
    ),
    hints=(
        "All angles at once are a table: position down, frequency across. How many frequencies are "
        "there for d features?",
        "`np.arange(0, d, 2)` is 2i for every i, and `angle = positions[:, None] * omega` is "
        "(n, d/2). Each angle gives two features.",
        "Stack sine and cosine on a new last axis, (n, d/2, 2), and reshape to (n, d): then they "
        "alternate.",
    ),
)


def _sinusoidal(n, d, *, first=0, base=10000.0, exponent=None):
    """`sinusoidal` with other positions or frequencies."""
    i = np.arange(d // 2)
    angle = (first + np.arange(n))[:, None] * base ** -(2 * i / d if exponent is None else exponent)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


@sinusoidal.mistake(
    """All sines first, then all cosines. Many libraries store them so, and as long as everybody
    does the same nothing is lost; the paper's formula alternates. Which feature follows
    sin(pω_0)?"""
)
def in_halves(n, d):
    E = np_positions.sinusoidal(n, d)
    return np.concatenate([E[:, 0::2], E[:, 1::2]], axis=-1)


@sinusoidal.mistake(
    """Every feature has a frequency of its own: the odd ones use (2i + 1)/d where the formula says
    2i/d. A sine and its cosine must turn together; otherwise no matrix shifts them by k
    positions. Which features share an i?"""
)
def frequency_for_each_feature(n, d):
    angle = np.arange(n)[:, None] * 10000.0 ** (-np.arange(d) / d)
    return np.where(np.arange(d) % 2 == 0, np.sin(angle), np.cos(angle))


@sinusoidal.mistake(
    """The exponent is i/d, half of what it should be: the slowest features turn far too fast, up to
    100 times, and positions repeat early. i counts pairs; what counts features?"""
)
def exponent_halved(n, d):
    return _sinusoidal(n, d, exponent=np.arange(d // 2) / d)


@sinusoidal.mistake(
    """All pairs turn equally fast: your exponent is 0 for every i (`//` rounds 2i/d down), and
    after 2π ≈ 6.3 positions everything looks as before. Which pair should turn slowest?"""
)
def exponent_rounded_down(n, d):
    return _sinusoidal(n, d, exponent=np.zeros(d // 2))


@sinusoidal.mistake(
    """You multiply by 10000^(2i/d) instead of dividing. The later features then jump about from one
    position to the next; they should move ever more slowly."""
)
def too_fast(n, d):
    return _sinusoidal(n, d, exponent=-2 * np.arange(d // 2) / d)


@sinusoidal.mistake(
    """Cosine comes first. Position 0 should begin with sin 0 = 0: which of the two has the even
    features?"""
)
def cosine_first(n, d):
    return np_positions.sinusoidal(n, d).reshape(n, -1, 2)[..., ::-1].reshape(n, d)


@sinusoidal.mistake("""You count positions from 1. What should the first token's sines be?""")
def from_one(n, d):
    return _sinusoidal(n, d, first=1)


@sinusoidal.mistake(
    """The exponent is 4i/d, twice what it should be: the last features turn up to 10000 times too
    slowly and look the same everywhere. `np.arange(0, d, 2)` is 2i already; is it doubled again, or
    divided by d/2?"""
)
def exponent_doubled(n, d):
    return _sinusoidal(n, d, exponent=4 * np.arange(d // 2) / d)


shift_matrix = Exercise(
    np_positions.shift_matrix,
    level=3,
    minutes=15,
    cases=lambda rng: (
        dict(k=k, d=d) for k, d in [(0, 2), (1, 2), (-1, 2), (1, 4), (3, 6), (-2, 4), (100, 8)]
    ),
    hints=(
        "sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b − sin a sin b. Here "
        "a is pω_i and b is kω_i.",
        "For one pair the block is 2 × 2 and knows only kω_i. Which of cos(kω_i), sin(kω_i), "
        "−sin(kω_i) stands where, if the column (sin, cos) goes in and comes out?",
        "The row of sin(a + b) is (cos b, sin b), that of cos(a + b) is (−sin b, cos b). Fill the "
        "blocks with index arrays: `T[sine, sine + 1] = np.sin(angle)`, sine = 0, 2, 4, ….",
    ),
)


def _blocks(angle, a, b, c, d):
    """The block-diagonal matrix of [[a, b], [c, d]], each a function of the angle."""
    sine = np.arange(0, 2 * len(angle), 2)
    T = np.zeros((2 * len(angle), 2 * len(angle)))
    T[sine, sine], T[sine, sine + 1] = a(angle), b(angle)
    T[sine + 1, sine], T[sine + 1, sine + 1] = c(angle), d(angle)
    return T


def _minus_sin(angle):
    return -np.sin(angle)


@shift_matrix.mistake(
    """Your matrix shifts by −k: the minus stands at the other sine, as in the textbook's rotation
    of (x, y). But a pair here is (sin, cos), in this order. Try k = 1 on the encoding of
    position 0."""
)
def shifts_back(k, d):
    return np_positions.shift_matrix(-k, d)


@shift_matrix.mistake(
    """Both sines are positive, so the blocks are no rotations and lengths change. What is
    cos(a + b)? Its second term has a sign."""
)
def both_positive(k, d):
    return _blocks(k * frequencies(d), np.cos, np.sin, np.sin, np.cos)


@shift_matrix.mistake(
    """All blocks turn by the same angle k. Each pair has a frequency: how far does pair i turn in k
    steps?"""
)
def one_frequency(k, d):
    return _blocks(np.full(d // 2, float(k)), np.cos, np.sin, _minus_sin, np.cos)


@shift_matrix.mistake(
    """The exponent is i/d, half of what it should be, so your blocks turn too fast for the
    encoding. i counts pairs; what counts features?"""
)
def exponent_of_the_shift_halved(k, d):
    return _blocks(k * frequencies(d) ** 0.5, np.cos, np.sin, _minus_sin, np.cos)


@shift_matrix.mistake(
    """Sine and cosine have changed places in the blocks. For k = 0 nothing should move: is your
    matrix then the identity?"""
)
def sine_on_the_diagonal(k, d):
    return _blocks(k * frequencies(d), np.sin, np.cos, np.cos, _minus_sin)


@shift_matrix.mistake(
    """Your blocks are those of an encoding with all sines first and all cosines after: entry i
    meets entry i + d/2. Here feature 2i and feature 2i + 1 belong together."""
)
def blocks_of_halves(k, d):
    pair = np.arange(d).reshape(-1, 2).T.ravel()  # 0, 2, 4, … then 1, 3, 5, …
    return np_positions.shift_matrix(k, d)[np.ix_(pair, pair)]


@shift_matrix.mistake("This shifts by one position, whatever k is. Where does k enter the angle?")
def always_one(k, d):
    return np_positions.shift_matrix(1, d)


sinusoidal_2d = Exercise(
    np_positions.sinusoidal_2d,
    level=2,
    minutes=10,
    cases=lambda rng: (
        dict(rows=rows, columns=columns, d=d)
        for rows, columns, d in [
            (2, 3, 4),
            (1, 2, 4),
            (2, 1, 4),
            (2, 2, 8),
            (3, 2, 4),
            (4, 3, 12),
        ]
    ),
    hints=(
        "Write down (row, column) of all six tokens of a 2 × 3 grid, row by row. Which of the two "
        "numbers repeats, and which starts anew?",
        "`np.repeat(E, columns, axis=0)` says each row of E `columns` times in a row; `np.tile` "
        "says the whole of E again.",
        "Repeat sinusoidal(rows, d // 2), tile sinusoidal(columns, d // 2), concatenate along the "
        "last axis.",
    ),
)


@sinusoidal_2d.mistake(
    """The column comes first and the row second. Which half does the task give to the row?"""
)
def column_first(rows, columns, d):
    E = np_positions.sinusoidal_2d(rows, columns, d)
    return np.concatenate([E[:, d // 2 :], E[:, : d // 2]], axis=-1)


@sinusoidal_2d.mistake(
    """You number the tokens column by column. An image is read row by row: which token comes after
    the one at row 0, column 0?"""
)
def column_by_column(rows, columns, d):
    E = np_positions.sinusoidal_2d(rows, columns, d).reshape(rows, columns, d)
    return E.swapaxes(0, 1).reshape(-1, d)


@sinusoidal_2d.mistake(
    """You number the tokens through and encode that one number. Tokens one above the other are then
    as far apart as the row is long, and the grid's shape is lost. Which two numbers say where a
    token stands?"""
)
def numbered_through(rows, columns, d):
    return np_positions.sinusoidal(rows * columns, d)


@sinusoidal_2d.mistake(
    """You add an encoding of the row and one of the column, both of all d features. Row 1, column 2
    and row 2, column 1 then look the same. How can the two be kept apart?"""
)
def added(rows, columns, d):
    row, column = (np_positions.sinusoidal(n, d) for n in (rows, columns))
    return (row[:, None] + column).reshape(-1, d)


@sinusoidal_2d.mistake(
    """The frequencies run through all d features: rows have the fast ones and columns the slow
    ones, so a step to the right is hardly seen. Each half is an encoding of its own, of how many
    features?"""
)
def one_range_of_frequencies(rows, columns, d):
    row, column = (np_positions.sinusoidal(n, d) for n in (rows, columns))
    return np.concatenate(
        [np.repeat(row[:, : d // 2], columns, axis=0), np.tile(column[:, d // 2 :], (rows, 1))], -1
    )


@sinusoidal_2d.mistake(
    """The grid is still a grid, (rows, columns, d). Attention wants a list of tokens: which two
    axes become one?"""
)
def still_a_grid(rows, columns, d):
    return np_positions.sinusoidal_2d(rows, columns, d).reshape(rows, columns, d)
