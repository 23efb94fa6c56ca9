"""The loss between a set of predictions and a set of objects. Taught in chapter 14.

Carion et al., End-to-End Object Detection with Transformers (ECCV 2020, 2005.12872), section 3.1;
auxiliary losses: section 3.2, after Al-Rfou et al. (AAAI 2019, 1808.04444).
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou
from tutorial_lib.layers.matching import match


class SetLoss(nn.Module):
    """Cross-entropy for every prediction; L1 and 1 − GIoU for those that answer for an object.

    classes    how many, without "no object"
    no_object  the weight of predictions that answer for none: most do, and would drown the others
    weights    of class, L1 and GIoU, in the matching's cost and in the loss
    """

    def __init__(self, classes: int, no_object: float = 0.1, weights=(1.0, 5.0, 2.0)):
        super().__init__()
        self.weights = weights
        class_weights = torch.ones(classes + 1)
        class_weights[-1] = no_object
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, outputs, classes, true_boxes):
        """outputs  a list of pairs, logits (B, N, C + 1) and boxes cxcywh (B, N, 4), as DETR gives
        one for each decoder layer; classes int (B, K), below 0 where there is no object; true_boxes
        cxcywh (B, K, 4)  ->  a scalar, the sum over all pairs: each is matched on its own."""
        parts = [self.parts(*pair, classes, true_boxes) for pair in outputs]
        return sum(w * part[name] for part in parts for w, name in zip(self.weights, part))

    def parts(self, logits, boxes, classes, true_boxes):
        """The three losses of one pair, not weighted yet: scalars by the names class, l1, giou."""
        assigned = match(logits, boxes, classes, true_boxes, self.weights)  # (B, N)
        picture, query = (assigned >= 0).nonzero(as_tuple=True)  # (P,) each, P pairs in all
        object_ = assigned[picture, query]

        target = torch.full_like(assigned, len(self.class_weights) - 1)  # "no object",
        target[picture, query] = classes[picture, object_]  # but for those who answer for one
        # The mean is weighted too: over the sum of the predictions' weights.
        cross_entropy = F.cross_entropy(logits.mT, target, self.class_weights)

        found, wanted = boxes[picture, query], true_boxes[picture, object_]  # (P, 4)
        found = found.to(wanted.dtype)  # areas in half precision would be rough
        objects = (classes >= 0).sum().clamp(min=1)  # of the whole batch
        return {
            "class": cross_entropy,
            "l1": (found - wanted).abs().sum() / objects,
            "giou": (1 - giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))).sum() / objects,
        }
