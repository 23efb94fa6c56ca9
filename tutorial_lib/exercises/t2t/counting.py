"""How many windows fit into an image."""

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import soft_split as np_soft_split

SPLITS = [(2, 2, 2, 2, 0), (2, 3, 1, 1, 0), (3, 4, 2, 1, 0), (4, 6, 3, 2, 1), (5, 4, 3, 1, 2)]
SPLITS += [(8, 5, 4, 3, 2), (1, 5, 3, 2, 1), (3, 8, 2, 3, 0)]  # height, width, k, s, p
MORE = [(224, 224, 7, 4, 2), (56, 56, 3, 2, 1), (2, 4, 3, 2, 1)]
TOO_SMALL = [(2, 9, 5, 2, 1), (9, 2, 5, 1, 1), (2, 5, 3, 1, 0)]


def image_sizes(rng):
    names = ("height", "width", "k", "s", "p")
    for sizes in [*SPLITS, *MORE, *TOO_SMALL]:
        yield dict(zip(names, sizes))


token_count = Exercise(
    np_soft_split.token_count,
    level=1,
    minutes=6,
    cases=image_sizes,
    hints=(
        "In one dimension: the first window begins at −p, and its last pixel must not lie beyond "
        "the padding at the other end. How far may its beginning move?",
        "It may move height + 2p − k pixels, in steps of s. How many steps are whole, and how many "
        "windows do that many steps make?",
        "`(height + 2 * p - k) // s` whole steps, and one window more than steps; the same with "
        "the width. Before it, `raise ValueError(...)` if the smaller side + 2p is less than k.",
    ),
)


def _count(height, width, rows_of):
    if min(rows_of(height), rows_of(width)) < 1:
        raise ValueError
    return rows_of(height), rows_of(width)


@token_count.mistake(
    """One window too few each way: you count the steps and not the windows. With no step at all,
    how many windows are there?"""
)
def counts_steps(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + 2 * p - k) // s, (width + 2 * p - k) // s


@token_count.mistake(
    """You add the one before you divide: (h + 2p − k + 1) // s. Right for a stride of 1. Is it a
    pixel that is missing, or a window?"""
)
def adds_one_before_dividing(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + 2 * p - k + 1) // s, (width + 2 * p - k + 1) // s


@token_count.mistake(
    """The last window of yours hangs over by a pixel: you take k − 1 off where a window is k pixels
    long. From beginning to beginning, how many pixels are there for steps?"""
)
def one_pixel_too_many(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + 2 * p - k + 1) // s + 1, (width + 2 * p - k + 1) // s + 1


@token_count.mistake(
    """The padding is counted once. There are p pixels of zeros on each side of the image: how many
    at both ends together?"""
)
def pads_one_side(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + p - k) // s + 1, (width + p - k) // s + 1


@token_count.mistake(
    """You step by k − s. In the paper s is the overlap, and then that is the step; here s is the
    step itself. Read the docstring's line about s again: what would s = k mean?"""
)
def takes_s_for_the_overlap(height, width, k, s, p):
    return _count(height, width, lambda side: (side + 2 * p - k) // (k - s) + 1)


@token_count.mistake(
    """You forget the padding: the windows at the border are missing. A window may hang over the
    image by p pixels. How large is the padded image?"""
)
def forgets_the_padding(height, width, k, s, p):
    return _count(height, width, lambda side: (side - k) // s + 1)


@token_count.mistake(
    """You round up. Your last window then hangs over the padding, where there is no pixel. What
    should happen to the pixels that are left over?"""
)
def rounds_up(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return -((k - height - 2 * p) // s) + 1, -((k - width - 2 * p) // s) + 1


@token_count.mistake(
    """You divide the image by the stride. That is right for a hard split, where a window begins
    with every stride. Which beginnings leave too little room for a whole window?"""
)
def divides_by_the_stride(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + 2 * p) // s, (width + 2 * p) // s


@token_count.mistake(
    """You divide the padded image by k: windows side by side, as in a hard split. How far is it
    from one window to the next?"""
)
def divides_by_the_window(height, width, k, s, p):
    if min(height, width) + 2 * p < k:
        raise ValueError
    return (height + 2 * p) // k, (width + 2 * p) // k


@token_count.mistake(
    """Your error comes too early: you compare the window with the image as it is. A window may hang
    over the border by p pixels. With what should its side be compared?"""
)
def checks_before_padding(height, width, k, s, p):
    if min(height, width) < k:
        raise ValueError
    return np_soft_split.token_count(height, width, k, s, p)


@token_count.mistake(
    """Your error comes too early: you count the padding once. There are p pixels of zeros on each
    side of the image. With what should the window's side be compared?"""
)
def checks_with_one_padding(height, width, k, s, p):
    if min(height, width) + p < k:
        raise ValueError
    return np_soft_split.token_count(height, width, k, s, p)


@token_count.mistake(
    """You look at the height alone. An image can be tall enough for a window and too narrow for it;
    then your count of columns is zero or less. Which side decides whether a window fits?"""
)
def checks_the_height_only(height, width, k, s, p):
    if height + 2 * p < k:
        raise ValueError
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@token_count.mistake(
    """You look at the width alone. An image can be wide enough for a window and too low for it;
    then your count of rows is zero or less. Which side decides whether a window fits?"""
)
def checks_the_width_only(height, width, k, s, p):
    if width + 2 * p < k:
        raise ValueError
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@token_count.mistake(
    """A window larger than the padded image gives no error but a number, here zero or less. Such a
    split fails much later, with an empty tensor. What should the function say, and when?"""
)
def lets_an_image_be_too_small(height, width, k, s, p):
    return (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


@token_count.mistake(
    """Rows and columns are swapped. Rows lie one below the other: does their number follow from
    the height or from the width?"""
)
def columns_first(height, width, k, s, p):
    return np_soft_split.token_count(width, height, k, s, p)


@token_count.mistake(
    """You return how many windows there are in all. Asked are their rows and their columns, which
    say more: can you tell them from the product?"""
)
def windows_in_all(height, width, k, s, p):
    rows, columns = np_soft_split.token_count(height, width, k, s, p)
    return rows * columns
