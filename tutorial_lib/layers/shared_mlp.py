"""The same small network for every point, and the one that reads their maximum. Taught in
chapter 19.

Qi et al., PointNet (CVPR 2017, 1612.00593).
"""

from itertools import pairwise

from torch import nn


class PointNorm(nn.BatchNorm1d):
    """Batch normalization of the last axis, over all axes before it: all points of all clouds.

    x (..., C)  ->  (..., C); PyTorch's own wants the features on axis 1
    """

    def forward(self, x):
        return super().forward(x.flatten(0, -2)).view_as(x)


def shared_mlp(*widths):
    """Linear maps of the last axis, each with batch normalization, and ReLU between them: for
    widths (3, 64, 128) x (..., 3)  ->  (..., 128). There is no ReLU after the last, so that a
    maximum over points has a point that it comes from in every feature."""
    layers = []
    for c_in, c_out in pairwise(widths):
        layers += [nn.Linear(c_in, c_out), PointNorm(c_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def head(*widths, dropout=0.0):
    """From a cloud's one vector to its answer: for widths (1024, 512, 10) x (B, 1024)  ->  (B, 10).
    Every layer but the last has batch normalization, ReLU and dropout."""
    layers = []
    for c_in, c_out in pairwise(widths[:-1]):
        layers += [nn.Linear(c_in, c_out), nn.BatchNorm1d(c_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))
