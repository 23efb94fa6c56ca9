"""Mixup: pictures that are made of two, and what becomes of their labels."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.deit.cases import partners, pictures


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
        (2, 1, 1, 1, 2),
        (2, 1, 1, 2, 2),
        (3, 1, 2, 3, 3),
        (2, 3, 1, 4, 5),
        (4, 2, 3, 4, 4),
    ]:
        yield pictures(rng, B, C, H, W, K) | partners(rng, B)
    # All of itself, none of itself.
    yield pictures(rng, 2, 1, 2, 1, 3) | dict(lam=np.array([1.0, 0.0]), partner=np.array([1, 0]))
    single = pictures(rng, 3, 1, 2, 2, 2) | partners(rng, 3) | dict(partner=np.array([2, 2, 0]))
    yield {name: a.astype(np.float32) if a.dtype == float else a for name, a in single.items()}


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
    """The labels are not mixed: a picture that is mostly another one keeps its own label. What
    does a picture of a third of a coat and two thirds of a bag show?"""
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
    """λ and 1 − λ are exchanged everywhere. Over a whole training it makes no difference, because
    λ and 1 − λ are equally likely. Here λ is the share of the picture itself."""
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
    """A picture is mixed with a partner that was mixed already: you read from the array that you
    write to. Where are the partners as they were?"""
)
def partners_already_mixed(x, y, lam, partner):
    x, y = x.copy(), y.copy()
    for b in range(len(x)):  # in the order of the batch
        for a in (x, y):
            a[b] = lam[b] * a[b] + (1 - lam[b]) * a[partner[b]]
    return x, y


@mixup.mistake(
    """You mix with the batch in reverse instead of with `partner`. In the middle of an odd batch a
    picture would be mixed with itself."""
)
def batch_in_reverse(x, y, lam, partner):
    reverse = np.arange(len(x))[::-1]
    return _mix(x, lam, reverse), _mix(y, lam, reverse)


@mixup.mistake(
    """Each λ is replaced by the larger of λ and 1 − λ, so that a picture always keeps most of
    itself. Some implementations do that. Here λ is given: use it as it is."""
)
def larger_share_to_itself(x, y, lam, partner):
    larger = np.maximum(lam, 1 - lam)
    return _mix(x, larger, partner), _mix(y, larger, partner)


@mixup.mistake("""You take the partner's λ: `lam[partner]`. Whose share does lam[b] say?""")
def share_of_the_partner(x, y, lam, partner):
    return _mix(x, lam[partner], partner), _mix(y, lam[partner], partner)


@mixup.mistake(
    """The labels are mixed and the pictures are not. What should a picture with such a label
    show?"""
)
def pictures_not_mixed(x, y, lam, partner):
    return x.copy(), _mix(y, lam, partner)


@mixup.mistake(
    """A mixed picture gets the label of its larger part alone. What does a picture of a third of a
    coat and two thirds of a bag show?"""
)
def label_of_the_larger_part(x, y, lam, partner):
    return _mix(x, lam, partner), np.where(lam[:, None] >= 0.5, y, y[partner])


@mixup.mistake(
    """You write to `partner` instead of reading from it: picture b goes to where its partner was.
    Which picture stands in `x[partner]` at place b?"""
)
def written_to_the_partner(x, y, lam, partner):
    def mix(a):
        others = np.zeros_like(a)
        others[partner] = a
        own = lam.reshape(-1, *[1] * (a.ndim - 1))
        return own * a + (1 - own) * others

    return mix(x), mix(y)
