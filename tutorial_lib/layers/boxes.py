"""Boxes: two ways to write them, and how much two of them overlap. Taught in chapter 14.

Generalized IoU: Rezatofighi et al., Generalized Intersection over Union (CVPR 2019, 1902.09630).
A box (..., 4) is cx, cy, w, h, its center and its size, or xyxy: left, top, right, bottom, where y
grows downwards. All of it works in pixels as in shares of the picture.
"""

import torch

EPS = 1e-7  # an area that counts as none, so that nothing is divided by zero


def cxcywh_to_xyxy(boxes):
    """(..., 4)  ->  (..., 4)"""
    center, size = _checked(boxes).split(2, dim=-1)
    return torch.cat([center - size / 2, center + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes):
    """(..., 4)  ->  (..., 4)"""
    low, high = _checked(boxes).split(2, dim=-1)
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def area(boxes):
    """xyxy (..., 4)  ->  (...), 0 for a box that ends before it begins"""
    low, high = _checked(boxes).split(2, dim=-1)
    return (high - low).clamp(min=0).prod(-1)


def iou(a, b):
    """The area that two boxes share, over the area that they cover together.

    a, b xyxy, broadcast against each other: a[:, None] (N, 1, 4) with b (M, 4) gives every pair
    ->  (...) in 0 … 1; 0 where both have no area
    """
    shared, union = _shared_and_union(a, b)
    return shared / union.clamp(min=EPS)


def giou(a, b):
    """IoU minus the share of the smallest box around both that neither covers. Unlike IoU it also
    grows when boxes that do not touch come closer.

    a, b as in `iou`  ->  (...) in −1 … 1, never above IoU
    """
    shared, union = _shared_and_union(a, b)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(-1)
    return shared / union.clamp(min=EPS) - (hull - union) / hull.clamp(min=EPS)


def _shared_and_union(a, b):
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared, area(a) + area(b) - shared


def _checked(boxes):
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"boxes are {tuple(boxes.shape)}, expected (..., 4)")
    return boxes
