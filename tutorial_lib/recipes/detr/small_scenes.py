"""What the trainings inside chapter 14 see: small scenes that a model learns within seconds."""

import torch

from tutorial_lib.layers.boxes import cxcywh_to_xyxy
from tutorial_lib.recipes.detr.detr import scenes
from tutorial_lib.training.average_precision import average_precision, detections

SIDE, MOST = 32, 2  # pixels; garments in a scene
SHOWN = ("trouser", "shoe", "bag")


def small_scenes(split: str, count: int):
    """images (count, 3, 32, 32) of one or two garments of three kinds, classes (count, 2), −1 for
    none, and boxes (count, 2, 4) as cx, cy, w, h."""
    return scenes(split, count, kinds=SHOWN, most=MOST, side=SIDE)


@torch.no_grad()
def ap50(model, images, classes, true_boxes) -> float:
    """Average precision at an IoU of 0.5 of a model that gives logits (B, N, C + 1) and boxes
    (B, N, 4), in evaluation mode."""
    was_training = model.training
    logits, boxes = model.eval()(images)
    model.train(was_training)
    found = detections(logits, boxes)
    return float(average_precision(*found, cxcywh_to_xyxy(true_boxes), classes, ious=[0.5])[0])
