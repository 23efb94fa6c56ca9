"""The loss between a set of predictions and a set of objects."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.detr.pairs import random_boxes
from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou, iou


def set_loss(logits, boxes, classes, true_boxes, assigned):
    """The three parts of DETR's loss for a batch, once it is known who answers for whom.

    logits      (B, N, C + 1)  the last for "no object"; boxes (B, N, 4) as cx, cy, w, h
    classes     (B, K) int64   the objects' classes, −1 where a picture has fewer than K
    true_boxes  (B, K, 4)      their boxes as cx, cy, w, h
    assigned    (B, N) int64   which of its picture's objects a prediction answers for, −1 for none
    ->  dict of three numbers:
        class  cross-entropy over *all* predictions. Those that answer for none should say "no
               object"; as they are many, they weigh 0.1, and the mean is weighted alike.
        l1     |box − true box|, the sum over four numbers and all pairs, over the number of objects
        giou   1 − G, the sum over all pairs, over the number of objects

    Objects are counted in the whole batch; there is at least one. `giou(a, b)` takes two tensors of
    edges, (..., 4) each, which `cxcywh_to_xyxy` makes, and gives G for each pair of rows.
    """
    picture, query = (assigned >= 0).nonzero(as_tuple=True)  # (P,) each, for P pairs
    thing = assigned[picture, query]
    target = torch.full_like(assigned, logits.shape[-1] - 1)
    target[picture, query] = classes[picture, thing]
    weight = torch.ones_like(logits[0, 0])
    weight[-1] = 0.1

    found, wanted = boxes[picture, query], true_boxes[picture, thing]  # (P, 4)
    G = giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
    objects = (classes >= 0).sum()
    return {
        "class": F.cross_entropy(logits.mT, target, weight),
        "l1": (found - wanted).abs().sum() / objects,
        "giou": (1 - G).sum() / objects,
    }


def batches(rng):
    """Predictions in another order than objects; pictures with fewer objects, one with none."""
    for C, counts, N in [
        (2, (2,), 3),
        (3, (1, 2), 4),
        (1, (2, 0), 2),
        (4, (3, 1, 2), 5),
        (2, (1,), 4),
        (3, (3, 1), 2),  # fewer predictions than objects
    ]:
        yield _drawn(rng, C, counts, N)
    yield {
        k: x.float() if x.is_floating_point() else x for k, x in _drawn(rng, 3, (2, 1), 4).items()
    }


def _drawn(rng, C, counts, N):
    B, K = len(counts), max(counts)
    classes, assigned = torch.full((B, K), -1), torch.full((B, N), -1)
    true_boxes = torch.zeros(B, K, 4, dtype=torch.float64)
    for image, count in enumerate(counts):
        classes[image, :count] = torch.from_numpy(rng.integers(C, size=count))
        true_boxes[image, :count] = torch.from_numpy(random_boxes(rng, count))
        pairs = min(N, count)
        queries, things = rng.permutation(N)[:pairs], rng.permutation(count)[:pairs]
        assigned[image, queries] = torch.from_numpy(things)
    return dict(
        logits=torch.from_numpy(rng.normal(size=(B, N, C + 1))),
        boxes=torch.from_numpy(random_boxes(rng, B * N).reshape(B, N, 4)),
        classes=classes,
        true_boxes=true_boxes,
        assigned=assigned,
    )


set_loss = Exercise(
    set_loss,
    level=3,
    minutes=12,
    cases=batches,
    hints=(
        "Begin with the pairs: in which picture, which prediction, which object? "
        "`(assigned >= 0).nonzero(as_tuple=True)` gives the first two as lists.",
        "With lists as indices, `boxes[picture, query]` is (P, 4), a row for each pair. What the "
        "predictions should say is class C everywhere at first, and the pairs overwrite their "
        "places. What of that must not be done for the boxes?",
        "`target = torch.full_like(assigned, C)`, then `target[picture, query] = classes[picture, "
        "thing]` with `thing = assigned[picture, query]`. `F.cross_entropy(logits.mT, target, "
        "weight)` wants classes on axis 1 (`.mT` exchanges the last two axes); weight is "
        "`logits.new_ones(C + 1)`, with 0.1 at its end.",
    ),
)


def _loss(logits, boxes, classes, true_boxes, assigned, *, target=None, weight=0.1, objects=None,
          edges=cxcywh_to_xyxy, pairs=None, part=None):  # fmt: skip
    """`set_loss` with another target, weight, count of objects or choice of pairs."""
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    thing = assigned[picture, query]
    right = torch.full_like(assigned, logits.shape[-1] - 1)
    right[picture, query] = classes[picture, thing]
    target = right if target is None else target(right, picture, query, thing)
    weights = torch.ones_like(logits[0, 0])
    weights[-1] = weight
    found, wanted = (pairs or (lambda p, q, t: (boxes[p, q], true_boxes[p, t])))(
        picture, query, thing
    )
    count = (objects or (lambda: (classes >= 0).sum()))()
    parts = {
        "class": F.cross_entropy(logits.mT, target, weights),
        "l1": (found - wanted).abs().sum() / count,
        "giou": (1 - giou(edges(found), edges(wanted))).sum() / count,
    }
    return parts | (part(logits, right, weights, found, wanted) if part else {})


@set_loss.mistake(
    """Pair number j is taken for object j: you do not ask `assigned` *which* object a prediction
    answers for. What stands in it where it is not −1?"""
)
def objects_in_the_order_of_the_predictions(logits, boxes, classes, true_boxes, assigned):
    order = ((assigned >= 0).cumsum(1) - 1).where(assigned >= 0, -1)
    return _loss(logits, boxes, classes, true_boxes, order)


@set_loss.mistake(
    """All weigh the same in yours, those that answer for none too. With ten queries and two objects
    the model learns to say "no object" first of all. Where does 0.1 belong?"""
)
def all_weigh_the_same(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, weight=1.0)


@set_loss.mistake(
    """Predictions without an object take no part in your cross-entropy. Nothing teaches them to be
    silent then, and every query shows a box. What should they say?"""
)
def pairs_only(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, weight=0.0)


@set_loss.mistake(
    """Your cross-entropy is a plain mean of the weighted terms: the sum is divided by the number of
    predictions. A weighted mean divides by the sum of the weights."""
)
def divided_by_the_number(logits, boxes, classes, true_boxes, assigned):
    def part(logits, target, weights, found, wanted):
        terms = F.cross_entropy(logits.mT, target, weights, reduction="none")
        return {"class": terms.mean()}

    return _loss(logits, boxes, classes, true_boxes, assigned, part=part)


@set_loss.mistake(
    """You divide the boxes' losses by the number of predictions in the batch. Most of them have no
    object: how much is then left of the loss of one that has?"""
)
def boxes_over_all_predictions(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, objects=lambda: assigned.numel())


@set_loss.mistake(
    """You divide the boxes' losses by the number of pictures. The task counts objects, of the whole
    batch."""
)
def boxes_over_pictures(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, objects=lambda: len(classes))


@set_loss.mistake(
    """You count the places for objects, the empty ones too. A class of −1 says that there is none:
    how many are there?"""
)
def empty_places_counted(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, objects=lambda: classes.numel())


@set_loss.mistake(
    """Your L1 is a mean over the four numbers too, so a quarter of what is asked for. The task
    takes their sum."""
)
def mean_over_the_numbers(logits, boxes, classes, true_boxes, assigned):
    def part(logits, target, weights, found, wanted):
        return {"l1": (found - wanted).abs().sum() / 4 / (classes >= 0).sum()}

    return _loss(logits, boxes, classes, true_boxes, assigned, part=part)


@set_loss.mistake(
    """You hand cx, cy, w, h to `giou`, which takes edges: left, top, right, bottom. Which function
    makes them?"""
)
def middles_taken_for_edges(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits, boxes, classes, true_boxes, assigned, edges=lambda x: x)


@set_loss.mistake(
    """Your "no object" is class 0, which is an object. Which of the C + 1 logits is it?"""
)
def no_object_is_class_0(logits, boxes, classes, true_boxes, assigned):
    def target(right, picture, query, thing):
        empty = torch.zeros_like(right)
        empty[picture, query] = right[picture, query]
        return empty

    return _loss(logits, boxes, classes, true_boxes, assigned, target=target)


@set_loss.mistake(
    """Your giou is G itself, which *rises* where the boxes get better. A loss has to fall: from
    what does the task subtract it?"""
)
def the_overlap_itself(logits, boxes, classes, true_boxes, assigned):
    def part(logits, target, weights, found, wanted):
        G = giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
        return {"giou": G.sum() / (classes >= 0).sum()}

    return _loss(logits, boxes, classes, true_boxes, assigned, part=part)


@set_loss.mistake(
    """You hand probabilities to `F.cross_entropy`, which takes logits and does the softmax
    itself."""
)
def softmax_twice(logits, boxes, classes, true_boxes, assigned):
    return _loss(logits.softmax(dim=-1), boxes, classes, true_boxes, assigned)


@set_loss.mistake(
    """You divide the boxes' losses by the number of *pairs*. With fewer predictions than objects
    there are fewer pairs. What does the task count?"""
)
def boxes_over_pairs(logits, boxes, classes, true_boxes, assigned):
    def pairs():
        return (assigned >= 0).sum()

    return _loss(logits, boxes, classes, true_boxes, assigned, objects=pairs)


@set_loss.mistake(
    """What answers for none should say "no object"; in yours it should say the class of an object:
    −1 was cut to 0, or used as an index, where it means the last. Which predictions may look
    anything up in `classes`?"""
)
def none_has_the_class_of_an_object(logits, boxes, classes, true_boxes, assigned):
    def target(right, picture, query, thing):
        return classes.gather(1, assigned.clamp(min=0)).clamp(min=0)

    return _loss(logits, boxes, classes, true_boxes, assigned, target=target)


@set_loss.mistake(
    """All predictions are held against a box, those that answer for none against an object's that
    they have nothing to do with. Of whom is a box asked?"""
)
def every_box_is_held_against_one(logits, boxes, classes, true_boxes, assigned):
    B, N = assigned.shape
    picture = torch.arange(B).repeat_interleave(N)
    chosen = boxes.flatten(0, 1), true_boxes[picture, assigned.clamp(min=0).flatten()]
    return _loss(logits, boxes, classes, true_boxes, assigned, pairs=lambda *_: chosen)


@set_loss.mistake(
    """You use the plain IoU: a box that does not meet its object has no gradient then. Which
    function does the task name?"""
)
def plain_iou(logits, boxes, classes, true_boxes, assigned):
    def part(logits, target, weights, found, wanted):
        overlap = iou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
        return {"giou": (1 - overlap).sum() / (classes >= 0).sum()}

    return _loss(logits, boxes, classes, true_boxes, assigned, part=part)


@set_loss.mistake(
    """Your l1 and giou are weighed already, by 5 and 2. The task asks for the three parts as they
    are; the weights come with the training step."""
)
def weighed_already(logits, boxes, classes, true_boxes, assigned):
    parts = _loss(logits, boxes, classes, true_boxes, assigned)
    return {"class": parts["class"], "l1": 5 * parts["l1"], "giou": 2 * parts["giou"]}


@set_loss.mistake(
    """Your target is the *number* of the object, which is where it stands in the list. Of which
    class is it?"""
)
def number_for_class(logits, boxes, classes, true_boxes, assigned):
    def target(right, picture, query, thing):
        nothing = logits.shape[-1] - 1
        return assigned.where(assigned >= 0, nothing).clamp(max=nothing)

    return _loss(logits, boxes, classes, true_boxes, assigned, target=target)
