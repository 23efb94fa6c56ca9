"""The gradient of IoU and of generalized IoU, by hand."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.pairs import MIDDLE, PLACES, random_boxes
from tutorial_lib.from_scratch import boxes as np_boxes
from tutorial_lib.from_scratch.boxes import edges


def pairs(rng):
    middle = np.repeat(MIDDLE, len(PLACES), axis=0)
    yield _case(np.array([1.0, -2.0]), PLACES[[2, 8]], middle[:2], False)
    for generalized in (True, False):
        yield _case(rng.normal(size=len(PLACES)), PLACES, middle, generalized)
        yield _case(rng.normal(size=len(PLACES)), middle, PLACES, generalized)
        for K in (1, 4):
            yield _case(rng.normal(size=K), random_boxes(rng, K), random_boxes(rng, K), generalized)
    yield _case(rng.normal(size=2), 64 * random_boxes(rng, 2), 64 * random_boxes(rng, 2), True)


def _case(dG, a, b, generalized):
    return dict(dG=dG, a=a, b=b, generalized=generalized)


iou_backward = Exercise(
    np_boxes.iou_backward,
    level=4,
    minutes=25,
    cases=pairs,
    hints=(
        "First the three areas. Write G = I/U − 1 + U/C and differentiate by U and by C; then by "
        "I, which also stands in U = A + B − I. Of plain IoU the terms with C are missing.",
        "An area is width times height: the gradient of one side is the area's times the *other* "
        "side. A side is an upper edge minus a lower edge. Of each edge ask whose it is: only "
        "where it is a's own does a get the gradient, and a side that was cut at zero passes none.",
        "With the gradients of a's lower and upper edges, `dlow` and `dhigh`: of the middle it is "
        "`dlow + dhigh`, of the size `(dhigh - dlow) / 2`. The area A = w · h adds `dU * h` to w "
        "and `dU * w` to h.",
    ),
)


def _backward(dG, a, b, generalized, *, dU=None, dC=None, dI=None, own=None, cut=True,
              other_side=True, half=0.5, with_area=True, lower=-1, as_edges=False):  # fmt: skip
    """`iou_backward` with another gradient of an area, or another way back from it."""
    edge, other = edges(a), edges(b)
    low, high = np.maximum(edge, other)[:, :2], np.minimum(edge, other)[:, 2:]
    outer_low, outer_high = np.minimum(edge, other)[:, :2], np.maximum(edge, other)[:, 2:]
    side, outer = (high - low).clip(0), outer_high - outer_low
    I, C = side.prod(axis=1), outer.prod(axis=1)
    U = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - I
    dU = dG * (generalized / C - I / U**2) if dU is None else dU(dG, I, U, C)
    dC = -dG * U / C**2 if dC is None else dC(dG, I, U, C)
    dC = generalized * dC
    dI = dG / U - dU if dI is None else dI(dG, I, U, dU)
    own = own or (lambda mine, edge: mine == edge)
    turn = slice(None, None, -1 if other_side else 1)
    dside = dI[:, None] * side[:, turn] * (side > 0 if cut else 1)
    dhull = dC[:, None] * outer[:, turn]
    dlow = lower * (dside * own(edge[:, :2], low) + dhull * own(edge[:, :2], outer_low))
    dhigh = dside * own(edge[:, 2:], high) + dhull * own(edge[:, 2:], outer_high)
    if as_edges:
        dboxes = np.concatenate([dlow, dhigh], axis=1)
    else:
        dsize = dU[:, None] * a[:, 3:1:-1] if with_area else 0
        dboxes = np.concatenate([dlow + dhigh, half * (dhigh - dlow) + dsize], axis=1)
    return {"dU": dU, "dC": dC, "dI": dI, "dboxes": dboxes}


@iou_backward.mistake(
    """Your dI has only the I of J = I / U. It stands a second time in U = A + B − I: a larger
    intersection makes the union smaller. What does that add?"""
)
def intersection_counted_once(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, dI=lambda dG, I, U, dU: dG / U)


@iou_backward.mistake(
    """Your dI adds dU where the union *loses* what the intersection gains: U = A + B − I. Which
    sign has I in it?"""
)
def intersection_adds_to_the_union(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, dI=lambda dG, I, U, dU: dG / U + dU)


@iou_backward.mistake(
    """Your dU is that of plain IoU: the union also stands in (C − U) / C. For boxes that do not
    meet it is all that is left."""
)
def union_of_plain_iou(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, dU=lambda dG, I, U, C: -dG * I / U**2)


@iou_backward.mistake(
    """Your dU has the wrong sign for the empty share: G = J − (C − U) / C = J − 1 + U / C. Does G
    rise or fall with U there?"""
)
def sign_of_the_empty_share(dG, a, b, generalized):
    return _backward(
        dG, a, b, generalized, dU=lambda dG, I, U, C: -dG * (generalized / C + I / U**2)
    )


@iou_backward.mistake(
    """Your dC has the wrong sign. A larger hull around the same boxes: is G larger or smaller?"""
)
def sign_of_the_hull(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, dC=lambda dG, I, U, C: dG * U / C**2)


@iou_backward.mistake(
    """Your dC treats (C − U) / C as if the C above the line were none: −(C − U) / C = −1 + U / C.
    What is its derivative by C?"""
)
def hull_below_the_line_only(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, dC=lambda dG, I, U, C: dG * (C - U) / C**2)


@iou_backward.mistake(
    """The areas are right. On the way to the box you multiply by the side itself: of w · h, the
    gradient of w is the *other* side."""
)
def its_own_side(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, other_side=False)


@iou_backward.mistake(
    """The areas are right, but every edge goes to a, also where it is b's. Whose left edge does the
    intersection begin with?"""
)
def every_edge_is_a_s(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, own=lambda mine, edge: 1.0)


@iou_backward.mistake(
    """The areas are right. Where the boxes are apart, a gradient comes through a side that was cut
    at zero. What does moving a little change in an intersection that is empty?"""
)
def through_the_cut(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, cut=False)


@iou_backward.mistake(
    """The areas are right. From edges to a size there is a factor: low = middle − size / 2. How far
    does an edge move when w grows by one?"""
)
def whole_size(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, half=1.0)


@iou_backward.mistake(
    """The areas are right, but a's own area is missing on the way back: U = A + B − I, and A = w·h.
    What does dU add to w?"""
)
def area_of_the_box_missing(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, with_area=False)


@iou_backward.mistake(
    """The areas are right. A lower edge has the sign of an upper one in yours: side = high − low.
    What does a side do when its lower edge rises?"""
)
def sign_of_the_lower_edge(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, lower=1)


@iou_backward.mistake(
    """Your dboxes are those of the four edges. Two steps are missing: from edges to middle and
    size, and a's own area in the union."""
)
def gradient_of_the_edges(dG, a, b, generalized):
    return _backward(dG, a, b, generalized, as_edges=True)


@iou_backward.mistake(
    """You take G for generalized always. Where the task says that G is J alone, the hull plays no
    part: what is dC then, and what is left of dU?"""
)
def always_generalized(dG, a, b, generalized):
    return _backward(dG, a, b, True)


@iou_backward.mistake(
    """dG is not in yours: every pair gets the gradient that it would have if the loss were G. What
    does the chain begin with?"""
)
def loss_gradient_left_out(dG, a, b, generalized):
    return _backward(np.ones_like(dG), a, b, generalized)


@iou_backward.mistake(
    """You take G for plain IoU always. Where `generalized` is set, U / C stands in it too."""
)
def never_generalized(dG, a, b, generalized):
    return _backward(dG, a, b, False)


@iou_backward.mistake(
    """The areas are right, but of a's own area each side gets *itself* for a factor: A = w · h.
    What is its derivative by w?"""
)
def own_area_by_its_own_side(dG, a, b, generalized):
    right = _backward(dG, a, b, generalized)
    dboxes = right["dboxes"].copy()
    dboxes[:, 2:] += right["dU"][:, None] * (a[:, 2:] - a[:, 3:1:-1])
    return right | {"dboxes": dboxes}


@iou_backward.mistake(
    """The areas are right, but dboxes is that of b. The task asks for a's; b stays where it is."""
)
def gradient_of_the_other_box(dG, a, b, generalized):
    right = _backward(dG, a, b, generalized)
    return right | {"dboxes": _backward(dG, b, a, generalized)["dboxes"]}
