"""The cost of DETR's matching, and the cheapest one by trying all. Taught in chapter 14.

Carion et al., End-to-End Object Detection with Transformers (ECCV 2020, 2005.12872), section 3.1
and appendix A.2. The algorithm that need not try them all is in `hungarian.py`.
"""

from itertools import permutations

import numpy as np

from tutorial_lib.from_scratch.boxes import generalized_iou


def matching_cost(p, boxes, classes, true_boxes):
    """What it costs if prediction i has to answer for object k, for every i and k.

    p           (N, C + 1)  probabilities of C classes and, last, of "no object"
    boxes       (N, 4)      predicted boxes as cx, cy, w, h; true_boxes (K, 4) alike
    classes     (K,) int    the objects' classes, in 0 … C − 1
    ->  (N, K): minus the probability that i gives to the class of k, plus 5 times the L1 distance
        of the two boxes, the sum over their four numbers, minus 2 times their generalized IoU

    `generalized_iou(a, b)` gives (N, K).
    """
    likely = p[:, classes]  # (N, K)
    apart = np.abs(boxes[:, None] - true_boxes).sum(axis=-1)  # (N, K)
    return -likely + 5 * apart - 2 * generalized_iou(boxes, true_boxes)


def cheapest_matching(cost):
    """Give each object a prediction of its own, so that the total cost is the least. Try them all.

    cost (N, K): what it costs if prediction i answers for object k; N ≥ K
    ->  int (N,): which object each prediction answers for, −1 for none

    No two ways to match have the same total here.
    """
    N, K = cost.shape
    tried = permutations(range(N), K)  # the predictions of objects 0 … K − 1
    best = min(tried, key=lambda chosen: cost[list(chosen), range(K)].sum())
    assigned = np.full(N, -1)
    assigned[list(best)] = range(K)
    return assigned
