"""PointNet: a network for sets of points. Taught in chapter 19.

Qi, Su, Mo, Guibas, PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation
(CVPR 2017, 1612.00593). Clouds are (B, N, 3), in any order.
"""

import torch
from torch import nn

from tutorial_lib.layers.shared_mlp import head, shared_mlp


class PointNet(nn.Module):
    """f(x_1, …, x_N) = γ(max_i h(x_i)): a shared MLP h on each point, the maximum over the points
    in each feature, and an MLP γ on that one vector. The order of the points cannot matter.

    classes          how many there are to choose from
    widths, hidden   of the layers of h and γ
    dropout          behind the hidden layers of γ
    channels         of a point: 3 for its place, more if it has a normal or a colour
    """

    def __init__(self, classes, widths=(64, 128, 1024), hidden=(512, 256), dropout=0.4, channels=3):
        super().__init__()
        self.mlp = shared_mlp(channels, *widths)
        self.head = head(widths[-1], *hidden, classes, dropout=dropout)

    def forward(self, clouds):
        """clouds (B, N, channels)  ->  logits (B, classes)"""
        features = self.mlp(clouds)  # (B, N, widths[-1])
        pooled = features.max(dim=1).values  # (B, widths[-1])
        return self.head(pooled)


class TNet(nn.Module):
    """A small PointNet that looks at a whole cloud and answers with a matrix to multiply it by, at
    first the identity. It is to bring clouds into one pose; the order of points is none of its
    business.

    size  of a point or of its features, and of the matrix
    """

    def __init__(self, size, widths=(64, 128, 1024), hidden=(512, 256)):
        super().__init__()
        self.mlp = shared_mlp(size, *widths)
        self.head = head(widths[-1], *hidden, size * size)
        nn.init.zeros_(self.head[-1].weight)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, x):
        """x (B, N, size)  ->  matrices (B, size, size), for x @ matrix"""
        size = x.shape[-1]
        pooled = self.mlp(x).max(dim=1).values.relu()
        eye = torch.eye(size, dtype=x.dtype, device=x.device)
        return eye + self.head(pooled).unflatten(-1, (size, size))


def orthogonality(matrices):
    """‖I - A Aᵀ‖², zero for a rotation: matrices (B, K, K)  ->  a scalar, the mean over B.
    Equation 2 of the paper; 0.001 of it is added to the loss, for the features' matrix only."""
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return (eye - matrices @ matrices.mT).square().sum((1, 2)).mean()


class AlignedPointNet(PointNet):
    """PointNet with its two T-Nets: one turns the points, one the features of the first layer.

    tnet  the widths and hidden of both T-Nets
    """

    def __init__(self, classes, tnet=((64, 128, 1024), (512, 256)), widths=(64, 128, 1024), **more):
        super().__init__(classes, widths, **more)
        self.align_points = TNet(3, *tnet)
        self.align_features = TNet(widths[0], *tnet)

    def forward(self, clouds, return_matrix=False):
        """clouds (B, N, 3)  ->  logits (B, classes), and with return_matrix the features' matrices
        (B, widths[0], widths[0]) for `orthogonality`"""
        clouds = clouds @ self.align_points(clouds)
        local = self.mlp[:3](clouds)  # (B, N, widths[0])
        matrix = self.align_features(local)
        logits = self.head(self.mlp[3:](local @ matrix).max(dim=1).values)
        return (logits, matrix) if return_matrix else logits


class PointNetSegmenter(nn.Module):
    """A label for each point: its own features and those of the whole cloud, side by side, through
    another shared MLP.

    classes, widths, channels  as in PointNet; the first of widths is what a point keeps of its own
    hidden                     of the MLP behind it
    """

    def __init__(self, classes, widths=(64, 128, 1024), hidden=(512, 256, 128), channels=3):
        super().__init__()
        self.local = nn.Sequential(*shared_mlp(channels, widths[0]), nn.ReLU())
        self.mlp = shared_mlp(*widths)
        self.segment = nn.Sequential(
            *shared_mlp(widths[0] + widths[-1], *hidden), nn.ReLU(), nn.Linear(hidden[-1], classes)
        )

    def forward(self, clouds):
        """clouds (B, N, channels)  ->  logits (B, N, classes)"""
        local = self.local(clouds)  # (B, N, widths[0])
        whole = self.mlp(local).max(dim=1, keepdim=True).values  # (B, 1, widths[-1])
        both = torch.cat([local, whole.expand(-1, clouds.shape[1], -1)], dim=-1)
        return self.segment(both)


@torch.no_grad()
def critical_points(model, cloud):
    """The points that a trained PointNet looks at: those where some feature has its maximum. All
    others may go, and its answer stays (theorem 2 of the paper).

    model  a PointNet in testing mode; cloud (N, channels)  ->  their places, sorted, (n,)
    """
    return model.mlp(cloud[None])[0].argmax(dim=0).unique()


@torch.no_grad()
def upper_bound_shape(model, cloud, candidates):
    """Which of the candidates could join a cloud without changing the answer: those that are
    nowhere above the maximum. Together they are the largest cloud that looks the same.

    model  a PointNet in testing mode; cloud (N, channels), candidates (M, channels)  ->  bool (M,)
    """
    maximum = model.mlp(cloud[None])[0].amax(dim=0)
    return torch.cat([(model.mlp(x) <= maximum).all(-1) for x in candidates.split(4096)])
