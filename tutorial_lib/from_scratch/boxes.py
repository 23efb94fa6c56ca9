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


def edges(boxes):
    """boxes (..., 4) as cx, cy, w, h  ->  (..., 4) as left, top, right, bottom"""
    middle, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([middle - size / 2, middle + size / 2], axis=-1)


def from_edges(boxes):
    """The inverse of `edges`: left, top, right, bottom  ->  cx, cy, w, h"""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def pairwise_iou(a, b):
    """How much of two boxes is common to both, for each box of a with each box of b.

    a (N, 4), b (M, 4), boxes as cx, cy, w, h, with w and h above zero
    ->  IoU (N, M): area of the intersection over area of the union, 0 for boxes that do not meet;
        union (N, M): that area itself
    """
    a = a[:, None]  # (N, 1, 4): a row for each box of a
    low = np.maximum(a[..., :2] - a[..., 2:] / 2, b[:, :2] - b[:, 2:] / 2)  # (N, M, 2)
    high = np.minimum(a[..., :2] + a[..., 2:] / 2, b[:, :2] + b[:, 2:] / 2)
    intersection = (high - low).clip(0).prod(axis=-1)  # (N, M)
    union = a[..., 2:].prod(axis=-1) + b[:, 2:].prod(axis=-1) - intersection
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
    a = a[:, None]
    low = np.minimum(a[..., :2] - a[..., 2:] / 2, b[:, :2] - b[:, 2:] / 2)
    high = np.maximum(a[..., :2] + a[..., 2:] / 2, b[:, :2] + b[:, 2:] / 2)
    hull = (high - low).prod(axis=-1)  # (N, M)
    return iou - (hull - union) / hull


def iou_backward(dG, a, b, generalized):
    """Every gradient of generalized IoU or of plain IoU, from the loss back to a's four numbers.

    dG  (K,)    ∂L/∂G, a number for each pair
    a   (K, 4)  boxes as cx, cy, w, h, each with its own b; b (K, 4), which stays where it is
    generalized bool: whether G is J − (C − U) / C, or J alone, in which case dC is zero
    ->  dict of dU (K,), dC (K,), dI (K,) and dboxes (K, 4), of a's cx, cy, w, h

    J = I / U. Take U as A + B − I, with the areas A and B of the two boxes: dU is the gradient of U
    as it stands in G, and dI counts both that I stands in J and that it stands in U. No two edges
    lie on one line, where there is no gradient.
    """
    low_a, high_a = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2  # (K, 2) each
    low_b, high_b = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    side = (np.minimum(high_a, high_b) - np.maximum(low_a, low_b)).clip(0)  # of the intersection
    hull = np.maximum(high_a, high_b) - np.minimum(low_a, low_b)
    I, C = side.prod(axis=1), hull.prod(axis=1)
    U = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - I

    dU = dG * (generalized / C - I / U**2)
    dC = -dG * generalized * U / C**2
    dI = dG / U - dU
    dside = dI[:, None] * side[:, ::-1] * (side > 0)  # of w · h, w gets h and h gets w
    dhull = dC[:, None] * hull[:, ::-1]
    dlow = -dside * (low_a > low_b) - dhull * (low_a < low_b)  # only where the edge is a's own
    dhigh = dside * (high_a < high_b) + dhull * (high_a > high_b)
    dsize = (dhigh - dlow) / 2 + dU[:, None] * a[:, 3:1:-1]  # A = w · h stands in the union
    dboxes = np.concatenate([dlow + dhigh, dsize], axis=1)
    return {"dU": dU, "dC": dC, "dI": dI, "dboxes": dboxes}
