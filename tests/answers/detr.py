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


@wrong("detr.pairwise_iou", "no clip: two negative sides make an area")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "clips the area and not the sides")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1).clip(0)
    union = areas(a, b) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "takes abs of the sides")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = abs(np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "the shared part counted twice in the union")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    return shared / areas(a, b), areas(a, b)


@wrong("detr.pairwise_iou", "takes the boxes for edges")
def _(a, b):
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum(a[:, None, 2:], b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(1) for x in (a, b))
    union = area_a[:, None] + area_b - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "takes cx, cy for the upper left corner")
def _(a, b):
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "middle plus and minus the whole size, areas right")
def _(a, b):
    low = np.maximum((a[:, :2] - a[:, 2:])[:, None], b[:, :2] - b[:, 2:])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = areas(a, b) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "the hull for the union")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = (np.maximum(a1, b1) - np.minimum(a0, b0)).prod(-1)
    return shared / union, union


@wrong("detr.pairwise_iou", "pixels have a width: one added to each side")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0) + 1).clip(0).prod(-1)
    union = (a[:, 2:] + 1).prod(1)[:, None] + (b[:, 2:] + 1).prod(1) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "IoU alone")
def _(a, b):
    return pairwise_iou(a, b)[0]


@wrong("detr.pairwise_iou", "gives the intersection second")
def _(a, b):
    ratio, union = pairwise_iou(a, b)
    return ratio, ratio * union


@wrong("detr.pairwise_iou", "the two in the other order")
def _(a, b):
    return pairwise_iou(a, b)[::-1]


@wrong("detr.pairwise_iou", "row by row, not for all pairs")
def _(a, b):
    (a0, a1), (b0, b1) = edges(a), edges(b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "a row for each box of b")
def _(a, b):
    return pairwise_iou(b, a)


@wrong("detr.pairwise_iou", "the area of a twice in the union")
def _(a, b):
    a0, a1, b0, b1 = corners(a, b)
    shared = (np.minimum(a1, b1) - np.maximum(a0, b0)).clip(0).prod(-1)
    union = 2 * a[:, 2:].prod(1)[:, None] - shared
    return shared / union, union


@wrong("detr.pairwise_iou", "over the smaller of the two areas")
def _(a, b):
    ratio, union = pairwise_iou(a, b)
    return ratio * union / np.minimum(a[:, 2:].prod(1)[:, None], b[:, 2:].prod(1)), union


@wrong("detr.pairwise_iou", "0 for the union of boxes that do not meet")
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


@wrong("detr.generalized_iou", "plus for minus")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J + (hull(a, b) - U) / hull(a, b)


@wrong("detr.generalized_iou", "over the union")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - U) / U


@wrong("detr.generalized_iou", "does not divide")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - U)


@wrong("detr.generalized_iou", "U over C alone is taken off")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - U / hull(a, b)


@wrong("detr.generalized_iou", "the intersection for the hull")
def _(a, b):
    J, U = pairwise_iou(a, b)
    a0, a1, b0, b1 = corners(a, b)
    C = (np.minimum(a1, b1) - np.maximum(a0, b0)).prod(-1)
    return J - (C - U) / C


@wrong("detr.generalized_iou", "U left out: what is not shared for what is in neither")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return J - (hull(a, b) - J * U) / hull(a, b)


@wrong("detr.generalized_iou", "nothing below zero")
def _(a, b):
    return generalized_iou(a, b).clip(0)


@wrong("detr.generalized_iou", "just IoU")
def _(a, b):
    return pairwise_iou(a, b)[0]


@wrong("detr.generalized_iou", "one less: the loss with its sign")
def _(a, b):
    return 1 - generalized_iou(a, b)


@wrong("detr.generalized_iou", "hull of the boxes taken for edges")
def _(a, b):
    J, U = pairwise_iou(a, b)
    low, high = np.minimum(a[:, None, :2], b[:, :2]), np.maximum(a[:, None, 2:], b[:, 2:])
    C = (high - low).prod(-1)
    return J - (C - U) / C


@wrong("detr.generalized_iou", "the sides of the hull are the sums of the sizes")
def _(a, b):
    J, U = pairwise_iou(a, b)
    C = (a[:, None, 2:] + b[:, 2:]).prod(-1)
    return J - (C - U) / C


@wrong("detr.generalized_iou", "the hull of all boxes at once")
def _(a, b):
    J, U = pairwise_iou(a, b)
    a0, a1, b0, b1 = corners(a, b)
    low = np.minimum(a0.min((0, 1)), b0.min(0))
    C = (np.maximum(a1.max((0, 1)), b1.max(0)) - low).prod()
    return J - (C - U) / C


@wrong("detr.generalized_iou", "the hull penalty only where they do not meet")
def _(a, b):
    J, U = pairwise_iou(a, b)
    return np.where(J > 0, J, generalized_iou(a, b))


@wrong("detr.generalized_iou", "distance IoU: the diagonal of the hull")
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


@wrong("detr.matching_cost", "plus the generalized IoU")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) + 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "plus the probability")
def _(p, boxes, classes, true_boxes):
    return p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the logarithm of the probability")
def _(p, boxes, classes, true_boxes):
    G = generalized_iou(boxes, true_boxes)
    return -np.log(p[:, classes]) + 5 * L1(boxes, true_boxes) - 2 * G


@wrong("detr.matching_cost", "one minus the probability")
def _(p, boxes, classes, true_boxes):
    return 1 - p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "1 − G for −G")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) + 2 * (1 - generalized_iou(boxes, true_boxes))


@wrong("detr.matching_cost", "the weights exchanged")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 2 * L1(boxes, true_boxes) - 5 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "no weights")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + L1(boxes, true_boxes) - generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the mean over the four numbers")
def _(p, boxes, classes, true_boxes):
    apart = abs(boxes[:, None] - true_boxes).mean(-1)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the Euclidean distance")
def _(p, boxes, classes, true_boxes):
    apart = cdist(boxes, true_boxes)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "squares for absolute values")
def _(p, boxes, classes, true_boxes):
    apart = cdist(boxes, true_boxes, "sqeuclidean")
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "L1 of the edges")
def _(p, boxes, classes, true_boxes):
    a0, a1, b0, b1 = corners(boxes, true_boxes)
    apart = abs(a0 - b0).sum(-1) + abs(a1 - b1).sum(-1)
    return -p[:, classes] + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "plain IoU")
def _(p, boxes, classes, true_boxes):
    return -p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * pairwise_iou(boxes, true_boxes)[0]


@wrong("detr.matching_cost", "a row for each object")
def _(p, boxes, classes, true_boxes):
    cost = -p[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)
    return cost.T


@wrong("detr.matching_cost", "the largest probability of each prediction")
def _(p, boxes, classes, true_boxes):
    sure = p.max(1, keepdims=True)
    return -sure + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the first K columns of p")
def _(p, boxes, classes, true_boxes):
    likely = np.resize(p, (len(p), max(p.shape[1], len(classes))))[:, : len(classes)]
    return -likely + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "softmax once more")
def _(p, boxes, classes, true_boxes):
    again = np.exp(p) / np.exp(p).sum(1, keepdims=True)
    return -again[:, classes] + 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "no probability at all")
def _(p, boxes, classes, true_boxes):
    return 5 * L1(boxes, true_boxes) - 2 * generalized_iou(boxes, true_boxes)


@wrong("detr.matching_cost", "the distance of the middles alone")
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


@wrong("detr.cheapest_matching", "each object its best prediction")
def _(cost):
    return turned(cost.argmin(0), len(cost))


@wrong("detr.cheapest_matching", "each prediction its best object")
def _(cost):
    return cost.argmin(1)


@wrong("detr.cheapest_matching", "greedy, the cheapest pair first")
def _(cost):
    assigned, cost = np.full(len(cost), -1), np.array(cost, float)
    for _ in range(cost.shape[1]):
        i, k = np.unravel_index(cost.argmin(), cost.shape)
        assigned[i] = k
        cost[i], cost[:, k] = np.inf, np.inf
    return assigned


@wrong("detr.cheapest_matching", "greedy, object after object")
def _(cost):
    assigned = np.full(len(cost), -1)
    for k in range(cost.shape[1]):
        assigned[np.where(assigned < 0, cost[:, k], np.inf).argmin()] = k
    return assigned


@wrong("detr.cheapest_matching", "the dearest")
def _(cost):
    N, K = cost.shape
    ways = permutations(range(N), K)
    return turned(max(ways, key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong("detr.cheapest_matching", "returns the prediction of each object")
def _(cost):
    N, K = cost.shape
    return np.array(min(permutations(range(N), K), key=lambda c: cost[list(c), range(K)].sum()))


@wrong("detr.cheapest_matching", "0 for none")
def _(cost):
    i, k = linear_sum_assignment(cost)
    assigned = np.zeros(len(cost), int)
    assigned[i] = k
    return assigned


@wrong("detr.cheapest_matching", "None for none")
def _(cost):
    i, k = (x.tolist() for x in linear_sum_assignment(cost))
    pairs = dict(zip(i, k))
    return [pairs.get(n) for n in range(len(cost))]


@wrong("detr.cheapest_matching", "the predictions stay in rising order: combinations")
def _(cost):
    N, K = cost.shape
    return turned(min(combinations(range(N), K), key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong("detr.cheapest_matching", "product: a prediction may be taken twice")
def _(cost):
    N, K = cost.shape
    ways = product(range(N), repeat=K)
    return turned(min(ways, key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong("detr.cheapest_matching", "only the first K predictions")
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(K)), key=lambda c: cost[list(c), range(K)].sum()), N)


@wrong("detr.cheapest_matching", "the total instead")
def _(cost):
    i, k = linear_sum_assignment(cost)
    return cost[i, k].sum()


@wrong("detr.cheapest_matching", "sums the whole block of rows and columns")
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(N), K), key=lambda c: cost[list(c)].sum()), N)


@wrong("detr.cheapest_matching", "the best starts at zero, so no positive cost wins")
def _(cost):
    N, K = cost.shape
    best, least = (), 0
    for chosen in permutations(range(N), K):
        if (total := sum(cost[i, k] for k, i in enumerate(chosen))) < least:
            best, least = chosen, total
    return turned(best, N) if best else np.full(N, -1)


@wrong("detr.cheapest_matching", "writes infinity into the caller's costs")
def _(cost):
    i, k = linear_sum_assignment(cost)
    assigned = np.full(len(cost), -1)
    assigned[i] = k
    cost[i] = np.inf
    return assigned


@wrong("detr.cheapest_matching", "the largest cost as small as possible")
def _(cost):
    N, K = cost.shape
    return turned(min(permutations(range(N), K), key=lambda c: cost[list(c), range(K)].max()), N)


@right("detr.cheapest_matching", "SciPy's")
def _(cost):
    assigned = -np.ones(len(cost), dtype=int)
    i, k = linear_sum_assignment(cost)
    assigned[i] = k
    return assigned


@right("detr.cheapest_matching", "recursion, and a list")
def _(cost):
    N, K = cost.shape

    def best(k, free):
        if k == K:
            return 0.0, ()
        ways = [(i, best(k + 1, free - {i})) for i in free]
        return min((cost[i, k] + rest, (i, *chosen)) for i, (rest, chosen) in ways)

    chosen = best(0, frozenset(range(N)))[1]
    return [chosen.index(i) if i in chosen else -1 for i in range(N)]


# assign


@wrong("detr.assign", "the bug as it stands, rewritten")
def _(cost):
    assigned = np.full(len(cost), -1)
    for j, row in enumerate(linear_sum_assignment(cost)[0]):
        assigned[row] = j
    return assigned


@wrong("detr.assign", "indexes by the columns")
def _(cost):
    assigned = np.full(max(cost.shape), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[columns] = rows
    return assigned[: len(cost)]


@wrong("detr.assign", "columns in rising order")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = np.sort(columns)
    return assigned


@wrong("detr.assign", "argsort of the columns")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = columns.argsort()
    return assigned


@wrong("detr.assign", "returns the columns alone")
def _(cost):
    return linear_sum_assignment(cost)[1]


@wrong("detr.assign", "maximizes")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost, maximize=True)
    assigned[rows] = columns
    return assigned


@wrong("detr.assign", "transposed costs")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost.T)
    assigned[columns] = np.arange(len(columns))
    return assigned


@wrong("detr.assign", "the rows written where the columns belong")
def _(cost):
    assigned = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = rows
    return assigned


@wrong("detr.assign", "by position: the first rows get the columns")
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


@wrong("detr.set_loss", "no object weighs 1")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, no_object=1)


@wrong("detr.set_loss", "the first class weighs 0.1")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, quiet=0)


@wrong("detr.set_loss", "weighted, and a plain mean")
def _(logits, boxes, classes, true_boxes, assigned):
    all_parts = parts(logits, boxes, classes, true_boxes, assigned, ce={"reduction": "none"})
    return {**all_parts, "class": all_parts["class"].mean()}


@wrong("detr.set_loss", "the sum of the cross-entropies")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, ce={"reduction": "sum"})


@wrong("detr.set_loss", "cross-entropy of the pairs alone")
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    kinds = classes[picture, assigned[picture, query]]
    own = F.cross_entropy(logits[picture, query], kinds)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": own}


@wrong("detr.set_loss", "divides by the predictions")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=assigned.numel())


@wrong("detr.set_loss", "divides by the pictures")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=len(assigned))


@wrong("detr.set_loss", "divides by B times K, absent objects too")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=classes.numel())


@wrong("detr.set_loss", "divides by the pairs")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=(assigned >= 0).sum())


@wrong("detr.set_loss", "divides by nothing")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, objects=1)


@wrong("detr.set_loss", "F.l1_loss: a mean over the four numbers too")
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    l1 = F.l1_loss(boxes[picture, query], true_boxes[picture, assigned[picture, query]])
    return {**parts(logits, boxes, classes, true_boxes, assigned), "l1": l1}


@wrong("detr.set_loss", "picture by picture, and then the mean")
def _(logits, boxes, classes, true_boxes, assigned):
    each = []
    for one in zip(logits, boxes, classes, true_boxes, assigned):
        one = [x[None] for x in one]
        each.append(parts(*one, objects=(one[2] >= 0).sum().clamp(min=1)))
    return {name: torch.stack([e[name] for e in each]).mean() for name in each[0]}


@wrong("detr.set_loss", "boxes go to giou as cx, cy, w, h")
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    G = giou(boxes[picture, query], true_boxes[picture, assigned[picture, query]])
    all_parts = parts(logits, boxes, classes, true_boxes, assigned)
    return {**all_parts, "giou": (1 - G).sum() / (classes >= 0).sum()}


@wrong("detr.set_loss", "the sum of G for that of 1 − G")
def _(logits, boxes, classes, true_boxes, assigned):
    same = parts(logits, boxes, classes, true_boxes, assigned)
    other = parts(logits, boxes, classes, true_boxes, assigned, overlap=lambda a, b: 1 - giou(a, b))
    return {**same, "giou": other["giou"]}


@wrong("detr.set_loss", "minus G")
def _(logits, boxes, classes, true_boxes, assigned):
    other = parts(logits, boxes, classes, true_boxes, assigned, overlap=lambda a, b: 1 + giou(a, b))
    return other


@wrong("detr.set_loss", "1 − IoU")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes, classes, true_boxes, assigned, overlap=iou)


@wrong("detr.set_loss", "takes prediction k for object k")
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


@wrong("detr.set_loss", "−1 as an index: those without an object are held to the last box")
def _(logits, boxes, classes, true_boxes, assigned):
    rows = torch.arange(len(boxes))[:, None]
    wanted = true_boxes[rows, assigned]
    G = giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(wanted))
    return {
        **parts(logits, boxes, classes, true_boxes, assigned),
        "l1": (boxes - wanted).abs().sum() / (classes >= 0).sum(),
        "giou": (1 - G).sum() / (classes >= 0).sum(),
    }


@wrong("detr.set_loss", "softmax before cross-entropy")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits.softmax(-1), boxes, classes, true_boxes, assigned)


@wrong("detr.set_loss", "detaches the boxes")
def _(logits, boxes, classes, true_boxes, assigned):
    return parts(logits, boxes.detach(), classes, true_boxes, assigned)


@wrong("detr.set_loss", "gives plain numbers by item")
def _(logits, boxes, classes, true_boxes, assigned):
    all_parts = parts(logits, boxes, classes, true_boxes, assigned)
    return {name: part.item() for name, part in all_parts.items()}


@wrong("detr.set_loss", "weighs the parts already")
def _(logits, boxes, classes, true_boxes, assigned):
    p = parts(logits, boxes, classes, true_boxes, assigned)
    return {"class": p["class"], "l1": 5 * p["l1"], "giou": 2 * p["giou"]}


@wrong("detr.set_loss", "target 0 where there is none")
def _(logits, boxes, classes, true_boxes, assigned):
    picture, query = (assigned >= 0).nonzero(as_tuple=True)
    target = torch.zeros_like(assigned)
    target[picture, query] = classes[picture, assigned[picture, query]]
    weight = torch.ones(logits.shape[-1], dtype=logits.dtype)
    weight[-1] = 0.1
    entropy = F.cross_entropy(logits.mT, target, weight)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": entropy}


@wrong("detr.set_loss", "the target holds the object's number and not its class")
def _(logits, boxes, classes, true_boxes, assigned):
    C = logits.shape[-1] - 1
    target = torch.where(assigned >= 0, assigned.clamp(max=C), C)
    weight = torch.ones(C + 1, dtype=logits.dtype)
    weight[-1] = 0.1
    entropy = F.cross_entropy(logits.mT, target, weight)
    return {**parts(logits, boxes, classes, true_boxes, assigned), "class": entropy}


@wrong("detr.set_loss", "no object has no part: ignore_index")
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


@wrong("detr.DETR", "no class for no object")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.class_head = nn.Linear(dim, classes)


@wrong("detr.DETR", "no sigmoid")
class _(Parts):
    def heads(self, x):
        return self.class_head(x), self.box_head(x)


@wrong("detr.DETR", "softmax on the logits")
class _(Parts):
    def heads(self, x):
        return self.class_head(x).softmax(-1), self.box_head(x).sigmoid()


@wrong("detr.DETR", "sigmoid on the logits too")
class _(Parts):
    def heads(self, x):
        return self.class_head(x).sigmoid(), self.box_head(x).sigmoid()


@wrong("detr.DETR", "boxes first")
class _(Parts):
    def heads(self, x):
        return self.box_head(x).sigmoid(), self.class_head(x)


@wrong("detr.DETR", "no norm")
class _(Parts):
    def forward(self, images):
        return self.heads(self.decoded(images))


@wrong("detr.DETR", "the norm for the classes alone")
class _(Parts):
    def forward(self, images):
        x = self.decoded(images)
        return self.class_head(self.norm(x)), self.box_head(x).sigmoid()


@wrong("detr.DETR", "the decoder starts from the queries")
class _(Parts):
    def start(self, images):
        return self.queries.expand(len(images), -1, -1)


@wrong("detr.DETR", "the queries as start and nothing beside it")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.queries.expand(len(images), -1, -1)
        for layer in self.decoder:
            x = layer(x, memory, torch.zeros_like(self.queries), places)
        return x


@wrong("detr.DETR", "positions added to the tokens")
class _(Parts):
    def tokens(self, images):
        x, places = super().tokens(images)
        return x + places, torch.zeros_like(places)


@wrong("detr.DETR", "positions added to the tokens, and beside")
class _(Parts):
    def tokens(self, images):
        x, places = super().tokens(images)
        return x + places, places


@wrong("detr.DETR", "reshape instead of flatten and transpose")
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        B, D, h, w = x.shape
        return x.reshape(B, h * w, D), sine_positions_2d(h, w, D)


@wrong("detr.DETR", "columns before rows")
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        return x.mT.flatten(2).mT, sine_positions_2d(*x.shape[-2:], x.shape[1])


@wrong("detr.DETR", "h and w exchanged in the positions")
class _(Parts):
    def tokens(self, images):
        x = self.project(self.backbone(images))
        return x.flatten(2).mT, sine_positions_2d(*x.shape[:-3:-1], x.shape[1])


@wrong("detr.DETR", "the decoder reads what the encoder got")
class _(Parts):
    def decoded(self, images):
        memory, places = self.tokens(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, places)
        return x


@wrong("detr.DETR", "no positions in the decoder")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, self.queries, torch.zeros_like(places))
        return x


@wrong("detr.DETR", "the loop forgets x: each layer starts from zeros")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        for layer in self.decoder:
            x = layer(self.start(images), memory, self.queries, places)
        return x


@wrong("detr.DETR", "queries begin at zero")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        nn.init.zeros_(self.queries)


@wrong("detr.DETR", "queries begin with deviation 0.02")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        nn.init.normal_(self.queries, std=0.02)


@wrong("detr.DETR", "queries begin uniform")
class _(Parts):
    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        nn.init.uniform_(self.queries)


@wrong("detr.DETR", "queries are no parameter")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        del self.queries
        self.queries = torch.randn(queries, dim)


@wrong("detr.DETR", "queries are an embedding")
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


@wrong("detr.DETR", "one decoder layer again and again")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.decoder = nn.ModuleList([DETRDecoderLayer(dim, heads, hidden)] * depth)


@wrong("detr.DETR", "layers in plain lists")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        del self.encoder
        self.encoder = [DETREncoderLayer(dim, heads, hidden) for _ in range(depth)]


@wrong("detr.DETR", "a convolution of 3 × 3")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.project = nn.Conv2d(channels, dim, 3, padding=1)


@wrong("detr.DETR", "a linear map for box_head")
class _(Parts):
    def __init__(self, channels, classes, queries, dim, depth, heads, hidden):
        super().__init__(channels, classes, queries, dim, depth, heads, hidden)
        self.box_head = nn.Linear(dim, 4)


@wrong("detr.DETR", "a pair for each layer")
class _(Parts):
    def forward(self, images):
        return [super(type(self), self).forward(images)] * len(self.decoder)


@wrong("detr.DETR", "queries and places exchanged in the decoder's call")
class _(Parts):
    def decoded(self, images):
        memory, places = self.memory(images)
        x = self.start(images)
        for layer in self.decoder:
            x = layer(x, memory, places, self.queries)
        return x


@wrong("detr.DETR", "queries detached")
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


@wrong("detr.DETR", "one image alone decides: the memory of the first for all")
class _(Parts):
    def memory(self, images):
        x, places = super().memory(images)
        return x[:1].expand_as(x), places


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


@right("detr.DETR", "image by image, truncated normal queries")
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


@wrong("detr.training_step", "old gradients stay")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "mode is left as it is")
def _(model, optimizer, images, classes, true_boxes):
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "no clipping")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clips before backward")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    clip(model)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clips after the step")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    clip(model)
    return loss.item()


@wrong("detr.training_step", "clips each weight by itself")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_(weight, 1.0)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clips values for the norm")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clips to 0.1")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "clears after backward")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    loss.backward()
    optimizer.zero_grad()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "no weights")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    said = model(images)
    loss = sum(set_loss(*said, classes, true_boxes, match(*said, classes, true_boxes)).values())
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss.item()


@wrong("detr.training_step", "the weights of l1 and giou exchanged")
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


@wrong("detr.training_step", "minus giou, as in the cost")
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


@wrong("detr.training_step", "returns a tensor")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    return loss


@wrong("detr.training_step", "the loss after the step")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    optimizer.step()
    with torch.no_grad():
        return loss_of(model, images, classes, true_boxes).item()


@wrong("detr.training_step", "no step")
def _(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = loss_of(model, images, classes, true_boxes)
    optimizer.zero_grad()
    loss.backward()
    clip(model)
    return loss.item()


@wrong("detr.training_step", "matches by a second pass, with other dropout")
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


@wrong("detr.training_step", "matches in evaluation mode")
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


@wrong("detr.training_step", "object k to prediction k, no matching")
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


@wrong("detr.training_step", "the probabilities go to match")
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


@wrong("detr.training_step", "evaluation mode")
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


@wrong("detr.augment", "the nearest free column, and nobody moves")
def _(reduced, row_of, i):
    free = np.flatnonzero(row_of == -1)
    if not len(free):
        raise ValueError("none is free")
    column = free[reduced[i, free].argmin()]
    after = row_of.copy()
    after[column] = i
    return after, np.minimum(reduced[i], reduced[i, column])


@wrong("detr.augment", "lengths not cut at the end of the path")
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "uncut")


@wrong("detr.augment", "steps and not sums: Prim for Dijkstra")
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "no sum")


@wrong("detr.augment", "changes row_of in place")
def _(reduced, row_of, i):
    if not (row_of == -1).any():
        raise ValueError
    after, lengths = search(reduced, row_of.copy(), i)
    row_of[:] = after
    return row_of, lengths


@wrong("detr.augment", "row i gets the last column, others stay")
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "no moves")


@wrong("detr.augment", "walks back while it overwrites")
def _(reduced, row_of, i):
    return search(reduced, row_of, i, "in place")


@wrong("detr.augment", "at most one row moves")
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


@wrong("detr.augment", "no ValueError: gives back what it got")
def _(reduced, row_of, i):
    if not (row_of == -1).any():
        return row_of.copy(), np.zeros(len(row_of))
    return search(reduced, row_of, i)


@wrong("detr.augment", "asserts instead of ValueError")
def _(reduced, row_of, i):
    assert (row_of == -1).any()
    return search(reduced, row_of, i)


@wrong("detr.augment", "IndexError when none is free")
def _(reduced, row_of, i):
    np.flatnonzero(row_of == -1)[0]
    return search(reduced, row_of, i)


@wrong("detr.augment", "lengths of unreached columns stay infinite")
def _(reduced, row_of, i):
    after, lengths = search(reduced, row_of, i)
    end = lengths.max()
    return after, np.where(lengths < end, lengths, np.inf)


@wrong("detr.augment", "greedy chain: always on to the cheapest new column")
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


@wrong("detr.augment", "gives only row_of")
def _(reduced, row_of, i):
    return search(reduced, row_of, i)[0]


@wrong("detr.augment", "gives the column of each row")
def _(reduced, row_of, i):
    after, lengths = search(reduced, row_of, i)
    column_of = np.full(len(reduced), -1)
    column_of[after[after != -1]] = np.flatnonzero(after != -1)
    return column_of, lengths


@wrong("detr.augment", "the cheapest matching of all seen rows, lengths of one step")
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


@wrong("detr.iou_backward", "forgets that I stands in U")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "I not in U")


@wrong("detr.iou_backward", "forgets the area of a")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "no area")


@wrong("detr.iou_backward", "the area's gradient times the same side")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "area own side")


@wrong("detr.iou_backward", "sides times themselves")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "own side")


@wrong("detr.iou_backward", "every edge is a's")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "all edges")


@wrong("detr.iou_backward", "no half for the size")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "no half")


@wrong("detr.iou_backward", "sides that were cut pass a gradient")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "cut sides pass")


@wrong("detr.iou_backward", "sides are not cut at zero")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "negative sides")


@wrong("detr.iou_backward", "the sign of the lower edge")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, generalized, "low sign")


@wrong("detr.iou_backward", "always generalized")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, True)


@wrong("detr.iou_backward", "always plain")
def _(dG, a, b, generalized):
    return by_hand(dG, a, b, False)


@wrong("detr.iou_backward", "dG left out")
def _(dG, a, b, generalized):
    return by_hand(np.ones_like(dG), a, b, generalized)


@wrong("detr.iou_backward", "dC with a plus")
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dC": -given["dC"]}


@wrong("detr.iou_backward", "gradient of the loss 1 − G")
def _(dG, a, b, generalized):
    return by_hand(-dG, a, b, generalized)


@wrong("detr.iou_backward", "gradient of the edges for the boxes")
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    middle, size = np.split(given["dboxes"], 2, axis=1)
    return {**given, "dboxes": np.concatenate([middle / 2 - size, middle / 2 + size], 1)}


@wrong("detr.iou_backward", "the gradient of b")
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dboxes": by_hand(dG, b, a, generalized)["dboxes"]}


@wrong("detr.iou_backward", "dU of U as I stands in it: total for dI swapped")
def _(dG, a, b, generalized):
    given = by_hand(dG, a, b, generalized)
    return {**given, "dU": given["dI"], "dI": given["dU"]}


@wrong("detr.iou_backward", "dU without the hull")
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


@wrong("detr.right_boxes", "an object is right again and again")
def _(overlap, threshold):
    return (overlap >= threshold).any(1)


@wrong("detr.right_boxes", "the best object of all, free or not")
def _(overlap, threshold):
    return taking(overlap, threshold, lambda row, free: row.argmax() if len(row) else None)


@wrong("detr.right_boxes", "more than the threshold")
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        if free.any():
            k = np.where(free, row, -1).argmax()
            if row[k] > threshold:
                free[k], good[i] = False, True
    return good


@wrong("detr.right_boxes", "the first free object that is enough")
def _(overlap, threshold):
    def first(row, free):
        enough = np.flatnonzero(free & (row >= threshold))
        return enough[0] if len(enough) else None

    return taking(overlap, threshold, first)


@wrong("detr.right_boxes", "takes the object though it is not enough")
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        if free.any():
            k = np.where(free, row, -1).argmax()
            free[k], good[i] = False, row[k] >= threshold
    return good


@wrong("detr.right_boxes", "from the least sure on")
def _(overlap, threshold):
    def best(row, free):
        return np.where(free, row, -1).argmax() if len(row) else None

    return taking(overlap[::-1], threshold, best)[::-1]


@wrong("detr.right_boxes", "the boxes with the largest overlap first")
def _(overlap, threshold):
    good, overlap = np.zeros(len(overlap), bool), np.array(overlap, float)
    while overlap.size and overlap.max() >= threshold:
        i, k = np.unravel_index(overlap.argmax(), overlap.shape)
        good[i] = True
        overlap[i], overlap[:, k] = -1, -1
    return good


@wrong("detr.right_boxes", "as many as possible: the optimal matching")
def _(overlap, threshold):
    good = np.zeros(len(overlap), bool)
    i, k = linear_sum_assignment(overlap >= threshold, maximize=True)
    good[i] = overlap[i, k] >= threshold
    return good


@wrong("detr.right_boxes", "gives the objects that were taken")
def _(overlap, threshold):
    free = np.ones(overlap.shape[1], bool)
    for row in overlap:
        if free.any():
            k = np.where(free, row, -1).argmax()
            free[k] &= row[k] < threshold
    return ~free


@wrong("detr.right_boxes", "each object its best box")
def _(overlap, threshold):
    good = np.zeros(len(overlap), bool)
    if len(overlap):
        best = overlap.argmax(0)
        good[best[overlap.max(0) >= threshold]] = True
    return good


@wrong("detr.right_boxes", "stops at the first box that is wrong")
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        k = np.where(free, row, -1).argmax() if free.any() else None
        if k is None or row[k] < threshold:
            break
        free[k], good[i] = False, True
    return good


@wrong("detr.right_boxes", "an IoU of one half always")
def _(overlap, threshold):
    def best(row, free):
        return np.where(free, row, -1).argmax() if len(row) else None

    return taking(overlap, 0.5, best)


@wrong("detr.right_boxes", "clears columns of the caller's overlap")
def _(overlap, threshold):
    good = []
    for row in overlap:
        k = row.argmax() if len(row) else None
        good.append(k is not None and bool(row[k] >= threshold))
        if good[-1]:
            overlap[:, k] = -1
    return np.array(good, bool)


@wrong("detr.right_boxes", "fails without objects: argmax of nothing")
def _(overlap, threshold):
    free, good = np.ones(overlap.shape[1], bool), np.zeros(len(overlap), bool)
    for i in range(len(overlap)):
        k = np.where(free, overlap[i], -1).argmax()
        if overlap[i, k] >= threshold:
            good[i] = free[k]
            free[k] = False
    return good


@wrong("detr.right_boxes", "taken overlaps count as 0, and a threshold of 0 is enough")
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


@wrong("detr.average_precision", "not sorted")
def _(scores, right, objects):
    hits = right.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "sorted from the least sure on")
def _(scores, right, objects):
    hits, precision = curve(-scores, right)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "the mean over the objects that were found")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    found = [precision[hits >= m].max() for m in range(1, right.sum() + 1)]
    return float(np.mean(found)) if found else 0.0


@wrong("detr.average_precision", "precision where the m-th is found, not the best after it")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return precision[right[np.argsort(-scores)]].sum() / objects


@wrong("detr.average_precision", "the mean precision of all boxes")
def _(scores, right, objects):
    return float(curve(scores, right)[1].mean()) if len(scores) else 0.0


@wrong("detr.average_precision", "the precision at the end")
def _(scores, right, objects):
    return float(right.mean()) if len(right) else 0.0


@wrong("detr.average_precision", "recall")
def _(scores, right, objects):
    return right.sum() / objects


@wrong("detr.average_precision", "exactly m found")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits == m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "m from 0")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits >= m].max(initial=0) for m in range(objects)) / objects


@wrong("detr.average_precision", "more than m found")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return sum(precision[hits > m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "divides by the number of boxes")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    total = sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1))
    return total / max(len(scores), 1)


@wrong("detr.average_precision", "the best so far instead of the best to come")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    best = np.maximum.accumulate(precision) if len(precision) else precision
    return best[right[np.argsort(-scores)]].sum() / objects


@wrong("detr.average_precision", "eleven points of recall")
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


@wrong("detr.average_precision", "precision counted from 0 boxes")
def _(scores, right, objects):
    hits = right[np.argsort(-scores)].cumsum()
    precision = hits / np.maximum(np.arange(len(hits)), 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "fails if not all are found: max of nothing")
def _(scores, right, objects):
    hits, precision = curve(scores, right)
    return float(np.mean([precision[hits >= m].max() for m in range(1, objects + 1)]))


@wrong("detr.average_precision", "the scores are sorted and right is not")
def _(scores, right, objects):
    order = np.sort(-scores)
    hits = right.cumsum()
    precision = hits / np.arange(1, len(order) + 1)
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "boxes below one half are left out")
def _(scores, right, objects):
    hits, precision = curve(scores[scores > 0.5], right[scores > 0.5])
    return sum(precision[hits >= m].max(initial=0) for m in range(1, objects + 1)) / objects


@wrong("detr.average_precision", "in per cent")
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


@wrong("detr.QueryLayer", "the picture first")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.among(self.across(x, memory, queries, places), queries)
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "Pre-LN")
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


@wrong("detr.QueryLayer", "no attention among the queries")
class _(Layer):
    def among(self, x, queries):
        return x


@wrong("detr.QueryLayer", "the queries attend to the picture twice")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_attention(x, lambda y: self.attention(y, memory, queries, places))
        x = self.across(x, memory, queries, places)
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "queries added to x before all")
class _(Layer):
    def forward(self, x, memory, queries, places):
        return super().forward(x + queries, memory, queries, places)


@wrong("detr.QueryLayer", "queries added to x, and to values, in self-attention")
class _(Layer):
    def among(self, x, queries):
        zeros = torch.zeros_like(queries)
        return self.around_attention(
            x, lambda y: self.attention(y + queries, y + queries, zeros, zeros)
        )


@wrong("detr.QueryLayer", "positions added to the memory's values")
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory + places, queries, torch.zeros_like(places))


@wrong("detr.QueryLayer", "no places of the picture")
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory, queries, torch.zeros_like(places))


@wrong("detr.QueryLayer", "no queries in the cross-attention")
class _(Layer):
    def across(self, x, memory, queries, places):
        return super().across(x, memory, torch.zeros_like(queries), places)


@wrong("detr.QueryLayer", "only who asks has a place in self-attention")
class _(Layer):
    def among(self, x, queries):
        return self.around_attention(
            x, lambda y: self.attention(y, y, queries, torch.zeros_like(queries))
        )


@wrong("detr.QueryLayer", "only who answers has a place in self-attention")
class _(Layer):
    def among(self, x, queries):
        return self.around_attention(
            x, lambda y: self.attention(y, y, torch.zeros_like(queries), queries)
        )


@wrong("detr.QueryLayer", "no feed-forward network")
class _(Layer):
    def forward(self, x, memory, queries, places):
        return self.across(self.among(x, queries), memory, queries, places)


@wrong("detr.QueryLayer", "one residual with its norm for all three")
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


@wrong("detr.QueryLayer", "the attentions exchanged")
class _(Layer):
    def forward(self, x, memory, queries, places):
        x = self.around_attention(x, lambda y: self.cross_attention(y, y, queries, queries))
        x = self.around_cross_attention(x, lambda y: self.attention(y, memory, queries, places))
        return self.around_feed_forward(x, self.feed_forward)


@wrong("detr.QueryLayer", "residual added twice")
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


@wrong("detr.QueryLayer", "one attention for both")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.cross_attention = self.attention


@wrong("detr.QueryLayer", "no residual around the attention")
class _(Layer):
    def among(self, x, queries):
        return self.around_attention.norm(self.attention(x, x, queries, queries))


@wrong("detr.QueryLayer", "hidden left at 4 dim")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, 4 * dim)


@wrong("detr.QueryLayer", "one head")
class _(Layer):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, 1, hidden)


@wrong("detr.QueryLayer", "memory detached")
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
