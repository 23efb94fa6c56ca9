"""Which prediction answers for which object: the bipartite matching of DETR. Taught in chapter 14.

Carion et al., End-to-End Object Detection with Transformers (ECCV 2020, 2005.12872), section 3.1.
The assignment is SciPy's `linear_sum_assignment`, a modified Jonker-Volgenant algorithm.

Objects of a batch are padded to K a picture; a class below 0 says that there is none.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou


def matching_cost(logits, boxes, classes, true_boxes, weights=(1.0, 5.0, 2.0)):
    """What it costs that prediction i answers for object j: −p̂_i(c_j) + L1 − GIoU, weighted.

    logits (..., N, C + 1), the last for "no object"; boxes cxcywh (..., N, 4); classes int (..., K)
    in 0 … C − 1, or below 0 for none; true_boxes cxcywh (..., K, 4)
    weights  of the probability, of L1 and of GIoU
    ->  (..., N, K)

    The paper takes the probability and not its logarithm, so that the three terms are alike in
    size. Columns of absent objects hold numbers without a meaning.
    """
    p = logits.softmax(-1)
    index = classes.clamp(min=0)[..., None, :].expand(*p.shape[:-1], -1)  # (..., N, K)
    likely = p.gather(-1, index)
    boxes = boxes.to(true_boxes.dtype)  # of a model in half precision
    apart = torch.cdist(boxes, true_boxes, p=1)
    a, b = cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(true_boxes)
    overlap = giou(a[..., :, None, :], b[..., None, :, :])
    w_class, w_l1, w_giou = weights
    return -w_class * likely + w_l1 * apart - w_giou * overlap


@torch.no_grad()
def match(logits, boxes, classes, true_boxes, weights=(1.0, 5.0, 2.0)):
    """The cheapest way to give every object a prediction of its own.

    The arguments are those of `matching_cost`  ->  int64 (..., N): which object each prediction
    answers for, −1 for none. Every object has one prediction if there are enough of them; with
    fewer than objects, every prediction has an object. A cost that is no number counts as higher
    than all others. Raises ValueError for a class beyond C − 1.
    """
    C = logits.shape[-1] - 1
    numbers = classes.cpu().numpy()
    if numbers.max(initial=0) >= C:
        raise ValueError(f"there is a class {numbers.max()}, expected 0 to {C - 1}, or −1 for none")
    cost = matching_cost(logits, boxes, classes, true_boxes, weights).float().cpu().numpy()
    cost = np.nan_to_num(cost, nan=np.finfo(cost.dtype).max)  # a loss that diverged says so itself
    assigned = np.full(cost.shape[:-1], -1)
    for picture in np.ndindex(cost.shape[:-2]):
        objects = np.flatnonzero(numbers[picture] >= 0)
        i, j = linear_sum_assignment(cost[picture][:, objects])
        assigned[picture][i] = objects[j]
    return torch.from_numpy(assigned).to(logits.device)
