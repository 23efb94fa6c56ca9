"""Answers to chapter 14, DETR."""

import heapq
from itertools import combinations, permutations, product

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from answers import right, wrong
from tutorial_lib.from_scratch.boxes import generalized_iou, pairwise_iou
from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou, iou
from tutorial_lib.layers.matching import match
from tutorial_lib.layers.positions import sine_positions_2d
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.models.detection.detr import (
    BoxHead,
    DETRDecoderLayer,
    DETREncoderLayer,
    PlacedAttention,
    TinyBackbone,
)

# pairwise_iou


def edges(boxes):
    return boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2


def corners(a, b):
    """Lower and upper edges of both, (N, 1, 2) and (M, 2) each"""
    (a0, a1), (b0, b1) = edges(a), edges(b)
    return a0[:, None], a1[:, None], b0, b1


def areas(a, b):
    return a[:, 2:].prod(1)[:, None] + b[:, 2:].prod(1)


@wrong(
    "detr.pairwise_iou",
    "no clip: two negative sides make an area",
    says="Boxes that are apart on both axes overlap in",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "clips the area and not the sides",
    says="You cut the area at zero, not the lengths.",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1).clip(0)
    union = areas(a, b) - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "takes abs of the sides",
    says="You take the absolute value of the lengths,",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = abs(np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "the shared part counted twice in the union",
    says="Your union counts the intersection twice:",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    return shared / areas(a, b), areas(a, b)


@wrong(
    "detr.pairwise_iou",
    "takes the boxes for edges",
    says="You take the numbers for edges (left, top,",
)
def _(a, b):
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum(a[:, None, 2:], b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(1) for x in (a, b))
    union = area_a[:, None] + area_b - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "takes cx, cy for the upper left corner",
    says="Your boxes begin at cx, cy:",
)
def _(a, b):
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "middle plus and minus the whole size, areas right",
    says="The areas of the two boxes are right, but for",
)
def _(a, b):
    low = np.maximum((a[:, :2] - a[:, 2:])[:, None], b[:, :2] - b[:, 2:])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou", "the hull for the union", says="You divide by the hull, the smallest box"
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = (np.maximum(a1, b1) - np.minimum(a0, b0)).prod(-1)
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "pixels have a width: one added to each side",
    says="You add 1 to every length, as for boxes whose",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0) + 1).clip(0).prod(-1)
    union = (a[:, 2:] + 1).prod(1)[:, None] + (b[:, 2:] + 1).prod(1) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "IoU alone", says="You return one of the 2 values that the task")
def _(a, b):
    return pairwise_iou(a, b)[0]


@wrong(
    "detr.pairwise_iou",
    "gives the intersection second",
    says="IoU is right, but with it you return the",
)
def _(a, b):
    ratio, union = pairwise_iou(a, b)
    return ratio, ratio * union


@wrong("detr.pairwise_iou", "the two in the other order", says="You have turned two values around:")
def _(a, b):
    return pairwise_iou(a, b)[::-1]


@wrong(
    "detr.pairwise_iou",
    "row by row, not for all pairs",
    says="The right numbers in the wrong shape.",
)
def _(a, b):
    (a0, a1), (b0, b1) = edges(a), edges(b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "a row for each box of b", says="Yours is transposed: (M, N).")
def _(a, b):
    return pairwise_iou(b, a)


@wrong(
    "detr.pairwise_iou",
    "the area of a twice in the union",
    says="Your union has the area of a twice and that",
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = 2 * a[:, 2:].prod(1)[:, None] - shared
    return shared / union, union


@wrong(
    "detr.pairwise_iou",
    "over the smaller of the two areas",
    says="The union is right, but you divide by the",
)
def _(a, b):
    ratio, union = pairwise_iou(a, b)
    return ratio * union / np.minimum(a[:, 2:].prod(1)[:, None], b[:, 2:].prod(1)), union


@wrong(
    "detr.pairwise_iou",
    "0 for the union of boxes that do not meet",
    says="Your union is 0 for boxes that do not meet.",
)
def _(a, b):
    ratio, union = pairwise_iou(a, b)
    return ratio, np.where(ratio > 0, union, 0)


@right("detr.pairwise_iou", "two loops and plain numbers")
def _(a, b):
    ratio, union = np.zeros((len(a), len(b))), np.zeros((len(a), len(b)))
    for i, (ax, ay, aw, ah) in enumerate(a):
        for j, (bx, by, bw, bh) in enumerate(b):
            w = min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2)
            h = min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2)
            shared = w * h if w > 0 and h > 0 else 0.0
            union[i, j] = aw * ah + bw * bh - shared
            ratio[i, j] = shared / union[i, j]
    return ratio, union


@right("detr.pairwise_iou", "from the distance of the middles, with outer")
def _(a, b):
    def side(x):
        far = (np.add.outer(a[:, x + 2], b[:, x + 2])) / 2 - abs(
            np.subtract.outer(a[:, x], b[:, x])
        )
        return np.clip(far, 0, np.minimum.outer(a[:, x + 2], b[:, x + 2]))

    shared = side(0) * side(1)
    union = np.add.outer(a[:, 2] * a[:, 3], b[:, 2] * b[:, 3]) - shared
    return [shared / union, union]


@right("detr.pairwise_iou", "by torch, in double precision")
def _(a, b):
    a, b = (cxcywh_to_xyxy(torch.from_numpy(np.array(x, float))) for x in (a, b))
    low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    shared = torch.relu(high - low).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return (shared / union).numpy(), union.numpy()


# generalized_iou


def hull(a, b):
    a0, a1, b0, b1 = corners(a, b)
    return (np.maximum(a1, b1) - np.minimum(a0, b0)).prod(-1)


@wrong("detr.generalized_iou", "plus for minus", says="You add the empty share of the hull:")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J + (hull(a, b) - U) / hull(a, b)


@wrong("detr.generalized_iou", "over the union", says="You divide by the union, not by the hull.")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - U) / U


@wrong(
    "detr.generalized_iou", "does not divide", says="You subtract the empty area, C − U, not its"
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - U)


@wrong(
    "detr.generalized_iou",
    "U over C alone is taken off",
    says="You subtract what of the hull is covered, U /",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - U / hull(a, b)


@wrong(
    "detr.generalized_iou",
    "the intersection for the hull",
    says="Your hull is the intersection, of which a",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    a0, a1, b0, b1 = corners(a, b)
    C = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    return J - (C - U) / C


@wrong(
    "detr.generalized_iou",
    "U left out: what is not shared for what is in neither",
    says="You take off all of the hull that is not",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - J * U) / hull(a, b)


@wrong(
    "detr.generalized_iou", "nothing below zero", says="Yours is the right answer with its negative"
)
def _(a, b):
    return generalized_iou(a, b).clip(0)


@wrong("detr.generalized_iou", "just IoU", says="You return the plain IoU.")
def _(a, b):
    return pairwise_iou(a, b)[0]


@wrong("detr.generalized_iou", "one less: the loss with its sign", says="This is the loss, 1 − G:")
def _(a, b):
    return 1 - generalized_iou(a, b)


@wrong(
    "detr.generalized_iou",
    "hull of the boxes taken for edges",
    says="You take the numbers for edges when you look",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    low, high = np.minimum(a[:, None, :2], b[:, :2]), np.maximum(a[:, None, 2:], b[:, 2:])
    C = (high - low).prod(-1)
    return J - (C - U) / C


@wrong(
    "detr.generalized_iou",
    "the sides of the hull are the sums of the sizes",
    says="Your hull is as wide and as high as both",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    C = (a[:, None, 2:] + b[:, 2:]).prod(-1)
    return J - (C - U) / C


@wrong(
    "detr.generalized_iou",
    "the hull of all boxes at once",
    says="You have one hull, around all boxes.",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    a0, a1, b0, b1 = corners(a, b)
    low = np.minimum(a0.min((0, 1)), b0.min(0))
    C = (np.maximum(a1.max((0, 1)), b1.max(0)) - low).prod()
    return J - (C - U) / C


@wrong(
    "detr.generalized_iou",
    "the hull penalty only where they do not meet",
    says="The hull counts only for boxes that do not",
)
def _(a, b):
    J, U = pairwise_iou(a, b)
    return np.where(J > 0, J, generalized_iou(a, b))


@wrong(
    "detr.generalized_iou", "distance IoU: the diagonal of the hull", says="This is distance IoU:"
)
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    diagonal = ((np.maximum(a1, b1) - np.minimum(a0, b0)) ** 2).sum(-1)
    apart = ((a[:, None, :2] - b[:, :2]) ** 2).sum(-1)
    return pairwise_iou(a, b)[0] - apart / diagonal


@right("detr.generalized_iou", "the chapter's torch function")
def _(a, b):
    a, b = cxcywh_to_xyxy(torch.from_numpy(a)), cxcywh_to_xyxy(torch.from_numpy(b))
    return giou(a[:, None], b).numpy()


@right("detr.generalized_iou", "I/U − 1 + U/C, axis by axis")
def _(a, b):
    J, U = pairwise_iou(a, b)
    C = np.ones((len(a), len(b)))
    for x in (0, 1):
        ends = [np.stack(np.broadcast_arrays((a[:, x] + s * a[:, x + 2])[:, None],
                                             (b[:, x] + s * b[:, x + 2])[None]))
                for s in (-0.5, 0.5)]  # fmt: skip
        C *= ends[1].max(0) - ends[0].min(0)
    return J - 1 + U / C


# matching_cost


def L1(boxes, true_boxes):
    return abs(boxes[:, None] - true_boxes).sum(-1)


@wrong(
    "detr.matching_cost", "plus the generalized IoU", says="A large overlap costs more in yours:"
)
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) + 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "plus the probability", says="Your probability has the wrong sign:")
def _(p, boxes, classes, true_boxes):
    return p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong(
    "detr.matching_cost",
    "the logarithm of the probability",
    says="You take the logarithm, as the loss does.",
)
def _(p, boxes, classes, true_boxes):
    G = generalized_iou(boxes, true_boxes)
    return -np.log(p[:, classes]) + 5 * L1(boxes, true_boxes) - 2 * G


@wrong("detr.matching_cost", "one minus the probability", says="You take 1 − p for −p.")
def _(p, boxes, classes, true_boxes):
    return 1 - p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "1 − G for −G", says="You use 1 − G. That adds 2 to every number")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) + 2 * (1 - generalized_iou(boxes, true_boxes))


@wrong("detr.matching_cost", "the weights exchanged", says="The weights are exchanged:")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 2 * L1(boxes, true_boxes) - 5 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "no weights", says="All three terms are there, but not their")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + L1(boxes, true_boxes) - generalized_iou(boxes, true_boxes)


@wrong(
    "detr.matching_cost",
    "the mean over the four numbers",
    says="You take the mean over the four numbers of a",
)
def _(p, boxes, classes, true_boxes):
    apart = abs(boxes[:, None] - true_boxes).mean(-1)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the Euclidean distance", says="This is the Euclidean distance.")
def _(p, boxes, classes, true_boxes):
    apart = cdist(boxes, true_boxes)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "squares for absolute values", says="You square the differences.")
def _(p, boxes, classes, true_boxes):
    apart = cdist(boxes, true_boxes, "sqeuclidean")
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "L1 of the edges", says="You compare corners. The distance is that of")
def _(p, boxes, classes, true_boxes):
    a0, a1, b0, b1 = corners(boxes, true_boxes)
    apart = abs(a0 - b0).sum(-1) + abs(a1 - b1).sum(-1)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "plain IoU", says="You use the plain IoU.")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * pairwise_iou(boxes, true_boxes)[0]


@wrong(
    "detr.matching_cost",
    "a row for each object",
    says="Yours is transposed: objects by predictions.",
)
def _(p, boxes, classes, true_boxes):
    cost = -p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)
    return cost.T


@wrong(
    "detr.matching_cost",
    "the largest probability of each prediction",
    says="You take the largest probability of a",
)
def _(p, boxes, classes, true_boxes):
    sure = p.max(1, keepdims=True)
    return -sure + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the first K columns of p")
def _(p, boxes, classes, true_boxes):
    likely = np.resize(p, (len(p), max(p.shape[1], len(classes))))[:, : len(classes)]
    return -likely + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "softmax once more", says="You put p through a softmax.")
def _(p, boxes, classes, true_boxes):
    again = np.exp(p) / np.exp(p).sum(1, keepdims=True)
    return -again[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong(
    "detr.matching_cost", "no probability at all", says="The boxes are right, but the probability"
)
def _(p, boxes, classes, true_boxes):
    return 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong(
    "detr.matching_cost",
    "the distance of the middles alone",
    says="Your distance is that of the middles.",
)
def _(p, boxes, classes, true_boxes):
    apart = cdist(boxes[:, :2], true_boxes[:, :2], "cityblock")
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "renormalized without no object")
def _(p, boxes, classes, true_boxes):
    likely = p[:, :-1] / p[:, :-1].sum(1, keepdims=True)
    return -likely[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@right("detr.matching_cost", "cdist, and one-hot classes by einsum")
def _(p, boxes, classes, true_boxes):
    likely = np.einsum("nc,kc->nk", p, np.eye(p.shape[1])[classes])
    apart = cdist(boxes, true_boxes, "cityblock")
    return 5 * apart - likely - generalized_iou(boxes, true_boxes) * 2


@right("detr.matching_cost", "pair by pair")
def _(p, boxes, classes, true_boxes):
    cost = np.empty((len(boxes), len(classes)))
    for i, k in np.ndindex(cost.shape):
        G = generalized_iou(boxes[i : i + 1], true_boxes[k : k + 1]).item()
        cost[i, k] = -p[i, classes[k]] + 5 * sum(abs(boxes[i] - true_boxes[k])) - 2 * G
    return cost


# cheapest_matching


def turned(chosen, N):
    assigned = np.full(N, -1)
    assigned[list(chosen)] = np.arange(len(chosen))
    return assigned


@wrong(
    "detr.cheapest_matching",
    "each object its best prediction",
    says="Each object takes the prediction that is",
)
def _(cost):
    return turned(cost.argmin(0), len(cost))


@wrong(
    "detr.cheapest_matching",
    "each prediction its best object",
    says="Each prediction takes the object that is",
)
def _(cost):
    return cost.argmin(1)


@wrong(
    "detr.cheapest_matching",
    "greedy, the cheapest pair first",
    says="You take the cheapest pair of all, then the",
)
def _(cost):
    assigned, cost = np.full(len(cost), -1), np.array(cost, float)
    for _ in range(cost.shape[1]):
        i, k = np.unravel_index(cost.argmin(), cost.shape)
        assigned[i] = k
        cost[i], cost[:, k] = np.inf, np.inf
    return assigned


@wrong(
    "detr.cheapest_matching",
    "greedy, object after object",
    says="Object by object, each takes the cheapest",
)
def _(cost):
    assigned = np.full(len(cost), -1)
    for k in range(cost.shape[1]):
        assigned[np.where(assigned < 0, cost[:, k], np.inf).argmin()] = k
    return assigned


@wrong("detr.cheapest_matching", "the dearest", says="You find the dearest matching.")
def _(cost):
    N, K = cost.shape
    ways = permutations(range(N), K)
    return turned(max(ways, key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong(
    "detr.cheapest_matching",
    "returns the prediction of each object",
    says="You return which prediction each object gets,",
)
def _(cost):
    N, K = cost.shape
    return np.array(min(permutations(range(N), K), key=lambda c: cost[list(c), range(K)].sum()))


@wrong("detr.cheapest_matching", "0 for none", says="Predictions without an object get 0 in yours,")
def _(cost):
    i, k = linear_sum_assignment(cost)
    assigned = np.zeros(len(cost), int)
    assigned[i] = k
    return assigned


@wrong(
    "detr.cheapest_matching", "None for none", says="The numbers are right, in a plain list, with"
)
def _(cost):
    i, k = (x.tolist() for x in linear_sum_assignment(cost))
    pairs = dict(zip(i, k))
    return [pairs.get(n) for n in range(len(cost))]


@wrong(
    "detr.cheapest_matching",
    "the predictions stay in rising order: combinations",
    says="You try each choice of predictions in one",
)
def _(cost):
    N, K = cost.shape
    return turned(min(combinations(range(N), K), key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong(
    "detr.cheapest_matching",
    "product: a prediction may be taken twice",
    says="Each object takes the prediction that is",
)
def _(cost):
    N, K = cost.shape
    ways = product(range(N), repeat=K)
    return turned(min(ways, key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong(
    "detr.cheapest_matching",
    "only the first K predictions",
    says="You try orders of the first K predictions",
)
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(K)), key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong(
    "detr.cheapest_matching",
    "the total instead",
    says="You return what the cheapest matching costs.",
)
def _(cost):
    i, k = linear_sum_assignment(cost)
    return cost[i, k].sum()


@wrong(
    "detr.cheapest_matching",
    "sums the whole block of rows and columns",
    says="Your price of a list is the sum of whole",
)
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(N), K), key=lambda c: cost[list(c)].sum()), N)


@wrong(
    "detr.cheapest_matching",
    "the best starts at zero, so no positive cost wins",
    says="Right if the cheapest total is below zero:",
)
def _(cost):
    N, K = cost.shape
    best, least = (), 0
    for chosen in permutations(range(N), K):
        if (total := sum(cost[i, k] for k, i in enumerate(chosen))) < least:
            best, least = chosen, total
    return turned(best, N) if best else np.full(N, -1)


@wrong(
    "detr.cheapest_matching",
    "writes infinity into the caller's costs",
    says="Your function changes its argument cost in",
)
def _(cost):
    i, k = linear_sum_assignment(cost)
    assigned = np.full(len(cost), -1)
    assigned[i] = k
    cost[i] = np.inf
    return assigned


@wrong(
    "detr.cheapest_matching",
    "the largest cost as small as possible",
    says="You judge a matching by its dearest pair.",
)
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(N), K), key=lambda c: cost[list(c), range(K)].max()), N)


@right("detr.cheapest_matching", "SciPy's")
def _(cost):
    assigned = -np.ones(len(cost), dtype=int)
    i, k = linear_sum_assignment(cost)
    assigned[i] = k
    return assigned


@right("detr.cheapest_matching", "recursion")
def _(cost):
    N, K = cost.shape

    def best(k, free):
        if k == K:
            return 0.0, ()
        ways = [(i, best(k + 1, free - {i})) for i in free]
        return min((cost[i, k] + rest, (i, *chosen)) for i, (rest, chosen) in ways)

    chosen = best(0, frozenset(range(N)))[1]
    return np.array([chosen.index(i) if i in chosen else -1 for i in range(N)])


# assign


@wrong("detr.assign", "the bug as it stands, rewritten", says="The bug is still there:")
def _(cost):
    assigned = np.full(len(cost), -1)
    for j, row in enumerate(linear_sum_assignment(cost)[0]):
        assigned[row] = j
    return assigned


@wrong("detr.assign", "indexes by the columns", says="Rows and columns are exchanged:")
def _(cost):
    assigned = np.full(max(cost.shape), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[columns] = rows
    return assigned[: len(cost)]


@wrong("detr.assign", "columns in rising order", says="You sort the columns.")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = np.sort(columns)
    return assigned


@wrong(
    "detr.assign", "argsort of the columns", says="You take the order in which the columns would"
)
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = columns.argsort()
    return assigned


@wrong("detr.assign", "returns the columns alone", says="You return the columns alone:")
def _(cost):
    return linear_sum_assignment(cost)[1]


@wrong("detr.assign", "maximizes", says="Now the pairs are right, but they are the")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost, maximize=True)
    assigned[rows] = columns
    return assigned


@wrong("detr.assign", "transposed costs", says="Right where every object has a prediction.")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost.T)
    assigned[columns] = np.arange(len(columns))
    return assigned


@wrong(
    "detr.assign",
    "the rows written where the columns belong",
    says="You write the row at its own place, so",
)
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = rows
    return assigned


@wrong(
    "detr.assign",
    "by position: the first rows get the columns",
    says="The first places get the columns, in the",
)
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[: len(columns)] = columns
    return assigned


@right("detr.assign", "transposed, and put right")
def _(cost):
    assigned = np.full(len(cost), -1)
    k, i = linear_sum_assignment(cost.T)
    np.put(assigned, i, k)
    return assigned


@right("detr.assign", "a table of ones")
def _(cost):
    table = np.zeros((len(cost), cost.shape[1] + 1))
    table[:, -1] = 0.5
    table[linear_sum_assignment(cost)] = 1
    return np.where(table.argmax(1) == cost.shape[1], -1, table.argmax(1))


# set_loss


def parts(logits, boxes, classes, true_boxes, assigned, **change):
    """All right, but for what is changed"""
    C = logits.shape[-1] - 1
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    thing = assigned[picture, query]
    target = torch.full_like(assigned, C)
    target[picture, query] = classes[picture, thing]
    weight = torch.ones(C + 1, dtype=logits.dtype)
    weight[change.get("quiet", C)] = change.get("no_object", 0.1)
    found, wanted = boxes[picture, query], true_boxes[picture, thing]
    objects = change.get("objects", (classes >= 0).sum())
    overlap = change.get("overlap", giou)
    return {
        "class": F.cross_entropy(logits.mT, target, weight, **change.get("ce", {})),
        "l1": (found - wanted).abs().sum() / objects,
        "giou": (1 - overlap(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))).sum() / objects,
    }


@wrong("detr.set_loss", "no object weighs 1", says="All weigh the same in yours, those that")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, no_object=1)


@wrong("detr.set_loss", "the first class weighs 0.1", says="class is wrong already:")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, quiet=0)


@wrong(
    "detr.set_loss", "weighted, and a plain mean", says="Your cross-entropy is a plain mean of the"
)
def _(logits, boxes, classes, true_boxes, assigned):
    all_parts = parts(logits, boxes, classes, true_boxes, assigned, ce={"reduction": "none"})
    return {**all_parts, "class": all_parts["class"].mean()}


@wrong("detr.set_loss", "the sum of the cross-entropies", says="class is wrong already:")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, ce={"reduction": "sum"})


@wrong(
    "detr.set_loss",
    "cross-entropy of the pairs alone",
    says="Predictions without an object take no part in",
)
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    kinds = classes[picture, assigned[picture, query]]
    own = F.cross_entropy(logits[picture, query], kinds)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": own}


@wrong(
    "detr.set_loss",
    "divides by the predictions",
    says="You divide the boxes' losses by the number of",
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=assigned.numel())


@wrong(
    "detr.set_loss", "divides by the pictures", says="You divide the boxes' losses by the number of"
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=len(assigned))


@wrong(
    "detr.set_loss",
    "divides by B times K, absent objects too",
    says="You count the places for objects, the empty",
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=classes.numel())


@wrong(
    "detr.set_loss", "divides by the pairs", says="You divide the boxes' losses by the number of"
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=(assigned >= 0).sum())


@wrong("detr.set_loss", "divides by nothing", says="l1 is where the chain breaks:")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=1)


@wrong(
    "detr.set_loss",
    "F.l1_loss: a mean over the four numbers too",
    says="Your L1 is a mean over the four numbers too,",
)
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    l1 = F.l1_loss(boxes[picture, query], true_boxes[picture, assigned[picture, query]])
    return {**parts(logits, boxes, classes, true_boxes, assigned), "l1": l1}


@wrong("detr.set_loss", "picture by picture, and then the mean", says="class is wrong already:")
def _(logits, boxes, classes, true_boxes, assigned):
    each = []
    for one in zip(logits, boxes, classes, true_boxes, assigned):
        one = [x[None] for x in one]
        each.append(parts(*one, objects=(one[2] >= 0).sum().clamp(min=1)))
    return {name: torch.stack([e[name] for e in each]).mean() for name in each[0]}


@wrong(
    "detr.set_loss",
    "boxes go to giou as cx, cy, w, h",
    says="You hand cx, cy, w, h to `giou`, which takes",
)
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    G = giou(boxes[picture, query], true_boxes[picture, assigned[picture, query]])
    all_parts = parts(logits, boxes, classes, true_boxes, assigned)
    return {**all_parts, "giou": (1 - G).sum() / (classes >= 0).sum()}


@wrong(
    "detr.set_loss",
    "the sum of G for that of 1 − G",
    says="Your giou is G itself, which rises where the",
)
def _(logits, boxes, classes, true_boxes, assigned):
    same = parts(logits, boxes, classes, true_boxes, assigned)
    other = parts(logits, boxes, classes, true_boxes, assigned, overlap=lambda a, b: 1 - giou(a, b))
    return {**same, "giou": other["giou"]}


@wrong("detr.set_loss", "minus G", says="giou is where the chain breaks:")
def _(logits, boxes, classes, true_boxes, assigned):
    other = parts(logits, boxes, classes, true_boxes, assigned, overlap=lambda a, b: 1 + giou(a, b))
    return other


@wrong("detr.set_loss", "1 − IoU", says="You use the plain IoU:")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, overlap=iou)


@wrong("detr.set_loss", "takes prediction k for object k", says="l1 is where the chain breaks:")
def _(logits, boxes, classes, true_boxes, assigned):
    there = classes >= 0
    picture, thing = there.nonzero(as_tuple=True)
    query = thing.clamp(max=boxes.shape[1] - 1)
    found, wanted = boxes[picture, query], true_boxes[picture, thing]
    G = giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
    return {
        **parts(logits, boxes, classes, true_boxes, assigned),
        "l1": (found - wanted).abs().sum() / there.sum(),
        "giou": (1 - G).sum() / there.sum(),
    }


@wrong(
    "detr.set_loss",
    "−1 as an index: those without an object are held to the last box",
    says="l1 is where the chain breaks:",
)
def _(logits, boxes, classes, true_boxes, assigned):
    rows = torch.arange(len(boxes))[:, None]
    wanted = true_boxes[rows, assigned]
    G = giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(wanted))
    return {
        **parts(logits, boxes, classes, true_boxes, assigned),
        "l1": (boxes - wanted).abs().sum() / (classes >= 0).sum(),
        "giou": (1 - G).sum() / (classes >= 0).sum(),
    }


@wrong(
    "detr.set_loss",
    "softmax before cross-entropy",
    says="You hand probabilities to `F.cross_entropy`,",
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits.softmax(-1), boxes, classes, true_boxes, assigned)


@wrong("detr.set_loss", "detaches the boxes", says="The numbers are right, but cut from")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes.detach(), classes, true_boxes, assigned)


@wrong("detr.set_loss", "gives plain numbers by item", says="class is wrong already:")
def _(logits, boxes, classes, true_boxes, assigned):
    all_parts = parts(logits, boxes, classes, true_boxes, assigned)
    return {name: part.item() for name, part in all_parts.items()}


@wrong(
    "detr.set_loss", "weighs the parts already", says="Your l1 and giou are weighed already, by 5"
)
def _(logits, boxes, classes, true_boxes, assigned):
    p = parts(logits, boxes, classes, true_boxes, assigned)
    return {"class": p["class"], "l1": 5 * p["l1"], "giou": 2 * p["giou"]}


@wrong(
    "detr.set_loss", "target 0 where there is none", says='Your "no object" is class 0, which is an'
)
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    target = torch.zeros_like(assigned)
    target[picture, query] = classes[picture, assigned[picture, query]]
    weight = torch.ones(logits.shape[-1], dtype=logits.dtype)
    weight[-1] = 0.1
    entropy = F.cross_entropy(logits.mT, target, weight)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": entropy}


@wrong(
    "detr.set_loss",
    "the target holds the object's number and not its class",
    says="Your target is the number of the object,",
)
def _(logits, boxes, classes, true_boxes, assigned):
    C = logits.shape[-1] - 1
    target = torch.where(assigned >= 0, assigned.clamp(max=C), C)
    weight = torch.ones(C + 1, dtype=logits.dtype)
    weight[-1] = 0.1
    entropy = F.cross_entropy(logits.mT, target, weight)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": entropy}


@wrong(
    "detr.set_loss",
    "no object has no part: ignore_index",
    says="Predictions without an object take no part in",
)
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, no_object=0)


@right("detr.set_loss", "loops, and the logarithm by hand")
def _(logits, boxes, classes, true_boxes, assigned):
    B, N, C = logits.shape[0], logits.shape[1], logits.shape[2] - 1
    said = logits.log_softmax(-1)
    entropy = weights = l1 = overlap = 0
    for b in range(B):
        for n in range(N):
            k = int(assigned[b, n])
            if k < 0:
                entropy, weights = entropy - 0.1 * said[b, n, C], weights + 0.1
                continue
            entropy, weights = entropy - said[b, n, classes[b, k]], weights + 1
            l1 = l1 + (boxes[b, n] - true_boxes[b, k]).abs().sum()
            pair = cxcywh_to_xyxy(boxes[b, n]), cxcywh_to_xyxy(true_boxes[b, k])
            overlap = overlap + 1 - giou(*pair)
    objects = sum(int(k >= 0) for row in classes for k in row)
    return {"class": entropy / weights, "giou": overlap / objects, "l1": l1 / objects}


@right("detr.set_loss", "gather, and masks instead of pairs")
def _(logits, boxes, classes, true_boxes, assigned):
    has, index = assigned >= 0, assigned.clamp(min=0)
    C = logits.shape[-1] - 1
    target = torch.where(has, classes.gather(1, index), C)
    wanted = true_boxes.gather(1, index[..., None].expand(-1, -1, 4))
    weight = torch.where(has, 1.0, 0.1)
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    G = giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(wanted))
    objects = (classes != -1).sum()
    return {
        "class": (each * weight.flatten()).sum() / weight.sum(),
        "l1": F.l1_loss(boxes[has], wanted[has], reduction="sum") / objects,
        "giou": (1 - G)[has].sum() / objects,
    }


# DETR


class Parts(nn.Module):
    """All right; the answers change a part."""

    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__()
        layer = dim, heads, hidden
        self.backbone = TinyBackbone(channels)
        self.project = nn.Conv2d(channels, dim, kernel_size=1)
        self.encoder = nn.ModuleList([DETREncoderLayer(*layer) for _ in range(depth)])
        self.decoder = nn.ModuleList([DETRDecoderLayer(*layer) for _ in range(depth)])
        self.queries = nn.Parameter(torch.randn(queries, dim))
        self.norm = nn.LayerNorm(dim)
        self.class_head = nn.Linear(dim, classes + 1)
        self.box_head = BoxHead(dim)

    def tokens(self, images):
        x = self.project(self.backbone(images))
        return x.flatten(2).mT, sine_positions_2d(*x.shape[-2:], x.shape[1])

    def memory(self, images):
        x, places = self.tokens(images)
        for layer in self.encoder:
            x = layer(x, places)
        return x, places

    def start(self, images):
        return torch.zeros(len(images), *self.queries.shape)

    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
        return x

    def heads(self, x):
        return self.class_head(x), self.box_head(x).sigmoid()

    def forward(self, images):
        return self.heads(self.norm(self.decoded(images)))


@wrong("detr.DETR", "no class for no object", says="class_head.weight has the shape (1, 4),")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.class_head = nn.Linear(dim, classes)


@wrong("detr.DETR", "no sigmoid", says="Your boxes have any size, below 0 and above")
class _(Parts):
    def heads(self, x):
        return self.class_head(x), self.box_head(x)


@wrong("detr.DETR", "softmax on the logits", says="You give probabilities.")
class _(Parts):
    def heads(self, x):
        return self.class_head(x).softmax(-1), self.box_head(x).sigmoid()


@wrong("detr.DETR", "sigmoid on the logits too")
class _(Parts):
    def heads(self, x):
        return self.class_head(x).sigmoid(), self.box_head(x).sigmoid()


@wrong("detr.DETR", "boxes first", says="Boxes come first in yours.")
class _(Parts):
    def heads(self, x):
        return self.box_head(x).sigmoid(), self.class_head(x)


@wrong("detr.DETR", "no norm", says="The last norm is missing, or only one of the")
class _(Parts):
    def forward(self, images):
        return self.heads(self.decoded(images))


@wrong("detr.DETR", "the norm for the classes alone")
class _(Parts):
    def forward(self, images):
        x = self.decoded(images)
        return self.class_head(self.norm(x)), self.box_head(x).sigmoid()


@wrong(
    "detr.DETR",
    "the decoder starts from the queries",
    says="Your decoder starts from the queries, and",
)
class _(Parts):
    def start(self, images):
        return self.queries.expand(len(images), -1, -1)


@wrong(
    "detr.DETR",
    "the queries as start and nothing beside it",
    says="The queries are what your decoder starts",
)
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.queries.expand(len(images), -1, -1)
        for layer in self.decoder:
            x = layer(x, memory, torch.zeros_like(self.queries), places)
        return x


@wrong(
    "detr.DETR",
    "positions added to the tokens",
    says="The positions are added to the tokens, and no",
)
class _(Parts):
    def tokens(self, images):
        x, places = super().tokens(images)
        return x + places, torch.zeros_like(places)


@wrong(
    "detr.DETR",
    "positions added to the tokens, and beside",
    says="The positions are added to the tokens",
)
class _(Parts):
    def tokens(self, images):
        x, places = super().tokens(images)
        return x + places, places


@wrong(
    "detr.DETR", "reshape instead of flatten and transpose", says="A reshape alone makes no tokens:"
)
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        B, D, h, w = x.shape
        return x.reshape(B, h * w, D), sine_positions_2d(h, w, D)


@wrong("detr.DETR", "columns before rows", says="Your tokens go down the columns of the map;")
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        return x.mT.flatten(2).mT, sine_positions_2d(*x.shape[-2:], x.shape[1])


@wrong("detr.DETR", "h and w exchanged in the positions", says="Right for square pictures:")
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        return x.flatten(2).mT, sine_positions_2d(*x.shape[:-3:-1], x.shape[1])


@wrong(
    "detr.DETR",
    "the decoder reads what the encoder got",
    says="The decoder reads the convolutions' tokens;",
)
class _(Parts):
    def decoded(self, images):
        memory, places = self.tokens(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
        return x


@wrong("detr.DETR", "no positions in the decoder", says="Your decoder gets no positions of the")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, torch.zeros_like(places))
        return x


@wrong(
    "detr.DETR", "the loop forgets x: each layer starts from zeros", says="Right with one layer:"
)
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        for layer in self.decoder:
            x = layer(self.start(images), memory, self.queries, places)
        return x


@wrong("detr.DETR", "queries begin with deviation 0.02", says="right but for how queries begins.")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        nn.init.normal_(self.queries, std=0.02)


@wrong("detr.DETR", "queries are no parameter", says="queries is a plain tensor, expected a")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        del self.queries
        self.queries = torch.randn(queries, dim)


@wrong("detr.DETR", "queries are an embedding", says="queries is missing: a parameter of shape (2,")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        del self.queries
        self.queries = nn.Embedding(queries, dim)

    def decoded(self, images):
        memory, places = self.memory(images)
        x = torch.zeros(len(images), *self.queries.weight.shape)
        for layer in self.decoder:
            x = layer(x, memory, self.queries.weight, places)
        return x


@wrong("detr.DETR", "one decoder layer again and again", says="decoder.1.attention.to_q.weight is")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.decoder = nn.ModuleList([DETRDecoderLayer(dim, heads, hidden)] * depth)


@wrong("detr.DETR", "layers in plain lists", says="encoder is a plain list:")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        del self.encoder
        self.encoder = [DETREncoderLayer(dim, heads, hidden) for _ in range(depth)]


@wrong("detr.DETR", "a convolution of 3 × 3", says="project.weight has the shape (4, 4, 3, 3),")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.project = nn.Conv2d(channels, dim, 3, padding=1)


@wrong("detr.DETR", "a linear map for box_head", says="box_head.0 is missing, with 2 weights")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.box_head = nn.Linear(dim, 4)


@wrong("detr.DETR", "a pair for each layer")
class _(Parts):
    def forward(self, images):
        return [Parts.forward(self, images)] * len(self.decoder)


@wrong(
    "detr.DETR", "queries and places exchanged in the decoder's call", says="Two shapes do not fit."
)
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, places, self.queries)
        return x


@wrong("detr.DETR", "queries detached", says="gradient of queries is where the chain")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries.detach(), places)
        return x


@wrong("detr.DETR", "boxes turned into edges")
class _(Parts):
    def heads(self, x):
        return self.class_head(x), cxcywh_to_xyxy(self.box_head(x).sigmoid())


@right("detr.DETR", "Sequential as lists, einsum and repeats")
class _(nn.Module):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__()
        self.norm, self.box_head = nn.LayerNorm(dim), BoxHead(dim)
        self.class_head = nn.Linear(dim, 1 + classes)
        self.encoder, self.decoder = nn.Sequential(), nn.Sequential()
        for _ in range(depth):
            self.encoder.append(DETREncoderLayer(dim, heads, hidden))
            self.decoder.append(DETRDecoderLayer(dim, heads, hidden))
        self.queries = nn.Parameter(torch.empty(queries, dim))
        nn.init.normal_(self.queries)
        self.backbone, self.project = TinyBackbone(channels), nn.Conv2d(channels, dim, (1, 1))

    def forward(self, images):
        features = torch.einsum("bdhw->bhwd", self.project(self.backbone(images)))
        B, h, w, D = features.shape
        memory = features.reshape(B, h * w, D)
        places = sine_positions_2d(h, w, D).repeat(B, 1, 1)
        queries = self.queries.repeat(B, 1, 1)
        for layer in self.encoder:
            memory = layer(memory, places)
        x = queries * 0
        for layer in self.decoder:
            x = layer(x, memory, queries, places)
        x = self.norm(x)
        return [self.class_head(x), 1 / (1 + torch.exp(-self.box_head(x)))]


@right("detr.DETR", "image by image")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.queries = nn.Parameter(torch.randn_like(self.queries))

    def forward(self, images):
        maps = self.project(self.backbone(images))  # batch norm sees the whole batch
        answers = []
        for one in maps:
            x, places = (
                one[None].flatten(2).transpose(1, 2),
                sine_positions_2d(*one.shape[1:], len(one)),
            )
            for layer in self.encoder:
                x = layer(x, places)
            y = torch.zeros_like(self.queries)[None]
            for layer in self.decoder:
                y = layer(y, x, self.queries, places)
            answers.append(self.heads(self.norm(y)))
        return tuple(torch.cat(each) for each in zip(*answers))


# training_step


def set_loss(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned)


def whole(p):
    return p["class"] + 5 * p["l1"] + 2 * p["giou"]


def loss_of(model, images, *objects):
    said = model(images)
    return whole(set_loss(*said, *objects, match(*said, *objects)))


def clip(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@wrong("detr.training_step", "old gradients stay", says="Old gradients are not cleared:")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "mode is left as it is",
    says="The model learns in evaluation mode, in which",
)
def _(model, optimizer, images, classes, true_boxes):
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "no clipping", says="The gradient is used as it is, or cut when it")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "clips before backward",
    says="The gradient is used as it is, or cut when it",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    clip(model)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "clips after the step",
    says="The gradient is used as it is, or cut when it",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    clip(model)
    return loss.item()


@wrong(
    "detr.training_step",
    "clips each weight by itself",
    says="You cut the gradient of each weight by",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_(weight, 1.0)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "clips values for the norm",
    says="weights after step 1 is where the chain",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clips to 0.1", says="weights after step 1 is where the chain")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step", "clears after backward", says="No weight moves. Is `backward` or `step`"
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    loss.backward()
    optimizer.zero_grad()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "no weights", says="The three parts are added as they are.")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    said = model(images)
    loss = sum(set_loss(*said, classes, true_boxes, match(*said, classes, true_boxes)).values())
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "the weights of l1 and giou exchanged",
    says="The weights of l1 and giou are exchanged:",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    said = model(images)
    p = set_loss(*said, classes, true_boxes, match(*said, classes, true_boxes))
    loss = p["class"] + 2 * p["l1"] + 5 * p["giou"]
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "minus giou, as in the cost",
    says="You subtract giou, as in the cost of a",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    said = model(images)
    p = set_loss(*said, classes, true_boxes, match(*said, classes, true_boxes))
    loss = p["class"] + 5 * p["l1"] - 2 * p["giou"]
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "returns a tensor", says="the loss is a tensor that keeps its whole")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss


@wrong("detr.training_step", "the loss after the step", says="You return the loss after the step.")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    with torch.no_grad():
        return loss_of(model, images, classes, true_boxes).item()


@wrong("detr.training_step", "no step", says="No weight moves. Is `backward` or `step`")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    return loss.item()


@wrong(
    "detr.training_step",
    "matches by a second pass, with other dropout",
    says="Right without dropout:",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    with torch.no_grad():
        assigned = match(*model(images), classes, true_boxes)
    loss = whole(set_loss(*model(images), classes, true_boxes, assigned))
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "matches in evaluation mode", says="Right without dropout:")
def _(model, optimizer, images, classes, true_boxes):
    model.eval()
    with torch.no_grad():
        assigned = match(*model(images), classes, true_boxes)
    model.train()
    loss = whole(set_loss(*model(images), classes, true_boxes, assigned))
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "object k to prediction k, no matching",
    says="Nobody matches: prediction i answers for",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    said = model(images)
    assigned = torch.full(said[0].shape[:2], -1)
    n = min(assigned.shape[1], classes.shape[1])
    assigned[:, :n] = torch.where(classes >= 0, torch.arange(classes.shape[1]), -1)[:, :n]
    loss = whole(set_loss(*said, classes, true_boxes, assigned))
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step",
    "the probabilities go to match",
    says="You match with probabilities where `match`",
)
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    logits, boxes = model(images)
    assigned = match(logits.softmax(-1), boxes, classes, true_boxes)
    loss = whole(set_loss(logits, boxes, classes, true_boxes, assigned))
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong(
    "detr.training_step", "evaluation mode", says="The model learns in evaluation mode, in which"
)
def _(model, optimizer, images, classes, true_boxes):
    model.eval()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@right("detr.training_step", "clips by hand")
def _(model, optimizer, images, classes, true_boxes):
    model.zero_grad()
    loss = loss_of(model.train(), images, classes, true_boxes)
    loss.backward()
    grads = [w.grad for w in model.parameters() if w.grad is not None]
    norm = sum((g**2).sum() for g in grads).sqrt()
    if norm > 1:
        for g in grads:
            g.div_(norm)
    optimizer.step()
    return float(loss)


@right("detr.training_step", "gradients by autograd.grad")
def _(model, optimizer, images, classes, true_boxes):
    for module in model.modules():
        module.training = True
    loss = loss_of(model, images, classes, true_boxes)
    weights = list(model.parameters())
    for w, g in zip(weights, torch.autograd.grad(loss, weights, allow_unused=True)):
        w.grad = g
    torch.nn.utils.clip_grad_norm_(weights, max_norm=1)
    optimizer.step()
    return loss.detach().tolist()


# augment


def search(reduced, row_of, i, change=""):
    """Dijkstra with a planted mistake, or without one"""
    K, N = reduced.shape
    if not (row_of == -1).any():
        raise ValueError("no column is free")
    lengths, before = np.full(N, np.inf), np.full(N, -1)
    settled, row, so_far, last = np.zeros(N, bool), i, 0.0, -1
    while True:
        via = reduced[row] + (0 if change == "no sum" else so_far)
        shorter = ~settled & (via < lengths)
        lengths[shorter], before[shorter] = via[shorter], last
        last = np.where(settled, np.inf, lengths).argmin()
        settled[last] = True
        so_far = lengths[last]
        if row_of[last] == -1:
            break
        row = row_of[last]
    after = row_of if change == "in place" else row_of.copy()
    end = last
    while last != -1:
        came = before[last]
        if change == "no moves" and last != end:
            break
        after[last] = i if came == -1 or change == "no moves" else row_of[came]
        last = came
    return after, lengths if change == "uncut" else np.minimum(lengths, so_far)


@wrong(
    "detr.augment",
    "the nearest free column, and nobody moves",
    says="Row i takes the nearest free column, and",
)
def _(reduced, row_of, i):
    free = np.flatnonzero(row_of == -1)
    if not len(free):
        raise ValueError("none is free")
    column = free[reduced[i, free].argmin()]
    after = row_of.copy()
    after[column] = i
    return after, np.minimum(reduced[i], reduced[i, column])


@wrong(
    "detr.augment",
    "lengths not cut at the end of the path",
    says="The matching is right, but the lengths of",
)
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "uncut")


@wrong("detr.augment", "steps and not sums: Prim for Dijkstra", says="Your steps are not added up:")
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "no sum")


@wrong(
    "detr.augment", "changes row_of in place", says="Your function changes its argument row_of in"
)
def _(reduced, row_of, i):
    if not (row_of == -1).any():
        raise ValueError
    after, lengths = search(reduced, row_of.copy(), i)
    row_of[:] = after
    return row_of, lengths


@wrong(
    "detr.augment",
    "row i gets the last column, others stay",
    says="The last column goes to row i itself, and",
)
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "no moves")


@wrong(
    "detr.augment",
    "walks back while it overwrites",
    says="Your function changes its argument row_of in",
)
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "in place")


@wrong("detr.augment", "at most one row moves", says="You move one row at most.")
def _(reduced, row_of, i):
    free = np.flatnonzero(row_of == -1)
    if not len(free):
        raise ValueError("none is free")
    lengths = reduced[i].astype(float).copy()
    before = np.full(len(row_of), -1)
    for c in np.flatnonzero(row_of != -1):
        for j in range(len(row_of)):
            if reduced[i, c] + reduced[row_of[c], j] < lengths[j]:
                lengths[j], before[j] = reduced[i, c] + reduced[row_of[c], j], c
    end = free[lengths[free].argmin()]
    after = row_of.copy()
    if before[end] == -1:
        after[end] = i
    else:
        after[end], after[before[end]] = row_of[before[end]], i
    return after, np.minimum(lengths, lengths[end])


@wrong(
    "detr.augment",
    "no ValueError: gives back what it got",
    says="Right wherever there is an answer.",
)
def _(reduced, row_of, i):
    if not (row_of == -1).any():
        return row_of.copy(), np.zeros(len(row_of))
    return search(reduced, row_of, i)


@wrong(
    "detr.augment",
    "asserts instead of ValueError",
    says="What should be refused is refused, but with",
)
def _(reduced, row_of, i):
    assert (row_of == -1).any()
    return search(reduced, row_of, i)


@wrong(
    "detr.augment",
    "IndexError when none is free",
    says="What should be refused is refused, but with",
)
def _(reduced, row_of, i):
    np.flatnonzero(row_of == -1)[0]
    return search(reduced, row_of, i)


@wrong(
    "detr.augment",
    "lengths of unreached columns stay infinite",
    says="Lengths that are at least as long as the",
)
def _(reduced, row_of, i):
    after, lengths = search(reduced, row_of, i)
    end = lengths.max()
    return after, np.where(lengths < end, lengths, np.inf)


@wrong(
    "detr.augment",
    "greedy chain: always on to the cheapest new column",
    says="Each row throws out whoever has the column",
)
def _(reduced, row_of, i):
    if not (row_of == -1).any():
        raise ValueError
    after, row, seen, length = row_of.copy(), i, [], 0.0
    lengths = np.full(len(row_of), np.inf)
    while row != -1:
        costs = reduced[row].astype(float).copy()
        costs[seen] = np.inf
        column = costs.argmin()
        length += costs[column]
        lengths[column] = length
        seen.append(column)
        row, after[column] = after[column], row
    return after, np.minimum(lengths, length)


@wrong("detr.augment", "gives only row_of", says="You return one of the 2 values that the task")
def _(reduced, row_of, i):
    return search(reduced, row_of, i)[0]


@wrong("detr.augment", "gives the column of each row", says="Axis -1 of yours is one too short.")
def _(reduced, row_of, i):
    after, lengths = search(reduced, row_of, i)
    column_of = np.full(len(reduced), -1)
    column_of[after[after != -1]] = np.flatnonzero(after != -1)
    return column_of, lengths


@wrong(
    "detr.augment",
    "lengths of one step",
    says="Wrong exactly where axis -1 of reduced has a",
)
def _(reduced, row_of, i):
    after, _ = search(reduced, row_of, i)
    return after, reduced[i].copy()


@right("detr.augment", "a heap")
def _(reduced, row_of, i):
    if -1 not in row_of:
        raise ValueError("no column is free")
    done, origin, heap = {}, {}, [(c, j, i) for j, c in enumerate(reduced[i])]
    heapq.heapify(heap)
    while True:
        length, column, row = heapq.heappop(heap)
        if column in done:
            continue
        done[column], origin[column] = length, row
        owner = row_of[column]
        if owner == -1:
            break
        for j, c in enumerate(reduced[owner]):
            heapq.heappush(heap, (length + c, j, owner))
    after, at = row_of.copy(), column
    while True:
        row = origin[at]
        after[at] = row
        if row == i:
            break
        at = int(np.flatnonzero(row_of == row)[0])
    return after, np.array([done.get(j, length) for j in range(len(row_of))])


@right("detr.augment", "Bellman and Ford")
def _(reduced, row_of, i):
    free = row_of == -1
    if not free.any():
        raise ValueError("no column is free")
    lengths, came = reduced[i].astype(np.float64), np.full(len(row_of), i)
    where = {row: column for column, row in enumerate(row_of) if row != -1}
    for _ in row_of:
        for row, column in where.items():
            shorter = lengths[column] + reduced[row] < lengths - 1e-12
            shorter[column] = False
            lengths[shorter], came[shorter] = lengths[column] + reduced[row][shorter], row
    end = int(np.where(free, lengths, np.inf).argmin())
    after, column = row_of.copy(), end
    while (row := came[column]) != i:
        after[column], column = row, where[row]
    after[column] = i
    return after, np.minimum(lengths, lengths[end])


# iou_backward


def by_hand(dG, a, b, generalized, change=""):
    """The gradient with a planted mistake, or without one"""
    (a0, a1), (b0, b1) = edges(a), edges(b)
    side = np.minimum(a1, b1) - np.maximum(a0, b0)
    cut = side if change == "negative sides" else side.clip(0)
    around = np.maximum(a1, b1) - np.minimum(a0, b0)
    I, C = cut.prod(1), around.prod(1)
    U = a[:, 2:].prod(1) + b[:, 2:].prod(1) - I
    dU = dG * ((1 / C if generalized else 0) - I / U**2)
    dC = dG * (-U / C**2 if generalized else np.zeros(len(a)))
    dI = dG / U - (0 if change == "I not in U" else dU)
    dside = dI[:, None] * cut[:, ::-1] * (1 if change == "cut sides pass" else side > 0)
    daround = dC[:, None] * around[:, ::-1]
    if change == "own side":
        dside, daround = dI[:, None] * cut * (side > 0), dC[:, None] * around
    own_low, own_high = (a0 > b0, a1 < b1) if change != "all edges" else (1, 1)
    out_low, out_high = (a0 < b0, a1 > b1) if change != "all edges" else (1, 1)
    dlow = -dside * own_low - daround * out_low
    dhigh = dside * own_high + daround * out_high
    if change == "low sign":
        dlow = -dlow
    dsize = (dhigh - dlow) / (1 if change == "no half" else 2)
    if change != "no area":
        dsize = dsize + dU[:, None] * (a[:, 2:] if change == "area own side" else a[:, :1:-1])
    return {"dU": dU, "dC": dC, "dI": dI, "dboxes": np.concatenate([dlow + dhigh, dsize], 1)}


@wrong(
    "detr.iou_backward", "forgets that I stands in U", says="Your dI has only the I of J = I / U."
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "I not in U")


@wrong(
    "detr.iou_backward", "forgets the area of a", says="The areas are right, but a's own area is"
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "no area")


@wrong(
    "detr.iou_backward",
    "the area's gradient times the same side",
    says="The areas are right, but of a's own area each",
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "area own side")


@wrong(
    "detr.iou_backward", "sides times themselves", says="The areas are right. On the way to the box"
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "own side")


@wrong("detr.iou_backward", "every edge is a's", says="The areas are right, but every edge goes to")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "all edges")


@wrong(
    "detr.iou_backward", "no half for the size", says="The areas are right. From edges to a size"
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "no half")


@wrong(
    "detr.iou_backward",
    "sides that were cut pass a gradient",
    says="The areas are right. Where the boxes are",
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "cut sides pass")


@wrong("detr.iou_backward", "sides are not cut at zero", says="dU is wrong already: begin there.")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "negative sides")


@wrong(
    "detr.iou_backward",
    "the sign of the lower edge",
    says="The areas are right. A lower edge has the",
)
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "low sign")


@wrong("detr.iou_backward", "always generalized", says="You take G for generalized always.")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, True)


@wrong("detr.iou_backward", "always plain", says="You take G for plain IoU always.")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, False)


@wrong("detr.iou_backward", "dG left out", says="dG is not in yours: every pair gets the")
def _(dG, a, b, generalized):
    return by_hand(np.ones_like(dG), a, b, generalized)


@wrong("detr.iou_backward", "dC with a plus", says="dC: The sign is wrong:")
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dC": -given["dC"]}


@wrong("detr.iou_backward", "gradient of the loss 1 − G", says="dU: The sign is wrong:")
def _(dG, a, b, generalized):
    return by_hand(-dG, a, b, generalized)


@wrong(
    "detr.iou_backward",
    "gradient of the edges for the boxes",
    says="dboxes is where the chain breaks:",
)
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    middle, size = np.split(given["dboxes"], 2, axis=1)
    return {**given, "dboxes": np.concatenate([middle / 2 - size, middle / 2 + size], 1)}


@wrong(
    "detr.iou_backward", "the gradient of b", says="The areas are right, but dboxes is that of b."
)
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dboxes": by_hand(dG, b, a, generalized)["dboxes"]}


@wrong(
    "detr.iou_backward",
    "dU and dI exchanged",
    says="dU and dI are exchanged.",
)
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dU": given["dI"], "dI": given["dU"]}


@wrong("detr.iou_backward", "dU without the hull", says="dU is wrong already: begin there.")
def _(dG, a, b, generalized):
    return {**by_hand(dG, a, b, generalized), "dU": by_hand(dG, a, b, False)["dU"]}


@right("detr.iou_backward", "autograd in double precision")
def _(dG, a, b, generalized):
    a, b, dG = (torch.tensor(np.array(x, np.float64)) for x in (a, b, dG))
    a.requires_grad_()
    (p, q), (r, s) = edges(a), edges(b)
    I = torch.relu(torch.minimum(q, s) - torch.maximum(p, r)).prod(1)
    C = (torch.maximum(q, s) - torch.minimum(p, r)).prod(1)
    U = a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - I
    G = I / U - (C - U) / C if generalized else I / U + 0 * C
    d = torch.autograd.grad((dG * G).sum(), (U, C, I, a))
    return {name: x.numpy() for name, x in zip(("dU", "dC", "dI", "dboxes"), d)}


@right("detr.iou_backward", "pair by pair, with ifs")
def _(dG, a, b, generalized):
    out = {"dU": [], "dC": [], "dI": [], "dboxes": []}
    for g, p, q in zip(dG, a, b):
        lows = [(p[x] - p[x + 2] / 2, q[x] - q[x + 2] / 2) for x in (0, 1)]
        highs = [(p[x] + p[x + 2] / 2, q[x] + q[x + 2] / 2) for x in (0, 1)]
        sides = [max(min(h) - max(low), 0) for low, h in zip(lows, highs)]
        hulls = [max(h) - min(low) for low, h in zip(lows, highs)]
        I, C = sides[0] * sides[1], hulls[0] * hulls[1]
        U = p[2] * p[3] + q[2] * q[3] - I
        dU, dC = -g * I / U**2, 0.0
        if generalized:
            dU, dC = dU + g / C, -g * U / C**2
        dI = g / U - dU
        d = [0.0, 0.0, dU * p[3], dU * p[2]]
        for x in (0, 1):
            low = high = 0.0
            if sides[x] > 0:
                low -= dI * sides[1 - x] if lows[x][0] > lows[x][1] else 0
                high += dI * sides[1 - x] if highs[x][0] < highs[x][1] else 0
            low -= dC * hulls[1 - x] if lows[x][0] < lows[x][1] else 0
            high += dC * hulls[1 - x] if highs[x][0] > highs[x][1] else 0
            d[x], d[x + 2] = low + high, d[x + 2] + (high - low) / 2
        for name, value in zip(out, (dU, dC, dI, d)):
            out[name].append(value)
    return {name: np.array(values) for name, values in out.items()}


# right_boxes


def taking(overlap, threshold, choose):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        k = choose(row, free)
        if k is not None and free[k] and row[k] >= threshold:
            free[k], good[i] = False, True
    return good


@wrong("detr.right_boxes", "an object is right again and again", says="Duplicates count as right:")
def _(overlap, threshold):
    return (overlap >= threshold).any(1)


@wrong(
    "detr.right_boxes",
    "the best object of all, free or not",
    says="A box whose best object is taken counts as",
)
def _(overlap, threshold):
    return taking(overlap, threshold, lambda row, free: row.argmax() if len(row) else None)


@wrong(
    "detr.right_boxes", "more than the threshold", says="An overlap of just the threshold is not"
)
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        if free.any():
            k = np.where(free, row, -1).argmax()
            if row[k] > threshold:
                free[k], good[i] = False, True
    return good


@wrong(
    "detr.right_boxes",
    "the first free object that is enough",
    says="Each box takes the first free object that is",
)
def _(overlap, threshold):
    def first(row, free):
        enough = np.flatnonzero(free & (row >= threshold))
        return enough[0] if len(enough) else None

    return taking(overlap, threshold, first)


@wrong(
    "detr.right_boxes",
    "takes the object though it is not enough",
    says="An object is gone once a box has asked for",
)
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        if free.any():
            k = np.where(free, row, -1).argmax()
            free[k], good[i] = False, row[k] >= threshold
    return good


@wrong(
    "detr.right_boxes", "from the least sure on", says="You begin with the last box, which is the"
)
def _(overlap, threshold):
    def best(row, free):
        return np.where(free, row, -1).argmax() if len(row) else None

    return taking(overlap[::-1], threshold, best)[::-1]


@wrong(
    "detr.right_boxes",
    "the boxes with the largest overlap first",
    says="You go object by object and give each the box",
)
def _(overlap, threshold):
    good, overlap = np.zeros(len(overlap), bool), np.array(overlap, float)
    while overlap.size and overlap.max() >= threshold:
        i, k = np.unravel_index(overlap.argmax(), overlap.shape)
        good[i] = True
        overlap[i], overlap[:, k] = -1, -1
    return good


@wrong(
    "detr.right_boxes",
    "as many as possible: the optimal matching",
    says="You find as many right boxes as possible.",
)
def _(overlap, threshold):
    good = np.zeros(len(overlap), bool)
    i, k = linear_sum_assignment(overlap >= threshold, maximize=True)
    good[i] = overlap[i, k] >= threshold
    return good


@wrong(
    "detr.right_boxes",
    "gives the objects that were taken",
    says="You return which objects were taken, (K,).",
)
def _(overlap, threshold):
    free = np.ones(overlap.shape[1], bool)
    for row in overlap:
        if free.any():
            k = np.where(free, row, -1).argmax()
            free[k] &= row[k] < threshold
    return ~free


@wrong(
    "detr.right_boxes",
    "each object its best box",
    says="You go object by object and give each the box",
)
def _(overlap, threshold):
    good = np.zeros(len(overlap), bool)
    if len(overlap):
        best = overlap.argmax(0)
        good[best[overlap.max(0) >= threshold]] = True
    return good


@wrong(
    "detr.right_boxes",
    "stops at the first box that is wrong",
    says="Your loop ends with the first box that is",
)
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        k = np.where(free, row, -1).argmax() if free.any() else None
        if k is None or row[k] < threshold:
            break
        free[k], good[i] = False, True
    return good


@wrong("detr.right_boxes", "an IoU of one half always", says="Your threshold is always 0.5.")
def _(overlap, threshold):
    def best(row, free):
        return np.where(free, row, -1).argmax() if len(row) else None

    return taking(overlap, 0.5, best)


@wrong(
    "detr.right_boxes",
    "clears columns of the caller's overlap",
    says="Your function changes its argument overlap in",
)
def _(overlap, threshold):
    good = []
    for row in overlap:
        k = row.argmax() if len(row) else None
        good.append(k is not None and bool(row[k] >= threshold))
        if good[-1]:
            overlap[:, k] = -1
    return np.array(good, bool)


@wrong(
    "detr.right_boxes",
    "fails without objects: argmax of nothing",
    says="attempt to get argmax of an empty sequence",
)
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i in range(len(overlap)):
        k = np.where(free, overlap[i], -1).argmax()
        if overlap[i, k] >= threshold:
            good[i] = free[k]
            free[k] = False
    return good


@right("detr.right_boxes", "taken overlaps count as 0")
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        if len(row):
            k = (row * free).argmax()
            good[i] = (row * free)[k] >= threshold
            free[k] &= not good[i]
    return good


@right("detr.right_boxes", "a set of free objects and a list of bools")
def _(overlap, threshold):
    free, good = set(range(overlap.shape[1])), []
    for row in overlap:
        best = max(free, key=lambda k: row[k], default=None)
        enough = best is not None and bool(row[best] >= threshold)
        if enough:
            free.remove(best)
        good.append(enough)
    return np.array(good, dtype=bool)


@right("detr.right_boxes", "columns taken out")
def _(overlap, threshold):
    left, good = overlap.copy(), np.zeros(len(overlap), bool)
    for i in range(len(overlap)):
        if left.shape[1] and left[i].max() >= threshold:
            good[i] = True
            left = np.delete(left, left[i].argmax(), axis=1)
    return good


# average_precision


def curve(scores, right):
    hits = right[np.argsort(-scores)].cumsum()
    return hits, hits / np.arange(1, len(hits) + 1)


@wrong("detr.average_precision", "not sorted", says="You take the boxes as they come.")
def _(scores, right, objects):
    hits = right.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong(
    "detr.average_precision",
    "sorted from the least sure on",
    says="You begin with the least sure box:",
)
def _(scores, right, objects):
    hits, precision = curve(-scores, right)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong(
    "detr.average_precision",
    "the mean over the objects that were found",
    says="Objects that are never found are left out of",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    found = [precision[hits >= m].max() for m in range(1, right.sum() + 1)]
    return float(np.mean(found)) if found else 0.0


@wrong(
    "detr.average_precision",
    "precision where the m-th is found, not the best after it",
    says="You take the precision at the moment when an",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return precision[right[np.argsort(-scores)]].sum() / objects


@wrong(
    "detr.average_precision",
    "the mean precision of all boxes",
    says="You take the mean over all boxes, the wrong",
)
def _(scores, right, objects):
    return float(curve(scores, right)[1].mean()) if len(scores) else 0.0


@wrong(
    "detr.average_precision",
    "the precision at the end",
    says="This is the precision of all boxes, one",
)
def _(scores, right, objects):
    return float(right.mean()) if len(right) else 0.0


@wrong("detr.average_precision", "recall", says="This is the recall: the share of objects that")
def _(scores, right, objects):
    return right.sum() / objects


@wrong(
    "detr.average_precision", "exactly m found", says="You take the precision at the moment when an"
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits == m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "m from 0", says="You count the objects from 0:")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits >= m].max(initial=0) for m in range(objects)) / objects


@wrong(
    "detr.average_precision",
    "more than m found",
    says="You ask for more than m objects, so the last",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits > m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong(
    "detr.average_precision",
    "divides by the number of boxes",
    says="You divide by the number of boxes.",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    total = sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1))
    return total / max(len(scores), 1)


@wrong(
    "detr.average_precision",
    "the best so far instead of the best to come",
    says="You take the best precision so far.",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    best = np.maximum.accumulate(precision) if len(precision) else precision
    return best[right[np.argsort(-scores)]].sum() / objects


@wrong(
    "detr.average_precision",
    "eleven points of recall",
    says="You read the curve at eleven recalls, 0, 0.1",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    recall = hits / objects
    points = np.linspace(0, 1, 11)
    return float(np.mean([precision[recall >= r].max(initial=0) for r in points]))


@wrong("detr.average_precision", "the trapezoidal area under the curve")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    if not len(hits):
        return 0.0
    recall = np.concatenate([[0], hits / objects])
    return float(np.trapezoid(np.concatenate([precision[:1], precision]), recall))


@wrong(
    "detr.average_precision",
    "precision counted from 0 boxes",
    says="You divide by the number of boxes before this",
)
def _(scores, right, objects):
    hits = right[np.argsort(-scores)].cumsum()
    precision = hits / np.maximum(np.arange(len(hits)), 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong(
    "detr.average_precision",
    "fails if not all are found: max of nothing",
    says="zero-size array to reduction operation",
)
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return float(np.mean([precision[hits >= m].max() for m in range(1, objects + 1)]))


@wrong(
    "detr.average_precision",
    "the scores are sorted and right is not",
    says="You take the boxes as they come.",
)
def _(scores, right, objects):
    order = np.sort(-scores)
    hits = right.cumsum()
    precision = hits / np.arange(1, len(order) + 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong(
    "detr.average_precision",
    "boxes below one half are left out",
    says="You leave out boxes with a score of at most",
)
def _(scores, right, objects):
    hits, precision = curve(scores[scores > 0.5], right[scores > 0.5])
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "in per cent", says="Wherever it fails, yours is 100 times the")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects * 100


@right("detr.average_precision", "the envelope from behind")
def _(scores, right, objects):
    order = scores.argsort()[::-1]
    hits, precision = curve(scores, right)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right[order]].sum() / objects)


@right("detr.average_precision", "plain Python, exact fractions")
def _(scores, right, objects):
    from fractions import Fraction

    ranked = [r for _, r in sorted(zip(scores.tolist(), right.tolist()), reverse=True)]
    best, total = Fraction(0), Fraction(0)
    for n in range(len(ranked), 0, -1):
        best = max(best, Fraction(sum(ranked[:n]), n))
        total += best * ranked[n - 1]
    return float(total / int(objects))


# QueryLayer


class Layer(nn.Module):
    """All right; the answers change a part."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attention = PlacedAttention(dim, heads)
        self.cross_attention = PlacedAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden, F.relu)
        self.around_attention = Residual(dim, norm_first=False)
        self.around_cross_attention = Residual(dim, norm_first=False)
        self.around_feed_forward = Residual(dim, norm_first=False)

    def among(self, x, queries):
        return self.around_attention(x, lambda y: self.attention(y, y, queries, queries))

    def across(self, x, memory, queries, places):
        return self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, queries, places)
        )

    def forward(self, x, memory, queries, places):
        x = self.across(self.among(x, queries), memory, queries, places)
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "the picture first", says="The queries ask the picture first and each")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.among(self.across(x, memory, queries, places), queries)
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "Pre-LN", says="Your residuals normalize first, Pre-LN.")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_cross_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)


@wrong("detr.QueryLayer", "GELU")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.feed_forward = FeedForward(dim, hidden, F.gelu)


@wrong(
    "detr.QueryLayer", "no attention among the queries", says="The queries never ask each other:"
)
class _(Layer):
    def among(self, x, queries):
        return x


@wrong(
    "detr.QueryLayer",
    "the queries attend to the picture twice",
    says="Both attentions go to the picture:",
)
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_attention(x, lambda y: self.attention(y, memory, queries, places))
        x = self.across(x, memory, queries, places)
        return self.around_feed_forward(x, self.feed_forward)


@wrong(
    "detr.QueryLayer",
    "queries added to x before all",
    says="The places of the queries are added to x",
)
class _(Layer):
    def forward(self, x, memory, queries, places):
        return super().forward(x + queries, memory, queries, places)


@wrong(
    "detr.QueryLayer",
    "queries added to x, and to values, in self-attention",
    says="Among themselves the queries' places are part",
)
class _(Layer):
    def among(self, x, queries):
        zeros = torch.zeros_like(queries)
        return self.around_attention(
            x, lambda y: self.attention(y + queries, y + queries, zeros, zeros)
        )


@wrong(
    "detr.QueryLayer",
    "positions added to the memory's values",
    says="The places of the picture are part of what is",
)
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory + places, queries, torch.zeros_like(places))


@wrong(
    "detr.QueryLayer", "no places of the picture", says="The picture's tokens answer without their"
)
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory, queries, torch.zeros_like(places))


@wrong(
    "detr.QueryLayer",
    "no queries in the cross-attention",
    says="The picture is asked without the queries'",
)
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory, torch.zeros_like(queries), places)


@wrong(
    "detr.QueryLayer",
    "only who asks has a place in self-attention",
    says="Among themselves only those who ask have",
)
class _(Layer):
    def among(self, x, queries):
        return self.around_attention(
            x, lambda y: self.attention(y, y, queries, torch.zeros_like(queries))
        )


@wrong(
    "detr.QueryLayer",
    "only who answers has a place in self-attention",
    says="Among themselves only those who answer have",
)
class _(Layer):
    def among(self, x, queries):
        return self.around_attention(
            x, lambda y: self.attention(y, y, torch.zeros_like(queries), queries)
        )


@wrong("detr.QueryLayer", "no feed-forward network", says="The feed-forward network is missing:")
class _(Layer):
    def forward(self, x, memory, queries, places):
        return self.across(self.among(x, queries), memory, queries, places)


@wrong(
    "detr.QueryLayer",
    "one residual with its norm for all three",
    says="One residual is used for all three steps,",
)
class _(Layer):
    def forward(self, x, memory, queries, places):
        around = self.around_attention
        x = around(x, lambda y: self.attention(y, y, queries, queries))
        x = around(x, lambda y: self.cross_attention(y, memory, queries, places))
        return around(x, self.feed_forward)


@wrong("detr.QueryLayer", "the two residuals of the attentions exchanged")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_cross_attention(x, lambda y: self.attention(y, y, queries, queries))
        x = self.around_attention(x, lambda y: self.cross_attention(y, memory, queries, places))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "the attentions exchanged", says="The two attentions are exchanged:")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_attention(x, lambda y: self.cross_attention(y, y, queries, queries))
        x = self.around_cross_attention(x, lambda y: self.attention(y, memory, queries, places))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "residual added twice", says="The first step adds x once more than its")
class _(Layer):
    def among(self, x, queries):
        return self.around_attention(x, lambda y: y + self.attention(y, y, queries, queries))


@wrong("detr.QueryLayer", "the cross-attention asks with the x from before")
class _(Layer):
    def forward(self, x, memory, queries, places):
        y = self.among(x, queries)
        y = self.around_cross_attention(
            y, lambda _: self.cross_attention(x, memory, queries, places)
        )
        return self.around_feed_forward(y, self.feed_forward)


@wrong("detr.QueryLayer", "one attention for both", says="cross_attention.to_q.weight is")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.cross_attention = self.attention


@wrong("detr.QueryLayer", "no residual around the attention")
class _(Layer):
    def among(self, x, queries):
        return self.around_attention.norm(self.attention(x, x, queries, queries))


@wrong(
    "detr.QueryLayer", "hidden left at 4 dim", says="feed_forward.up.weight has the shape (16, 4),"
)
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, 4 * dim)


@wrong("detr.QueryLayer", "one head")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, 1, hidden)


@wrong("detr.QueryLayer", "memory detached", says="gradient of memory is where the chain breaks:")
class _(Layer):
    def forward(self, x, memory, queries, places):
        return super().forward(x, memory.detach(), queries, places)


@right("detr.QueryLayer", "named functions, and norms called by hand")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_attention.norm(self.attention(x, x, queries, queries) + x)
        told = self.cross_attention(x, memory, queries, places)
        x = self.around_cross_attention.norm(told + x)
        return self.around_feed_forward.norm(x + self.feed_forward.forward(x))


@right("detr.QueryLayer", "parts by add_module, functions with defaults")
class _(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        for name in ("attention", "cross_attention"):
            self.add_module(name, PlacedAttention(dim, heads))
            self.add_module(f"around_{name}", Residual(dim, False))
        self.feed_forward = FeedForward(dim, hidden, F.relu)
        self.around_feed_forward = Residual(dim, False)

    def forward(self, x, memory, queries, places):
        def ask(y, who=self.attention):
            return who(y, y, queries, queries)

        def look(y):
            return self.cross_attention(y, memory, queries, places)

        steps = [(self.around_attention, ask), (self.around_cross_attention, look)]
        for around, step in [*steps, (self.around_feed_forward, self.feed_forward)]:
            x = around(x, step)
        return x
