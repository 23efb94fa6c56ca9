"""Pictures that are made of two, and what becomes of their labels."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.deit.cases import labels


def mixup(x, y, lam, partner):
    """Every picture becomes λ of itself and 1 − λ of its partner, and so does its label.

    x (B, C, H, W) pictures; y (B, K) labels, rows summing to one; lam (B,) in [0, 1], a λ for each
    picture; partner (B,) int, picture b is mixed with picture partner[b]
    ->  x (B, C, H, W), y (B, K), new arrays

    Zhang et al., mixup (ICLR 2018, 1710.09412): x̃ = λ x_i + (1 − λ) x_j, ỹ = λ y_i + (1 − λ) y_j
    """

    def mix(a):
        own = lam.reshape(-1, *[1] * (a.ndim - 1))  # (B, 1, …): one λ for all that is picture b's
        return own * a + (1 - own) * a[partner]

    return mix(x), mix(y)


def pictures_to_mix(rng):
    for B, C, H, W, K in [
        (1, 1, 1, 1, 1),
        (2, 1, 1, 1, 2),
        (2, 1, 1, 2, 2),
        (3, 1, 2, 3, 3),
        (2, 3, 1, 2, 4),
        (4, 2, 3, 4, 4),
    ]:
        yield _pictures(rng, B, C, H, W, K) | _partners(rng, B)
    # All of itself, none of itself.
    yield _pictures(rng, 2, 1, 2, 1, 3) | dict(lam=np.array([1.0, 0.0]), partner=np.array([1, 0]))
    single = _pictures(rng, 3, 1, 2, 2, 2) | _partners(rng, 3)
    yield {name: a.astype(np.float32) if a.dtype == float else a for name, a in single.items()}


def _pictures(rng, B, C, H, W, K):
    return dict(x=rng.uniform(size=(B, C, H, W)), y=labels(rng, B, K))


def _partners(rng, B):
    """A λ for each, and a round trip that is not its own inverse from three pictures on."""
    return dict(lam=rng.uniform(0.05, 0.45, size=B), partner=np.roll(np.arange(B), 1))


mixup = Exercise(
    mixup,
    level=1,
    minutes=5,
    cases=pictures_to_mix,
    hints=(
        "The same two shares for the picture and for its label. Which array holds the partner of "
        "every picture, in the order of the batch?",
        "`x[partner]` is the batch of partners. lam has one axis and x has four: NumPy lines axes "
        "up from the right, and you want it at the left.",
        "`lam[:, None, None, None]` for the pictures and `lam[:, None]` for the labels.",
    ),
)


def _mix(a, lam, partner):
    own = lam.reshape(-1, *[1] * (a.ndim - 1))
    return own * a + (1 - own) * a[partner]


@mixup.mistake(
    """The labels are not mixed: a picture that is mostly another one keeps its own label. What does
    a picture of a third of a coat and two thirds of a bag show?"""
)
def labels_not_mixed(x, y, lam, partner):
    return _mix(x, lam, partner), y.copy()


@mixup.mistake(
    """The pictures are right and the labels have λ on the wrong side: a picture that is mostly
    itself gets mostly its partner's label. Who has the share λ?"""
)
def labels_the_other_way(x, y, lam, partner):
    return _mix(x, lam, partner), _mix(y, 1 - lam, partner)


@mixup.mistake(
    """λ and 1 − λ are exchanged everywhere. Over a whole training it makes no difference, because λ
    and 1 − λ are equally likely. Here λ is the share of the picture itself."""
)
def shares_exchanged(x, y, lam, partner):
    return _mix(x, 1 - lam, partner), _mix(y, 1 - lam, partner)


@mixup.mistake(
    """λ is lined up with the last axis: a share for each column of the picture and for each class.
    It only runs where those are as many as the pictures. Which axis is the batch's?"""
)
def along_the_last_axis(x, y, lam, partner):
    return lam * x + (1 - lam) * x[partner], lam * y + (1 - lam) * y[partner]


@mixup.mistake("""You use one λ, the first, for the whole batch. Here each picture has its own.""")
def one_share_for_all(x, y, lam, partner):
    same = np.full_like(lam, lam[0])
    return _mix(x, same, partner), _mix(y, same, partner)


@mixup.mistake(
    """The partners of the labels are not those of the pictures: you inverted the order for one of
    them (`np.argsort(partner)`, or you wrote *to* `partner`). With two pictures nobody notices."""
)
def other_partners_for_labels(x, y, lam, partner):
    return _mix(x, lam, partner), _mix(y, lam, np.argsort(partner))


@mixup.mistake(
    """You mix with the batch in reverse instead of with `partner`. In the middle of an odd batch a
    picture would be mixed with itself."""
)
def batch_in_reverse(x, y, lam, partner):
    reverse = np.arange(len(x))[::-1]
    return _mix(x, lam, reverse), _mix(y, lam, reverse)


def cutmix(x, y, lam, centre, partner):
    """Every picture gets a rectangle of its partner, and as much of the partner's label.

    x (B, C, H, W) pictures; y (B, K) labels, rows summing to one; lam float in [0, 1]; centre
    (row, column) of the rectangle, one pixel for the whole batch; partner (B,) int
    ->  x (B, C, H, W), y (B, K), new arrays

    Yun et al., CutMix (ICCV 2019, 1905.04899). The rectangle has h = round(√(1 − λ) H) rows and
    w = round(√(1 − λ) W) columns. Its first row is centre[0] − h // 2, its first column
    centre[1] − w // 2; what lies outside the picture is cut off. The label gets the share of the
    pixels that were really pasted.
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
        case = _pictures(rng, B, C, H, W, K)
        yield case | dict(lam=lam, centre=centre, partner=_partners(rng, B)["partner"])
    case = {name: a.astype(np.float32) for name, a in _pictures(rng, 3, 1, 5, 4, 2).items()}
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
    """The labels are not mixed. Part of the picture shows something else, and the label should
    say so."""
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
