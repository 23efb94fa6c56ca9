"""PointNet++: PointNets on neighbourhoods, level upon level. Taught in chapter 19.

Qi, Yi, Su, Guibas, PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space
(NeurIPS 2017, 1706.02413). Points are (B, N, 3), in any order, their features (B, N, C) or None.
"""

import torch
from torch import nn

from tutorial_lib.layers.point_sets import ball_query, farthest_points, gather, group, interpolate
from tutorial_lib.layers.shared_mlp import head, shared_mlp


class SetAbstraction(nn.Module):
    """From many points to a few, each with what its neighbourhood looks like: choose centres that
    cover the cloud, take the ball around each, and let one small PointNet look into every ball.

    channels            of the features that come in, 0 for none
    centres             how many points are left
    radius, neighbours  of a ball, and how many of its points are looked at
    widths              of the PointNet's layers; the last is `self.width`
    """

    def __init__(self, channels, centres, radius, neighbours, widths):
        super().__init__()
        self.centres, self.radius, self.neighbours = centres, radius, neighbours
        self.mlp = shared_mlp(3 + channels, *widths)
        self.width = widths[-1]

    def forward(self, points, features=None):
        """points (B, N, 3), features (B, N, channels) or None
        ->  the centres (B, centres, 3) and their features (B, centres, width)"""
        centres = gather(points, farthest_points(points, self.centres))
        return centres, self.look(centres, points, features)

    def look(self, centres, points, features):
        """The features (B, M, width) of the balls around centres (B, M, 3)."""
        index = ball_query(centres, points, self.radius, self.neighbours)
        balls = group(centres, points, features, index)  # (B, M, neighbours, 3 + channels)
        return self.mlp(balls).max(dim=2).values.relu()


class MultiScaleAbstraction(nn.Module):
    """Multi-scale grouping: balls of several sizes around the same centres, each with a PointNet of
    its own, and what they found side by side. Where points are scarce a small ball tells little.

    channels, centres  as in SetAbstraction
    scales             (radius, neighbours, widths) of each
    """

    def __init__(self, channels, centres, scales):
        super().__init__()
        self.centres = centres
        self.scales = nn.ModuleList(SetAbstraction(channels, centres, *scale) for scale in scales)
        self.width = sum(scale.width for scale in self.scales)

    def forward(self, points, features=None):
        """As SetAbstraction."""
        centres = gather(points, farthest_points(points, self.centres))
        found = [scale.look(centres, points, features) for scale in self.scales]
        return centres, torch.cat(found, dim=-1)


class PointNet2(nn.Module):
    """PointNet++ for whole clouds: levels of set abstraction, then a PointNet over what is left.

    classes       how many there are to choose from
    abstractions  SetAbstraction or MultiScaleAbstraction, finest first; each takes the width of the
                  one before it as its channels
    widths        of the last PointNet
    hidden, dropout  of the head
    """

    def __init__(
        self, classes, abstractions, widths=(256, 512, 1024), hidden=(512, 256), dropout=0.4
    ):
        super().__init__()
        self.abstractions = nn.ModuleList(abstractions)
        self.mlp = shared_mlp(3 + abstractions[-1].width, *widths)
        self.head = head(widths[-1], *hidden, classes, dropout=dropout)

    def forward(self, points, features=None):
        """points (B, N, 3), features (B, N, channels) or None  ->  logits (B, classes)"""
        for abstraction in self.abstractions:
            points, features = abstraction(points, features)
        pooled = self.mlp(torch.cat([points, features], dim=-1)).max(dim=1).values.relu()
        return self.head(pooled)


def single_scale(classes, channels=0):
    """The network of the paper's appendix B.1, single scale, for clouds of 1,024 points."""
    first = SetAbstraction(channels, 512, 0.2, 32, (64, 64, 128))
    second = SetAbstraction(first.width, 128, 0.4, 64, (128, 128, 256))
    return PointNet2(classes, [first, second])


def multi_scale(classes, channels=0):
    """The network of the paper's appendix B.1 with multi-scale grouping."""
    scales = [(0.1, 16, (32, 32, 64)), (0.2, 32, (64, 64, 128)), (0.4, 128, (64, 96, 128))]
    first = MultiScaleAbstraction(channels, 512, scales)
    scales = [(0.2, 32, (64, 64, 128)), (0.4, 64, (128, 128, 256)), (0.8, 128, (128, 128, 256))]
    return PointNet2(classes, [first, MultiScaleAbstraction(first.width, 128, scales)])


class FeaturePropagation(nn.Module):
    """Back from a few points to many: every point takes over the features of the three nearest
    coarse points, weighted by their nearness, beside its own, and a shared MLP reads both.

    channels  of the features of coarse and fine points together
    """

    def __init__(self, channels, widths):
        super().__init__()
        self.mlp = shared_mlp(channels, *widths)
        self.width = widths[-1]

    def forward(self, points, features, coarse, coarse_features):
        """points (B, N, 3), features (B, N, C) or None; coarse (B, M, 3), coarse_features (B, M, D)
        ->  (B, N, width)"""
        found = interpolate(points, coarse, coarse_features)
        if features is not None:
            found = torch.cat([features, found], dim=-1)
        return self.mlp(found).relu()


class PointNet2Segmenter(nn.Module):
    """PointNet++ for a label of each point: down by set abstraction, up by feature propagation.

    classes, abstractions  as in PointNet2
    channels               of the features that come in, 0 for none
    widths                 of each feature propagation, coarsest first, one for every abstraction
    """

    def __init__(self, classes, abstractions, widths, channels=0, dropout=0.5):
        super().__init__()
        self.abstractions = nn.ModuleList(abstractions)
        skips = [channels, *(abstraction.width for abstraction in abstractions)]
        self.propagations, below = nn.ModuleList(), skips[-1]
        for skip, width in zip(reversed(skips[:-1]), widths, strict=True):
            self.propagations.append(FeaturePropagation(skip + below, width))
            below = width[-1]
        self.segment = nn.Sequential(
            *shared_mlp(below, below), nn.ReLU(), nn.Dropout(dropout), nn.Linear(below, classes)
        )

    def forward(self, points, features=None):
        """points (B, N, 3), features (B, N, channels) or None  ->  logits (B, N, classes)"""
        levels = [(points, features)]
        for abstraction in self.abstractions:
            levels.append(abstraction(*levels[-1]))
        coarse, found = levels.pop()
        for propagation in self.propagations:
            points, features = levels.pop()
            found = propagation(points, features, coarse, found)
            coarse = points
        return self.segment(found)
