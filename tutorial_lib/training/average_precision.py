"""How good a detector is: COCO's average precision, and non-maximum suppression, which DETR does
without. Taught in chapter 14.

Lin et al., Microsoft COCO: Common Objects in Context (ECCV 2014, 1405.0312), and the rules of
its evaluation: precision at 101 levels of recall, the mean over classes, and over IoU 0.50 to 0.95.

Pictures have different numbers of boxes: a class below 0 says that there is none.
"""

import numpy as np
import torch

from tutorial_lib.layers.boxes import area, cxcywh_to_xyxy, iou

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


def detections(logits, boxes):
    """What a DETR says, as a detector's answer: one box a query, with its best class other than
    "no object" and that class's probability.

    logits (B, N, C + 1), boxes cxcywh (B, N, 4)
    ->  boxes xyxy (B, N, 4), scores (B, N), classes (B, N)
    """
    scores, classes = logits.softmax(-1)[..., :-1].max(-1)
    return cxcywh_to_xyxy(boxes), scores, classes


def nms(boxes, scores, classes, threshold=0.5):
    """Non-maximum suppression: from the best box to the worst, one that is kept removes those of
    its class which overlap it by more than `threshold`.

    boxes xyxy (..., N, 4), scores and classes (..., N)
    ->  classes (..., N), those of removed boxes -1
    """
    order = scores.argsort(dim=-1, descending=True, stable=True)
    kind = classes.gather(-1, order)
    box = boxes.gather(-2, order[..., None].expand(boxes.shape))
    rival = iou(box[..., :, None, :], box[..., None, :, :]) > threshold
    rival &= kind[..., :, None] == kind[..., None, :]
    kept = kind >= 0
    for i in range(kind.shape[-1]):
        kept[..., i + 1 :] &= ~(kept[..., i, None] & rival[..., i, i + 1 :])
    return torch.empty_like(classes).scatter(-1, order, kind.where(kept, -1))


def average_precision(
    boxes, scores, classes, true_boxes, true_classes, ious=IOUS, areas=(0.0, float("inf"))
):
    """The area under precision against recall, for each of the `ious`: [0] is AP50, the mean is AP.

    boxes xyxy (B, N, 4), scores (B, N), classes (B, N); true_boxes xyxy (B, K, 4), true_classes
    (B, K); classes below 0 for none
    ious   a box is right if it overlaps an object of its class by as much as this
    areas  only objects whose box is at least as large as the first and at most as the second count.
           A box that is right for another one counts neither for nor against, and neither does one
           that is right for none and is of another size itself.
    ->  float64 (len(ious),), the mean over the classes that have objects which count
    Raises ValueError if there are none.
    """
    found_area, true_area = area(boxes), area(true_boxes)
    arrays = (boxes, scores, classes, true_classes, found_area, true_area)
    _, scores, classes, true_classes, found_area, true_area = (np.asarray(x.cpu()) for x in arrays)
    overlap = np.asarray(iou(boxes[:, :, None], true_boxes[:, None]).cpu())  # (B, N, K)
    ious, (smallest, largest) = np.asarray(ious), areas
    counts = (smallest <= true_area) & (true_area <= largest)
    stray = (found_area < smallest) | (found_area > largest)
    precisions = []
    for c in np.unique(true_classes[counts & (true_classes >= 0)]):
        parts = []
        for image in range(len(scores)):
            (i,), (j,) = np.nonzero(classes[image] == c), np.nonzero(true_classes[image] == c)
            i = i[np.argsort(-scores[image, i], kind="stable")]
            right, ignored = _judge(overlap[image][i][:, j], counts[image, j], ious)
            parts.append((scores[image, i], right, ignored | (~right & stray[image, i])))
        score, right, ignored = (np.concatenate(part, axis=-1) for part in zip(*parts))
        order = np.argsort(-score, kind="stable")
        wanted = (counts & (true_classes == c)).sum()
        precisions.append(_under_the_curve(right[:, order], ignored[:, order], wanted))
    if not precisions:
        raise ValueError("there is no object to find, expected a class of 0 or more")
    return np.mean(precisions, axis=0)


def _judge(overlap, counts, ious):
    """Boxes of one class in one picture, the best first, each take the object that they overlap
    most and that is still free; one that does not count only where no other will do.

    overlap (I, J), counts (J,), ious (T,)  ->  right and ignored, bool (T, I)
    """
    T, (I, J) = len(ious), overlap.shape
    right, ignored = np.zeros((T, I), dtype=bool), np.zeros((T, I), dtype=bool)
    free = np.ones((T, J), dtype=bool)
    for i in range(I if J else 0):
        fits = free & (overlap[i] >= ious[:, None])
        best = np.where(fits, overlap[i] + 2 * counts, -1).argmax(1)  # (T,)
        hit = fits[np.arange(T), best]
        free[hit, best[hit]] = False
        right[:, i], ignored[:, i] = hit & counts[best], hit & ~counts[best]
    return right, ignored


def _under_the_curve(right, ignored, wanted):
    """right, ignored (T, D) of all boxes of a class, the best first; wanted: how many objects
    ->  (T,), the mean over RECALLS of the best precision at this recall or a higher one"""
    hits = right.cumsum(1)
    precision = hits / np.maximum((~ignored).cumsum(1), 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.pad(envelope, [(0, 0), (0, 1)])  # a recall that is never reached: 0
    first = [np.searchsorted(row, RECALLS) for row in hits / wanted]  # (T, 101)
    return np.take_along_axis(envelope, np.array(first), axis=1).mean(1)
