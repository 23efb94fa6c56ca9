"""Choosing, grouping and interpolating points. Taught in chapter 19.

Qi et al., PointNet++ (NeurIPS 2017, 1706.02413), sections 3.2 and 3.4. Points are (B, N, 3), what
is known of them (B, N, C); an index is int64. The searches give no gradient, the values do.
"""

import torch


def gather(values, index):
    """What is at these places: values (B, N, C), index (B, ...)  ->  (B, ..., C)"""
    flat = index.flatten(1)[..., None].expand(-1, -1, values.shape[-1])  # (B, M, C)
    return values.gather(1, flat).view(*index.shape, values.shape[-1])


@torch.no_grad()
def distances(queries, points):
    """Queries (B, M, 3), points (B, N, 3)  ->  the distance of each to each, (B, M, N). From the
    differences, not from |a|² - 2ab + |b|²: that is faster, and near zero it is mostly rounding."""
    return torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist")


def farthest_points_loop(points, count):
    """Farthest-point sampling of one cloud as it is defined: start with the point farthest from the
    mean; then always add the one whose nearest chosen point is farthest away.

    points (N, 3)  ->  a list of `count` places. Distances are computed anew for every choice, so
    the time grows with N · count².
    """
    mean = points.mean(0)
    chosen = [max(range(len(points)), key=lambda i: (points[i] - mean).norm().item())]
    while len(chosen) < count:
        gap = [min((p - points[c]).norm().item() for c in chosen) for p in points]
        chosen.append(max(range(len(points)), key=gap.__getitem__))
    return chosen


@torch.no_grad()
def farthest_points(points, count):
    """Farthest-point sampling: `count` points that cover a cloud, each as far as possible from
    those before it. The first is the point farthest from the mean (the paper starts anywhere), so
    the order of the cloud does not matter.

    points (B, N, 3)  ->  index (B, count), in the order of choice; the first few are a coarser
    sample. Each step keeps the distance to the nearest chosen point, so the time grows with
    N · count. Raises ValueError for more points than there are.
    """
    B, N, _ = points.shape
    if not 1 <= count <= N:
        raise ValueError(f"{count} points of {N} cannot be chosen; expected 1 to {N}")
    index = torch.empty(B, count, dtype=torch.long, device=points.device)
    rows = torch.arange(B, device=points.device)
    farthest = (points - points.mean(1, keepdim=True)).square().sum(-1).argmax(1)  # (B,)
    gap = torch.full((B, N), torch.inf, dtype=points.dtype, device=points.device)
    apart = points.mT.contiguous()  # (B, 3, N): sums over three rows are twice as fast
    for step in range(count):
        index[:, step] = farthest
        chosen = points[rows, farthest, :, None]  # (B, 3, 1)
        gap = torch.minimum(gap, (apart - chosen).square_().sum(1))
        farthest = gap.argmax(1)
    return index


@torch.no_grad()
def nearest(queries, points, count):
    """The `count` points nearest to each query, nearest first: queries (B, M, 3), points (B, N, 3)
    ->  index (B, M, count). Raises ValueError for more than there are."""
    if count > points.shape[1]:
        raise ValueError(f"{count} nearest of {points.shape[1]} points")
    return distances(queries, points).topk(count, dim=-1, largest=False).indices


@torch.no_grad()
def ball_query(queries, points, radius, count):
    """The points within `radius` of each query, `count` of them at most: the nearest ones. Where
    there are fewer, the nearest is repeated, which a maximum does not notice; so it is where there
    is none.

    queries (B, M, 3), points (B, N, 3)  ->  index (B, M, count)

    The authors' code keeps the first `count` in the order of the cloud; then the result depends on
    that order.
    """
    some = min(count, points.shape[1])
    distance, index = distances(queries, points).topk(some, dim=-1, largest=False)
    index = torch.where(distance <= radius, index, index[..., :1])
    return torch.cat([index, index[..., :1].expand(-1, -1, count - some)], dim=-1)


def group(centres, points, features, index):
    """The neighbours of each centre as it sees them: where they are from it, and their features.

    centres (B, M, 3), points (B, N, 3), features (B, N, C) or None, index (B, M, K)
    ->  (B, M, K, 3 + C)
    """
    relative = gather(points, index) - centres[:, :, None]
    if features is None:
        return relative
    return torch.cat([relative, gather(features, index)], dim=-1)


def interpolate(queries, points, features, eps=1e-8):
    """Features for the queries: the mean over their three nearest points (or all, if there are
    fewer), weighted by one over the square of the distance.

    queries (B, M, 3), points (B, N, 3), features (B, N, C)  ->  (B, M, C)
    eps  keeps the weight finite where a query is one of the points: its feature is then taken over
    """
    index = nearest(queries, points, min(3, points.shape[1]))  # (B, M, 3)
    square = (gather(points, index) - queries[:, :, None]).square().sum(-1, keepdim=True)
    weight = 1 / (square + eps)  # (B, M, 3, 1)
    weight = weight / weight.sum(2, keepdim=True)
    return (gather(features, index) * weight).sum(2)
