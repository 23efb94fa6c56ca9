"""CutMix: a rectangle of another picture, and as much of its label."""

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
    for (B, C, H, W, K), lam, centre in [
        ((1, 1, 1, 1, 1), 0.0, (0, 0)),
        ((2, 1, 2, 2, 2), 0.7, (0, 0)),
        ((2, 1, 4, 2, 2), 0.75, (0, 1)),
        ((3, 1, 4, 5, 3), 0.5, (2, 2)),
        ((2, 2, 6, 4, 3), 0.3, (0, 3)),
        ((3, 1, 8, 8, 2), 0.6, (7, 4)),
        ((2, 1, 3, 3, 2), 1.0, (1, 1)),
    ]:
        case = pictures(rng, B, C, H, W, K)
        yield case | dict(lam=lam, centre=centre, partner=partners(rng, B)["partner"])
    case = {name: a.astype(np.float32) for name, a in pictures(rng, 3, 1, 5, 4, 2).items()}
    yield case | dict(lam=0.4, centre=(4, 0), partner=np.array([2, 0, 1]))


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


def _cut(x, y, lam, centre, partner, share=None, power=0.5, clip=True, source=None):
    """CutMix with one of its steps changed; `share` gets λ and what was pasted."""
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** power * H), round((1 - lam) ** power * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    if clip:
        rows, columns = np.r_[max(top, 0) : min(top + h, H)], np.r_[max(left, 0) : min(left + w, W)]
    else:
        rows, columns = np.arange(top, top + h) % H, np.arange(left, left + w) % W
    place = ..., rows[:, None].astype(int), columns.astype(int)
    mixed = x.copy()
    mixed[place] = (x[partner] if source is None else source)[place]
    pasted = len(rows) * len(columns) / (H * W)
    pasted = share(lam, pasted) if share else pasted
    return mixed, (1 - pasted) * y + pasted * y[partner]


@cutmix.mistake(
    """The label is mixed by λ, that of before the cut. At the rim half of the rectangle may lie
    outside: what share of the picture does the partner really have?"""
)
def share_before_the_cut(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, share=lambda lam, pasted: 1 - lam)


@cutmix.mistake(
    """The sides are (1 − λ) H and (1 − λ) W. The *area* should be 1 − λ of the picture: how long
    is the side of a square of area one quarter?"""
)
def sides_without_the_root(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, power=1)


@cutmix.mistake(
    """Your sides are √λ H and √λ W: as large as what should *stay*. What share does λ name?"""
)
def sides_of_what_stays(x, y, lam, centre, partner):
    return _cut(x, y, 1 - lam, centre, partner)


@cutmix.mistake(
    """The label has the shares exchanged: the partner gets what it did *not* paste. Whose pixels
    are inside the rectangle?"""
)
def shares_of_the_label_exchanged(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, share=lambda lam, pasted: 1 - pasted)


@cutmix.mistake(
    """The rectangle is not cut off at the rim, it comes in again on the other side (negative
    indices count from the end, or you used a modulo). What lies outside is lost."""
)
def round_the_corner(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, clip=False)


@cutmix.mistake(
    """The rectangle is filled with zeros. That is Cutout, or random erasing without noise; in
    CutMix the hole holds the partner's pixels."""
)
def filled_with_zeros(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner, source=np.zeros_like(x))


@cutmix.mistake(
    """The labels are not mixed. Part of the picture shows something else, and the label should say
    so."""
)
def labels_of_before(x, y, lam, centre, partner):
    return _cut(x, y, lam, centre, partner)[0], y.copy()


@cutmix.mistake(
    """You begin at `centre` instead of half a side before it: the given pixel is a corner of your
    rectangle and not its middle."""
)
def from_the_corner(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    return _cut(x, y, lam, (centre[0] + h // 2, centre[1] + w // 2), partner)


@cutmix.mistake(
    """Height and width are exchanged: the rectangle of a picture that is not square lies on its
    side. Which of x's last two axes counts the rows?"""
)
def sides_exchanged(x, y, lam, centre, partner):
    turned, labels = _cut(x.mT, y, lam, centre, partner)
    return turned.mT, labels


def _pasted(x, y, partner, rows, columns):
    """A rectangle of every picture's partner, given by two slices, and the label by its area."""
    mixed = x.copy()
    mixed[..., rows, columns] = x[partner][..., rows, columns]
    H, W = x.shape[-2:]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (H * W)
    return mixed, (1 - pasted) * y + pasted * y[partner]


@cutmix.mistake(
    """From centre − h // 2 to centre + h // 2: if h is odd, a row is missing. (The authors' code
    does that.) Here the rectangle has h rows, the first of which is centre[0] − h // 2."""
)
def odd_sides_lose_a_row(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H) // 2, round((1 - lam) ** 0.5 * W) // 2
    rows = slice(max(centre[0] - h, 0), min(centre[0] + h, H))
    return _pasted(x, y, partner, rows, slice(max(centre[1] - w, 0), min(centre[1] + w, W)))


@cutmix.mistake(
    """Your sides are cut down to whole pixels (`int`), as in the authors' code. How does the task
    make a whole number of √(1 − λ) H?"""
)
def sides_cut_down(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = int((1 - lam) ** 0.5 * H), int((1 - lam) ** 0.5 * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    rows = slice(max(top, 0), min(top + h, H))
    return _pasted(x, y, partner, rows, slice(max(left, 0), min(left + w, W)))


@cutmix.mistake(
    """A picture gets a piece of a partner that was pasted over already: you read from the array
    that you write to. Where are the partners as they were?"""
)
def partners_already_pasted(x, y, lam, centre, partner):
    right, label = _cut(x, y, lam, centre, partner)
    inside = np.zeros(x.shape[-2:], dtype=bool)
    H, W = inside.shape
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    inside[max(top, 0) : max(top + h, 0), max(left, 0) : max(left + w, 0)] = True
    mixed = x.copy()
    for b in range(len(x)):  # in the order of the batch
        mixed[b][:, inside] = mixed[partner[b]][:, inside]
    return mixed, label


@cutmix.mistake(
    """Inside and outside are exchanged: the picture keeps the rectangle and gets the partner
    around it, while the label says the opposite."""
)
def inside_out(x, y, lam, centre, partner):
    mixed, label = _cut(x, y, lam, centre, partner, source=x)
    swapped = _cut(x[partner], y, lam, centre, np.arange(len(x)), source=x)[0]
    return swapped, label


@cutmix.mistake(
    """At the upper or left rim nothing is pasted: `top` is negative there, and a slice that begins
    at −2 begins two before the *end*. Where does the part that lies inside begin?"""
)
def negative_begin(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    top, left = centre[0] - h // 2, centre[1] - w // 2
    return _pasted(x, y, partner, slice(top, min(top + h, H)), slice(left, min(left + w, W)))


@cutmix.mistake(
    """Your rectangle is too large at the upper or left rim: you count its end from where it was cut
    off. From which row does the task count its h rows?"""
)
def end_counted_from_the_rim(x, y, lam, centre, partner):
    H, W = x.shape[-2:]
    h, w = round((1 - lam) ** 0.5 * H), round((1 - lam) ** 0.5 * W)
    top, left = max(centre[0] - h // 2, 0), max(centre[1] - w // 2, 0)
    return _pasted(x, y, partner, slice(top, min(top + h, H)), slice(left, min(left + w, W)))
