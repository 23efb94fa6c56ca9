"""How much of two boxes is common to both."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.pairs import MIDDLE, PLACES, random_boxes
from tutorial_lib.from_scratch import boxes as np_boxes
from tutorial_lib.from_scratch.boxes import edges as edges_of

SQUARES = np.array([[0.4, 0.4, 0.4, 0.4], [0.5, 0.5, 0.2, 0.4]])


def two_lists(rng):
    """The first case is made of tenths, so that a reader can check it on paper."""
    yield dict(a=SQUARES[:1], b=SQUARES)
    yield dict(a=MIDDLE, b=PLACES)
    yield dict(a=PLACES[3:8], b=MIDDLE)
    for n, m in [(2, 3), (4, 1), (3, 5)]:
        yield dict(a=random_boxes(rng, n), b=random_boxes(rng, m))
    same = random_boxes(rng, 3)
    yield dict(a=same, b=same[:2].copy())
    touching = np.array([[0.25, 0.5, 0.5, 0.5], [0.25, 0.25, 0.5, 0.5]])
    yield dict(a=touching, b=np.array([[0.75, 0.5, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]]))
    yield dict(a=64 * random_boxes(rng, 2), b=64 * random_boxes(rng, 3))  # in pixels
    yield dict(a=random_boxes(rng, 2).astype(np.float32), b=random_boxes(rng, 3).astype(np.float32))


pairwise_iou = Exercise(
    np_boxes.pairwise_iou,
    level=2,
    minutes=8,
    cases=two_lists,
    hints=(
        "Draw two boxes that overlap. Where does the intersection begin on the left: at the left "
        "edge of which of the two? And where does it end?",
        "Middle and size become edges: middle ± half the size. The intersection goes from the "
        "larger of the lower edges to the smaller of the upper ones, on each axis by itself. What "
        "if that is a negative length? For all pairs, let a have shape (N, 1, 4).",
        "`low = np.maximum(...)`, `high = np.minimum(...)`, both (N, M, 2); "
        "`(high - low).clip(0).prod(-1)`; the union is the sum of the two areas less what was "
        "counted twice.",
    ),
)


def _iou(a, b, *, edges=edges_of, side=lambda length: length.clip(0), area=None, union=None):
    """`pairwise_iou` with another way to find edges, sides, areas or the union."""
    a, b = edges(a)[:, None], edges(b)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    common = (area or (lambda length: side(length).prod(axis=-1)))(high - low)
    one, other = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    found = (union or (lambda one, other, common: one + other - common))(one, other, common)
    with np.errstate(all="ignore"):
        return common / found, found


@pairwise_iou.mistake(
    """Boxes that are apart on *both* axes overlap in yours: two negative lengths have a positive
    product. What is the length of an intersection that does not exist?"""
)
def negative_sides(a, b):
    return _iou(a, b, side=lambda length: length)


@pairwise_iou.mistake(
    """You cut the *area* at zero, not the lengths. Boxes that are apart on both axes overlap then:
    minus times minus is plus. Which numbers have to be cut?"""
)
def area_cut_at_zero(a, b):
    return _iou(a, b, area=lambda length: length.prod(axis=-1).clip(0))


@pairwise_iou.mistake(
    """You take the absolute value of the lengths, so boxes that are apart overlap as much as there
    is room between them. What is the length of an intersection that does not exist?"""
)
def absolute_sides(a, b):
    return _iou(a, b, side=np.abs)


@pairwise_iou.mistake(
    """Your union counts the intersection twice: two equal boxes get an IoU of a half. What do A + B
    count twice?"""
)
def sum_of_areas(a, b):
    return _iou(a, b, union=lambda one, other, common: one + other)


@pairwise_iou.mistake(
    """You take the numbers for edges (left, top, right, bottom). They are a middle and a size:
    where is the left edge of a box with cx and w?"""
)
def numbers_taken_for_edges(a, b):
    return _iou(a, b, edges=lambda boxes: boxes)


@pairwise_iou.mistake(
    """Your boxes begin at cx, cy: you take the middle for the upper left corner, as COCO's files
    have it. Half of the size is on either side of a middle."""
)
def middle_taken_for_a_corner(a, b):
    return _iou(
        a, b, edges=lambda x: np.concatenate([x[..., :2], x[..., :2] + x[..., 2:]], axis=-1)
    )


@pairwise_iou.mistake(
    """Your boxes are twice as large as they are: the whole size lies on either side of the middle.
    How far is an edge from it?"""
)
def whole_size_on_either_side(a, b):
    def edges(x):
        return np.concatenate([x[..., :2] - x[..., 2:], x[..., :2] + x[..., 2:]], axis=-1)

    return _iou(a, b, edges=edges)


@pairwise_iou.mistake(
    """What you call the intersection is the hull, the smallest box around both: from the smaller of
    the lower edges to the larger of the upper ones. Where does what is common begin?"""
)
def hull_for_intersection(a, b):
    a, b = edges_of(a)[:, None], edges_of(b)
    low, high = np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:])
    common = (high - low).prod(axis=-1)
    one, other = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    with np.errstate(all="ignore"):
        return common / (one + other - common), one + other - common


@pairwise_iou.mistake(
    """You divide by the hull, the smallest box around both. A union has no corners that neither box
    covers: how large is it, from the two areas and what they have in common?"""
)
def hull_for_union(a, b):
    common, union = np_boxes.pairwise_iou(a, b)
    a, b = edges_of(a)[:, None], edges_of(b)
    low, high = np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(axis=-1)
    return common * union / hull, hull


@pairwise_iou.mistake(
    """You divide by the smaller of the two areas: a box inside a larger one gets 1. That measures
    who is inside of whom. What is the union of the two?"""
)
def smaller_area(a, b):
    return _iou(a, b, union=lambda one, other, common: np.minimum(one, other))


@pairwise_iou.mistake(
    """Yours is transposed: (M, N). Rows belong to a, columns to b. Which of the two needs the axis
    in the middle?"""
)
def transposed(a, b):
    iou, union = np_boxes.pairwise_iou(b, a)
    return iou, union


@pairwise_iou.mistake("""You have turned two values around: the IoU comes first, then the union.""")
def union_first(a, b):
    return np_boxes.pairwise_iou(a, b)[::-1]


@pairwise_iou.mistake(
    """The union is right, but you divide by the smaller of the two areas: a box inside a larger one
    gets 1. Of what is IoU a share?"""
)
def share_of_the_smaller_area(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou * union / np.minimum(a[:, None, 2:].prod(axis=-1), b[:, 2:].prod(axis=-1)), union


@pairwise_iou.mistake(
    """The areas of the two boxes are right, but for the intersection each reaches the whole size to
    either side of its middle. How far is an edge from it?"""
)
def whole_size_in_the_intersection(a, b):
    low = np.maximum(a[:, None, :2] - a[:, None, 2:], b[:, :2] - b[:, 2:])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[:, :2] + b[:, 2:])
    common = (high - low).clip(0).prod(axis=-1)
    union = a[:, None, 2:].prod(axis=-1) + b[:, 2:].prod(axis=-1) - common
    with np.errstate(all="ignore"):
        return common / union, union


@pairwise_iou.mistake(
    """You add 1 to every length, as for boxes whose last pixel belongs to them. Here lengths are
    numbers of any unit: a box from 0.2 to 0.6 is 0.4 long."""
)
def one_pixel_more(a, b):
    one, other = edges_of(a)[:, None], edges_of(b)
    low = np.maximum(one[..., :2], other[..., :2])
    side = np.minimum(one[..., 2:], other[..., 2:]) - low + 1
    common = side.clip(0).prod(axis=-1)
    union = (a[:, None, 2:] + 1).prod(axis=-1) + (b[:, 2:] + 1).prod(axis=-1) - common
    return common / union, union


@pairwise_iou.mistake(
    """Your union has the area of a twice and that of b not at all. Whose areas does it hold?"""
)
def area_of_a_twice(a, b):
    return _iou(a, b, union=lambda one, other, common: 2 * one - common)


@pairwise_iou.mistake(
    """IoU is right, but with it you return the *intersection*. Which area does the task ask for?"""
)
def returns_the_intersection(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou, iou * union


@pairwise_iou.mistake(
    """Your union is 0 for boxes that do not meet. They cover something all the same: how much is
    covered by at least one of them?"""
)
def no_union_where_apart(a, b):
    iou, union = np_boxes.pairwise_iou(a, b)
    return iou, np.where(iou > 0, union, 0)
