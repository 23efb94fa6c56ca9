"""CutMix: a rectangle of another picture, and as much of its label."""

import math

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.deit.cases import partners, pictures


def cutmix(x, y, lam, centre, partner):
    """Every picture gets a rectangle of its partner, and as much of the partner's label.

    x (B, C, H, W) pictures; y (B, K) labels, rows summing to one; lam float in [0, 1]; centre
    (row, column) of the rectangle, one pixel for the whole batch; partner (B,) int
    ->  x (B, C, H, W), y (B, K), new arrays

    Yun et al., CutMix (ICCV 2019, 1905.04899). The rectangle has h = round(√(1 − λ) H) rows and
    w = round(√(1 − λ) W) columns. Its first row is centre[0] − h // 2, its first column
    centre[1] − w // 2; what lies outside the picture is cut off. The label gets the share of the
    pixels that were really pasted. Both results have the dtypes of x and y.
    """
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    rows = slice(max(top, 0), min(top + h, H))
    columns = slice(max(left, 0), min(left + w, W))
    mixed = x.copy()
    mixed[..., rows, columns] = x[partner][..., rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (H * W)
    return mixed, (1 - pasted) * y + pasted * y[partner]


def pictures_to_cut(rng):
    for (B, C, H, W, K), lam, centre in [  # each rim is alone in cutting some rectangle off
        ((2, 1, 2, 3, 2), 0.7, (0, 1)),  # nothing lies outside
        ((2, 1, 4, 2, 2), 0.75, (0, 1)),  # a row above does
        ((3, 1, 2, 4, 3), 0.0, (1, 1)),  # a column on the left
        ((3, 1, 4, 5, 3), 0.5, (2, 2)),
        ((2, 1, 4, 5, 2), 0.55, (2, 4)),  # a column on the right
        ((2, 2, 6, 4, 3), 0.3, (0, 3)),  # rows above and columns on the right
        ((3, 1, 7, 8, 2), 0.6, (6, 4)),  # a row below
        ((2, 1, 3, 3, 2), 1.0, (1, 1)),  # nothing is pasted
    ]:
        case = pictures(rng, B, C, H, W, K)
        yield case | dict(lam=lam, centre=centre, partner=partners(rng, B)["partner"])
    case = {name: a.astype(np.float32) for name, a in pictures(rng, 3, 1, 5, 4, 2).items()}
    yield case | dict(lam=0.4, centre=(4, 0), partner=np.array([2, 2, 0]))


cutmix = Exercise(
    cutmix,
    level=2,
    minutes=15,
    cases=pictures_to_cut,
    hints=(
        "First the sides of the rectangle, then its corners, then cut off what sticks out. Only "
        "then do you know how many pixels come from the partner.",
        "A slice from max(top, 0) to min(top + h, H) is the part that lies inside. Copy x before "
        "you paste, and take the pixels from `x[partner]`, not from the copy.",
        "`pasted = rows inside · columns inside / (H · W)`; the label is (1 − pasted) y + pasted "
        "y[partner].",
    ),
)


def _edges(x, lam, centre, whole=round):
    """Of the rectangle, before it is cut off: top, bottom, left, right."""
    h, w = (whole((1 - lam) ** 0.5 * side) for side in x.shape[-2:])
    top, left = centre[0] - h // 2, centre[1] - w // 2
    return top, top + h, left, left + w


def _inside(x, edges):
    """The two slices of a rectangle that lie inside the picture."""
    H, W = x.shape[-2:]
    top, bottom, left, right = edges
    return slice(max(top, 0), min(bottom, H)), slice(max(left, 0), min(right, W))


def _mixed(x, y, partner, rows, columns, share=None, source=None):
    """A rectangle of every picture's partner, and the label by its area or by another share."""
    mixed = x.copy()
    mixed[..., rows, columns] = (x[partner] if source is None else source)[..., rows, columns]
    H, W = x.shape[-2:]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (H * W)
    pasted = pasted if share is None else share
    return mixed, (1 - pasted) * y + pasted * y[partner]


def _cut(x, y, lam, centre, partner, whole=round, **changed):
    """CutMix with one of its steps changed."""
    rows, columns = _inside(x, _edges(x, lam, centre, whole))
    return _mixed(x, y, partner, rows, columns, **changed)


@cutmix.mistake(
    """The label is mixed by λ, that of before the cut. At the rim half of the rectangle may lie
    outside: what share of the picture does the partner really have?"""
)
def share_before_the_cut(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, share=1 - lam)


@cutmix.mistake(
    """The picture is right; the label counts all h · w pixels of the rectangle, those outside too.
    What is left of it once the rims have cut it off?"""
)
def area_before_clipping(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    area = (bottom - top) * (right - left) / (x.shape[-2] * x.shape[-1])
    return _cut(x, y, lam, centre, partner, share=area)


@cutmix.mistake(
    """The sides are (1 − λ) H and (1 − λ) W. The *area* should be 1 − λ of the picture: how long
    is the side of a square of area one quarter?"""
)
def sides_without_the_root(x, y, lam, centre, partner):
    return _cut(x, y, 1 - (1 - lam) ** 2, centre, partner)


@cutmix.mistake(
    """Your sides are √λ H and √λ W: as large as what should *stay*. What share does λ name?"""
)
def sides_of_what_stays(x, y, lam, centre, partner):
    return _cut(x, y, 1 - lam, centre, partner)


@cutmix.mistake(
    """Your sides are cut down to whole pixels (`int`), as in the authors' code. How does the task
    make a whole number of √(1 − λ) H?"""
)
def sides_cut_down(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, whole=int)


@cutmix.mistake(
    """Your sides are rounded up to whole pixels. How does the task make a whole number of
    √(1 − λ) H?"""
)
def sides_rounded_up(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, whole=math.ceil)


@cutmix.mistake(
    """From centre − h // 2 to centre + h // 2: if h is odd, a row is missing. (The authors' code
    does that.) Here the rectangle has h rows, the first of which is centre[0] − h // 2."""
)
def odd_sides_lose_a_row(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, whole=lambda side: round(side) // 2 * 2)


@cutmix.mistake(
    """The label has the shares exchanged: the partner gets what it did *not* paste. Whose pixels
    are inside the rectangle?"""
)
def shares_of_the_label_exchanged(x, y, lam, centre, partner):
    mixed, label = _cut(x, y, lam, centre, partner)
    return mixed, y + y[partner] - label


@cutmix.mistake(
    """The labels are not mixed. Part of the picture shows something else, and the label should say
    so."""
)
def labels_of_before(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner)[0], y.copy()


@cutmix.mistake(
    """The rectangle is filled with zeros. That is Cutout, or random erasing without noise; in
    CutMix the hole holds the partner's pixels."""
)
def filled_with_zeros(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, source=np.zeros_like(x))


@cutmix.mistake(
    """Inside and outside are exchanged: the picture keeps the rectangle and gets the partner
    around it, while the label says the opposite."""
)
def inside_out(x, y, lam, centre, partner):
    label = _cut(x, y, lam, centre, partner)[1]
    return _cut(x[partner], y, lam, centre, partner, source=x)[0], label


@cutmix.mistake(
    """A picture gets a piece of a partner that was pasted over already: you read from the array
    that you write to. Where are the partners as they were?"""
)
def partners_already_pasted(x, y, lam, centre, partner):
    mixed, label = x.copy(), _cut(x, y, lam, centre, partner)[1]
    rows, columns = _inside(x, _edges(x, lam, centre))
    for b in range(len(x)):  # in the order of the batch
        mixed[b][:, rows, columns] = mixed[partner[b]][:, rows, columns]
    return mixed, label


@cutmix.mistake(
    """You begin at `centre` instead of half a side before it: the given pixel is a corner of your
    rectangle and not its middle."""
)
def from_the_corner(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    middle = centre[0] + (bottom - top) // 2, centre[1] + (right - left) // 2
    return _cut(x, y, lam, middle, partner)


@cutmix.mistake(
    """The sides are exchanged: your rectangle has √(1 − λ) W rows and √(1 − λ) H columns, and that
    of a picture that is not square lies on its side. Which of x's last two axes counts the rows?"""
)
def sides_exchanged(x, y, lam, centre, partner):
    return _mixed(x, y, partner, *_inside(x.mT, _edges(x.mT, lam, centre)))


@cutmix.mistake(
    """You take `centre` for (column, row), or, which comes to the same, x for (B, C, W, H).
    Pictures are indexed by the row first: which of centre's two numbers must be less than H?"""
)
def centre_exchanged(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre[::-1], partner)


@cutmix.mistake(
    """Your slices are right, and each is in the other's place: the rectangle's rows are cut out of
    the columns. Of x's last two axes, which comes first?"""
)
def slices_exchanged(x, y, lam, centre, partner):
    rows, columns = _inside(x, _edges(x, lam, centre))
    return _mixed(x, y, partner, columns, rows)


@cutmix.mistake(
    """The rectangle is not cut off at the rim, it comes in again on the other side (a modulo, or
    negative indices, which count from the end). What lies outside is lost."""
)
def round_the_corner(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    top, bottom, left, right = _edges(x, lam, centre)
    place = ..., np.arange(top, bottom)[:, None] % H, np.arange(left, right) % W
    mixed = x.copy()
    mixed[place] = x[partner][place]
    pasted = (bottom - top) * (right - left) / (H * W)
    return mixed, (1 - pasted) * y + pasted * y[partner]


@cutmix.mistake(
    """At the upper or left rim nothing is pasted: `top` is negative there, and a slice that begins
    at −2 begins two before the *end*. Where does the part that lies inside begin?"""
)
def negative_begin(x, y, lam, centre, partner):
    top, _, left, _ = _edges(x, lam, centre)
    rows, columns = _inside(x, _edges(x, lam, centre))
    return _mixed(x, y, partner, slice(top, rows.stop), slice(left, columns.stop))


@cutmix.mistake(
    """At the lower or the right rim the label counts rows or columns that do not exist. NumPy
    forgives a slice that ends outside and pastes less. How many pixels did it paste?"""
)
def end_not_clipped(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    return _mixed(x, y, partner, slice(max(top, 0), bottom), slice(max(left, 0), right))


@cutmix.mistake(
    """No rim cuts your rectangle off. NumPy forgives a slice that ends outside and pastes less,
    which the label does not know; one that begins at −2 begins two before the *end*. Which of the
    rectangle's rows and columns exist?"""
)
def never_clipped(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    return _mixed(x, y, partner, slice(top, bottom), slice(left, right))


@cutmix.mistake(
    """Your rectangle is too large at the upper or left rim: you count its end from where it was cut
    off. From which row does the task count its h rows?"""
)
def end_counted_from_the_rim(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    edges = max(top, 0), max(top, 0) + bottom - top, max(left, 0), max(left, 0) + right - left
    return _mixed(x, y, partner, *_inside(x, edges))


@cutmix.mistake(
    """At the upper or the left rim your slice is empty, and the picture stays as it was: a slice
    that begins at −2 begins two before the *end*. Where does the part that lies inside begin?"""
)
def empty_slice(x, y, lam, centre, partner):
    top, bottom, left, right = _edges(x, lam, centre)
    inside = np.zeros(x.shape[-2:], dtype=bool)
    inside[top:bottom, left:right] = True
    pasted = float(inside.mean())
    return np.where(inside, x[partner], x), (1 - pasted) * y + pasted * y[partner]
