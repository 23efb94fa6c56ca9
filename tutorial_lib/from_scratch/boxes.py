"""Boxes and how alike two of them are, in NumPy, forward beside backward. Taught in chapter 14.

Rezatofighi et al., Generalized Intersection over Union (CVPR 2019, 1902.09630), algorithm 1. A box
is cx, cy, w, h: its middle, its width and its height, all of them as shares of the picture's side.
Symbols, the same in prose and code:

    I   area that both boxes cover     U   area that at least one covers
    J   I / U, intersection over union, from 0 to 1
    C   area of the hull, the smallest box around both
    G   J − (C − U) / C, generalized IoU, from −1 to 1

A gradient is named after what it belongs to: dU is ∂L/∂U, with U's shape.
"""

import numpy as np


def cxcywh_to_xyxy(boxes):
    """boxes (..., 4) as cx, cy, w, h  ->  (..., 4) as left, top, right, bottom"""
    middle, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([middle - size / 2, middle + size / 2], axis=-1)


def xyxy_to_cxcywh(boxes):
    """The inverse of `cxcywh_to_xyxy`: left, top, right, bottom  ->  cx, cy, w, h"""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def pairwise_iou(a, b):
    """How much of two boxes is common to both, for each box of a with each box of b.

    a (N, 4), b (M, 4), boxes as cx, cy, w, h, with w and h above zero
    ->  IoU (N, M): area of the intersection over area of the union, 0 for boxes that do not meet;
        union (N, M): that area itself
    """
    a, b = cxcywh_to_xyxy(a)[:, None], cxcywh_to_xyxy(b)  # (N, 1, 4), (M, 4)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clip(0).prod(axis=-1)  # (N, M)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    union = area_a + area_b - intersection
    return intersection / union, union


def generalized_iou(a, b):
    """IoU, less the share of the hull that neither box covers; for each box of a with each of b.

    a (N, 4), b (M, 4), boxes as cx, cy, w, h, with w and h above zero
    ->  (N, M), from −1 for boxes that are far apart to 1 for equal ones. The hull is the smallest
        box around both.

    `pairwise_iou(a, b)` gives IoU and union. With IoU J, union U and hull C, areas all of them, the
    paper's formula is G = J − (C − U) / C.
    """
    iou, union = pairwise_iou(a, b)
    a, b = cxcywh_to_xyxy(a)[:, None], cxcywh_to_xyxy(b)
    low, high = np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(axis=-1)  # (N, M)
    return iou - (hull - union) / hull


def iou_backward(dJ, a, b):
    """The gradient of J for boxes a, each with its own b: a (K, 4), b (K, 4), dJ (K,).

    ->  dict of dI, dU (K,) and dboxes (K, 4), of a's cx, cy, w, h
    """
    intersection, union, _ = _areas(a, b)
    dU = -dJ * intersection / union**2
    dI = dJ / union - dU  # I stands in the union too, with a minus
    return {"dI": dI, "dU": dU, "dboxes": _to_boxes(dI, dU, 0 * dJ, a, b)}


def generalized_iou_backward(dG, a, b):
    """Every gradient of G = J − (C − U) / C, from the loss back to a's four numbers.

    dG  (K,)    ∂L/∂G, a number for each pair
    a   (K, 4)  boxes as cx, cy, w, h, each with its own b; b (K, 4), which stays where it is
    ->  dict of dU (K,), dC (K,), dI (K,) and dboxes (K, 4), of a's cx, cy, w, h

    J = I / U. Take U as A + B − I, with the areas A and B of the two boxes: dU is the gradient of U
    as it stands in G, and dI counts both that I stands in J and that it stands in U. No two edges
    lie on one line, where there is no gradient.
    """
    intersection, union, hull = _areas(a, b)
    dU = dG * (1 / hull - intersection / union**2)
    dC = -dG * union / hull**2
    dI = dG / union - dU
    return {"dU": dU, "dC": dC, "dI": dI, "dboxes": _to_boxes(dI, dU, dC, a, b)}


def _areas(a, b):
    """Intersection, union and hull of pairs, (K,) each."""
    (low, high), (outer_low, outer_high) = _edges(a, b)
    intersection = (high - low).clip(0).prod(axis=-1)
    union = a[:, 2:].prod(axis=-1) + b[:, 2:].prod(axis=-1) - intersection
    return intersection, union, (outer_high - outer_low).prod(axis=-1)


def _edges(a, b):
    """Lower and upper edges (K, 2) of the intersection, and of the hull."""
    a, b = cxcywh_to_xyxy(a), cxcywh_to_xyxy(b)
    low, high = (a[:, :2], b[:, :2]), (a[:, 2:], b[:, 2:])
    return (np.maximum(*low), np.minimum(*high)), (np.minimum(*low), np.maximum(*high))


def _to_boxes(dI, dU, dC, a, b):
    """From the gradients of three areas to those of a's cx, cy, w, h."""
    (low, high), (outer_low, outer_high) = _edges(a, b)
    edge = cxcywh_to_xyxy(a)
    is_low, is_high = edge[:, :2] == low, edge[:, 2:] == high  # of the intersection: a's own edge
    is_outer_low, is_outer_high = edge[:, :2] == outer_low, edge[:, 2:] == outer_high

    side = (high - low).clip(0)  # (K, 2); a product's gradient: each side's is the other side
    dside = dI[:, None] * side[:, ::-1] * (side > 0)
    dhull = dC[:, None] * (outer_high - outer_low)[:, ::-1]
    dhigh = dside * is_high + dhull * is_outer_high
    dlow = -dside * is_low - dhull * is_outer_low
    dsize = dU[:, None] * a[:, 3:1:-1]  # of w it is h, of h it is w: a's area stands in the union
    return np.concatenate([dlow + dhigh, (dhigh - dlow) / 2 + dsize], axis=-1)
